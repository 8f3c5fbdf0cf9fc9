internal import Curl
internal import Foundation
internal import Model
internal import Store
internal import Time

/// One attempt to tell one receiver something.
struct Delivery {
    /// Why an attempt failed.
    struct Failure: Error, CustomStringConvertible {
        let description: String
        /// Whether the receiver refused this message only; otherwise it takes nothing now.
        var isOfMessage = false
    }

    let receiver: NotifyConfiguration.Receiver
    let client: CurlClient

    /// Sends alerts to all members of an Alertmanager cluster; one that takes them is enough.
    /// - Returns: the failures of the others.
    /// - Throws: `Failure` of the last one if none took them, `CancellationError`.
    func send(
        alerts notifications: [AlarmNotification], _ settings: NotifyConfiguration.Alertmanager
    ) async throws -> [Failure] {
        let alerts = AlertmanagerBody.alerts(notifications, settings, now: .now)
        let body = Array(try JSONEncoder().encode(alerts))
        var headers = [(name: "Content-Type", value: "application/json")]
        if let file = settings.tokenFile { headers.append(("Authorization", "Bearer \(try Self.secret(file))")) }
        var failures: [Failure] = []
        for url in settings.urls {
            do {
                try await post(
                    PostRequest(
                        url: "\(url)/api/v2/alerts", headers: headers, body: body, security: settings.security,
                        deadline: receiver.deadline), named: url)
            } catch let failure as Failure { failures.append(failure) }
        }
        if let last = failures.last, failures.count == settings.urls.count {
            // Refused by all that answered, and at least one did.
            guard let refused = failures.first(where: { $0.isOfMessage }) else { throw last }
            throw refused
        }
        return failures
    }

    /// POSTs one change, or a summary of several.
    /// - Throws: `Failure`, `CancellationError`.
    func send(_ notifications: [AlarmNotification], _ settings: NotifyConfiguration.Webhook) async throws {
        guard let first = notifications.first else { return }
        let isSummary = notifications.count > 1
        let body: [UInt8] =
            switch settings.format {
            case .json:
                try WebhookBody.bytes(
                    isSummary
                        ? WebhookBody.summary(notifications, to: receiver.name)
                        : WebhookBody.message(first, to: receiver.name))
            case .slack:
                try WebhookBody.bytes(
                    isSummary ? WebhookBody.Slack(summary: notifications) : WebhookBody.Slack(first))
            }
        let id = isSummary ? WebhookBody.summaryID(notifications) : first.id
        let secret = try settings.secretFile.map { Array(try Self.secret($0).utf8) }
        let url: String
        switch settings.url {
        case .text(let text): url = text
        case .file(let name): url = try Self.secret(name)
        }
        try await post(
            PostRequest(
                url: url, headers: WebhookBody.headers(id: id, body: body, secret: secret, now: .now), body: body,
                security: settings.security, deadline: receiver.deadline), named: nil)
    }

    /// Mails one change, or a summary of several.
    /// - Throws: `Failure`, `CancellationError`.
    func send(_ notifications: [AlarmNotification], _ settings: NotifyConfiguration.Mail) async throws {
        guard let first = notifications.first else { return }
        let message =
            notifications.count > 1
            ? MailBody.summary(notifications, settings, now: .now) : MailBody.message(first, settings, now: .now)
        var mail = MailRequest(
            server: settings.server, from: settings.from, to: settings.to, encryption: settings.encryption,
            security: settings.security, message: message, deadline: receiver.deadline)
        if let file = settings.loginFile {
            let parts = try Self.secret(file).split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw Failure(description: "\(file) has no user:password") }
            mail.login = MailRequest.Login(user: parts[0], password: parts[1])
        }
        do { try await client.send(mail) } catch let error as TransferError {
            // 5xx: this mail, or one of its addresses, will not be taken.
            let isRefused = error.status.map { (500..<600).contains($0) } == true && !error.isLoginRefused
            throw Failure(description: error.description, isOfMessage: isRefused)
        }
    }

    private func post(_ request: PostRequest, named name: String?) async throws {
        let prefix = name.map { "\($0): " } ?? ""
        let answer: TransferAnswer
        do { answer = try await client.post(request) } catch let error as TransferError {
            throw Failure(description: prefix + error.description)
        }
        if (200..<300).contains(answer.status) { return }
        let text = String(decoding: answer.body.prefix(200), as: UTF8.self).split(whereSeparator: \.isNewline)
            .joined(separator: " ")
        // A wrong address, login or proxy concerns all messages, as do overload and faults of the server.
        let isRefused =
            (400..<500).contains(answer.status) && ![401, 403, 404, 405, 407, 408, 410, 429].contains(answer.status)
        throw Failure(description: "\(prefix)\(answer.status) \(text)", isOfMessage: isRefused)
    }

    /// The content of a file, read at each attempt, so that a new secret needs no restart.
    private static func secret(_ file: String) throws -> String {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw Failure(description: "\(file) can't be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
