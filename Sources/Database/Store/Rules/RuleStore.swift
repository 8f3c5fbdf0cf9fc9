public import Postgres
public import Rules
public import Time

/// A rule as it is stored.
public struct RuleRecord: Sendable, Equatable {
    /// The rule.
    public var rule: Rule
    /// Counts the changes of the rules of this name from 1.
    public var version: Int
    /// When it was changed last.
    public var changedAt: Timestamp
    /// Who changed it.
    public var changedBy: String
    /// The number of its active alarms.
    public var activeAlarms: Int64
}

/// A version that a rule has or had.
public struct RuleVersion: Sendable, Equatable {
    /// The rule's name.
    public var name: String
    /// The number of the version.
    public var version: Int
    /// The rule from then on; nil: it was removed.
    public var rule: Rule?
    /// When it was made.
    public var changedAt: Timestamp
    /// Who made it.
    public var changedBy: String
}

/// What applying a rule did.
public struct AppliedRule: Sendable, Equatable {
    /// The difference to what was stored.
    public enum Change: String, Sendable, CaseIterable {
        /// There was no rule of this name.
        case added
        /// The rule was different.
        case changed
        /// The same rule was there.
        case unchanged
    }

    /// The rule's name.
    public var name: String
    /// The difference.
    public var change: Change
    /// The rule's version afterwards.
    public var version: Int
    /// The rule before; nil if there was none.
    public var before: Rule?
}

/// Alarm rules and their versions.
extension StoreConnection {
    /// Reads the rules, by name.
    /// - Throws: `StoreError`; `undecodable` if a newer release wrote a rule that this one cannot read.
    public func rules() throws -> [RuleRecord] {
        try transaction(timeout: .seconds(30)) { session in
            try session.fetch(
                """
                SELECT r.body::text AS body, r.version, \(microseconds("r.changed_at")) AS changed_us, r.changed_by,
                       (SELECT count(*) FROM alarm a WHERE a.rule = r.name AND a.cleared_at IS NULL) AS alarms
                  FROM alarm_rule r ORDER BY r.name COLLATE "C"
                """
            ).map { row in
                RuleRecord(
                    rule: try row.rule("body"), version: try row.integer("version", as: Int.self),
                    changedAt: try row.time("changed_us"), changedBy: try row.text("changed_by"),
                    activeAlarms: try row.integer("alarms"))
            }
        }
    }

    /// Stores rules: all of them, or none. Rules of other names stay as they are.
    /// - Parameters:
    ///   - isDry: whether nothing is changed; the answer is the same.
    ///   - issuer: the person, for the record.
    /// - Returns: what was done, in the order of the rules.
    /// - Throws: `StoreError`.
    @discardableResult
    public func apply(rules: [Rule], isDry: Bool = false, issuer: String) throws -> [AppliedRule] {
        try transaction(timeout: .seconds(30)) { session in
            // One writer at a time, so that versions count without a gap.
            if !isDry { try session.run("LOCK TABLE alarm_rule IN SHARE ROW EXCLUSIVE MODE") }
            return try rules.map { try session.apply($0, isDry: isDry, issuer: issuer) }
        }
    }

    /// Removes rules. Their alarms end with the cause `rule_removed`.
    /// - Returns: the names of the rules that existed, in the order given.
    /// - Throws: `StoreError`.
    public func removeRules(_ names: [String], issuer: String) throws -> [String] {
        try transaction(timeout: .seconds(30)) { session in
            try session.run("LOCK TABLE alarm_rule IN SHARE ROW EXCLUSIVE MODE")
            return try names.filter { name in
                guard try session.run("DELETE FROM alarm_rule WHERE name = \(name)") > 0 else { return false }
                try session.run(
                    """
                    INSERT INTO alarm_rule_history (name, version, changed_by)
                    SELECT \(name)::text, max(version) + 1, \(issuer)::text FROM alarm_rule_history WHERE name = \(name)
                    """)
                return true
            }
        }
    }

    /// Reads the versions of rules, newest first, at most `countMax`.
    /// - Parameter name: a rule's name, also of one that was removed; nil: all.
    /// - Throws: `StoreError`.
    public func ruleHistory(of name: String?, countMax: Int) throws -> [RuleVersion] {
        try transaction(timeout: .seconds(30)) { session in
            try session.fetch(
                """
                SELECT name, version, body::text AS body, \(microseconds("changed_at")) AS changed_us, changed_by
                  FROM alarm_rule_history WHERE true \(ifPresent: name, { "AND name = \($0)" })
                 ORDER BY changed_at DESC, name COLLATE "C", version DESC LIMIT \(countMax)
                """
            ).map { row in
                RuleVersion(
                    name: try row.text("name"), version: try row.integer("version", as: Int.self),
                    rule: try row.optionalText("body") == nil ? nil : row.rule("body"),
                    changedAt: try row.time("changed_us"), changedBy: try row.text("changed_by"))
            }
        }
    }
}

extension Session {
    fileprivate func apply(_ rule: Rule, isDry: Bool, issuer: String) throws -> AppliedRule {
        let found = try fetch(
            "SELECT body::text AS body, version FROM alarm_rule WHERE name = \(rule.name)"
        ).first
        // A rule that this release cannot read is replaced.
        let before = found.flatMap { try? $0.rule("body") }
        if let found, before == rule {
            return AppliedRule(
                name: rule.name, change: .unchanged, version: try found.integer("version", as: Int.self), before: before
            )
        }
        let change: AppliedRule.Change = found == nil ? .added : .changed
        let version = try fetchOne(
            "SELECT coalesce(max(version), 0) + 1 AS next FROM alarm_rule_history WHERE name = \(rule.name)"
        ).integer("next", as: Int.self)
        if !isDry {
            let body = try StoredJSON.text(of: rule)
            try run(
                """
                INSERT INTO alarm_rule (name, version, body, changed_by)
                VALUES (\(rule.name), \(version), \(body)::jsonb, \(issuer))
                ON CONFLICT (name) DO UPDATE
                SET version = EXCLUDED.version, body = EXCLUDED.body, changed_at = now(), changed_by = EXCLUDED.changed_by
                """)
            try run(
                """
                INSERT INTO alarm_rule_history (name, version, body, changed_by)
                VALUES (\(rule.name), \(version), \(body)::jsonb, \(issuer))
                """)
        }
        return AppliedRule(name: rule.name, change: change, version: version, before: before)
    }
}

extension Row {
    /// A rule in JSON.
    func rule(_ column: Column) throws(StoreError) -> Rule {
        try text(column, as: "a rule of this release") { StoredJSON.value(Rule.self, of: $0) }
    }
}
