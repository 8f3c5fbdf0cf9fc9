internal import Records
internal import Store

/// The figures that `iotctl top` shows at one moment.
struct TopModel: Sendable, Equatable {
    /// The current snapshot from the database.
    var fleet: FleetSnapshot
    /// The partitions, with rates and lag.
    var partitions: [PartitionStatus]
    /// Frames stored per second; nil if not known.
    var framesPerSecond: Double?
    /// The error because of which figures are missing or old; nil if there was none.
    var trouble: String?

    /// Combines two snapshots and the broker's offsets.
    /// - Parameters:
    ///   - before: the earlier snapshot; nil if there is none.
    ///   - ends: offsets near the ends of the streams, by stream name.
    init(_ fleet: FleetSnapshot, since before: FleetSnapshot?, ends: [String: Int64], trouble: String?) {
        self.fleet = fleet
        partitions = PartitionStatus.compare(before?.partitions ?? [], fleet.partitions, ends: ends)
        framesPerSecond = before.flatMap { fleet.framesPerSecond(since: $0) }
        self.trouble = trouble
    }

    /// The view for JSON (docs/iotctl-json.md, "fleet").
    var view: FleetView {
        FleetView(fleet, partitions: partitions, framesPerSecond: framesPerSecond, trouble: trouble)
    }
}

extension TopModel {
    /// The figures of the sensors and alarms that contain the text, in serial number, kind, state or presence.
    func filtered(by text: String) -> TopModel {
        if text.isEmpty { return self }
        let text = text.lowercased()
        var model = self
        model.fleet.sensors.removeAll { sensor in
            ![sensor.serial, sensor.kind, sensor.state, sensor.presence].contains { $0.lowercased().contains(text) }
        }
        model.fleet.alarms.removeAll { !$0.serial.lowercased().contains(text) }
        return model
    }
}
