import Glibc
import Support
import TestSupport
import Testing

@Suite struct TCPSocketTests {
    @Test(arguments: [
        (ECONNREFUSED, "connection refused"), (ECONNRESET, "connection reset by peer"),
        (EHOSTUNREACH, "no route to host"), (EPIPE, "broken pipe"),
    ])
    func errorNumbersAreWords(_ number: Int32, _ text: String) {
        #expect(SystemError.text(number) == text)
    }

    @Test func onlyOrdinaryWordsGetASmallLetter() {
        #expect(SystemError.sentencePart("Connection refused") == "connection refused")
        #expect(SystemError.sentencePart("TLS is required") == "TLS is required")
        #expect(SystemError.sentencePart("") == "" && SystemError.sentencePart("A") == "A")
    }

    private func reason(_ host: String, _ port: Int) -> String? {
        do throws(TCPSocket.Failure) {
            let descriptor = try TCPSocket.connect(host: host, port: port, within: .seconds(20))
            close(descriptor)
            return nil
        } catch { return error.description }
    }

    @Test func aClosedPortRefuses() {
        // Port 1 (tcpmux) is not in use on any machine of the tests.
        #expect(reason("127.0.0.1", 1) == "connection refused")
        // Every address of the name is tried.
        #expect(reason("localhost", 1) == "connection refused")
        #expect(reason("no.such.host.invalid", 1)?.hasPrefix("host not found: ") == true)
    }

    @Test func anOpenPortConnects() throws {
        let listener = try ListeningSocket()
        defer { close(listener.descriptor) }
        #expect(reason("127.0.0.1", Int(listener.port)) == nil)
    }
}
