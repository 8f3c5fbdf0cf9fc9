import Records

extension Example {
    /// Views of Records/Rules.
    static let rules: [Example] = [
        Example(
            "rule", "Rule",
            RuleView(Given.rule),
            #"""
            {"name":"pump-hot","version":3,"enabled":true,"severity":"critical","active_alarms":1,\#
            "changed_at":"2026-11-21T09:30:00.000000001Z","changed_by":"iotctl ann@lab","rule":{"name":"pump-hot",\#
            "selector":{"sensors":["pump-*"],"kind":null,"target":null},"when":{"threshold":{"of":null,"above":80,\#
            "below":null,"hysteresis":null,"channel":null},"for":"10s"},"severity":"critical","message":null,\#
            "runbook":null,"schedule":null}}
            """#),
        Example(
            "applied rule", "Applied rule",
            AppliedRuleView(Given.appliedRule),
            #"{"name":"pump-hot","change":"changed","version":3}"#),
        Example(
            "rule version", "Rule version",
            RuleVersionView(Given.removedRule),
            #"""
            {"name":"pump-hot","version":4,"changed_at":"2026-11-21T09:30:00.000000001Z",\#
            "changed_by":"iotctl ann@lab","rule":null}
            """#),
    ]
}
