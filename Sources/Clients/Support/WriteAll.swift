internal import Glibc

/// A write to a file or a stream that failed.
public struct WriteError: Error, Equatable, CustomStringConvertible {
    /// The system's number of the error (errno).
    public let code: Int32

    /// The system's words, such as "No space left on device".
    public var description: String { unsafe String(cString: strerror(code)) }
}

/// Writes all bytes to a file descriptor, without a buffer.
///
/// A closed pipe is an error like any other if the process ignores SIGPIPE.
public func writeAll(_ bytes: some Sequence<UInt8>, to descriptor: Int32) throws(WriteError) {
    let bytes = Array(bytes)
    var written = 0
    while written < bytes.count {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
        }
        if count >= 0 {
            written += count
        } else if errno == EAGAIN {
            // A terminal or pipe that another process made non-blocking.
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = unsafe poll(&wait, 1, -1)
        } else if errno != EINTR {
            throw WriteError(code: errno)
        }
    }
}
