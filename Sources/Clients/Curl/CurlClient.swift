internal import CCurl
internal import ClientThread
internal import Glibc
internal import Synchronization
internal import Time

/// HTTP requests and mail by libcurl, one after another on a thread of its own.
///
/// Every transfer has a deadline for all of it, name lookup included. A cancelled task ends its transfer within a second.
/// Redirects are not followed, and no other protocols than HTTP and SMTP are used.
public actor CurlClient {
    private let thread = ClientThread(name: "curl")
    private let agent: String

    /// The client's own thread, on which all code of this actor runs.
    nonisolated public var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    /// A client that connects for each transfer.
    /// - Parameter agent: what it calls itself, such as "sensor-services".
    public init(agent: String) {
        self.agent = agent
        _ = Self.isReady
    }

    deinit { thread.stop() }

    /// Once for the process, before any other use of libcurl.
    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// POSTs a body.
    /// - Returns: the answer, whatever its status.
    /// - Throws: `TransferError` if there was none; `CancellationError`.
    public nonisolated func post(_ request: PostRequest) async throws -> TransferAnswer {
        try await cancellable { try await self.perform(request, $0) }
    }

    /// Gives a mail to a server.
    /// - Throws: `TransferError`, with the server's code if it refused the mail; `CancellationError`.
    public nonisolated func send(_ mail: MailRequest) async throws {
        _ = try await cancellable { try await self.perform(mail, $0) }
    }

    private nonisolated func cancellable(
        _ work: (Transfer) async throws -> TransferAnswer
    ) async throws -> TransferAnswer {
        let transfer = Transfer()
        return try await withTaskCancellationHandler {
            do { return try await work(transfer) } catch {
                try Task.checkCancellation()
                throw error
            }
        } onCancel: {
            transfer.cancel()
        }
    }

    private func perform(_ request: PostRequest, _ transfer: Transfer) throws -> TransferAnswer {
        let handle = try CurlHandle(url: request.url, protocols: "http,https", request.security, request.deadline)
        handle.set(CURLOPT_USERAGENT, agent)
        handle.set(CURLOPT_POST, 1)
        handle.setBody(request.body)
        // Without this libcurl waits a second for "100 Continue" before it sends a large body.
        handle.append(header: "Expect:")
        for (name, value) in request.headers { handle.append(header: "\(name): \(value)") }
        return try handle.perform(transfer)
    }

    private func perform(_ mail: MailRequest, _ transfer: Transfer) throws -> TransferAnswer {
        let handle = try CurlHandle(url: mail.server, protocols: "smtp,smtps", mail.security, mail.deadline)
        handle.set(
            CURLOPT_USE_SSL, mail.encryption == .required ? Int(CURLUSESSL_ALL.rawValue) : Int(CURLUSESSL_NONE.rawValue)
        )
        if let login = mail.login {
            handle.set(CURLOPT_USERNAME, login.user)
            handle.set(CURLOPT_PASSWORD, login.password)
        }
        handle.set(CURLOPT_MAIL_FROM, "<\(mail.from)>")
        for address in mail.to { handle.append(recipient: "<\(address)>") }
        handle.set(CURLOPT_UPLOAD, 1)
        transfer.upload = mail.message
        return try handle.perform(transfer)
    }
}

/// A transfer of libcurl from its options to its end. Only its actor's thread touches it.
@safe private struct CurlHandle: ~Copyable {
    private let handle: UnsafeMutableRawPointer
    private let lists = Lists()

    /// The lists that libcurl reads during the transfer.
    @safe private final class Lists {
        var headers: UnsafeMutablePointer<curl_slist>?
        var recipients: UnsafeMutablePointer<curl_slist>?

        init() { unsafe (headers, recipients) = (nil, nil) }

        deinit {
            unsafe curl_slist_free_all(headers)
            unsafe curl_slist_free_all(recipients)
        }
    }

    init(url: String, protocols: String, _ security: TransferSecurity, _ deadline: Duration) throws {
        guard let handle = unsafe curl_easy_init() else {
            throw TransferError(description: "libcurl has no memory left", status: nil, isLoginRefused: false)
        }
        unsafe self.handle = handle
        set(CURLOPT_URL, url)
        set(CURLOPT_PROTOCOLS_STR, protocols)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_TIMEOUT_MS, Int(max(1, deadline.milliseconds)))
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(max(1, deadline.milliseconds)))
        if let file = security.certificateAuthorities { set(CURLOPT_CAINFO, file) }
    }

    deinit { unsafe curl_easy_cleanup(handle) }

    func set(_ option: CURLoption, _ value: Int) { _ = unsafe ccurl_set_long(handle, option, value) }

    func set(_ option: CURLoption, _ text: String) { _ = unsafe ccurl_set_text(handle, option, text) }

    func setBody(_ body: [UInt8]) {
        unsafe body.withUnsafeBytes { bytes in _ = unsafe ccurl_set_bytes(handle, bytes.baseAddress, bytes.count) }
    }

    func append(header: String) { unsafe lists.headers = curl_slist_append(lists.headers, header) }

    func append(recipient: String) { unsafe lists.recipients = curl_slist_append(lists.recipients, recipient) }

    func perform(_ transfer: Transfer) throws -> TransferAnswer {
        if unsafe lists.headers != nil { _ = unsafe ccurl_set_list(handle, CURLOPT_HTTPHEADER, lists.headers) }
        if unsafe lists.recipients != nil { _ = unsafe ccurl_set_list(handle, CURLOPT_MAIL_RCPT, lists.recipients) }
        unsafe ccurl_set_calls(
            handle,
            { bytes, size, count, context in
                guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
                let taken = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
                unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().take(taken)
                return size * count
            },
            { bytes, size, count, context in
                guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
                let room = unsafe UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
                return unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().give(room)
            },
            { context, _, _, _, _ in
                guard let context = unsafe context else { return 1 }
                return unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().isCancelled ? 1 : 0
            }, Unmanaged.passUnretained(transfer).toOpaque())
        let code = withExtendedLifetime(transfer) { unsafe curl_easy_perform(handle) }
        let status = unsafe ccurl_response(handle)
        let answer = TransferAnswer(status: Int(status), body: transfer.taken)
        guard code != CURLE_OK else { return answer }
        let reason = unsafe curl_easy_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code.rawValue)"
        throw TransferError(
            description: status > 0 ? "\(reason) (\(status))" : reason, status: status > 0 ? Int(status) : nil,
            isLoginRefused: code == CURLE_LOGIN_DENIED)
    }
}

/// What libcurl takes and gives during one transfer. Apart from `cancel` only the client's thread uses it.
private final class Transfer: @unchecked Sendable {
    /// The most bytes that are kept of an answer.
    private static let takenMax = 4096

    private let cancelled = Atomic(false)
    private(set) var taken: [UInt8] = []
    var upload: [UInt8] = []
    private var given = 0

    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    func cancel() { cancelled.store(true, ordering: .relaxed) }

    func take(_ bytes: UnsafeRawBufferPointer) {
        unsafe taken.append(contentsOf: bytes.prefix(Self.takenMax - taken.count))
    }

    func give(_ room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, upload.count - given)
        unsafe room.copyBytes(from: upload[given..<(given + count)])
        given += count
        return count
    }
}
