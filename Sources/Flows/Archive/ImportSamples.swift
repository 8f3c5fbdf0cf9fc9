internal import Foundation
public import Model
public import Postgres
public import SampleFiles
internal import Store
public import Time

/// Stores the samples of a file as a sensor's, each once however often the file is imported, at the times that it says.
///
/// They are frames of a start (boot) of the sensor that is derived from all samples and times: a ledger of its own tells
/// which are there already, also after an import that was ended in the middle. The file is read twice: first whether it
/// is whole and what it holds, then to store it, batch by batch; memory holds a batch. No alarms are raised.
public struct ImportSamples: Sendable {
    /// The file can't be read, or not be stored.
    public struct ImportError: Error, Sendable, CustomStringConvertible {
        /// Why.
        public let description: String
    }

    /// What a file holds.
    public struct Contents: Sendable {
        /// Whose samples they are; nil if the file does not say.
        public var header: SampleFileHeader?
        /// How many they are, and when they were taken.
        public var survey: SampleSurvey
        fileprivate var digest: SampleDigest
    }

    /// What was done.
    public struct Summary: Sendable, Equatable {
        /// Samples that were stored now.
        public var stored = 0
        /// Samples that were there already.
        public var duplicates = 0
        /// Runs of the file that were looked at: frames.
        public var runs = 0
    }

    private static let batchRuns = 2000
    private static let batchSamples = 1_000_000
    /// Longest span of a batch, so that it touches few chunks even where they are of an hour.
    private static let batchSeconds: Int64 = 8 * 3600
    /// The longest span of a row in seconds, and so how long before the first sample its row may begin.
    private static let rowSeconds: Int64 = 60
    /// Rows of the database that are compared at a time.
    private static let pageRows = 256
    /// How far ahead of now a sample may lie, as with an ingester.
    private static let aheadSeconds: Int64 = 600

    private let path: String
    private let start: Timestamp?

    /// - Parameters:
    ///   - path: the file.
    ///   - start: when the first sample of a WAV file was taken that does not say it.
    public init(_ path: String, start: Timestamp?) {
        self.path = path
        self.start = start
    }

    /// Reads all of the file.
    /// - Throws: `ImportError`, or `CancellationError`.
    public func examine(progress: (SampleSurvey) -> Void) throws -> Contents {
        var reader = try open()
        var contents = Contents(header: reader.header, survey: SampleSurvey(), digest: SampleDigest())
        while let run = try next(&reader) {
            contents.survey.add(run)
            contents.digest.add(run)
            if contents.survey.runs % 1000 == 0 {
                try Task.checkCancellation()
                progress(contents.survey)
            }
        }
        guard let last = contents.survey.last else { throw ImportError(description: "\(path) has no samples") }
        guard last <= Timestamp.now.advanced(bySeconds: Self.aheadSeconds) else {
            throw ImportError(description: "\(path) has samples of the future, up to \(last)")
        }
        return contents
    }

    private func open() throws -> SampleFileReader {
        guard let file = FileWindow(path) else { throw ImportError(description: "\(path) can't be read") }
        return try explained { () throws(RecordingError) in try SampleFileReader(file.source, start: start) }
    }

    private func next(_ reader: inout SampleFileReader) throws -> SampleRun? {
        try explained { () throws(RecordingError) in try reader.next() }
    }

    private func explained<Value>(_ work: () throws(RecordingError) -> Value) throws -> Value {
        do { return try work() } catch { throw ImportError(description: "\(path): \(error)") }
    }

    /// The start of a sensor that the samples of a channel are stored under.
    public static func boot(_ contents: Contents, channel: String) -> Int64 {
        var digest = contents.digest
        digest.add(channel)
        return digest.boot
    }

    /// Stores what `examine` found.
    /// - Parameters:
    ///   - names: the version of sensors' names that the sensor's number is of.
    ///   - progress: called after each batch.
    /// - Throws: `ImportError`, `StoreError` or `CancellationError`; the batches until then are stored, and another import
    ///   of the file goes on behind them.
    public func run(
        _ store: StoreConnection, into channel: ChannelID, boot: Int64, names: Int64,
        progress: (Summary) -> Void
    ) async throws -> Summary {
        var reader = try open()
        var summary = Summary()
        var chunks = KnownChunks()
        var batch: [(sequence: Int64, run: SampleRun)] = []
        var samples = 0
        let key = LedgerCache.Key(sensor: channel.sensor, boot: boot)
        while true {
            let run = try next(&reader)
            let isFull = batch.first.map { first in
                batch.count >= Self.batchRuns || samples >= Self.batchSamples
                    || run.map { abs($0.start.nanoseconds(since: first.run.start)) > Self.batchSeconds * 1_000_000_000 }
                        != false
            }
            if isFull == true {
                try Task.checkCancellation()
                try await write(batch, key, channel.number, names, store, &chunks, &summary)
                progress(summary)
                batch = []
                samples = 0
            }
            guard let run else { return summary }
            batch.append((Int64(summary.runs), run))
            summary.runs += 1
            samples += run.samples.count
        }
    }

