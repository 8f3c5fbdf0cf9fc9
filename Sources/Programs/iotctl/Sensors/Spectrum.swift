internal import ArgumentParser
internal import Foundation
internal import Model
internal import Records
internal import Service
internal import Signals
internal import Store
internal import Time

/// `iotctl spectrum SENSOR`
struct Spectrum: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spectrum",
        abstract: "Plots the frequencies in a channel's newest samples in the terminal, and lists the peaks.",
        discussion: """
            Examples:
              iotctl spectrum lab-0001 --channel x
              iotctl spectrum lab-0001 --channel x --at 2026-11-21T09:00Z -n 65536
              iotctl spectrum lab-0001 --channel x -o json | jq '.peaks[0].frequency_hz'

            The spectrum is of the -n consecutive samples that end before --at, with a
            Hann window, computed in the database (SQL: spectrum()). Spectral lines are
            rate / n apart. The frequency of a peak is interpolated between lines, and its
            amplitude is that of a sine there; DB is relative to the strongest peak. The
            plot's scale is 80 decibels, or amplitudes with --linear.

            Exit codes: 0; 1 something went wrong; 2 no such sensor or channel, or no such
            samples; 64 usage; 69 unreachable; 77 refused.
            """)

    /// Rows of a plot.
    private static let rows = 12

    @Argument(help: "Serial number.", completion: .sensors)
    var sensor: String

    @Option(help: ArgumentHelp("Name or number; not needed if there is one only.", valueName: "name"))
    var channel: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("The samples end before this: 2h, or a date.", valueName: "time"))
    var at: Timestamp?

    @Option(name: [.customShort("n"), .customLong("samples")], help: "Number of samples: a power of two, 2 to 65,536.")
    var count = 4096

    @Option(help: "Largest number of peaks: 1 to 1,000.")
    var peaks = 10

    @Flag(help: "Plot amplitudes, not decibels.")
    var linear = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (2...65_536).contains(count), count & (count - 1) == 0 else {
            throw ValidationError("-n must be a power of two, 2 to 65536")
        }
        guard (1...1000).contains(peaks) else { throw ValidationError("--peaks must be 1 to 1000") }
    }

    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let sensor = try await store.requireHistory(of: sensor)
            let channel = try await store.requireChannel(channel, of: sensor)
            guard
                let spectrum = try await store.spectrum(
                    of: sensor, channel: String(channel.number), at: at, count: count)
            else {
                throw Failure(
                    ExitStatus.notFound,
                    "\(sensor) has no \(count) consecutive finite samples of \(channel.name) that end before "
                        + "\(at?.description ?? "now"): try fewer with -n, or another --at")
            }
            try show(spectrum, sensor, channel.name, channel.unit)
        }
    }

    private func show(_ spectrum: AmplitudeSpectrum, _ sensor: String, _ name: String, _ unit: String) throws {
        let view = SpectrumView(
            spectrum, peaks: peaks, sensor: sensor, channel: name, unit: unit, before: at, samples: count)
        let found = spectrum.peaks(peaks)
        try output.show(view) { _, style in
            let rate = spectrum.resolution * Double(count)
            let title =
                "\(sensor) \(name): \(count) samples at \(rate.short) Hz, a line each \(spectrum.resolution.short) Hz, "
                + "|mean| \(spectrum.amplitudes[0].short) \(unit.printable)"
            var text = title.folded(to: style.width) + "\n"
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
            return text + (found.isEmpty ? "no peaks\n" : table.text(wide: true, style))
        }
    }
}
