import Foundation
import Model
import Store
import TestSupport
import Testing

@Suite struct MigrationsTests {
    /// FNV-1a of each step that a release brought: databases have them, so they never change.
    private static let released: [Int64: Int64] = [
        1: -9_055_086_404_616_630_289, 2: -8_420_480_548_768_627_412, 3: -6_032_784_849_050_855_101,
        4: 2_489_770_949_168_899_230, 5: 6_832_581_994_887_695_697, 6: -3_875_603_489_974_238_372,
    ]

    @Test func stepsAreNumberedWithoutHoles() {
        #expect(!Migrations.all.isEmpty)
        #expect(Migrations.all.map(\.version) == Array(1...Int64(Migrations.all.count)))
        #expect(Set(Migrations.all.map(\.name)).count == Migrations.all.count)
    }

    @Test func everyFileIsInTheProgramAsItIs() throws {
        let folder = TestServers.root.appending(path: "Sources/Database/Store/Schema/Migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let names = Migrations.all.map { step in
            let number = "\(step.version)"
            return "m\(String(repeating: "0", count: 4 - number.count))\(number)_\(step.name).sql"
        }
        #expect(names == files, "cschema.c lists the files")
        for (name, step) in zip(names, Migrations.all) {
            let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            #expect(step.sql == text, "\(name)")
        }
    }

    @Test func releasedStepsDoNotChange() {
        for step in Migrations.all {
            guard let fingerprint = Self.released[step.version] else { continue }
            #expect(Fingerprint.payload(Array(step.sql.utf8)) == fingerprint, "step \(step.version)")
        }
        #expect(Self.released.keys.max() ?? 0 <= Migrations.all.count)
    }

    /// All run inside one transaction, so no file may end it.
    @Test func noFileEndsTheTransaction() {
        for sql in Migrations.all.map(\.sql) + Functions.current.files.map(\.sql) {
            #expect(sql.contains(";") && !sql.contains("\u{FFFD}"))
            let statements = sql.split(separator: "\n").map { $0.uppercased() }
            #expect(
                !statements.contains { $0.hasPrefix("COMMIT;") || $0.hasPrefix("ROLLBACK;") || $0.hasPrefix("BEGIN;") })
        }
    }
}
