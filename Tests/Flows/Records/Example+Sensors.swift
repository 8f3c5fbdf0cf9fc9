import Records
import Signals

extension Example {
    /// Views of Records/Sensors.
    static let sensors: [Example] = [
        Example(
            "sensor", "Sensor",
            SensorView(Given.summary),
            #"""
            {"serial":"lab-1","kind":"vibration","state":"awake","presence":"online","rate_hz":1000,\#
            "last_seen":"2026-11-21T09:30:00.000000001Z","last_seen_age_s":5.001,\#
            "last_value":"2026-11-21T09:31:00.500000000Z","last_value_age_s":-0.04,"firmware":"1.0",\#
            "target":"press-4","tags":{"hall":"3","machine":{"maker":"Acme"}},"boot_id":1795253400000,\#
            "frames_dropped":0,"clock":"ok","clock_offset_s":-0.000125,\#
            "values":[{"channel":0,"name":"x","value":3.97125,"unit":"m/s²",\#
            "time":"2026-11-21T09:31:00.500000000Z","age_s":0.9},{"channel":1,"name":"y","value":null,"unit":"",\#
            "time":null,"age_s":null}],"place":"Hall 3",\#
            "position":{"latitude":52.5,"longitude":-13.25,"altitude":34}}
            """#),
        Example(
            "bare sensor", "Sensor",
            SensorView(Given.bareSummary),
            #"""
            {"serial":"lab-2","kind":"","state":"unknown","presence":"unknown","rate_hz":null,"last_seen":null,\#
            "last_seen_age_s":null,"last_value":null,"last_value_age_s":null,"firmware":"","target":null,"tags":{},\#
            "boot_id":null,"frames_dropped":null,"clock":null,"clock_offset_s":null,"values":[],"place":null,\#
            "position":null}
            """#),
        Example(
            "sensor in detail", "Sensor in detail",
            SensorDetailView(Given.detail),
            #"""
            {"serial":"lab-1","kind":"vibration","state":"awake","presence":"online","rate_hz":1000,\#
            "last_seen":"2026-11-21T09:30:00.000000001Z","last_seen_age_s":5.001,\#
            "last_value":"2026-11-21T09:31:00.500000000Z","last_value_age_s":-0.04,"firmware":"1.0",\#
            "target":"press-4","tags":{"hall":"3","machine":{"maker":"Acme"}},"boot_id":1795253400000,\#
            "frames_dropped":0,"clock":"ok","clock_offset_s":-0.000125,\#
            "values":[{"channel":0,"name":"x","value":3.97125,"unit":"m/s²",\#
            "time":"2026-11-21T09:31:00.500000000Z","age_s":0.9},{"channel":1,"name":"y","value":null,"unit":"",\#
            "time":null,"age_s":null}],"place":"Hall 3",\#
            "position":{"latitude":52.5,"longitude":-13.25,"altitude":34},\#
            "first_seen":"2026-11-21T09:30:00.000000001Z","desired":{"gain":2,"limits":{"x":{"high":5}},\#
            "rate_hz":1000},"desired_version":3,"desired_changed_at":"2026-11-21T09:30:00.000000001Z",\#
            "reported":{"gain":3.5,"rate_hz":1000},"reported_version":4,"drift":[{"path":"gain","desired":2,\#
            "reported":3.5}],"announced_next_sequence":42,"channels":[{"channel":0,"name":"x",\#
            "quantity":"acceleration","unit":"m/s²","value":0.1,"min":-1,"max":1,"rms":0.7,\#
            "time":"2026-11-21T09:30:00.000000001Z","age_s":2},{"channel":32767,"name":"y","quantity":"","unit":"",\#
            "value":null,"min":null,"max":null,"rms":null,"time":null,"age_s":null}],"boots":[{"boot_id":5,\#
            "frames":40,"missing":1,"duplicates":2,"next_sequence":41,\#
            "first_at":"2026-11-21T09:30:00.000000001Z"}],"commands":[{"id":"7","sensor":"lab-2","command":"sleep",\#
            "arguments":null,"issuer":"","state":"queued","reason":"","issued_at":null,"expires_at":null,\#
            "delivered_at":null,"finished_at":null,"sent_at":null,"send_at":null,"sends":0}],\#
            "active_alarms":[{"id":"a2","sensor":"lab-1","channel":0,"channel_name":null,"unit":"","rule":"",\#
            "active":true,"raised_at":null,"cleared_at":null,"value":null,"limit_value":null,"clear_value":null,"clear_cause":null,\#
            "text":""}]}
            """#),
        Example(
            "bare sensor in detail", "Sensor in detail",
            SensorDetailView(Given.bareDetail),
            #"""
            {"serial":"lab-2","kind":"","state":"unknown","presence":"unknown","rate_hz":null,"last_seen":null,\#
            "last_seen_age_s":null,"last_value":null,"last_value_age_s":null,"firmware":"","target":null,"tags":{},\#
            "boot_id":null,"frames_dropped":null,"clock":null,"clock_offset_s":null,"values":[],"place":null,\#
            "position":null,"first_seen":null,"desired":{},\#
            "desired_version":0,"desired_changed_at":null,"reported":{},"reported_version":0,"drift":[],\#
            "announced_next_sequence":null,"channels":[],"boots":[],"commands":[],"active_alarms":[]}
            """#),
        Example(
            "channel", nil,
            ChannelView(Given.channel),
            #"""
            {"channel":0,"name":"x","quantity":"acceleration","unit":"m/s²","value":0.1,"min":-1,"max":1,"rms":0.7,\#
            "time":"2026-11-21T09:30:00.000000001Z","age_s":2}
            """#),
        Example(
            "bare channel", nil,
            ChannelView(Given.bareChannel),
            #"""
            {"channel":32767,"name":"y","quantity":"","unit":"","value":null,"min":null,"max":null,"rms":null,\#
            "time":null,"age_s":null}
            """#),
        Example(
            "boot", nil,
            BootView(Given.boot),
            #"""
            {"boot_id":5,"frames":40,"missing":1,"duplicates":2,"next_sequence":41,\#
            "first_at":"2026-11-21T09:30:00.000000001Z"}
            """#),
        Example(
            "desired", "Desired",
            DesiredView(Given.twin, outcome: "changed"),
            #"""
            {"serial":"lab-1","desired":{"gain":2,"limits":{"x":{"high":5}},"rate_hz":1000},"desired_version":3,\#
            "desired_changed_at":"2026-11-21T09:30:00.000000001Z","outcome":"changed","reason":"","drift":[{\#
            "path":"gain","desired":2,"reported":3.5}]}
            """#),
        Example(
            "tags", "Tags",
            TagsView(Given.tags),
            #"{"sensor":"lab-1","tags":{"hall":"3","line":"2"},"changed":true}"#),
        Example(
            "deleted sensor", "Deleted sensor",
            DeletedSensorView(Given.deletion),
            #"{"sensor":"lab-1","history_deleted":true,"rows_deleted":1200}"#),
        Example(
            "renamed sensor", nil,
            RenamedSensorView(sensor: "press-4", was: "lab-1"),
            #"{"sensor":"press-4","was":"lab-1"}"#),
        Example(
            "log line", "Log line",
            LogLineView(Given.log),
            #"""
            {"time":"2026-11-21T09:30:00.000000001Z","received_at":"2026-11-21T09:31:00.500000000Z",\#
            "sensor":"lab-1","boot_id":1,"level":"warning","text":"tab\there \u007f"}
            """#),
        Example(
            "bare log line", "Log line",
            LogLineView(Given.bareLog),
            #"{"time":null,"received_at":null,"sensor":"lab-1","boot_id":1,"level":"debug","text":""}"#),
        Example(
            "frame", "Frame",
            FrameView(
                Given.frame, of: Given.serial, receivedUnixMilliseconds: 1_795_253_400_000, names: [0: "x"]),
            #"""
            {"sensor":"lab-1","time":"2026-11-21T09:30:00.000000001Z","unix_ns":1795253400000000001,"boot_id":5,\#
            "sequence":12,"sample_rate_hz":1000,"received_unix_ms":1795253400000,"channels":[{"channel":0,\#
            "name":"x","n":3,"min":-1,"mean":-0.25,"max":0.5,"rms":0.7905694150420949,"value":null},{"channel":7,\#
            "name":"7","n":2,"min":10.5,"mean":11,"max":11.5,"rms":11.01135777277262,"value":null}]}
            """#),
        Example(
            "bare frame", "Frame",
            FrameView(Given.bareFrame, of: nil, receivedUnixMilliseconds: nil, names: [:]),
            #"""
            {"sensor":null,"time":null,"unix_ns":null,"boot_id":null,"sequence":null,"sample_rate_hz":null,\#
            "received_unix_ms":null,"channels":[{"channel":null,"name":"temp","n":1,"min":20.5,"mean":20.5,\#
            "max":20.5,"rms":20.5,"value":20.5}]}
            """#),
        Example(
            "sensor event", "Sensor event",
            SensorEventView(
                at: Given.time, sensor: "lab-1", property: "rate_hz", before: .null, after: .number(1000)),
            #"""
            {"at":"2026-11-21T09:30:00.000000001Z","sensor":"lab-1","property":"rate_hz","before":null,\#
            "after":1000}
            """#),
        Example(
            "waited for", "Waited for",
            WaitedForView(sensor: "lab-1", unmet: ["state=awake (asleep)"], after: .milliseconds(300.9)),
            #"{"sensor":"lab-1","met":false,"unmet":["state=awake (asleep)"],"milliseconds":300}"#),
        Example(
            "spectrum", "Spectrum",
            SpectrumView(
                Given.spectrum, peaks: 1, sensor: "lab-1", channel: "x", unit: "m/s²", before: Given.time, samples: 12),
            #"""
            {"sensor":"lab-1","channel":"x","unit":"m/s²","before":"2026-11-21T09:30:00.000000001Z","samples":12,\#
            "resolution_hz":125,"peaks":[{"frequency_hz":250,"amplitude":2}],"amplitudes":[0.5,0,2,0,0,0,0.25]}
            """#),
        Example(
            "bare spectrum", "Spectrum",
            SpectrumView(
                AmplitudeSpectrum(resolution: 0.5, amplitudes: [0, 1e-9]), peaks: 1, sensor: "lab-1", channel: "x",
                unit: "", before: nil, samples: 2),
            #"""
            {"sensor":"lab-1","channel":"x","unit":"","before":null,"samples":2,"resolution_hz":0.5,\#
            "peaks":[{"frequency_hz":0.5,"amplitude":1e-09}],"amplitudes":[0,1e-09]}
            """#),
    ]
}
