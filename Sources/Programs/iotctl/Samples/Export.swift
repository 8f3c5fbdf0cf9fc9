internal import Archive
internal import ArgumentParser
internal import Model
internal import Postgres
internal import SampleFiles
internal import Service
internal import Store
internal import Time

/// `iotctl export SENSOR FILE`
struct Export: AsyncParsableCommand {
    enum FileFormat: String, ExpressibleByArgument, CaseIterable {
        case csv, wav

        /// The library's value for this format.
        var format: ExportSamples.Format { self == .csv ? .csv : .wav }
    }

    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes the samples of a channel to a CSV or WAV file, bit for bit.",
        usage: """
            iotctl export <sensor> [<file>] --from <time> [<options>]
            """,
        discussion: """
            Examples:
              iotctl export lab-1 --channel x --from 10m x.wav
              iotctl export lab-1 --channel x --from "2026-11-21 09:00" --to 2h x.csv
              iotctl export lab-1 --channel x --from 1h -o csv | gzip > x.csv.gz

            A CSV file has the columns unix_ns, time, value and count (the value of the
            converter, if there is one). Lines that begin with # give sensor, channel,
            rate, scale and offset.

            A WAV file has 16-bit PCM samples for counts, else floating-point samples. Its
            header has the rate rounded to whole Hz. Its chunks iotc and iots have the
            exact rate, scale, offset and the time of each run of samples. Players do not
            know these chunks and play the samples on both sides of a gap without a pause.
            Rate, scale and format must not change within a WAV file; a CSV file has no
            such limit. A WAV file above 4 GiB has the format RF64.

            A kept history of a deleted sensor is exported by the serial number.

            iotctl import reads both formats. The file gets its name when it is complete.

            Exit codes: 0 written; 1 failed; 2 no such sensor, channel or samples; 64
            wrong usage; 69 unreachable; 77 refused.
            """)

    @Argument(help: "Serial number.", completion: .sensors)
    var sensor: String

    @Argument(
        help: "File; .csv or .wav gives the format. If missing, CSV goes to standard output.", completion: .file())
    var file: String?

    @Option(help: ArgumentHelp("Channel by name or number; may be missing if the sensor has one.", valueName: "name"))
    var channel: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("The first time: 2h, or a date.", valueName: "time"))
    var from: Timestamp

    @Option(
        parsing: .unconditional, help: ArgumentHelp("The time after the last one; by default now.", valueName: "time"))
    var to: Timestamp?

    @Option(
        name: [.customShort("o"), .customLong("format")], help: ArgumentHelp("csv or wav.", valueName: "format"),
        completion: .list(FileFormat.allCases.map(\.rawValue)))
    var format: FileFormat?

    @OptionGroup var context: ContextOption

    func validate() throws {
        if let to, to <= from { throw ValidationError("--to is not after --from: \(to)") }
        if let file, format == nil, Self.format(of: file) == nil {
            throw ValidationError("\(file) ends neither in .csv nor in .wav; give -o csv or -o wav")
        }
        if file == nil, format == .wav {
            throw ValidationError("a WAV file needs a name, because its header is written last; give a file")
        }
    }

    func run() async throws {
        try await perform {
            let command = self
            try await Interrupts.cancelling { try await command.export() }
        }
    }

    private func export() async throws {
        let store = try Connections().store()
        let sensor = try await store.requireHistory(of: sensor)
        guard let serial = SerialNumber(sensor), let number = try await store.sensorID(of: serial) else { return }
        let chosen = try await store.requireChannel(channel, of: sensor)
        let header = SampleFileHeader(
            sensor: sensor, channel: chosen.name, quantity: chosen.quantity, unit: chosen.unit)
        let end = max(to ?? .now, from.advanced(byNanoseconds: 1))
        let export = ExportSamples(
            store, header, of: ChannelID(sensor: number, number: chosen.number), from..<end)
        let format = format ?? file.flatMap(Self.format) ?? .csv
        var line = ProgressLine()
        defer { line.clear() }
        let survey: SampleSurvey
        do {
            survey = try await export.run(format.format, to: file) { survey in
                line.show("\(survey.samples) samples, up to \(survey.last?.description ?? "-")")
            }
        } catch let error as ExportSamples.ExportError {
            throw Failure(ExitStatus.failed, error.description)
        } catch is CancellationError { throw Failure(ExitStatus.failed, "interrupted: no file was written") }
        line.clear()
        guard survey.samples > 0 else {
            throw Failure(
                ExitStatus.notFound, "\(sensor) has no samples of \(chosen.name) from \(from) to \(end)")
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
            throw Failure(ExitStatus.usage, "\(serial) has \(channels.count) named channels; give --channel\(list)")
        }
        // Channels of frames have numbers before anybody announces their names.
        if let number = Int16(word), number >= 0 { return (number, word, "", "") }
        let proposals = DidYouMean.proposals(for: word, among: names)
        let hint =
            proposals.isEmpty ? "it has \(names.count)\(list)" : "did you mean \(proposals.joined(separator: " or "))?"
        throw Failure(ExitStatus.notFound, "\(serial) has no channel \(word); \(hint)")
    }
}
