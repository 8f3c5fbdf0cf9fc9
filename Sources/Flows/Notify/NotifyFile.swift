internal import Curl
internal import Foundation
internal import Model
internal import Time
internal import Yams

extension NotifyConfiguration {
    /// Reads a file: YAML, of which JSON is a part.
    /// - Throws: `Invalid` with line and reason, if anything of it is wrong.
    init(text: String) throws(Invalid) {
        guard text.utf8.count <= Self.bytesMax else { throw Invalid(description: "more than \(Self.bytesMax) bytes") }
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch let error as YamlError {
            throw Invalid(description: Self.words(error))
        } catch { throw Invalid(description: "\(error)") }
        guard let root else { throw Invalid(description: "line 1: the file is empty; it has a list receivers") }
        let file = try Section(root, "the file", keys: ["receivers"])
        for node in try file.list("receivers") {
            let receiver = try Self.receiver(node)
            if receivers.contains(where: { $0.name == receiver.name }) {
                throw Self.invalid(node, "a second receiver \(receiver.name)")
            }
            receivers.append(receiver)
        }
        guard receivers.count <= Self.receiversMax else {
            throw Self.invalid(root, "\(receivers.count) receivers; at most \(Self.receiversMax) are allowed")
        }
    }

    private static func words(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line): \(problem)"
        default: "not YAML: \(error)"
        }
    }

    private static func invalid(_ node: Node, _ reason: String) -> Invalid {
        Invalid(description: "line \(node.mark?.line ?? 1): \(reason)")
    }

    private static func receiver(_ node: Node) throws(Invalid) -> Receiver {
        let kinds = ["alertmanager", "webhook", "mail"]
        let section = try Section(
            node, "a receiver",
            keys: ["name", "when", "rate", "timeout", "give_up_after", "retry_at_most"] + kinds)
        let name = try section.text("name")
        guard name.wholeMatch(of: /[a-z0-9][a-z0-9_-]{0,63}/) != nil else {
            throw section.invalid("name", "a receiver's name has 1 to 64 of a-z 0-9 _ -, not '\(name)'")
        }
        let given = kinds.filter { section.has($0) }
        guard given.count == 1 else {
            throw invalid(node, "receiver \(name) needs one of alertmanager, webhook, mail")
        }
        let kind: Kind =
            switch given[0] {
            case "alertmanager": .alertmanager(try alertmanager(section))
            case "webhook": .webhook(try webhook(section))
            default: .mail(try mail(section))
            }
        var receiver = Receiver(name: name, kind: kind, subscription: try subscription(section, name))
        if section.has("rate") {
            if case .alertmanager = kind {
                throw section.invalid("rate", "Alertmanager limits by itself; it has no rate")
            }
            receiver.rate = try rate(section)
        }
        receiver.deadline = try section.duration("timeout", .milliseconds(100) ... .seconds(300)) ?? receiver.deadline
        receiver.giveUpAfter =
            try section.duration("give_up_after", .seconds(1) ... .seconds(30 * 86_400)) ?? receiver.giveUpAfter
        receiver.retryAtMost =
            try section.duration("retry_at_most", .milliseconds(100) ... .seconds(3600)) ?? receiver.retryAtMost
        return receiver
    }

    private static func subscription(_ section: Section, _ name: String) throws(Invalid) -> AlarmSubscription {
        var subscription = AlarmSubscription(receiver: name)
        guard section.has("when") else { return subscription }
        let when = try section.section("when", keys: ["severity", "sensors", "rules"])
        if when.has("severity") {
            subscription.severities = []
            for word in try when.texts("severity") {
                guard let severity = Alarm.Severity(rawValue: word) else {
                    throw when.invalid("severity", "severity is info, warning or critical, not '\(word)'")
                }
                subscription.severities.insert(severity)
            }
        }
        if when.has("sensors") {
            subscription.sensors = try when.texts("sensors").map { SerialPattern($0) }
            if let wrong = subscription.sensors.first(where: { !$0.isPossible }) {
                throw when.invalid("sensors", "no serial number can be '\(wrong)'")
            }
        }
        if when.has("rules") { subscription.rules = try when.texts("rules") }
        return subscription
    }

    private static func rate(_ section: Section) throws(Invalid) -> Rate {
        let text = try section.text("rate")
        let parts = text.split(separator: "/")
        guard parts.count == 2, let messages = Int(parts[0].trimmed), (1...10_000).contains(messages),
            let window = Duration(commandLine: parts[1].trimmed), (.seconds(1) ... .seconds(86_400)).contains(window)
        else { throw section.invalid("rate", "rate is messages/time such as 20/1m, not '\(text)'") }
        return Rate(messages: messages, window: window)
    }

    private static func alertmanager(_ receiver: Section) throws(Invalid) -> Alertmanager {
        let section = try receiver.section(
            "alertmanager", keys: ["urls", "keep_alive", "labels", "token_file", "ca_file"])
        let urls = try section.texts("urls")
        guard (1...8).contains(urls.count) else { throw section.invalid("urls", "1 to 8 addresses are allowed") }
        for url in urls { try section.checkURL(url, "urls") }
        var alertmanager = Alertmanager(
            urls: urls.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }, security: try section.security())
        alertmanager.keepAlive =
            try section.duration("keep_alive", .seconds(1) ... .seconds(3600)) ?? alertmanager.keepAlive
        alertmanager.tokenFile = try section.optionalText("token_file")
        if section.has("labels") {
            for (name, value) in try section.section("labels", keys: nil).texts() {
                let taken = ["alertname", "sensor", "channel", "severity"]
                guard name.wholeMatch(of: /[a-zA-Z_][a-zA-Z0-9_]*/) != nil, !taken.contains(name) else {
                    throw section.invalid("labels", "'\(name)' cannot be a label of one's own")
                }
                alertmanager.labels[name] = value
            }
        }
        return alertmanager
    }

    private static func webhook(_ receiver: Section) throws(Invalid) -> Webhook {
        let section = try receiver.section("webhook", keys: ["url", "url_file", "format", "secret_file", "ca_file"])
        guard section.has("url") != section.has("url_file") else {
            throw receiver.invalid("webhook", "a webhook needs one of url, url_file")
        }
        let url: Source
        if section.has("url") {
            let text = try section.text("url")
            try section.checkURL(text, "url")
            url = .text(text)
        } else {
            url = .file(try section.text("url_file"))
        }
        var webhook = Webhook(url: url, security: try section.security())
        webhook.secretFile = try section.optionalText("secret_file")
        if let word = try section.optionalText("format") {
            guard let format = Webhook.Format(rawValue: word) else {
                throw section.invalid("format", "format is json or slack, not '\(word)'")
            }
            webhook.format = format
        }
        return webhook
    }

    private static func mail(_ receiver: Section) throws(Invalid) -> Mail {
        let section = try receiver.section(
            "mail", keys: ["server", "from", "to", "subject", "login_file", "encryption", "ca_file"])
        let server = try section.text("server")
        guard server.wholeMatch(of: /smtps?:\/\/[^\s\/?#@]+\/?/) != nil else {
            throw section.invalid("server", "server is smtp://host:port or smtps://host:port, without a login")
        }
        let to = try section.texts("to")
        guard (1...32).contains(to.count) else { throw section.invalid("to", "1 to 32 addresses are allowed") }
        var mail = Mail(server: server, from: try section.text("from"), to: to, security: try section.security())
        for (key, address) in [("from", mail.from)] + to.map({ ("to", $0) })
        where address.wholeMatch(of: /[^\s<>@,;]+@[^\s<>@,;]+/) == nil {
            throw section.invalid(key, "'\(address)' is not an address like operator@example.org")
        }
        if let subject = try section.optionalText("subject") {
            mail.subject = subject
            if let unknown = MailBody.unknownField(of: subject) {
                throw section.invalid(
                    "subject", "{\(unknown)} is none of \(MailBody.fields.map { "{\($0)}" }.joined(separator: " "))")
            }
        }
        mail.loginFile = try section.optionalText("login_file")
        if let word = try section.optionalText("encryption") {
            guard let encryption = MailRequest.Encryption(rawValue: word) else {
                throw section.invalid("encryption", "encryption is required or none, not '\(word)'")
            }
            mail.encryption = encryption
        }
        if mail.encryption == .none, mail.loginFile != nil || server.hasPrefix("smtps:") {
            throw section.invalid("encryption", "without encryption there is no login, and no smtps://")
        }
        return mail
    }
}

