internal import Broker
internal import Sensors
internal import Store
internal import Wire

/// What the facts mean, and what to do about it. Pure.
extension DoctorFacts {
    /// Clocks may differ so much before somebody should look.
    static let offsetWarning = 1.0
    /// From here on times in the database are wrong by minutes.
    static let offsetProblem = 60.0
    /// PostgreSQL 17: transactions have a time limit there.
    static let versionMin: Int64 = 170_000

    private static let startRegistry = "start sensor-registry: it makes what is missing"
    private static let importPolicies =
        "import broker/definitions.json: rabbitmqctl import_definitions, or POST it to /api/definitions/<vhost>"

    /// All findings, the broker first.
    var diagnosis: Diagnosis {
        let findings =
            brokerFindings + databaseFindings + serviceFindings + partitionFindings + waitingFindings + upkeepFindings
            + diskFindings
        return Diagnosis(findings: findings, isAnybodyThere: broker.value != nil || server.value != nil)
    }

    /// What to say of something that is not known; nil if it is.
    private func unknown<Value>(_ check: String, _ fact: Fact<Value>, _ what: String, fix: String) -> Finding? {
        switch fact {
        case .known: nil
        case .failed(let why): .problem(check, "\(what): \(why)", fix: fix)
        case .tooSlow(let limit):
            .problem(check, "\(what): no answer within \(limit.seconds) s", fix: "\(fix); or wait longer: --timeout")
        case .notAsked(let why):
            switch why {
            case "set MANAGEMENT_URL":
                .notChecked(check, why, fix: "MANAGEMENT_URL=http://user:password@host:15672")
            case "no connection": .notChecked(check, why, fix: "see broker and database")
            default: .notChecked(check, "\(what): \(why)", fix: fix)
            }
        }
    }

    // MARK: broker

    private var brokerFindings: [Finding] {
        var findings: [Finding] = []
        if let product = broker.value {
            findings.append(.ok("broker", "\(product) at \(brokerPlace)"))
        } else {
            let fix =
                isBrokerRefused
                ? "correct user, password and virtual host in AMQP_URL, or rabbitmqctl add_user and set_permissions"
                : "start RabbitMQ, or correct AMQP_URL: iotctl context show"
            if let finding = unknown("broker", broker, brokerPlace, fix: fix) { findings.append(finding) }
        }
        findings += [publishFinding, exchangeFinding, queueFinding, streamFinding, bindingFinding, policyFinding]
        findings += [accessFinding, permissionFinding, stampFinding]
        return findings
    }

    private var publishFinding: Finding {
        let fix = "rabbitmq-diagnostics status shows alarms: free disk or memory of the broker"
        if let finding = unknown("publishes", echo, "the broker takes publishes", fix: fix) { return finding }
        if let reason = echo.value?.blocked {
            return .problem("publishes", "the broker blocks publishers: \(reason)", fix: fix)
        }
        return .ok("publishes", "the broker takes them and confirms")
    }

    /// What several things of one kind come to.
    private func together(
        _ check: String, _ items: [(name: String, fact: Fact<Item>)], _ kind: String
    ) -> Finding {
        var missing: [String] = []
        for (name, fact) in items {
            switch fact {
            case .known(let item):
                switch item.presence {
                case .there: break
                case .missing: missing.append(name)
                case .different(let words):
                    return .problem(
                        check, "\(name) is not as it should be: \(words)",
                        fix: "delete it when it is empty, and restart sensor-registry, which makes it anew")
                }
            case .failed, .tooSlow, .notAsked:
                if let finding = unknown(check, fact, name, fix: "see broker above") { return finding }
            }
        }
        if !missing.isEmpty {
            return .problem(check, "missing: \(missing.joined(separator: ", "))", fix: Self.startRegistry)
        }
        return .ok(check, "\(items.count) \(kind), all there")
    }

    private var exchangeFinding: Finding {
        if exchanges.isEmpty { return .notChecked("exchanges", "no connection", fix: "see broker above") }
        return together("exchanges", exchanges, "exchanges with their alternate exchanges")
    }

    private var queueFinding: Finding {
        if queues.isEmpty { return .notChecked("queues", "no connection", fix: "see broker above") }
        return together("queues", queues, "queues")
    }

    private var streamFinding: Finding {
        guard let count = partitionCount.value else {
            return .notChecked("streams", "the database does not say how many", fix: "see database below")
        }
        guard let count else {
            return .problem("streams", "the number of partitions is not fixed yet", fix: Self.startRegistry)
        }
        if streams.isEmpty { return .notChecked("streams", "no connection", fix: "see broker above") }
        let finding = together("streams", streams, "streams, as many as the database says")
        if finding.result == .ok, isStreamTooMany.value == true {
            return .problem(
                "streams", "the broker has a stream \(Routing.stream(count)), but the database has \(count) partitions",
                fix: "AMQP_URL and DATABASE_URL belong to different systems: iotctl context show")
        }
        return finding
    }

