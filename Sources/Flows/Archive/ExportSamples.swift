internal import Foundation
public import Model
public import Postgres
public import SampleFiles
internal import Store
internal import Support
public import Time

/// Writes the samples of a channel into a file, page by page: memory holds only one page, whatever the number of
/// samples.
public struct ExportSamples: Sendable {
    /// The format of the file.
    public enum Format: String, Sendable, CaseIterable {
        /// Text with comma-separated values.
        case csv
        /// A sound file.
        case wav
    }

    /// The file can't be written, or can't hold the samples.
    public struct ExportError: Error, Sendable, CustomStringConvertible {
        /// The reason, in one sentence.
        public let description: String
    }

    /// A page with this many samples takes no more rows.
    private static let pageSamples = 250_000
    private static let pageRowsMax = 4096
    /// The longest span of a row in seconds, and so how long before `from` the first row may begin.
    private static let rowSeconds: Int64 = 60

    private let store: StoreConnection
    private let header: SampleFileHeader
    private let channel: ChannelID
    private let range: Range<Timestamp>

    /// An export of one channel.
    /// - Parameters:
    ///   - header: the sensor and channel, for the file.
    ///   - range: when the samples were taken.
    public init(
        _ store: StoreConnection, _ header: SampleFileHeader, of channel: ChannelID, _ range: Range<Timestamp>
    ) {
        self.store = store
        self.header = header
        self.channel = channel
        self.range = range
    }

    /// Writes a file, under another name until it is complete.
    /// - Parameters:
    ///   - path: the file, replaced if it exists; nil: standard output, for CSV only.
    ///   - progress: called after each page.
    /// - Returns: a summary of the written samples; with 0 samples there is no file.
    /// - Throws: `ExportError`, `StoreError` or `CancellationError`; the file then stays as it was before.
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
        // The table grows with the samples, and may exceed memory as they do.
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
            guard writer?.needsWide == true else { throw ExportError(description: "\(error)") }
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
        var place = SampleCursor(range.lowerBound.advanced(bySeconds: -Self.rowSeconds))
        var rowsMax = 16
        while true {
            try Task.checkCancellation()
            let page = try await store.sampleRuns(
                of: channel, from: place, to: range.upperBound, rowsMax: rowsMax, samplesMax: Self.pageSamples)
            try body(page.runs.flatMap { $0.within(range) })
            if page.isLast { return }
            place = page.next
            let samples = page.runs.reduce(0) { $0 + $1.samples.count }
            rowsMax = min(Self.pageRowsMax, max(1, Self.pageSamples * page.runs.count / max(1, samples)))
        }
    }
}

extension ExportSamples {
    /// Runs `work` on the file; an error of Foundation becomes an `ExportError` in words for people.
    fileprivate static func explaining<Result>(_ path: String?, _ work: () throws -> Result) throws -> Result {
        do { return try work() } catch {
            throw ExportError(
                description: "cannot write to \(path ?? "standard output"): \(error.localizedDescription)")
        }
    }
}

/// A file that is written from the beginning and gets its name when it is complete; or standard output.
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
        else { throw ExportSamples.ExportError(description: "\(path) can't be written") }
        self.handle = handle
    }

    func write(_ bytes: [UInt8]) throws {
        do { try writeAll(bytes, to: handle.fileDescriptor) } catch {
            throw ExportSamples.ExportError(description: "cannot write to \(path ?? "standard output"): \(error)")
        }
    }

    /// Overwrites the beginning of the file.
    func rewrite(_ bytes: [UInt8]) throws {
        try ExportSamples.explaining(path) { try handle.seek(toOffset: 0) }
        try write(bytes)
    }

    /// Truncates the file at the current position: an earlier attempt may have written more.
    func cut() throws { try ExportSamples.explaining(path) { try handle.truncate(atOffset: handle.offset()) } }

    /// Copies everything that was written to another file.
    func copy(to other: OutputFile) throws {
        try ExportSamples.explaining(path) { try handle.seek(toOffset: 0) }
        while let data = try ExportSamples.explaining(path, { try handle.read(upToCount: 1 << 20) }), !data.isEmpty {
            try other.write(Array(data))
        }
    }

    func end(keep: Bool) throws {
        guard let path, let partial else { return }
        try ExportSamples.explaining(path) { try handle.close() }
        guard keep else {
            return try ExportSamples.explaining(path) { try FileManager.default.removeItem(atPath: partial) }
        }
        guard unsafe rename(partial, path) == 0 else {
            throw ExportSamples.ExportError(description: "\(path) can't be replaced")
        }
    }
}
