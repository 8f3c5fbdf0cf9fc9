internal import Records
internal import Store
internal import Time

/// The lines of `iotctl tail` for people, at most as wide as the terminal. Pure.
///
///     09:30:00.123  lab-1  x            rms 0.707107   peak 1.41421    m/s²
///     09:30:00.250  lab-4  temperature  21.5 °C
struct TailLayout: Sendable {
    /// The width where stdout is not a terminal, in characters.
    static let columns = 80
    /// The widest columns of serial numbers and of channels; longer ones are cut.
    private static let (serialMax, channelMax) = (20, 14)
    private static let figureWidth = 10

    private let width: Int
    private let serialWidth: Int
    private let channelWidth: Int
    /// The units by serial number and name of the channel.
    private let units: [String: [String: String]]

    /// A layout for these sensors and their channels.
    /// - Parameter width: the terminal's width in characters; nil: stdout is not a terminal.
    init(serials: [String], channels: [String: [ChannelRecord]], width: Int?) {
        self.width = width ?? Self.columns
        serialWidth = min(Self.serialMax, serials.map(\.count).max() ?? 0)
        channelWidth = min(Self.channelMax, channels.values.joined().map(\.name.count).max() ?? Self.channelMax)
        units = channels.mapValues {
            Dictionary($0.map { ($0.name, $0.unit) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// One line for each channel of a frame; one line also for a frame without channels.
    /// - Parameter received: when the broker received the frame.
    func lines(_ frame: FrameView, received: Timestamp) -> [String] {
        let time = Self.time(frame.time ?? received, on: received)
        let serial = Self.pad(frame.sensor ?? "-", to: serialWidth)
        if frame.channels.isEmpty { return ["\(time)  \(serial)  no channels".cut(to: width)] }
        return frame.channels.map { channel in
            let unit = units[frame.sensor ?? ""]?[channel.name] ?? ""
            let name = Self.pad(channel.name, to: channelWidth)
            return "\(time)  \(serial)  \(name)  \(Self.figures(of: channel, unit))".printable.cut(to: width)
        }
    }

    /// "21.5 °C", or "rms 0.707107   peak 1.41421    m/s²" of several samples.
    private static func figures(of channel: FrameView.Channel, _ unit: String) -> String {
        let unit = unit.isEmpty ? "" : " \(unit)"
        if channel.count == 0 { return "no samples" }
        if channel.count == 1 { return (channel.value?.short ?? "-") + unit }
        let peak = channel.min.flatMap { low in channel.max.map { Swift.max(abs(low), abs($0)) } }
        let figures = "rms \(pad(channel.rms?.short ?? "-", to: figureWidth)) peak \(peak?.short ?? "-")"
        return unit.isEmpty ? figures : pad(figures, to: 2 * figureWidth + 10) + unit
    }

    /// The time of the day to the millisecond, or of another day the date and the minute.
    private static func time(_ time: Timestamp, on day: Timestamp) -> String {
        let (text, today) = (time.precise, day.precise)
        return text.prefix(10) == today.prefix(10) ? String(text.suffix(12)) : String(text.prefix(16))
    }

    private static func pad(_ text: String, to width: Int) -> String {
        let text = text.cut(to: width)
        return text + String(repeating: " ", count: max(0, width - text.count))
    }
}
