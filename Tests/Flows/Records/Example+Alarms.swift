import Model
import Records

extension Example {
    /// Views of Records/Alarms.
    static let alarms: [Example] = [
        Example(
            "alarm", "Alarm",
            AlarmView(Given.alarm),
            #"""
            {"id":"a1","sensor":"lab-1","channel":3,"channel_name":"temperature","unit":"°C",\#
            "rule":"limit:temperature:high","active":false,"raised_at":"2026-11-21T09:30:00.000000001Z",\#
            "cleared_at":"2026-11-21T09:31:00.500000000Z","value":31.25,"limit_value":30,"clear_value":-0.5,\#
            "clear_cause":"sensor_deleted","text":"hot\n\"very\"\u001b"}
            """#),
        Example(
            "bare alarm", "Alarm",
            AlarmView(Given.bareAlarm),
            #"""
            {"id":"a2","sensor":"lab-1","channel":0,"channel_name":null,"unit":"","rule":"","active":true,\#
            "raised_at":null,"cleared_at":null,"value":null,"limit_value":null,"clear_value":null,"clear_cause":null,"text":""}
            """#),
        Example(
            "alarm event", "Alarm event",
            AlarmEventView(Given.alarmMessage, of: Given.serial, .trigger),
            #"""
            {"event":"trigger","id":"a1","sensor":"lab-1","channel":1,"rule":"limit:x:low","value":1e-07,\#
            "limit_value":1e+300,"at":"2026-11-21T09:30:00.000000001Z","boot_id":9007199254740993,"sequence":12,\#
            "text":"low"}
            """#),
        Example(
            "bare alarm event", "Alarm event",
            AlarmEventView(Given.bareAlarmMessage, of: Given.serial, .clear),
            #"""
            {"event":"clear","id":"a1","sensor":"lab-1","channel":1,"rule":"limit:x:low","value":1,"limit_value":2,\#
            "at":"2026-11-21T09:30:00.000000001Z","boot_id":null,"sequence":null,"text":""}
            """#),
    ]
}
