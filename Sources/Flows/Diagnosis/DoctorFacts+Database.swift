internal import Model
internal import Store
internal import Time

/// What the doctor finds of the database: connection, extension, schema, clocks, rollups, retention, growth.
extension DoctorFacts {
    var databaseFindings: [Finding] {
        [databaseFinding, timescaleFinding, schemaFinding] + clockFindings
    }

    private var databaseFinding: Finding {
        if let server = server.value {
            if server.versionNumber < Self.versionMin {
                return .problem(
                    "database", "PostgreSQL \(server.version) at \(databasePlace) is too old",
                    fix: "install PostgreSQL 17 or newer")
            }
            return .ok("database", "PostgreSQL \(server.version) at \(databasePlace)")
        }
        if isNothingSet { return .notChecked("database", because: "settings") }
        // The text of a failure begins with the place.
        if case .failed(let why) = server { return .problem("database", why, fix: databaseFix) }
        return unknown("database", server, databasePlace, fix: databaseFix)
            ?? .notChecked("database", because: "database")
    }

    private var databaseFix: String {
        if unset.contains("DATABASE_URL") {
            return "set DATABASE_URL=postgresql://user:password@host:5432/iot, or choose a context: iotctl context use"
        }
        if let databaseRefusal { return databaseRefusal.fix }
        if case .failed(let why) = server, why.contains("could not translate host name") {
            return "correct the host in DATABASE_URL: iotctl context show"
        }
        return "start PostgreSQL, or correct DATABASE_URL: iotctl context show"
    }

    private var timescaleFinding: Finding {
        guard let server = server.value else { return .notChecked("timescaledb", because: "database") }
        guard let version = server.timescale else {
            return .problem(
                "timescaledb", "this database does not have the extension",
                fix:
                    "CREATE EXTENSION timescaledb, as a superuser, in a server that loads it (shared_preload_libraries)"
            )
        }
        switch server.license {
        case "timescale": return .ok("timescaledb", "\(version), community edition")
        case "apache":
            return .ok("timescaledb", "\(version), Apache edition: without compression and continuous aggregates")
        default:
            return .warning(
                "timescaledb", "\(version), edition unknown",
                fix: "SHOW timescaledb.license should say apache or timescale")
        }
    }

    private var schemaFinding: Finding {
        if let finding = unknown("migrations", schema, "the schema", fix: "see the database's log") { return finding }
        guard let state = schema.value else { return .notChecked("migrations", because: "database") }
        func list(_ steps: [Int64]) -> String { steps.map { "\($0)" }.joined(separator: ", ") }
        if !state.changed.isEmpty {
            return .problem(
                "migrations", "step \(list(state.changed)) was applied with other statements than this program's",
                fix: "use a release that this database was made with, or restore the database")
        }
        if !state.missing.isEmpty {
            return .problem(
                "migrations", "step \(list(state.missing)) is missing", fix: "\(Self.startRegistry) of this release")
        }
        if !state.functions.isEmpty {
            return .problem(
                "migrations",
                "functions of \(state.functions.sorted().joined(separator: ", ")) are not this program's",
                fix: "\(Self.startRegistry) of this release")
        }
        if !state.newer.isEmpty || state.hasNewerFunctions {
            let what = state.newer.isEmpty ? "its functions" : "step \(list(state.newer))"
            return .warning(
                "migrations", "the database is newer than this program: \(what)", fix: "update iotctl and the services")
        }
        return .ok("migrations", "all \(Migrations.all.count) steps and the functions are applied")
    }

    private var clockFindings: [Finding] {
        let echoCause = echo.value.map { $0.blocked == nil ? "stamp" : "publishes" } ?? self.echoCause
        return [
            ("database_clock", "the database's clock", databaseOffset, "database"),
            ("broker_clock", "the broker's clock", echo.value?.offset, echoCause),
        ].map { check, whose, offset, cause in
            guard let offset else { return .notChecked(check, because: cause) }
            let size = max(0, abs(offset.seconds) - offset.uncertainty)
            let text =
                "\(whose) is \(Self.format(abs(offset.seconds))) \(offset.seconds < 0 ? "behind" : "ahead of") this machine's"
            if size < Self.offsetWarning { return .ok(check, "\(text), \u{B1}\(Self.format(offset.uncertainty))") }
            let fix = "let both machines keep time by NTP: timedatectl, chronyc tracking"
            return size < Self.offsetProblem ? .warning(check, text, fix: fix) : .problem(check, text, fix: fix)
        }
    }

    /// Rollups are normally two to three minutes behind; a larger lag is a warning, in seconds.
    static let rollupLagWarning = 900.0
    /// Fewer days until the database's disk is full are a warning or a problem.
    static let daysLeft = (warning: 30.0, problem: StorageForecast.daysLeftMin)

    var upkeepFindings: [Finding] {
        guard let upkeep = upkeep.value else {
            let names = ["rollups", "kept", "growth"]
            return names.compactMap { unknown($0, self.upkeep, "the store's upkeep", fix: "see the database's log") }
        }
        var findings: [Finding] = []
        switch upkeep.rollups.seconds {
        case nil: findings.append(.ok("rollups", "nothing to roll up yet"))
        case let lag? where lag > Self.rollupLagWarning:
            let finding = Finding.warning(
                "rollups", "the newest minute that is rolled up ended \(Self.format(lag)) ago",
                fix: "see sensor-registry's log; minutes wait while a partition has no ingester or catches up")
            findings.append(storingStopped.map { finding.following($0) } ?? finding)
        case let lag?: findings.append(.ok("rollups", "\(Self.format(lag)) behind"))
        }
        let overdue = upkeep.policies.filter(\.isOverdue)
        if let worst = overdue.max(by: { $0.overdue < $1.overdue }) {
            let more = overdue.count > 1 ? ", and \(overdue.count - 1) more" : ""
            findings.append(
                .problem(
                    "kept",
                    "\(worst.tier.rawValue) should have been dropped \(Self.format(worst.overdue.seconds)) ago\(more)",
                    fix: "see sensor-registry's log; on the community edition timescaledb_information.job_errors"))
        } else {
            findings.append(.ok("kept", "no data is overdue for dropping"))
        }
        findings.append(growthFinding(upkeep.forecast))
        return findings
    }

    private func growthFinding(_ forecast: StorageForecast) -> Finding {
        let fix = "add disk space, or keep less: iotctl report storage, iotctl set policies"
        guard let growth = forecast.bytesPerDay else {
            return .ok("growth", "known when sensor-registry has run for two hours")
        }
        let rate = "\((growth / 1e8).rounded() / 10) GB a day"
        guard let days = forecast.daysLeft else { return .ok("growth", rate) }
        let text = "\(rate): the database's disk is full in \(Int(days)) days"
        if days < Self.daysLeft.problem { return .problem("growth", text, fix: fix) }
        return days < Self.daysLeft.warning ? .warning("growth", text, fix: fix) : .ok("growth", text)
    }
}
