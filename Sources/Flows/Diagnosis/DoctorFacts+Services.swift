internal import Management
internal import Model
internal import Postgres
internal import Store
internal import Time
internal import Wire

/// What the doctor finds of the services and of the data that they have not stored.
extension DoctorFacts {
    /// The check that explains why nothing is stored at all; nil if something is.
    var storingStopped: String? {
        if broker.value == nil { return "broker" }
        return replicas.value?.isEmpty == true ? "ingesters" : nil
    }

    private func consumers(_ queue: String) -> Int? {
        let fact = queues.first { $0.name == queue }?.fact
        guard let item = fact?.value, item.presence == .there else { return nil }
        return item.consumers
    }

    var serviceFindings: [Finding] {
        let services = [
            (
                "sensor-registry",
                [Routing.registryQueue, Routing.alarmsQueue, Routing.unroutedQueue, Routing.deadQueue]
            ), ("logs-ingester", [Routing.logsQueue]),
        ]
        var findings = services.map { finding(of: $0, reading: $1) }
        if let finding = unknown("ingesters", replicas, "the replicas", fix: "see the database's log") {
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

    private func finding(of service: String, reading queues: [String]) -> Finding {
        let counts = queues.map { ($0, consumers($0)) }
        if counts.contains(where: { $0.1 == nil }) {
            return .notChecked(service, because: self.queues.isEmpty ? "broker" : "queues")
        }
        let unread = counts.filter { $0.1 == 0 }.map(\.0)
        if unread.isEmpty { return .ok(service, "reads \(queues.joined(separator: ", "))") }
        let text = "no consumer reads \(unread.joined(separator: ", "))"
        if server.value != nil { return .problem(service, text, fix: "start \(service)") }
        // A service that waits for the database reads nothing.
        return Finding.notChecked(service, "\(text); it may wait for the database", fix: "see database").following(
            "database")
    }

    // MARK: partitions

    var partitionFindings: [Finding] {
        if let finding = unknown("partitions", partitions, "the partitions", fix: "see the database's log") {
            return [finding]
        }
        let all = partitions.value ?? []
        if all.isEmpty { return [.problem("partitions", "there are none yet", fix: Self.createMissing)] }
        let free = all.filter { $0.holder == nil }
        var findings: [Finding] = []
        if free.isEmpty {
            let newest = all.compactMap(\.committedAge).min().map { ", newest commit \(Self.format($0.seconds)) ago" }
            findings.append(
                .ok("partitions", "\(all.count) of \(all.count) have an owner\(newest ?? ", nothing committed yet")"))
        } else {
            let finding = Finding.problem(
                "partitions",
                "no owner: \(free.prefix(5).map(\.stream).joined(separator: ", "))\(free.count > 5 ? " …" : "")",
                fix: "start measurements-ingester; a new owner takes over within \(StoreConnection.leaseSeconds) s")
            findings.append(storingStopped.map { finding.following($0) } ?? finding)
        }
        return findings + lagFindings(all)
    }

    private func lagFindings(_ all: [PartitionRecord]) -> [Finding] {
        if broker.value == nil { return [.notChecked("lag", because: "broker")] }
        let lags = all.map(lagFinding)
        let bad = lags.filter { $0.result != .ok }
        if !bad.isEmpty { return bad }
        let oldest = all.compactMap { readings[$0.stream]?.value?.oldestUnreadSeconds }.max()
        let text = oldest.map { "the oldest message that is not stored is \(Self.format($0)) old" } ?? "all is stored"
        if policies.value == nil {
            return [
                .ok("lag", text),
                .notChecked("retention", because: managementFinding.result == .ok ? "policies" : "management"),
            ]
        }
        return [.ok("lag", "\(text), far from the streams' retention")]
    }

    private func lagFinding(_ partition: PartitionRecord) -> Finding {
        let stream = partition.stream
        let fact = readings[stream] ?? .notAsked(because: "streams")
        if let finding = unknown("lag", fact, stream, fix: "see RabbitMQ's log") { return finding }
        guard let reading = fact.value else { return .notChecked("lag", because: "streams") }
        let queue = policies.value?.first { $0.name == stream }
        let definition = queue?.effectivePolicyDefinition
        var backlog = StreamBacklog(
            committed: partition.committedOffset, first: reading.first,
            messages: queue?.messages ?? (reading.first == nil ? 0 : 1),
            oldestSeconds: reading.oldestUnreadSeconds,
            bytes: (queue?.segments ?? 0) * (definition?.segmentBytes ?? StreamBacklog.segmentBytesDefault),
            secondsMax: definition?.maxAge.flatMap(StreamBacklog.seconds(maxAge:)), bytesMax: definition?.maxLengthBytes
        )
        let fix = "start more measurements-ingesters, or see why these don't keep up: their logs and /readyz"
        // The gap of a single offset may be the broker's own (docs/decisions/0007, 8).
        if backlog.lost > 1 {
            return .problem("lag", "\(stream): \(backlog.lost) messages were dropped before they were stored", fix: fix)
        }
        backlog.lost = 0
        // The broker's figures of a stream are seconds old, so the message that the doctor just read decides whether
        // any is unread.
        guard let age = reading.oldestUnreadSeconds else { return .ok("lag", "\(stream): all is stored") }
        let share = definition == nil ? nil : max(backlog.nearness, backlog.secondsMax.map { age / $0 } ?? 0)
        if let share, share >= StreamBacklog.nearFrom {
            return .problem(
                "lag", "\(stream): unread for \(Self.format(age)), at \(Int(share * 100)) % of its retention", fix: fix)
        }
        if age > 60 {
            let finding = Finding.warning(
                "lag", "\(stream): the oldest message that is not stored is \(Self.format(age)) old", fix: fix)
            return storingStopped.map { finding.following($0) } ?? finding
        }
        return .ok("lag", "\(stream): \(Self.format(age))")
    }

    // MARK: messages that need an operator

    var waitingFindings: [Finding] {
        [undeliverableFinding, quarantineFinding] + notifyFindings
            + [Routing.unroutedQueue, Routing.deadQueue].map { lastResortFinding($0) }
    }

    /// An undeliverable message that was noticed within this time is a warning, in seconds.
    static let undeliverableWarning = 86_400.0

    private var undeliverableFinding: Finding {
        guard let record = undeliverable.value else {
            return unknown("undeliverable", undeliverable, "the streams' holes", fix: "see the database's log")
                ?? .notChecked("undeliverable", because: "database")
        }
        guard let age = record.newestAge?.seconds, record.messages > 0 else {
            return .ok("undeliverable", "the broker could deliver every message")
        }
        let count = "\(record.messages) message\(record.messages == 1 ? "" : "s")"
        let text =
            "the broker could not deliver \(count), the newest \(Self.format(age)) ago in \(record.stream ?? "a stream")"
        if age > Self.undeliverableWarning { return .ok("undeliverable", "\(text), none within the last day") }
        return .warning(
            "undeliverable", "\(text); they were stepped over and are lost",
            fix:
                "give every login a topic permission that refuses keys of more than 255 bytes: docs/alerts.md#messagesundeliverable"
        )
    }

    /// A receiver that has failed for this time is a problem, in seconds.
    static let notifyProblem = 60.0

    /// A finding for each receiver of alarms that does not get them.
    private var notifyFindings: [Finding] {
        guard let receivers = receivers.value else {
            return [unknown("notify", self.receivers, "the receivers of alarms", fix: "see the database's log")]
                .compactMap { $0 }
        }
        if receivers.isEmpty { return [.ok("notify", "no receiver of alarms is configured")] }
        let bad = receivers.compactMap { receiver -> Finding? in
            let title = "\(receiver.kind) \(receiver.name)"
            if let failing = receiver.failing {
                let text =
                    "\(title) has failed for \(Self.format(failing.seconds)), \(receiver.waiting) wait: "
                    + (receiver.lastError ?? "")
                let fix = "correct it in NOTIFY_CONFIG or repair the receiver: docs/notify.md#when-a-receiver-fails"
                return failing.seconds > Self.notifyProblem
                    ? .problem("notify", text, fix: fix) : .warning("notify", text, fix: fix)
            }
            if receiver.isHeld { return nil }
            return .problem(
                "notify", "no registry sends to \(title), \(receiver.waiting) wait",
                fix: "\(Self.startRegistry) with NOTIFY_CONFIG")
        }
        if !bad.isEmpty { return bad }
        return [.ok("notify", receivers.map { "\($0.kind) \($0.name)" }.joined(separator: ", "))]
    }

    private var quarantineFinding: Finding {
        if let finding = unknown("quarantine", quarantined, "the quarantine", fix: "see the database's log") {
            return finding
        }
        let count = quarantined.value ?? 0
        if count == 0 { return .ok("quarantine", "empty") }
        return .warning(
            "quarantine", "\(count) payload\(count == 1 ? "" : "s") could not be stored",
            fix: "iotctl quarantine ls shows why, replay stores them again, drop deletes them")
    }

    /// The finding of a queue that sensor-registry moves to the quarantine.
    private func lastResortFinding(_ name: String) -> Finding {
        guard let item = queues.first(where: { $0.name == name })?.fact.value, item.presence == .there else {
            return .notChecked(name, because: queues.isEmpty ? "broker" : "queues")
        }
        if item.messages == 0 { return .ok(name, "no messages wait") }
        if item.consumers > 0 {
            return .warning(
                name, "\(item.messages) messages wait for sensor-registry to move them to the quarantine",
                fix: "look again; if they don't become fewer, see sensor-registry's log")
        }
        let finding = Finding.problem(
            name, "\(item.messages) messages wait without a consumer", fix: Self.startRegistry)
        return server.value == nil ? finding.following("database") : finding
    }

    // MARK: the broker's disk

    /// The disk with the least space in relation to its limit.
    private var smallestDisk: Disk? {
        disks.value?.min { Double($0.free) / Double(max(1, $0.limit)) < Double($1.free) / Double(max(1, $1.limit)) }
    }

    /// Whether a node has less free space than its limit, and so blocks publishers.
    var isDiskFull: Bool { smallestDisk.map { $0.free < $0.limit } ?? false }

    var diskFinding: Finding {
        switch disks {
        case .known: break
        case .failed(let why):
            return .notChecked("disk", why, fix: "give the user in MANAGEMENT_URL the tag monitoring")
        case .tooSlow, .notAsked:
            if let finding = unknown("disk", disks, "the management API", fix: "see RabbitMQ's log") { return finding }
        }
        func gigabytes(_ bytes: Int64) -> String { "\((Double(bytes) / 1e8).rounded() / 10) GB" }
        guard let disk = smallestDisk else {
            return .notChecked(
                "disk", "no node reports its disk",
                fix: "wait some seconds if RabbitMQ has just started; else rabbitmq-diagnostics status")
        }
        let text = "\(gigabytes(disk.free)) free at \(disk.node), publishers are blocked below \(gigabytes(disk.limit))"
        if disk.free < disk.limit { return .problem("disk", text, fix: "free or add disk space at the broker") }
        if case .known(let bytes?) = cutBytes {
            return .warning(
                "disk", "\(text); streams are cut to \(gigabytes(bytes)) each until there is more",
                fix: "free or add disk space at the broker")
        }
        if disk.free < 2 * disk.limit {
            return .warning(
                "disk", text, fix: "free or add disk space: below twice the limit the registry cuts streams")
        }
        return .ok("disk", text)
    }
}
