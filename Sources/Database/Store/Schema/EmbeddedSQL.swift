internal import CSchema

/// The SQL files in this program, as `Sources/C/CSchema/cschema.c` lists them. Their texts are copied on request: the
/// ingesters only count and compare them, and should not hold all of them in memory.
enum EmbeddedSQL {
    /// The numbered steps, oldest first.
    static let steps: [Migrations.Step] = (0..<cschema_step_count()).map { index in
        let file = unsafe cschema_step(index)
        return Migrations.Step(
            version: Int64(unsafe file.number), name: unsafe String(cString: file.name), sql: stepText(index))
    }

    /// The files of functions, in the order in which they are applied.
    static let functions: [Functions.File] = (0..<cschema_functions_count()).map { index in
        let file = unsafe cschema_functions(index)
        return Functions.File(name: unsafe String(cString: file.name), sql: functionsText(index))
    }

    private static func stepText(_ index: Int) -> String { unsafe text(of: cschema_step(index)) }

    private static func functionsText(_ index: Int) -> String { unsafe text(of: cschema_functions(index)) }

    private static func text(of file: cschema_file) -> String {
        unsafe String(decoding: UnsafeBufferPointer(start: file.text, count: file.size), as: UTF8.self)
    }
}
