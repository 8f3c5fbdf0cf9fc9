import Model
import Postgres
import Rules
import TestSupport
import Testing
import Time

@testable import Store

extension Integration {
    /// Deleting and renaming sensors: what the database holds before, meanwhile and afterwards.
    @Suite struct DeletingAndRenaming {
        private let time = Timestamp(unixMilliseconds: 1_763_720_000_000)

        private func key(_ partition: Partition, _ name: String, boot: Int64 = 7) async throws -> LedgerCache.Key {
            let ids = try await partition.store.sensorIDs(for: [try serial(name)])
            return LedgerCache.Key(sensor: try #require(ids[try serial(name)]), boot: boot)
        }

        private func delete(
            _ system: TestSystem, _ names: String..., withHistory: Bool = false
        ) async throws -> [OperatorAction] {
            try await system.store.deleteSensors(names, withHistory: withHistory, issuer: "me")
        }

        /// Sensor `a` with samples, rollups, a limit, an active alarm, commands, tags and a target.
        private func fill(_ partition: Partition, _ system: TestSystem) async throws -> LedgerCache.Key {
            let key = try await key(partition, "a")
            try await partition.commit(key, sequences: [0, 1, 2, 4])
            try await system.store.transaction { [key] session in
                let sensor = key.sensor
                try session.run("INSERT INTO channel (sensor_id, channel, name, unit) VALUES (\(sensor), 0, 'x', 'm')")
                try session.run("INSERT INTO target (name) VALUES ('press')")
                try session.run(
                    """
                    UPDATE sensor SET kind = 'vibration', tags = '{"hall": "3"}', presence = 'online', state = 'awake',
                           target_id = (SELECT target_id FROM target), desired = '{"limits": {"x": {"high": 1}}}',
                           desired_version = 3, desired_changed_at = now() WHERE sensor_id = \(sensor)
                    """)
                try session.run(
                    """
                    INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, value, limit_value)
                    VALUES ('a1', \(sensor), 0, 'limit:x:high', now() - INTERVAL '1 h', 2, 1)
                    """)
                try session.run(
                    """
                    INSERT INTO alarm_state (sensor_id, channel, alarm_id, side, since_ns, as_of_ns)
                    VALUES (\(sensor), 0, 'a1', 'high', 1, 1)
                    """)
                try session.run(
                    """
                    INSERT INTO latest (sensor_id, channel, "time", received_at, value, sample_rate_hz)
                    VALUES (\(sensor), 0, now(), now(), 1, 1000)
                    """)
                try session.run(
                    """
                    INSERT INTO command (command_id, serial, name, state, issued_at)
                    VALUES ('open', 'a', 'sleep', 'queued', now()), ('ended', 'a', 'sleep', 'succeeded', now())
                    """)
                for table in ["measurement_1m", "measurement_1h", "measurement_1d", "rollup_late"] {
                    try session.run(
                        """
                        INSERT INTO \(identifier: table) ("time", n, finite, sensor_id, channel)
                        VALUES (now(), 1, 1, \(sensor), 0)
                        """)
                }
                try session.run(
                    """
                    INSERT INTO location ("time", sensor_id, latitude, longitude, altitude) VALUES (now(), \(sensor), 1, 2, 3)
                    """)
                try session.run(
                    """
                    INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
                    VALUES (now(), now(), 7, \(sensor), 2, 'line')
                    """)
                try session.run(
                    """
                    INSERT INTO quarantine (reason, routing_key, source, length, hash, payload, serial)
                    VALUES ('undecodable', 'sensor_a.data', 'measurements.0', 0, 0, '', 'a')
                    """)
            }
            return key
        }

        private func samples(_ system: TestSystem, _ name: String) async throws -> Int64 {
            try await system.number(
                "SELECT count(*) FROM samples(\(name), '0', '2025-11-21', '2025-11-22')")
        }

        private static let histories = [
            "measurement", "measurement_1m", "measurement_1h", "measurement_1d", "rollup_late", "location",
            "sensor_log",
            "command", "quarantine", "alarm", "sensor_boot", "sequence_gap", "channel", "latest", "place",
        ]

        private func rows(_ system: TestSystem) async throws -> [String: Int64] {
            var rows: [String: Int64] = [:]
            for table in Self.histories {
                rows[table] = try await system.number("SELECT count(*) FROM \(identifier: table)")
            }
            return rows
        }

        // MARK: deleting

        @Test func aDeletedSensorIsInNoList() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await fill(partition, system)
                    let b = try await key(partition, "b")
                    try await partition.commit(b, sequences: [0])
                    let store = system.store
                    let before = try await rows(system)
                    let actions = try await delete(system, "a", "nobody")
                    #expect(actions.map(\.serial) == ["a"] && actions[0].finishedAt != nil)
                    #expect(try await delete(system, "a") == [])

                    #expect(try await store.serials() == ["b"])
                    #expect(try await store.serials(startingWith: "") == ["b"])
                    #expect(try await store.serials(matching: .all) == ["b"])
                    #expect(
                        try await store.serials(matching: [SerialPattern("a"), SerialPattern("*")]) == [[], ["b"]])
                    #expect(try await store.sensorSummaries().map(\.serial) == ["b"])
                    #expect(try await store.sensorSummaries(["a"]) == [])
                    #expect(try await store.sensorDetail("a") == nil)
                    #expect(try await store.twins(of: ["a"]) == [])
                    #expect(try await store.changeTags(of: ["a"]) { _ in "{}" } == [])
                    #expect(try await store.changeDesired(of: ["a"]) { _ in "{}" } == [])
                    #expect(try await store.assign(["a"], toTarget: "press") == [])
                    #expect(try await store.targetDetail("press")?.sensors == [])
                    #expect(try await store.absentSensors(among: ["a"]) == [])
                    #expect(try await store.limitedChannels().channels.isEmpty)
                    let fleet = try await store.fleetSnapshot(by: .rate, sensorsMax: 9, alarmsMax: 9)
                    #expect(fleet.sensors.map(\.serial) == ["b"] && fleet.sensorCount == 1 && fleet.alarms == [])
                    #expect(try await store.presenceCounts().values.reduce(0) { $0 + $1.sensors } == 1)
                    #expect(try await system.number("SELECT count(*) FROM fleet WHERE serial = 'a'") == 0)
                    // Its newest value is young, and yet the registry does not take that for presence.
                    _ = try await store.judgePresence(listeningSeconds: 1000)
                    #expect(
                        try await system.number(
                            "SELECT count(*) FROM sensor WHERE serial = 'a' AND presence = 'unknown'") == 1)

