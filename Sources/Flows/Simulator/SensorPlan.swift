internal import ArgumentParser
internal import Foundation
internal import Model
internal import SampleFiles
internal import Simulation

/// The sensors that a simulator plays, from its options.
public struct SensorPlan: Sendable {
    /// The number of simulated sensors, recordings aside. The kinds without a count take turns in what the counts leave.
    /// Nil: the sum of the counts and one for each kind without; without kinds ten, or none if recordings are played.
    public var count: Int?
    /// Kinds as `KIND[:HERTZ][xCOUNT]`, such as `vibration:5000x8`; empty: all kinds.
    public var kinds: [String]
    /// Paths of recordings to replay, one sensor for each.
    public var recordings: [String]
    /// The sample rate of CSV recordings without a column of times, in Hz.
    public var recordingHertz: Double?
    /// The prefix of the serial numbers.
    public var prefix: String
    /// Whether `prefix` names a gateway and the sensors belong to it: two hyphens follow the prefix instead of one.
    public var isGateway: Bool
    /// Whether vibration is sent as 16-bit counts.
    public var sendsCounts: Bool
    /// The maximum number of samples per frame and channel; nil: as many as the wire format allows.
    public var samplesPerFrameMax: Int?
    /// The maximum duration of one frame, in milliseconds.
    public var frameMilliseconds: Int64
    /// The seed of the signals: other seeds give other signals.
    public var seed: UInt64

    /// A plan with these values.
    public init(
        count: Int?, kinds: [String], recordings: [String], recordingHertz: Double?, prefix: String, sendsCounts: Bool,
        samplesPerFrameMax: Int?, frameMilliseconds: Int64, seed: UInt64, isGateway: Bool = false
    ) {
        self.count = count
        self.kinds = kinds
        self.recordings = recordings
        self.recordingHertz = recordingHertz
        self.prefix = prefix
        self.isGateway = isGateway
        self.sendsCounts = sendsCounts
        self.samplesPerFrameMax = samplesPerFrameMax
        self.frameMilliseconds = frameMilliseconds
        self.seed = seed
    }

    /// The name of this machine, reduced to the characters of a serial number.
    public static var hostPrefix: String { sanitized(ProcessInfo.processInfo.hostName) }

    private static func sanitized(_ text: String) -> String {
        let kept = text.unicodeScalars.prefix(40).map { scalar in
            SerialNumber(String(scalar)) == nil ? "-" : String(scalar)
        }
        return kept.isEmpty ? "sensor" : kept.joined()
    }

    private static let countDefault = 10

    private struct Share {
        var kind: SensorKind
        var rate: SampleRate?
        var count: Int?
    }

    /// The configurations of the sensors.
    /// - Throws: `ValidationError` that names the invalid option.
    func configurations() throws -> [SensorConfiguration] {
        let kindsOfSensors = try kindsOfSensors()
        let simulated = try kindsOfSensors.enumerated().map { index, kind in
            var configuration = try configuration("\(stem)\(Self.padded(index + 1))", .kind(kind.0), index)
            configuration.rate = kind.1
            return configuration
        }
        // Files with the same name in two folders are two sensors: with one serial number they would be one MQTT
        // client.
        var taken = Set(simulated.map(\.serial.text))
        return try simulated
            + recordings.enumerated().map { index, path in
                let file = Self.sanitized(URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent)
                var name = stem + file
                var number = 2
                while !taken.insert(name).inserted {
                    name = "\(stem)\(file)-\(number)"
                    number += 1
                }
                return try configuration(name, .recording(try recording(path)), simulated.count + index)
            }
    }

