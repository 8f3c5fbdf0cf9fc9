internal import Synchronization

/// The metrics of one process, in Prometheus' text format (exposition format 0.0.4).
///
/// The dependencies contain no Prometheus library, and swift-metrics without an exporter would only be another layer:
/// see docs/decisions/0003. Labels are part of the name that the caller passes, and always from a small fixed set.
public final class Metrics: Sendable {
    /// The metrics of this process.
    public static let shared = Metrics()

    private enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    private struct Family {
        var kind: Kind
        var help: String
        var values: [String: Double] = [:]
        var histograms: [String: Histogram] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    /// An empty set of metrics.
    public init() {}

    /// Adds to a counter, which starts at 0.
    /// - Parameter labels: `reason="undecodable"`, or empty.
    public func count(_ name: String, _ help: String, by amount: Int = 1, labels: String = "") {
        change(name, .counter, help) { $0.values[labels, default: 0] += Double(amount) }
    }

    /// Sets a gauge.
    public func set(_ name: String, _ help: String, to value: Double, labels: String = "") {
        change(name, .gauge, help) { $0.values[labels] = value }
    }

    /// Removes a gauge's value, for example of a partition that another replica now owns.
    public func forget(_ name: String, labels: String) {
        families.withLock { _ = $0[name]?.values.removeValue(forKey: labels) }
    }

    /// Adds observations, in seconds, to a histogram.
    public func observe(_ name: String, _ help: String, seconds: [Double], labels: String = "") {
        guard !seconds.isEmpty else { return }
        change(name, .histogram, help) { family in
            for value in seconds { family.histograms[labels, default: Histogram()].observe(value) }
        }
    }

    private func change(_ name: String, _ kind: Kind, _ help: String, _ body: (inout Family) -> Void) {
        families.withLock { body(&$0[name, default: Family(kind: kind, help: help)]) }
    }

    /// All metrics in the text format, by name.
    public func exposition() -> String {
        let families = families.withLock { $0 }
        var lines: [String] = []
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            lines.append("# HELP \(name) \(family.help)")
            lines.append("# TYPE \(name) \(family.kind.rawValue)")
            for (labels, value) in family.values.sorted(by: { $0.key < $1.key }) {
                let text = Self.format(value)
                lines.append(labels.isEmpty ? "\(name) \(text)" : "\(name){\(labels)} \(text)")
            }
            for (labels, histogram) in family.histograms.sorted(by: { $0.key < $1.key }) {
                lines += histogram.lines(name: name, labels: labels)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    static func format(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }
}

/// The number of observations below each bound.
public struct Histogram: Sendable, Equatable {
    /// Upper bounds in seconds: 1 ms to 10 minutes, about six per factor of ten.
    public static let bounds: [Double] = [
        0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2,
        0.3,
        0.5, 0.7, 1, 2, 5, 10, 30, 60, 120, 300, 600,
    ]

    private var buckets = [Int](repeating: 0, count: Self.bounds.count + 1)
    private var sum = 0.0
    /// The number of observations.
    public private(set) var count = 0

    /// An empty histogram.
    public init() {}

    /// Adds one observation, in seconds.
    public mutating func observe(_ seconds: Double) {
        var low = 0
        var high = Self.bounds.count
        while low < high {
            let middle = (low + high) / 2
            if Self.bounds[middle] < seconds { low = middle + 1 } else { high = middle }
        }
        buckets[low] += 1
        sum += seconds
        count += 1
    }

    func lines(name: String, labels: String) -> [String] {
        let prefix = labels.isEmpty ? "" : labels + ","
        let suffix = labels.isEmpty ? "" : "{\(labels)}"
        var below = 0
        var lines: [String] = []
        for (index, bound) in Self.bounds.enumerated() {
            below += buckets[index]
            lines.append("\(name)_bucket{\(prefix)le=\"\(Metrics.format(bound))\"} \(below)")
        }
        lines.append("\(name)_bucket{\(prefix)le=\"+Inf\"} \(count)")
        lines.append("\(name)_sum\(suffix) \(Metrics.format(sum))")
        lines.append("\(name)_count\(suffix) \(count)")
        return lines
    }
}
