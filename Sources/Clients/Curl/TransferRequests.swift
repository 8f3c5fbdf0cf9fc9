/// How a server proves who it is.
public struct TransferSecurity: Sendable, Equatable {
    /// The file with the certificate authorities, in PEM; nil: the system's.
    public var certificateAuthorities: String?

    /// These authorities; nil: the system's.
    public init(certificateAuthorities: String? = nil) { self.certificateAuthorities = certificateAuthorities }
}

/// A body for an HTTP server.
public struct PostRequest: Sendable {
    /// `http://` or `https://`.
    public var url: String
    /// Headers, without line ends.
    public var headers: [(name: String, value: String)]
    /// The body.
    public var body: [UInt8]
    /// How an HTTPS server proves who it is.
    public var security: TransferSecurity
    /// The longest that all of it may take.
    public var deadline: Duration

    /// A POST of that body.
    public init(
        url: String, headers: [(name: String, value: String)], body: [UInt8], security: TransferSecurity = .init(),
        deadline: Duration
    ) {
        self.url = url
        self.headers = headers
        self.body = body
        self.security = security
        self.deadline = deadline
    }
}

/// A mail for an SMTP server.
public struct MailRequest: Sendable {
    /// Whether the connection must be encrypted.
    public enum Encryption: String, Sendable, CaseIterable {
        /// By STARTTLS if the server is `smtp://`, from the start if it is `smtps://`; otherwise nothing is sent.
        case required
        /// Not encrypted.
        case none
    }

    /// A user and a password.
    public struct Login: Sendable {
        /// The user.
        public var user: String
        /// The password.
        public var password: String

        /// That user with that password.
        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// `smtp://host:587` or `smtps://host:465`.
    public var server: String
    /// The sender's address, without angle brackets.
    public var from: String
    /// The recipients' addresses, without angle brackets.
    public var to: [String]
    /// The login; nil: none.
    public var login: Login?
    /// Whether the connection must be encrypted.
    public var encryption: Encryption
    /// How the server proves who it is.
    public var security: TransferSecurity
    /// Headers and body (RFC 5322), with CRLF.
    public var message: [UInt8]
    /// The longest that all of it may take.
    public var deadline: Duration

    /// That mail, without a login.
    public init(
        server: String, from: String, to: [String], encryption: Encryption, security: TransferSecurity = .init(),
        message: [UInt8], deadline: Duration
    ) {
        self.server = server
        self.from = from
        self.to = to
        self.encryption = encryption
        self.security = security
        self.message = message
        self.deadline = deadline
    }
}

/// An answer of an HTTP or SMTP server.
public struct TransferAnswer: Sendable, Equatable {
    /// The HTTP status, or SMTP's code.
    public var status: Int
    /// The first 4,096 bytes of the body.
    public var body: [UInt8]
}

/// A transfer that failed.
public struct TransferError: Error, Sendable, CustomStringConvertible {
    /// What failed, in one line, without secrets.
    public let description: String
    /// The server's last code; nil: it gave none.
    public let status: Int?
    /// Whether the server refused user or password.
    public let isLoginRefused: Bool
}
