internal import CMessages
public import Model
internal import Time

/// Announcement ⇄ protobuf (`proto/registration.proto`).
public enum AnnouncementCodec {
    /// The most channels of an announcement; an announcement with more is rejected.
    public static let channelsMax = 64
    /// The longest accepted time between announcements, in seconds: a day. Longer ones are limited to it.
    public static let intervalSecondsMax: Int64 = 86_400

    /// Decodes an announcement; texts longer than their limit are truncated.
    /// - Throws: `Rejection`: `undecodable`, `newerSchema` or `invalidFrame`.
    public static func decode(_ bytes: borrowing RawSpan) throws(Rejection) -> Announcement {
        let message = try unsafe Unpacked<Iot__Announcement>(
            bytes, as: "Announcement", unpack: { unsafe iot__announcement__unpack(nil, $0, $1) },
            release: { unsafe iot__announcement__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in try unsafe announcement(message) }
    }

    /// Encodes an announcement.
    public static func encode(_ announcement: Announcement) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__Announcement()
        unsafe iot__announcement__init(&message)
        unsafe message.schema = Frame.schema
        unsafe message.boot_id = UInt64(clamping: announcement.boot)
        unsafe message.connection = UInt64(clamping: announcement.connection)
        unsafe message.kind = arena.string(announcement.kind)
        unsafe message.firmware = arena.string(announcement.firmware)
        unsafe message.state = states.first { $0.state == announcement.state }?.wire ?? IOT__STATE__STATE_UNSPECIFIED
        unsafe message.sample_rate_hz = announcement.rate?.hertz ?? 0
        unsafe message.next_sequence = UInt64(clamping: announcement.nextSequence)
        unsafe message.frames_dropped = UInt64(clamping: announcement.framesDropped)
        unsafe message.at_unix_ns = announcement.at?.unixNanoseconds ?? 0
        unsafe message.wants_time = announcement.wantsTime ? 1 : 0
        unsafe message.interval_s = UInt32(clamping: announcement.intervalSeconds ?? 0)
        let properties = unsafe Arguments.encode(announcement.properties, &arena)
        unsafe message.n_properties = properties.count
        unsafe message.properties = arena.pointers(properties)
        let channels = unsafe announcement.channels.map { unsafe Self.channel($0, &arena) }
        unsafe message.n_channels = channels.count
        unsafe message.channels = arena.pointers(channels)
        return unsafe packed(size: iot__announcement__get_packed_size(&message)) {
            unsafe iot__announcement__pack(&message, $0)
        }
    }

    private static let states: [(state: Announcement.State, wire: Iot__State)] = [
        (.awake, IOT__STATE__STATE_AWAKE), (.asleep, IOT__STATE__STATE_ASLEEP),
        (.stopped, IOT__STATE__STATE_STOPPED), (.lost, IOT__STATE__STATE_LOST),
    ]

    private static func announcement(_ message: borrowing Iot__Announcement) throws(Rejection) -> Announcement {
        let schema = unsafe message.schema
        guard schema == Frame.schema else {
            throw Rejection(schema == 0 ? .undecodable : .newerSchema, "Announcement of schema \(schema)")
        }
        let wireState = unsafe message.state
        guard let state = states.first(where: { $0.wire == wireState })?.state else {
            throw Rejection(.invalidFrame, "an announcement without a state")
        }
        guard unsafe message.n_channels <= channelsMax else {
            throw Rejection(.invalidFrame, "\(unsafe message.n_channels) channels, at most \(channelsMax)")
        }
        var channels: [Announcement.Channel] = []
        for index in unsafe 0..<message.n_channels {
            guard let channel = unsafe message.channels[index] else { continue }
            guard let number = unsafe Int16(exactly: channel.pointee.number) else {
                throw Rejection(.invalidFrame, "channel \(unsafe channel.pointee.number), at most \(Int16.max)")
            }
            channels.append(
                unsafe Announcement.Channel(
                    number: number, name: text(channel.pointee.name, limit: 64),
                    quantity: text(channel.pointee.quantity, limit: 64), unit: text(channel.pointee.unit, limit: 64)))
        }
        let nextSequence = try signed(unsafe message.next_sequence, "next_sequence")
        guard nextSequence <= FrameLimits.framesMax else { throw Rejection(.invalidFrame, "next_sequence above 2^53") }
        let properties = try unsafe Arguments.decode(message.properties, message.n_properties, "properties")
        let interval = unsafe Int64(message.interval_s)
        return unsafe Announcement(
            boot: try signed(message.boot_id, "boot_id"), connection: try signed(message.connection, "connection"),
            kind: text(message.kind, limit: 64), firmware: text(message.firmware, limit: 64), state: state,
            rate: SampleRate(hertz: message.sample_rate_hz),
            nextSequence: nextSequence,
            framesDropped: try signed(message.frames_dropped, "frames_dropped"), channels: channels,
            at: timestamp(message.at_unix_ns), wantsTime: message.wants_time != 0, properties: properties,
            intervalSeconds: interval == 0 ? nil : min(interval, intervalSecondsMax))
    }

