import Endpoint
import Foundation
import TestSupport
import Testing

/// The table of URLs in docs/programs.md against the code.
@Suite struct EndpointDocumentTests {
    @Test(arguments: Endpoint.Kind.allCases)
    func theDocumentListsTheOptions(_ kind: Endpoint.Kind) throws {
        let text = try String(contentsOf: TestServers.root.appending(path: "docs/programs.md"), encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `\(kind.variable)` |") }
        let row = try #require(rows.last)
        #expect(row.contains("| `\(kind.example)`"))
        let options = try #require(row.split(separator: "|").last)
        if options.contains("as `AMQP_URL`") {
            #expect(kind.optionNames == Endpoint.Kind.amqp.optionNames)
        } else {
            let names = options.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
            #expect(names == kind.optionNames)
        }
        if let standard = kind.standard {
            #expect(rows.first == "| `\(kind.variable)` | `\(standard)` |")
        }
    }
}
