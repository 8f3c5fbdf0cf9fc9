public import Foundation

/// SQL of a dashboard as Grafana sends it to PostgreSQL: first the browser puts values of variables in, then the data
/// source expands its macros.
///
/// Written after grafana/grafana: `formatRegistry.ts` and the PostgreSQL `datasource.ts` for variables, `macros.go` and
/// `sqleng/sql_engine.go` of grafana-postgresql-datasource for macros, gtime of its plugin SDK for intervals.
public struct GrafanaSQL: Sendable {
    /// What a variable has.
    public enum Value: Sendable, Equatable {
        /// The choice where only one can be made, or a text.
        case one(String)
        /// The choices.
        case many([String])
        /// A custom "All" value, which Grafana puts in as it is, whatever the format.
        case all(String)
    }

    /// Something that Grafana would show as an error instead of a panel, or send to the server as it is.
    public struct Fault: Error, Equatable, CustomStringConvertible {
        /// What.
        public let description: String
        init(_ description: String) { self.description = description }
    }

    /// The beginning of the dashboard's time range.
    public var from: Date
    /// Its end.
    public var to: Date
    /// Milliseconds of `$__interval`.
    public var intervalMilliseconds: Int
    /// The variables' values, by name.
    public var variables: [String: Value]

    /// The range, the interval and the variables.
    public init(from: Date, to: Date, intervalMilliseconds: Int, variables: [String: Value] = [:]) {
        (self.from, self.to) = (from, to)
        (self.intervalMilliseconds, self.variables) = (intervalMilliseconds, variables)
    }

