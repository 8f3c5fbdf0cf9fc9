internal import Management
internal import Messaging
internal import Time
internal import Wire

/// What the doctor finds of the broker itself: connection, publishes, permission, time stamps, management API, MQTT.
extension DoctorFacts {
    var brokerFindings: [Finding] { [brokerFinding, publishFinding, accessFinding, stampFinding] }

    private var brokerFinding: Finding {
        if let product = broker.value { return .ok("broker", "\(product) at \(brokerPlace)") }
        if isNothingSet { return .notChecked("broker", because: "settings") }
        let place = unset.contains("AMQP_URL") ? "\(brokerPlace) (the default)" : brokerPlace
        return unknown("broker", broker, place, fix: brokerFix) ?? .notChecked("broker", because: "broker")
    }

    private var brokerFix: String {
        if unset.contains("AMQP_URL") {
            return "set AMQP_URL=amqp://user:password@host:5672/%2f, or choose a context: iotctl context use"
        }
        if let brokerRefusal { return brokerRefusal.fix(user: user, virtualHost: virtualHost) }
        if protocols.value != nil {
            return "correct host and port in AMQP_URL (iotctl context show): RabbitMQ runs, its management API answers"
        }
        if case .failed(let why) = broker, why.contains("host not found") {
            return "correct the host in AMQP_URL: iotctl context show"
        }
        return "start RabbitMQ, or correct AMQP_URL: iotctl context show"
    }

    private var publishFinding: Finding {
        let fix = "rabbitmq-diagnostics status shows alarms: free disk or memory of the broker"
        if let finding = unknown("publishes", echo, "the broker accepts publishes", fix: fix) { return finding }
        guard let reason = echo.value?.blocked else {
            return .ok("publishes", "the broker accepts and confirms them")
        }
        let finding = Finding.problem("publishes", "the broker blocks publishers: \(reason)", fix: fix)
        return isDiskFull ? finding.following("disk") : finding
    }

    private var accessFinding: Finding {
        let fix = "rabbitmqctl set_permissions -p '\(virtualHost)' '\(user)' '.*' '.*' '.*'"
        if let finding = unknown("access", access, "\(user) may publish and read", fix: fix) { return finding }
        return .ok("access", "\(user) may publish to \(Routing.exchange) and read from it")
    }

    private var stampFinding: Finding {
        let line = "message_interceptors.incoming.set_header_timestamp.overwrite = true"
        guard let echo = echo.value, echo.blocked == nil else { return .notChecked("stamp", because: echoCause) }
        guard echo.isBack else {
            return .notChecked("stamp", "a message that was published did not arrive in time", fix: "--timeout 30s")
        }
        guard echo.offset != nil else {
            return .problem(
                "stamp", "the broker does not stamp messages with their time of arrival",
                fix: "put '\(line)' into rabbitmq.conf and restart RabbitMQ")
        }
        return .ok("stamp", "the broker stamps messages with their time of arrival")
    }

    /// The check that explains why no message came back.
    var echoCause: String {
        if case .notAsked(let cause) = echo { cause } else { "publishes" }
    }

    // MARK: management API

    var managementFinding: Finding {
        guard let place = managementPlace else {
            return .notChecked(
                "management", "MANAGEMENT_URL is not set",
                fix: "set MANAGEMENT_URL=http://user:password@host:15672, in the environment or in the context")
        }
        let fix =
            isManagementRefused
            ? "correct the user and the password in MANAGEMENT_URL; the user needs the tag monitoring or administrator"
            : "enable rabbitmq_management at the broker, or correct MANAGEMENT_URL"
        switch protocols {
        case .known: return .ok("management", "RabbitMQ's management API at \(place)")
        case .failed where isManagementDownWithBroker: return .notChecked("management", because: "broker")
        case .tooSlow where isManagementDownWithBroker: return .notChecked("management", because: "broker")
        case .failed where isManagementRefused: return .problem("management", "\(place): login refused", fix: fix)
        case .failed(let why): return .problem("management", why, fix: fix)
        case .tooSlow, .notAsked:
            return unknown("management", protocols, place, fix: fix) ?? .notChecked("management", because: "broker")
        }
    }

    /// The management API is a part of the broker: a broker that is stopped, or refuses the password, explains both.
    private var isManagementDownWithBroker: Bool {
        broker.value == nil && (isManagementRefused ? brokerRefusal == .login : brokerRefusal == nil)
    }

    // MARK: MQTT

    var mqttFinding: Finding {
        guard broker.value != nil else { return .notChecked("mqtt", because: "broker") }
        guard let list = protocols.value ?? nil else { return probeFinding }
        if list.contains(where: { $0.hasPrefix("mqtt") }) {
            if case .failed(let why) = mqtt {
                return .warning("mqtt", "\(why), although the broker listens for MQTT", fix: "correct MQTT_URL")
            }
            return .ok("mqtt", "the broker listens for MQTT")
        }
        if let names = down.value, !names.isEmpty {
            let more = names.count > 3 ? " and \(names.count - 3) more" : ""
            return .problem(
                "mqtt", "MQTT is closed until these are up: \(names.prefix(3).joined(separator: ", "))\(more)",
                fix:
                    "RabbitMQ's log says why; if one can't be brought back: docs/operations.md, When something is wrong"
            )
        }
        if let bindings = bindings.value, !bindings.contains(where: { $0.source == Routing.exchange }) {
            return Finding.problem(
                "mqtt", "MQTT is closed until \(Routing.exchange) has bindings", fix: Self.createMissing
            )
            .following("bindings")
        }
        return .problem(
            "mqtt", "MQTT is closed: devices that speak MQTT can't connect",
            fix:
                "RabbitMQ's log says 'MQTT stays closed' and why; without broker/start: rabbitmq-plugins enable rabbitmq_mqtt"
        )
    }

    /// The finding where the management API does not tell the listeners.
    private var probeFinding: Finding {
        switch mqtt {
        case .known: return .ok("mqtt", "the broker accepts MQTT connections")
        case .failed(let why):
            return .problem(
                "mqtt", "MQTT is closed: \(why)",
                fix: "RabbitMQ's log says 'MQTT stays closed' and why; or correct MQTT_URL: iotctl context show")
        case .tooSlow, .notAsked:
            if protocols.value == nil { return .notChecked("mqtt", because: "management") }
            return .notChecked(
                "mqtt", "the management API does not show the listeners to this user",
                fix: "give the user in MANAGEMENT_URL the tag monitoring, or set MQTT_URL")
        }
    }
}
