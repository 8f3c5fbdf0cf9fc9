import Model
import Testing

@Suite struct StreamGapsTests {
    private func place(_ offset: Int64, _ incarnation: Int64 = 1) -> StreamPosition {
        StreamPosition(incarnation: incarnation, offset: offset)
    }

    private let holes = StreamGaps([
        StreamGap(first: StreamPosition(incarnation: 2, offset: 0), cause: .brokerRetention),
        StreamGap(first: StreamPosition(incarnation: 1, offset: 10), cause: .brokerRetention),
        StreamGap(first: StreamPosition(incarnation: 1, offset: 50), cause: .streamReset),
    ])

    @Test func theNewestHoleBetweenTwoPlacesIsTheCause() {
        #expect(holes.cause(after: place(3), before: place(9)) == nil)
        #expect(holes.cause(after: place(3), before: place(20)) == .brokerRetention)
        #expect(holes.cause(after: place(20), before: place(49)) == nil)
        #expect(holes.cause(after: place(3), before: place(0, 2)) == .brokerRetention)
        #expect(holes.cause(after: place(30), before: place(49, 1)) == nil)
        #expect(holes.cause(after: place(49), before: place(50)) == .streamReset)
        #expect(holes.cause(after: place(7, 2), before: place(8, 2)) == nil)
        #expect(StreamGaps().cause(after: place(3), before: place(9)) == nil)
    }

    @Test func theEndOfTheStreamIsBehindAllHoles() {
        #expect(holes.cause(after: place(49), before: nil) == .brokerRetention)
        #expect(holes.cause(after: place(0, 2), before: nil) == nil)
        #expect(StreamGaps().cause(after: place(0), before: nil) == nil)
    }

    @Test func onlyTheNewestAreKept() {
        var holes = StreamGaps()
        for offset in 0..<Int64(StreamGaps.countMax) + 5 {
            holes.insert(StreamGap(first: place(offset * 10), cause: .brokerRetention))
        }
        #expect(holes.cause(after: place(-1), before: place(45)) == nil)
        #expect(holes.cause(after: place(-1), before: place(50)) == .brokerRetention)
    }
}
