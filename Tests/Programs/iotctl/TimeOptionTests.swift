import ArgumentParser
import Foundation
import Service
import Simulation
import TestSupport
import Testing
import Time

@testable import iotctl

/// The options for times accept every form in which iotctl prints times.
@Suite struct TimeOptionTests {
    /// Each option for a time, as the words before its value.
    private static let options: [[String]] = [
        ["export", "a", "--from"], ["export", "a", "--from", "@", "--to"], ["replay", "--into", "t", "--from"],
        ["spectrum", "a", "--at"], ["import", "f", "--start"], ["get", "alarms", "--since"],
        ["get", "commands", "--since"], ["logs", "a", "--since"], ["audit", "--since"],
        ["quarantine", "ls", "--since"],
    ]

    @Test(arguments: options)
    func everyPrintedFormIsAccepted(_ option: [String]) async throws {
        let time = Timestamp.now.advanced(bySeconds: -90_061)
        var printed = Timestamp.Format.allCases.map { time.text($0) }
        printed += [time.short + " UTC", "\(time.unixNanoseconds)"]
        printed += [Duration.milliseconds(559), .seconds(7), .seconds(300), .seconds(90_000), .seconds(400_000)]
            .map(\.short)
        for text in printed + ["2h", "2h ago", "-2h"] {
            let words = option.map { $0 == "@" ? "2001-01-01" : $0 } + [text]
            do { _ = try await IotCtl.asyncParseAsRoot(words) } catch {
                Issue.record("\(words): \(IotCtl.message(for: error))")
            }
        }
        await #expect(throws: (any Error).self) {
            _ = try await IotCtl.asyncParseAsRoot(option.map { $0 == "@" ? "2001-01-01" : $0 } + ["soon"])
        }
    }

    /// A duration that is printed is read as one that is printed alike.
    @Test func printedDurationsAreRead() throws {
        var random = SplitMix64(seed: 14)
        for _ in 0..<5000 {
            let exponent = Double.random(in: -3...8.5, using: &random)
            let text = Duration.seconds(pow(10, exponent)).short
            #expect(Duration(commandLine: text)?.short == text)
        }
    }

    /// No second parser or printer of times: neither Foundation's nor one made of a part of a text.
    @Test func thereIsOneParserAndOnePrinter() throws {
        let folder = TestServers.root.appending(path: "Sources")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var read = 0
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            read += 1
            for word in [
                "ISO8601FormatStyle", "ISO8601DateFormatter", "DateFormatter", ".iso8601.", "strptime", "timegm",
            ]
            where text.contains(word) {
                Issue.record("\(file.lastPathComponent) uses \(word)")
            }
        }
        #expect(read > 200)
    }
}
