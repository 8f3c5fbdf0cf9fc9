import Model
import Simulation
import Testing
import Time

/// 2026-09-21T13:46:40Z, a moment like any other.
let origin = Timestamp(unixMilliseconds: 1_790_000_000_000)

/// A rate that must exist.
func rate(_ hertz: Double) throws -> SampleRate { try #require(SampleRate(hertz: hertz)) }

/// The moment that many seconds after `origin`.
func after(_ seconds: Double) -> Timestamp { origin.advanced(byNanoseconds: Int64((seconds * 1e9).rounded())) }

/// The vibration of all tests that do not ask for another one. A debug build takes 50 ms for the table of a rate.
let sharedLibrary = SignalLibrary(seed: 1)

/// A sensor of that kind, started at `origin`.
func sensor(
    _ kind: SensorKind, hertz: Double? = nil, seed: UInt64 = 7, encoding: SampleEncoding = .floats,
    library: SignalLibrary = sharedLibrary
) throws -> VirtualSensor {
    let serial = try #require(SerialNumber("test-\(kind.rawValue)"))
    var configuration = SensorConfiguration(serial: serial, source: .kind(kind), seed: seed)
    if let hertz { configuration.rate = try rate(hertz) }
    configuration.encoding = encoding
    return VirtualSensor(configuration: configuration, boot: 42, start: origin, library: library)
}

/// A command with that id.
func command(
    _ name: String, id: String = "c1", _ arguments: [String: Command.Value] = [:], expires: Timestamp? = nil
) -> Command {
    Command(id: id, name: name, arguments: arguments, issued: origin, expires: expires, issuer: "test")
}

extension [Reply] {
    /// The frames among them.
    var frames: [Frame] { compactMap { if case .frame(let frame) = $0 { frame } else { nil } } }
    /// The answers among them.
    var acks: [Ack] { compactMap { if case .ack(let ack) = $0 { ack } else { nil } } }
    /// The announcements among them.
    var announcements: [Announcement] { compactMap { if case .announcement(let it) = $0 { it } else { nil } } }
    /// The log lines among them.
    var lines: [LogLine] { compactMap { if case .log(let line) = $0 { line } else { nil } } }
}

extension [Frame] {
    /// When each sample of the first channel was taken.
    var times: [Timestamp] {
        flatMap { frame in
            (0..<frame.length).compactMap { index in
                guard let start = frame.start, let rate = frame.rate else { return nil }
                return start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(index)))
            }
        }
    }

    /// The samples of that channel.
    func samples(channel: Int) -> [Double] {
        flatMap { frame in
            let samples = frame.blocks[channel].samples
            return (0..<samples.count).map { samples[$0] }
        }
    }
}