    /// The kind and rate of each simulated sensor.
    /// - Throws: `ValidationError` if `count` contradicts the counts of the kinds.
    private func kindsOfSensors() throws -> [(SensorKind, SampleRate?)] {
        var shares = try kinds.map(Self.share)
        var count = count
        if shares.isEmpty, recordings.isEmpty || count != nil {
            shares = SensorKind.allCases.map { Share(kind: $0) }
            count = count ?? Self.countDefault
        }
        let open = shares.filter { $0.count == nil }
        let counted = shares.reduce(0) { $0 + ($1.count ?? 0) }
        let total = count ?? counted + open.count
        // Without --kind, fewer sensors than kinds are fine: the first kinds get one each.
        let least = counted + (kinds.isEmpty ? 0 : open.count)
        if open.isEmpty, total != counted {
            throw ValidationError("--sensors \(total) contradicts --kind, whose counts add up to \(counted)")
        }
        if total < least {
            throw ValidationError("--sensors \(total) contradicts --kind, which asks for at least \(least)")
        }
        let fixed = shares.flatMap { Array(repeating: ($0.kind, $0.rate), count: $0.count ?? 0) }
        return fixed + (0..<total - counted).map { (open[$0 % open.count].kind, open[$0 % open.count].rate) }
    }

    /// The text that all serial numbers begin with.
    private var stem: String { prefix + (isGateway ? Gateway.separator : "-") }

    /// The gateway's name as a serial number.
    /// - Throws: `ValidationError` if it is not a valid serial number.
    func gatewayName() throws -> SerialNumber {
        guard let name = SerialNumber(prefix), !prefix.contains(Gateway.separator) else {
            throw ValidationError("--gateway \(prefix): not 1–64 of A–Z a–z 0–9 _ - without \(Gateway.separator)")
        }
        return name
    }

    private func configuration(_ name: String, _ source: SignalSource, _ index: Int) throws -> SensorConfiguration {
        guard let serial = SerialNumber(name) else {
            throw ValidationError(
                "\(isGateway ? "--gateway" : "--serial-prefix") \(prefix): \(name) is not a serial number (1–64 of A–Z a–z 0–9 _ -)"
            )
        }
        var configuration = SensorConfiguration(serial: serial, source: source, seed: seed &+ UInt64(index))
        configuration.encoding = sendsCounts ? .counts : .floats
        configuration.frameShape = FrameShape(
            nanosecondsMax: frameMilliseconds * 1_000_000, samplesMax: samplesPerFrameMax ?? FrameLimits.samplesMax)
        // The sensors stand along a line through a plant near Hamburg, ten metres apart.
        configuration.place = GeoPosition(latitude: 53.5 + Double(index) * 0.00009, longitude: 10.0, altitude: 6)
        return configuration
    }

    private func recording(_ path: String) throws -> Recording {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("--replay \(path): can't be read")
        }
        do throws(RecordingError) {
            return try Recording(bytes: [UInt8](data), rate: recordingHertz.flatMap { SampleRate(hertz: $0) })
        } catch {
            throw ValidationError("--replay \(path): \(error)")
        }
    }

    private static func share(_ text: String) throws -> Share {
        let wrong = ValidationError(
            "--kind \(text): not KIND[:HERTZ][xCOUNT] with KIND one of "
                + SensorKind.allCases.map(\.rawValue).joined(separator: ", "))
        let names = SensorKind.allCases.filter { text.hasPrefix($0.rawValue) }
        guard let kind = names.max(by: { $0.rawValue.count < $1.rawValue.count }) else { throw wrong }
        var rest = text.dropFirst(kind.rawValue.count)
        var share = Share(kind: kind)
        if let cross = rest.lastIndex(of: "x") {
            guard let count = Int(rest[rest.index(after: cross)...]), (1...100_000).contains(count) else { throw wrong }
            share.count = count
            rest = rest[..<cross]
        }
        if rest.isEmpty { return share }
        guard rest.first == ":", let rate = Double(rest.dropFirst()).flatMap({ SampleRate(hertz: $0) }) else {
            throw wrong
        }
        share.rate = rate
        return share
    }

    private static func padded(_ number: Int) -> String {
        String(repeating: "0", count: max(0, 4 - String(number).count)) + String(number)
    }
}