                    // The history is there, and is read by the name.
                    #expect(try await rows(system) == before)
                    #expect(try await samples(system, "a") == 4)
                    #expect(try await store.deletedSensors(among: ["a", "b"]) == ["a"])
                    let alarm = try #require(try await store.alarms(AlarmFilter()).first)
                    #expect(alarm.clearedAt != nil && alarm.clearCause == "sensor_deleted" && alarm.clearValue == nil)
                    #expect(try await system.number("SELECT count(*) FROM alarm_state") == 0)
                    let open = try await store.fetchOne(
                        "SELECT state, reason FROM command WHERE command_id = 'open'")
                    #expect(try open.text("state") == "cancelled" && open.text("reason") == "the sensor was deleted")
                    #expect(try await store.operatorActions(of: [SerialPattern("a")], countMax: 9) == actions)
                }
            }
        }

        /// A deleted sensor that sends something is a sensor again, and its ledger still knows which frames are stored.
        @Test func aDeletedSensorThatPublishesIsANewOneAndNothingIsDoubled() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let old = try await fill(partition, system)
                    _ = try await delete(system, "a")
                    let again = try await key(partition, "a")
                    #expect(again == old)
                    let summary = try #require(try await system.store.sensorSummaries().first)
                    #expect(summary.serial == "a" && summary.tagsJSON == "{}" && summary.target == nil)
                    #expect(summary.kind == "" && summary.presence == "unknown")
                    partition.book = LedgerCache()
                    let verdicts = try await partition.commit(again, sequences: [4, 3, 5])
                    #expect(verdicts == [.duplicate, .late, .new])
                    #expect(try await samples(system, "a") == 6)
                    // Desired properties begin anew, and ids of a twin's commands do not repeat.
                    let twin = try await system.store.changeDesired(of: ["a"]) { _ in #"{"rate_hz": 5}"# }
                    #expect(twin.map(\.desired.version) == [5])
                }
            }
        }

        /// What is on its way when a sensor is deleted: its Last Will and its alarms.
        @Test func whatIsLateDoesNotBringItBack() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await fill(partition, system)
                    func heard<Content>(_ content: Content, at time: Timestamp = .now) throws -> Received<Content> {
                        Received(serial: try serial("a"), received: time, content: content)
                    }
                    func alarm(_ id: String, at time: Timestamp = .now) throws -> (Alarm.Edge, Received<Alarm>) {
                        let alarm = Alarm(
                            id: id, rule: "limit:x:high", channel: 0, value: 2, limit: 1, at: time, position: nil,
                            text: "")
                        return (.trigger, try heard(alarm, at: time))
                    }
                    let will = Announcement(
                        boot: 7, connection: 1, kind: "", firmware: "", state: .lost, rate: nil, nextSequence: 0,
                        framesDropped: 0, channels: [], at: nil)
                    _ = try await delete(system, "a")
                    try await system.store.record([.announcement(try heard(will))])
                    try await system.store.record(alarms: [try alarm("late")])
                    #expect(try await system.store.serials() == [])
                    let late = try #require(try await system.store.alarms(AlarmFilter()).first { $0.id == "late" })
                    #expect(late.clearCause == "sensor_deleted" && !late.isActive)

                    let before = Timestamp.now.advanced(bySeconds: -60)
                    _ = try await delete(system, "a", withHistory: true)
                    try await system.store.record(alarms: [try alarm("later", at: before)])
                    #expect(try await system.store.serials() == [])
                    #expect(try await system.number("SELECT count(*) FROM alarm") == 0)
                    // An announcement does.
                    var hello = will
                    hello.state = .awake
                    try await system.store.record([.announcement(try heard(hello))])
                    #expect(try await system.store.serials() == ["a"])
                    #expect(try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online'") == 1)
                }
            }
        }

        /// A history goes in steps. The sensor can be a new one meanwhile; another client follows one that was killed.
        @Test func aHistoryIsDeletedInStepsByWhoeverComes() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await fill(partition, system)
                    let b = try await key(partition, "b")
                    try await partition.commit(b, sequences: [0, 1])
                    let action = try #require(try await delete(system, "a", withHistory: true).first)
                    #expect(action.kind == .deleteWithHistory && action.finishedAt == nil)
                    #expect(try await system.store.serials() == ["b"])
                    #expect(try await samples(system, "a") == 0)

                    #expect(try await system.store.deleteHistoryStep(of: action.id, rowsMax: 3) == .rows(3))
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 3)
                    // A new sensor of the same name has a history of its own.
                    let again = try await key(partition, "a")
                    partition.book = LedgerCache()
                    #expect(try await partition.commit(again, sequences: [0, 9]) == [.new, .new])
                    try await system.store.run(
                        """
                        INSERT INTO command (command_id, serial, name, state, issued_at)
                        VALUES ('newer', 'a', 'sleep', 'queued', now())
                        """)

                    let other = try system.anotherStore("other")
                    #expect(try await other.unfinishedDeletions(of: ["b"]) == [])
                    let unfinished = try await other.unfinishedDeletions(of: ["a"])
                    #expect(unfinished.map(\.id) == [action.id] && unfinished.map(\.rowsDeleted) == [3])
                    try await other.deleteHistory(of: action.id)
                    #expect(try await other.unfinishedDeletions() == [])
                    let done = try #require(try await other.operatorActions(withNumbers: [action.id]).first)
                    // 4 rows of samples, 4 of rollups, a position, a log line, 2 commands, a quarantined payload.
                    #expect(done.rowsDeleted == 13 && done.finishedAt != nil)
                    await other.close()

                    let left = try await rows(system).filter { $0.value > 0 }
                    #expect(left == ["measurement": 4, "sensor_boot": 2, "sequence_gap": 1, "command": 1])
                    #expect(try await system.store.serials() == ["a", "b"])
                    #expect(try await system.store.deleteHistoryStep(of: action.id) == .done)
                }
            }
        }

        /// One deletion that fails again and again does not hold up those behind it.
        @Test func aDeletionThatFailsHoldsUpNoOther() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await fill(partition, system)
                    _ = try await key(partition, "b")
                    _ = try await delete(system, "a", "b", withHistory: true)
                    try await system.store.transaction { session in
                        try session.execute(
                            """
                            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                                $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
                            CREATE TRIGGER refuse BEFORE DELETE ON command FOR EACH ROW EXECUTE FUNCTION refuse();
                            """)
                    }
                    let error = await #expect(throws: StoreError.self) { try await system.store.completeDeletions() }
                    #expect(error?.sqlState == "P0001")
                    #expect(try await system.store.unfinishedDeletions().map(\.serial) == ["a"])
                    try await system.store.run("DROP TRIGGER refuse ON command")
                    try await system.store.completeDeletions()
                    #expect(try await system.store.unfinishedDeletions() == [])
                }
            }
        }

        @Test func aKeptHistoryCanBeDeletedLater() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await fill(partition, system)
                    _ = try await delete(system, "a")
                    let action = try #require(try await delete(system, "a", withHistory: true).first)
                    try await system.store.deleteHistory(of: action.id)
                    #expect(try await rows(system).allSatisfy { $0.value == 0 })
                    #expect(try await system.number("SELECT count(*) FROM sensor") == 0)
                }
            }
        }

        /// No rollup writes for a sensor whose history is gone, also if it began before.
        @Test func aRollupInHandIsWaitedFor() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let sensor = try await fill(partition, system).sensor
                    let action = try #require(try await delete(system, "a", withHistory: true).first)
                    let rollup = try system.anotherStore("rollup")
                    try await rollup.run("BEGIN")
                    try await rollup.run("SELECT FROM rollup_state FOR UPDATE")
                    async let deleted: Void = system.store.deleteHistory(of: action.id)
                    let watcher = try system.anotherStore("watcher")
                    try await eventually("the deletion waits for the rollup") {
                        try await watcher.fetch(
                            """
                            SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                             AND query LIKE '%rollup_state%'
                            """
                        ).count == 1
                    }
                    try await rollup.run(
                        """
                        INSERT INTO measurement_1m ("time", n, finite, sensor_id, channel)
                        VALUES (now(), 1, 1, \(sensor), 1)
                        """)
                    try await rollup.run("COMMIT")
                    try await deleted
                    #expect(try await system.number("SELECT count(*) FROM measurement_1m") == 0)
                    await rollup.close()
                    await watcher.close()
                }
            }
        }

        // MARK: the fence

        /// A batch whose numbers were read before a sensor was deleted or renamed is refused as a whole.
        @Test(arguments: [OperatorAction.Kind.delete, .deleteWithHistory, .rename])
        func aBatchWithOldNumbersIsRefused(kind: OperatorAction.Kind) async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let version = try await system.store.namesVersion()
                    let sensor = try await key(partition, "a").sensor
                    // Without a number: no ledger and no foreign key would notice.
                    var batch = partition.batch(rows: [.test(time: time, sensor: sensor, samples: .value(1))])
                    batch.names = version
                    var quarantined = QuarantineBatch(ids: [])
                    quarantined.names = version
                    quarantined.measurements = batch.measurements
                    switch kind {
                    case .delete: _ = try await delete(system, "a")
                    case .deleteWithHistory: _ = try await delete(system, "a", withHistory: true)
                    case .rename:
                        _ = try await system.store.renameSensor(try serial("a"), to: try serial("b"), issuer: "me")
                    }
                    let (stale, staleToo) = (batch, quarantined)
                    await #expect(throws: IngestConflict.namesChanged) { try await system.store.commit(stale) }
                    await #expect(throws: IngestConflict.namesChanged) { try await system.store.commit(staleToo) }
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 0)
                    #expect(try await system.store.position(of: "measurements.0")?.committed == nil)

                    batch.names = try await system.store.namesVersion()
                    let again = try await key(partition, "a").sensor
                    #expect((again == sensor) == (kind == .delete))
                    batch.measurements = [.test(time: time, sensor: again, samples: .value(1))]
                    try await partition.commit(batch)
                    #expect(try await samples(system, "a") == 1)
                }
            }
        }

        /// A deletion waits for a batch that has begun, and batches wait for a deletion.
        @Test func aDeletionAndABatchDoNotMeet() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let sensor = try await key(partition, "a").sensor
                    let batch = try system.anotherStore("batch")
                    try await batch.run("BEGIN")
                    try await batch.run("SELECT names_hold(0)")
                    try await batch.run(
                        """
                        INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, sample_rate_hz, n, clock)
                        VALUES (now(), 0, now(), \(sensor), 0, 0, 1, 0)
                        """)
                    async let deleted = delete(system, "a", withHistory: true)
                    let watcher = try system.anotherStore("watcher")
                    try await eventually("the deletion waits for the batch") {
                        try await watcher.fetch(
                            """
                            SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                            """
                        ).count == 1
                    }
                    try await batch.run("COMMIT")
                    let action = try #require(try await deleted.first)
                    try await system.store.deleteHistory(of: action.id)
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 0)
                    await batch.close()
                    await watcher.close()
                }
            }
        }

        /// Batches that overlap leave no moment in which the lock is free, and each takes longer than the first wait for it.
        @Test func aDeletionGetsItsTurnAmongLongBatches() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await key(partition, "a")
                    let batches = (0..<6).map { number in
                        Task {
                            let store = try system.anotherStore("batch\(number)")
                            while !Task.isCancelled {
                                try await store.transaction(prelude: "SELECT names_hold(NULL)") { session in
                                    try session.execute("SELECT pg_sleep(0.7)")
                                }
                            }
                            await store.close()
                        }
                    }
                    try await eventually("the batches overlap") {
                        try await system.number(
                            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted"
                        ) >= 4
                    }
                    let begin = ContinuousClock.now
                    #expect(try await delete(system, "a").count == 1)
                    #expect(begin.duration(to: .now) < .seconds(15))
                    for batch in batches {
                        batch.cancel()
                        try await batch.value
                    }
                }
            }
        }

        /// An alarm that waits for the deletion of its sensor's history does not bring the sensor back.
        @Test func anAlarmThatMeetsTheDeletionOfAHistoryMakesNoSensor() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await fill(partition, system)
                    let alarm = Alarm(
                        id: "late", rule: "limit:x:high", channel: 0, value: 2, limit: 1, at: time, position: nil,
                        text: "")
                    let heard = Received(
                        serial: try serial("a"), received: .now.advanced(bySeconds: -1), content: alarm)
                    let deletion = try system.anotherStore("deletion")
                    try await deletion.run("BEGIN")
                    try await deletion.run("SELECT names_change()")
                    try await deletion.run("DELETE FROM sensor WHERE serial = 'a'")
                    try await deletion.run(
                        """
                        INSERT INTO operator_action (issuer, action, serial, sensor_id)
                        VALUES ('me', 'delete_with_history', 'a', 1)
                        """)
                    async let recorded: Void = system.store.record(alarms: [(.trigger, heard)])
                    let watcher = try system.anotherStore("watcher")
                    try await eventually("the alarm waits for the deletion") {
                        try await watcher.fetch(
                            """
                            SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                            """
                        ).count == 1
                    }
                    try await deletion.run("COMMIT")
                    try await recorded
                    #expect(try await system.number("SELECT count(*) FROM sensor") == 0)
                    #expect(try await system.number("SELECT count(*) FROM alarm") == 0)
                    await deletion.close()
                    await watcher.close()
                }
            }
        }

        /// The newest value of a sensor that is gone is no error, and does not keep those of others from being written.
        @Test func newestValuesOfADeletedSensorAreLeftOut() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let (a, b) = (try await key(partition, "a").sensor, try await key(partition, "b").sensor)
                    _ = try await delete(system, "a", withHistory: true)
                    try await system.store.commit(
                        latest: [a, b].map { LatestValue(.test(time: time, sensor: $0, samples: .value(1))) })
                    #expect(try await system.number("SELECT sum(sensor_id) FROM latest") == Int64(b.rawValue))
                }
            }
        }

        // MARK: renaming

        @Test func aRenamedSensorKeepsItsHistory() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let (a, b) = (try serial("a"), try serial("b"))
                    let old = try await fill(partition, system)
                    let action = try await system.store.renameSensor(a, to: b, issuer: "me")
                    #expect(action.serial == "a" && action.newSerial == "b" && action.finishedAt != nil)
                    for (pattern, count) in ["a": 1, "b": 1, "?": 1, "*": 1, "c": 0, "%": 0, "_": 0, "b*a": 0] {
                        let found = try await system.store.operatorActions(of: [SerialPattern(pattern)], countMax: 9)
                        #expect(found.count == count, "\(pattern)")
                    }
                    #expect(try await system.store.operatorActions(countMax: 9) == [action])
                    let detail = try #require(try await system.store.sensorDetail("b"))
                    #expect(detail.summary.tagsJSON == #"{"hall": "3"}"# && detail.summary.target == "press")
                    #expect(detail.summary.presence == "unknown" && detail.desired.version == 3)
                    // Its newest value is young, but did not come under the new name.
                    _ = try await system.store.judgePresence(listeningSeconds: 1000)
                    #expect(try await system.store.sensorSummaries(["b"]).map(\.presence) == ["unknown"])
                    #expect(detail.activeAlarms.map(\.id) == ["a1"] && detail.boots.map(\.frames) == [4])
                    #expect(detail.commands.map(\.id) == ["ended"])
                    #expect(try await system.store.serials() == ["b"])
                    #expect(try await samples(system, "b") == 4)
                    #expect(try await samples(system, "a") == 0)
                    #expect(try await system.number("SELECT count(*) FROM quarantine WHERE serial = 'b'") == 1)
                    #expect(try await system.number("SELECT count(*) FROM command WHERE serial = 'a'") == 1)
                    #expect(try await key(partition, "b") == old)

                    // An alarm that was under way belongs to the renamed sensor.
                    let alarm = Alarm(
                        id: "late", rule: "limit:x:high", channel: 0, value: 2, limit: 1, at: time, position: nil,
                        text: "")
                    try await system.store.record(
                        alarms: [(.trigger, Received(serial: a, received: .now, content: alarm))])
                    #expect(try await system.store.alarms(AlarmFilter(activeOnly: true, serials: ["b"])).count == 2)
                    #expect(try await system.store.serials() == ["b"])
                }
            }
        }

        /// A rename loses nothing: the figure by which FramesMissing alerts does not grow, also when the old name is in use
        /// again. A loss that comes later counts.
        @Test func aRenameIsNoLoss() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    _ = try await fill(partition, system)
                    #expect(try await system.store.missingFrames() == [.late: 1])
                    _ = try await system.store.renameSensor(try serial("a"), to: try serial("b"), issuer: "me")
                    #expect(try await system.store.missingFrames() == [.late: 1])
                    let again = try await key(partition, "a")
                    #expect(try await system.store.missingFrames() == [.late: 1])
                    partition.book = LedgerCache()
                    try await partition.commit(again, sequences: [7])
                    #expect(try await system.store.missingFrames() == [.late: 3])
                }
            }
        }

        /// What the device sends under its old name makes a new sensor. A frame that is stored is not stored again.
        @Test func framesOfTheOldNameAreThoseOfANewSensor() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let old = try await fill(partition, system)
                    _ = try await system.store.renameSensor(try serial("a"), to: try serial("b"), issuer: "me")
                    let again = try await key(partition, "a")
                    #expect(again != old)
                    #expect(try await system.store.serials() == ["a", "b"])
                    partition.book = LedgerCache()
                    // 2 and 4 are stored as b's, 3 was missing.
                    let verdicts = try await partition.commit(again, sequences: [2, 3, 4, 5])
                    #expect(verdicts == [.duplicate, .late, .duplicate, .new])
                    #expect(try await samples(system, "a") == 2)
                    #expect(try await samples(system, "b") == 4)
                    let twice = try await system.number(
                        "SELECT count(*) - count(DISTINCT (boot_id, sequence)) FROM measurement")
                    #expect(twice == 0)
                    let audit = try await system.store.audit(["a"], since: nil)
                    #expect(audit.flatMap(\.boots).map(\.missing) == [0])
                }
            }
        }

        @Test func aNameThatIsTakenIsRefusedAndARenameCanBeTakenBack() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let (a, b, c) = (try serial("a"), try serial("b"), try serial("c"))
                    func rename(_ old: SerialNumber, _ new: SerialNumber) async throws {
                        _ = try await system.store.renameSensor(old, to: new, issuer: "me")
                    }
                    let key = try await fill(partition, system)
                    await #expect(throws: RenameConflict.noSensor) { try await rename(b, c) }
                    let other = try await self.key(partition, "b", boot: 1)
                    try await partition.commit(other, sequences: [0])
                    await #expect(throws: RenameConflict.exists) { try await rename(a, b) }
                    _ = try await delete(system, "b")
                    await #expect(throws: RenameConflict.hasHistory) { try await rename(a, b) }
                    await #expect(throws: RenameConflict.noSensor) { try await rename(b, c) }
                    try await rename(a, c)
                    try await rename(c, a)
                    #expect(try await self.key(partition, "a") == key)
                    #expect(try await system.store.serials() == ["a"])
                    #expect(try await samples(system, "a") == 4)
                    #expect(try await system.store.deletedSensors(among: ["a", "b", "c"]) == ["b"])
                }
            }
        }
    }
}
