import Model
import Records
import SampleFiles

@testable import Archive

extension Example {
    /// Views of Records/Samples.
    static let samples: [Example] = [
        Example(
            "replay", "Replay",
            ReplayView(Given.replayed, from: Given.time, to: Given.later, duration: .milliseconds(2500.5)),
            #"""
            {"streams":2,"messages":30,"frames":20,"samples":10000,"rows":40,"duplicates":5,"unreadable":1,\#
            "from":"2026-11-21T09:30:00.000000001Z","to":"2026-11-21T09:31:00.500000000Z",\#
            "begins_later":{"measurements.0":"2026-11-21T09:30:00.000000001Z",\#
            "measurements.1":"2026-11-21T09:31:00.500000000Z"},"seconds":2.5}
            """#),
        Example(
            "bare replay", "Replay",
            ReplayView(ReplayStreams.Summary(), from: Given.time, to: nil, duration: .zero),
            #"""
            {"streams":0,"messages":0,"frames":0,"samples":0,"rows":0,"duplicates":0,"unreadable":0,\#
            "from":"2026-11-21T09:30:00.000000001Z","to":null,"begins_later":{},"seconds":0}
            """#),
        Example(
            "import", "Import",
            ImportView(Given.survey, into: Given.serial, channel: "x", Given.imported),
            #"""
            {"sensor":"lab-1","channel":"x","samples":100,"stored":60,"duplicates":40,"rows":2,\#
            "from":"2026-11-21T09:30:00.000000001Z","to":"2026-11-21T09:31:00.500000000Z","gaps":1,\#
            "gap_seconds":1.500000001}
            """#),
        Example(
            "bare import", "Import",
            ImportView(SampleSurvey(), into: Given.serial, channel: "0", nil),
            #"""
            {"sensor":"lab-1","channel":"0","samples":0,"stored":0,"duplicates":0,"rows":0,"from":null,"to":null,\#
            "gaps":0,"gap_seconds":0}
            """#),
        Example(
            "plot", "Plot",
            PlotView(Given.series, sensor: "lab-1", channel: "x", unit: "m/s²", range: Given.time..<Given.later),
            #"""
            {"sensor":"lab-1","channel":"x","unit":"m/s²","from":"2026-11-21T09:30:00.000000001Z",\#
            "to":"2026-11-21T09:31:00.500000000Z","source":"samples",\#
            "points":[{"time":"2026-11-21T09:30:00.000000001Z","n":1,"min":-1.5,"mean":-1.5,"max":-1.5,"rms":1.5},\#
            {"time":"2026-11-21T09:30:00.500000001Z","n":1,"min":null,"mean":null,"max":null,"rms":null},\#
            {"time":"2026-11-21T09:31:00.500000000Z","n":1,"min":2,"mean":2,"max":2,"rms":2}],\#
            "gaps":[{"from":"2026-11-21T09:30:01.000000001Z","to":"2026-11-21T09:31:00.500000000Z"}]}
            """#),
        Example(
            "bare plot", "Plot",
            PlotView(
                ChannelSeries(buckets: []), sensor: "lab-1", channel: "x", unit: "", range: Given.time..<Given.later),
            #"""
            {"sensor":"lab-1","channel":"x","unit":"","from":"2026-11-21T09:30:00.000000001Z",\#
            "to":"2026-11-21T09:31:00.500000000Z","source":"buckets","points":[],"gaps":[]}
            """#),
    ]
}
