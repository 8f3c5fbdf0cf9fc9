/// The schema's history: numbered SQL files, applied in order, each once. What only defines functions and views is not
/// here but in `Functions`.
public enum Migrations {
    /// One step.
    public struct Step: Sendable {
        /// 1, 2, 3 …
        public var version: Int64
        /// What it brings.
        public var name: String
        /// The statements.
        public var sql: String { read() }
        private let read: @Sendable () -> String

        /// A step, whose statements are read each time that they are asked for.
        public init(version: Int64, name: String, sql: @autoclosure @escaping @Sendable () -> String) {
            self.version = version
            self.name = name
            read = sql
        }
    }

    /// All steps, oldest first.
    ///
    /// A step only adds: a release must run on the schema of the next one, because both run while one follows the other
    /// (docs/decisions/0011-releases-side-by-side.md).
    public static let all: [Step] = EmbeddedSQL.steps
}
