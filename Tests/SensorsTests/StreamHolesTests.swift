import Sensors
import Testing

@Suite struct StreamHolesTests {
    private func place(_ offset: Int64, _ incarnation: Int64 = 1) -> StreamPlace {
        StreamPlace(incarnation: incarnation, offset: offset)
    }

    private let holes = StreamHoles([
        StreamHole(first: StreamPlace(incarnation: 2, offset: 0), cause: .brokerRetention),
        StreamHole(first: StreamPlace(incarnation: 1, offset: 10), cause: .brokerRetention),
        StreamHole(first: StreamPlace(incarnation: 1, offset: 50), cause: .streamReset),
    ])

    @Test func theNewestHoleBetweenTwoPlacesIsTheCause() {
        #expect(holes.cause(after: place(3), before: place(9)) == nil)
        #expect(holes.cause(after: place(3), before: place(20)) == .brokerRetention)
        #expect(holes.cause(after: place(20), before: place(49)) == nil)
        #expect(holes.cause(after: place(3), before: place(0, 2)) == .brokerRetention)
        #expect(holes.cause(after: place(30), before: place(49, 1)) == nil)
        #expect(holes.cause(after: place(49), before: place(50)) == .streamReset)
        #expect(holes.cause(after: place(7, 2), before: place(8, 2)) == nil)
        #expect(StreamHoles().cause(after: place(3), before: place(9)) == nil)
    }

    @Test func theEndOfTheStreamIsBehindAllHoles() {
        #expect(holes.cause(after: place(49), before: nil) == .brokerRetention)
        #expect(holes.cause(after: place(0, 2), before: nil) == nil)
        #expect(StreamHoles().cause(after: place(0), before: nil) == nil)
    }

    @Test func onlyTheNewestAreKept() {
        var holes = StreamHoles()
        for offset in 0..<Int64(StreamHoles.countMax) + 5 {
            holes.insert(StreamHole(first: place(offset * 10), cause: .brokerRetention))
        }
        #expect(holes.cause(after: place(-1), before: place(45)) == nil)
        #expect(holes.cause(after: place(-1), before: place(50)) == .brokerRetention)
    }
}