    private var bindingFinding: Finding {
        if let finding = unknown(
            "bindings", bindings, "the management API", fix: "correct MANAGEMENT_URL, or enable rabbitmq_management")
        {
            return finding
        }
        let wanted = Topology.sensorStreaming(partitions: (partitionCount.value ?? nil) ?? 0).bindings
        let missing = wanted.filter { bindings.value?.contains(ManagementAPI.Binding($0)) != true }
        guard let first = missing.first.map(ManagementAPI.Binding.init) else {
            return .ok("bindings", "\(wanted.count) bindings, all there")
        }
        let more = missing.count > 1 ? " and \(missing.count - 1) more" : ""
        return .problem(
            "bindings", "missing: \(first.source) to \(first.destination) by '\(first.routingKey)'\(more)",
            fix: Self.startRegistry)
    }

    private var policyFinding: Finding {
        if let finding = unknown(
            "policies", policies, "the management API", fix: "correct MANAGEMENT_URL, or enable rabbitmq_management")
        {
            return finding
        }
        let queues = Dictionary(
            (policies.value ?? []).map { ($0.name, $0.effectivePolicyDefinition) },
            uniquingKeysWith: { first, _ in first })
        if !queues.keys.contains(Routing.registryQueue) {
            return .notChecked("policies", "the queues are missing", fix: Self.startRegistry)
        }
        for name in [Routing.registryQueue, Routing.logsQueue, Routing.alarmsQueue] {
            guard let queue = queues[name] else { continue }
            if queue?.deadLetterExchange != Routing.deadExchange {
                return .problem(
                    "policies", "\(name) has no dead-letter exchange: what can't be read there vanishes",
                    fix: Self.importPolicies)
            }
        }
        if let alarms = queues[Routing.alarmsQueue], alarms?.overflow != "reject-publish" {
            return .problem(
                "policies", "alarms drops its oldest when it is full", fix: Self.importPolicies)
        }
        for (name, _) in streams {
            guard let stream = queues[name] else { continue }
            if stream?.maxLengthBytes == nil {
                return .problem(
                    "policies", "\(name) has no limit of its size: it fills the broker's disk", fix: Self.importPolicies
                )
            }
        }
        for name in [Routing.unroutedQueue, Routing.deadQueue] {
            guard let queue = queues[name] else { continue }
            if queue?.maxLengthBytes == nil {
                return .warning("policies", "\(name) has no limit of its size", fix: Self.importPolicies)
            }
        }
        return .ok("policies", "dead letters and limits are in force")
    }

    private var accessFinding: Finding {
        let fix = "rabbitmqctl set_permissions -p '\(virtualHost)' '\(user)' '.*' '.*' '.*'"
        if let finding = unknown("access", access, "\(user) may publish and read", fix: fix) { return finding }
        return .ok("access", "\(user) may publish to \(Routing.exchange) and read from it")
    }

    private var permissionFinding: Finding {
        if let finding = unknown(
            "permissions", permission, "the management API",
            fix: "its user must be an administrator, or look by rabbitmqctl list_permissions")
        {
            return finding
        }
        let fix = "rabbitmqctl set_permissions -p '\(virtualHost)' '\(user)' '.*' '.*' '.*'"
        guard case .known(let permission?) = permission else {
            return .problem("permissions", "\(user) has no rights in virtual host \(virtualHost)", fix: fix)
        }
        let topology = Topology.sensorStreaming(partitions: (partitionCount.value ?? nil) ?? 1)
        let exchanges = topology.exchanges.map(\.name)
        let queues = topology.queues.map(\.name)
        let wanted = [
            ("configure", permission.configure, exchanges + queues), ("write", permission.write, exchanges + queues),
            ("read", permission.read, exchanges + queues),
        ]
        for (verb, pattern, names) in wanted {
            guard let regex = try? Regex(pattern.isEmpty ? "^$" : pattern) else {
                return .notChecked(
                    "permissions", "the pattern '\(pattern)' can't be read",
                    fix: "rabbitmqctl list_permissions -p '\(virtualHost)'")
            }
            if let name = names.first(where: { (try? regex.firstMatch(in: $0)) == nil }) {
                return .warning(
                    "permissions", "\(user) may not \(verb) \(name), as the services must if it is theirs", fix: fix)
            }
        }
        return .ok("permissions", "\(user) may make, write and read all exchanges and queues")
    }

