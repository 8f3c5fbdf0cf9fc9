import Rules
import Signals
import Time
import Wire

@testable import Archive
@testable import Control
@testable import Diagnosis
@testable import Model
@testable import Records
@testable import SampleFiles
@testable import Store

/// What the libraries give: everything known, and as little as there can be.
enum Given {
    static let time = Timestamp(unixNanoseconds: 1_795_253_400_000_000_001)
    static let later = Timestamp(unixNanoseconds: 1_795_253_460_500_000_000)
    static let serial = ["lab-1"].compactMap { SerialNumber($0) }[0]

    static let alarm = AlarmRecord(
        id: "a1", serial: "lab-1", channel: 3, channelName: "temperature", unit: "°C", rule: "limit:temperature:high",
        raisedAt: time, clearedAt: later, value: 31.25, limit: 30, clearValue: -0.5,
        clearCause: "sensor_deleted", text: "hot\n\"very\"\u{1B}")
    static let bareAlarm = AlarmRecord(
        id: "a2", serial: "lab-1", channel: 0, channelName: nil, unit: "", rule: "", raisedAt: nil, clearedAt: nil,
        value: nil, limit: nil, clearValue: nil, clearCause: nil, text: "")
    static let alarmMessage = Alarm(
        id: "a1", rule: "limit:x:low", channel: 1, value: 1e-7, limit: 1e300, at: time,
        position: FramePosition(boot: 9_007_199_254_740_993, sequence: 12), text: "low")
    static let bareAlarmMessage = Alarm(
        id: "a1", rule: "limit:x:low", channel: 1, value: 1, limit: 2, at: time, position: nil, text: "")

    static let rule = RuleRecord(
        rule: Rule(
            name: "pump-hot", selector: RuleSelector(sensors: ["pump-*"]),
            condition: .sustained(.threshold(Condition.Threshold(above: 80)), for: .seconds(10)), severity: .critical),
        version: 3, changedAt: time, changedBy: "iotctl ann@lab", activeAlarms: 1)
    static let appliedRule = AppliedRule(name: "pump-hot", change: .changed, version: 3, before: nil)
    static let removedRule = RuleVersion(
        name: "pump-hot", version: 4, rule: nil, changedAt: time, changedBy: "iotctl ann@lab")

    static let command = CommandRecord(
        id: "6fa459ea-ee8a-3ca4-894e-db77e160355e", serial: "lab-1", name: "change_sample_frequency",
        argumentsJSON: #"{"hertz": 2000.0, "a": {"b": [1, 2.5, null, true, "x"]}}"#, issuer: "me", state: "failed",
        reason: "worn out", issuedAt: time, expiresAt: later, deliveredAt: time, finishedAt: later, sentAt: time,
        sendAt: later, sends: 2, age: .seconds(61.0009))
    static let bareCommand = CommandRecord(
        id: "7", serial: "lab-2", name: "sleep", argumentsJSON: "not JSON", issuer: "", state: "queued", reason: "",
        issuedAt: nil, expiresAt: nil, deliveredAt: nil, finishedAt: nil, sentAt: nil, sendAt: nil, sends: 0, age: nil)
    static let cancellation = Cancellation(command: command, isDone: false)
    static let result = CommandResult(
        id: "6fa459ea", sensor: serial, outcome: .timedOut, reason: "no answer", after: .milliseconds(1234.9))
    static let bareResult = CommandResult(id: nil, sensor: serial, outcome: .skipped, reason: "", after: nil)
    static let request = CommandRequest(
        name: "calibrate", arguments: ["z": .number(2000), "a": .text("x"), "m": .flag(true)], issuer: "me")
    static let sent = Command(
        id: "c1", name: "calibrate", arguments: request.arguments, issued: time, expires: later, issuer: "me")

