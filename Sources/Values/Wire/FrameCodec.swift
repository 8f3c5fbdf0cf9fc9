internal import CMessages
public import Model
internal import Time

/// Frame ⇄ protobuf (`proto/measurement.proto`).
public enum FrameCodec {
    /// Decodes and validates a frame.
    /// - Parameter newest: the newest schema that is accepted; tests pass another one to stand for a later release.
    /// - Throws: `Rejection`: `undecodable`, `newerSchema`, `invalidFrame` or `tooLarge`.
    public static func decode(
        _ bytes: borrowing RawSpan, newest: UInt32 = Frame.captureSchema
    ) throws(Rejection) -> Frame {
        guard bytes.byteCount <= FrameLimits.messageBytesMax else {
            throw Rejection(.tooLarge, "\(bytes.byteCount) bytes")
        }
        let message = try unsafe Unpacked<Iot__Frame>(
            bytes, as: "Frame", unpack: { unsafe iot__frame__unpack(nil, $0, $1) },
            release: { unsafe iot__frame__free_unpacked($0, nil) })
        let frame = try unsafe message.read { message throws(Rejection) in try unsafe Self.frame(message, newest) }
        try frame.validate()
        return frame
    }

    /// Encodes a frame. A frame without a position gets boot 0, which is not a valid boot.
    public static func encode(_ frame: Frame) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__Frame()
        unsafe iot__frame__init(&message)
        unsafe message.schema = frame.isCapture ? Frame.captureSchema : Frame.schema
        unsafe message.boot_id = UInt64(clamping: frame.position?.boot ?? 0)
        unsafe message.sequence = UInt64(clamping: frame.position?.sequence ?? 0)
        unsafe message.start_unix_ns = frame.start?.unixNanoseconds ?? 0
        unsafe message.sample_rate_hz = frame.rate?.hertz ?? 0
        if let place = frame.place { unsafe message.location = Self.location(place, &arena) }
        let blocks = unsafe frame.blocks.map { unsafe Self.block($0, &arena) }
        unsafe message.n_blocks = blocks.count
        unsafe message.blocks = arena.pointers(blocks)
        let captures = unsafe frame.captures.map { unsafe Self.capture($0, &arena) }
        unsafe message.n_captures = captures.count
        unsafe message.captures = arena.pointers(captures)
        return unsafe packed(size: iot__frame__get_packed_size(&message)) { unsafe iot__frame__pack(&message, $0) }
    }

    // MARK: reading

    private static func frame(_ message: borrowing Iot__Frame, _ newest: UInt32) throws(Rejection) -> Frame {
        let schema = unsafe message.schema
        // 0 means that the field is missing: every release writes it, so these bytes are not a Frame.
        if schema == 0 { throw Rejection(.undecodable, "a Frame without a schema") }
        guard schema <= newest else {
            throw Rejection(.newerSchema, "schema \(schema), this release knows \(newest)")
        }
        let boot = try signed(unsafe message.boot_id, "boot_id")
        let sequence = try signed(unsafe message.sequence, "sequence")
        var frame = Frame(
            // Both fields missing: a device that does not number its frames. They are not repeats of one another.
            position: boot == 0 ? nil : FramePosition(boot: boot, sequence: sequence),
            start: timestamp(unsafe message.start_unix_ns),
            rate: SampleRate(hertz: unsafe message.sample_rate_hz), blocks: [])
        if let location = unsafe message.location {
            frame.place = unsafe GeoPosition(
                latitude: location.pointee.latitude, longitude: location.pointee.longitude,
                altitude: location.pointee.altitude)
        }
        let count = unsafe message.n_blocks
        guard count <= FrameLimits.blocksMax else { throw Rejection(.invalidFrame, "\(count) blocks") }
        frame.blocks.reserveCapacity(count)
        for index in 0..<count {
            guard let block = unsafe message.blocks[index] else { continue }
            frame.blocks.append(try unsafe Self.block(block.pointee))
        }
        if unsafe message.n_captures > 0 || schema == Frame.captureSchema {
            frame.captures = try unsafe captures(message, schema)
        }
        return frame
    }

    /// Not inlined, so that ordinary frames do not pay for it.
    @inline(never)
    private static func captures(
        _ message: borrowing Iot__Frame, _ schema: UInt32
    ) throws(Rejection) -> [CaptureMark] {
        let count = unsafe message.n_captures
        // A capture that was cut off would be taken for the channel's own samples.
        guard schema == Frame.captureSchema, (1...FrameLimits.capturesMax).contains(count) else {
            throw Rejection(.invalidFrame, "schema \(schema) with \(count) captures")
        }
        var captures: [CaptureMark] = []
        for index in 0..<count {
            guard let capture = unsafe message.captures[index] else { continue }
            captures.append(
                unsafe CaptureMark(
                    alarm: text(capture.pointee.alarm_id, limit: FrameLimits.alarmBytesMax),
                    from: Timestamp(unixNanoseconds: capture.pointee.from_unix_ns),
                    to: Timestamp(unixNanoseconds: capture.pointee.to_unix_ns),
                    samples: try signed(capture.pointee.samples, "samples of a capture")))
        }
        return captures
    }

    private static func block(_ block: borrowing Iot__Block) throws(Rejection) -> Block {
        guard let channel = Int16(exactly: unsafe block.channel) else {
            throw Rejection(.invalidFrame, "channel \(unsafe block.channel), at most \(Int16.max)")
        }
        return Block(channel: .number(channel), samples: try unsafe samples(block))
    }

    private static func samples(_ block: borrowing Iot__Block) throws(Rejection) -> Samples {
        switch unsafe block.samples_case {
        case IOT__BLOCK__SAMPLES_FLOATS:
            guard let floats = unsafe block.floats, let first = unsafe floats.pointee.samples else {
                return .floats([])
            }
            return unsafe .floats(Array(UnsafeBufferPointer(start: first, count: floats.pointee.n_samples)))
        case IOT__BLOCK__SAMPLES_COUNTS:
            guard let counts = unsafe block.counts else { return .counts([], scale: 1, offset: 0) }
            return try unsafe Self.counts(counts.pointee)
        case IOT__BLOCK__SAMPLES_VALUE: return unsafe .value(block.value)
        default: throw Rejection(.invalidFrame, "a block without samples")
        }
    }

    private static func counts(_ message: borrowing Iot__Counts) throws(Rejection) -> Samples {
        let bytes = unsafe UnsafeRawBufferPointer(start: message.counts.data, count: message.counts.len)
        guard bytes.count.isMultiple(of: 2) else { throw Rejection(.invalidFrame, "half a 16-bit sample") }
        let counts = unsafe [Int16](unsafeUninitializedCapacity: bytes.count / 2) { target, count in
            unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: bytes)
            count = bytes.count / 2
            for index in 0..<count { unsafe target[index] = Int16(littleEndian: target[index]) }
        }
        return unsafe .counts(counts, scale: message.scale, offset: message.offset)
    }

    // MARK: writing

    private static func location(_ place: GeoPosition, _ arena: inout PackingArena) -> UnsafeMutablePointer<
        Iot__Location
    > {
        var location = unsafe Iot__Location()
        unsafe iot__location__init(&location)
        unsafe location.latitude = place.latitude
        unsafe location.longitude = place.longitude
        unsafe location.altitude = place.altitude
        return unsafe arena.one(location)
    }

    private static func capture(
        _ capture: CaptureMark, _ arena: inout PackingArena
    ) -> UnsafeMutablePointer<Iot__Capture> {
        var message = unsafe Iot__Capture()
        unsafe iot__capture__init(&message)
        unsafe message.alarm_id = arena.string(capture.alarm)
        unsafe message.from_unix_ns = capture.from.unixNanoseconds
        unsafe message.to_unix_ns = capture.to.unixNanoseconds
        unsafe message.samples = UInt64(clamping: capture.samples)
        return unsafe arena.one(message)
    }

    private static func block(_ block: Block, _ arena: inout PackingArena) -> UnsafeMutablePointer<Iot__Block> {
        var message = unsafe Iot__Block()
        unsafe iot__block__init(&message)
        if case .number(let number) = block.channel { unsafe message.channel = UInt32(clamping: number) }
        switch block.samples {
        case .floats(let samples):
            var floats = unsafe Iot__Floats()
            unsafe iot__floats__init(&floats)
            unsafe floats.n_samples = samples.count
            unsafe floats.samples = arena.array(samples)
            unsafe message.samples_case = IOT__BLOCK__SAMPLES_FLOATS
            unsafe message.floats = arena.one(floats)
        case .counts(let samples, let scale, let offset):
            var counts = unsafe Iot__Counts()
            unsafe iot__counts__init(&counts)
            let bytes = unsafe arena.array(samples.map { $0.littleEndian })
            unsafe counts.counts.len = samples.count * 2
            unsafe counts.counts.data = UnsafeMutableRawPointer(bytes).assumingMemoryBound(to: UInt8.self)
            unsafe counts.scale = scale
            unsafe counts.offset = offset
            unsafe message.samples_case = IOT__BLOCK__SAMPLES_COUNTS
            unsafe message.counts = arena.one(counts)
        case .value(let value):
            unsafe message.samples_case = IOT__BLOCK__SAMPLES_VALUE
            unsafe message.value = value
        }
        return unsafe arena.one(message)
    }
}
