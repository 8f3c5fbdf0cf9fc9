import Foundation
import TestSupport
import Testing

@testable import Bench
@testable import Model
@testable import Records
@testable import Store

/// What is printed of each view, and that it is what docs/iotctl-json.md says.
@Suite struct ViewTests {
    private static let document: String = {
        let file = TestServers.root.appending(path: "docs/iotctl-json.md")
        return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }()

    private static func names(_ value: JSONValue?) -> [String]? {
        guard case .object(let fields) = value else { return nil }
        return fields.map(\.name)
    }

    @Test(arguments: Example.all)
    func isPrintedAsEver(_ example: Example) throws {
        #expect(try example.tree().json == example.json)
    }

    @Test(arguments: Example.all)
    func isReadBack(_ example: Example) throws {
        #expect(try example.isReadBack())
    }

    @Test(arguments: Example.all.filter { $0.title != nil })
    func hasTheDocumentedFieldsInOrder(_ example: Example) throws {
        let documented = try DocumentedFields(try #require(example.title), in: Self.document)
        #expect(Self.names(try example.tree()) == documented.names)
    }

    /// The ways to lists and objects within views.
    @Test(arguments: [
        ("Sensor", ["values"]), ("Sensor", ["position"]), ("Frame", ["channels"]), ("Sensor in detail", ["channels"]),
        ("Sensor in detail", ["boots"]), ("Sensor in detail", ["drift"]), ("Quarantined payload in detail", ["header"]),
        ("Spectrum", ["peaks"]), ("Plot", ["points"]), ("Plot", ["gaps"]),
        ("Audit", ["sensors"]), ("Audit", ["sensors", "boots"]), ("Audit", ["sensors", "boots", "losses"]),
        ("Diagnosis", ["findings"]), ("Connections", ["servers"]), ("Fleet", ["busiest"]),
        ("Storage report", ["last_backup"]), ("Storage report", ["tables"]), ("Storage report", ["unused_indexes"]),
    ])
    func whatIsWithinHasTheDocumentedFieldsInOrder(_ title: String, _ path: [String]) throws {
        var documented = try DocumentedFields(title, in: Self.document)
        let example = try #require(Example.all.first { $0.title == title })
        var value = try example.tree()
        for name in path {
            documented = documented[name]
            value = try #require(value[name])
            if case .list(let elements) = value { value = try #require(elements.first) }
        }
        #expect(Self.names(value) == documented.names)
    }

    @Test func everyParagraphHasAnExample() {
        let titles = Self.document.matches(of: /\n\*\*([A-Za-z ]+)\*\*[:,]/).map { String($0.1) }
        #expect(titles.count > 30)
        #expect(Set(titles) == Set(Example.all.compactMap(\.title)))
    }

    @Test func everyCauseOfALossIsCounted() throws {
        let audit = AuditView([
            SensorAudit(
                serial: "a",
                boots: [
                    LossAudit.BootAudit(
                        boot: 1, published: 21, stored: 0, duplicates: 0, givenUp: 0,
                        losses: LossCause.allCases.enumerated().map { index, cause in
                            SequenceGap(0...99, missing: Int64(index + 1), cause: cause)
                        })
                ], unnumberedRows: nil)
        ])
        let causes = try #require(try JSONValue(encoding: audit)["causes"])
        let expected = LossCause.allCases.enumerated().map { index, cause in
            JSONValue.Field(name: cause.rawValue, value: .integer(Int64(index + 1)))
        }
        #expect(causes == .object(expected) && audit.missing == 21 && !audit.isComplete)
    }

    @Test func everyFigureOfABenchIsKnown() {
        var run = BenchRun()
        run.latencies = [0.1]
        #expect(run.figures.map(\.name) == BenchView.Figures.Name.allCases.map(\.rawValue))
    }

    @Test func whatIsNoNumberIsNull() throws {
        var alarm = Given.alarm
        (alarm.value, alarm.limit, alarm.clearValue) = (.nan, .infinity, -.infinity)
        let json = try JSON.line(AlarmView(alarm))
        #expect(json.contains(#""value":null,"limit_value":null,"clear_value":null"#))
        let read = try JSON.read(AlarmView.self, from: json)
        #expect(read.value == nil && read.limitValue == nil && read.clearValue == nil)
        let spectrum = SpectrumView(
            sensor: "a", channel: "x", unit: "", before: nil, samples: 2, resolutionHz: 1, peaks: [],
            amplitudes: [.infinity, 1])
        #expect(try JSON.line(spectrum).hasSuffix(#""amplitudes":[null,1]}"#))
        #expect(try JSON.read(SpectrumView.self, from: JSON.line(spectrum)).amplitudes == [nil, 1])
    }

    @Test func whatALaterReleaseAddsIsPassedOver() throws {
        let text = #"{"target":"press-4","colour":"red","sensors":2}"#
        #expect(try JSON.read(RemovedTargetView.self, from: text) == RemovedTargetView(target: "press-4", sensors: 2))
        #expect(throws: DecodingError.self) { try JSON.read(RemovedTargetView.self, from: #"{"target":"press-4"}"#) }
    }
}