    private static func channel(
        _ channel: Announcement.Channel, _ arena: inout PackingArena
    ) -> UnsafeMutablePointer<Iot__Channel> {
        var message = unsafe Iot__Channel()
        unsafe iot__channel__init(&message)
        unsafe message.number = UInt32(clamping: channel.number)
        unsafe message.name = arena.string(channel.name)
        unsafe message.quantity = arena.string(channel.quantity)
        unsafe message.unit = arena.string(channel.unit)
        return unsafe arena.one(message)
    }
}

/// Command ⇄ protobuf (`proto/command.proto`).
public enum CommandCodec {
    /// The most arguments of a command and properties of an announcement.
    public static let argumentsMax = 64
    /// The longest name of an argument, in bytes; the rest is truncated.
    public static let nameBytesMax = 128

    /// Decodes a command.
    /// - Throws: `Rejection`: `undecodable` or `invalidFrame`.
    public static func decode(_ bytes: borrowing RawSpan) throws(Rejection) -> Command {
        let message = try unsafe Unpacked<Iot__Command>(
            bytes, as: "Command", unpack: { unsafe iot__command__unpack(nil, $0, $1) },
            release: { unsafe iot__command__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in try unsafe command(message) }
    }

    /// Encodes a command, with its arguments in order of their names.
    public static func encode(_ command: Command) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__Command()
        unsafe iot__command__init(&message)
        unsafe message.id = arena.string(command.id)
        unsafe message.name = arena.string(command.name)
        unsafe message.issued_unix_ns = command.issued.unixNanoseconds
        unsafe message.expires_unix_ns = command.expires?.unixNanoseconds ?? 0
        unsafe message.issuer = arena.string(command.issuer)
        let arguments = unsafe Arguments.encode(command.arguments, &arena)
        unsafe message.n_arguments = arguments.count
        unsafe message.arguments = arena.pointers(arguments)
        return unsafe packed(size: iot__command__get_packed_size(&message)) { unsafe iot__command__pack(&message, $0) }
    }

    private static func command(_ message: borrowing Iot__Command) throws(Rejection) -> Command {
        let id = unsafe text(message.id, limit: 64)
        let name = unsafe text(message.name, limit: 64)
        guard !id.isEmpty, !name.isEmpty else { throw Rejection(.undecodable, "a Command without an id or a name") }
        let arguments = try unsafe Arguments.decode(message.arguments, message.n_arguments, "arguments")
        return unsafe Command(
            id: id, name: name, arguments: arguments, issued: Timestamp(unixNanoseconds: message.issued_unix_ns),
            expires: timestamp(message.expires_unix_ns), issuer: text(message.issuer, limit: 128))
    }
}

/// The named values of commands and announcements.
enum Arguments {
    static func decode(
        _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Iot__Argument>?>?, _ count: Int, _ what: String
    ) throws(Rejection) -> [String: Command.Value] {
        guard count <= CommandCodec.argumentsMax else {
            throw Rejection(.invalidFrame, "\(count) \(what), at most \(CommandCodec.argumentsMax)")
        }
        var arguments: [String: Command.Value] = [:]
        guard let pointers = unsafe pointers else { return arguments }
        for index in 0..<count {
            guard let argument = unsafe pointers[index] else { continue }
            arguments[unsafe text(argument.pointee.name, limit: CommandCodec.nameBytesMax)] =
                unsafe value(argument.pointee)
        }
        return arguments
    }

    static func encode(
        _ arguments: [String: Command.Value], _ arena: inout PackingArena
    ) -> [UnsafeMutablePointer<Iot__Argument>] {
        unsafe arguments.sorted { $0.key < $1.key }.map { unsafe argument($0.key, $0.value, &arena) }
    }

