internal import Curl
internal import Model
internal import Time

/// The receivers of a file.
struct NotifyConfiguration: Sendable, Equatable {
    /// The error for a file that is refused as a whole.
    struct Invalid: Error, Equatable, CustomStringConvertible {
        /// The line and the reason.
        let description: String
    }

    /// The most receivers of a file.
    static let receiversMax = 32
    /// The most bytes of a file.
    static let bytesMax = 1 << 20

    var receivers: [Receiver] = []

    /// How a receiver is told.
    enum Kind: Sendable, Equatable {
        case alertmanager(Alertmanager)
        case webhook(Webhook)
        case mail(Mail)

        /// The word in files, metrics and tables.
        var word: String {
            switch self {
            case .alertmanager: "alertmanager"
            case .webhook: "webhook"
            case .mail: "mail"
            }
        }
    }

    /// Prometheus Alertmanager, by its API v2.
    struct Alertmanager: Sendable, Equatable {
        /// The addresses of a cluster's members, without `/api/v2/alerts`.
        var urls: [String]
        /// How often active alarms are sent again. An alarm that is not sent again for four times as long ends there.
        var keepAlive: Duration = .seconds(60)
        /// Labels that every alert has besides the alarm's.
        var labels: [String: String] = [:]
        /// A file with a bearer token; nil: none.
        var tokenFile: String?
        var security = TransferSecurity()
    }

    /// A POST for each change of an alarm.
    struct Webhook: Sendable, Equatable {
        /// What the body is.
        enum Format: String, Sendable, CaseIterable {
            /// Our JSON.
            case json
            /// What Slack's incoming webhooks take, and Mattermost's.
            case slack
        }

        /// The address, or the file that has it.
        var url: Source
        var format = Format.json
        /// A file with the secret of the signature; nil: not signed.
        var secretFile: String?
        var security = TransferSecurity()
    }

    /// A mail for each change of an alarm.
    struct Mail: Sendable, Equatable {
        var server: String
        var from: String
        var to: [String]
        var subject = "[{severity}] {state}: {sensor} {channel} {rule}"
        /// A file with `user:password`; nil: no login.
        var loginFile: String?
        var encryption = MailRequest.Encryption.required
        var security = TransferSecurity()
    }

    /// A text of the file, or the name of another one that has it.
    enum Source: Sendable, Equatable {
        case text(String)
        case file(String)
    }

    /// So many messages in so long.
    struct Rate: Sendable, Equatable {
        var messages: Int
        var window: Duration
    }

    /// One receiver.
    struct Receiver: Sendable, Equatable {
        var name: String
        var kind: Kind
        /// Which alarms it is told of.
        var subscription: AlarmSubscription
        /// How many messages it gets at most; Alertmanager, which groups by itself, has none.
        var rate = Rate(messages: 20, window: .seconds(60))
        /// The longest that an attempt may take.
        var deadline: Duration = .seconds(10)
        /// After this time a notification that was not delivered is given up.
        var giveUpAfter: Duration = .seconds(86_400)
        /// The longest pause between two attempts.
        var retryAtMost: Duration = .seconds(60)
    }
}