/// A mapping of the file, which has only the keys that are allowed.
private struct Section {
    private typealias Invalid = NotifyConfiguration.Invalid

    private let node: Node
    private let mapping: Node.Mapping
    private let what: String

    /// - Parameter keys: the keys that are allowed; nil: any.
    init(_ node: Node, _ what: String, keys: [String]?) throws(NotifyConfiguration.Invalid) {
        guard let mapping = node.mapping else {
            throw Invalid(description: "line \(node.mark?.line ?? 1): \(what) is not a mapping of names to values")
        }
        self.node = node
        self.mapping = mapping
        self.what = what
        var seen: Set<String> = []
        for (key, _) in mapping {
            guard let name = key.string, keys?.contains(name) != false else {
                throw Invalid(
                    description:
                        "line \(key.mark?.line ?? 1): \(what) has no '\(key.string ?? "?")'; it may have \((keys ?? []).joined(separator: ", "))"
                )
            }
            guard seen.insert(name).inserted else {
                throw Invalid(description: "line \(key.mark?.line ?? 1): \(what) has '\(name)' twice")
            }
        }
    }

    func has(_ key: String) -> Bool { mapping[Node(key)] != nil }

    func invalid(_ key: String, _ reason: String) -> NotifyConfiguration.Invalid {
        let line = (mapping[Node(key)] ?? node).mark?.line ?? 1
        return Invalid(description: "line \(line): \(reason)")
    }

