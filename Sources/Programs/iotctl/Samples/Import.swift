internal import Archive
internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import SampleFiles
internal import Service
internal import Store
internal import Time

/// `iotctl import FILE`
struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Stores the samples of a file once, at the times in the file.",
        usage: """
            iotctl import <file> [<options>]
            """,
        discussion: """
            Examples:
              iotctl import x.wav
              iotctl import x.csv --sensor lab-1-again
              iotctl import rec.wav --sensor press-4 --channel sound --start 2026-11-21

            It reads files of iotctl export, and other WAV files with one channel if
            --start is given. It creates a missing sensor or channel. It checks the whole
            file first: nothing is stored of an incomplete file.

            The samples are stored as frames of a boot of the sensor. The boot's number is
            derived from the samples, so that importing a file again, or after an
            interruption, stores each sample once, whether it comes from CSV or WAV.
            Samples that were exported from the same channel are duplicates too. If the
            sensor has other samples of the channel at that time, nothing is stored unless
            --overlap is given. An import raises no alarms. Retention counts from the time
            of the samples.

            Exit codes: 0 stored; 1 failed; 64 wrong usage; 69 unreachable; 77 refused.
            """)

    @Argument(help: "A file of iotctl export, or a WAV file.", completion: .file())
    var file: String

    @Option(
        help: ArgumentHelp("Store it for this sensor; by default the sensor in the file.", valueName: "serial"),
        completion: .sensors)
    var sensor: String?

    @Option(help: ArgumentHelp("Store it as this channel; by default the channel in the file.", valueName: "name"))
    var channel: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Start of a WAV file that does not contain it.", valueName: "time"))
    var start: Timestamp?

    @Flag(help: "Store it even if the sensor has other samples of that time.")
    var overlap = false

    @Flag(help: "Store nothing; show the contents of the file and how much of it is already stored.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let sensor, SerialNumber(sensor) == nil {
            throw ValidationError("not a serial number: --sensor \(sensor); expected 1 to 64 of A-Z a-z 0-9 _ -")
        }
        if let channel, !(1...64).contains(channel.utf8.count) {
            throw ValidationError("--channel must have 1 to 64 bytes")
        }
    }

    func run() async throws {
        try await perform {
            let command = self
            try await Interrupts.cancelling { try await command.store() }
        }
    }

    private func store() async throws {
        let file = ImportSamples(file, start: start)
        var line = ProgressLine()
        defer { line.clear() }
        do {
            let contents = try file.examine { line.show("reading: \($0.samples) samples") }
            guard let serial = (sensor ?? contents.header?.sensor).flatMap({ SerialNumber($0) }) else {
                throw Failure(ExitStatus.usage, "\(self.file) does not name its sensor; give --sensor")
            }
            guard let name = channel ?? contents.header?.channel else {
                throw Failure(ExitStatus.usage, "\(self.file) does not name its channel; give --channel")
            }
            let store = try Connections().acting(unless: dryRun).store()
            let boot = ImportSamples.boot(contents, channel: name)
            if dryRun {
                let plan = try await plan(file, store, serial, name, boot, contents)
                line.clear()
                return try show(contents, serial, name, plan)
            }
            // Before the numbers, so that they are of this version or a later one.
            let names = try await store.namesVersion()
            let channel = try await target(store, serial, name, contents)
            if let summary = try await stored(file, store, channel, boot, contents) {
                line.clear()
                return try show(contents, serial, name, summary)
            }
            let summary = try await file.run(store, into: channel, boot: boot, names: names) { summary in
                line.show("\(summary.stored) of \(contents.survey.samples) samples stored")
            }
            line.clear()
            try show(contents, serial, name, summary)
            await store.close()
        } catch let error as ImportSamples.ImportError {
            throw Failure(ExitStatus.failed, error.description)
        } catch is CancellationError {
            throw Failure(
                ExitStatus.failed, "interrupted: the samples stored so far stay; repeat the import to store the rest")
        }
    }

    /// What an import would find, without making a sensor or channel: it fails where that would.
    private func plan(
        _ file: ImportSamples, _ store: StoreConnection, _ serial: SerialNumber, _ name: String, _ boot: Int64,
        _ contents: ImportSamples.Contents
    ) async throws -> ImportSamples.Summary {
        let sensor = try await store.sensorID(of: serial)
        if let sensor {
            let known = try await store.channels(of: serial.text).first { $0.name == name }?.channel
            if let number = known ?? Int16(name) {
                let channel = ChannelID(sensor: sensor, number: number)
                if let summary = try await stored(file, store, channel, boot, contents) { return summary }
            }
        }
        var plan = try await file.plan(store, sensor: sensor, boot: boot)
        Talk.say("dry run: \(plan.stored) samples would be stored; nothing was stored")
        plan.stored = 0
        return plan
    }

    /// The channel; it and its sensor are created if they do not exist.
    private func target(
        _ store: StoreConnection, _ serial: SerialNumber, _ name: String, _ contents: ImportSamples.Contents
    ) async throws -> ChannelID {
        guard let sensor = try await store.sensorIDs(for: [serial])[serial] else {
            throw Failure(ExitStatus.failed, "sensor \(serial) could not be created")
        }
        let known = try await store.channels(of: serial.text)
        if let channel = known.first(where: { $0.name == name }) {
            return ChannelID(sensor: sensor, number: channel.channel)
        }
        // A number stands for a channel without a name.
        if let number = Int16(name), number >= 0 { return ChannelID(sensor: sensor, number: number) }
        guard let number = try await store.channelNumbers(sensor: sensor, names: [name])[name] else {
            throw Failure(ExitStatus.failed, "\(serial) has no room for another channel")
        }
        let channel = ChannelID(sensor: sensor, number: number)
        if let header = contents.header {
            try await store.describe(channel, quantity: header.quantity, unit: header.unit)
        }
        return channel
    }

    /// The result if the channel has all samples of the file in other boots, which is said on stderr; nil if they are to
    /// be stored.
    /// - Throws: `Failure` if the channel has other samples of that time.
    private func stored(
        _ file: ImportSamples, _ store: StoreConnection, _ channel: ChannelID, _ boot: Int64,
        _ contents: ImportSamples.Contents
    ) async throws -> ImportSamples.Summary? {
        guard let first = contents.survey.first, let last = contents.survey.last else { return nil }
        if !overlap,
            let other = try await store.overlapping(of: channel, first...last, except: boot)
        {
            if let summary = try await file.stored(store, in: channel, contents.survey) {
                Talk.say("the channel has all of these samples already; nothing was stored")
                return summary
            }
            throw Failure(
                ExitStatus.failed,
                "the sensor has other samples of the channel from \(other) on; --sensor stores the file for another "
                    + "sensor, --overlap stores it beside them")
        }
        if let gone = try await store.measurementsGoneBefore(), first < gone {
            Talk.say("samples before \(gone.short) UTC are older than the retention of measurement and will be deleted")
        }
        return nil
    }

    private func show(
        _ contents: ImportSamples.Contents, _ serial: SerialNumber, _ channel: String,
        _ summary: ImportSamples.Summary?
    ) throws {
        let view = ImportView(contents.survey, into: serial, channel: channel, summary)
        try output.show(view) { _, style in
            Table(
                columns: [
                    .text("SENSOR"), .text("CHANNEL"), .number("SAMPLES"), .number("STORED"), .number("DUPLICATES"),
                    .number("GAPS"), .text("FROM"),
                ],
                rows: [
                    [Cell(view.sensor), Cell(view.channel)]
                        + [view.samples, view.stored, view.duplicates, view.gaps].map { Cell(String($0)) }
                        + [Cell(view.from?.short ?? "-")]
                ]
            ).text(wide: true, style)
        }
    }
}
