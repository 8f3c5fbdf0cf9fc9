internal import CMessages
public import Model
public import Time

/// The messages of `proto/control.proto` ⇄ bytes.
///
/// A text that is longer than any valid one is truncated here, but to more than the longest valid one, so that it is
/// refused where it is checked.
public enum ControlCodec {
    /// The most serial numbers, globs, rules … in one request.
    public static let listMax = 100
    /// The longest text of a request that is no comment, in bytes.
    public static let textBytesMax = 1024
    /// The longest selector, in bytes.
    public static let selectorBytesMax = 4096
    /// A character that the limit would split has at most four bytes.
    private static let textLimit = textBytesMax + 4

    // MARK: requests

    /// Decodes a `WatchAlarmsRequest`.
    /// - Throws: `Rejection`: `undecodable` or `invalidFrame`.
    public static func watchAlarms(_ bytes: borrowing RawSpan) throws(Rejection) -> WatchAlarmsRequest {
        let message = try unsafe Unpacked<Iot__WatchAlarmsRequest>(
            bytes, as: "WatchAlarmsRequest", unpack: { unsafe iot__watch_alarms_request__unpack(nil, $0, $1) },
            release: { unsafe iot__watch_alarms_request__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            let start: WatchAlarmsRequest.Start =
                switch unsafe message.start_case {
                case IOT__WATCH_ALARMS_REQUEST__START_FROM_BEGINNING:
                    unsafe message.from_beginning != 0 ? .beginning : .now
                case IOT__WATCH_ALARMS_REQUEST__START_AFTER: unsafe .after(text(message.after, limit: textLimit))
                default: .now
                }
            return unsafe WatchAlarmsRequest(
                start: start, sensors: try texts(message.sensors, message.n_sensors, "sensors"),
                severities: try texts(message.severities, message.n_severities, "severities"),
                rules: try texts(message.rules, message.n_rules, "rules"), edge: text(message.edge, limit: textLimit))
        }
    }

    /// Decodes an `AcknowledgeRequest`.
    /// - Throws: `Rejection` with `undecodable`.
    public static func acknowledge(_ bytes: borrowing RawSpan) throws(Rejection) -> AcknowledgeRequest {
        let message = try unsafe Unpacked<Iot__AcknowledgeRequest>(
            bytes, as: "AcknowledgeRequest", unpack: { unsafe iot__acknowledge_request__unpack(nil, $0, $1) },
            release: { unsafe iot__acknowledge_request__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            unsafe AcknowledgeRequest(
                alarm: text(message.alarm_id, limit: textLimit), by: text(message.by, limit: textLimit),
                comment: text(message.comment, limit: textLimit))
        }
    }

    /// Decodes a `SendCommandRequest`.
    /// - Throws: `Rejection`: `undecodable` or `invalidFrame`.
    public static func sendCommand(_ bytes: borrowing RawSpan) throws(Rejection) -> SendCommandRequest {
        let message = try unsafe Unpacked<Iot__SendCommandRequest>(
            bytes, as: "SendCommandRequest", unpack: { unsafe iot__send_command_request__unpack(nil, $0, $1) },
            release: { unsafe iot__send_command_request__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            unsafe SendCommandRequest(
                sensor: text(message.sensor, limit: textLimit), name: text(message.name, limit: textLimit),
                arguments: try Arguments.decode(message.arguments, message.n_arguments, "arguments"),
                issuer: text(message.issuer, limit: textLimit), waitFor: text(message.wait_for, limit: textLimit),
                timeoutMilliseconds: message.timeout_ms, validMilliseconds: message.valid_ms)
        }
    }

    /// Decodes a `GetSensorRequest`.
    /// - Returns: the serial number as it was sent.
    /// - Throws: `Rejection` with `undecodable`.
    public static func getSensor(_ bytes: borrowing RawSpan) throws(Rejection) -> String {
        let message = try unsafe Unpacked<Iot__GetSensorRequest>(
            bytes, as: "GetSensorRequest", unpack: { unsafe iot__get_sensor_request__unpack(nil, $0, $1) },
            release: { unsafe iot__get_sensor_request__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            unsafe text(message.sensor, limit: textLimit)
        }
    }

    /// Decodes a `ListSensorsRequest`.
    /// - Throws: `Rejection`: `undecodable` or `invalidFrame`.
    public static func listSensors(_ bytes: borrowing RawSpan) throws(Rejection) -> ListSensorsRequest {
        let message = try unsafe Unpacked<Iot__ListSensorsRequest>(
            bytes, as: "ListSensorsRequest", unpack: { unsafe iot__list_sensors_request__unpack(nil, $0, $1) },
            release: { unsafe iot__list_sensors_request__free_unpacked($0, nil) })
        return try unsafe message.read { message throws(Rejection) in
            unsafe ListSensorsRequest(
                sensors: try texts(message.sensors, message.n_sensors, "sensors"),
                selector: text(message.selector, limit: selectorBytesMax + 4), pageSize: message.page_size,
                pageToken: text(message.page_token, limit: textLimit))
        }
    }

    private static func texts(
        _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ what: String
    ) throws(Rejection) -> [String] {
        guard count <= listMax else { throw Rejection(.invalidFrame, "\(count) \(what), at most \(listMax)") }
        guard let pointers = unsafe pointers else { return [] }
        return (0..<count).map { unsafe text(pointers[$0], limit: textLimit) }
    }

    // MARK: responses

    /// Encodes a `WatchAlarmsResponse`.
    /// - Throws: `Rejection` with `undecodable` if the alarm's bytes are not an Alarm.
    public static func encode(_ response: WatchAlarmsResponse) throws(Rejection) -> [UInt8] {
        guard let event = response.event else { return unsafe packed(response) }
        let alarm = try unsafe Unpacked<Iot__Alarm>(
            event.body.span.bytes, as: "Alarm", unpack: { unsafe iot__alarm__unpack(nil, $0, $1) },
            release: { unsafe iot__alarm__free_unpacked($0, nil) })
        return try unsafe alarm.read { alarm throws(Rejection) in unsafe packed(response, copy alarm) }
    }

    /// - Parameter alarm: the event's alarm, whose memory outlives the call.
    private static func packed(_ response: WatchAlarmsResponse, _ alarm: Iot__Alarm? = nil) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__WatchAlarmsResponse()
        unsafe iot__watch_alarms_response__init(&message)
        unsafe message.token = arena.string(response.token)
        if let event = response.event, let alarm = unsafe alarm {
            unsafe message.alarm = arena.one(alarm)
            unsafe message.sensor = arena.string(event.sensor.text)
            unsafe message.edge = arena.string(event.edge.rawValue)
            unsafe message.received_unix_ns = event.received.unixNanoseconds
            unsafe message.stream_offset = event.offset
        }
        return unsafe Wire.packed(size: iot__watch_alarms_response__get_packed_size(&message)) {
            unsafe iot__watch_alarms_response__pack(&message, $0)
        }
    }

    /// Encodes an `AcknowledgeResponse`.
    public static func acknowledged(at: Timestamp) -> [UInt8] {
        var message = unsafe Iot__AcknowledgeResponse()
        unsafe iot__acknowledge_response__init(&message)
        unsafe message.at_unix_ns = at.unixNanoseconds
        return unsafe Wire.packed(size: iot__acknowledge_response__get_packed_size(&message)) {
            unsafe iot__acknowledge_response__pack(&message, $0)
        }
    }

    /// Encodes a `SendCommandResponse`.
    public static func encode(_ response: SendCommandResponse) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__SendCommandResponse()
        unsafe iot__send_command_response__init(&message)
        unsafe message.id = arena.string(response.id)
        unsafe message.outcome = arena.string(response.outcome)
        unsafe message.reason = arena.string(response.reason)
        unsafe message.after_s = response.afterSeconds
        return unsafe Wire.packed(size: iot__send_command_response__get_packed_size(&message)) {
            unsafe iot__send_command_response__pack(&message, $0)
        }
    }

    /// Encodes a `Sensor`.
    public static func encode(_ sensor: ControlSensor) -> [UInt8] {
        var arena = PackingArena()
        let message = unsafe Self.sensor(sensor, &arena)
        return unsafe Wire.packed(size: iot__sensor__get_packed_size(message)) {
            unsafe iot__sensor__pack(message, $0)
        }
    }

    /// Encodes a `ListSensorsResponse`.
    /// - Parameter next: the token of the next page; empty: this is the last.
    public static func encode(_ sensors: [ControlSensor], next: String) -> [UInt8] {
        var arena = PackingArena()
        var message = unsafe Iot__ListSensorsResponse()
        unsafe iot__list_sensors_response__init(&message)
        let all = unsafe sensors.map { unsafe sensor($0, &arena) }
        unsafe message.n_sensors = all.count
        unsafe message.sensors = arena.pointers(all)
        unsafe message.next_page_token = arena.string(next)
        return unsafe Wire.packed(size: iot__list_sensors_response__get_packed_size(&message)) {
            unsafe iot__list_sensors_response__pack(&message, $0)
        }
    }

    private static func sensor(
        _ sensor: ControlSensor, _ arena: inout PackingArena
    ) -> UnsafeMutablePointer<Iot__Sensor> {
        var message = unsafe Iot__Sensor()
        unsafe iot__sensor__init(&message)
        unsafe message.serial = arena.string(sensor.serial)
        unsafe message.kind = arena.string(sensor.kind)
        unsafe message.firmware = arena.string(sensor.firmware)
        unsafe message.state = arena.string(sensor.state)
        unsafe message.presence = arena.string(sensor.presence)
        unsafe message.sample_rate_hz = sensor.rate?.hertz ?? 0
        unsafe message.last_seen_unix_ns = sensor.lastSeen?.unixNanoseconds ?? 0
        unsafe message.target = arena.string(sensor.target)
        unsafe message.tags_json = arena.string(sensor.tagsJSON)
        let channels = unsafe sensor.channels.map { unsafe channel($0, &arena) }
        unsafe message.n_channels = channels.count
        unsafe message.channels = arena.pointers(channels)
        let alarms = unsafe sensor.activeAlarms.map { unsafe arena.string($0) }
        unsafe message.n_active_alarms = alarms.count
        unsafe message.active_alarms = arena.pointers(alarms)
        unsafe message.desired_json = arena.string(sensor.desiredJSON)
        unsafe message.reported_json = arena.string(sensor.reportedJSON)
        unsafe message.place = arena.string(sensor.place)
        if let position = sensor.position {
            var place = unsafe Iot__Position()
            unsafe iot__position__init(&place)
            unsafe place.latitude = position.latitude
            unsafe place.longitude = position.longitude
            unsafe place.altitude = position.altitude
            unsafe message.position = arena.one(place)
        }
        return unsafe arena.one(message)
    }

    private static func channel(
        _ channel: ControlSensor.Channel, _ arena: inout PackingArena
    ) -> UnsafeMutablePointer<Iot__SensorChannel> {
        var message = unsafe Iot__SensorChannel()
        unsafe iot__sensor_channel__init(&message)
        unsafe message.number = UInt32(clamping: channel.number)
        unsafe message.name = arena.string(channel.name)
        unsafe message.quantity = arena.string(channel.quantity)
        unsafe message.unit = arena.string(channel.unit)
        if let value = channel.value {
            unsafe message.has_value = 1
            unsafe message.value = value.last
            unsafe message.min = value.min
            unsafe message.max = value.max
            unsafe message.rms = value.rms
            unsafe message.at_unix_ns = value.at?.unixNanoseconds ?? 0
        }
        return unsafe arena.one(message)
    }
}
