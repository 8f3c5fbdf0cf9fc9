internal import ArgumentParser
internal import Foundation
internal import Sensors
internal import Simulation

/// Which sensors a simulator plays, from its options.
public struct SensorPlan: Sendable {
    /// How many, where the kinds don't say; they take turns. Nil: ten, unless recordings are played.
    public var count: Int?
    /// `KIND[:HERTZ][xCOUNT]`, such as `vibration:5000x8`; none: all kinds.
    public var kinds: [String]
    /// Recordings to replay, a sensor for each.
    public var recordings: [String]
    /// Rate for CSV recordings without a column of times, in Hz.
    public var recordingHertz: Double?
    /// What serials begin with.
    public var prefix: String
    /// Whether they are sensors of a gateway, which `prefix` then names: two hyphens follow it instead of one.
    public var isGateway: Bool
    /// Whether vibration is sent as 16-bit counts.
    public var sendsCounts: Bool
    /// Samples of one frame and channel at most; nil: as many as the wire allows.
    public var samplesPerFrameMax: Int?
    /// Milliseconds of one frame at most.
    public var frameMilliseconds: Int64
    /// Others give other signals.
    public var seed: UInt64

    /// That plan.
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

    /// The name of this machine, as far as it can stand in a serial.
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

    /// The sensors.
    /// - Throws: `ValidationError` that names the option at fault.
    func configurations() throws -> [SensorConfiguration] {
        var shares = try kinds.map(Self.share)
        if shares.isEmpty, recordings.isEmpty || count != nil { shares = SensorKind.allCases.map { Share(kind: $0) } }
        var kindsOfSensors: [(SensorKind, SampleRate?)] = []
        for share in shares where share.count != nil {
            kindsOfSensors += Array(repeating: (share.kind, share.rate), count: share.count ?? 0)
        }
        let open = shares.filter { $0.count == nil }
        if !open.isEmpty {
            kindsOfSensors += (0..<(count ?? Self.countDefault)).map {
                (open[$0 % open.count].kind, open[$0 % open.count].rate)
            }
        }
        let simulated = try kindsOfSensors.enumerated().map { index, kind in
            var configuration = try configuration("\(stem)\(Self.padded(index + 1))", .kind(kind.0), index)
            configuration.rate = kind.1
            return configuration
        }
        // Files of one name in two folders are two sensors: one serial twice would be one MQTT client twice.
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

    /// What all serials begin with.
    private var stem: String { prefix + (isGateway ? Gateway.separator : "-") }

    /// The gateway's own name.
    /// - Throws: `ValidationError` if it can't be one.
    func gatewayName() throws -> SerialNumber {
        guard let name = SerialNumber(prefix), !prefix.contains(Gateway.separator) else {
            throw ValidationError("--gateway \(prefix): not 1–64 of A–Z a–z 0–9 _ - without \(Gateway.separator)")
        }
        return name
    }

    private func configuration(_ name: String, _ source: SignalSource, _ index: Int) throws -> SensorConfiguration {
        guard let serial = SerialNumber(name) else {
            throw ValidationError(
                "\(isGateway ? "--gateway" : "--serial-prefix") \(prefix): \(name) is no serial number (1–64 of A–Z a–z 0–9 _ -)"
            )
        }
        var configuration = SensorConfiguration(serial: serial, source: source, seed: seed &+ UInt64(index))
        configuration.encoding = sendsCounts ? .counts : .floats
        configuration.frameShape = FrameShape(
            nanosecondsMax: frameMilliseconds * 1_000_000, samplesMax: samplesPerFrameMax ?? FrameLimits.samplesMax)
        // Along a line through a plant near Hamburg, ten metres apart.
        configuration.place = Place(latitude: 53.5 + Double(index) * 0.00009, longitude: 10.0, altitude: 6)
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
