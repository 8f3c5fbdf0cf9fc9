internal import ArgumentParser
internal import Sensors
internal import Store

/// In which order sensors are listed.
enum SensorOrder: String, CaseIterable, ExpressibleByArgument {
    /// Words, from A to Z.
    case serial, kind, state, presence, target
    /// Numbers, the largest first; sensors of which it is not known come last.
    case rate, seen, value, clock, dropped

    /// The same sensors in this order; those that are equal by serial.
    func sorted(_ sensors: [SensorSummary]) -> [SensorSummary] {
        func text(_ sensor: SensorSummary) -> String {
            switch self {
            case .kind: sensor.kind
            case .state: sensor.state
            case .presence: sensor.presence
            case .target: sensor.target ?? ""
            case .serial, .rate, .seen, .value, .clock, .dropped: ""
            }
        }
        func number(_ sensor: SensorSummary) -> Double {
            let number =
                switch self {
                case .rate: sensor.rate?.hertz
                case .seen: sensor.lastSeenAge?.seconds
                case .value: sensor.lastValueAge?.seconds
                case .clock: sensor.clockOffsetSeconds.map { abs($0) }
                case .dropped: sensor.framesDropped.map { Double($0) }
                case .serial, .kind, .state, .presence, .target: 0.0
                }
            return number ?? -.infinity
        }
        return sensors.sorted { (-number($0), text($0), $0.serial) < (-number($1), text($1), $1.serial) }
    }
}
