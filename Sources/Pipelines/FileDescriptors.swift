internal import Glibc

/// How many files and sockets this process may have.
enum FileDescriptors {
    /// Raises the soft limit to the hard one: an MQTT client takes three descriptors, and 1,024 is the usual limit.
    static func raiseLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
