public import Sensors

/// The kinds of sensor that are simulated by a formula. The raw value is the announcement's `kind`.
public enum SensorKind: String, CaseIterable, Sendable {
    /// Three-axis accelerometer on a rotating machine with a beginning bearing fault.
    case vibration
    /// Thermometer and hygrometer in a hall.
    case climate
    /// Wheel counter of a vehicle.
    case odometer
    /// Satellite receiver that walks about.
    case gps

    /// What it measures, numbered from 0.
    public var channels: [Announcement.Channel] {
        switch self {
        case .vibration:
            ["x", "y", "z"].enumerated().map { number, axis in
                Announcement.Channel(number: Int16(number), name: axis, quantity: "acceleration", unit: "m/s²")
            }
        case .climate:
            [
                Announcement.Channel(number: 0, name: "temperature", quantity: "temperature", unit: "°C"),
                Announcement.Channel(number: 1, name: "humidity", quantity: "relative humidity", unit: "%"),
            ]
        case .odometer:
            [
                Announcement.Channel(number: 0, name: "distance", quantity: "distance", unit: "m"),
                Announcement.Channel(number: 1, name: "speed", quantity: "speed", unit: "m/s"),
            ]
        case .gps:
            [
                Announcement.Channel(number: 0, name: "speed", quantity: "speed", unit: "m/s"),
                Announcement.Channel(number: 1, name: "heading", quantity: "angle", unit: "°"),
            ]
        }
    }

    /// How often it samples unless it is told otherwise: 5 kHz for vibration, 1 Hz for the others.
    public var rateDefault: SampleRate { Self.rate(self == .vibration ? 5000 : 1) }

    /// The fastest that it can be told to sample: 200 kHz for vibration, 100 Hz for the others.
    public var rateMax: SampleRate { Self.rate(self == .vibration ? 200_000 : 100) }

    private static func rate(_ hertz: Double) -> SampleRate {
        guard let rate = SampleRate(hertz: hertz) else { preconditionFailure("\(hertz) Hz is not a sample rate") }
        return rate
    }
}

/// How a sensor writes several samples of a channel; a single one is always written as one double.
public enum SampleEncoding: String, CaseIterable, Sendable {
    /// Single precision, 4 bytes a sample.
    case floats
    /// Counts of a 16-bit converter, 2 bytes a sample. Channels without a fixed range stay floats.
    case counts
}

/// Where a sensor's samples come from.
public enum SignalSource: Sendable {
    /// A formula.
    case kind(SensorKind)
    /// A recording, played in a loop at its own rate.
    case recording(Recording)

    /// The announcement's `kind`: "vibration" … or "recording".
    public var name: String {
        switch self {
        case .kind(let kind): kind.rawValue
        case .recording: "recording"
        }
    }

    /// What is measured, numbered from 0.
    public var channels: [Announcement.Channel] {
        switch self {
        case .kind(let kind): kind.channels
        case .recording(let recording): recording.channels
        }
    }

    /// How often it samples unless it is told otherwise.
    public var rateDefault: SampleRate {
        switch self {
        case .kind(let kind): kind.rateDefault
        case .recording(let recording): recording.rate
        }
    }
}
