public import Endpoint

extension Endpoint {
    /// The settings that libpq connects with: keywords and values, with the password.
    /// - Parameter applicationName: the name that `pg_stat_activity` shows, unless the endpoint has an option for it.
    public func connectionString(applicationName: String) -> String {
        var settings = [
            Option("host", hosts.map(\.name).joined(separator: ",")),
            Option("port", hosts.map { "\($0.port)" }.joined(separator: ",")), Option("user", user),
            Option("password", password.text), Option("dbname", path), Option("client_encoding", "UTF8"),
            Option("fallback_application_name", applicationName), Option("connect_timeout", "10"),
            Option("keepalives_idle", "10"), Option("keepalives_interval", "5"), Option("tcp_user_timeout", "15000"),
        ]
        settings += options + kind.options(of: tls)
        return settings.filter { !$0.value.isEmpty }.map { "\($0.name)=\(Self.quoted($0.value))" }
            .joined(separator: " ")
    }

    /// A value as libpq's connection strings quote it.
    private static func quoted(_ value: String) -> String {
        "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
}
