internal import CThread
internal import Glibc

/// Many sockets behind one descriptor, which is readable whenever one of them is ready.
@safe struct EpollSet: ~Copyable {
    /// What a socket is ready for.
    struct Readiness {
        /// As given to `watch`.
        var tag: UInt64
        /// There is something to read, or the other side has closed.
        var readable: Bool
        /// There is room to write.
        var writable: Bool
        /// An error waits at it.
        var failed: Bool
    }

    /// The most sockets that one call of `ready` gives.
    static let readyMax = 128

    /// For polling the whole set.
    let descriptor: Int32

    /// An empty set.
    init() {
        descriptor = device_epoll_create()
        precondition(descriptor >= 0, "no file descriptor left for epoll")
    }

    deinit { close(descriptor) }

    /// Watches a socket, or changes how; closing it ends that. `tag` comes back in `ready`.
    func watch(socket: Int32, tag: UInt64, isNew: Bool, wantsWrite: Bool) throws(HandleError) {
        guard device_epoll_set(descriptor, socket, tag, isNew, wantsWrite) == 0 else {
            throw HandleError(HandleError.text(errno: errno))
        }
    }

    /// The sockets that are ready now, at most `readyMax`; the others come with the next call.
    func ready() -> [Readiness] {
        let capacity = Self.readyMax
        let ready = unsafe [device_readiness](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe count = max(0, Int(device_epoll_ready(descriptor, buffer.baseAddress, Int32(capacity))))
        }
        return ready.map { Readiness(tag: $0.tag, readable: $0.readable, writable: $0.writable, failed: $0.failed) }
    }

    /// The error that waits at a socket: why connecting failed; nil if none does.
    static func error(of socket: Int32) -> String? {
        let error = device_socket_error(socket)
        return error == 0 ? nil : HandleError.text(errno: error)
    }
}
