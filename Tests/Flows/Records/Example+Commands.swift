import Records

extension Example {
    /// Views of Records/Commands.
    static let commands: [Example] = [
        Example(
            "command", "Command",
            CommandView(Given.command),
            #"""
            {"id":"6fa459ea-ee8a-3ca4-894e-db77e160355e","sensor":"lab-1","command":"change_sample_frequency",\#
            "arguments":{"a":{"b":[1,2.5,null,true,"x"]},"hertz":2000},"issuer":"me","state":"failed",\#
            "reason":"worn out","issued_at":"2026-11-21T09:30:00.000000001Z",\#
            "expires_at":"2026-11-21T09:31:00.500000000Z","delivered_at":"2026-11-21T09:30:00.000000001Z",\#
            "finished_at":"2026-11-21T09:31:00.500000000Z","sent_at":"2026-11-21T09:30:00.000000001Z",\#
            "send_at":"2026-11-21T09:31:00.500000000Z","sends":2}
            """#),
        Example(
            "bare command", "Command",
            CommandView(Given.bareCommand),
            #"""
            {"id":"7","sensor":"lab-2","command":"sleep","arguments":null,"issuer":"","state":"queued","reason":"",\#
            "issued_at":null,"expires_at":null,"delivered_at":null,"finished_at":null,"sent_at":null,\#
            "send_at":null,"sends":0}
            """#),
        Example(
            "command in detail", "Command in detail",
            CommandDetailView(Given.command),
            #"""
            {"id":"6fa459ea-ee8a-3ca4-894e-db77e160355e","sensor":"lab-1","command":"change_sample_frequency",\#
            "arguments":{"a":{"b":[1,2.5,null,true,"x"]},"hertz":2000},"issuer":"me","state":"failed",\#
            "reason":"worn out","issued_at":"2026-11-21T09:30:00.000000001Z",\#
            "expires_at":"2026-11-21T09:31:00.500000000Z","delivered_at":"2026-11-21T09:30:00.000000001Z",\#
            "finished_at":"2026-11-21T09:31:00.500000000Z","sent_at":"2026-11-21T09:30:00.000000001Z",\#
            "send_at":"2026-11-21T09:31:00.500000000Z","sends":2,"age_s":61,"delivered_after_s":0,\#
            "finished_after_s":60.499,"expires_in_s":-0.5}
            """#),
        Example(
            "bare command in detail", "Command in detail",
            CommandDetailView(Given.bareCommand),
            #"""
            {"id":"7","sensor":"lab-2","command":"sleep","arguments":null,"issuer":"","state":"queued","reason":"",\#
            "issued_at":null,"expires_at":null,"delivered_at":null,"finished_at":null,"sent_at":null,\#
            "send_at":null,"sends":0,"age_s":null,"delivered_after_s":null,"finished_after_s":null,\#
            "expires_in_s":null}
            """#),
        Example(
            "cancellation", "Cancellation",
            CancellationView(Given.cancellation),
            #"""
            {"id":"6fa459ea-ee8a-3ca4-894e-db77e160355e","sensor":"lab-1","command":"change_sample_frequency",\#
            "cancelled":false,"state":"failed"}
            """#),
        Example(
            "command result", "Command result",
            CommandResultView(Given.result, of: "sleep"),
            #"""
            {"id":"6fa459ea","sensor":"lab-1","command":"sleep","outcome":"timed_out","reason":"no answer",\#
            "milliseconds":1234}
            """#),
        Example(
            "bare command result", "Command result",
            CommandResultView(Given.bareResult, of: "sleep"),
            #"""
            {"id":null,"sensor":"lab-1","command":"sleep","outcome":"skipped","reason":"","milliseconds":null}
            """#),
        Example(
            "planned command", "Planned command",
            PlannedCommandView(Given.request, to: Given.serial),
            #"{"sensor":"lab-1","command":"calibrate","arguments":{"a":"x","m":true,"z":2000}}"#),
        Example(
            "command event", "Command event",
            CommandEventView(
                at: Given.time, id: "c1", sensor: "lab-1", name: "calibrate", event: "queued", reason: "",
                sent: Given.sent),
            #"""
            {"at":"2026-11-21T09:30:00.000000001Z","id":"c1","sensor":"lab-1","command":"calibrate",\#
            "event":"queued","reason":"","arguments":{"a":"x","m":true,"z":2000},"issuer":"me",\#
            "expires_at":"2026-11-21T09:31:00.500000000Z"}
            """#),
        Example(
            "bare command event", "Command event",
            CommandEventView(
                at: Given.time, id: "c1", sensor: "lab-1", name: nil, event: "failed", reason: "no", sent: nil),
            #"""
            {"at":"2026-11-21T09:30:00.000000001Z","id":"c1","sensor":"lab-1","command":null,"event":"failed",\#
            "reason":"no","arguments":null,"issuer":null,"expires_at":null}
            """#),
    ]
}
