internal import FoundationEssentials
internal import Model
public import Store
public import Wire

/// A payload in quarantine with its bytes (docs/iotctl-json.md, "quarantined payload in detail").
public struct QuarantinedPayloadDetailView: Sendable, Equatable {
    /// The header of a frame.
    public struct Header: Codable, Sendable, Equatable {
        /// The version of the wire format.
        public var schema: UInt32
        /// The sensor's boot.
        public var bootID: Int64
        /// The frame's sequence number within the boot.
        public var sequence: Int64

        private enum CodingKeys: String, CodingKey {
            case schema
            case bootID = "boot_id"
            case sequence
        }
    }

    /// The payload's record; its fields come first in the same object.
    public var payload: QuarantinedPayloadView
    /// The payload's header; nil if it can't be read.
    public var header: Header?
    /// The kept bytes of the payload, in base 64.
    public var payloadBase64: String

    private enum CodingKeys: String, CodingKey {
        case header
        case payloadBase64 = "payload_base64"
    }
}

extension QuarantinedPayloadDetailView: Codable {
    /// Decodes the fields of the QuarantinedPayloadView and its own from one object.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        payload = try QuarantinedPayloadView(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        header = try container.decodeIfPresent(Header.self, forKey: .header)
        payloadBase64 = try container.decode(String.self, forKey: .payloadBase64)
    }

    /// Encodes the fields of the QuarantinedPayloadView, then its own, into one object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        try payload.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(header, forKey: .header)
        try container.encode(payloadBase64, forKey: .payloadBase64)
    }
}

extension QuarantinedPayloadDetailView {
    /// The view of a stored payload.
    /// - Parameters:
    ///   - bytes: the kept bytes of the payload.
    ///   - header: the header at the beginning of these bytes; nil if it can't be read.
    public init(_ record: QuarantineRecord, bytes: [UInt8], header: FrameHeader?) {
        self.init(
            payload: QuarantinedPayloadView(record),
            header: header.map {
                Header(schema: $0.schema, bootID: $0.position.boot, sequence: $0.position.sequence)
            }, payloadBase64: Data(bytes).base64EncodedString())
    }
}
