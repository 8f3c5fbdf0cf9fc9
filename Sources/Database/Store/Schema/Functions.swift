/// The SQL functions, views and comments of a release: files that replace the definitions, applied after the steps of
/// `Migrations`, whenever a file differs from the one that the database has.
///
/// See docs/decisions/0017-functions-are-replaced.md.
public struct Functions: Sendable {
    /// One file.
    public struct File: Sendable {
        /// Its name, which is its subject.
        public var name: String
        /// The statements, which can be applied repeatedly.
        public var sql: String { read() }
        private let read: @Sendable () -> String

        /// A file whose statements are read on each access.
        public init(name: String, sql: @autoclosure @escaping @Sendable () -> String) {
            self.name = name
            read = sql
        }
    }

    /// Grows whenever a file is changed, added or removed: a release does not replace the functions of a later one.
    public var revision: Int64
    /// The files, in the order in which they are applied: each may use what those before it define.
    public var files: [File]

    /// Functions with this revision and these files.
    public init(revision: Int64, files: [File]) {
        self.revision = revision
        self.files = files
    }

    /// The functions of this program. A test knows the fingerprint of each revision.
    public static let current = Functions(revision: 4, files: EmbeddedSQL.functions)

    /// The functions of a release before such files existed: its steps define all functions.
    public static let none = Functions(revision: 0, files: [])
}
