internal import Foundation
internal import Model
internal import Simulation

extension SimulationReport {
    /// Whether every frame is accounted for: confirmed, dropped because the outbox was full and counted, or dropped on
    /// purpose.
    var isComplete: Bool { openFrames == 0 && givenUpFrames == 0 }

    private struct Document: Encodable {
        struct Counts: Encodable {
            var droppedFrames: Int64
            var corruptedFrames: Int64
            var duplicatedFrames: Int64
            var reorderedFrames: Int64

            init?(_ faults: [InjectedFaults]) {
                guard !faults.isEmpty else { return nil }
                droppedFrames = faults.reduce(0) { $0 + $1.droppedFrames }
                corruptedFrames = faults.reduce(0) { $0 + $1.corruptedFrames }
                duplicatedFrames = faults.reduce(0) { $0 + $1.duplicatedFrames }
                reorderedFrames = faults.reduce(0) { $0 + $1.reorderedFrames }
            }
        }

        struct Faults: Encodable {
            var droppedSequences: [[Int64]]
            var corruptedSequences: [[Int64]]
            var duplicatedFrames: Int64
            var reorderedFrames: Int64
            var skewNs: Int64

            init(_ faults: InjectedFaults) {
                droppedSequences = faults.dropped.map { [$0.lowerBound, $0.upperBound] }
                corruptedSequences = faults.corrupted.map { [$0.lowerBound, $0.upperBound] }
                duplicatedFrames = faults.duplicatedFrames
                reorderedFrames = faults.reorderedFrames
                skewNs = faults.skewNanoseconds
            }
        }

        struct Sensor: Encodable {
            var serial: String
            var bootId: Int64
            var frames: Int64
            var samples: Int64
            var bytes: Int64
            var confirmedFrames: Int64
            var confirmedSamples: Int64
            var droppedFrames: Int64
            var givenUpFrames: Int64
            var captureFrames: Int64
            var lostCaptureFrames: Int64
            var injected: Faults?

            init(_ sensor: SimulationReport.Sensor) {
                serial = sensor.serial.text
                bootId = sensor.boot
                frames = sensor.frames
                samples = sensor.samples
                bytes = sensor.bytes
                confirmedFrames = sensor.confirmedFrames
                confirmedSamples = sensor.confirmedSamples
                droppedFrames = sensor.droppedFrames
                givenUpFrames = sensor.givenUpFrames
                captureFrames = sensor.captureFrames
                lostCaptureFrames = sensor.lostCaptureFrames
                injected = sensor.injected.map(Faults.init)
            }
        }

        var frames: Int64
        var samples: Int64
        var bytes: Int64
        var confirmedFrames: Int64
        var confirmedSamples: Int64
        var droppedFrames: Int64
        var givenUpFrames: Int64
        var captureFrames: Int64
        var lostCaptureFrames: Int64
        var injected: Counts?
        var sensors: [Sensor]
    }

    /// The report as one JSON object. `injected` is present only if faults were requested.
    func json() throws -> Data {
        let document = Document(
            frames: frames, samples: samples, bytes: bytes, confirmedFrames: confirmedFrames,
            confirmedSamples: confirmedSamples, droppedFrames: droppedFrames, givenUpFrames: givenUpFrames,
            captureFrames: captureFrames, lostCaptureFrames: lostCaptureFrames,
            injected: Document.Counts(sensors.compactMap(\.injected)), sensors: sensors.map(Document.Sensor.init))
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        return try encoder.encode(document) + Data("\n".utf8)
    }
}
