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
                    let row = try #require(try await store.query("SELECT $1::text AS t", [.text(text)]).first)
                    #expect(row["t"] == text)
                }
                let nul = try await store.query("SELECT $1::text AS t, $2::text AS n", [.text("a\0b"), .text(nil)])
                #expect(nul.first?["t"] == "a\u{FFFD}b" && nul.first?["n"] == nil && nul.columns == ["t", "n"])
                for bytes in [bytes, [], [0]] {
                    let row = try await store.query(
                        "SELECT encode($1::bytea, 'hex') AS h, length($1) AS n", [.bytes(bytes)])
                    #expect(row.first?["h"] == bytes.map { String(format: "%02x", $0) }.joined())
                    #expect(row.first?.integer("n") == Int64(bytes.count))
                }
                for number in doubles {
                    let row = try await store.query("SELECT $1::float8 AS d", [.double(number)]).first
                    let found = try #require(row?.double("d"))
                    #expect(found.bitPattern == number.bitPattern || (found.isNaN && number.isNaN), "\(number)")
                }
                for number in integers {
                    let row = try await store.query("SELECT $1::bigint AS i", [.integer(number)]).first
                    #expect(row?.integer("i") == number)
                }
                for flag in [true, false] {
                    #expect(try await store.query("SELECT $1::boolean AS f", [.flag(flag)]).first?.flag("f") == flag)
                }
                let arrays = try #require(
                    try await store.query(
                        """
                        SELECT ($1::bigint[])::text AS i, array_to_json($2::text[])::text AS t,
                               ($3::float8[])::text AS d, cardinality($4::int[]) AS none, $5::int AS null
                        """,
                        [
                            .integers([1, nil, .min]), .texts(awkward + [nil, "a\0b"]),
                            .doubles([.nan, nil, -.infinity, 0.1]), .integers([]), .null,
                        ]
                    ).first)
                #expect(arrays["i"] == "{1,NULL,-9223372036854775808}" && arrays["d"] == "{NaN,NULL,-Infinity,0.1}")
                let texts = try JSONDecoder().decode([String?].self, from: Data(try #require(arrays["t"]).utf8))
                #expect(texts == awkward + [nil, "a\u{FFFD}b"])
                #expect(arrays.integer("none") == 0 && arrays["null"] == nil)
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
                let rows = try await system.store.query(
                    """
                    SELECT (extract(epoch FROM t) * 1000000)::bigint AS us
                      FROM unnest($1::timestamptz[] || $2::timestamptz) WITH ORDINALITY AS u(t, k) ORDER BY k
                    """, [.times(times + [nil]), .time(times[7])])
                #expect(rows.rows.map { $0.integer("us") } == (times + [nil, times[7]]).map { $0?.unixMicroseconds })
            }
        }

        @Test func aTransactionIsAllOrNothing() async throws {
            struct Oops: Error {}
            try await TestSystem.with { system in
                let store = system.store
                try await store.query("CREATE TABLE t (a int PRIMARY KEY)")
                let sum = try await store.transaction { session in
                    try session.query("INSERT INTO t VALUES (1)")
                    return try session.query("INSERT INTO t VALUES (2), (3)").affected
                }
                #expect(sum == 2)
                await #expect(throws: Oops.self) {
                    try await store.transaction { session in
                        try session.query("INSERT INTO t VALUES (4)")
                        throw Oops()
                    }
                }
                let error = try await #require(throws: StoreError.self) {
                    try await store.transaction { session in
                        try session.query("INSERT INTO t VALUES (5)")
                        try session.query("INSERT INTO t VALUES (1)")
                    }
                }
                #expect(error.sqlState == "23505" && error.advice == .giveUp)
                let late = try await #require(throws: StoreError.self) {
                    try await store.transaction { session in
                        try session.query("INSERT INTO t VALUES (6)")
                        try session.commit(with: "SELECT 1 / 0")
                    }
                }
                #expect(late.sqlState == "22012")
                #expect(try await system.number("SELECT sum(a) FROM t") == 6)
            }
        }

        @Test func errorsSayWhatToDo() async throws {
            try await TestSystem.with { system in
                func error(_ sql: String) async throws -> StoreError {
                    try await #require(throws: StoreError.self) { try await system.store.query(sql) }
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
                        "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(code)'; END $$")
                    #expect(raised.sqlState == code && raised.advice == advice, "\(code)")
                }
            }
        }

        @Test func aLockOrATransactionThatTakesTooLongEnds() async throws {
            try await TestSystem.with { system in
                try await system.store.query("CREATE TABLE t (a int)")
                let (held, other) = (system.store, try system.anotherStore())
                let blocked = try await held.transaction { session in
                    try session.query("LOCK t")
                    // The lock is held for as long as the statement below runs, on a connection of its own.
                    return try session.query("SELECT 1 AS one").count
                }
                #expect(blocked == 1)
                let locking = Task {
                    try await held.transaction { session in
                        try session.query("LOCK t")
                        try session.query("SELECT pg_sleep(20)")
                    }
                }
                try await eventually("the table is locked", within: .seconds(10)) {
                    try await other.query(
                        "SELECT 1 FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock' AND granted"
                    ).count == 1
                }
                let began = ContinuousClock.now
                let timeout = try await #require(throws: StoreError.self) {
                    try await other.transaction(lockTimeout: .milliseconds(100)) { session in
                        try session.query("SELECT * FROM t")
                    }
                }
                #expect(timeout.sqlState == "55P03" && timeout.advice == .retry)
                #expect(began.duration(to: .now) < .seconds(5))
                try await other.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20)%'")
                await #expect(throws: StoreError.self) { try await locking.value }

                let tooLong = try await #require(throws: StoreError.self) {
                    try await other.transaction(timeout: .milliseconds(150)) { session in
                        try session.query("SELECT pg_sleep(20)")
                    }
                }
                #expect(tooLong.advice == .retry)
                #expect(try await other.query("SELECT 7 AS x").first?.integer("x") == 7)
                await other.close()
            }
        }

        /// The next call finds another connection by itself; nothing is retried.
        @Test func aConnectionThatTheServerEndsIsLostAndThenReplaced() async throws {
            try await TestSystem.with { system in
                let (store, admin) = (system.store, try system.anotherStore("admin"))
                let pid = try await system.number("SELECT pg_backend_pid()")
                try await admin.query("SELECT pg_terminate_backend($1::int, 5000)", [.integer(pid)])
                let error = try await #require(throws: StoreError.self) { try await store.query("SELECT 1") }
                guard case .lost = error else { throw error }
                #expect(error.advice == .retry)
                #expect(try await system.number("SELECT pg_backend_pid()") != pid)

                try await store.query("CREATE TABLE t (a int)")
                let working = Task {
                    try await store.transaction { session in
                        try session.query("INSERT INTO t VALUES (1)")
                        try session.query("SELECT pg_sleep(30)")
                    }
                }
                try await eventually("it is in the middle", within: .seconds(10)) {
                    try await admin.query(
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
                    let error = try await #require(throws: StoreError.self) { try await store.query("SELECT 1") }
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