    private var stampFinding: Finding {
        let line = "message_interceptors.incoming.set_header_timestamp.overwrite = true"
        guard let echo = echo.value, echo.blocked == nil, echo.isBack else {
            return .notChecked("stamp", "no message came back", fix: "see publishes above")
        }
        guard echo.offset != nil else {
            return .problem(
                "stamp", "the broker does not stamp messages with their time of arrival",
                fix: "put '\(line)' into rabbitmq.conf and restart RabbitMQ")
        }
        return .ok("stamp", "the broker stamps messages with their time of arrival")
    }

    // MARK: database

    private var databaseFindings: [Finding] {
        var findings: [Finding] = []
        let fix =
            isDatabaseRefused
            ? "correct user, password and database in DATABASE_URL"
            : "start PostgreSQL, or correct DATABASE_URL: iotctl context show"
        if let server = server.value {
            if server.versionNumber < Self.versionMin {
                findings.append(
                    .problem(
                        "database", "PostgreSQL \(server.version) at \(databasePlace) is too old",
                        fix: "install PostgreSQL 17 or newer"))
            } else {
                findings.append(.ok("database", "PostgreSQL \(server.version) at \(databasePlace)"))
            }
            findings.append(timescaleFinding(server))
        } else {
            if case .failed(let why) = server {
                findings.append(.problem("database", why, fix: fix))
            } else if let finding = unknown("database", server, databasePlace, fix: fix) {
                findings.append(finding)
            }
            findings.append(.notChecked("timescaledb", "no connection", fix: "see database above"))
        }
        return findings + [schemaFinding] + clockFindings
    }

    private func timescaleFinding(_ server: ServerRecord) -> Finding {
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
        if let finding = unknown("migrations", schema, "the schema", fix: "see database above") { return finding }
        guard let state = schema.value else { return .notChecked("migrations", "no answer", fix: "see database above") }
        func list(_ steps: [Int64]) -> String { steps.map { "\($0)" }.joined(separator: ", ") }
        if !state.changed.isEmpty {
            return .problem(
                "migrations", "step \(list(state.changed)) was applied with other statements than this program's",
                fix: "use a release that this database was made with, or restore the database")
        }
        if !state.missing.isEmpty {
            return .problem(
                "migrations", "step \(list(state.missing)) is missing", fix: "start sensor-registry of this release")
        }
        if !state.newer.isEmpty {
            return .warning(
                "migrations", "the database is newer than this program: step \(list(state.newer))",
                fix: "update iotctl and the services")
        }
        return .ok("migrations", "all \(Migrations.all.count) steps are applied")
    }

    private var clockFindings: [Finding] {
        [
            ("database_clock", "the database's clock", databaseOffset, server.value != nil),
            ("broker_clock", "the broker's clock", echo.value?.offset, echo.value?.offset != nil),
        ].map { check, whose, offset, isThere in
            guard isThere, let offset else { return .notChecked(check, "\(whose): no answer", fix: "see above") }
            let size = max(0, abs(offset.seconds) - offset.uncertainty)
            let text =
                "\(whose) is \(Self.form(abs(offset.seconds))) \(offset.seconds < 0 ? "behind" : "ahead of") this machine's"
            if size < Self.offsetWarning { return .ok(check, "\(text), \u{B1}\(Self.form(offset.uncertainty))") }
            let fix = "let both machines keep time by NTP: timedatectl, chronyc tracking"
            return size < Self.offsetProblem ? .warning(check, text, fix: fix) : .problem(check, text, fix: fix)
        }
    }

