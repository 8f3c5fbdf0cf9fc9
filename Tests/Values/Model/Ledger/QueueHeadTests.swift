import Model
import Testing

@Suite struct QueueHeadTests {
    @Test func aMessageIsTakenOutWhenItAloneWasDueTwice() {
        var head = QueueHead(full: 500)
        // The next one at the head has two deaths of its own.
        let actions = (0..<5).map { _ in head.noteDeath() }
        #expect(actions == [.read, .read, .takeOut, .read, .takeOut])
        #expect(head.ahead == 1)
    }

    @Test func aMessageThatCameIsNotTheOne() {
        var head = QueueHead(full: 500)
        _ = head.noteDeath()
        for _ in 0..<10 {
            let action = head.noteDeath()
            let isFull = head.noteStored(1)
            #expect(action == .read && !isFull)
        }
    }

    @Test func afterAHundredStoredItReadsManyAgain() {
        var head = QueueHead(full: 500)
        var full = head.noteStored(500)
        #expect(!full)
        _ = head.noteDeath()
        #expect(head.ahead == 1)
        let changes = (1...QueueHead.careMax).count { _ in head.noteStored(1) }
        #expect(changes == 1 && head.ahead == 500)
        full = head.noteStored(1)
        #expect(!full)
    }
}