    static let summary = SensorSummary(
        serial: "lab-1", kind: "vibration", firmware: "1.0", state: "awake", presence: "online",
        rate: SampleRate(hertz: 1000), lastSeen: time, lastSeenAge: .milliseconds(5001), lastValue: later,
        lastValueAge: .milliseconds(-40), clock: .ok, clockOffsetSeconds: -0.000_125, target: "press-4",
        tagsJSON: #"{"hall": "3", "machine": {"maker": "Acme"}}"#, boot: 1_795_253_400_000, framesDropped: 0,
        values: [
            ChannelValue(channel: 0, name: "x", unit: "m/s²", value: 3.971_25, time: later, age: .milliseconds(900)),
            ChannelValue(channel: 1, name: "y", unit: "", value: nil, time: nil, age: nil),
        ], valueCount: 2, place: "Hall 3", position: GeoPosition(latitude: 52.5, longitude: -13.25, altitude: 34))
    static let bareSummary = SensorSummary(
        serial: "lab-2", kind: "", firmware: "", state: "unknown", presence: "unknown", rate: nil, lastSeen: nil,
        lastSeenAge: nil, lastValue: nil, lastValueAge: nil, clock: nil, clockOffsetSeconds: nil, target: nil,
        tagsJSON: "{}", boot: nil, framesDropped: nil)
    static let channel = ChannelRecord(
        channel: 0, name: "x", quantity: "acceleration", unit: "m/s²", value: 0.1, min: -1, max: 1, rms: 0.7,
        time: time, age: .seconds(2))
    static let bareChannel = ChannelRecord(
        channel: 32_767, name: "y", quantity: "", unit: "", value: nil, min: nil, max: nil, rms: nil, time: nil,
        age: nil)
    static let boot = BootRecord(
        boot: 5, frames: 40, missing: 1, duplicates: 2, nextSequence: 41, firstAt: time)
    static let desired = DesiredRecord(
        serial: "lab-1", json: #"{"rate_hz": 1000, "gain": 2, "limits": {"x": {"high": 5}}}"#, version: 3,
        changedAt: time)
    static let reportedJSON = #"{"rate_hz": 1000.0, "gain": 3.5}"#
    static let detail = SensorDetail(
        summary: summary, firstSeen: time, desired: desired, reportedJSON: reportedJSON, reportedVersion: 4,
        announcedNextSequence: 42, channels: [channel, bareChannel], boots: [boot], commands: [bareCommand],
        activeAlarms: [bareAlarm])
    static let bareDetail = SensorDetail(
        summary: bareSummary, firstSeen: nil,
        desired: DesiredRecord(serial: "lab-2", json: "{}", version: 0, changedAt: nil), reportedJSON: "{}",
        reportedVersion: 0, announcedNextSequence: nil, channels: [], boots: [], commands: [], activeAlarms: [])
    static let twin = TwinRecord(
        desired: desired, reportedJSON: reportedJSON, state: "awake", presence: "online", activeAlarms: 0)
    static let tags = TagsRecord(serial: "lab-1", json: #"{"line": "2", "hall": "3"}"#, isChanged: true)
    static let rename = OperatorAction(
        id: 8, at: time, issuer: "iotctl me@here", kind: .rename, serial: "lab-1", newSerial: "press-4", rowsDeleted: 0,
        finishedAt: later)
    static let deletion = OperatorAction(
        id: 7, at: time, issuer: "iotctl me@here", kind: .deleteWithHistory, serial: "lab-1", newSerial: nil,
        rowsDeleted: 1200, finishedAt: nil)
    static let log = LogRecord(
        time: time, receivedAt: later, serial: "lab-1", boot: 1, level: .warning, text: "tab\there \u{7F}")
    static let bareLog = LogRecord(time: nil, receivedAt: nil, serial: "lab-1", boot: 1, level: .debug, text: "")
    static let frame = Frame(
        position: FramePosition(boot: 5, sequence: 12), start: time, rate: SampleRate(hertz: 1000),
        blocks: [
            Block(channel: .number(0), samples: .floats([-1, 0.5, .nan])),
            Block(channel: .number(7), samples: .counts([1, 3], scale: 0.5, offset: 10)),
        ])
    static let bareFrame = Frame(
        position: nil, start: nil, rate: nil, blocks: [Block(channel: .name("temp"), samples: .value(20.5))])
    static let series = ChannelSeries(runs: [
        SampleRun(start: time, rate: SampleRate(hertz: 2), samples: .floats([-1.5, .nan])),
        SampleRun(start: later, rate: nil, samples: .value(2)),
    ])
    static let spectrum = AmplitudeSpectrum(resolution: 125, amplitudes: [0.5, 0, 2, 0, 0, 0, 0.25])

    static let target = TargetSummary(
        name: "press-4", description: "hall 3", sensors: 2, awake: 1, online: 1, activeAlarms: 1)
    static let targetDetail = TargetDetail(
        summary: target,
        sensors: [TargetDetail.Sensor(summary: bareSummary, channels: [channel])], activeAlarms: [bareAlarm])

    static let partition = PartitionStatus(
        record: PartitionRecord(
            stream: "measurements.0", incarnation: 2, owner: "ingester-1", epoch: 3, leaseLeft: .milliseconds(-1500),
            committedOffset: 1_234_567, committedAt: time, committedAge: .milliseconds(20), at: later),
        messagesPerSecond: 499.5, lag: 100)
    static let barePartition = PartitionStatus(
        record: PartitionRecord(
            stream: "measurements.1", incarnation: 1, owner: nil, epoch: 0, leaseLeft: nil, committedOffset: nil,
            committedAt: nil, committedAge: nil, at: later), messagesPerSecond: nil, lag: nil)
    static let policy = PolicyRecord(
        tier: .minutes, keep: .seconds(86_400), columnstoreAfter: .seconds(3600), source: "iotctl", oldest: time,
        dropAt: later, overdue: .milliseconds(1500))
    static let barePolicy = PolicyRecord(
        tier: .measurement, keep: nil, columnstoreAfter: nil, source: "default", oldest: nil, overdue: .zero)
    static let table = TableStorage(
        table: "measurement", rows: 1000, bytes: 9_007_199_254_740_993, toastBytes: 1, indexBytes: 2, chunks: 3,
        compressedChunks: 1, beforeCompression: 300, afterCompression: 100, oldest: time, bytesPerDay: 1e15,
        deadRatio: 0.25, indexScans: 7)
    static let bareTable = TableStorage(
        table: "sensor", rows: 0, bytes: 0, toastBytes: 0, indexBytes: 0, chunks: nil, compressedChunks: nil,
        beforeCompression: nil, afterCompression: nil, oldest: nil, bytesPerDay: nil, deadRatio: nil, indexScans: 0)
    static let forecast: StorageForecast = {
        var forecast = StorageForecast([])
        (forecast.bytesPerDay, forecast.daysLeft, forecast.hours) = (1000.5, 49, 26.5)
        return forecast
    }()
    static let report = StorageReport(
        at: later, bytes: 12_000, diskBytes: 100_000, freeBytes: 50_000,
        forecast: forecast, tables: [table, bareTable],
        policies: [policy], unused: [UnusedIndex(name: "i", bytes: 8192)],
        backup: BackupRecord(started: time, finished: later, kind: "base", bytes: nil, place: "/backup"))
    static let bareReport = StorageReport(
        at: later, bytes: 0, diskBytes: nil, freeBytes: nil,
        forecast: StorageForecast([]), tables: [], policies: [], unused: [],
        backup: nil)

    static let quarantined = QuarantineRecord(
        id: 17, at: time, reason: "newer_schema", detail: "schema 2", key: "sensor_lab-1.data",
        source: "measurements.0", incarnation: 1, offset: 5, received: later, length: 70_000, kept: 65_536,
        hash: -3_750_763_034_362_895_579, serial: "lab-1", boot: 7, sequence: 9)
    static let bareQuarantined = QuarantineRecord(
        id: 18, at: nil, reason: "unroutable", detail: "", key: "x", source: "unrouted", incarnation: nil, offset: nil,
        received: nil, length: 0, kept: 0, hash: 0, serial: nil, boot: nil, sequence: nil)
    /// Schema 2, boot 7, sequence 9.
    static let payload: [UInt8] = [0x08, 2, 0x11, 7, 0, 0, 0, 0, 0, 0, 0, 0x18, 9]
    static let header: FrameHeader? = {
        let bytes = payload
        return unsafe FrameHeader(bytes.span.bytes)
    }()

    static let replayed = ReplayStreams.Summary(
        streams: 2, messages: 30, frames: 20, samples: 10_000, rows: 40, duplicates: 5, unreadable: 1,
        beginsLater: ["measurements.1": later, "measurements.0": time])
    static let survey: SampleSurvey = {
        var survey = SampleSurvey()
        (survey.samples, survey.runs, survey.first, survey.last) = (100, 2, time, later)
        (survey.gaps, survey.gapNanoseconds) = (1, 1_500_000_001)
        return survey
    }()
    static let imported = ImportSamples.Summary(stored: 60, duplicates: 40, runs: 2)

    static let fleet = FleetSnapshot(
        at: later, states: ["awake": 2, "asleep": 1], presences: ["online": 3], frames: 1000,
        samplesPerSecond: 48_000.5,
        activeAlarms: 1, partitions: [partition.record],
        sensors: [
            FleetSnapshot.Load(
                serial: "lab-1", kind: "vibration", state: "awake", presence: "online", samplesPerSecond: 1000,
                lastValueAge: .seconds(1), activeAlarms: 1)
        ], alarms: [bareAlarm])
    static let audits = [
        SensorAudit(
            serial: "lab-1",
            boots: [
                LossAudit.BootAudit(
                    boot: 5, published: 10, stored: 6, duplicates: 1, givenUp: 1,
                    losses: [
                        SequenceGap(3...4, cause: .droppedAtSource), SequenceGap(6...9, missing: 1, cause: .late),
                    ])
            ], unnumberedRows: nil), SensorAudit(serial: "json-1", boots: [], unnumberedRows: 12),
    ]
    static let diagnosis = Diagnosis(
        findings: [
            Finding(check: "broker", result: .ok, text: "it answers", fix: nil),
            Finding(
                check: "lag", result: .notChecked, text: "not checked: no broker", fix: "start it", cause: "broker"),
        ], isAnybodyThere: true)

    static let figures: [(name: String, value: Double)] = [
        ("published_messages_per_s", 3000.25), ("published_samples_per_s", 1_500_125),
        ("committed_messages_per_s", 2900),
        ("committed_samples_per_s", 1_450_000), ("latency_p50_ms", 12.5), ("latency_p99_ms", 40),
        ("latency_max_ms", 90.1),
        ("drain_messages_per_s", 6000), ("copy_samples_per_s", 2_000_000), ("committed_to_drain", 0.5),
        ("committed_to_copy", 0.725), ("bytes_per_sample", 4.5),
    ]
    static let backlogFigures = figures.filter { !$0.name.hasPrefix("latency") }
}
