import Foundation
import Model
import Store
import TestSupport
import Testing

@Suite struct FunctionsTests {
    /// The fingerprint of each revision, from 1 on. Add a line, and change none: databases have these revisions.
    private static let revisions: [Int64] = [
        -868_945_050_175_395_089, 1_675_016_249_444_351_708, 7_312_546_827_525_457_812,
        5_641_847_509_504_792_549,
    ]

    /// Over names and texts, in order.
    private static func fingerprint(_ functions: Functions) -> Int64 {
        var fingerprint = Fingerprint()
        for file in functions.files {
            for text in [file.name, file.sql] {
                fingerprint.add(text.utf8)
                fingerprint.add(CollectionOfOne(0))
            }
        }
        return fingerprint.value
    }

    @Test func everyChangeRaisesTheRevision() {
        let now = Self.fingerprint(.current)
        #expect(
            Functions.current.revision == Int64(Self.revisions.count) && Self.revisions.last == now,
            "if you changed a file: Functions.current.revision is one more, and \(now) is the last line of revisions")
        #expect(Set(Self.revisions).count == Self.revisions.count)
    }

    /// A change, another order, another name and a file less are all seen.
    @Test func theFingerprintSeesEveryChange() {
        let files = Functions.current.files
        guard let first = files.first else {
            Issue.record("no files")
            return
        }
        let others = [
            Array(files.dropLast()), files.reversed(), [Functions.File(name: "x", sql: first.sql)] + files.dropFirst(),
            [Functions.File(name: first.name, sql: first.sql + " ")] + files.dropFirst(), files + [first],
        ]
        let prints = ([files] + others).map { Self.fingerprint(Functions(revision: 1, files: $0)) }
        #expect(Set(prints).count == prints.count)
    }

    @Test func everyFileIsInTheProgramAsItIs() throws {
        let folder = TestServers.root.appending(path: "Sources/Database/Store/Schema/Functions")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(
            Functions.current.files.map { "\($0.name).sql" }.sorted() == names.sorted(), "cschema.c lists the files")
        for file in Functions.current.files {
            let text = try String(contentsOf: folder.appending(path: "\(file.name).sql"), encoding: .utf8)
            #expect(file.sql == text, "\(file.name)")
        }
    }

    /// They are applied again and again, and over what the steps made: no table, no row, nothing that fails twice.
    @Test func filesOnlyReplace() {
        for file in Functions.current.files {
            // Bodies are indented.
            for line in file.sql.split(separator: "\n") {
                let word = line.prefix { $0.isUppercase }
                let isAllowed =
                    switch word {
                    case "CREATE":
                        line.hasPrefix("CREATE OR REPLACE FUNCTION ") || line.hasPrefix("CREATE OR REPLACE VIEW ")
                    case "DROP": line.hasPrefix("DROP FUNCTION IF EXISTS ") || line.hasPrefix("DROP VIEW IF EXISTS ")
                    case "ALTER", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "SELECT", "GRANT", "REVOKE": false
                    default: true
                    }
                #expect(isAllowed, "\(file.name): \(line)")
            }
        }
    }
}
