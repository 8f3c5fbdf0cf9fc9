import Endpoint
import Foundation
import Postgres
import Service
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// `scripts/backup` as a process: what `make backup` and `make restore` call.
    @Suite struct BackingUp {
        /// An empty database beside the system's, and a folder for backups; gone when the test ends.
        private struct Place {
            let system: TestSystem
            /// The backup.
            let folder: String
            /// The empty database, as its owner and as a superuser.
            let owner: String
            let superuser: String
            let store: StoreConnection

            static func with(_ system: TestSystem, _ body: (Place) async throws -> Void) async throws {
                let name = "\(system.name)_restored"
                try await system.store.run("CREATE DATABASE \(identifier: name)")
                guard var url = URLComponents(string: try system.value("DATABASE_URL")) else {
                    throw TestServers.Failure("no DATABASE_URL")
                }
                url.path = "/\(name)"
                let owner = url.string ?? ""
                let place = Place(
                    system: system, folder: system.folder.appending(path: "backup").path, owner: owner,
                    superuser: try TestServers.superuserURL(database: name),
                    store: StoreConnection(try Endpoint(owner, .postgresql), applicationName: "restored"))
                let failure: (any Error)?
                do {
                    try await body(place)
                    failure = nil
                } catch { failure = error }
                await place.store.close()
                try await system.store.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
                if let failure { throw failure }
            }

            /// `scripts/backup VERB` of the backup.
            func run(_ verb: String, of url: String? = nil) async throws -> Program.Outcome {
                let url = try url ?? system.value("DATABASE_URL")
                return try await Program.run(
                    TestServers.root.appending(path: "scripts/backup").path, [verb, folder],
                    environment: system.environment.merging(["DATABASE_URL": url]) { _, new in new },
                    deadline: .seconds(120))
            }

            func expectDone(_ verb: String, of url: String? = nil) async throws {
                let done = try await run(verb, of: url)
                guard done.status == 0 else { throw TestServers.Failure("\(verb): \(done.errors)") }
                #expect(done.errors.isEmpty, "\(done.errors)")
            }

            /// It must fail and say why in one line, which tells no password.
            func expectRefusal(_ words: String, _ verb: String = "restore", of url: String) async throws {
                let done = try await run(verb, of: url)
                #expect(done.status != 0 && done.output.isEmpty)
                #expect(done.errors.contains(words), "\(done.errors)")
                #expect(done.errors.split(separator: "\n").count == 1, "\(done.errors)")
                for password in [superuser, owner].compactMap({ URLComponents(string: $0)?.password }) {
                    #expect(!done.errors.contains(password))
                }
            }
        }

        /// Tells whether a table's rows are the same in two databases: how many, and the sum of their hashes.
        private func digest(_ table: SQL, _ store: StoreConnection) async throws -> String {
            try await store.fetchOne(
                "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS d FROM \(table) t"
            ).text("d")
        }

        /// A backup made while everything runs is restored; ingesters go on in the streams where it ends, and what they
        /// store anew is to the bit what the first ones stored.
        @Test func whatCameAfterTheBackupIsStoredAgainOnce() async throws {
            try await Services.with { services in
                let system = services.system
                let arguments = [
                    "--kind", "vibration:1000x4", "--kind", "vibration:4000x1", "--kind", "climate:5x2",
                    "--serial-prefix", "b", "--frames", "80",
                ]
                let simulator = try system.start("sensor-simulator", arguments)
                try await eventually("a part is stored") {
                    try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") > 100
                }
                try await Place.with(system) { place in
                    try await place.expectDone("save")
                    let wasRunning = simulator.isRunning
                    let report = try SimulatorReport(try await simulator.end(within: .seconds(90)))
                    try await system.expectExactlyOnce([report])
                    for name in ["i1", "i2", "logs-ingester", "sensor-registry"] { try await services[name].stop() }
                    try #require(wasRunning, "the backup came too late to mean anything")

                    try await place.expectDone("restore", of: place.superuser)
                    let part = try await place.store.number("SELECT sum(frames) FROM sensor_boot")
                    #expect(part > 100 && part < report.confirmedFrames)
                    // As good as new: nobody holds anything, and no epoch that ever was is good for a commit.
                    #expect(
                        try await place.store.number(
                            """
                            SELECT count(*) FROM ingest_partition
                             WHERE owner IS NULL AND lease_until IS NULL AND backend_pid IS NULL AND epoch > 1000000000
                            """) == 4)
                    #expect(try await place.store.number("SELECT count(*) FROM ingest_replica") == 0)

                    let there = ["DATABASE_URL": place.owner]
                    for (program, words) in [("sensor-registry", []), ("measurements-ingester", ["--replica", "j1"])] {
                        try await system.start(program, words, changing: there, log: "restored-\(program)").ready()
                    }
                    try await eventually("all frames are there again") {
                        try await place.store.number("SELECT sum(frames) FROM sensor_boot")
                            == report.confirmedFrames
                    }
                    let audit = try AuditRecord(
                        try await system.run("iotctl", ["audit", "-o", "json", "--wait", "30s"], changing: there))
                    #expect(audit.complete && audit.published == report.confirmedFrames)
                    #expect(audit.stored == report.confirmedFrames && audit.missing == 0)
                    for table in ["measurement", "channel", "location"] {
                        let first = try await digest("\(identifier: table)", system.store)
                        #expect(try await digest("\(identifier: table)", place.store) == first, "\(table)")
                        #expect(!first.hasPrefix("0 "), "\(table)")
                    }
                    #expect(try await place.store.number("SELECT count(*) FROM sequence_gap") == 0)
                    #expect(try await place.store.number("SELECT count(*) FROM stream_hole") == 0)
                }
            }
        }

        /// The first ingester met the new stream when it was new; the restored one finds another message where it left off.
        @Test func aStreamThatWasMadeAnewSinceTheBackupIsSeen() async throws {
            try await Services.with(replicas: 0, registry: ["--partitions", "1"]) { services in
                let system = services.system
                func publish(_ first: Int, _ last: Int) async throws {
                    let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
                    let words = [script, "frames", "r", "1", "\(first)", "\(last)"]
                    guard try await system.run("/usr/bin/python3", words).status == 0 else {
                        throw TestServers.Failure("not published")
                    }
                }
                let frames: SQL = "SELECT coalesce(sum(frames), 0) FROM sensor_boot"
                func expectStored(_ count: Int64, _ store: StoreConnection) async throws {
                    try await eventually("\(count) frames") { try await store.number(frames) == count }
                }
                try await services.startIngester("i1")
                try await publish(0, 4)
                try await expectStored(5, system.store)
                try await Place.with(system) { place in
                    try await place.expectDone("save")
                    for name in ["i1", "sensor-registry"] { try await services[name].stop() }
                    try await TestServers.management("DELETE", "/api/queues/\(system.name)/measurements.0")
                    try await services.start("sensor-registry", ["--partitions", "1"])
                    // More than there were: only the fingerprint tells.
                    try await publish(5, 14)
                    try await services.startIngester("i1")
                    try await expectStored(15, system.store)
                    for name in ["i1", "logs-ingester", "sensor-registry"] { try await services[name].stop() }

                    try await place.expectDone("restore", of: place.superuser)
                    try await expectStored(5, place.store)
                    let there = ["DATABASE_URL": place.owner]
                    let again = try system.start(
                        "measurements-ingester", ["--replica", "j1"], changing: there, log: "j1")
                    try await again.ready()
                    try await expectStored(15, place.store)
                    let holes = try await place.store.fetch("SELECT cause, first_offset FROM stream_hole")
                    #expect(try holes.map { try $0.text("cause") } == ["stream_reset"])
                    #expect(try holes[0].integer("first_offset") == 5)
                    #expect(try await place.store.number("SELECT incarnation FROM ingest_partition") == 2)
                    #expect(try await digest("measurement", place.store) == digest("measurement", system.store))
                    let audit = try AuditRecord(
                        try await system.run("iotctl", ["audit", "-o", "json"], changing: there))
                    #expect(audit.complete && audit.stored == 15)
                }
            }
        }

        /// Every row of every table, the definitions, and what refuses a restore.
        @Test func aRestoreIsTheSameToTheRowOrNothing() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let report = try SimulatorReport(
                    try await system.run(
                        "sensor-simulator", ["--sensors", "8", "--frames", "10", "--serial-prefix", "c"]))
                try await system.expectExactlyOnce([report])
                let outside = TestServers.root.appending(path: "Tests/EndToEnd/Outside/publish.py").path
                #expect(try await system.run("/usr/bin/python3", [outside, "rubbish"]).status == 0)
                try await eventually("rubbish is in quarantine") {
                    try await system.number("SELECT count(*) FROM quarantine") > 0
                }
                for name in ["i1", "logs-ingester", "sensor-registry"] { try await services[name].stop() }
                try await Place.with(system) { place in
                    try await refuses(place)
                    try await restores(place)
                }
            }
        }

        private func refuses(_ place: Place) async throws {
            try await place.expectRefusal("has no schema", "save", of: place.owner)
            #expect(!FileManager.default.fileExists(atPath: place.folder + ".part"))
            try await place.expectRefusal("is no backup", of: place.superuser)
            try await place.expectDone("save")
            let row = try await place.system.store.fetchOne(
                "SELECT kind, bytes, place, finished_at BETWEEN started_at AND now() AS is_over FROM backup")
            let sizes = try FileManager.default.contentsOfDirectory(atPath: place.folder).map { try size($0, place) }
            #expect(try row.text("kind") == "pg_dump" && row.integer("bytes") == Int64(sizes.reduce(0, +)))
            #expect(try row.text("place").hasSuffix(":\(place.folder)") && row.flag("is_over"))
            try await place.expectRefusal("is there already", "save", of: place.system.value("DATABASE_URL"))
            try await place.expectDone("check")
            try await place.expectRefusal("is no superuser", of: place.owner)
            // The system's own database: somebody is connected, and when nobody is, it is not empty.
            let full = place.superuser.replacing("_restored", with: "")
            try await place.expectRefusal("stop the services", of: full)
            await place.system.store.close()
            try await place.expectRefusal("is not empty", of: full)
            // Damage: a bit of a file, a file that is missing, one too many.
            let largest = try #require(
                try FileManager.default.contentsOfDirectory(atPath: place.folder).max {
                    try size($0, place) < size($1, place)
                })
            let file = URL(filePath: place.folder).appending(path: largest)
            let whole = try Data(contentsOf: file)
            var damaged = whole
            damaged[whole.count / 2] ^= 1
            try damaged.write(to: file)
            try await place.expectRefusal("\(largest) has not the checksum", of: place.superuser)
            try await place.expectRefusal("\(largest) has not the checksum", "check", of: place.superuser)
            try FileManager.default.removeItem(at: file)
            try await place.expectRefusal("\(largest) is missing", of: place.superuser)
            try whole.write(to: file)
            let left = try await place.store.number("SELECT count(*) FROM pg_class WHERE relname = 'sensor'")
            #expect(left == 0)
            await place.store.close()
        }

        private func size(_ name: String, _ place: Place) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(place.folder)/\(name)")
            return try #require(attributes[.size] as? Int)
        }

        private func restores(_ place: Place) async throws {
            try await place.expectDone("restore", of: place.superuser)
            let tables = try await place.system.store.fetch(
                """
                SELECT relname AS t FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1
                """
            ).map { try $0.text("t") }
            #expect(tables.count > 15)
            // What a restore changes, and the row that says where the backup is.
            for table in tables where !["ingest_partition", "ingest_replica", "backup"].contains(table) {
                let first = try await digest("\(identifier: table)", place.system.store)
                #expect(try await digest("\(identifier: table)", place.store) == first, "\(table)")
            }
            let offsets: SQL = "(SELECT stream, incarnation, committed_offset, fingerprint FROM ingest_partition)"
            #expect(try await digest(offsets, place.store) == digest(offsets, place.system.store))
            // Definitions: what pg_catalog says of relations, columns, indexes, constraints, triggers and functions.
            for definitions in Self.definitions {
                let first = try await digest("(\(definitions))", place.system.store)
                #expect(!first.hasPrefix("0 "))
                #expect(try await digest("(\(definitions))", place.store) == first, "\(definitions)")
            }
            // It lives: new rows find a chunk, and old chunks can be dropped.
            #expect(try await Migrations.apply(to: place.store).isEmpty)
            try await place.store.run("SELECT ingest_chunk('measurement', now() + INTERVAL '100 days')")
            #expect(
                try await place.store.number(
                    "SELECT count(*) FROM drop_chunks('measurement', newer_than => now() + INTERVAL '50 days')") == 1)
        }

        private static let definitions: [SQL] = [
            """
            SELECT c.oid::regclass::text, relkind, reloptions, pg_get_userbyid(relowner), obj_description(c.oid)
              FROM pg_class c WHERE relnamespace = 'public'::regnamespace
            """,
            """
            SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attstorage,
                   attidentity, col_description(attrelid, attnum), pg_get_expr(adbin, adrelid)
              FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
             WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
               AND attnum > 0 AND NOT attisdropped
            """,
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid::regclass::text NOT LIKE 'pg_%'",
            // PostgreSQL 18 has NOT NULL there, with names that LIKE copies and pg_dump leaves out.
            """
            SELECT conrelid::regclass::text, CASE WHEN contype <> 'n' THEN conname END, pg_get_constraintdef(oid)
              FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            """,
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
            """
            SELECT pg_get_functiondef(oid), obj_description(oid) FROM pg_proc
             WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
            """,
        ]
    }
}
