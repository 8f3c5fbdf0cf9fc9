internal import Foundation

/// A TCP socket that listens on a free port of 127.0.0.1. Its owner closes the descriptor.
public struct ListeningSocket: Sendable {
    /// The file descriptor.
    public let descriptor: Int32
    /// The port, which the system chose.
    public let port: UInt16

    /// Begins to listen; up to 100 connections may wait to be accepted.
    public init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(descriptor, generic, size) == 0 && listen(descriptor, 100) == 0
                    && getsockname(descriptor, generic, &size) == 0
            }
        }
        guard isListening else { throw TestServers.Failure("cannot listen on a free port: errno \(errno)") }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }
}
