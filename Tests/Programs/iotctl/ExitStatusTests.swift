import ArgumentParser
import Broker
import Control
import Diagnosis
import Foundation
import Messaging
import Postgres
import Service
import Store
import TestSupport
import Testing

@testable import iotctl

/// Exit codes are what the help, docs/iotctl.md and docs/iotctl-json.md say.
@Suite struct ExitStatusTests {
    private func text(_ file: String) throws -> String {
        try String(contentsOf: TestServers.root.appending(path: file), encoding: .utf8)
    }

    /// What stands behind "Exit codes:" up to the end of the paragraph, on one line; nil: nothing.
    private func codes(in text: String) -> String? {
        guard let start = text.range(of: "Exit codes:") else { return nil }
        let rest = text[start.upperBound...]
        return rest[..<(rest.range(of: "\n\n")?.lowerBound ?? rest.endIndex)]
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    @Test func guideAndHelpNameEachCodeInTheSameWords() throws {
        let rows = try text("docs/iotctl.md").matches(of: /\n\| ([0-9]+) \| ([^|]+) \|/)
        #expect(rows.map { "\($0.1) \($0.2)" } == ExitStatus.meanings.map { "\($0.code.rawValue) \($0.words)" })
        let help = try #require(codes(in: IotCtl.configuration.discussion))
        for (code, words) in ExitStatus.meanings { #expect(help.contains("\(code.rawValue) \(words)"), "\(help)") }
        #expect(Set(ExitStatus.meanings.map(\.code.rawValue)).count == ExitStatus.meanings.count)
    }

    @Test(arguments: HelpTests.Command.all())
    func aHelpNamesNoOtherCodes(_ command: HelpTests.Command) throws {
        guard let codes = codes(in: command.type.configuration.discussion) else { return }
        let named = Set(codes.matches(of: /(?:^|[;,] |\s)([0-9]+)(?=[ ;])/).compactMap { Int32($0.1) })
        #expect(!named.isEmpty && named.isSubset(of: ExitStatus.meanings.map(\.code.rawValue)), "\(codes)")
        // Who can't be reached can also say no.
        if command.type != DoctorCommand.self { #expect(named.contains(69) == named.contains(77), "\(codes)") }
    }

    @Test func theTableOfOutcomesSaysWhatTheCodeDoes() throws {
        let rows = try text("docs/iotctl-json.md").matches(of: /\| `([a-z_]+)` \| [^|]+ \| ([0-9]+) \|/)
        let documented = Dictionary(rows.map { (String($0.1), Int32($0.2)) }, uniquingKeysWith: { first, _ in first })
        let wanted = CommandOutcome.allCases.map { ($0.rawValue, CommandOptions.status($0).rawValue) }
        #expect(documented == Dictionary(uniqueKeysWithValues: wanted))
    }

    @Test func eachErrorHasItsCode() throws {
        let cases: [(any Error, Int32)] = [
            (BrokerError.unreachable(""), 69), (BrokerError.lost(""), 69), (BrokerError.refused(""), 77),
            (BrokerError.rejected(operation: "", code: 403, text: ""), 77),
            (BrokerError.rejected(operation: "", code: 404, text: ""), 1), (BrokerError.cancelled(queue: ""), 1),
            (StoreError.unreachable(""), 69), (StoreError.lost(operation: "", ""), 69), (StoreError.refused(""), 77),
            (StoreError.failed(operation: "", sqlState: "42501", message: ""), 77),
            (StoreError.failed(operation: "", sqlState: "22003", message: ""), 1), (StoreError.unexpected(""), 1),
            (StoreError.missingColumn("", found: [], statement: ""), 1),
            (StoreError.undecodable(column: "", expected: "", found: "", statement: ""), 1),
        ]
        for (error, code) in cases { #expect(Failure(explaining: error)?.status.rawValue == code, "\(error)") }
    }
}
