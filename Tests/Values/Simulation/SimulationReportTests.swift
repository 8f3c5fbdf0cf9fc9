import Model
import Simulation
import Testing

@Suite struct SimulationReportTests {
    @Test func everyFrameIsAccountedFor() throws {
        let names = try ["a", "b"].map { try #require(SerialNumber($0)) }
        var report = SimulationReport(sensors: names.map { SimulationReport.Sensor(serial: $0, boot: 9) })
        for _ in 0..<5 { report.sensors[0].made(samples: 30, bytes: 100) }
        report.sensors[1].made(samples: 1, bytes: 20)
        let frame = OutboxMessage(sensor: 0, lane: 0, suffix: "data", payload: [], cargo: .frame(samples: 30))
        let word = OutboxMessage(sensor: 0, lane: 0, suffix: "acks", payload: [], cargo: .word)
        report.sensors[0].confirmed(frame)
        report.sensors[0].confirmed(word)
        report.sensors[0].lost(.init(sensor: 0, cause: .overflow, frames: 2, samples: 60, words: 0))
        report.sensors[0].lost(.init(sensor: 0, cause: .givenUp, frames: 1, samples: 30, words: 3))
        #expect(report.frames == 6 && report.samples == 151 && report.bytes == 520)
        #expect(report.confirmedFrames == 1 && report.confirmedSamples == 30)
        #expect(report.droppedFrames == 2 && report.givenUpFrames == 1 && report.openFrames == 2)
    }
}
