import Testing

@testable import Postgres

@Suite struct ConnectionErrorTextTests {
    @Test(arguments: [
        (
            "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n"
                + "\tIs the server running on that host and accepting TCP/IP connections?\n", "connection refused"
        ),
        (
            "connection to server at \"localhost\" (::1), port 1 failed: Connection refused\n"
                + "\tIs the server running on that host and accepting TCP/IP connections?\n"
                + "connection to server at \"localhost\" (127.0.0.1), port 1 failed: Connection refused\n"
                + "\tIs the server running on that host and accepting TCP/IP connections?\n", "connection refused"
        ),
        (
            "connection to server at \"h\" (10.0.0.7), port 5432 failed: FATAL:  password authentication failed for user "
                + "\"iot\"\n", "password authentication failed for user \"iot\""
        ),
        (
            "could not translate host name \"db\" to address: Name or service not known\n",
            "could not translate host name \"db\" to address: Name or service not known"
        ),
        (
            "FATAL:  terminating connection due to administrator command\n"
                + "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n"
                + "\tbefore or while processing the request.\n",
            "terminating connection due to administrator command; server closed the connection unexpectedly"
        ), ("", "no answer"),
    ])
    func reasonsAreShort(_ text: String, _ short: String) {
        #expect(ConnectionErrorText.short(text) == short)
    }
}
