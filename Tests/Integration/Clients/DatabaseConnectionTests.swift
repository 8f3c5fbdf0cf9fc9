import Endpoint
import Foundation
import Postgres
import Service
import TestSupport
import Testing
import Time

extension Integration {
    @Suite struct TheStore {
        @Test func everyKindOfValueComesBackAsItWentIn() async throws {
            let awkward = [
                "", " ", "NULL", "null", #"a"b\c'd{e},f"#, "§ µ 😀 é e\u{301}", "line\nline\t\r", "\\x41", "$1",
            ]
            let bytes = (0...255).map { UInt8($0) }
            let doubles = [
                0, -0.0, 1.0 / 3, .greatestFiniteMagnitude, -.leastNonzeroMagnitude, .infinity, -.infinity, .nan,
            ]
            let integers = [Int64.min, -1, 0, .max]
            try await TestSystem.with { system in
                let store = system.store
                for text in awkward {
                    let row = try await store.fetchOne("SELECT \(text)::text AS t")
                    #expect(try row.text("t") == text)
                }
                let (nul, none) = ("a\0b", nil as String?)
                let texts = try await store.fetchOne("SELECT \(nul)::text AS nul, \(none)::text AS none")
                #expect(try texts.text("nul") == "a\u{FFFD}b" && texts.optionalText("none") == nil)
                for bytes in [bytes, [], [0]] {
                    let row = try await store.fetchOne(
                        "SELECT encode(\(bytes), 'hex') AS h, length(\(bytes)::bytea) AS n")
                    #expect(try row.bytes("h") == bytes && row.integer("n") == Int64(bytes.count))
                }
                for number in doubles {
                    let row = try await store.fetchOne("SELECT \(number)::float8 AS d")
                    let found = try row.double("d")
                    #expect(found.bitPattern == number.bitPattern || (found.isNaN && number.isNaN), "\(number)")
                }
                for number in integers {
                    let row = try await store.fetchOne("SELECT \(number)::bigint AS i")
                    #expect(try row.integer("i") == number)
                }
                for flag in [true, false] {
                    #expect(try await store.fetchOne("SELECT \(flag)::boolean AS f").flag("f") == flag)
                }
                let lists: ([Int?], [Double?], [String?], [Int]) = (
                    [1, nil, .min], [.nan, nil, -.infinity, 0.1], awkward + [nil, nul], []
                )
                let row = try await store.fetchOne(
                    """
                    SELECT (\(lists.0)::bigint[])::text AS i, (\(lists.1)::float8[])::text AS d,
                           array_to_json(\(lists.2)::text[])::text AS t, cardinality(\(lists.3)::int[]) AS none
                    """)
                #expect(try row.text("i") == "{1,NULL,-9223372036854775808}" && row.integer("none") == 0)
                #expect(try row.text("d") == "{NaN,NULL,-Infinity,0.1}")
                let list = try JSONDecoder().decode([String?].self, from: Data(try row.text("t").utf8))
                #expect(list == awkward + [nil, "a\u{FFFD}b"])
            }
        }

        /// Cut to the microsecond below, also before 1970, to the ends of what a Timestamp can hold.
        @Test func timesComeBackToTheMicrosecond() async throws {
            let nanoseconds: [Int64] = [
                0, 1, 999, 1000, -1, -1000, -1001, 1_763_720_073_123_456_789, .max, .min + 1_000_000,
                951_782_400_000_000_000,
            ]
            let times = nanoseconds.map { Timestamp(unixNanoseconds: $0) }
            try await TestSystem.with { system in
                let rows = try await system.store.fetch(
                    """
                    SELECT (extract(epoch FROM t) * 1000000)::bigint AS us
                      FROM unnest(\(times + [nil])::timestamptz[] || \(times[7])::timestamptz) WITH ORDINALITY AS u(t, k)
                     ORDER BY k
                    """)
                #expect(
                    try rows.map { try $0.optionalInteger("us") }
                        == (times + [nil, times[7]]).map { $0?.unixMicroseconds })
            }
        }

