internal import ArgumentParser
internal import Foundation

/// What `scripts/bench` needs besides our programs: a publisher, and what they are held against. Each prints one JSON
/// line.
@main
struct BenchTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-tool", abstract: "Fills streams, and measures what the libraries do by themselves.",
        subcommands: [Feed.self, Drain.self, Copy.self, Rows.self])

    /// Prints what was measured.
    static func report(_ figures: [String: Double]) throws {
        let data = try JSONSerialization.data(withJSONObject: figures, options: .sortedKeys)
        FileHandle.standardOutput.write(data + Data("\n".utf8))
    }
}
