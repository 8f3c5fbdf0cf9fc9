internal import Glibc

/// Opens TCP connections and says why one failed: the clients' libraries report any cause as "a socket error".
public enum TCPSocket {
    /// A connection could not be made.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// The reason, such as "connection refused", without host and port.
        public let description: String
    }

    /// Connects to the first address of a host that answers.
    ///
    /// Looking up the host's addresses may take longer than `limit`: the system's resolver has its own timeout.
    /// - Parameter limit: the time to connect; several addresses share it.
    /// - Returns: a socket that does not block and that a child process does not inherit; the caller closes it.
    /// - Throws: `Failure` with the reason of the last address.
    public static func connect(host: String, port: Int, within limit: Duration) throws(Failure) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var addresses: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &addresses)
        guard status == 0 else { throw Failure(description: SystemError.text(ofLookup: status)) }
        defer { unsafe freeaddrinfo(addresses) }
        var left = 0
        var address = unsafe addresses
        while let current = unsafe address {
            left += 1
            unsafe address = current.pointee.ai_next
        }
        let end = ContinuousClock.now + limit
        var reason = "no address"
        unsafe address = addresses
        while let current = unsafe address {
            let share = ContinuousClock.now.duration(to: end) / left
            let (descriptor, error) = unsafe connect(to: current.pointee, within: share)
            if error == 0 { return descriptor }
            reason = error == ETIMEDOUT ? "no answer within \(limit)" : SystemError.text(error)
            left -= 1
            unsafe address = current.pointee.ai_next
        }
        throw Failure(description: reason)
    }

    /// - Returns: the connected socket and 0, or the `errno` of the failure.
    private static func connect(to address: addrinfo, within limit: Duration) -> (descriptor: Int32, error: Int32) {
        let type = unsafe address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = unsafe socket(address.ai_family, type, address.ai_protocol)
        guard descriptor >= 0 else { return (-1, errno) }
        var error: Int32 = 0
        if unsafe Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
            error = errno == EINPROGRESS ? outcome(of: descriptor, within: limit) : errno
        }
        guard error == 0 else {
            close(descriptor)
            return (-1, error)
        }
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE)
        return (descriptor, 0)
    }

    /// Waits for the end of a connection attempt.
    /// - Returns: 0, or the `errno` of the failure.
    private static func outcome(of descriptor: Int32, within limit: Duration) -> Int32 {
        let end = ContinuousClock.now + limit
        while true {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let left = max(.zero, ContinuousClock.now.duration(to: end))
            let milliseconds = (left / .milliseconds(1)).rounded(.up)
            let count = unsafe poll(&waiting, 1, Int32(exactly: milliseconds) ?? .max)
            if count == 0 { return ETIMEDOUT }
            if count > 0 { break }
            if errno != EINTR { return errno }
        }
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 else { return errno }
        return error
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        _ = unsafe setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }
}
