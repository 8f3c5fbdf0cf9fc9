internal import Model
public import Postgres
public import Rules
internal import Time

/// What making a revision found.
public struct ResolvedRules: Sendable {
    /// The newest revision.
    public var revision: RuleRevision
    /// Whether it was made now.
    public var isNew: Bool
    /// Rules and limits that are left out, because this release cannot read them: a line for each.
    public var unreadable: [String]
}

/// Revisions: rules and limits with the sensors that they apply to.
extension StoreConnection {
    /// How long a revision is kept after it was replaced: longer than a stream keeps messages.
    private static let kept: Duration = .seconds(8 * 86_400)

    /// Makes a new revision if rules, limits, sensors or channels changed since the newest one.
    /// - Returns: nil if nothing has changed.
    /// - Throws: `StoreError`.
    public func resolveRules() throws -> ResolvedRules? {
        // Most rounds end with this question, which takes no lock.
        guard try fetch("SELECT 1 FROM rule_change LIMIT 1").first != nil else { return nil }
        return try transaction(
            timeout: .seconds(30),
            // One registry at a time. What is committed after the deletion stays for the next round.
            prelude: "SELECT pg_advisory_xact_lock(hashtext('rule_revision'))"
        ) { session in
            guard try session.run("DELETE FROM rule_change") > 0 else { return nil }
            return try session.resolveRules(kept: Self.kept)
        }
    }

    /// Reads the number of the newest revision; nil: none was made yet.
    /// - Throws: `StoreError`.
    public func newestRuleRevision() throws -> Int64? {
        try fetchOne("SELECT max(revision) AS newest FROM rule_revision").optionalInteger("newest")
    }

    /// Reads a revision; nil if it does not exist any more.
    /// - Throws: `StoreError`.
    public func ruleRevision(_ number: Int64) throws -> RuleRevision? {
        try transaction(timeout: .seconds(30)) { session in try session.ruleRevision(number) }
    }
}

extension Session {
    fileprivate func ruleRevision(_ number: Int64) throws -> RuleRevision? {
        try fetch("SELECT body FROM rule_revision WHERE revision = \(number)").first?
            .text("body", as: "a revision of this release") { StoredJSON.value(RuleRevision.self, of: $0) }
    }

    fileprivate func resolveRules(kept: Duration) throws -> ResolvedRules {
        let newest = try fetch("SELECT max(revision) AS newest FROM rule_revision").first?.optionalInteger("newest")
        let previous = try newest.flatMap { try ruleRevision($0) }
        var resolving = RuleResolving()
        try readRules(into: &resolving)
        try readLimits(into: &resolving)
        try readChannels(into: &resolving)
        var revision = resolving.revision(number: (newest ?? 0) + 1)
        if let previous {
            let known = Set(revision.sensors.map(\.serial))
            let gone = previous.sensors.map(\.serial).filter { !known.contains($0) }
            revision.deleted = try fetch(
                """
                SELECT u.serial FROM unnest(\(gone)::text[]) AS u(serial)
                 WHERE NOT EXISTS (SELECT FROM sensor s WHERE s.serial = u.serial AND s.deleted_at IS NULL)
                 ORDER BY u.serial COLLATE "C"
                """
            ).map { try $0.text("serial") }
            if revision.isSame(as: previous) {
                return ResolvedRules(revision: previous, isNew: false, unreadable: resolving.unreadable)
            }
        }
        try run(
            "INSERT INTO rule_revision (revision, body) VALUES (\(revision.number), \(StoredJSON.text(of: revision)))")
        try run(
            """
            DELETE FROM rule_revision r WHERE EXISTS (
                SELECT FROM rule_revision next WHERE next.revision = r.revision + 1
                   AND next.created_at < now() - make_interval(secs => \(kept.seconds)))
            """)
        return ResolvedRules(revision: revision, isNew: true, unreadable: resolving.unreadable)
    }

