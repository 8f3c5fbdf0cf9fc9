internal import ClientThread
internal import Glibc
internal import Support

/// Looks up host names on its own thread: `getaddrinfo` may block for many seconds. A fleet's thread must not wait for
/// it, because it sends the keep-alives, and neither must the cooperative pool.
actor HostResolver {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    private let thread = ClientThread(name: "resolver")

    deinit { thread.stop() }

    /// The host's numeric addresses, IPv4 first: a broker on "localhost" often listens on 127.0.0.1 only.
    func addresses(of host: String) throws(HandleError) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, nil, &hints, &list)
        guard status == 0, let first = unsafe list else {
            throw HandleError(SystemError.text(ofLookup: status))
        }
        defer { unsafe freeaddrinfo(first) }
        var addresses: [String] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let text = unsafe Self.numeric(entry.pointee) { addresses.append(text) }
            unsafe next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw HandleError("no address") }
        return addresses.filter { !$0.contains(":") } + addresses.filter { $0.contains(":") }
    }

    private static func numeric(_ entry: addrinfo) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = unsafe getnameinfo(
            entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        guard status == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
