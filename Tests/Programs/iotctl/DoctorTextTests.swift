import Testing

@testable import Diagnosis
@testable import iotctl

@Suite struct DoctorTextTests {
    private static let diagnosis = Diagnosis(
        findings: [
            Finding(
                check: "broker", result: .problem, text: "amqp://iot@h:5672 vhost /: connection refused",
                fix: "start RabbitMQ, or correct AMQP_URL: iotctl context show"),
            Finding(check: "queues", result: .notChecked, text: "not checked: x", fix: "see broker", cause: "broker"),
            Finding(check: "streams", result: .notChecked, text: "not checked: x", fix: "see broker", cause: "broker"),
            Finding(check: "rollups", result: .warning, text: "late", fix: "see broker", cause: "broker"),
            Finding(check: "database", result: .ok, text: "PostgreSQL 17.5"),
            Finding(check: "kept", result: .ok, text: "nothing is overdue"),
            Finding(check: "mqtt", result: .notChecked, text: "not checked: why", fix: "set it"),
        ], isAnybodyThere: true)

    private func text(all: Bool) -> String {
        DoctorText(diagnosis: Self.diagnosis, style: Style(isColoured: false)).text(all: all)
    }

    @Test func aCauseIsShownOnce() {
        let wanted = """
            problem      broker           amqp://iot@h:5672 vhost /: connection refused
                                          fix: start RabbitMQ, or correct AMQP_URL: iotctl
                                          context show
            problem      1 more           follows from it; -v shows it
            not checked  2 checks         need the broker and were not made; -v lists them
            not checked  mqtt             why
                                          fix: set it
            ok           2 checks         database, kept

            """
        #expect(text(all: false) == wanted, "\(text(all: false))")
        #expect(DoctorText.summary(Self.diagnosis) == "1 problem, 3 not checked, 2 ok")
    }

    @Test func everyCheckIsListedOnRequest() {
        let lines = text(all: true).split(separator: "\n")
        for finding in Self.diagnosis.findings {
            #expect(lines.contains { $0.contains(" \(finding.check) ") }, "\(finding.check)")
        }
        #expect(lines.allSatisfy { $0.count <= 80 })
    }
}
