internal import Foundation
internal import Model
internal import Records
internal import Store
internal import Time

extension SensorSummary {
    /// The clock's offset for people, "+3.21s", "-12ms"; red if the ingester used the time of arrival instead.
    var clockCell: Cell {
        guard let clock else { return Cell(nil) }
        let tone: Tone = clock == .ok ? .plain : .bad
        guard let offset = clockOffsetSeconds else { return Cell("\(clock)", tone) }
        let amount = abs(offset) < 10_000_000_000 ? Duration.seconds(abs(offset)).short : "\(abs(offset).short)s"
        let sign = amount == "0ms" ? "" : offset < 0 ? "-" : "+"
        return Cell(clock == .ok ? sign + amount : "\(clock) \(sign)\(amount)", tone)
    }

    /// The tags for people: "hall=3,line=2".
    var tagsText: String { tagsJSON == "{}" ? "" : (JSONValue(json: tagsJSON) ?? .null).tagsText }

    /// The newest value of the first channel and the number of further channels, for people: "x 3.97 m/s² +2". Devices choose
    /// names and units, of which 12 and 8 characters are shown.
    var valueText: String? {
        values.first.map { value in
            var value = value
            (value.name, value.unit) = (value.name.cutInside(to: 12), value.unit.cut(to: 8))
            return valueCount > 1 ? "\(value.text(\.compact)) +\(valueCount - 1)" : value.text(\.compact)
        }
    }

    /// The newest values of all channels, for people: "x 3.97123 m/s², y 0.1 m/s²".
    var valuesText: String { values.map { $0.text(\.short) }.joined(separator: ", ") }

    /// The name of the place, or the position where no name is known.
    var placeText: String? { place ?? position?.short }
}

extension ChannelValue {
    /// Name, value and unit for people: "x 3.97 m/s²".
    fileprivate func text(_ form: (Double) -> String) -> String {
        let amount = value.map(form) ?? "-"
        return unit.isEmpty ? "\(name) \(amount)" : "\(name) \(amount) \(unit)"
    }
}

extension GeoPosition {
    /// Latitude and longitude in degrees and altitude in metres, for people: "52.52001, 13.40495, 34 m".
    var short: String { String(format: "%.5f, %.5f, %.0f m", latitude, longitude, altitude) }
}

extension JSONValue {
    /// This value as the tags of a sensor, for people: "hall=3,line=2".
    var tagsText: String { flat(separator: ",") }
}

extension SampleRate {
    /// The rate with its unit, for people: "1000 Hz", "25 kHz", "0.0167 Hz".
    var short: String { hertz >= 10_000 ? "\((hertz / 1000).short) kHz" : "\(hertz.short) Hz" }
}
