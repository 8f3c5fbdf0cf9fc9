internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Simulation
internal import Store

/// `iotctl export SENSOR FILE`
struct Export: AsyncParsableCommand {
    /// How the file is written.
    enum FileFormat: String, ExpressibleByArgument, CaseIterable {
        case csv, wav

        /// The library's word.
        var format: ExportSamples.Format { self == .csv ? .csv : .wav }
    }

    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a channel's samples to a CSV or WAV file that iotctl import takes back, every bit.",
        discussion: """
            Examples:
              iotctl export lab-1 --channel x --from 10m x.wav
              iotctl export lab-1 --channel x --from 2026-11-21T09:00:00Z --to 2026-11-21T10:00:00Z x.csv
              iotctl export lab-1 --channel x --from 1h -o csv | gzip > x.csv.gz

            CSV has the columns unix_ns, time, value and count (the converter's, where there is one);
            lines that begin with # say sensor, channel, rate, scale and offset.

            WAV has PCM of 16 bits for counts and floats otherwise; any player plays it, at the rate
            rounded to whole Hz. The true rate, scale, offset and the time of each run of samples are
            in chunks of its own (iotc, iots). Where nothing was measured a player hears what comes
            before and after side by side: only the chunk iots knows of gaps. Rate, scale and form
            must not change within one WAV file; CSV takes all. Beyond 4 GiB it becomes RF64.

            The file has its name when it is whole. Exit codes: 0; 1 something went wrong; 2 no such
            sensor or channel, or no samples then; 64 usage; 69 unreachable.
            """)

    /// Which.
    @Argument(help: "Serial number.", completion: .sensors)
    var sensor: String

    /// Where to.
    @Argument(help: "File; its ending .csv or .wav says the format. Without one, CSV to stdout.", completion: .file())
    var file: String?

    /// Which channel.
    @Option(help: ArgumentHelp("Name or number; not needed if there is one only.", valueName: "name"))
    var channel: String?

    /// The first moment.
    @Option(help: ArgumentHelp("From when on: 2h ago, or 2026-11-21T09:00:00Z.", valueName: "time"))
    var from: Moment

    /// The moment before which it ends.
    @Option(help: ArgumentHelp("Up to when; by default now.", valueName: "time"))
    var to: Moment?

    /// How.
    @Option(
        name: [.customShort("o"), .customLong("format")], help: ArgumentHelp("csv or wav.", valueName: "format"),
        completion: .list(FileFormat.allCases.map(\.rawValue)))
    var format: FileFormat?

    /// Whose servers; read before all else.
    @OptionGroup var context: ContextOption

    /// Refuses what makes no sense.
    func validate() throws {
        if let to, to.time <= from.time { throw ValidationError("--to is not after --from") }
        if let file, format == nil, Self.format(of: file) == nil {
            throw ValidationError("\(file) ends neither in .csv nor in .wav: say -o csv or -o wav")
        }
        if file == nil, format == .wav { throw ValidationError("a WAV file needs a name: its head is written last") }
    }

    /// Reads and writes.
    func run() async throws {
        try await perform {
            let command = self
            try await Interrupts.cancelling { try await command.export() }
        }
    }

    private func export() async throws {
        let store = try Connections().store()
        guard let serial = SerialNumber(try await store.require([sensor])[0]),
            let number = try await store.sensorID(of: serial)
        else { return }
        let chosen = try await store.requireChannel(channel, of: sensor)
        let header = SampleFileHeader(
            sensor: sensor, channel: chosen.name, quantity: chosen.quantity, unit: chosen.unit)
        let end = max(to?.time ?? .now, from.time.advanced(byNanoseconds: 1))
        let export = ExportSamples(
            store, header, sensor: number, channel: chosen.number, from.time..<end)
        let format = format ?? file.flatMap(Self.format) ?? .csv
        var line = ProgressLine()
        defer { line.clear() }
        let survey: SampleSurvey
        do {
            survey = try await export.run(format.format, to: file) { survey in
                line.show("\(survey.samples) samples, up to \(survey.last?.description ?? "-")")
            }
        } catch let error as ExportSamples.Trouble {
            throw Failure(ExitStatus.failed, error.description)
        } catch is CancellationError { throw Failure(ExitStatus.failed, "interrupted: no file was written") }
        line.clear()
        guard survey.samples > 0 else {
            throw Failure(
                ExitStatus.notFound, "\(sensor) has no samples of \(chosen.name) from \(from.time) to \(end)")
        }
        Talk.say(survey.text(of: chosen.name))
        await store.close()
    }

    private static func format(of file: String) -> FileFormat? {
        file.split(separator: ".").last.flatMap { FileFormat(rawValue: $0.lowercased()) }
    }
}

extension SampleSurvey {
    /// "1000 samples of x in 2 rows, 2026-… to 2026-…, 1 gap of 3s in all"
    func text(of channel: String) -> String {
        let span = "\(first?.description ?? "-") to \(last?.description ?? "-")"
        let text = "\(samples) samples of \(channel) in \(runs) row\(runs == 1 ? "" : "s"), \(span)"
        if gaps == 0 { return text }
        return "\(text), \(gaps) gap\(gaps == 1 ? "" : "s") of \(Duration.nanoseconds(gapNanoseconds).short) in all"
    }
}

extension StoreConnection {
    /// The channel of a sensor that a name or number means; without one its only channel.
    /// - Throws: `Failure` with `notFound`, naming what may have been meant.
    func requireChannel(
        _ word: String?, of serial: String
    ) async throws -> (number: Int16, name: String, quantity: String, unit: String) {
        let channels = try channels(of: serial)
        let names = channels.map(\.name)
        let known: ChannelRecord?
        if let word {
            known = channels.first { $0.name == word } ?? channels.first { String($0.channel) == word }
        } else {
            known = channels.count == 1 ? channels[0] : nil
        }
        if let known { return (known.channel, known.name, known.quantity, known.unit) }
        let list = names.isEmpty ? "" : ": \(names.joined(separator: ", "))"
        guard let word else {
            throw Failure(ExitStatus.usage, "\(serial) has \(channels.count) named channels, say --channel\(list)")
        }
        // Channels of frames have numbers before anybody announces their names.
        if let number = Int16(word), number >= 0 { return (number, word, "", "") }
        let proposals = DidYouMean.proposals(for: word, among: names)
        let hint =
            proposals.isEmpty ? "it has \(names.count)\(list)" : "did you mean \(proposals.joined(separator: " or "))?"
        throw Failure(ExitStatus.notFound, "\(serial) has no channel \(word); \(hint)")
    }
}