    private func value(_ key: String) throws(NotifyConfiguration.Invalid) -> Node {
        guard let value = mapping[Node(key)] else { throw invalid(key, "\(what) needs '\(key)'") }
        return value
    }

    func section(_ key: String, keys: [String]?) throws(NotifyConfiguration.Invalid) -> Section {
        try Section(try value(key), key, keys: keys)
    }

    func list(_ key: String) throws(NotifyConfiguration.Invalid) -> [Node] {
        guard let sequence = try value(key).sequence else { throw invalid(key, "\(key) is not a list") }
        return Array(sequence)
    }

    func text(_ key: String) throws(NotifyConfiguration.Invalid) -> String { try text(of: try value(key), key) }

    func optionalText(_ key: String) throws(NotifyConfiguration.Invalid) -> String? {
        has(key) ? try text(key) : nil
    }

    private func text(of node: Node, _ key: String) throws(NotifyConfiguration.Invalid) -> String {
        guard let text = node.scalar?.string, !text.isEmpty,
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw Invalid(description: "line \(node.mark?.line ?? 1): \(key) is not a text of one line")
        }
        return text
    }

    /// One text, or a list of some.
    func texts(_ key: String) throws(NotifyConfiguration.Invalid) -> [String] {
        let node = try value(key)
        guard let sequence = node.sequence else { return [try text(of: node, key)] }
        var texts: [String] = []
        for element in sequence { texts.append(try text(of: element, key)) }
        if texts.isEmpty { throw invalid(key, "\(key) is an empty list") }
        return texts
    }

    /// All values, by name.
    func texts() throws(NotifyConfiguration.Invalid) -> [(name: String, value: String)] {
        var texts: [(name: String, value: String)] = []
        for (key, node) in mapping { texts.append((key.string ?? "", try text(of: node, key.string ?? ""))) }
        return texts
    }

    func duration(
        _ key: String, _ range: ClosedRange<Duration>
    ) throws(NotifyConfiguration.Invalid) -> Duration? {
        guard has(key) else { return nil }
        let text = try text(key)
        guard let duration = Duration(commandLine: text), range.contains(duration) else {
            throw invalid(
                key,
                "\(key) is a time from \(range.lowerBound.commandLineText) to \(range.upperBound.commandLineText), not '\(text)'"
            )
        }
        return duration
    }

    func security() throws(NotifyConfiguration.Invalid) -> TransferSecurity {
        TransferSecurity(certificateAuthorities: try optionalText("ca_file"))
    }

    func checkURL(_ text: String, _ key: String) throws(NotifyConfiguration.Invalid) {
        guard let url = URLComponents(string: text), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false,
            !text.contains(where: \.isWhitespace)
        else { throw invalid(key, "'\(text)' is not an address like http://host:port/path") }
        if url.user != nil { throw invalid(key, "no user or password in the file; a secret has a file of its own") }
    }
}

extension StringProtocol {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
