import Records

extension Example {
    /// Views of Records/System.
    static let system: [Example] = [
        Example(
            "fleet", "Fleet",
            FleetView(Given.fleet, partitions: [Given.partition], framesPerSecond: 10, trouble: "broker: away"),
            #"""
            {"at":"2026-11-21T09:31:00.500000000Z","sensors":3,"states":{"asleep":1,"awake":2},\#
            "presences":{"online":3},"frames":1000,"frames_per_s":10,"samples_per_s":48000.5,"active_alarms":1,\#
            "partitions":[{"stream":"measurements.0","incarnation":2,"owner":"ingester-1","epoch":3,\#
            "lease_left_s":-1.5,"committed_offset":1234567,"committed_at":"2026-11-21T09:30:00.000000001Z",\#
            "committed_age_s":0.02,"messages_per_s":499.5,"lag":100}],"busiest":[{"serial":"lab-1",\#
            "kind":"vibration","state":"awake","presence":"online","samples_per_s":1000,"last_value_age_s":1,\#
            "active_alarms":1}],"alarms":[{"id":"a2","sensor":"lab-1","channel":0,"channel_name":null,"unit":"",\#
            "rule":"","active":true,"raised_at":null,"cleared_at":null,"value":null,"limit_value":null,\#
            "clear_value":null,"clear_cause":null,"text":""}],"trouble":"broker: away"}
            """#),
        Example(
            "bare fleet", "Fleet",
            FleetView(Given.fleet, partitions: [], framesPerSecond: nil, trouble: nil),
            #"""
            {"at":"2026-11-21T09:31:00.500000000Z","sensors":3,"states":{"asleep":1,"awake":2},\#
            "presences":{"online":3},"frames":1000,"frames_per_s":null,"samples_per_s":48000.5,"active_alarms":1,\#
            "partitions":[],"busiest":[{"serial":"lab-1","kind":"vibration","state":"awake","presence":"online",\#
            "samples_per_s":1000,"last_value_age_s":1,"active_alarms":1}],"alarms":[{"id":"a2","sensor":"lab-1",\#
            "channel":0,"channel_name":null,"unit":"","rule":"","active":true,"raised_at":null,"cleared_at":null,\#
            "value":null,"limit_value":null,"clear_value":null,"clear_cause":null,"text":""}],"trouble":null}
            """#),
        Example(
            "audit", "Audit",
            AuditView(Given.audits),
            #"""
            {"complete":false,"published":10,"stored":6,"missing":3,"duplicates":1,"given_up":1,"causes":{"late":1,\#
            "broker_retention":0,"stream_reset":0,"quarantined":0,"dropped_at_source":2,"sensor_restarted":0},\#
            "sensors":[{"sensor":"lab-1","numbered":true,"unnumbered_rows":null,"history_deleted_at":null,\#
            "boots":[{"boot_id":5,"published":10,"stored":6,"missing":3,"duplicates":1,"given_up":1,"losses":[{"first":3,"last":4,\#
            "missing":2,"cause":"dropped_at_source"},{"first":6,"last":9,"missing":1,"cause":"late"}]}]},\#
            {"sensor":"json-1","numbered":false,"unnumbered_rows":12,\#
            "history_deleted_at":null,"boots":[]}]}
            """#),
        Example(
            "bare audit", "Audit",
            AuditView([]),
            #"""
            {"complete":true,"published":0,"stored":0,"missing":0,"duplicates":0,"given_up":0,"causes":{"late":0,\#
            "broker_retention":0,"stream_reset":0,"quarantined":0,"dropped_at_source":0,"sensor_restarted":0},\#
            "sensors":[]}
            """#),
        Example(
            "diagnosis", "Diagnosis",
            DiagnosisView(Given.diagnosis),
            #"""
            {"healthy":true,"findings":[{"check":"broker","result":"ok","text":"it answers","fix":null,"cause":null},\#
            {"check":"lag","result":"not_checked","text":"not checked: no broker","fix":"start it","cause":"broker"}]}
            """#),
        Example(
            "context", "Context",
            ContextView(name: "lab", isCurrent: true, urls: ["AMQP_URL": "amqp://a:***@b/"]),
            #"""
            {"name":"lab","current":true,"amqp_url":"amqp://a:***@b/","mqtt_url":null,"database_url":null,\#
            "management_url":null}
            """#),
        Example(
            "connections", "Connections",
            ConnectionsView(
                context: nil, servers: [ConnectionsView.Server(variable: "MQTT_URL", url: nil, source: "not set")]),
            #"{"context":null,"servers":[{"variable":"MQTT_URL","url":null,"source":"not set"}]}"#),
        Example(
            "bench", "Bench",
            BenchView(
                form: "floats", samplesPerFrame: 500, sensors: 100, rate: 50_000, seconds: 10, isBacklog: false,
                median: BenchView.Figures(Given.figures),
                runs: [BenchView.Run(messages: 10, samples: 5000, figures: BenchView.Figures(Given.figures))]),
            #"""
            {"form":"floats","samples_per_frame":500,"sensors":100,"rate":50000,"seconds":10,"backlog":false,\#
            "median":{"published_messages_per_s":3000.25,"published_samples_per_s":1500125,\#
            "committed_messages_per_s":2900,"committed_samples_per_s":1450000,"latency_p50_ms":12.5,\#
            "latency_p99_ms":40,"latency_max_ms":90.1,"drain_messages_per_s":6000,"copy_samples_per_s":2000000,\#
            "committed_to_drain":0.5,"committed_to_copy":0.725,"bytes_per_sample":4.5},"runs":[{"messages":10,\#
            "samples":5000,"published_messages_per_s":3000.25,"published_samples_per_s":1500125,\#
            "committed_messages_per_s":2900,"committed_samples_per_s":1450000,"latency_p50_ms":12.5,\#
            "latency_p99_ms":40,"latency_max_ms":90.1,"drain_messages_per_s":6000,"copy_samples_per_s":2000000,\#
            "committed_to_drain":0.5,"committed_to_copy":0.725,"bytes_per_sample":4.5}]}
            """#),
        Example(
            "bench of a backlog", "Bench",
            BenchView(
                form: "floats", samplesPerFrame: 500, sensors: 100, rate: nil, seconds: 10, isBacklog: true,
                median: BenchView.Figures(Given.backlogFigures),
                runs: [BenchView.Run(messages: 10, samples: 5000, figures: BenchView.Figures(Given.backlogFigures))]),
            #"""
            {"form":"floats","samples_per_frame":500,"sensors":100,"rate":null,"seconds":10,"backlog":true,\#
            "median":{"published_messages_per_s":3000.25,"published_samples_per_s":1500125,\#
            "committed_messages_per_s":2900,"committed_samples_per_s":1450000,"drain_messages_per_s":6000,\#
            "copy_samples_per_s":2000000,"committed_to_drain":0.5,"committed_to_copy":0.725,\#
            "bytes_per_sample":4.5},"runs":[{"messages":10,"samples":5000,"published_messages_per_s":3000.25,\#
            "published_samples_per_s":1500125,"committed_messages_per_s":2900,"committed_samples_per_s":1450000,\#
            "drain_messages_per_s":6000,"copy_samples_per_s":2000000,"committed_to_drain":0.5,\#
            "committed_to_copy":0.725,"bytes_per_sample":4.5}]}
            """#),
        Example(
            "operator action", "Operator action",
            OperatorActionView(Given.rename),
            #"""
            {"id":8,"at":"2026-11-21T09:30:00.000000001Z","issuer":"iotctl me@here","action":"rename","sensor":"lab-1",\#
            "new_sensor":"press-4","rows_deleted":0,"finished_at":"2026-11-21T09:31:00.500000000Z"}
            """#),
        Example(
            "bare operator action", "Operator action",
            OperatorActionView(Given.deletion),
            #"""
            {"id":7,"at":"2026-11-21T09:30:00.000000001Z","issuer":"iotctl me@here","action":"delete_with_history",\#
            "sensor":"lab-1","new_sensor":null,"rows_deleted":1200,"finished_at":null}
            """#),
    ]
}
