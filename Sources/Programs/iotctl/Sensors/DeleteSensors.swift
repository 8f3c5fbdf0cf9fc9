internal import ArgumentParser
internal import Postgres
internal import Records
internal import Service
internal import Store

/// `iotctl delete sensor SENSOR…|-l SELECTOR|--all`
struct DeleteSensors: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor",
        abstract: "Deletes sensors from every list, with their histories or without.",
        usage: """
            iotctl delete sensor <sensor> ... [<options>]
            iotctl delete sensor -l <selector>|--all [<options>]
            """,
        discussion: """
            Examples:
              iotctl delete sensor lab-1
              iotctl delete sensor 'test-*' --with-history
              iotctl delete sensor -l hall=3,presence=offline --dry-run

            A deleted sensor loses its tags, desired properties and target. Its active
            alarms are cleared, its open commands cancelled. By default its history stays:
            export, plot, spectrum and the SQL functions read it by the serial number.
            --with-history deletes samples, rollups, positions, log lines, alarms,
            commands, quarantined payloads and losses too, also of a sensor that was
            deleted before; give its serial number, because globs do not match deleted
            sensors. If that is interrupted, sensor-registry completes it.

            Switch the device off first. A deleted sensor that sends something is a sensor
            again: a new one, with the history that was kept. iotctl get actions shows who
            deleted what.

            Exit codes: 0 deleted; 1 failed or not confirmed; 2 no such sensor; 64 wrong
            usage; 69 unreachable; 77 refused.
            """,
        aliases: ["sensors"])

    @Argument(help: ArgumentHelp("Serial numbers or globs.", valueName: "sensor"), completion: .sensors)
    var words: [String] = []

    @OptionGroup var selection: SensorSelection

    @Flag(help: "Delete the histories of the sensors too, permanently.")
    var withHistory = false

    @OptionGroup var output: OutputOptions

    func validate() throws { try selection.check(words) }

    func run() async throws {
        try await perform {
            let command = self
            try await Interrupts.cancelling { try await command.delete() }
        }
    }

    private func delete() async throws {
        let store = try Connections().acting(unless: selection.dryRun).store()
        let (serials, unfinished) = try await chosen(in: store)
        if selection.dryRun {
            try show(serials.map { DeletedSensorView(sensor: $0, isHistoryDeleted: withHistory, rowsDeleted: 0) })
            return Talk.say("dry run: \(serials.count.sensors) would be deleted; nothing was deleted")
        }
        let here = try await store.twins(of: serials).filter { $0.presence == "online" }.map(\.serial)
        let warnings = here.isEmpty ? [] : [Self.warning(of: here)]
        var isWarned = false
        if !serials.isEmpty {
            isWarned = try selection.confirmation.require(
                for: "delete \(serials.count == 1 ? serials[0] : serials.count.sensors) "
                    + (withHistory ? "permanently, with all samples and records" : "and keep what is stored"),
                notes: warnings)
        }
        let actions = try await store.deleteSensors(serials, withHistory: withHistory, issuer: CommandOptions.issuer)
        if withHistory { try await deleteHistories(unfinished + actions, in: store) }
        let records = try await store.operatorActions(withNumbers: (unfinished + actions).map(\.id))
        try show(records.map(DeletedSensorView.init))
        if !isWarned { for warning in warnings { Talk.say(warning) } }
        await store.close()
    }

    /// The sensors to delete, and deletions of histories that were begun and not completed.
    private func chosen(in store: StoreConnection) async throws -> (serials: [String], unfinished: [OperatorAction]) {
        if words.isEmpty { return (try await selection.serials(words, in: store), []) }
        var (serials, unknown) = try await store.sensors(named: words)
        var unfinished: [OperatorAction] = []
        if withHistory, !unknown.isEmpty {
            let deleted = try await store.deletedSensors(among: unknown)
            unfinished = try await store.unfinishedDeletions(of: unknown)
            serials += deleted
            unknown.removeAll { word in deleted.contains(word) || unfinished.contains { $0.serial == word } }
        }
        if !unknown.isEmpty { throw try await store.notFound(unknown) }
        return (serials, unfinished)
    }

    private func deleteHistories(_ actions: [OperatorAction], in store: StoreConnection) async throws {
        var line = ProgressLine()
        defer { line.clear() }
        do {
            for action in actions {
                try await store.deleteHistory(of: action.id) { rows in
                    line.show("\(action.serial): \(rows) rows deleted")
                }
            }
        } catch is CancellationError {
            line.clear()
            throw Failure(
                ExitStatus.failed, "interrupted: the sensors are deleted; sensor-registry deletes what remains of them")
        }
    }

    private static func warning(of online: [String]) -> String {
        online.count == 1
            ? "\(online[0]) is online; what it sends next makes it a sensor again"
            : "\(online.count.sensors) are online; what they send next makes them sensors again"
    }

    // MARK: output

    private func show(_ views: [DeletedSensorView]) throws {
        try output.show(views) { wide, style in
            Table(
                columns: [.name("SENSOR"), .text("HISTORY"), .number("ROWS DELETED")],
                rows: views.map {
                    [
                        Cell($0.sensor), Cell($0.isHistoryDeleted ? "deleted" : "kept"),
                        Cell($0.isHistoryDeleted ? String($0.rowsDeleted) : nil),
                    ]
                }
            ).text(wide: wide, style)
        }
    }
}