    private static func value(_ argument: borrowing Iot__Argument) -> Command.Value? {
        switch unsafe argument.value_case {
        case IOT__ARGUMENT__VALUE_NUMBER: unsafe .number(argument.number)
        case IOT__ARGUMENT__VALUE_TEXT: unsafe .text(text(argument.text, limit: 4096))
        case IOT__ARGUMENT__VALUE_FLAG: unsafe .flag(argument.flag != 0)
        default: nil
        }
    }

    private static func argument(
        _ name: String, _ value: Command.Value, _ arena: inout PackingArena
    ) -> UnsafeMutablePointer<Iot__Argument> {
        var message = unsafe Iot__Argument()
        unsafe iot__argument__init(&message)
        unsafe message.name = arena.string(name)
        switch value {
        case .number(let number):
            unsafe message.value_case = IOT__ARGUMENT__VALUE_NUMBER
            unsafe message.number = number
        case .text(let text):
            unsafe message.value_case = IOT__ARGUMENT__VALUE_TEXT
            unsafe message.text = arena.string(text)
        case .flag(let flag):
            unsafe message.value_case = IOT__ARGUMENT__VALUE_FLAG
            unsafe message.flag = flag ? 1 : 0
        }
        return unsafe arena.one(message)
    }
}

/// Ack ⇄ protobuf (`proto/command.proto`).
public enum AckCodec {
    private static let outcomes: [(outcome: Ack.Outcome, wire: Iot__Outcome)] = [
        (.received, IOT__OUTCOME__OUTCOME_RECEIVED), (.succeeded, IOT__OUTCOME__OUTCOME_SUCCEEDED),
        (.failed, IOT__OUTCOME__OUTCOME_FAILED), (.rejected, IOT__OUTCOME__OUTCOME_REJECTED),
    ]

    /// Decodes an answer.
    /// - Throws: `Rejection` with `undecodable`.
    public static func decode(_ bytes: borrowing RawSpan) throws(Rejection) -> Ack {
        let message = try unsafe Unpacked<Iot__Ack>(
            bytes, as: "Ack", unpack: { unsafe iot__ack__unpack(nil, $0, $1) },
            release: { unsafe iot__ack__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            let wire = unsafe message.outcome
            let isOfAlarm = unsafe message.is_alarm != 0
            let id = unsafe text(message.id, limit: isOfAlarm ? FrameLimits.alarmBytesMax : 64)
            guard !id.isEmpty, let outcome = outcomes.first(where: { $0.wire == wire })?.outcome else {
                throw Rejection(.undecodable, "an Ack without an id or an outcome")
            }
            return unsafe Ack(
                id: id, outcome: outcome, reason: text(message.reason, limit: 256), at: timestamp(message.at_unix_ns),
                isOfAlarm: isOfAlarm)
        }
    }

    /// Encodes an answer.
    public static func encode(_ ack: Ack) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__Ack()
        unsafe iot__ack__init(&message)
        unsafe message.id = arena.string(ack.id)
        unsafe message.outcome =
            outcomes.first { $0.outcome == ack.outcome }?.wire ?? IOT__OUTCOME__OUTCOME_UNSPECIFIED
        unsafe message.reason = arena.string(ack.reason)
        unsafe message.at_unix_ns = ack.at?.unixNanoseconds ?? 0
        unsafe message.is_alarm = ack.isOfAlarm ? 1 : 0
        return unsafe packed(size: iot__ack__get_packed_size(&message)) { unsafe iot__ack__pack(&message, $0) }
    }
}

/// LogLine ⇄ protobuf (`proto/log.proto`).
public enum LogLineCodec {
    /// The longest text, in bytes; the rest is truncated.
    public static let textBytesMax = 8192

