import Records
import Testing
import Time

@testable import Store
@testable import iotctl

@Suite struct CommandTextTests {
    private func at(_ milliseconds: Int64) -> Timestamp {
        Timestamp(unixMilliseconds: 1_763_728_440_000 + milliseconds)
    }

    private func text(_ command: CommandRecord) -> String {
        CommandText(command: command).text(wide: false, Style(isColoured: false))
    }

    private var queued: CommandRecord {
        CommandRecord(
            id: "6fa459ea-ee8a", serial: "lab-1", name: "change_sample_frequency", argumentsJSON: #"{"hertz": 2000.0}"#,
            issuer: "me", state: "queued", reason: "", issuedAt: at(0), expiresAt: at(60_000), deliveredAt: nil,
            finishedAt: nil, sentAt: nil, sendAt: at(5000), sends: 0, age: .seconds(2))
    }

    @Test func aLifeIsToldInOrder() {
        var command = queued
        command.state = "succeeded"
        command.sentAt = at(4500)
        command.sends = 2
        command.sendAt = nil
        command.deliveredAt = at(5012)
        command.finishedAt = at(5512)
        command.age = .seconds(10)
        let life = text(command).split(separator: "\n").suffix(5).map {
            $0.split(separator: " ").joined(separator: " ")
        }
        #expect(
            life == [
                "2025-11-21 12:34:00.000 0ms - issued",
                "2025-11-21 12:34:04.500 4s 4s sent by the registry (2 times)",
                "2025-11-21 12:34:05.012 5s 512ms delivered", "2025-11-21 12:34:05.512 5s 500ms succeeded",
                "2025-11-21 12:35:00.000 60s 54s expiry",
            ])
        #expect(text(command).contains("Arguments:  hertz=2000\n") && text(command).contains("Reason:     -"))
        #expect(text(command).split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func whatIsToComeIsToldToo() {
        #expect(text(queued).contains("to be sent by the registry") && text(queued).contains("  expires\n"))
        var late = queued
        late.age = .seconds(61)
        #expect(text(late).contains("  expired\n"))
        #expect(late.expiresIn == .seconds(-1))
        late.expiresAt = nil
        #expect(late.expiresIn == nil && !text(late).contains("expire"))
        #expect(CommandDetailView(late).finishedAfterSeconds == nil && CommandDetailView(queued).expiresInSeconds == 58)
    }
}
