internal import CThread
internal import Glibc
internal import Support

/// An epoll set: one descriptor that is readable whenever one of many sockets is ready.
@safe struct EpollSet: ~Copyable {
    /// The operations that a socket is ready for.
    struct Readiness {
        /// The tag given to `watch`.
        var tag: UInt64
        /// The socket has data, or the peer has closed the connection.
        var readable: Bool
        /// The socket's send buffer has space.
        var writable: Bool
        /// The socket has a pending error.
        var failed: Bool
    }

    /// The most sockets that one call of `ready` returns.
    static let readyMax = 128

    /// The set's own descriptor, to be polled.
    let descriptor: Int32

    /// - Throws: `HandleError` if the process has no descriptor left.
    init() throws(HandleError) {
        descriptor = device_epoll_create()
        guard descriptor >= 0 else { throw HandleError("no epoll set: \(SystemError.text(errno))") }
    }

    deinit { close(descriptor) }

    /// Watches a socket, or changes an existing watch; closing the socket ends the watch. `ready` returns `tag`.
    func watch(socket: Int32, tag: UInt64, isNew: Bool, wantsWrite: Bool) throws(HandleError) {
        guard device_epoll_set(descriptor, socket, tag, isNew, wantsWrite) == 0 else {
            throw HandleError(SystemError.text(errno))
        }
    }

    /// The sockets that are ready now, at most `readyMax`; the next call returns the others.
    func ready() -> [Readiness] {
        let capacity = Self.readyMax
        let ready = unsafe [device_readiness](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe count = max(0, Int(device_epoll_ready(descriptor, buffer.baseAddress, Int32(capacity))))
        }
        return ready.map { Readiness(tag: $0.tag, readable: $0.readable, writable: $0.writable, failed: $0.failed) }
    }

    /// Returns and clears the pending error of a socket, such as the reason why connecting failed; nil if there is
    /// none.
    static func error(of socket: Int32) -> String? {
        let error = device_socket_error(socket)
        return error == 0 ? nil : SystemError.text(error)
    }
}
