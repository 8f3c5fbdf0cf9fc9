internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store

/// `iotctl rename sensor OLD NEW`
struct RenameSensor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor",
        abstract: "Gives a sensor another serial number; its history stays with it.",
        discussion: """
            Examples:
              iotctl rename sensor lab-1 press-4

            Samples, alarms, ended commands, quarantined payloads, tags, desired
            properties and the target stay with the sensor. Only the database changes:
            the device must get the new serial number too, and a login for it. What it
            sends under the old one makes a new sensor with the old serial number.

            Exit codes: 0 renamed; 1 the new serial number is taken; 2 no such sensor; 64
            wrong usage; 69 unreachable; 77 refused.
            """,
        aliases: ["sensors"])

    @Argument(help: ArgumentHelp("The sensor's serial number.", valueName: "sensor"), completion: .sensors)
    var old: String

    @Argument(help: ArgumentHelp("Its new serial number: 1 to 64 of A-Z a-z 0-9 _ -.", valueName: "new"))
    var new: String

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard SerialNumber(new) != nil else {
            throw ValidationError("not a serial number: \(new); expected 1 to 64 of A-Z a-z 0-9 _ -")
        }
        guard old != new else { throw ValidationError("both serial numbers are \(new)") }
    }

    func run() async throws {
        try await perform {
            let store = try Connections().acting().store()
            let name = try await store.requireOne(old)
            guard let old = SerialNumber(name), let new = SerialNumber(new) else { return }
            let isOnline = try await store.twins(of: [name]).first?.presence == "online"
            do {
                let action = try await store.renameSensor(old, to: new, issuer: CommandOptions.issuer)
                try output.show(RenamedSensorView(sensor: new.text, was: action.serial)) { _, _ in
                    "\(action.serial) renamed to \(new)\n"
                }
            } catch let conflict as RenameConflict { throw try await failure(conflict, name, store) }
            if isOnline {
                Talk.say("\(name) is online; what it sends under the old serial number makes a new sensor \(name)")
            }
            await store.close()
        }
    }

    private func failure(_ conflict: RenameConflict, _ name: String, _ store: StoreConnection) async throws -> Failure {
        switch conflict {
        case .noSensor: try await store.notFound([name])
        case .exists: Failure(ExitStatus.failed, "sensor \(new) exists; delete or rename it first")
        case .hasHistory:
            Failure(
                ExitStatus.failed,
                "a deleted sensor \(new) has a history; iotctl delete sensor \(new) --with-history deletes it")
        }
    }
}