    /// "12 ms", "3.4 s", "5 min", "2.0 h", "3.0 d".
    static func form(_ seconds: Double) -> String {
        func oneDigit(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
        switch seconds {
        case ..<0.9995: return "\(Int((seconds * 1000).rounded())) ms"
        case ..<90: return "\(oneDigit(seconds)) s"
        case ..<5400: return "\(Int((seconds / 60).rounded())) min"
        case ..<172_800: return "\(oneDigit(seconds / 3600)) h"
        default: return "\(oneDigit(seconds / 86_400)) d"
        }
    }

    // MARK: services

    private func consumers(_ queue: String) -> Int? {
        let fact = queues.first { $0.name == queue }?.fact
        guard let item = fact?.value, item.presence == .there else { return nil }
        return item.consumers
    }

    private var serviceFindings: [Finding] {
        let services = [
            (
                "sensor-registry",
                [Routing.registryQueue, Routing.alarmsQueue, Routing.unroutedQueue, Routing.deadQueue]
            ), ("logs-ingester", [Routing.logsQueue]),
        ]
        var findings: [Finding] = services.map { service, queues in
            let counts = queues.map { ($0, consumers($0)) }
            if counts.contains(where: { $0.1 == nil }) {
                return .notChecked(service, "no figures of its queues", fix: "see broker and queues above")
            }
            let unread = counts.filter { $0.1 == 0 }.map(\.0)
            if unread.isEmpty { return .ok(service, "reads \(queues.joined(separator: ", "))") }
            return .problem(service, "nobody reads \(unread.joined(separator: ", "))", fix: "start \(service)")
        }
        if let finding = unknown("ingesters", replicas, "the replicas", fix: "see database above") {
            findings.append(finding)
        } else {
            let names = replicas.value ?? []
            findings.append(
                names.isEmpty
                    ? .problem("ingesters", "no measurements-ingester is alive", fix: "start measurements-ingester")
                    : .ok("ingesters", "\(names.count) alive: \(names.prefix(5).joined(separator: ", "))"))
        }
        return findings
    }

    // MARK: partitions

    private var partitionFindings: [Finding] {
        if let finding = unknown("partitions", partitions, "the partitions", fix: "see database above") {
            return [finding]
        }
        let all = partitions.value ?? []
        if all.isEmpty { return [.problem("partitions", "there are none yet", fix: Self.startRegistry)] }
        let free = all.filter { $0.owner == nil }
        var findings: [Finding] = []
        if free.isEmpty {
            let newest = all.compactMap(\.commitAge).min().map { ", newest commit \(Self.form($0.seconds)) ago" }
            findings.append(
                .ok("partitions", "\(all.count) of \(all.count) have an owner\(newest ?? ", nothing committed yet")"))
        } else {
            findings.append(
                .problem(
                    "partitions",
                    "nobody stores \(free.prefix(5).map(\.stream).joined(separator: ", "))\(free.count > 5 ? " …" : "")",
                    fix: "start measurements-ingester; a new owner takes over within \(StoreConnection.leaseSeconds) s")
            )
        }
        let lags = all.map(lagFinding)
        let bad = lags.filter { $0.result != .ok }
        if !bad.isEmpty { return findings + bad }
        let oldest = all.compactMap { readings[$0.stream]?.value?.oldestUnreadSeconds }.max()
        let text = oldest.map { "the oldest message that is not stored is \(Self.form($0)) old" } ?? "all is stored"
        if policies.value == nil {
            let missing = Finding.notChecked(
                "retention", "set MANAGEMENT_URL", fix: "MANAGEMENT_URL=http://user:password@host:15672")
            return findings + [.ok("lag", text), missing]
        }
        return findings + [.ok("lag", "\(text), far from the streams' retention")]
    }

    private func lagFinding(_ partition: PartitionState) -> Finding {
        let stream = partition.stream
        let fact = readings[stream] ?? .notAsked("not read")
        if let finding = unknown("lag", fact, stream, fix: "see broker and streams above") { return finding }
        guard let reading = fact.value else { return .notChecked("lag", stream, fix: "see broker above") }
        let queue = policies.value?.first { $0.name == stream }
        let definition = queue?.effectivePolicyDefinition
        var backlog = StreamBacklog(
            committed: partition.committed, first: reading.first,
            messages: queue?.messages ?? (reading.first == nil ? 0 : 1),
            oldestSeconds: reading.oldestUnreadSeconds,
            bytes: (queue?.segments ?? 0) * (definition?.segmentBytes ?? GuardStreams.segmentBytesDefault),
            secondsMax: definition?.maxAge.flatMap(StreamBacklog.seconds(maxAge:)), bytesMax: definition?.maxLengthBytes
        )
        let fix = "start more measurements-ingesters, or see why these don't keep up: their logs and /readyz"
        // A single offset may be the broker's own (decision 0007, 8).
        if backlog.lost > 1 {
            return .problem("lag", "\(stream): \(backlog.lost) messages were dropped before they were stored", fix: fix)
        }
        backlog.lost = 0
        // Figures of a stream are seconds old, so a message that was just read by us decides whether anything is unread.
        guard let age = reading.oldestUnreadSeconds else { return .ok("lag", "\(stream): all is stored") }
        let share = definition == nil ? nil : max(backlog.nearness, backlog.secondsMax.map { age / $0 } ?? 0)
        if let share, share >= StreamBacklog.nearFrom {
            return .problem(
                "lag", "\(stream): unread for \(Self.form(age)), at \(Int(share * 100)) % of its retention", fix: fix)
        }
        if age > 60 {
            return .warning(
                "lag", "\(stream): the oldest message that is not stored is \(Self.form(age)) old", fix: fix)
        }
        return .ok("lag", "\(stream): \(Self.form(age))")
    }

    // MARK: what waits for people

    private var waitingFindings: [Finding] {
        var findings: [Finding] = []
        if let finding = unknown("quarantine", quarantined, "the quarantine", fix: "see database above") {
            findings.append(finding)
        } else {
            let count = quarantined.value ?? 0
            findings.append(
                count == 0
                    ? .ok("quarantine", "empty")
                    : .warning(
                        "quarantine", "\(count) payload\(count == 1 ? "" : "s") could not be stored",
                        fix: "iotctl quarantine ls shows why, replay tries again, drop throws away"))
        }
        for name in [Routing.unroutedQueue, Routing.deadQueue] {
            guard let item = queues.first(where: { $0.name == name })?.fact.value, item.presence == .there else {
                findings.append(.notChecked(name, "no figures", fix: "see queues above"))
                continue
            }
            if item.messages == 0 {
                findings.append(.ok(name, "nothing waits"))
            } else if item.consumers > 0 {
                findings.append(
                    .warning(
                        name, "\(item.messages) messages wait for sensor-registry to take them to quarantine",
                        fix: "look again; if they don't become fewer, see sensor-registry's log"))
            } else {
                findings.append(
                    .problem(name, "\(item.messages) messages wait and nobody takes them", fix: "start sensor-registry")
                )
            }
        }
        return findings
    }

    /// Rollups are two to three minutes behind; from here on somebody should look, in seconds.
    static let rollupLagWarning = 900.0
    /// Fewer days until the database's disk is full are a warning, and a problem.
    static let daysLeft = (warning: 30.0, problem: TendStore.daysLeftMin)

    private var upkeepFindings: [Finding] {
        guard let upkeep = upkeep.value else {
            return unknown("rollups", self.upkeep, "the store's upkeep", fix: "see database above").map { [$0] } ?? []
        }
        var findings: [Finding] = []
        switch upkeep.rollups.seconds {
        case nil: findings.append(.ok("rollups", "nothing to roll up yet"))
        case let lag? where lag > Self.rollupLagWarning:
            findings.append(
                .warning(
                    "rollups", "the newest minute that is rolled up ended \(Self.form(lag)) ago",
                    fix: "see sensor-registry's log; minutes wait while a partition has no ingester or catches up"))
        case let lag?: findings.append(.ok("rollups", "\(Self.form(lag)) behind"))
        }
        let overdue = upkeep.policies.filter(\.isOverdue)
        if let worst = overdue.max(by: { $0.overdue < $1.overdue }) {
            let more = overdue.count > 1 ? ", and \(overdue.count - 1) more" : ""
            findings.append(
                .problem(
                    "kept",
                    "\(worst.tier.rawValue) should have been dropped \(Self.form(worst.overdue.seconds)) ago\(more)",
                    fix: "see sensor-registry's log; on the community edition timescaledb_information.job_errors"))
        } else {
            findings.append(.ok("kept", "nothing is there that should be gone"))
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

    private var diskFindings: [Finding] {
        if let finding = unknown(
            "disk", disks, "the management API",
            fix: "correct MANAGEMENT_URL; its user needs the tag monitoring")
        {
            return [finding]
        }
        func gigabytes(_ bytes: Int64) -> String { "\((Double(bytes) / 1e8).rounded() / 10) GB" }
        guard
            let disk = disks.value?.min(by: {
                Double($0.free) / Double(max(1, $0.limit)) < Double($1.free) / Double(max(1, $1.limit))
            })
        else { return [.notChecked("disk", "no node says", fix: "rabbitmq-diagnostics status")] }
        let text = "\(gigabytes(disk.free)) free at \(disk.node), publishers are blocked below \(gigabytes(disk.limit))"
        if disk.free < disk.limit {
            return [.problem("disk", text, fix: "free or add disk space at the broker")]
        }
        if case .known(let bytes?) = cutBytes {
            return [
                .warning(
                    "disk", "\(text); streams are cut to \(gigabytes(bytes)) each until there is more",
                    fix: "free or add disk space at the broker")
            ]
        }
        if disk.free < 2 * disk.limit {
            return [.warning("disk", text, fix: "free or add disk space: below twice the limit streams give way")]
        }
        return [.ok("disk", text)]
    }
}

extension ManagementAPI.Binding {
    /// The same as the broker's API says it.
    init(_ binding: Topology.Binding) {
        source = binding.source
        routingKey = binding.key
        switch binding.destination {
        case .queue(let name), .exchange(let name): destination = name
        }
    }
}

extension Duration {
    /// Seconds, with their fraction.
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
