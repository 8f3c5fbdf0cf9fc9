public import Archive
public import Model
public import SampleFiles
public import Time

/// The result of importing a file of samples (docs/iotctl-json.md, "import").
public struct ImportView: Codable, Sendable, Equatable {
    /// The sensor's serial number.
    public var sensor: String
    /// The channel's name, or its number if it has no name.
    public var channel: String
    /// Number of samples in the file.
    public var samples: Int
    /// Number of samples stored by this import.
    public var stored: Int
    /// Number of samples that were stored before.
    public var duplicates: Int
    /// Number of runs of contiguous samples in the file.
    public var rows: Int
    /// When the first sample was taken.
    public var from: Timestamp?
    /// When the last sample was taken.
    public var to: Timestamp?
    /// Number of gaps of more than one and a half periods without a sample.
    public var gaps: Int
    /// Total length of the gaps, in seconds.
    public var gapSeconds: Double

    private enum CodingKeys: String, CodingKey {
        case sensor, channel, samples, stored, duplicates, rows, from, to, gaps
        case gapSeconds = "gap_seconds"
    }
}

extension ImportView {
    /// The view of a file's contents and of the samples that were stored.
    /// - Parameter summary: the counts of the import; nil for a dry run, which stores nothing.
    public init(
        _ survey: SampleSurvey, into sensor: SerialNumber, channel: String, _ summary: ImportSamples.Summary?
    ) {
        self.init(
            sensor: sensor.text, channel: channel, samples: survey.samples, stored: summary?.stored ?? 0,
            duplicates: summary?.duplicates ?? 0, rows: survey.runs, from: survey.first, to: survey.last,
            gaps: survey.gaps, gapSeconds: Double(survey.gapNanoseconds) / 1e9)
    }
}
