internal import Foundation
public import Sensors
public import Simulation
public import Store

/// Writes the samples of a channel into a file, page by page: memory holds one page, however many there are.
public struct ExportSamples: Sendable {
    /// How the file is written.
    public enum Format: String, Sendable, CaseIterable {
        /// Text.
        case csv
        /// Sound.
        case wav
    }

    /// The file can't be written, or can't hold the samples.
    public struct Trouble: Error, Sendable, CustomStringConvertible {
        /// Why.
        public let description: String
    }

    /// A page that has so many samples takes no more rows.
    private static let pageSamples = 250_000
    private static let pageRowsMax = 4096
    /// The longest span of a row, and so how long before `from` the first row may begin.
    private static let rowSeconds: Int64 = 60

    private let store: StoreConnection
    private let header: SampleFileHeader
    private let sensor: Int32
    private let channel: Int16
    private let range: Range<Timestamp>

    /// - Parameters:
    ///   - header: whose samples they are, for the file.
    ///   - range: when they were taken.
    public init(
        _ store: StoreConnection, _ header: SampleFileHeader, sensor: Int32, channel: Int16, _ range: Range<Timestamp>
    ) {
        self.store = store
        self.header = header
        self.sensor = sensor
        self.channel = channel
        self.range = range
    }

    /// Writes a file, under another name until it is whole.
    /// - Parameters:
    ///   - path: replaced if it is there; nil: standard output, for CSV only.
    ///   - progress: called after each page.
    /// - Returns: what was written; with 0 samples there is no file.
    /// - Throws: `Trouble`, `StoreError` or `CancellationError`; the file is then as it was before.
    public func run(
        _ format: Format, to path: String?, progress: (SampleSurvey) -> Void
    ) async throws -> SampleSurvey {
        let output = try OutputFile(path)
        do {
            let survey =
                switch format {
                case .csv: try await writeText(output, progress)
                case .wav: try await writeWave(output, isWide: false, progress)
                }
            try output.end(keep: survey.samples > 0)
            return survey
        } catch {
            try? output.end(keep: false)
            throw error
        }
    }

    private func writeText(_ output: OutputFile, _ progress: (SampleSurvey) -> Void) async throws -> SampleSurvey {
        var writer = TextSampleWriter(header)
        var survey = SampleSurvey()
        var bytes = writer.head
        try await read { runs in
            for run in runs {
                writer.append(run, to: &bytes)
                survey.add(run)
            }
            if survey.samples > 0 {
                try output.write(bytes)
                bytes = []
            }
            progress(survey)
        }
        if survey.samples > 0 { try output.write(writer.tail) }
        return survey
    }

    private func writeWave(
        _ output: OutputFile, isWide: Bool, _ progress: (SampleSurvey) -> Void
    ) async throws -> SampleSurvey {
        var writer: WaveSampleWriter?
        var survey = SampleSurvey()
        // The table follows the samples, and may outgrow memory as they do.
        let table = try OutputFile(output.path.map { "\($0).times" })
        defer { try? table.end(keep: false) }
        do {
            try await read { runs in
                if runs.isEmpty { return }
                if writer == nil {
                    let first = WaveSampleWriter(header, first: runs, isWide: isWide)
                    try output.rewrite(first.head)
                    writer = first
                }
                var (samples, times): ([UInt8], [UInt8]) = ([], [])
                for run in runs {
                    try writer?.append(run, samples: &samples, table: &times)
                    survey.add(run)
                }
                try output.write(samples)
                try table.write(times)
                progress(survey)
            }
        } catch let error as RecordingError {
            guard writer?.needsWide == true else { throw Trouble(description: "\(error)") }
            return try await writeWave(output, isWide: true, progress)
        }
        if let writer {
            try output.write(writer.tail)
            try table.copy(to: output)
            try output.cut()
            try output.rewrite(writer.head)
        }
        return survey
    }

    private func read(_ body: ([SampleRun]) throws -> Void) async throws {
        var place = SamplePlace(range.lowerBound.advanced(bySeconds: -Self.rowSeconds))
        var rowsMax = 16
        while true {
            try Task.checkCancellation()
            let page = try await store.sampleRuns(
                sensor: sensor, channel: channel, from: place, to: range.upperBound, rowsMax: rowsMax,
                samplesMax: Self.pageSamples)
            try body(page.runs.flatMap { $0.within(range) })
            if page.isLast { return }
            place = page.next
            let samples = page.runs.reduce(0) { $0 + $1.samples.count }
            rowsMax = min(Self.pageRowsMax, max(1, Self.pageSamples * page.runs.count / max(1, samples)))
        }
    }
}

/// A file that is written from its beginning and has its name when it is whole; or standard output.
private final class OutputFile {
    let path: String?
    private let handle: FileHandle
    private var partial: String? { path.map { "\($0).part" } }

    init(_ path: String?) throws {
        self.path = path
        guard let path else {
            handle = .standardOutput
            return
        }
        guard FileManager.default.createFile(atPath: "\(path).part", contents: nil),
            let handle = FileHandle(forUpdatingAtPath: "\(path).part")
        else { throw ExportSamples.Trouble(description: "\(path) can't be written") }
        self.handle = handle
    }

    func write(_ bytes: [UInt8]) throws {
        do { try handle.write(contentsOf: Data(bytes)) } catch {
            throw ExportSamples.Trouble(description: "\(path ?? "standard output"): \(error.localizedDescription)")
        }
    }

    /// Writes over the beginning.
    func rewrite(_ bytes: [UInt8]) throws {
        try handle.seek(toOffset: 0)
        try write(bytes)
    }

    /// Drops what stands behind: an attempt before may have been longer.
    func cut() throws { try handle.truncate(atOffset: handle.offset()) }

    /// Gives all that was written to another file.
    func copy(to other: OutputFile) throws {
        try handle.seek(toOffset: 0)
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { try other.write(Array(data)) }
    }

    func end(keep: Bool) throws {
        guard let path, let partial else { return }
        try handle.close()
        guard keep else { return try FileManager.default.removeItem(atPath: partial) }
        guard unsafe rename(partial, path) == 0 else {
            throw ExportSamples.Trouble(description: "\(path) can't be replaced")
        }
    }
}
