internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl quarantine replay`
struct QuarantineReplay: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Stores what can be stored by now, once, and takes it out of quarantine.",
        discussion: """
            Examples:
              iotctl quarantine replay 17 18
              iotctl quarantine replay --reason newer_schema --dry-run
              iotctl quarantine replay --all
              iotctl quarantine replay 17 --as-sensor lab-1

            Frames (keys sensor_<serial>.data) are stored, and their rows here deleted, in one
            transaction: two replays at once store them once, and a frame that is stored already
            is not stored again (duplicate). Their time is judged as of their arrival. They raise
            no alarms.

            Announcements, answers, log lines and alarms are published again under their key; once
            the broker has confirmed them their rows are deleted. Of two replays at once one does
            it; after one that was killed in between, a log line may be written twice. Commands are
            not published: a late one is dangerous. Nor are announcements of sensors that are
            offline or were heard of since: they would be taken as said now.

            What had a mistyped key is replayed with --as-sensor, which says whose it is: as a
            frame, unless the key's last word is registry, acks or logs.

            What still can't be stored stays, with the reason on stderr, and the exit code is 1.
            """)

    /// Which.
    @OptionGroup var selection: QuarantineSelection

    /// Whose they are.
    @Option(help: ArgumentHelp("Take them as this sensor's, whatever their keys say.", valueName: "serial"))
    var asSensor: String?

    /// Only say it.
    @Flag(help: "Change nothing; say what would become of them.")
    var dryRun = false

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what is no serial number.
    func validate() throws {
        guard asSensor.map({ SerialNumber($0) != nil }) != false else {
            throw ValidationError("--as-sensor is a serial number: 1 to 64 of A-Z a-z 0-9 _ -")
        }
    }

    /// Replays them.
    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let replay = ReplayQuarantine(
                store, as: asSensor.flatMap { SerialNumber($0) }, dryRun: dryRun,
                openBroker: { try await Connections().broker() })
            var results: [Result] = []
            try await selection.forEachPage(in: store) { records in
                let outcomes = try await replay.replay(records)
                results += zip(records, outcomes).map { Result(record: $0, outcome: $1) }
            }
            await store.close()
            try output.show(.list(results.map(\.value))) { wide, style in
                results.isEmpty ? "" : Self.table(results).text(wide: wide, style)
            }
            if results.isEmpty { Talk.say("nothing in quarantine fits") }
            for case (let record, .kept(let reason)) in results.map({ ($0.record, $0.outcome) }) {
                Talk.say("\(record.id) (\(record.key)) stays: \(reason)")
            }
            if results.contains(where: \.isKept) { throw Failure(ExitStatus.failed) }
        }
    }

    private static func table(_ results: [Result]) -> Table {
        Table(
            columns: [
                .number("ID"), .text("SENSOR"), .text("OUTCOME"), .number("SAMPLES"), .wide("KEY"), .wide("REASON"),
            ],
            rows: results.map {
                [
                    Cell(String($0.record.id)), Cell($0.record.whose), Cell($0.word, $0.isKept ? .bad : .plain),
                    Cell($0.samples.map { String($0) }), Cell($0.record.key), Cell($0.reason),
                ]
            })
    }
}

/// What became of a row.
private struct Result {
    let record: QuarantineRecord
    let outcome: ReplayQuarantine.Outcome

    var isKept: Bool {
        if case .kept = outcome { true } else { false }
    }

    var word: String {
        switch outcome {
        case .stored: "stored"
        case .duplicate: "duplicate"
        case .published: "published"
        case .gone: "gone"
        case .kept: "kept"
        }
    }

    var samples: Int? {
        if case .stored(let samples) = outcome { samples } else { nil }
    }

    var reason: String {
        if case .kept(let reason) = outcome { reason } else { "" }
    }

    /// docs/iotctl-json.md, "replayed payload".
    var value: Value {
        var key = record.key
        if case .published(let published) = outcome { key = published }
        return .record([
            "id": .integer(record.id), "sensor": .text(record.serial), "routing_key": .text(key),
            "outcome": .text(word), "samples": .integer(samples.map(Int64.init)), "reason": .text(reason),
        ])
    }
}
