import Broker
import Foundation
import Messaging
import Model
import Testing
import Time
import Wire
import Yams

/// `docs/asyncapi.yaml` says what the code does: keys, topology, messages, limits.
@Suite struct AsyncAPITests {
    private let document: Node
    private let protos: ProtoFiles
    private static let serial = "lab-1"

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/asyncapi.yaml"), encoding: .utf8)
        document = Node(try Yams.load(yaml: text))
        protos = try ProtoFiles(folder: root.appending(path: "proto"))
    }

    // MARK: the document

    @Test func isAsyncAPI3() {
        #expect(document["asyncapi"].text == "3.0.0")
        #expect(document["info"]["version"].text != nil)
        #expect(Set(document["servers"].fields.map { $0.value["protocol"].text }) == ["mqtt", "amqp"])
    }

    @Test func everyReferenceLeadsSomewhere() {
        let references = document.all("$ref").compactMap(\.text)
        #expect(!references.isEmpty)
        for reference in references { #expect(document.follow(reference) != nil, "\(reference)") }
    }

    @Test func everyOperationHasAChannelAndEveryChannelAnOperation() {
        let used = document["operations"].fields.compactMap { $0.value["channel"]["$ref"].text }
        #expect(Set(used) == Set(document["channels"].fields.map { "#/channels/\($0.key)" }))
        #expect(used.count == Set(used).count)
        for operation in document["operations"].fields {
            let mqtt = operation.value["bindings"]["mqtt"]
            #expect(mqtt["qos"].integer == 1, "\(operation.key)")
            if operation.value["action"].text == "send" { #expect(mqtt["retain"].flag == false, "\(operation.key)") }
        }
    }

    // MARK: keys and topology

    /// The address of a channel with values for its parameters: one for each command that is named.
    private func addresses(of channel: Node, _ field: String = "address") throws -> [String] {
        let address = try #require(channel[field].text).replacing("{serial}", with: Self.serial)
        guard address.contains("{name}") else { return [address] }
        let names = channel["parameters"]["name"]["examples"].items.compactMap(\.text)
        #expect(!names.isEmpty)
        return names.map { address.replacing("{name}", with: $0) }
    }

    @Test func channelsAreTheKeysThatRoutingMakes() throws {
        let serial = try #require(SerialNumber(Self.serial))
        var listed: Set<String> = []
        for channel in document["channels"].fields {
            let keys = try addresses(of: channel.value)
            let topics = try addresses(of: channel.value, "x-mqtt-topic")
            for (key, topic) in zip(keys, topics) {
                let subject = try Routing.parse(key: key).subject
                #expect(Routing.key(serial, subject) == key)
                #expect(Routing.topic(serial, subject) == topic)
                listed.insert(key)
            }
        }
        let commands = [
            Command.Name.sleep, Command.Name.awake, Command.Name.changeSampleFrequency, Command.Name.set,
            Command.Name.time,
        ]
        let subjects: [Routing.Subject] =
            [.data, .registry, .acks, .logs, .alarm(.trigger), .alarm(.clear)] + commands.map { .command($0) }
        #expect(listed == Set(subjects.map { Routing.key(serial, $0) }))
    }

    @Test func theDeclaredTopologyTakesEveryKeyToTheQueuesThatAreListed() throws {
        let partitions = 3
        let topology = Topology.sensorStreaming(partitions: partitions)
        for channel in document["channels"].fields {
            let listed = channel.value["x-queues"].items.compactMap(\.text)
            let queues = listed.flatMap { name in
                name.contains("{partition}")
                    ? (0..<partitions).map { name.replacing("{partition}", with: "\($0)") } : [name]
            }
            #expect(!queues.isEmpty)
            #expect(Set(queues).isSubset(of: topology.queues.map(\.name)), "\(channel.key)")
            for key in try addresses(of: channel.value) {
                let exchange = try #require(channel.value["bindings"]["amqp"]["exchange"]["name"].text)
                #expect(topology.queues(for: key, from: exchange) == Set(queues), "\(key)")
            }
        }
    }

    @Test func exchangesAreThoseOfTheTopology() throws {
        let topology = Topology.sensorStreaming(partitions: 1)
        for channel in document["channels"].fields {
            let amqp = channel.value["bindings"]["amqp"]
            #expect(amqp["is"].text == "routingKey")
            #expect(amqp["exchange"]["name"].text == Routing.exchange)
            let declared = topology.exchanges.first { $0.name == amqp["exchange"]["name"].text }
            #expect(declared?.type == amqp["exchange"]["type"].text)
            #expect(amqp["exchange"]["durable"].flag == true)
        }
    }

    @Test func queuesAreThoseOfRouting() {
        let listed = Set(document["channels"].fields.flatMap { $0.value["x-queues"].items.compactMap(\.text) })
        let stream = Routing.stream(0).replacing("0", with: "{partition}")
        #expect(listed == [stream, Routing.registryQueue, Routing.logsQueue, Routing.alarmsQueue, Routing.alarmStream])
    }

    @Test func prosePointsAtNamesThatExist() throws {
        let serial = try #require(SerialNumber("x"))
        let texts = document.all("description").compactMap(\.text).joined(separator: "\n")
        let names = [
            Routing.partitionsExchange, Routing.unroutedQueue,
            Routing.commandQueue(serial).replacing("x", with: "<serial>", maxReplacements: 1),
            Routing.topicFilters(serial)[0].replacing("x", with: "<serial>", maxReplacements: 1),
        ]
        for name in names { #expect(texts.contains(name), "\(name)") }
    }

    // MARK: messages

    private var schemas: [(key: String, value: Node)] { document["components"]["schemas"].fields }

    /// The schemas that describe a message or an enum of proto/, by "file/name".
    private var described: [String: Node] {
        let pairs = schemas.compactMap { schema in schema.value["x-proto"].text.map { ($0, schema.value) } }
        return Dictionary(pairs) { first, _ in first }
    }

    @Test func schemasAndProtoFilesNameTheSame() {
        #expect(Set(described.keys) == Set(protos.messages.keys).union(protos.enums.keys))
        for schema in schemas {
            guard let proto = schema.value["x-proto"].text else { continue }
            #expect(proto.hasSuffix("/\(schema.key)"))
        }
    }

    @Test func fieldsHaveTheirNumbersAndTypes() throws {
        for (name, fields) in protos.messages {
            let listed = try described[name]?["properties"].fields.map { field in
                let pair = field.value["x-field"].items
                try #require(pair.count == 2, "\(name).\(field.key) has no x-field")
                return ProtoFiles.Field(
                    name: field.key, number: try #require(pair[0].integer), type: try #require(pair[1].text),
                    oneof: field.value["x-oneof"].text)
            }
            #expect(Set(listed ?? []) == Set(fields), "\(name)")
        }
    }

    @Test func enumsHaveTheirNumbers() {
        for (name, values) in protos.enums {
            let names = described[name]?["enum"].items.compactMap(\.text) ?? []
            let numbers = described[name]?["x-numbers"].items.compactMap(\.integer) ?? []
            #expect(names.count == numbers.count)
            #expect(Dictionary(zip(names, numbers)) { a, _ in a } == values, "\(name)")
        }
    }

    @Test func messagesNameTheirSchemasAndContentTypes() throws {
        for message in document["components"]["messages"].fields {
            #expect(message.value["payload"]["$ref"].text == "#/components/schemas/\(message.key)")
            let name = try #require(message.value["name"].text)
            if name == "DeviceJSON" {
                #expect(message.value["contentType"].text == "application/json")
            } else {
                #expect(name == "\(protos.package).\(message.key)")
                #expect(message.value["contentType"].text == "application/x-protobuf")
            }
        }
    }

    @Test func theJSONExampleIsRead() throws {
        let example = document["components"]["messages"]["DeviceJSON"]["examples"].items.first?["payload"]
        let object = try #require(example?.value as? [String: Any])
        let json = [UInt8](try JSONSerialization.data(withJSONObject: object))
        let frame = unsafe try DataPayload.decode(json.span.bytes)
        #expect(frame.blocks.map(\.channel) == [.name("door_open"), .name("temperature")])
        // As a double a time of these years is good to a quarter of a microsecond.
        let start = try #require(frame.start)
        #expect(abs(start.nanoseconds(since: Timestamp(unixNanoseconds: 1_767_323_045_250_000_000))) < 1000)
    }

    // MARK: limits

    @Test func limitsAreThoseOfTheSources() {
        let schemas = document["components"]["schemas"]
        #expect(schemas["Frame"]["x-bytes-max"].integer == FrameLimits.messageBytesMax)
        #expect(
            schemas["Frame"]["properties"]["schema"]["enum"].items.map(\.integer) == [
                Int(Frame.schema), Int(Frame.captureSchema),
            ])
        #expect(schemas["Frame"]["properties"]["captures"]["maxItems"].integer == FrameLimits.capturesMax)
        #expect(schemas["Capture"]["properties"]["alarm_id"]["maxLength"].integer == FrameLimits.alarmBytesMax)
        #expect(schemas["Frame"]["properties"]["blocks"]["maxItems"].integer == FrameLimits.blocksMax)
        #expect(schemas["Floats"]["properties"]["samples"]["maxItems"].integer == FrameLimits.samplesMax)
        #expect(schemas["Counts"]["properties"]["counts"]["maxLength"].integer == 2 * FrameLimits.samplesMax)
        #expect(schemas["Block"]["properties"]["channel"]["maximum"].integer == Int(Int16.max))
        #expect(schemas["Announcement"]["properties"]["channels"]["maxItems"].integer == AnnouncementCodec.channelsMax)
        #expect(schemas["Command"]["properties"]["arguments"]["maxItems"].integer == CommandCodec.argumentsMax)
        #expect(schemas["LogLine"]["properties"]["text"]["maxLength"].integer == LogLineCodec.textBytesMax)
        #expect(OutgoingMessage.bodyBytesMax == FrameLimits.messageBytesMax)
    }
}

// MARK: - helpers

/// A value of the document, whatever it is.
private struct Node {
    let value: Any?

    init(_ value: Any?) { self.value = value }

    subscript(key: String) -> Node { Node((value as? [String: Any])?[key]) }
    var fields: [(key: String, value: Node)] {
        ((value as? [String: Any]) ?? [:]).map { ($0.key, Node($0.value)) }.sorted { $0.key < $1.key }
    }
    var items: [Node] { ((value as? [Any]) ?? []).map(Node.init) }
    var text: String? { value as? String }
    var integer: Int? { value as? Int }
    var flag: Bool? { value as? Bool }

    /// Every value of that key, however deep.
    func all(_ key: String) -> [Node] {
        fields.flatMap { field in (field.key == key ? [field.value] : []) + field.value.all(key) }
            + items.flatMap { $0.all(key) }
    }

    /// What `#/a/b` refers to.
    func follow(_ reference: String) -> Any? {
        guard reference.hasPrefix("#/") else { return nil }
        return reference.dropFirst(2).split(separator: "/").reduce(self) { $0[String($1)] }.value
    }
}

/// The messages and enums of proto/, read as simply as their style allows: one field a line, nothing nested but oneofs.
private struct ProtoFiles {
    struct Field: Hashable {
        var name: String
        var number: Int
        var type: String
        var oneof: String?
    }

    var package = ""
    var messages: [String: [Field]] = [:]
    var enums: [String: [String: Int]] = [:]

    init(folder: URL) throws {
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        // Machine control is no matter of the broker.
        for file in files where file.pathExtension == "proto" && file.lastPathComponent != "control.proto" {
            try read(String(contentsOf: file, encoding: .utf8), file.lastPathComponent)
        }
        try #require(!messages.isEmpty)
    }

    private mutating func read(_ text: String, _ file: String) throws {
        var message: String?
        var enumeration: String?
        var oneof: String?
        for line in text.split(separator: "\n") {
            let code = line.split(separator: "//", omittingEmptySubsequences: false)[0]
            let words = code.split { " \t;={".contains($0) }.map(String.init)
            guard let first = words.first else { continue }
            switch first {
            case "syntax": continue
            case "package": package = words[1]
            case "message":
                message = "\(file)/\(words[1])"
                messages["\(file)/\(words[1])"] = []
            case "enum":
                enumeration = "\(file)/\(words[1])"
                enums["\(file)/\(words[1])"] = [:]
            case "oneof": oneof = words[1]
            case "}":
                if oneof != nil { oneof = nil } else { (message, enumeration) = (nil, nil) }
            default:
                if let message {
                    let isRepeated = first == "repeated"
                    let rest = Array(words.dropFirst(isRepeated ? 1 : 0))
                    try #require(rest.count >= 3, "\(file): \(line)")
                    let type = (isRepeated ? "repeated " : "") + rest[0]
                    let number = try #require(Int(rest[2]), "\(file): \(line)")
                    messages[message]?.append(Field(name: rest[1], number: number, type: type, oneof: oneof))
                } else if let enumeration {
                    try #require(words.count == 2, "\(file): \(line)")
                    let number: Int = try #require(Int(words[1]), "\(file): \(line)")
                    enums[enumeration]?[first] = number
                }
            }
        }
    }
}

extension Topology {
    /// The queues that a message of that key reaches from an exchange. A hash exchange may choose any that is bound.
    fileprivate func queues(for key: String, from exchange: String) -> Set<String> {
        let type = exchanges.first { $0.name == exchange }?.type
        var reached: Set<String> = []
        for binding in bindings where binding.source == exchange {
            guard type != "topic" || Self.fits(key.split(separator: ".")[...], binding.key.split(separator: ".")[...])
            else { continue }
            switch binding.destination {
            case .queue(let queue): reached.insert(queue)
            case .exchange(let next): reached.formUnion(queues(for: key, from: next))
            }
        }
        return reached
    }

    /// Whether a key fits a topic pattern: `*` is one word, `#` any number.
    private static func fits(_ words: ArraySlice<Substring>, _ pattern: ArraySlice<Substring>) -> Bool {
        guard let first = pattern.first else { return words.isEmpty }
        if first == "#" {
            return fits(words, pattern.dropFirst()) || (!words.isEmpty && fits(words.dropFirst(), pattern))
        }
        guard let word = words.first, first == "*" || first == word else { return false }
        return fits(words.dropFirst(), pattern.dropFirst())
    }
}
