import CPostgres
import Endpoint
import Testing

@testable import Postgres

/// What libpq itself reads in the settings of an endpoint.
@Suite struct ConnectionStringTests {
    private struct Unreadable: Error {}

    private func parsed(_ url: String, applicationName: String = "test") throws -> [String: String] {
        let text = try Endpoint(url, .postgresql).connectionString(applicationName: applicationName)
        guard let options = unsafe PQconninfoParse(text, nil) else { throw Unreadable() }
        defer { unsafe PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe values[String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return values
    }

    @Test func partsAndOptionsArrive() throws {
        let values = try parsed(
            "postgresql://u:it's%20a%20%5C%20%22%27@a:1,[::1]/iot?sslmode=verify-full&sslrootcert=/ca&options=-c%20x%3D1",
            applicationName: #"o'reilly \"#)
        #expect(values["host"] == "a,::1" && values["port"] == "1,5432" && values["dbname"] == "iot")
        #expect(values["user"] == "u" && values["password"] == #"it's a \ "'"#)
        #expect(values["sslmode"] == "verify-full" && values["sslrootcert"] == "/ca" && values["options"] == "-c x=1")
        #expect(values["fallback_application_name"] == #"o'reilly \"# && values["connect_timeout"] == "10")
    }

    /// Parts that the URL leaves out are libpq's own business: the socket's folder, `PGPASSWORD`, `PGSSLMODE`.
    @Test func missingPartsAreNotSet() throws {
        let values = try parsed("postgresql:///iot")
        for name in ["host", "user", "password", "sslmode", "application_name"] { #expect(values[name] == nil) }
        #expect(values["port"] == "5432")
    }

    /// The closed list contains no option that this libpq does not have.
    @Test func libpqKnowsEveryOption() throws {
        var url = "postgresql://h/iot?"
        for name in Endpoint.Kind.postgresql.optionNames where !["host", "port"].contains(name) {
            url += "\(name)=\(name == "sslmode" ? "require" : "x")&"
        }
        #expect(try parsed(url)["ssl_min_protocol_version"] == "x")
    }
}
