public import Model
internal import Time

extension RuleEngine {
    /// The version of the encoding.
    static let version: UInt8 = 1
    static let magic: [UInt8] = Array("iotrules".utf8)

    /// The state as bytes, for `init(decoding:)`. Words that are zero take a bit; a fingerprint of all is at the end.
    public func encoded() -> [UInt8] {
        var writer = StateWriter(capacity: 64 + states.reduce(0) { $0 + 160 + $1.words.count * 4 })
        writer.bytes += Self.magic
        writer.bytes.append(Self.version)
        writer.write(revision)
        writer.write(listened)
        writer.write(lastTick?.unixNanoseconds ?? .min)
        writer.write(failures.count)
        for failure in failures {
            writer.write(failure.rule)
            writer.write(failure.serial.text)
            writer.write(failure.reason)
            writer.write(failure.at.incarnation)
            writer.write(failure.at.offset)
        }
        writer.write(states.count)
        for (index, state) in states.enumerated() {
            writer.write(state.serial.text)
            writer.write(silenceDue[index])
            state.write(to: &writer)
        }
        writer.write(Fingerprint.payload(writer.bytes))
        return writer.bytes
    }

    /// The number of the revision under which bytes were encoded: the one that `init(decoding:)` needs.
    /// - Throws: `RuleStateError`.
    public static func revision(ofEncoded bytes: [UInt8]) throws(RuleStateError) -> Int64 {
        var reader = try StateReader(checked: bytes)
        return try reader.header()
    }

    /// The engine that was encoded.
    /// - Parameter revision: the revision under which it was encoded.
    /// - Throws: `RuleStateError`; the caller then starts with a new engine and says so.
    public init(
        decoding bytes: [UInt8], _ revision: RuleRevision, clockRule: ClockRule = ClockRule(),
        budget: RuleBudget = RuleBudget()
    ) throws(RuleStateError) {
        self.init(revision, clockRule: clockRule, budget: budget)
        var reader = try StateReader(checked: bytes)
        let number = try reader.header()
        guard number == revision.number else { throw .otherRevision(number) }
        listened = try reader.int64()
        let tick = try reader.int64()
        lastTick = tick == .min ? nil : Timestamp(unixNanoseconds: tick)
        for _ in 0..<(try reader.count()) {
            let (name, serial, reason) = (try reader.text(), try reader.text(), try reader.text())
            let at = StreamPosition(incarnation: try reader.int64(), offset: try reader.int64())
            guard let serial = SerialNumber(serial),
                let rule = revision.rules.firstIndex(where: { $0.name == name })
            else { throw .damaged }
            failures.append(Failure(rule: name, serial: serial, reason: reason, at: at))
            catalog.isFailed[rule] = true
        }
        for _ in 0..<(try reader.count()) {
            guard let serial = SerialNumber(try reader.text()), let plan = catalog.plan(of: serial),
                indexes[serial] == nil
            else { throw .damaged }
            let due = try reader.int64()
            append(try SensorState(serial, plan, from: &reader))
            silenceDue[states.count - 1] = due
        }
        guard reader.isAtEnd else { throw .damaged }
    }
}

extension StateReader {
    /// What was encoded, if it is whole.
    fileprivate init(checked bytes: [UInt8]) throws(RuleStateError) {
        var header = StateReader(bytes)
        for byte in RuleEngine.magic where try header.byte() != byte { throw .damaged }
        let version = try header.byte()
        guard version == RuleEngine.version else { throw .otherVersion(Int(version)) }
        guard bytes.count >= 8 else { throw .damaged }
        let content = Array(bytes[..<(bytes.count - 8)])
        var footer = StateReader(Array(bytes[(bytes.count - 8)...]))
        guard try footer.int64() == Fingerprint.payload(content) else { throw .damaged }
        self.init(content)
    }

    /// Reads up to the revision's number.
    fileprivate mutating func header() throws(RuleStateError) -> Int64 {
        for _ in 0...RuleEngine.magic.count { _ = try byte() }
        return try int64()
    }
}

extension SensorState {
    fileprivate func write(to writer: inout StateWriter) {
        writer.write(heard)
        clock.write(to: &writer)
        writer.write(words)
        for window in windows { window.write(to: &writer) }
    }

    fileprivate init(_ serial: SerialNumber, _ plan: SensorPlan, from reader: inout StateReader) throws(RuleStateError)
    {
        self.init(serial, plan, heard: try reader.int64())
        clock = try SensorClock(from: &reader)
        try reader.read(into: &words)
        for index in windows.indices { windows[index] = try SignalWindow(from: &reader) }
    }
}

extension SensorClock {
    fileprivate func write(to writer: inout StateWriter) {
        writer.bytes.append((isKnown ? 1 : 0) | (candidate != nil ? 2 : 0) | (isContinuous ? 4 : 0))
        for value in [
            boot, sequence, start.unixNanoseconds, received.unixNanoseconds, tau.unixNanoseconds, interval, shift,
            frames,
        ] { writer.write(value) }
        if let candidate { writer.write(candidate) }
    }

    fileprivate init(from reader: inout StateReader) throws(RuleStateError) {
        let flags = try reader.byte()
        isKnown = flags & 1 == 1
        boot = try reader.int64()
        sequence = try reader.int64()
        start = Timestamp(unixNanoseconds: try reader.int64())
        received = Timestamp(unixNanoseconds: try reader.int64())
        tau = Timestamp(unixNanoseconds: try reader.int64())
        interval = try reader.int64()
        shift = try reader.int64()
        frames = try reader.int64()
        isContinuous = flags & 4 == 4
        candidate = flags & 2 == 2 ? try reader.int64() : nil
    }
}
