import Model
import Postgres
import Rules
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// A row that cannot be decoded is an error that names it, and no default, no skipped row and no other error.
    @Suite struct Decoding {
        /// The error of `body`: it must be of a column and name the statement.
        private func undecodable(
            _ column: String, found: String, _ statement: String, sourceLocation: SourceLocation = #_sourceLocation,
            _ body: () async throws -> Void
        ) async {
            let error = await #expect(throws: StoreError.self, sourceLocation: sourceLocation) { try await body() }
            guard case .undecodable(let errorColumn, _, let errorFound, let errorStatement)? = error else {
                Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
                return
            }
            #expect(errorColumn == column && errorFound == found, sourceLocation: sourceLocation)
            #expect(errorStatement.hasPrefix(statement), "\(errorStatement)", sourceLocation: sourceLocation)
        }

        @Test func aLedgerWithACauseThatIsNotKnown() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let store = system.store
                    let ids = try await store.sensorIDs(for: [serial("a"), serial("b")])
                    let a = LedgerCache.Key(sensor: try #require(ids[serial("a")]), boot: 1)
                    let b = LedgerCache.Key(sensor: try #require(ids[serial("b")]), boot: 1)
                    try await partition.commit(a, sequences: [0, 5])
                    try await partition.commit(b, sequences: [0, 5])
                    try await store.run("ALTER TABLE sequence_gap DROP CONSTRAINT sequence_gap_cause")
                    try await store.run("UPDATE sequence_gap SET cause = 'moonlight' WHERE sensor_id = \(a.sensor)")
                    // One row of two: the other sensor's ledger is not returned without it.
                    await undecodable("gaps", found: "\"1/4/4/moonlight\"", "SELECT b.sensor_id, b.boot_id") {
                        _ = try await store.ledgers(for: [b, a])
                    }
                    await undecodable("cause", found: "\"moonlight\"", "SELECT sensor_id, boot_id, first_sequence") {
                        _ = try await store.audit()
                    }
                    await undecodable("cause", found: "\"moonlight\"", "SELECT cause, sum(missing)") {
                        _ = try await store.missingFrames()
                    }
                    #expect(try await store.ledgers(for: [b]).count == 1, "the connection still works")
                }
            }
        }

        @Test func aSensorWhoseNameIsNoSerialNumber() async throws {
            try await TestSystem.with { system in
                try await system.leased { _ in
                    let store = system.store
                    try await store.run("ALTER TABLE sensor DROP CONSTRAINT sensor_serial_check")
                    try await store.run("INSERT INTO sensor (serial, presence) VALUES ('a.b', 'online')")
                    try await store.run(
                        "INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 0, 'x' FROM sensor")
                    try await store.run(
                        "UPDATE sensor SET desired = '{\"limits\": {\"x\": {\"high\": 1}}}', desired_changed_at = now()"
                    )
                    await undecodable("serial", found: "\"a.b\"", "SELECT s.sensor_id, s.serial,") {
                        _ = try await store.judgePresence(listeningSeconds: 1000)
                    }
                }
            }
        }

        @Test func aResultWithoutAColumn() async throws {
            try await TestSystem.with { system in
                let row = try await system.store.fetchOne("SELECT 1 AS one,\n 2 AS two")
                #expect(
                    throws: StoreError.missingColumn("three", found: ["one", "two"], statement: "SELECT 1 AS one,")
                ) {
                    _ = try row.integer("three")
                }
                let none = try await system.store.fetch("SELECT 1 AS one WHERE false")
                let missing = StoreError.missingColumn("two", found: ["one"], statement: "SELECT 1 AS one WHERE false")
                #expect(throws: missing) { _ = try none.column("two") }
                let error = await #expect(throws: StoreError.self) {
                    try await system.store.fetchOne("SELECT 1 WHERE false")
                }
                #expect(error == .unexpected("no row: SELECT 1 WHERE false"))
            }
        }

        /// A limit that is not a number is no limit: an operator's JSON is not a row that cannot be decoded.
        @Test func limitsThatAreNoNumbers() async throws {
            try await TestSystem.with { system in
                try await system.leased { _ in
                    let store = system.store
                    try await store.run("INSERT INTO sensor (serial) VALUES ('a')")
                    try await store.run(
                        "INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 0, 'x' FROM sensor")
                    let desired = #"{"limits": {"x": {"high": "warm", "low": -1.5, "hysteresis": null}}}"#
                    try await store.run("UPDATE sensor SET desired = \(desired)::jsonb, desired_changed_at = now()")
                    let resolved = try #require(try await store.resolveRules())
                    let limits = try #require(resolved.revision.sensors.first?.limits.first)
                    #expect(limits.high == nil && limits.low == -1.5 && limits.hysteresis == nil)
                    #expect(resolved.unreadable.isEmpty)
                }
            }
        }
    }
}
