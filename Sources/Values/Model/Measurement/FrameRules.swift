/// Why a payload was not stored as it should have been. The raw value is what the `quarantine` table holds.
public enum RejectionReason: String, Sendable, CaseIterable {
    /// Neither a Frame nor a JSON object.
    case undecodable
    /// A Frame of a schema that this release does not know; replayable after an upgrade.
    case newerSchema = "newer_schema"
    /// A Frame whose numbers contradict the contract: too many samples, a bad rate …
    case invalidFrame = "invalid_frame"
    /// JSON without a numeric or boolean field.
    case noNumericFields = "no_numeric_fields"
    /// The routing key names no sensor.
    case badSerial = "bad_serial"
    /// More than the 1 MiB that a message may have.
    case tooLarge = "too_large"
    /// The broker found no queue for it.
    case unroutable
    /// A queue gave up on it.
    case deadLetter = "dead_letter"
    /// The database refused its row.
    case refusedByDatabase = "refused_by_database"
    /// The broker took it and can't deliver it: nothing of it is known.
    case undeliverable
}

/// A payload that can't be stored, with the reason and a sentence for people.
public struct Rejection: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of fault.
    public let reason: RejectionReason
    /// What exactly is wrong.
    public let detail: String

    /// This fault.
    public init(_ reason: RejectionReason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }

    /// "invalid_frame: …".
    public var description: String { "\(reason.rawValue): \(detail)" }
}

/// The limits that a frame must keep.
public enum FrameLimits {
    /// Samples in one block.
    public static let samplesMax = 65_536
    /// Blocks in one frame.
    public static let blocksMax = 64
    /// Event captures that a frame may belong to.
    public static let capturesMax = 16
    /// Bytes of an alarm's id.
    public static let alarmBytesMax = 256
    /// Bytes of one message: 1 MiB.
    public static let messageBytesMax = 1 << 20
    /// Nanoseconds from the first sample to the last: one day, so that no frame is spread over many chunks.
    public static let spanNanosecondsMax: Int64 = 86_400_000_000_000
    /// Rows that one frame may become, as each block is cut at the minutes: a small frame must not make a large batch.
    public static let rowsMax = 4096
    /// Frames of one boot: 2^53, more than anybody makes, which sums of counts and JSON can still say.
    public static let framesMax: Int64 = 1 << 53
}

extension Frame {
    /// Checks what the wire format alone can't.
    /// - Throws: `Rejection` with `invalidFrame` and a sentence that names the fault.
    public func validate() throws(Rejection) {
        guard !blocks.isEmpty else { throw Rejection(.invalidFrame, "no blocks") }
        guard blocks.count <= FrameLimits.blocksMax else {
            throw Rejection(.invalidFrame, "\(blocks.count) blocks, at most \(FrameLimits.blocksMax)")
        }
        for (index, block) in blocks.enumerated() {
            guard (1...FrameLimits.samplesMax).contains(block.samples.count) else {
                throw Rejection(.invalidFrame, "\(block.samples.count) samples in a block, 1…\(FrameLimits.samplesMax)")
            }
            guard !blocks[..<index].contains(where: { $0.channel == block.channel }) else {
                throw Rejection(.invalidFrame, "channel \(block.channel) twice")
            }
            if case .counts(_, let scale, let offset) = block.samples {
                guard (offset + scale * 32_768).isFinite, (offset - scale * 32_768).isFinite else {
                    throw Rejection(.invalidFrame, "scale or offset not finite")
                }
            }
        }
        let length = length
        if length > 1 { try validateSpan(of: length) }
        if let position, position.boot < 0 { throw Rejection(.invalidFrame, "boot above 2^63 - 1") }
        if let position, !(0..<FrameLimits.framesMax).contains(position.sequence) {
            throw Rejection(.invalidFrame, "sequence not below 2^53")
        }
        if let place, !place.isValid { throw Rejection(.invalidFrame, "a place that is not on Earth") }
        if isCapture { try validateCaptures() }
    }

    /// Checks the span of a frame whose longest block has that many samples. The span is computed once, because this is
    /// called for every frame of a stream.
    private func validateSpan(of length: Int) throws(Rejection) {
        guard let rate else { throw Rejection(.invalidFrame, "several samples without a valid rate") }
        let span = rate.nanoseconds(toSample: Int64(length - 1))
        guard span <= FrameLimits.spanNanosecondsMax else {
            throw Rejection(.invalidFrame, "spans more than a day")
        }
        let minutes = Self.minutesMax(span: span)
        guard blocks.count * minutes <= FrameLimits.rowsMax else {
            throw Rejection(.invalidFrame, "\(blocks.count) blocks over \(minutes) minutes: too many rows")
        }
    }

    private func validateCaptures() throws(Rejection) {
        guard captures.count <= FrameLimits.capturesMax else {
            throw Rejection(.invalidFrame, "\(captures.count) captures, at most \(FrameLimits.capturesMax)")
        }
        // Without a number a repeat would be stored again, and without a time no query could find it.
        guard position != nil, start != nil else { throw Rejection(.invalidFrame, "a capture without boot or time") }
        for capture in captures {
            guard (1...FrameLimits.alarmBytesMax).contains(capture.alarm.utf8.count), capture.from < capture.to,
                (1...FrameLimits.framesMax).contains(capture.samples)
            else { throw Rejection(.invalidFrame, "a capture without alarm, span or samples") }
        }
    }

    /// The most rows that a valid frame can become: one for each block and UTC minute that it touches.
    public var rowsMax: Int { blocks.count * Self.minutesMax(span: spanNanoseconds) }

    /// The most UTC minutes that a span of that many nanoseconds touches.
    private static func minutesMax(span: Int64) -> Int { span == 0 ? 1 : Int(span / 60_000_000_000) + 2 }
}
