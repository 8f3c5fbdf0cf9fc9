internal import ArgumentParser
internal import Foundation
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl spectrum SENSOR`
struct Spectrum: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "spectrum",
        abstract: "Shows which frequencies a channel's newest samples have: a plot on a terminal, and the peaks.",
        discussion: """
            Examples:
              iotctl spectrum lab-1 --channel x
              iotctl spectrum lab-1 --channel x --at 2026-11-21T09:00:00Z -n 65536 --linear
              iotctl spectrum lab-1 --channel x -o json | jq '.peaks[0].frequency_hz'

            It is of the -n consecutive samples that end before --at, with a Hann window, computed in
            the database (SQL: spectrum()). The lines are rate / n apart. A peak lies between the lines
            where they say so, and has the amplitude of a sine there; DB is relative to the strongest.
            Heights of the plot are decibels, 80 in all, or amplitudes with --linear.

            Exit codes: 0; 1 something went wrong; 2 no such sensor or channel, or no such samples;
            64 usage; 69 unreachable.
            """)

    /// Columns and lines of a plot.
    private static let rows = 12

    /// Which.
    @Argument(help: "Serial number.", completion: .sensors)
    var sensor: String

    /// Which channel.
    @Option(help: ArgumentHelp("Name or number; not needed if there is one only.", valueName: "name"))
    var channel: String?

    /// When.
    @Option(help: ArgumentHelp("Before when: 2h ago, or 2026-11-21T09:00:00Z; by default now.", valueName: "time"))
    var at: Moment?

    /// Of how many samples.
    @Option(name: [.customShort("n"), .customLong("samples")], help: "Samples: a power of two, 2 to 65,536.")
    var count = 4096

    /// How many peaks.
    @Option(help: "Peaks at most: 1 to 1,000.")
    var peaks = 10

    /// How high.
    @Flag(help: "Plot amplitudes, not decibels.")
    var linear = false

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard (2...65_536).contains(count), count & (count - 1) == 0 else {
            throw ValidationError("-n must be a power of two, 2 to 65536")
        }
        guard (1...1000).contains(peaks) else { throw ValidationError("--peaks must be 1 to 1000") }
    }

    /// Prints it.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            _ = try await store.require([sensor])
            let channel = try await store.requireChannel(channel, of: sensor)
            guard
                let spectrum = try await store.spectrum(
                    of: sensor, channel: String(channel.number), at: at?.time, count: count)
            else {
                throw Failure(
                    ExitStatus.notFound,
                    "\(sensor) has no \(count) consecutive finite samples of \(channel.name) at the end of what came "
                        + "before \(at?.time.description ?? "now"): fewer with -n, or another --at")
            }
            try show(spectrum, channel.name, channel.unit)
        }
    }

    private func show(_ spectrum: AmplitudeSpectrum, _ name: String, _ unit: String) throws {
        let found = spectrum.peaks(peaks)
        let value = Value.record([
            "sensor": .text(sensor), "channel": .text(name), "unit": .text(unit), "before": .time(at?.time),
            "samples": .integer(Int64(count)), "resolution_hz": .number(spectrum.resolution),
            "peaks": .list(
                found.map { .record(["frequency_hz": .number($0.hertz), "amplitude": .number($0.amplitude)]) }),
            "amplitudes": .list(spectrum.amplitudes.map { .number($0) }),
        ])
        try output.show(value) { _, style in
            let rate = spectrum.resolution * Double(count)
            var text =
                "\(sensor) \(name): \(count) samples at \(rate.short) Hz, a line each \(spectrum.resolution.short) Hz, "
                + "|mean| \(spectrum.amplitudes[0].short) \(unit.printable)\n"
            if let size = Screen.size, ProcessInfo.processInfo.environment["TERM"] != "dumb" {
                let plot = SpectrumPlot(spectrum: spectrum, isLinear: linear)
                text += plot.lines(columns: size.columns, rows: Self.rows).map { $0 + "\n" }.joined()
            }
            let strongest = found.first?.amplitude ?? 1
            let table = Table(
                columns: [.number("HZ"), .number("AMPLITUDE"), .number("DB")],
                rows: found.map { peak in
                    [
                        Cell(peak.hertz.short), Cell(peak.amplitude.short),
                        Cell(String(format: "%.1f", 20 * log10(peak.amplitude / strongest))),
                    ]
                })
            return text + (found.isEmpty ? "nothing but the mean\n" : table.text(wide: true, style))
        }
    }
}
