public import Model
public import SampleFiles

/// The kinds of sensors that are simulated by a formula. The raw value is the announcement's `kind`.
public enum SensorKind: String, CaseIterable, Sendable {
    /// A three-axis accelerometer on a rotating machine with an incipient bearing fault.
    case vibration
    /// A thermometer and hygrometer in a hall.
    case climate
    /// A vehicle's odometer.
    case odometer
    /// A satellite receiver carried on a walk.
    case gps

    /// The measured channels, numbered from 0.
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

    /// The default sample rate: 5 kHz for vibration, 1 Hz for the others.
    public var rateDefault: SampleRate { Self.rate(self == .vibration ? 5000 : 1) }

    /// The highest sample rate: 200 kHz for vibration, 100 Hz for the others.
    public var rateMax: SampleRate { Self.rate(self == .vibration ? 200_000 : 100) }

    private static func rate(_ hertz: Double) -> SampleRate {
        guard let rate = SampleRate(hertz: hertz) else { preconditionFailure("\(hertz) Hz is not a sample rate") }
        return rate
    }
}

/// The encoding of several samples of a channel; a single sample is always one double.
public enum SampleEncoding: String, CaseIterable, Sendable {
    /// Single precision, 4 bytes per sample.
    case floats
    /// Counts of a 16-bit converter, 2 bytes per sample. Channels without a fixed range remain floats.
    case counts
}

/// The source of a sensor's samples.
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

    /// The measured channels, numbered from 0.
    public var channels: [Announcement.Channel] {
        switch self {
        case .kind(let kind): kind.channels
        case .recording(let recording): recording.channels
        }
    }

    /// The default sample rate.
    public var rateDefault: SampleRate {
        switch self {
        case .kind(let kind): kind.rateDefault
        case .recording(let recording): recording.rate
        }
    }
}
