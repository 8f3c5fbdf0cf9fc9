internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Simulation
internal import Store

/// `iotctl import FILE`
struct Import: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Stores the samples of a file, each once, at the times that the file says.",
        discussion: """
            Examples:
              iotctl import x.wav
              iotctl import x.csv --sensor lab-1-again
              iotctl import recording.wav --sensor press-4 --channel sound --start 2026-11-21T09:00:00Z

            Takes what iotctl export wrote, and other WAV files of one channel with --start. A sensor
            or channel that is not there is made. The file is read first as a whole: one that was cut
            stores nothing.

            The samples become frames of a start (boot) of the sensor whose number is derived from
            them: who imports the file again, or an import that was interrupted, stores nothing twice,
            whether it is CSV or WAV. Where the sensor has other samples of the channel at that time,
            as after an import of a file into the sensor that it is from, nothing is stored unless
            --overlap is given. Alarms are not raised, and retention counts from when samples were taken.

            Exit codes: 0; 1 something went wrong; 64 usage; 69 unreachable.
            """)

    /// What.
    @Argument(help: "A file of iotctl export, or a WAV file.", completion: .file())
    var file: String

    /// Whose.
    @Option(
        help: ArgumentHelp("Store it as this sensor's; by default that of the file.", valueName: "serial"),
        completion: .sensors)
    var sensor: String?

    /// Of which channel.
    @Option(help: ArgumentHelp("Store it as this channel; by default that of the file.", valueName: "name"))
    var channel: String?

    /// When it begins.
    @Option(help: ArgumentHelp("When a WAV file begins that does not say it.", valueName: "time"))
    var start: Moment?

    /// Beside what is there.
    @Flag(help: "Store it also where the sensor has other samples of that time.")
    var overlap = false

    /// Only looking.
    @Flag(help: "Read the file and say what is in it; store nothing.")
    var dryRun = false

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        if let sensor, SerialNumber(sensor) == nil {
            throw ValidationError("--sensor is a serial number: 1 to 64 of A-Z a-z 0-9 _ -")
        }
        if let channel, !(1...64).contains(channel.utf8.count) {
            throw ValidationError("--channel has 1 to 64 bytes")
        }
    }

    /// Reads and stores.
    func run() async throws {
        try await perform {
            let command = self
            try await Interrupts.cancelling { try await command.store() }
        }
    }

    private func store() async throws {
        let file = ImportSamples(file, start: start?.time)
        var line = ProgressLine()
        defer { line.clear() }
        do {
            let contents = try file.examine { line.show("reading: \($0.samples) samples") }
            guard let serial = (sensor ?? contents.header?.sensor).flatMap({ SerialNumber($0) }) else {
                throw Failure(ExitStatus.usage, "\(self.file) does not say whose it is: say --sensor")
            }
            guard let name = channel ?? contents.header?.channel else {
                throw Failure(ExitStatus.usage, "\(self.file) does not say of which channel it is: say --channel")
            }
            if dryRun { return try show(contents, serial, name, nil) }
            let store = try Connections().store()
            let (sensor, number) = try await numbers(store, serial, name, contents)
            let boot = ImportSamples.boot(contents, channel: name)
            try await check(store, sensor, number, boot, contents)
            let summary = try await file.run(store, sensor: sensor, channel: number, boot: boot) { summary in
                line.show("\(summary.stored) of \(contents.survey.samples) samples stored")
            }
            line.clear()
            try show(contents, serial, name, summary)
            await store.close()
        } catch let error as ImportSamples.Trouble {
            throw Failure(ExitStatus.failed, error.description)
        } catch is CancellationError {
            throw Failure(ExitStatus.failed, "interrupted: what was stored stays; the same import goes on behind it")
        }
    }

    /// The numbers of sensor and channel, which are made where they are not there.
    private func numbers(
        _ store: StoreConnection, _ serial: SerialNumber, _ name: String, _ contents: ImportSamples.Contents
    ) async throws -> (sensor: Int32, channel: Int16) {
        guard let sensor = try await store.sensorIDs(for: [serial])[serial] else {
            throw Failure(ExitStatus.failed, "\(serial) could not be made")
        }
        let known = try await store.channels(of: serial.text)
        if let channel = known.first(where: { $0.name == name }) { return (sensor, channel.channel) }
        // A number stands for a channel without a name.
        if let number = Int16(name), number >= 0 { return (sensor, number) }
        guard let number = try await store.channelNumbers(sensor: sensor, names: [name])[name] else {
            throw Failure(ExitStatus.failed, "\(serial) has no room for another channel")
        }
        if let header = contents.header {
            try await store.describe(sensor: sensor, channel: number, quantity: header.quantity, unit: header.unit)
        }
        return (sensor, number)
    }

    private func check(
        _ store: StoreConnection, _ sensor: Int32, _ channel: Int16, _ boot: Int64, _ contents: ImportSamples.Contents
    ) async throws {
        guard let first = contents.survey.first, let last = contents.survey.last else { return }
        if !overlap,
            let other = try await store.overlapping(sensor: sensor, channel: channel, first...last, except: boot)
        {
            throw Failure(
                ExitStatus.failed,
                "the sensor has other samples of the channel at that time, from \(other) on: --sensor stores it as "
                    + "another one's, --overlap all the same")
        }
        if let gone = try await store.measurementsGoneBefore(), first < gone {
            Talk.say("samples from before \(gone.short) UTC are older than measurement keeps them, and will be dropped")
        }
    }

    private func show(
        _ contents: ImportSamples.Contents, _ serial: SerialNumber, _ channel: String,
        _ summary: ImportSamples.Summary?
    ) throws {
        let survey = contents.survey
        let value = Value.record([
            "sensor": .text(serial.text), "channel": .text(channel), "samples": .integer(Int64(survey.samples)),
            "stored": .integer(Int64(summary?.stored ?? 0)), "duplicates": .integer(Int64(summary?.duplicates ?? 0)),
            "rows": .integer(Int64(survey.runs)), "from": .time(survey.first), "to": .time(survey.last),
            "gaps": .integer(Int64(survey.gaps)), "gap_seconds": .number(Double(survey.gapNanoseconds) / 1e9),
        ])
        try output.show(value) { _, style in
            Table(
                columns: [
                    .text("SENSOR"), .text("CHANNEL"), .number("SAMPLES"), .number("STORED"), .number("DUPLICATES"),
                    .number("GAPS"), .text("FROM"),
                ],
                rows: [
                    [Cell(serial.text), Cell(channel)]
                        + [survey.samples, summary?.stored ?? 0, summary?.duplicates ?? 0, survey.gaps]
                        .map { Cell(String($0)) } + [Cell(survey.first?.short ?? "-")]
                ]
            ).text(wide: true, style)
        }
    }
}