    /// What the server is asked.
    /// - Throws: `Fault`.
    public func expanded(_ sql: String) throws -> String {
        let interval = Self.formatted(milliseconds: intervalMilliseconds)
        let global = try withVariables(sql)
            .replacing("$__interval_ms", with: "\(intervalMilliseconds)")
            .replacing("$__interval", with: interval)
            .replacing("$__unixEpochFrom()", with: Self.unix(from))
            .replacing("$__unixEpochTo()", with: Self.unix(to))
        return try global.replacing(/\$([_a-zA-Z0-9]+)\(([^)]*)\)/) { call in
            // As before Grafana 5.3: a group with a comma behind it names itself.
            let first = global.range(of: call.output.0)?.upperBound ?? global.endIndex
            let isFollowed = first < global.endIndex && global[first] == ","
            let name = call.output.1 == "__timeGroup" && isFollowed ? "__timeGroupAlias" : String(call.output.1)
            let arguments = call.output.2.split(separator: ",", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: [" "]) }
            return try macro(name, arguments)
        }
    }

    // MARK: variables

    private func withVariables(_ sql: String) throws -> String {
        try sql.replacing(/\$(\w+)|\$\{(\w+)(?::(\w+))?\}/) { use in
            let name = String(use.output.1 ?? use.output.2 ?? "")
            guard let value = variables[name] else {
                // Macros look like variables that don't exist; those are left to the data source.
                if use.output.1?.hasPrefix("__") == true { return String(use.output.0) }
                throw Fault("no variable \(name)")
            }
            return try Self.formatted(value, as: use.output.3.map(String.init))
        }
    }

    /// A value in one of Grafana's formats; nil: as the data source does it where the query names none.
    static func formatted(_ value: Value, as format: String?) throws -> String {
        let values: [String]
        switch value {
        case .all(let text): return text
        case .one(let text): values = [text]
        case .many(let texts): values = texts
        }
        func joined(_ quote: String, _ escaped: String) -> String {
            values.map { quote + $0.replacing(quote, with: escaped) + quote }.joined(separator: ",")
        }
        switch format {
        case "sqlstring": return joined("'", "''")
        case "singlequote": return joined("'", "\\'")
        case "doublequote": return joined("\"", "\\\"")
        case "csv", "raw": return values.joined(separator: ",")
        case "pipe": return values.joined(separator: "|")
        case nil:
            if case .one(let text) = value { return text.replacing("'", with: "''") }
            return joined("'", "''")
        case .some(let format): throw Fault("format \(format) is none for SQL")
        }
    }

    // MARK: macros

    private func macro(_ name: String, _ arguments: [String]) throws -> String {
        // Go's Split gives one empty argument where there is none.
        let column = arguments.first ?? ""
        switch name {
        case "__time": return "\(column) AS \"time\""
        case "__timeEpoch": return "extract(epoch from \(column)) as \"time\""
        case "__timeFilter": return "\(column) BETWEEN '\(Self.rfc3339(from))' AND '\(Self.rfc3339(to))'"
        case "__timeFrom": return "'\(Self.rfc3339(from))'"
        case "__timeTo": return "'\(Self.rfc3339(to))'"
        case "__timeGroup":
            let milliseconds = try group(name, arguments)
            let fraction = String(String(milliseconds % 1000 + 1000).dropFirst())
            return "time_bucket('\(milliseconds / 1000).\(fraction)s',\(column))"
        case "__timeGroupAlias": return try macro("__timeGroup", arguments) + " AS \"time\""
        case "__unixEpochFilter":
            return "\(column) >= \(Self.unix(from)) AND \(column) <= \(Self.unix(to))"
        case "__unixEpochGroup":
            let seconds = Double(try group(name, arguments)) / 1000
            let text = seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
            return "floor((\(column))/\(text))*\(text)"
        case "__unixEpochGroupAlias": return try macro("__unixEpochGroup", arguments) + " AS \"time\""
        case "__unixEpochNanoFilter":
            return "\(column) >= \(Self.unixNano(from)) AND \(column) <= \(Self.unixNano(to))"
        case "__unixEpochNanoFrom": return Self.unixNano(from)
        case "__unixEpochNanoTo": return Self.unixNano(to)
        default: throw Fault("unknown macro \(name)")
        }
    }

    /// The milliseconds of a group's second argument; its third says how Grafana fills what is missing.
    private func group(_ name: String, _ arguments: [String]) throws -> Int {
        guard arguments.count >= 2 else { throw Fault("macro \(name) needs time column and interval") }
        if arguments.count == 3, !["NULL", "previous"].contains(arguments[2]), Double(arguments[2]) == nil {
            throw Fault("error parsing fill value \(arguments[2])")
        }
        let text = arguments[1].trimmingCharacters(in: ["'"])
        guard let milliseconds = Self.milliseconds(text), milliseconds > 0 else {
            throw Fault("error parsing interval \(arguments[1])")
        }
        return milliseconds
    }

    // MARK: times

    /// An interval: days and weeks by themselves, or Go's durations ("1h30m", "500ms"); nil if it is none. Months and
    /// years, whose length Grafana takes from the calendar of today, are none here.
    public static func milliseconds(_ interval: String) -> Int? {
        if let days = interval.wholeMatch(of: /(\d+)([dw])/) {
            return Int(days.output.1).map { $0 * (days.output.2 == "d" ? 86_400_000 : 604_800_000) }
        }
        guard interval.wholeMatch(of: /(\d+(\.\d+)?(ms|s|m|h))+/) != nil else { return nil }
        let units = ["ms": 1.0, "s": 1000, "m": 60_000, "h": 3_600_000]
        return interval.matches(of: /(\d+(?:\.\d+)?)(ms|s|m|h)/).reduce(0) { sum, part in
            sum + Int((Double(part.output.1) ?? 0) * (units[String(part.output.2)] ?? 0))
        }
    }

    /// The largest unit that fits, whole: "1d", "6h", "30s", "500ms".
    static func formatted(milliseconds: Int) -> String {
        let units = [
            ("y", 365 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
        ]
        guard let unit = units.first(where: { milliseconds >= $0.1 }) else { return "1ms" }
        return "\(milliseconds / unit.1)\(unit.0)"
    }

    /// Go's RFC3339Nano of a time in whole milliseconds: no zeros at the end.
    static func rfc3339(_ date: Date) -> String {
        let text = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)).dropLast()
        let trimmed = text.replacing(/\.?0+$/, with: "")
        return (text.contains(".") ? String(trimmed) : String(text)) + "Z"
    }

    private static func unix(_ date: Date) -> String { "\(Int(date.timeIntervalSince1970.rounded(.down)))" }

    private static func unixNano(_ date: Date) -> String {
        "\(Int((date.timeIntervalSince1970 * 1000).rounded()) * 1_000_000)"
    }
}
