/// What an alarm sets off besides notification.
public enum RuleAction: Sendable, Equatable {
    /// A command to the sensor of the alarm.
    case command(Command)

    /// On which edge of the alarm an action is taken.
    public enum Moment: String, Sendable, Codable, CaseIterable {
        /// When the alarm begins.
        case trigger
        /// When it ends.
        case clear
    }

    /// A command, with the usual life.
    public struct Command: Sendable, Equatable {
        /// The command's name, such as `change_sample_frequency`.
        public var name: String
        /// Its arguments, by name.
        public var arguments: [String: String]
        /// On which edge it is sent.
        public var moment: Moment

        /// That command.
        public init(name: String, arguments: [String: String] = [:], moment: Moment = .trigger) {
            self.name = name
            self.arguments = arguments
            self.moment = moment
        }
    }
}

extension RuleAction: Codable {
    /// Reads `command: {name, arguments, on}`.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        self = .command(try StrictContainer(decoder, ["command"]).required("command"))
    }

    /// Writes the same object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        switch self {
        case .command(let command): try object.encode(command, forKey: AnyKey("command"))
        }
    }
}

extension RuleAction.Command: Codable {
    /// Reads `{name, arguments, on}`; only the name is required.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let object = try StrictContainer(decoder, ["name", "arguments", "on"])
        self.init(
            name: try object.required("name"), arguments: try object.optional("arguments") ?? [:],
            moment: try object.optional("on") ?? .trigger)
    }

    /// Writes the same object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(name, forKey: AnyKey("name"))
        if !arguments.isEmpty { try object.encode(arguments, forKey: AnyKey("arguments")) }
        if moment != .trigger { try object.encode(moment, forKey: AnyKey("on")) }
    }
}
