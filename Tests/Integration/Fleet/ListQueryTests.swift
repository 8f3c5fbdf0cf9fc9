import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// What the lists of sensors, alarms and log lines read.
    @Suite struct ListQueries {
        private func with(_ statements: SQL..., body: (StoreConnection) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                for statement in statements { try await system.store.run(statement) }
                try await body(system.store)
            }
        }

        @Test func aSensorHasItsNewestValuesAndItsPlace() async throws {
            try await with(
                """
                INSERT INTO sensor (serial, last_seen, reported) VALUES
                    ('a', now() - INTERVAL '7 s', '{"location": {"name": "Hall 3"}}'),
                    ('b', now() - INTERVAL '1 s', '{"location": 5}'), ('c', NULL, '{}')
                """,
                """
                INSERT INTO channel SELECT sensor_id, n, (ARRAY['z', 'x', 'announced'])[n + 1], '', 'm/s²'
                FROM sensor, generate_series(0, 2) n WHERE serial = 'a'
                """,
                """
                INSERT INTO latest ("time", received_at, value, sample_rate_hz, sensor_id, channel, clock, clock_offset_s)
                SELECT now() - make_interval(secs => l.age), now() - make_interval(secs => l.age - 0.1), l.value, 10,
                    sensor_id, l.channel, 0, l.age
                FROM (VALUES ('a', 0, 2.0, 9.5), ('a', 1, 0.9, 3.97), ('b', 7, 60.0, 21.5)) AS l(serial, channel, age, value)
                    JOIN sensor USING (serial)
                """,
                """
                INSERT INTO location ("time", sensor_id, latitude, longitude, altitude)
                SELECT now() - INTERVAL '1 h', sensor_id, 52.5, -13.25, 34 FROM sensor WHERE serial = 'a'
                """
            ) { store in
                let all = try await store.sensorSummaries()
                try #require(all.map(\.serial) == ["a", "b", "c"])
                #expect(all[0].values.map(\.name) == ["x", "z"] && all[0].valueCount == 2, "the values by name")
                #expect(all[0].values.map(\.value) == [3.97, 9.5] && all[0].values.first?.unit == "m/s²")
                #expect(all[0].values.allSatisfy { $0.time != nil && $0.age != nil })
                // The value is younger than the last announcement, so the sensor was seen when the value arrived.
                let seen = try #require(all[0].lastSeenAge)
                let value = try #require(all[0].lastValueAge)
                #expect(value.seconds >= 0.9 && abs(value.seconds - seen.seconds - 0.1) < 0.001)
                #expect(all[0].clockOffsetSeconds == 0.9, "of the value that arrived last")
                #expect(all[0].place == "Hall 3")
                #expect(all[0].position == GeoPosition(latitude: 52.5, longitude: -13.25, altitude: 34))
                // A channel without a name, and a sensor whose announcement is newer than its value.
                #expect(all[1].values.map(\.name) == ["7"] && all[1].values.first?.unit == "" && all[1].place == nil)
                let announced = try #require(all[1].lastSeenAge)
                let measured = try #require(all[1].lastValueAge)
                #expect(measured.seconds - announced.seconds > 50 && all[1].position == nil)
                #expect(all[2].values.isEmpty && all[2].valueCount == 0 && all[2].lastSeen == nil)

                // A brief summary says the same, with the first value by name.
                for (brief, full) in zip(try await store.sensorSummaries(nil, .brief), all) {
                    #expect(brief.serial == full.serial && brief.kind == full.kind && brief.place == full.place)
                    #expect(brief.state == full.state && brief.presence == full.presence && brief.rate == full.rate)
                    #expect(brief.lastSeen == full.lastSeen && brief.valueCount == full.valueCount)
                    #expect(brief.values.map(\.name) == full.values.prefix(1).map(\.name))
                    #expect(brief.values.map(\.value) == full.values.prefix(1).map(\.value))
                    #expect(brief.values.map(\.unit) == full.values.prefix(1).map(\.unit))
                }
                for extent in [SensorSummary.Extent.full, .brief] {
                    #expect(try await store.sensorSummaries(["c", "a"], extent).map(\.serial) == ["a", "c"])
                }
                let detail = try #require(try await store.sensorDetail("a"))
                #expect(detail.summary.values.map(\.name) == ["x", "z"])
            }
        }

        @Test func alarmsAreFiltered() async throws {
            try await with(
                "INSERT INTO sensor (serial) VALUES ('a'), ('b')",
                """
                INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, cleared_at)
                SELECT l.id, sensor_id, 0, 'r', now() - l.raised * INTERVAL '1 min', now() - l.cleared * INTERVAL '1 min'
                FROM (VALUES ('a1', 'a', 50, NULL), ('a2', 'a', 40, 5), ('b1', 'b', 30, 20), ('b2', 'b', NULL, 10))
                    AS l(id, serial, raised, cleared) JOIN sensor USING (serial)
                """
            ) { store in
                let cases: [(AlarmFilter, [String])] = [
                    // An alarm whose trigger has not arrived yet is placed by its clear.
                    (AlarmFilter(), ["b2", "b1", "a2", "a1"]),
                    (AlarmFilter(countMax: 2), ["b2", "b1"]),
                    (AlarmFilter(activeOnly: true), ["a1"]),
                    (AlarmFilter(clearedOnly: true), ["b2", "b1", "a2"]),
                    (AlarmFilter(serials: ["a"]), ["a2", "a1"]),
                    (AlarmFilter(within: .seconds(15 * 60)), ["b2", "a2"]),
                    (AlarmFilter(clearedOnly: true, within: .seconds(900), serials: ["a", "x"]), ["a2"]),
                    (AlarmFilter(serials: []), []),
                ]
                for (filter, ids) in cases {
                    let found = try await store.alarms(filter).map(\.id)
                    #expect(found == ids, "\(filter)")
                }
            }
        }

        @Test func logsOfSeveralSensorsAreOneList() async throws {
            try await with(
                "INSERT INTO sensor (serial) VALUES ('a'), ('b'), ('c')",
                """
                INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
                SELECT now() - n * INTERVAL '1 min', now(), 1, sensor_id, 2, serial || n FROM sensor, generate_series(1, 3) n
                """
            ) { store in
                func texts(_ filter: LogFilter) async throws -> Set<String> {
                    Set(try await store.logs(filter).map { "\($0.serial) \($0.text)" })
                }
                #expect(try await texts(LogFilter(serials: ["a"], countMax: 2)) == ["a a1", "a a2"])
                #expect(
                    try await texts(LogFilter(serials: ["a", "c"], countMax: 4)) == ["a a1", "c c1", "a a2", "c c2"])
                let times = try await store.logs(LogFilter(serials: ["a", "b", "c"])).compactMap(\.time)
                #expect(times.count == 9 && times == times.sorted())
                #expect(try await texts(LogFilter(serials: [])) == [])
            }
        }
    }
}
