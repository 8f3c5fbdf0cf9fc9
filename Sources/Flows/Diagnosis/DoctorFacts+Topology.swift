internal import Broker
internal import Management
internal import Messaging
internal import Model
internal import Wire

/// What the doctor finds of exchanges, queues, streams, bindings, policies and permissions.
extension DoctorFacts {
    private static let importPolicies =
        "import broker/definitions.json: rabbitmqctl import_definitions, or POST it to /api/definitions/<vhost>"

    var topologyFindings: [Finding] {
        [exchangeFinding, queueFinding, streamFinding, bindingFinding, policyFinding, permissionFinding]
    }

    /// One finding for several things of one kind.
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
                        check, "\(name) differs from its definition: \(words)",
                        fix: "delete it when it is empty, and restart sensor-registry, which recreates it")
                }
            case .failed, .tooSlow, .notAsked:
                let fix = "see RabbitMQ's log and iotctl context show"
                if let finding = unknown(check, fact, name, fix: fix) { return finding }
            }
        }
        if !missing.isEmpty {
            return .problem(check, "missing: \(missing.joined(separator: ", "))", fix: Self.createMissing)
        }
        return .ok(check, "\(items.count) \(kind), all present")
    }

    private var exchangeFinding: Finding {
        if exchanges.isEmpty { return .notChecked("exchanges", because: "broker") }
        return together("exchanges", exchanges, "exchanges with their alternate exchanges")
    }

    private var queueFinding: Finding {
        if queues.isEmpty { return .notChecked("queues", because: "broker") }
        return together("queues", queues, "queues")
    }

    private var streamFinding: Finding {
        let fix = "see the database's log"
        if let finding = unknown("streams", partitionCount, "the number of partitions", fix: fix) { return finding }
        guard let count = partitionCount.value else { return .notChecked("streams", because: "database") }
        guard let count else {
            return .problem("streams", "the number of partitions is not fixed yet", fix: Self.createMissing)
        }
        if streams.isEmpty { return .notChecked("streams", because: "broker") }
        let finding = together("streams", streams, "streams, as many as the database says")
        if finding.result == .ok, isStreamTooMany.value == true {
            return .problem(
                "streams", "the broker has a stream \(Routing.stream(count)), but the database has \(count) partitions",
                fix: "AMQP_URL and DATABASE_URL belong to different systems: iotctl context show")
        }
        return finding
    }

    private var bindingFinding: Finding {
        if brokerRefusal != nil { return .notChecked("bindings", because: "broker") }
        if let finding = unknown(
            "bindings", bindings, "the management API", fix: "correct MANAGEMENT_URL, or enable rabbitmq_management")
        {
            return finding
        }
        let wanted = Topology.sensorStreaming(partitions: (partitionCount.value ?? nil) ?? 0).bindings
        let missing = wanted.filter { bindings.value?.contains(ManagementAPI.Binding($0)) != true }
        guard let first = missing.first.map(ManagementAPI.Binding.init) else {
            return .ok("bindings", "\(wanted.count) bindings, all present")
        }
        let more = missing.count > 1 ? " and \(missing.count - 1) more" : ""
        return .problem(
            "bindings", "missing: \(first.source) to \(first.destination) by '\(first.routingKey)'\(more)",
            fix: Self.createMissing)
    }

    private var policyFinding: Finding {
        if brokerRefusal != nil { return .notChecked("policies", because: "broker") }
        if let finding = unknown(
            "policies", policies, "the management API", fix: "correct MANAGEMENT_URL, or enable rabbitmq_management")
        {
            return finding
        }
        let queues = Dictionary(
            (policies.value ?? []).map { ($0.name, $0.effectivePolicyDefinition) },
            uniquingKeysWith: { first, _ in first })
        if !queues.keys.contains(Routing.registryQueue) {
            return Finding.notChecked("policies", "the queues are missing", fix: Self.createMissing)
                .following("queues")
        }
        for name in [Routing.registryQueue, Routing.logsQueue, Routing.alarmsQueue] {
            guard let queue = queues[name] else { continue }
            if queue?.deadLetterExchange != Routing.deadExchange {
                return .problem(
                    "policies", "\(name) has no dead-letter exchange: unreadable messages there are lost",
                    fix: Self.importPolicies)
            }
        }
        if let alarms = queues[Routing.alarmsQueue], alarms?.overflow != "reject-publish" {
            return .problem(
                "policies", "alarms drops its oldest when it is full", fix: Self.importPolicies)
        }
        for name in streams.map(\.name) + [Routing.alarmStream] {
            guard let stream = queues[name] else { continue }
            if stream?.maxLengthBytes == nil {
                return .problem(
                    "policies", "\(name) has no size limit: it fills the broker's disk", fix: Self.importPolicies
                )
            }
        }
        for name in [Routing.unroutedQueue, Routing.deadQueue] {
            guard let queue = queues[name] else { continue }
            if queue?.maxLengthBytes == nil {
                return .warning("policies", "\(name) has no size limit", fix: Self.importPolicies)
            }
        }
        return .ok("policies", "dead letters and limits are in force")
    }

    private var permissionFinding: Finding {
        if brokerRefusal != nil { return .notChecked("permissions", because: "broker") }
        switch permission {
        case .known: break
        case .failed(let why):
            return .notChecked(
                "permissions", why,
                fix:
                    "give the user in MANAGEMENT_URL the tag administrator, or: rabbitmqctl list_permissions -p '\(virtualHost)'"
            )
        case .tooSlow, .notAsked:
            if let finding = unknown("permissions", permission, "the management API", fix: "see RabbitMQ's log") {
                return finding
            }
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
                    "permissions", "\(user) may not \(verb) \(name); services with this login need to", fix: fix)
            }
        }
        return .ok("permissions", "\(user) may configure, write and read all exchanges and queues")
    }
}

extension ManagementAPI.Binding {
    /// The binding in the form of the broker's API.
    init(_ binding: Topology.Binding) {
        let name =
            switch binding.destination {
            case .queue(let name), .exchange(let name): name
            }
        self.init(source: binding.source, destination: name, routingKey: binding.key)
    }
}