    /// Reads the rules and the sensors that each selects.
    private func readRules(into resolving: inout RuleResolving) throws {
        let rows = try fetch("SELECT name, body::text AS body FROM alarm_rule ORDER BY name COLLATE \"C\"")
        for row in rows {
            guard let rule = try? row.rule("body") else {
                resolving.unreadable.append("rule \(try row.text("name")) cannot be read by this release")
                continue
            }
            let selector: SensorSelector
            do {
                selector = rule.selector.selectorText.isEmpty ? .all : try SensorSelector(rule.selector.selectorText)
            } catch {
                resolving.unreadable.append("rule \(rule.name): \(error)")
                continue
            }
            let patterns = rule.selector.sensors.map { SerialPattern($0).like }
            let serials =
                rule.isEnabled
                ? try fetch(
                    """
                    SELECT s.serial FROM sensor s LEFT JOIN target t USING (target_id)
                     WHERE s.deleted_at IS NULL AND (\(selector.sql))
                       AND (\(patterns.isEmpty) OR s.serial LIKE ANY (\(patterns)::text[]))
                    """
                ).map { try $0.text("serial") } : []
            resolving.add(rule, serials: serials)
        }
    }

    /// Reads the limits in the sensors' desired properties. A value that is not a number is no limit.
    private func readLimits(into resolving: inout RuleResolving) throws {
        let rows = try fetch(
            """
            SELECT s.serial, c.name,
                   CASE jsonb_typeof(l.value->'high') WHEN 'number' THEN l.value->>'high' END AS high,
                   CASE jsonb_typeof(l.value->'low') WHEN 'number' THEN l.value->>'low' END AS low,
                   CASE jsonb_typeof(l.value->'hysteresis') WHEN 'number' THEN l.value->>'hysteresis' END AS hysteresis
              FROM sensor s CROSS JOIN LATERAL jsonb_each(s.desired->'limits') AS l(name, value)
              JOIN channel c ON c.sensor_id = s.sensor_id AND c.name = l.name
             WHERE s.desired_changed_at IS NOT NULL AND s.deleted_at IS NULL
               AND jsonb_typeof(s.desired->'limits') = 'object' AND jsonb_typeof(l.value) = 'object'
             ORDER BY s.serial COLLATE "C", c.channel
            """)
        for row in rows {
            let serial = try row.text("serial")
            do {
                let limits = ChannelLimits(
                    high: try row.optionalDouble("high"), low: try row.optionalDouble("low"),
                    // NULL: the operator set none.
                    hysteresis: try row.optionalDouble("hysteresis") ?? 0)
                guard limits.high != nil || limits.low != nil else { continue }
                resolving.limits[serial, default: []].append((try row.text("name"), limits))
            } catch {
                guard case .undecodable = error else { throw error }
                resolving.unreadable.append("limits of \(serial): \(error)")
            }
        }
    }

    /// Reads the channels and targets of the sensors that rules or limits apply to.
    private func readChannels(into resolving: inout RuleResolving) throws {
        let rows = try fetch(
            """
            SELECT s.serial, t.name AS target, c.name, c.channel, nullif(c.unit, '') AS unit
              FROM sensor s LEFT JOIN target t USING (target_id) LEFT JOIN channel c USING (sensor_id)
             WHERE s.serial = ANY (\(resolving.serials)::text[]) ORDER BY s.serial COLLATE "C", c.channel
            """)
        for row in rows {
            let serial = try row.text("serial")
            resolving.targets[serial] = try row.optionalText("target")
            guard let name = try row.optionalText("name") else { continue }
            resolving.channels[serial, default: []].append(
                RuleRevision.Channel(
                    name: name, number: try row.integer("channel", as: Int16.self), unit: try row.optionalText("unit")))
        }
    }
}

extension RuleRevision {
    /// Whether nothing but the number differs, and no sensor was deleted since.
    fileprivate func isSame(as other: RuleRevision) -> Bool {
        rules == other.rules && sensors == other.sensors && deleted.isEmpty && zones == other.zones
    }
}
