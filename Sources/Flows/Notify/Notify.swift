internal import Foundation
internal import Logging
public import Model
internal import Postgres
public import Service
internal import Store
internal import Support
internal import Synchronization
internal import Time

/// alarm ▶ Alertmanager, webhooks, mail: sends what the outbox `notification` has to the receivers of a file.
///
/// The registry that records an alarm writes the outbox (`subscriptions`), and the registry that holds a receiver sends.
public final class Notify: Sendable {
    /// The error for a file that cannot be used.
    public struct Invalid: Error, CustomStringConvertible {
        /// The file, the line and the reason.
        public let description: String
    }

    /// How often the file is looked at, receivers are held again and ends are looked for.
    static let interval: Duration = .seconds(1)
    /// How often what no receiver waits for is given up.
    static let forgetInterval: Duration = .seconds(60)

    private struct State {
        var bytes: Data
        var configuration: NotifyConfiguration
        /// Why the file's present content is not used; nil: it is.
        var refusal: String?
    }

    private let file: String
    private let state: Mutex<State>
    private let holding = Holding()
    private let holder: String

    /// Reads the file.
    /// - Throws: `Invalid`.
    public init(file: String) throws {
        self.file = file
        holder = "\(ProcessInfo.processInfo.hostName)-\(UUID().uuidString.prefix(8))"
        let bytes: Data
        do { bytes = try Self.read(file) } catch { throw Invalid(description: "\(file): \(error)") }
        do { state = Mutex(State(bytes: bytes, configuration: try Self.parse(bytes))) } catch {
            throw Invalid(description: "\(file), \(error)")
        }
    }

    /// Who is told of which alarms, by the file as it is now.
    public var subscriptions: [AlarmSubscription] { state.withLock { $0.configuration.receivers.map(\.subscription) } }

    private struct Unreadable: Error, CustomStringConvertible {
        let description = "can't be read"
    }

    private static func read(_ file: String) throws -> Data {
        guard let bytes = FileManager.default.contents(atPath: file) else { throw Unreadable() }
        return bytes
    }

    private static func parse(_ bytes: Data) throws -> NotifyConfiguration {
        guard bytes.count <= NotifyConfiguration.bytesMax, let text = String(data: bytes, encoding: .utf8) else {
            throw NotifyConfiguration.Invalid(
                description: "line 1: not UTF-8, or more than \(NotifyConfiguration.bytesMax) bytes")
        }
        return try NotifyConfiguration(text: text)
    }

    /// Runs until the task is cancelled. Never throws: notifying must not end the registry.
    public func run(_ context: Runtime) async {
        let store = context.openStore("notify")
        while !Task.isCancelled {
            let configuration = state.withLock { $0.configuration }
            await withTaskGroup(of: Void.self) { group in
                for receiver in configuration.receivers {
                    group.addTask { [holding] in
                        await ReceiverLoop(receiver, context: context, holding: holding).run()
                    }
                }
                group.addTask { await self.watch(configuration, context, store) }
                // Only `watch` ends by itself, when the file has changed.
                await group.next()
                group.cancelAll()
            }
        }
        try? await store.releaseReceivers(heldBy: holder)
        await store.close()
    }

    /// Holds receivers and watches the file, until its receivers are others.
    private func watch(_ configuration: NotifyConfiguration, _ context: Runtime, _ store: StoreConnection) async {
        var lastText = ""
        var forgotten = ContinuousClock.now
        let receivers = configuration.receivers.map { (name: $0.name, kind: $0.kind.word) }
        while !Task.isCancelled {
            reread(context)
            if state.withLock({ $0.configuration != configuration }) { return }
            do {
                let until = ContinuousClock.now + .seconds(StoreConnection.receiverHoldSeconds)
                holding.set(try await store.holdReceivers(receivers, as: holder), until: until)
                try await store.noteEndedAlarms()
                if forgotten.duration(to: .now) > Self.forgetInterval {
                    let count = try await store.forgetReceivers()
                    if count > 0 {
                        context.logger.warning("gave up \(count) notifications of receivers that no file has")
                    }
                    forgotten = .now
                }
                if !lastText.isEmpty { context.logger.info("holding receivers: works again") }
                lastText = ""
            } catch is CancellationError {
                return
            } catch {
                if "\(error)" != lastText { context.logger.warning("holding receivers: \(error); trying again") }
                lastText = "\(error)"
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// Uses the file's content if it has changed and is right. A wrong one is logged once, and the receivers stay.
    private func reread(_ context: Runtime) {
        let refusal = state.withLock { state -> String? in
            guard let bytes = try? Self.read(file) else {
                defer { state.refusal = "can't be read" }
                return state.refusal == "can't be read" ? nil : "can't be read"
            }
            guard bytes != state.bytes || state.refusal == "can't be read" else { return nil }
            state.bytes = bytes
            do {
                state.configuration = try Self.parse(bytes)
                state.refusal = nil
                context.logger.info("\(file): \(state.configuration.receivers.count) receivers")
                return nil
            } catch {
                state.refusal = "\(error)"
                return "\(error)"
            }
        }
        if let refusal { context.logger.error("\(file) is not used, the receivers stay as they were: \(refusal)") }
        context.metrics.set(
            "iot_notify_file_refused", "1 if NOTIFY_CONFIG was changed to something that is not used, otherwise 0.",
            to: state.withLock { $0.refusal == nil ? 0 : 1 })
    }
}
