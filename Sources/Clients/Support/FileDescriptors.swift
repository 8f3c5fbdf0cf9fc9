internal import Glibc

/// The number of files and sockets that this process may open.
public enum FileDescriptors {
    /// Raises the soft limit to the hard limit: an MQTT client takes three descriptors, and the usual limit is 1,024.
    public static func raiseLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
