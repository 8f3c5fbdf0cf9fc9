/// The reason for which the database refused a connection, by libpq's text.
enum DatabaseRefusal: Sendable, Equatable {
    /// The user does not exist, or the password is wrong.
    case login
    /// The database does not exist.
    case noDatabase
    /// pg_hba.conf does not admit this machine.
    case notAdmitted
    /// The user may not connect to this database.
    case noPermission

    /// The reason that the text stands for.
    init(_ text: String) {
        self =
            text.contains("pg_hba.conf")
            ? .notAdmitted
            : text.contains("permission denied")
                ? .noPermission
                : text.contains("database \"") && text.contains("does not exist") ? .noDatabase : .login
    }

    /// How an operator fixes it.
    var fix: String {
        switch self {
        case .login:
            "correct the user and the password in DATABASE_URL, or set them as a superuser: ALTER ROLE … PASSWORD …"
        case .noDatabase: "correct the database at the end of DATABASE_URL, or create it: CREATE DATABASE …"
        case .notAdmitted: "admit this machine in the database's pg_hba.conf, or correct DATABASE_URL"
        case .noPermission: "as a superuser: GRANT CONNECT ON DATABASE … TO …"
        }
    }
}