    /// Looks what `run` would do, and stores nothing.
    /// - Parameters:
    ///   - sensor: nil if there is none of that serial: then nothing is there already.
    /// - Returns: the samples that would be stored, and those that are there already.
    /// - Throws: as `run`.
    public func plan(_ store: StoreConnection, sensor: SensorID?, boot: Int64) async throws -> Summary {
        var reader = try open()
        var summary = Summary()
        var cache = LedgerCache()
        let key = LedgerCache.Key(sensor: sensor ?? 0, boot: boot)
        if sensor != nil {
            for (key, entry) in try await store.ledgers(for: [key]) { cache.load(key, entry) }
        }
        while let run = try next(&reader) {
            if summary.runs % 1000 == 0 { try Task.checkCancellation() }
            let verdict = cache.note(key, Int64(summary.runs))
            if verdict == .new || verdict == .late {
                summary.stored += run.samples.count
            } else {
                summary.duplicates += run.samples.count
            }
            summary.runs += 1
        }
        return summary
    }

    /// Whether a channel has all samples of the file, at the same times and bit for bit, in whatever boots: then the file is
    /// an export of that channel.
    /// - Returns: a summary without stored samples; nil if some samples of the file are not there.
    /// - Throws: `ImportError`, `StoreError` or `CancellationError`.
    public func stored(
        _ store: StoreConnection, in channel: ChannelID, _ survey: SampleSurvey
    ) async throws -> Summary? {
        guard let first = survey.first, let last = survey.last else { return nil }
        var reader = try open()
        var place = SampleCursor(first.advanced(bySeconds: -Self.rowSeconds))
        // Rows that may hold samples of the next runs, in order.
        var window: [SampleRun] = []
        var isComplete = false
        while let run = try next(&reader) {
            while !isComplete, window.last.map({ $0.start <= run.start }) != false {
                try Task.checkCancellation()
                window.removeAll { $0.last < run.start }
                let page = try await store.sampleRuns(
                    of: channel, from: place, to: last.advanced(byNanoseconds: 1_000), rowsMax: Self.pageRows,
                    samplesMax: Self.batchSamples)
                window += page.runs
                (place, isComplete) = (page.next, page.isLast)
            }
            guard window.contains(where: { $0.contains(run) }) else { return nil }
        }
        return Summary(duplicates: survey.samples, runs: survey.runs)
    }

    private func write(
        _ runs: [(sequence: Int64, run: SampleRun)], _ key: LedgerCache.Key, _ channel: Int16, _ names: Int64,
        _ store: StoreConnection, _ chunks: inout KnownChunks, _ summary: inout Summary
    ) async throws {
        // What the file says is believed, however long ago it was.
        let cutter = RowCutter(clockRule: ClockRule(lateWindowSeconds: .max, aheadWindowSeconds: .max))
        while true {
            var cache = LedgerCache()
            for (key, entry) in try await store.ledgers(for: [key]) { cache.load(key, entry) }
            var batch = QuarantineBatch(ids: [])
            var latest = LatestValues()
            var (stored, duplicates) = (0, 0)
            for (sequence, run) in runs {
                let verdict = cache.note(key, sequence)
                guard verdict == .new || verdict == .late else {
                    duplicates += run.samples.count
                    continue
                }
                let frame = Frame(
                    position: FramePosition(boot: key.boot, sequence: sequence), start: run.start, rate: run.rate,
                    blocks: [Block(channel: .number(channel), samples: run.samples)])
                do { try frame.validate() } catch { throw ImportError(description: "\(path): \(run.start): \(error)") }
                cutter.cut(
                    frame, sensor: key.sensor, received: .now, channelNumber: { _ in channel },
                    whole: { whole in
                        var value = LatestValue(whole)
                        // A file on its way is no clock that is wrong, and no sign that the sensor is there now.
                        value.clockOffsetSeconds = nil
                        value.received = nil
                        latest.note(value)
                    }, into: { batch.measurements.append($0) })
                stored += run.samples.count
            }
            if stored > 0 {
                batch.names = names
                batch.ledger = cache.changes
                batch.latest = latest.takeDue(now: .now)
                let times = batch.measurements.map(\.time)
                while let time = chunks.firstUnknown(times) {
                    chunks.note(try await store.chunk(of: .measurement, at: time))
                }
                do { try await store.commit(batch) } catch IngestConflict.ledgerChanged {
                    // Another process imports the same file.
                    try Task.checkCancellation()
                    continue
                } catch IngestConflict.namesChanged {
                    throw ImportError(
                        description: "sensors were deleted or renamed meanwhile; repeat the import to store the rest")
                }
            }
            summary.stored += stored
            summary.duplicates += duplicates
            return
        }
    }
}

/// A file, of which a part is in memory.
private final class FileWindow {
    private static let windowBytes = 1 << 20

    private let handle: FileHandle
    private let count: Int
    private var window: [UInt8] = []
    private var windowStart = 0

    init?(_ path: String) {
        var isFolder: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
            let handle = FileHandle(forReadingAtPath: path), let count = try? handle.seekToEnd()
        else { return nil }
        self.handle = handle
        self.count = Int(count)
    }

    var source: ByteSource {
        ByteSource(count: count) { range throws(RecordingError) in
            if range.lowerBound < self.windowStart || range.upperBound > self.windowStart + self.window.count {
                let length = max(range.count, min(Self.windowBytes, self.count - range.lowerBound))
                guard (try? self.handle.seek(toOffset: UInt64(range.lowerBound))) != nil,
                    let data = try? self.handle.read(upToCount: length), data.count == length
                else { throw RecordingError.unreadable }
                self.window = Array(data)
                self.windowStart = range.lowerBound
            }
            let first = range.lowerBound - self.windowStart
            return Array(self.window[first..<first + range.count])
        }
    }
}
