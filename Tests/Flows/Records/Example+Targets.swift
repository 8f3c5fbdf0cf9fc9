import Records

extension Example {
    /// Views of Records/Targets.
    static let targets: [Example] = [
        Example(
            "target", "Target",
            TargetView(Given.target),
            #"""
            {"name":"press-4","description":"hall 3","sensors":2,"awake":1,"online":1,"active_alarms":1}
            """#),
        Example(
            "target in detail", "Target in detail",
            TargetDetailView(Given.targetDetail),
            #"""
            {"name":"press-4","description":"hall 3","sensors":2,"awake":1,"online":1,"active_alarms":1,\#
            "members":[{"serial":"lab-2","kind":"","state":"unknown","presence":"unknown","rate_hz":null,\#
            "last_seen":null,"last_seen_age_s":null,"last_value":null,"last_value_age_s":null,"firmware":"",\#
            "target":null,"tags":{},"boot_id":null,"frames_dropped":null,"clock":null,"clock_offset_s":null,\#
            "values":[],"place":null,"position":null,"channels":[{"channel":0,"name":"x","quantity":"acceleration","unit":"m/s²","value":0.1,"min":-1,\#
            "max":1,"rms":0.7,"time":"2026-11-21T09:30:00.000000001Z","age_s":2}]}],"alarms":[{"id":"a2",\#
            "sensor":"lab-1","channel":0,"channel_name":null,"unit":"","rule":"","active":true,"raised_at":null,\#
            "cleared_at":null,"value":null,"limit_value":null,"clear_value":null,"clear_cause":null,"text":""}]}
            """#),
        Example(
            "assignment", "Assignment",
            AssignmentView(sensor: "lab-1", target: nil, isChanged: true),
            #"{"sensor":"lab-1","target":null,"changed":true}"#),
        Example(
            "added target", nil,
            AddedTargetView(target: "press-4", description: ""),
            #"{"target":"press-4","description":""}"#),
        Example(
            "removed target", nil,
            RemovedTargetView(target: "press-4", sensors: 2),
            #"{"target":"press-4","sensors":2}"#),
    ]
}
