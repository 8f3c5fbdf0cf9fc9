import Model
import Testing

@Suite struct StreamBacklogTests {
    private func backlog(
        committed: Int64?, first: Int64? = 0, messages: Int64 = 100, age: Double? = 10, bytes: Int64 = 1000,
        secondsMax: Double? = 1000, bytesMax: Int64? = 10_000
    ) -> StreamBacklog {
        StreamBacklog(
            committed: committed, first: first, messages: messages, oldestSeconds: age, bytes: bytes,
            secondsMax: secondsMax, bytesMax: bytesMax)
    }

    @Test func whatIsStoredIsNotNearAnything() {
        let done = backlog(committed: 99, age: 9999, bytes: 10_000)
        #expect(done.unread == 0 && done.nearness == 0 && !done.isNear)
        #expect(backlog(committed: nil, first: nil, messages: 0).nearness == 0)
        // Numbers of messages lag behind offsets.
        #expect(backlog(committed: 120).unread == 0)
    }

    @Test func ageAndSizeBothCount() {
        #expect(backlog(committed: 49).unread == 50)
        #expect(backlog(committed: 49, age: 900).nearness == 0.9)
        #expect(backlog(committed: 49, bytes: 10_000).nearness == 0.5)
        #expect(backlog(committed: 9, bytes: 10_000).isNear)
        #expect(backlog(committed: nil, age: 700, bytes: 8500).nearness == 0.85)
        #expect(backlog(committed: nil, age: 5000, secondsMax: nil, bytesMax: nil).nearness == 0)
    }

    @Test func whatIsGoneIsCounted() {
        let overtaken = backlog(committed: 9, first: 40, messages: 60)
        #expect(overtaken.lost == 30 && overtaken.unread == 60 && overtaken.nearness == 1)
        #expect(backlog(committed: nil, first: 40, messages: 60).lost == 40)
        #expect(backlog(committed: nil, first: 0).lost == 0)
    }

    @Test(arguments: [("7D", 604_800.0), ("1Y", 31_536_000), ("2M", 5_184_000), ("3h", 10_800), ("5m", 300), ("9s", 9)])
    func agesAreRead(_ text: String, _ seconds: Double) {
        #expect(StreamBacklog.seconds(maxAge: text) == seconds)
    }

    @Test(arguments: ["", "7", "D", "7W", "-1D", "xD"])
    func otherAgesAreNot(_ text: String) { #expect(StreamBacklog.seconds(maxAge: text) == nil) }
}
