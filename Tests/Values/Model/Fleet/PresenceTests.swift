import Model
import Testing
import Time

/// Whether a sensor is there: announcements, answers, data, Last Wills and silence.
@Suite struct PresenceTests {
    private let start = Timestamp(unixMilliseconds: 1_763_728_440_000)

    private func at(_ seconds: Int64) -> Timestamp { start.advanced(bySeconds: seconds) }

    private func announcement(
        boot: Int64 = 1, connection: Int64 = 1, _ state: Announcement.State = .awake, interval: Int64? = nil
    ) -> Announcement {
        Announcement(
            boot: boot, connection: connection, kind: "", firmware: "", state: state, rate: nil, nextSequence: 0,
            framesDropped: 0, channels: [], at: nil, intervalSeconds: interval)
    }

    private func expect(_ counts: Bool, _ expected: Bool) { #expect(counts == expected) }

    private func online(interval: Int64? = nil) -> Presence {
        var presence = Presence()
        _ = presence.note(announcement(connection: 2, interval: interval), at: start)
        return presence
    }

    /// The word at a time, if a registry has listened all the while.
    private func word(_ presence: Presence, at seconds: Int64, data: Int64? = nil, listening: Int64 = -1000)
        -> Presence.Word
    {
        var presence = presence
        presence.judge(at: at(seconds), data: data.map(at), listeningSince: at(listening))
        return presence.word
    }

    @Test func aBrokenConnectionIsNotYetAnAbsentSensor() {
        var presence = online()
        presence.note(will: announcement(connection: 2, .lost), at: at(5))
        #expect(presence.word == .lost && presence.lost == at(5))
        #expect(word(presence, at: 64) == .lost)
        #expect(word(presence, at: 65) == .offline)
        // It comes back in time: no client was told that it was away.
        var back = presence
        expect(back.note(announcement(connection: 3), at: at(20)), true)
        #expect(back.word == .online && back.lost == nil)
        // Data that arrived well after the will shows the same, data that was under way does not.
        #expect(word(presence, at: 20, data: 7) == .lost)
        #expect(word(presence, at: 20, data: 15) == .online)
    }

    @Test func onlyTheNewestConnectionCounts() {
        var presence = online()
        for will in [announcement(connection: 1, .lost), announcement(boot: 0, connection: 9, .lost)] {
            presence.note(will: will, at: at(5))
            #expect(presence.word == .online)
        }
        expect(presence.note(announcement(connection: 1, .stopped), at: at(6)), false)
        #expect(presence.word == .online && presence.heard == start)
        // A will may be the first that is heard of a connection.
        presence.note(will: announcement(connection: 3, .lost), at: at(7))
        #expect(presence.word == .lost && presence.connection == .init(boot: 1, number: 3))
    }

    @Test func aGracefulEndIsOffline() {
        var presence = online()
        expect(presence.note(announcement(connection: 2, .stopped), at: at(5)), true)
        #expect(presence.word == .offline && presence.isStopped)
        presence.note(will: announcement(connection: 2, .lost), at: at(6))
        presence.answered(at: at(6))
        #expect(presence.word == .offline && presence.lost == nil)
        #expect(word(presence, at: 20, data: 4) == .offline, "what was still on its way")
        #expect(word(presence, at: 20, data: 15) == .online, "it sends again")
        expect(presence.note(announcement(boot: 2), at: at(30)), true)
        #expect(presence.word == .online && !presence.isStopped)
    }

    @Test func silenceIsJudgedByItsOwnInterval() {
        #expect(word(online(), at: 59) == .online && word(online(), at: 60) == .offline)
        #expect(word(online(interval: 100), at: 299) == .online && word(online(interval: 100), at: 300) == .offline)
        #expect(word(online(), at: 100, data: 90) == .online)
        var answered = online()
        answered.answered(at: at(50))
        #expect(word(answered, at: 100) == .online)
    }

    /// A registry that was away has heard nothing, and a broker under an alarm blocks all publishers.
    @Test func silenceCountsOnlyWhileSomebodyListens() {
        #expect(word(online(), at: 10_000, listening: 9950) == .online)
        #expect(word(online(), at: 10_000, listening: 9940) == .offline)
        var presence = online()
        presence.note(will: announcement(connection: 2, .lost), at: at(5))
        #expect(word(presence, at: 10_000, listening: 9950) == .lost)
        #expect(word(presence, at: 10_000, listening: 9940) == .offline)
    }

    @Test func aDeviceThatOnlySendsData() {
        #expect(word(Presence(), at: 100) == .unknown)
        #expect(word(Presence(), at: 100, data: 90) == .online)
        #expect(word(Presence(word: .online), at: 300, data: 1) == .online)
        #expect(word(Presence(word: .online), at: 301, data: 1) == .offline)
        #expect(word(Presence(word: .offline), at: 1000, data: 1) == .offline)
    }

    @Test func aGatewaySpeaksForItsSensors() {
        var presence = online()
        presence.gatewayBroke(at: at(-5))
        #expect(presence.word == .online, "a message of it arrived since")
        presence.gatewayBroke(at: at(5))
        #expect(presence.word == .lost)
        presence.answered(at: at(6))
        #expect(presence.word == .online && presence.lost == nil)
        var stopped = online()
        _ = stopped.note(announcement(connection: 2, .stopped), at: at(1))
        stopped.gatewayBroke(at: at(5))
        #expect(stopped.word == .offline)
    }
}
