/// A statement, or a part of one, with its parameters.
///
/// The text comes from literals of this program only. An interpolated value never becomes text: it becomes the next
/// parameter, so parameters can neither be miscounted nor change the statement's meaning.
///
///     try session.fetch("SELECT name FROM channel WHERE sensor_id = \(sensor) AND channel = ANY (\(channels)::smallint[])")
///
/// The server infers a parameter's type from its place; where it cannot, the statement says it (`\(name)::text`). A
/// parameter inside of quotes is not one: `make_interval(secs => \(seconds))` instead of `INTERVAL '… seconds'`.
public struct SQL: Sendable, Equatable, ExpressibleByStringInterpolation, CustomStringConvertible {
    fileprivate enum Part: Sendable, Equatable {
        case text(String)
        case value(SQLValue)
    }

    fileprivate var parts: [Part]

    /// A statement without parameters.
    public init(stringLiteral text: StaticString) { parts = [.text(text.description)] }

    /// A statement from an interpolated literal.
    public init(stringInterpolation: StringInterpolation) { parts = stringInterpolation.parts }

    /// A statement that is not a literal of this program, such as the query of a dashboard. Values must not be pasted
    /// into it.
    public init(verbatim text: String) { parts = [.text(text)] }

    /// The text with `$1`, `$2` … for the parameters.
    public var text: String {
        var number = 0
        return parts.reduce(into: "") { text, part in
            switch part {
            case .text(let literal): text += literal
            case .value:
                number += 1
                text += "$\(number)"
            }
        }
    }

    /// The parameters, in the order of their numbers.
    public var parameters: [SQLValue] {
        parts.compactMap { part in if case .value(let value) = part { value } else { nil } }
    }

    /// The text with the parameters as quoted literals, for PostgreSQL's simple query protocol, which has no parameters.
    public var inlined: String {
        parts.reduce(into: "") { text, part in
            switch part {
            case .text(let literal): text += literal
            case .value(let value): text += value.literal
            }
        }
    }

    /// The text, without the values of the parameters.
    public var description: String { text }

    /// The literals and values of an interpolated `SQL`.
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var parts: [Part] = []

        /// An empty statement.
        public init(literalCapacity: Int, interpolationCount: Int) { parts.reserveCapacity(2 * interpolationCount + 1) }

        /// Adds words of the statement.
        public mutating func appendLiteral(_ literal: StaticString) { parts.append(.text(literal.description)) }

        /// Adds a parameter; NULL for nil.
        public mutating func appendInterpolation(_ value: (some SQLParameter)?) {
            parts.append(.value(value?.sqlValue ?? .null))
        }

        /// Adds an array as one parameter.
        public mutating func appendInterpolation<Element: SQLParameter>(_ values: [Element]) {
            parts.append(.value(Element.sqlArray(values)))
        }

        /// Adds an array as one parameter, with NULL for each nil.
        public mutating func appendInterpolation<Element: SQLParameter>(_ values: [Element?]) {
            parts.append(.value(Element.sqlArray(values)))
        }

        /// Adds a bytea as a parameter.
        public mutating func appendInterpolation(_ bytes: [UInt8]) { parts.append(.value(.bytes(bytes))) }

        /// Adds a part of a statement, with its parameters.
        public mutating func appendInterpolation(_ part: SQL) { parts += part.parts }

        /// Adds the part that `part` makes of a value; nothing for nil. For a condition that is only asked for sometimes.
        public mutating func appendInterpolation<Value>(ifPresent value: Value?, _ part: (Value) -> SQL) {
            if let value { parts += part(value).parts }
        }

        /// Adds the quoted name of a table or column.
        public mutating func appendInterpolation(identifier name: String) {
            parts.append(.text("\"\(name.replacing("\"", with: "\"\""))\""))
        }

        /// Adds a value as a literal, where the planner must know it: it then leaves out, and does not lock, the chunks
        /// that a condition on the time excludes.
        public mutating func appendInterpolation(literal value: some SQLParameter) {
            parts.append(.text(value.sqlValue.literal))
        }
    }
}

extension [SQL] {
    /// The parts as one, with `separator` between them.
    public func joined(separator: SQL) -> SQL {
        dropFirst().reduce(first ?? "") { "\($0)\(separator)\($1)" }
    }
}
