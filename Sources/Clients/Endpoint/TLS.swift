extension Endpoint {
    /// The identity of both sides of an encrypted connection. Paths and names only: nothing is read before a client
    /// connects.
    public struct TLS: Sendable, Equatable {
        /// Whether the connection is encrypted, and how the server's certificate is verified. The raw values are those of
        /// libpq's `sslmode`.
        public enum Mode: String, Sendable, CaseIterable {
            /// No encryption.
            case disable
            /// Encryption only if the server requires it; the certificate is not verified.
            case allow
            /// Encryption if the server offers it; the certificate is not verified.
            case prefer
            /// Encryption; the certificate is not verified.
            case require
            /// Encryption; a trusted authority signed the certificate.
            case verifyCA = "verify-ca"
            /// Encryption; a trusted authority signed the certificate, and it names the server.
            case verifyFull = "verify-full"
        }

        /// The parts of the identity that an option can set.
        enum Field: CaseIterable {
            case mode, serverName, caFile, certificateFile, keyFile
        }

        /// Nil: the URL does not ask for TLS. libpq then encrypts if the server offers it.
        public var mode: Mode?
        /// The name that the server's certificate must contain; nil: the host's name.
        public var serverName: String?
        /// A file with the trusted authorities, in PEM; nil: those of the system.
        public var caFile: String?
        /// A file with the client's certificate, in PEM; nil: none.
        public var certificateFile: String?
        /// A file with the certificate's key, in PEM; nil: none.
        public var keyFile: String?

        /// A connection without TLS.
        public static let none = TLS()

        /// An identity.
        public init(
            mode: Mode? = nil, serverName: String? = nil, caFile: String? = nil, certificateFile: String? = nil,
            keyFile: String? = nil
        ) {
            self.mode = mode
            self.serverName = serverName
            self.caFile = caFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }
}
