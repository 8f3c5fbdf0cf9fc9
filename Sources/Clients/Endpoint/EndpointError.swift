/// A URL that cannot be used. The text names the environment variable, and contains no part of the URL but the name of an
/// option.
public struct EndpointError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong with a URL.
    enum Fault: Error, Equatable {
        /// The text is not a URL, or has another scheme.
        case notURL
        /// A space or a control character.
        case space
        /// A reserved character that is not percent-encoded, probably in the password.
        case reserved
        /// A % that two hexadecimal digits do not follow.
        case percent
        /// Bytes that are not UTF-8, or a NUL.
        case text
        /// More than one host where only one is supported.
        case severalHosts
        /// A host that is neither a name nor an address.
        case host
        /// An IPv6 address that is not valid, or not in brackets.
        case address
        /// A port that is not a number from 1 to 65,535.
        case port
        /// A path where there is none.
        case path
        /// An option that the kind does not have, and those that it has.
        case unknown(String, [String])
        /// An option that is given twice.
        case repeated(String)
        /// An option with a value that it does not have, and those that it has; none: any text but an empty one.
        case value(String, [String])
        /// An option that needs a scheme with TLS.
        case needsTLS(String, String)
        /// A certificate without a key, or the other way round.
        case keyPair
        /// A scheme that the client does not support yet, and the one that it supports.
        case encryption(String, plain: String)
    }

    /// The kind of server.
    let kind: Endpoint.Kind
    /// The fault.
    let fault: Fault

    init(_ kind: Endpoint.Kind, _ fault: Fault) {
        self.kind = kind
        self.fault = fault
    }

    /// The variable and the fault, in one line without secrets.
    public var description: String { "\(kind.variable): \(text)" }

    private var text: String {
        switch fault {
        case .notURL: "not a URL like \(kind.example)"
        case .space: "a space or control character must be percent-encoded: a space is %20"
        case .reserved: "an @, /, ? or # in user or password must be percent-encoded: %40, %2f, %3f, %23"
        case .percent: "a % is not followed by two hexadecimal digits; a % itself is %25"
        case .text: "the percent-encoded bytes are not UTF-8, or contain a NUL"
        case .severalHosts: "only one host is supported"
        case .host: "the host is neither a name nor an address"
        case .address: "an IPv6 address must be valid and in brackets, like [::1]"
        case .port: "the port is not a number from 1 to 65535"
        case .path: "a path is not supported; a virtual host is part of the user, like vhost%3auser"
        case .unknown(let name, let names):
            "unknown option\(Self.quoted(name)); the options are \(names.joined(separator: ", "))"
        case .repeated(let name): "the option \(name) is given twice"
        case .value(let name, let values):
            "the option \(name) must \(values.isEmpty ? "not be empty" : "be one of \(values.joined(separator: ", "))")"
        case .needsTLS(let name, let scheme): "the option \(name) needs \(scheme)://"
        case .keyPair: "certfile and keyfile must be given together"
        case .encryption(let scheme, let plain): "\(scheme):// is not supported yet; use \(plain)://"
        }
    }

    /// A name that looks like one: other text might be a piece of a password.
    private static func quoted(_ name: String) -> String {
        let isName = !name.isEmpty && name.utf8.count <= 32 && name.allSatisfy { ("a"..."z").contains($0) || $0 == "_" }
        return isName ? " \(name)" : ""
    }
}
