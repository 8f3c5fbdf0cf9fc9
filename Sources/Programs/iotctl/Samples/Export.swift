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
            iotctl export --alarm <id> [<file>] [<options>]
            """,
        discussion: """
            Examples:
              iotctl export lab-1 --channel x --from 10m x.wav
              iotctl export lab-1 --channel x --from "2026-11-21 09:00" --to 2h x.csv
              iotctl export lab-1 --channel x --from 1h -o csv | gzip > x.csv.gz
              iotctl export --alarm lab-1/0/high/1790000000000000000 event.wav

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

            --alarm exports the event capture of an alarm: the samples that its sensor sent
            at full rate around the trigger. A capture of several channels becomes a file
            for each, event-x.wav and so on; --channel exports one. An incomplete capture
            is exported as far as it is stored, and a message says so.

            iotctl import reads both formats. The file gets its name when it is complete.

            Exit codes: 0 written; 1 failed; 2 no such sensor, channel, samples, alarm or
            capture; 64 wrong usage; 69 unreachable; 77 refused.
            """)

    @Argument(help: "Serial number; not with --alarm.", completion: .sensors)
    var sensor: String?

    @Argument(
        help: "File; .csv or .wav gives the format. If missing, CSV goes to standard output.", completion: .file())
    var file: String?

    @Option(help: ArgumentHelp("Id of the alarm of an event capture.", valueName: "id"))
    var alarm: String?

    @Option(help: ArgumentHelp("Channel by name or number; may be missing if the sensor has one.", valueName: "name"))
    var channel: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The first time: 2h, or a date; required without --alarm.", valueName: "time"))
    var from: Timestamp?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("The time after the last one; by default now.", valueName: "time"))
    var to: Timestamp?

    @Option(
        name: [.customShort("o"), .customLong("format")], help: ArgumentHelp("csv or wav.", valueName: "format"),
        completion: .list(FileFormat.allCases.map(\.rawValue)))
    var format: FileFormat?

    @OptionGroup var context: ContextOption

    /// What is exported, and where to.
    private enum Source {
        case samples(sensor: String, from: Timestamp)
        case capture(alarm: String)
    }

    /// With --alarm the only word is the file.
    private func source() throws -> (Source, file: String?) {
        if let alarm {
            guard file == nil else { throw ValidationError("--alarm needs no sensor; give the file only") }
            guard from == nil, to == nil else { throw ValidationError("--alarm takes neither --from nor --to") }
            return (.capture(alarm: alarm), sensor)
        }
        guard let sensor else { throw ValidationError("give a sensor, or --alarm") }
        guard let from else { throw ValidationError("give --from: the first time, such as 2h or a date") }
        return (.samples(sensor: sensor, from: from), file)
    }

    func validate() throws {
        let (_, file) = try source()
        if let to, let from, to <= from { throw ValidationError("--to is not after --from: \(to)") }
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
        let (source, file) = try source()
        let format = format ?? file.flatMap(Self.format) ?? .csv
        switch source {
        case .samples(let sensor, let from): try await exportSamples(of: sensor, from: from, store, format, to: file)
        case .capture(let alarm): try await exportCapture(of: alarm, store, format, to: file)
        }
        await store.close()
    }

    private func exportSamples(
        of word: String, from: Timestamp, _ store: StoreConnection, _ format: FileFormat, to file: String?
    ) async throws {
        let sensor = try await store.requireHistory(of: word)
        guard let serial = SerialNumber(sensor), let number = try await store.sensorID(of: serial) else { return }
        let chosen = try await store.requireChannel(channel, of: sensor)
        let header = SampleFileHeader(
            sensor: sensor, channel: chosen.name, quantity: chosen.quantity, unit: chosen.unit)
        let end = max(to ?? .now, from.advanced(byNanoseconds: 1))
        let export = ExportSamples(
            store, header, of: ChannelID(sensor: number, number: chosen.number), from..<end)
        let survey = try await write(export, format, to: file)
        guard survey.samples > 0 else {
            throw Failure(
                ExitStatus.notFound, "\(sensor) has no samples of \(chosen.name) from \(from) to \(end)")
        }
        Talk.say(survey.text(of: chosen.name))
    }

    private func exportCapture(
        of alarm: String, _ store: StoreConnection, _ format: FileFormat, to file: String?
    ) async throws {
        let all = try await store.captures(of: alarm)
        if all.isEmpty { throw Failure(ExitStatus.notFound, try await Self.whyNone(of: alarm, in: store)) }
        let captures = all.filter { capture in
            channel.map { $0 == capture.channelName || $0 == "\(capture.channel.number)" } ?? true
        }
        let labels = Set(all.map(\.label)).sorted().joined(separator: ", ")
        guard !captures.isEmpty else {
            throw Failure(ExitStatus.notFound, "the capture has no channel \(channel ?? ""): \(labels)")
        }
        guard file != nil || captures.count == 1 else {
            throw Failure(ExitStatus.usage, "the capture has several channels; give --channel or a file: \(labels)")
        }
        let sensors = Set(captures.map(\.serial)).count
        for capture in captures {
            guard capture.stored > 0 else {
                throw Failure(ExitStatus.notFound, "the samples of \(capture.label) are not stored any more")
            }
            let header = SampleFileHeader(
                sensor: capture.serial, channel: capture.label, quantity: capture.quantity, unit: capture.unit)
            let export = ExportSamples(store, header, of: capture.channel.ofCaptures, capture.from..<capture.to)
            let part = (sensors > 1 ? "-\(capture.serial)" : "") + (captures.count > sensors ? "-\(capture.label)" : "")
            let survey = try await write(export, format, to: file.map { Self.path($0, with: part) })
            Talk.say(survey.text(of: capture.label))
            if !capture.isComplete {
                Talk.say(
                    "not complete: \(capture.stored) of \(capture.samples) samples of \(capture.label) are stored")
            }
        }
    }

    /// Why an alarm has no event capture, in one sentence.
    private static func whyNone(of alarm: String, in store: StoreConnection) async throws -> String {
        guard let sensor = try await store.sensor(ofAlarm: alarm) else { return "there is no alarm \(alarm)" }
        let none = "\(alarm) has no event capture"
        guard let answer = try await store.answers(toAlarm: alarm).first else {
            return "\(none): \(sensor) has not answered the alarm"
        }
        guard let outcome = answer.outcome else {
            return "\(none) yet: \(answer.serial) heard the alarm, and sent nothing"
        }
        return outcome == .succeeded
            ? "\(none) yet: its frames are on their way" : "\(none): \(answer.serial) says: \(answer.reason)"
    }

    /// "event.wav" with the part "-x" is "event-x.wav".
    private static func path(_ file: String, with part: String) -> String {
        let name = file.lastIndex(of: "/").map { file[file.index(after: $0)...] } ?? file[...]
        guard !part.isEmpty, let dot = name.lastIndex(of: "."), dot > name.startIndex else { return file + part }
        return file[..<dot] + part.replacing("/", with: "_") + file[dot...]
    }

    private func write(_ export: ExportSamples, _ format: FileFormat, to file: String?) async throws -> SampleSurvey {
        var line = ProgressLine()
        defer { line.clear() }
        do {
            return try await export.run(format.format, to: file) { survey in
                line.show("\(survey.samples) samples, up to \(survey.last?.description ?? "-")")
            }
        } catch let error as ExportSamples.ExportError {
            throw Failure(ExitStatus.failed, error.description)
        } catch is CancellationError { throw Failure(ExitStatus.failed, "interrupted: no file was written") }
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