    /// Decodes a log line. A level that this release does not know becomes `info`.
    /// - Throws: `Rejection` with `undecodable`.
    public static func decode(_ bytes: borrowing RawSpan) throws(Rejection) -> LogLine {
        let message = try unsafe Unpacked<Iot__LogLine>(
            bytes, as: "LogLine", unpack: { unsafe iot__log_line__unpack(nil, $0, $1) },
            release: { unsafe iot__log_line__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            let text = unsafe text(message.text, limit: textBytesMax)
            guard !text.isEmpty else { throw Rejection(.undecodable, "a LogLine without text") }
            return unsafe LogLine(
                at: timestamp(message.at_unix_ns),
                level: Int16(exactly: message.level.rawValue).flatMap(LogLine.Level.init(rawValue:)) ?? .info,
                text: text, boot: try signed(message.boot_id, "boot_id"))
        }
    }

    /// Encodes a log line.
    public static func encode(_ line: LogLine) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__LogLine()
        unsafe iot__log_line__init(&message)
        unsafe message.at_unix_ns = line.at?.unixNanoseconds ?? 0
        unsafe message.level = Iot__Level(rawValue: UInt32(line.level.rawValue))
        unsafe message.text = arena.string(line.text)
        unsafe message.boot_id = UInt64(clamping: line.boot)
        return unsafe packed(size: iot__log_line__get_packed_size(&message)) {
            unsafe iot__log_line__pack(&message, $0)
        }
    }
}

/// Alarm ⇄ protobuf (`proto/alarm.proto`).
public enum AlarmCodec {
    /// Decodes an alarm.
    /// - Throws: `Rejection`: `undecodable` or `invalidFrame`.
    public static func decode(_ bytes: borrowing RawSpan) throws(Rejection) -> Alarm {
        let message = try unsafe Unpacked<Iot__Alarm>(
            bytes, as: "Alarm", unpack: { unsafe iot__alarm__unpack(nil, $0, $1) },
            release: { unsafe iot__alarm__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            let id = unsafe text(message.id, limit: FrameLimits.alarmBytesMax)
            let rule = unsafe text(message.rule, limit: 160)
            guard !id.isEmpty, !rule.isEmpty, let channel = unsafe Int16(exactly: message.channel) else {
                throw Rejection(.undecodable, "an Alarm without an id, a rule or a channel")
            }
            let boot = try unsafe signed(message.boot_id, "boot_id")
            let sequence = try unsafe signed(message.sequence, "sequence")
            let severity = unsafe text(message.severity, limit: 16)
            var alarm = unsafe Alarm(
                id: id, rule: rule, severity: Alarm.Severity(rawValue: severity) ?? .warning, channel: channel,
                value: message.value, limit: message.limit, at: Timestamp(unixNanoseconds: message.at_unix_ns),
                position: boot == 0 ? nil : FramePosition(boot: boot, sequence: sequence),
                text: text(message.text, limit: 512))
            alarm.channelName = unsafe text(message.channel_name, limit: 64)
            alarm.unit = unsafe text(message.unit, limit: 64)
            alarm.runbook = unsafe text(message.runbook, limit: 512)
            alarm.cause = unsafe text(message.cause, limit: 64)
            alarm.isLate = unsafe message.late != 0
            let stream = unsafe text(message.stream, limit: 160)
            if !stream.isEmpty {
                alarm.origin = unsafe Alarm.Origin(stream: stream, epoch: message.epoch, offset: message.offset)
            }
            return alarm
        }
    }

    /// Encodes an alarm.
    public static func encode(_ alarm: Alarm) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__Alarm()
        unsafe iot__alarm__init(&message)
        unsafe message.id = arena.string(alarm.id)
        unsafe message.rule = arena.string(alarm.rule)
        unsafe message.channel = UInt32(clamping: alarm.channel)
        unsafe message.value = alarm.value
        unsafe message.limit = alarm.limit
        unsafe message.at_unix_ns = alarm.at.unixNanoseconds
        unsafe message.boot_id = UInt64(clamping: alarm.position?.boot ?? 0)
        unsafe message.sequence = UInt64(clamping: alarm.position?.sequence ?? 0)
        unsafe message.text = arena.string(alarm.text)
        if alarm.severity != .warning { unsafe message.severity = arena.string(alarm.severity.rawValue) }
        unsafe message.channel_name = arena.string(alarm.channelName)
        unsafe message.unit = arena.string(alarm.unit)
        unsafe message.runbook = arena.string(alarm.runbook)
        unsafe message.cause = arena.string(alarm.cause)
        if let origin = alarm.origin {
            unsafe message.stream = arena.string(origin.stream)
            unsafe message.epoch = origin.epoch
            unsafe message.offset = origin.offset
        }
        unsafe message.late = alarm.isLate ? 1 : 0
        return unsafe packed(size: iot__alarm__get_packed_size(&message)) { unsafe iot__alarm__pack(&message, $0) }
    }
}
