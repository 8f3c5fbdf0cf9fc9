internal import Archive
internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store

/// `iotctl quarantine replay`
struct QuarantineReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Stores payloads that can be stored now, and removes them from quarantine.",
        discussion: """
            Examples:
              iotctl quarantine replay 17 18
              iotctl quarantine replay --reason newer_schema --dry-run
              iotctl quarantine replay --all
              iotctl quarantine replay 17 --as-sensor lab-1

            Frames (keys sensor_<serial>.data) are stored and removed from quarantine in
            one transaction. A frame that is already stored is not stored again: its
            outcome is duplicate. A frame's time is checked against its time of arrival.
            Replayed frames raise no alarms.

            Announcements, answers, log lines and alarms are published again under their
            key, and removed once the broker has confirmed them. If a replay is killed in
            between, a log line may be stored twice. Commands are not published, because a
            late command is dangerous. Announcements of sensors that are offline or have
            announced themselves since are not published either: they would be taken for
            new ones.

            A payload with a mistyped key is replayed with --as-sensor, which gives its
            sensor. It is taken as a frame unless the last word of the key is registry,
            acks or logs.

            A payload that still cannot be stored stays in quarantine. The reason is
            printed on standard error, and the exit code is 1.
            """)

    @OptionGroup var selection: QuarantineSelection

    @Option(help: ArgumentHelp("Store the payloads for this sensor, regardless of their keys.", valueName: "serial"))
    var asSensor: String?

    @Flag(help: "Change nothing; show the outcome of each payload.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard asSensor.map({ SerialNumber($0) != nil }) != false else {
            throw ValidationError(
                "not a serial number: --as-sensor \(asSensor ?? ""); expected 1 to 64 of A-Z a-z 0-9 _ -")
        }
    }

    func run() async throws {
        try await perform {
            let connections = try Connections().acting(unless: dryRun)
            let store = connections.store()
            let replay = ReplayQuarantine(
                store, as: asSensor.flatMap { SerialNumber($0) }, dryRun: dryRun,
                openBroker: { try await connections.broker() })
            var results: [ReplayedRow] = []
            try await selection.forEachPage(in: store) { records in
                let outcomes = try await replay.replay(records)
                results += zip(records, outcomes).map { ReplayedRow($0, $1) }
            }
            await store.close()
            try output.show(results.map(\.view)) { wide, style in
                results.isEmpty ? "" : Self.table(results).text(wide: wide, style)
            }
            if results.isEmpty { Talk.say("no payload in quarantine matches") }
            let kept = results.filter { $0.view.isKept }
            for result in kept {
                Talk.say("\(result.record.id) (\(result.record.key)) stays in quarantine: \(result.view.reason)")
            }
            if !kept.isEmpty { throw Failure(ExitStatus.failed) }
        }
    }

    private static func table(_ results: [ReplayedRow]) -> Table {
        Table(
            columns: [
                .number("ID"), .name("SENSOR"), .text("OUTCOME"), .number("SAMPLES"), .wide("KEY"), .wide("REASON"),
            ], expendable: ["SAMPLES"],
            rows: results.map {
                [
                    Cell(String($0.record.id)), Cell($0.record.origin),
                    Cell($0.view.outcome, $0.view.isKept ? .bad : .plain),
                    Cell($0.view.samples.map { String($0) }), Cell($0.record.key), Cell($0.view.reason),
                ]
            })
    }
}

/// A payload and the outcome of its replay.
private struct ReplayedRow {
    let record: QuarantineRecord
    let view: ReplayedPayloadView

    init(_ record: QuarantineRecord, _ outcome: ReplayQuarantine.Outcome) {
        self.record = record
        view = ReplayedPayloadView(record, outcome)
    }
}
