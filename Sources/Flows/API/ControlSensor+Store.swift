internal import Model
internal import Store
internal import Wire

extension ControlSensor {
    /// A sensor of a list.
    init(_ summary: SensorSummary) {
        self.init(serial: summary.serial)
        kind = summary.kind
        firmware = summary.firmware
        state = summary.state
        presence = summary.presence
        rate = summary.rate
        lastSeen = summary.lastSeen
        target = summary.target ?? ""
        tagsJSON = summary.tagsJSON
        place = summary.place ?? ""
        position = summary.position
    }

    /// A sensor with everything.
    init(_ detail: SensorDetail) {
        self.init(detail.summary)
        channels = detail.channels.map { Channel($0) }
        activeAlarms = detail.activeAlarms.map(\.id)
        desiredJSON = detail.desired.json
        reportedJSON = detail.reportedJSON
    }
}

extension ControlSensor.Channel {
    /// A channel as it is stored.
    init(_ record: ChannelRecord) {
        let value = record.value.map { last in
            // A row has all of them or, before the first, none.
            Value(
                last: last, min: record.min ?? last, max: record.max ?? last, rms: record.rms ?? last.magnitude,
                at: record.time)
        }
        self.init(
            number: record.channel, name: record.name, quantity: record.quantity, unit: record.unit, value: value)
    }
}
