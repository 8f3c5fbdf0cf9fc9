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

    private static let time = Timestamp.now.advanced(bySeconds: -90_061)

    /// One text of each kind: with a date, a duration, a number.
    private static let kinds = [time.text(.nanoseconds), "2h ago", "-2h", "\(time.unixNanoseconds)"]

    private func expectAccepted(_ texts: [String], by option: [String]) async {
        for text in texts {
            let words = option.map { $0 == "@" ? "2001-01-01" : $0 } + [text]
            do { _ = try await IotCtl.parsed(words) } catch {
                Issue.record("\(words): \(IotCtl.message(for: error))")
            }
        }
    }

    @Test(arguments: options)
    func everyOptionForATimeIsTheSame(_ option: [String]) async throws {
        await expectAccepted(Self.kinds, by: option)
        await #expect(throws: (any Error).self) {
            _ = try await IotCtl.parsed(option.map { $0 == "@" ? "2001-01-01" : $0 } + ["soon"])
        }
    }

    /// All options have the same parser, so that two of them take all forms.
    @Test(arguments: [["spectrum", "a", "--at"], ["audit", "--since"]])
    func everyPrintedFormIsAccepted(_ option: [String]) async throws {
        var printed = Timestamp.Format.allCases.map { Self.time.text($0) } + [Self.time.short + " UTC", "2h"]
        printed += [Duration.milliseconds(559), .seconds(7), .seconds(300), .seconds(90_000), .seconds(400_000)]
            .map(\.short)
        await expectAccepted(printed, by: option)
    }

    /// A duration that is printed is read as one that is printed alike.
    @Test func printedDurationsAreRead() throws {
        var random = SplitMix64(seed: 14)
        for _ in 0..<1000 {
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
