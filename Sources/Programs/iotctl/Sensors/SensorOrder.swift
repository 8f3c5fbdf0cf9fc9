internal import ArgumentParser
internal import Model
internal import Store
internal import Time

/// The order in which sensors are listed.
enum SensorOrder: String, CaseIterable, ExpressibleByArgument {
    /// By text, ascending.
    case serial, kind, state, presence, target, place
    /// By number, descending; sensors whose number is not known come last.
    case rate, seen, age, clock, dropped

    /// Whether the order goes by something that a brief summary does not have.
    var needsAll: Bool {
        switch self {
        case .serial, .kind, .state, .presence, .rate, .seen: false
        case .target, .place, .age, .clock, .dropped: true
        }
    }

    /// The sensors in this order; equal ones are ordered by serial.
    func sorted(_ sensors: [SensorSummary]) -> [SensorSummary] {
        func text(_ sensor: SensorSummary) -> String {
            switch self {
            case .kind: sensor.kind
            case .state: sensor.state
            case .presence: sensor.presence
            case .target: sensor.target ?? ""
            case .place: sensor.placeText ?? ""
            case .serial, .rate, .seen, .age, .clock, .dropped: ""
            }
        }
        func number(_ sensor: SensorSummary) -> Double {
            let number =
                switch self {
                case .rate: sensor.rate?.hertz
                case .seen: sensor.lastSeenAge?.seconds
                case .age: sensor.lastValueAge?.seconds
                case .clock: sensor.clockOffsetSeconds.map { abs($0) }
                case .dropped: sensor.framesDropped.map { Double($0) }
                case .serial, .kind, .state, .presence, .target, .place: 0.0
                }
            return number ?? -.infinity
        }
        if self == .serial { return sensors.sorted { $0.serial < $1.serial } }
        return sensors.sorted { (-number($0), text($0), $0.serial) < (-number($1), text($1), $1.serial) }
    }
}
