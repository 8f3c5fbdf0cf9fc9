import Foundation
import Model
import Simulation
import Testing
import Wire

@testable import Simulator
@testable import Time

/// What `--fault corrupt` makes of a frame can't be read by any means that the ingester has.
@Suite struct CorruptionTests {
    private func frame(_ sequence: Int64, _ random: inout SplitMix64) -> Frame {
        let samples: Samples =
            switch random.next() % 3 {
            case 0: .value(random.gaussian())
            case 1: .floats((0..<Int(1 + random.next() % 300)).map { _ in Float(random.gaussian()) })
            default:
                .counts(
                    (0..<Int(1 + random.next() % 300)).map { _ in Int16(truncatingIfNeeded: random.next()) }, scale: 1,
                    offset: 0)
            }
        return Frame(
            position: FramePosition(boot: 1_790_000_000_000, sequence: sequence),
            start: Timestamp(unixMilliseconds: 1_790_000_000_000), rate: SampleRate(hertz: 1000),
            blocks: [Block(channel: .number(0), samples: samples)])
    }

    private static func isRejected(_ payload: [UInt8]) -> Bool {
        do {
            _ = unsafe try DataPayload.decode(payload.span.bytes)
            return false
        } catch { return true }
    }

    @Test func noCorruptedFrameCanBeRead() throws {
        var random = SplitMix64(seed: 3)
        var injector = FaultInjector(plan: try FaultPlan("corrupt:100%"), seed: 3)
        var lengths = Set<Int>()
        for sequence in 0..<Int64(4000) {
            let payload = FrameCodec.encode(frame(sequence, &random))
            let left = injector.pass(OutgoingFrame(sequence: sequence, samples: 1, payload: payload))
            guard left.count == 1, let damaged = left.first?.payload, !damaged.isEmpty,
                damaged.count <= payload.count, Self.isRejected(damaged),
                (try? JSONSerialization.jsonObject(with: Data(damaged), options: .fragmentsAllowed)) == nil
            else {
                // One report: thousands of expectations would take most of the test's time.
                Issue.record("frame \(sequence) can be read: \(left.map(\.payload))")
                return
            }
            lengths.insert(damaged.count)
        }
        #expect(lengths.count > 500, "some are cut off, at different lengths")
    }

    @Test(
        arguments: [
            (nil, nil), ("drop:1%", nil), ("drop:1", nil), ("", "--fault nothing: not KIND:VALUE"),
            ("drop:2", "--fault drop:2: not a share such as 0.1% or 0.001"),
        ] as [(String?, String?)])
    func aBadSpecificationIsNamed(text: String?, fault: String?) {
        do {
            #expect(try Simulate.faultPlan(text) == text.map { try FaultPlan($0) })
            #expect(fault == nil)
        } catch {
            #expect("\(error)" == fault)
        }
    }

    /// The keys and shapes that other programs read.
    @Test func theReportSaysWhatWasInjected() throws {
        let serial = try #require(SerialNumber("a"))
        var sensor = SimulationReport.Sensor(serial: serial, boot: 9)
        var injector = FaultInjector(plan: try FaultPlan("drop:100%,skew:-5s"), seed: 1)
        for sequence in 0..<Int64(3) {
            sensor.made(samples: 1, bytes: 10)
            #expect(injector.pass(OutgoingFrame(sequence: sequence, samples: 1, payload: [1])).isEmpty)
        }
        sensor.injected = injector.injected
        let report = SimulationReport(sensors: [sensor])
        #expect(report.isComplete, "what was dropped on purpose is accounted for")
        let object = try JSONSerialization.jsonObject(with: try report.json()) as? [String: Any]
        let total = try #require(object?["injected"] as? [String: Int])
        #expect(
            total == ["dropped_frames": 3, "corrupted_frames": 0, "duplicated_frames": 0, "reordered_frames": 0])
        let sensors = try #require(object?["sensors"] as? [[String: Any]])
        let injected = try #require(sensors.first?["injected"] as? [String: Any])
        #expect(injected["dropped_sequences"] as? [[Int]] == [[0, 2]])
        #expect(injected["corrupted_sequences"] as? [[Int]] == [])
        #expect(injected["skew_ns"] as? Int == -5_000_000_000)
        #expect(injected["duplicated_frames"] as? Int == 0 && injected["reordered_frames"] as? Int == 0)

        sensor.injected = nil
        let plain = SimulationReport(sensors: [sensor])
        #expect(!plain.isComplete)
        #expect(!String(decoding: try plain.json(), as: UTF8.self).contains("injected"))
    }
}
