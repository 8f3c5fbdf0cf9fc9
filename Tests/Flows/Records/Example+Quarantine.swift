import Records

@testable import Archive

extension Example {
    /// Views of Records/Quarantine.
    static let quarantine: [Example] = [
        Example(
            "quarantined payload", "Quarantined payload",
            QuarantinedPayloadView(Given.quarantined),
            #"""
            {"id":17,"at":"2026-11-21T09:30:00.000000001Z","reason":"newer_schema","detail":"schema 2",\#
            "sensor":"lab-1","boot_id":7,"sequence":9,"routing_key":"sensor_lab-1.data","source":"measurements.0",\#
            "incarnation":1,"stream_offset":5,"received_at":"2026-11-21T09:31:00.500000000Z","length":70000,\#
            "kept":65536,"hash":-3750763034362895579}
            """#),
        Example(
            "bare quarantined payload", "Quarantined payload",
            QuarantinedPayloadView(Given.bareQuarantined),
            #"""
            {"id":18,"at":null,"reason":"unroutable","detail":"","sensor":null,"boot_id":null,"sequence":null,\#
            "routing_key":"x","source":"unrouted","incarnation":null,"stream_offset":null,"received_at":null,\#
            "length":0,"kept":0,"hash":0}
            """#),
        Example(
            "quarantined payload in detail", "Quarantined payload in detail",
            QuarantinedPayloadDetailView(Given.quarantined, bytes: Given.payload, header: Given.header),
            #"""
            {"id":17,"at":"2026-11-21T09:30:00.000000001Z","reason":"newer_schema","detail":"schema 2",\#
            "sensor":"lab-1","boot_id":7,"sequence":9,"routing_key":"sensor_lab-1.data","source":"measurements.0",\#
            "incarnation":1,"stream_offset":5,"received_at":"2026-11-21T09:31:00.500000000Z","length":70000,\#
            "kept":65536,"hash":-3750763034362895579,"header":{"schema":2,"boot_id":7,"sequence":9},\#
            "payload_base64":"CAIRBwAAAAAAAAAYCQ=="}
            """#),
        Example(
            "bare quarantined payload in detail", "Quarantined payload in detail",
            QuarantinedPayloadDetailView(Given.bareQuarantined, bytes: [], header: nil),
            #"""
            {"id":18,"at":null,"reason":"unroutable","detail":"","sensor":null,"boot_id":null,"sequence":null,\#
            "routing_key":"x","source":"unrouted","incarnation":null,"stream_offset":null,"received_at":null,\#
            "length":0,"kept":0,"hash":0,"header":null,"payload_base64":""}
            """#),
        Example(
            "stored payload", "Replayed payload",
            ReplayedPayloadView(Given.quarantined, .stored(samples: 12)),
            #"""
            {"id":17,"sensor":"lab-1","routing_key":"sensor_lab-1.data","outcome":"stored","samples":12,\#
            "reason":""}
            """#),
        Example(
            "duplicate payload", "Replayed payload",
            ReplayedPayloadView(Given.quarantined, .duplicate),
            #"""
            {"id":17,"sensor":"lab-1","routing_key":"sensor_lab-1.data","outcome":"duplicate","samples":null,\#
            "reason":""}
            """#),
        Example(
            "published payload", "Replayed payload",
            ReplayedPayloadView(Given.quarantined, .published(key: "sensor_b.logs")),
            #"""
            {"id":17,"sensor":"lab-1","routing_key":"sensor_b.logs","outcome":"published","samples":null,\#
            "reason":""}
            """#),
        Example(
            "gone payload", "Replayed payload",
            ReplayedPayloadView(Given.quarantined, .gone),
            #"""
            {"id":17,"sensor":"lab-1","routing_key":"sensor_lab-1.data","outcome":"gone","samples":null,\#
            "reason":""}
            """#),
        Example(
            "kept payload", "Replayed payload",
            ReplayedPayloadView(Given.quarantined, .kept("too new")),
            #"""
            {"id":17,"sensor":"lab-1","routing_key":"sensor_lab-1.data","outcome":"kept","samples":null,\#
            "reason":"too new"}
            """#),
        Example(
            "dropped payloads", "Dropped payloads",
            DroppedPayloadsView(dropped: 0, ids: [17, 18], isDryRun: true),
            #"{"dropped":0,"ids":[17,18],"dry_run":true}"#),
    ]
}