        @Test func aTransactionIsAllOrNothing() async throws {
            struct Oops: Error {}
            try await TestSystem.with { system in
                let store = system.store
                try await store.run("CREATE TABLE t (a int PRIMARY KEY)")
                let sum = try await store.transaction { session in
                    try session.run("INSERT INTO t VALUES (1)")
                    return try session.run("INSERT INTO t VALUES (2), (3)")
                }
                #expect(sum == 2)
                await #expect(throws: Oops.self) {
                    try await store.transaction { session in
                        try session.run("INSERT INTO t VALUES (4)")
                        throw Oops()
                    }
                }
                let error = try await #require(throws: StoreError.self) {
                    try await store.transaction { session in
                        try session.run("INSERT INTO t VALUES (5)")
                        try session.run("INSERT INTO t VALUES (1)")
                    }
                }
                #expect(error.sqlState == "23505" && error.advice == .giveUp)
                let late = try await #require(throws: StoreError.self) {
                    try await store.transaction { session in
                        try session.run("INSERT INTO t VALUES (6)")
                        try session.commit(with: "SELECT 1 / 0")
                    }
                }
                #expect(late.sqlState == "22012")
                #expect(try await system.number("SELECT sum(a) FROM t") == 6)
            }
        }

        @Test func errorsSayWhatToDo() async throws {
            try await TestSystem.with { system in
                func error(_ sql: SQL) async throws -> StoreError {
                    try await #require(throws: StoreError.self) { try await system.store.run(sql) }
                }
                #expect(try await error("SELEC 1").sqlState == "42601")
                #expect(try await error("SELECT 1 FROM nowhere").advice == .retry, "somebody can make the table")
                #expect(try await error("SELECT 1 / 0").sqlState == "22012")
                for (code, advice) in [
                    ("40001", StoreError.Advice.retry), ("40P01", .retry), ("53100", .retry), ("57014", .retry),
                    ("08006", .retry), ("42501", .retry), ("53200", .halve), ("54000", .halve), ("22003", .giveUp),
                    ("23505", .giveUp),
                ] {
                    let raised = try await error(
                        "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = \(literal: code); END $$")
                    #expect(raised.sqlState == code && raised.advice == advice, "\(code)")
                }
            }
        }

        @Test func aLockOrATransactionThatTakesTooLongEnds() async throws {
            try await TestSystem.with { system in
                try await system.store.run("CREATE TABLE t (a int)")
                let (held, other) = (system.store, try system.anotherStore())
                let blocked = try await held.transaction { session in
                    try session.run("LOCK t")
                    // The lock is held for as long as the statement below runs, on a connection of its own.
                    return try session.fetch("SELECT 1 AS one").count
                }
                #expect(blocked == 1)
                let locking = Task {
                    try await held.transaction { session in
                        try session.run("LOCK t")
                        try session.run("SELECT pg_sleep(20)")
                    }
                }
                try await eventually("the table is locked", within: .seconds(10)) {
                    try await other.fetch(
                        "SELECT 1 FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock' AND granted"
                    ).count == 1
                }
                let began = ContinuousClock.now
                let timeout = try await #require(throws: StoreError.self) {
                    try await other.transaction(lockTimeout: .milliseconds(100)) { session in
                        try session.run("SELECT * FROM t")
                    }
                }
                #expect(timeout.sqlState == "55P03" && timeout.advice == .retry)
                #expect(began.duration(to: .now) < .seconds(5))
                try await other.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20)%'")
                await #expect(throws: StoreError.self) { try await locking.value }

                let tooLong = try await #require(throws: StoreError.self) {
                    try await other.transaction(timeout: .milliseconds(150)) { session in
                        try session.run("SELECT pg_sleep(20)")
                    }
                }
                #expect(tooLong.advice == .retry)
                #expect(try await other.fetchOne("SELECT 7 AS x").integer("x") == 7)
                await other.close()
            }
        }

        /// The next call finds another connection by itself; nothing is retried.
        @Test func aConnectionThatTheServerEndsIsLostAndThenReplaced() async throws {
            try await TestSystem.with { system in
                let (store, admin) = (system.store, try system.anotherStore("admin"))
                let pid = try await system.number("SELECT pg_backend_pid()")
                try await admin.run("SELECT pg_terminate_backend(\(pid)::int, 5000)")
                let error = try await #require(throws: StoreError.self) { try await store.run("SELECT 1") }
                guard case .lost = error else { throw error }
                #expect(error.advice == .retry)
                #expect(try await system.number("SELECT pg_backend_pid()") != pid)

                try await store.run("CREATE TABLE t (a int)")
                let working = Task {
                    try await store.transaction { session in
                        try session.run("INSERT INTO t VALUES (1)")
                        try session.run("SELECT pg_sleep(30)")
                    }
                }
                try await eventually("it is in the middle", within: .seconds(10)) {
                    try await admin.fetch(
                        """
                        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                         WHERE query LIKE 'SELECT pg_sleep%' AND datname = current_database()
                        """
                    ).count == 1
                }
                let middle = try await #require(throws: StoreError.self) { try await working.value }
                guard case .lost(let operation, _) = middle else { throw middle }
                #expect(operation.contains("pg_sleep"))
                #expect(try await system.number("SELECT count(*) FROM t") == 0)
                await admin.close()
            }
        }

        @Test func whoIsRefusedAndWhoFindsNobodyIsToldApart() async throws {
            try await TestSystem.with { system in
                func error(_ change: (inout Endpoint) -> Void) async throws -> StoreError {
                    var endpoint = try system.settings.database
                    change(&endpoint)
                    let store = StoreConnection(endpoint, applicationName: "test")
                    let error = try await #require(throws: StoreError.self) { try await store.run("SELECT 1") }
                    #expect(!"\(error)".contains(endpoint.password.text), "the password shows")
                    #expect("\(error)".contains("\(endpoint.host)"), "\(error)")
                    #expect(error.advice == .retry)
                    return error
                }
                for refused in [
                    try await error { $0.password = Secret("hunter2") }, try await error { $0.user = "nobody" },
                    try await error { $0.path = "nowhere" },
                ] {
                    guard case .refused = refused else {
                        Issue.record("not refused: \(refused)")
                        continue
                    }
                }
                for unreachable in [
                    try await error { $0.host.port = 1 }, try await error { $0.host.name = "no-such-host.invalid" },
                ] {
                    guard case .unreachable = unreachable else {
                        Issue.record("not unreachable: \(unreachable)")
                        continue
                    }
                }
            }
        }
    }
}
