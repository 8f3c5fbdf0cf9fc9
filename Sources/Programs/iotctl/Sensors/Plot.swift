internal import ArgumentParser
internal import Foundation
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl plot SENSOR`
struct Plot: AsyncParsableCommand {
    /// The output format.
    enum PlotFormat: String, ExpressibleByArgument, CaseIterable {
        /// A plot in characters, for people.
        case plot
        /// The plotted points as JSON.
        case json
        /// The plotted points as YAML.
        case yaml
        /// The plotted points as CSV.
        case csv
    }

    /// A channel that is plotted.
    private struct Chosen {
        var number: Int16
        var name: String
        var unit: String
    }

    private typealias Drawn = (channel: Chosen, series: ChannelSeries)

    static let configuration = CommandConfiguration(
        commandName: "plot",
        abstract: "Plots channels of a sensor over time, in the terminal.",
        discussion: """
            Examples:
              iotctl plot lab-0001 --channel x --from 10m
              iotctl plot lab-0001 --from 1d
              iotctl plot lab-0001 --channel x --channel y --from 2026-11-21T09:00Z
              iotctl plot lab-0001 --channel x --from 1h -o csv >x.csv

            Each channel has a plot of its own, one below the other. A range with few
            samples shows them joined by lines, a longer one the smallest and the largest
            value of each column (SQL: samples(), chart()). Times are UTC. A gap stays
            empty, and is counted below the plot. Without a terminal a plot has 80
            columns.

            Exit codes: 0; 1 something went wrong; 2 no such sensor or channel, or no data
            in that time; 64 usage; 69 unreachable; 77 refused.
            """)

    /// Limits of the options, in characters and rows.
    private static let widths = 20...500
    private static let heights = 2...200
    /// Rows of a plot without a terminal: of one channel, and of each of several.
    private static let standardHeight = (one: 16, several: 8)

    @Argument(help: "Serial number.", completion: .sensors)
    var sensor: String

    @Option(help: ArgumentHelp("Name or number; repeat it for several. By default all.", valueName: "name"))
    var channel: [String] = []

    @Option(parsing: .unconditional, help: ArgumentHelp("The first time: 1h, or a date.", valueName: "time"))
    var from: Timestamp

    @Option(
        parsing: .unconditional, help: ArgumentHelp("The time after the last one; by default now.", valueName: "time"))
    var to: Timestamp?

    @Option(help: ArgumentHelp("Characters a line: 20 to 500.", valueName: "columns"))
    var width: Int?

    @Option(help: ArgumentHelp("Rows for each channel: 2 to 200.", valueName: "rows"))
    var height: Int?

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("plot (default), json, yaml or csv.", valueName: "format"),
        completion: .list(PlotFormat.allCases.map(\.rawValue)))
    var format = PlotFormat.plot

    /// The option `--context`, which is read before all other options.
    @OptionGroup var context: ContextOption

    func validate() throws {
        if let to, to <= from { throw ValidationError("--to is not after --from") }
        if let width, !Self.widths.contains(width) {
            throw ValidationError("--width must be \(Self.widths.lowerBound) to \(Self.widths.upperBound)")
        }
        if let height, !Self.heights.contains(height) {
            throw ValidationError("--height must be \(Self.heights.lowerBound) to \(Self.heights.upperBound)")
        }
    }

    func run() async throws {
        try await perform {
            let store = try Connections().store()
            _ = try await store.requireHistory(of: sensor)
            let channels = try await chosenChannels(store)
            let range = from..<max(to ?? .now, from.advanced(byNanoseconds: 1))
            let columns = width ?? Screen.size?.columns ?? Screen.Size.standard.columns
            var plots: [Drawn] = []
            for channel in channels {
                let series = try await store.series(
                    of: sensor, channel: channel.name, range, pointsMax: ChannelPlot.pointsMax(columns: columns))
                plots.append((channel, series))
            }
            if plots.allSatisfy({ $0.series.points.isEmpty }) { throw try await noData(channels, range, store) }
            let views = plots.map {
                PlotView($0.series, sensor: sensor, channel: $0.channel.name, unit: $0.channel.unit, range: range)
            }
            switch format {
            case .plot: try Out.write(text(plots, range, columns: columns, .standard))
            case .json: try Out.write(JSON.pretty(views) + "\n")
            case .yaml: try Out.write(JSONValue(encoding: views).yaml())
            case .csv: try Out.write(PlotView.csv(views))
            }
            await store.close()
        }
    }

    /// The channels that the options name, each once, in that order; all without such an option.
    private func chosenChannels(_ store: StoreConnection) async throws -> [Chosen] {
        if channel.isEmpty {
            let all = try await store.channels(of: sensor)
            if all.isEmpty { throw Failure(ExitStatus.notFound, "\(sensor) has no named channels: say --channel") }
            return all.map { Chosen(number: $0.channel, name: $0.name, unit: $0.unit) }
        }
        var chosen: [Chosen] = []
        for word in channel {
            let known = try await store.requireChannel(word, of: sensor)
            if chosen.contains(where: { $0.number == known.number }) { continue }
            chosen.append(Chosen(number: known.number, name: known.name, unit: known.unit))
        }
        return chosen
    }

    private func noData(
        _ channels: [Chosen], _ range: Range<Timestamp>, _ store: StoreConnection
    ) async throws -> Failure {
        var newest: Timestamp?
        for channel in channels {
            if let time = try await store.newest(of: sensor, channel: channel.name) {
                newest = max(newest ?? time, time)
            }
        }
        let names = channels.map(\.name).joined(separator: ", ")
        let rest = newest.map { "; the newest is of \($0.inSeconds)" } ?? ", nor at any other time"
        return Failure(
            ExitStatus.notFound,
            "\(sensor) has no data of \(names) from \(range.lowerBound.inSeconds) to \(range.upperBound.inSeconds)\(rest)"
        )
    }

    // MARK: text

    private func text(
        _ plots: [Drawn], _ range: Range<Timestamp>, columns: Int, _ style: Style
    ) -> String {
        let rows = height ?? Self.rows(for: plots.count)
        let span = Duration.nanoseconds(range.upperBound.nanoseconds(since: range.lowerBound)).short
        var lines = ["\(sensor): \(span) from \(range.lowerBound.inSeconds)".cut(to: columns)]
        for (channel, series) in plots {
            lines.append("")
            lines.append(Self.heading(channel, series).cut(to: columns))
            if series.points.isEmpty { continue }
            lines += ChannelPlot(series: series, range: range).lines(columns: columns, rows: rows)
            let gaps = Self.gapWords(series)
            let tone: Tone = series.gaps.isEmpty ? .plain : .doubtful
            lines.append(style.paint("\(Self.countWords(series)), \(gaps)".cut(to: columns), tone))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Rows for each of several plots, so that they fill the terminal.
    private static func rows(for count: Int) -> Int {
        guard let size = Screen.size else { return count == 1 ? standardHeight.one : standardHeight.several }
        // A plot has a blank line, a heading, an axis with its words, and a line of counts; the prompt needs one, too.
        return max(4, min(24, (size.rows - 2) / max(1, count) - 5))
    }

    private static func heading(_ channel: Chosen, _ series: ChannelSeries) -> String {
        let name = channel.name.printable + (channel.unit.isEmpty ? "" : " in \(channel.unit.printable)")
        guard !series.points.isEmpty else { return "\(name): no data in this time" }
        guard let low = series.points.compactMap(\.min).min(), let high = series.points.compactMap(\.max).max() else {
            return "\(name): no finite value"
        }
        return "\(name): \(low.short) to \(high.short)"
    }

    private static func countWords(_ series: ChannelSeries) -> String {
        let count = series.sampleCount
        let samples = "\(count) sample\(count == 1 ? "" : "s")"
        return series.isSampled ? samples : "\(samples) in \(series.points.count) buckets"
    }

    private static func gapWords(_ series: ChannelSeries) -> String {
        guard !series.gaps.isEmpty else { return "no gaps" }
        let total = Duration.nanoseconds(series.gapNanoseconds).short
        return "\(series.gaps.count) gap\(series.gaps.count == 1 ? "" : "s"), \(total) in all"
    }
}

extension PlotView {
    /// CSV of several channels: a line of names, then a line for each point.
    static func csv(_ views: [PlotView]) -> String {
        func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
        func quoted(_ text: String) -> String {
            guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
            return "\"" + text.replacing("\"", with: "\"\"") + "\""
        }
        let lines = views.flatMap { view in
            view.points.map { point in
                [
                    quoted(view.channel), "\(point.time)", "\(point.n)", number(point.min), number(point.mean),
                    number(point.max), number(point.rms),
                ].joined(separator: ",")
            }
        }
        return (["channel,time,n,min,mean,max,rms"] + lines).map { $0 + "\n" }.joined()
    }
}

extension Timestamp {
    /// The time without a fraction of a second: "2026-11-21T09:30:00Z".
    fileprivate var inSeconds: String { description.prefix(19) + "Z" }
}
