internal import CMessages
internal import Model
internal import Time

// Memory of the messages that protoc-c generated. All pointers of this target are here and in the codecs' closures.

/// A message that protobuf-c allocated, which is freed with its owner.
@safe
struct Unpacked<Message>: ~Copyable {
    private let pointer: UnsafeMutablePointer<Message>
    private let release: (UnsafeMutablePointer<Message>) -> Void

    /// Parses `bytes`.
    /// - Throws: `Rejection` with `undecodable` if the bytes are not such a message.
    init(
        _ bytes: borrowing RawSpan, as name: String,
        unpack: (Int, UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Message>?,
        release: @escaping (UnsafeMutablePointer<Message>) -> Void
    ) throws(Rejection) {
        let message = unsafe bytes.withUnsafeBytes { buffer in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return unsafe unpack(buffer.count, start)
        }
        guard let message = unsafe message else { throw Rejection(.undecodable, "not a \(name)") }
        unsafe self.pointer = message
        unsafe self.release = release
    }

    deinit { unsafe release(pointer) }

    /// Calls `body` with the message; its pointers must not leave the closure.
    func read<Result>(_ body: (borrowing Message) throws(Rejection) -> Result) throws(Rejection) -> Result {
        try unsafe body(pointer.pointee)
    }
}

/// The `size` bytes of a message that `pack` writes.
func packed(size: Int, _ pack: (UnsafeMutablePointer<UInt8>) -> Int) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        guard let start = buffer.baseAddress else { return }
        count = unsafe pack(start)
    }
}

/// Memory for the strings and parts that a message points to while it is packed; all of it is freed at once.
@safe
struct PackingArena: ~Copyable {
    private var parts: [UnsafeMutableRawPointer] = unsafe []

    /// A NUL-terminated copy. A NUL inside would end the text early, so it becomes a space.
    mutating func string(_ text: String) -> UnsafeMutablePointer<CChar> {
        let bytes = text.utf8.map { $0 == 0 ? 32 : CChar(bitPattern: $0) } + [0]
        return unsafe array(bytes)
    }

    /// A copy of `elements`, in memory for at least one element.
    mutating func array<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let copy = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
        unsafe elements.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe copy.initialize(from: start, count: source.count)
        }
        unsafe parts.append(UnsafeMutableRawPointer(copy))
        return unsafe copy
    }

    /// A copy of one value.
    mutating func one<Element>(_ value: Element) -> UnsafeMutablePointer<Element> {
        let copy = UnsafeMutablePointer<Element>.allocate(capacity: 1)
        unsafe copy.initialize(to: value)
        unsafe parts.append(UnsafeMutableRawPointer(copy))
        return unsafe copy
    }

    /// A list of pointers, the representation of a repeated message.
    mutating func pointers<Element>(
        _ elements: [UnsafeMutablePointer<Element>]
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Element>?> {
        let list = unsafe UnsafeMutablePointer<UnsafeMutablePointer<Element>?>.allocate(
            capacity: max(1, elements.count))
        for index in unsafe elements.indices {
            unsafe (list + index).initialize(to: elements[index])
        }
        unsafe parts.append(UnsafeMutableRawPointer(list))
        return unsafe list
    }

    deinit {
        for index in unsafe parts.indices { unsafe parts[index].deallocate() }
    }
}

/// A text of a message, truncated to `limit` bytes; bytes that are not UTF-8 become U+FFFD.
func text(_ pointer: UnsafeMutablePointer<CChar>?, limit: Int) -> String {
    guard let pointer = unsafe pointer else { return "" }
    let whole = unsafe String(cString: pointer)
    guard whole.utf8.count > limit else { return whole }
    // A character that the limit would split is removed: its rest would become U+FFFD and exceed the limit.
    var end = whole.utf8.index(whole.utf8.startIndex, offsetBy: limit)
    while whole.utf8[end] & 0xC0 == 0x80 { end = whole.utf8.index(before: end) }
    return String(whole[..<end])
}

/// A number within the range of SQL's bigint.
/// - Throws: `Rejection` with `invalidFrame` above 2^63 - 1.
func signed(_ number: UInt64, _ name: String) throws(Rejection) -> Int64 {
    guard let signed = Int64(exactly: number) else { throw Rejection(.invalidFrame, "\(name) above 2^63 - 1") }
    return signed
}

/// A time of a message; nil for 0, which means that the device has no clock.
func timestamp(_ unixNanoseconds: Int64) -> Timestamp? {
    unixNanoseconds == 0 ? nil : Timestamp(unixNanoseconds: unixNanoseconds)
}
