internal import AMQP
internal import Broker
internal import Logging
internal import Management
internal import Messaging
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Time

/// Reports streams that are about to drop messages that are not stored. `StreamBacklog` judges.
struct BacklogMonitor {
    /// The time between two checks, as a multiple of the disk's.
    static let intervalFactor = 3
    /// How long a stream that has messages may take to deliver one.
    static let timeout: Duration = .seconds(5)

    private let context: Runtime
    private let store: StoreConnection
    private let management: ManagementAPI
    /// Streams whose backlog nears retention.
    private var near: Set<String> = []

    init(_ context: Runtime, _ store: StoreConnection, _ management: ManagementAPI) {
        self.context = context
        self.store = store
        self.management = management
    }

    /// Checks all streams until the task is cancelled.
    mutating func run(every interval: Duration) async {
        await StreamChecks.repeating(context, every: interval) { try await check() }
    }

    private mutating func check() async throws {
        var streams = try await MeasurementStream.all(store, management)[...]
        var failure: BrokerError?
        while !streams.isEmpty {
            let broker = try await context.connectBroker("guard")
            do {
                while let stream = streams.popFirst() { try await check(stream, broker) }
            } catch BrokerError.undeliverable(let reason) {
                // The oldest message of that stream cannot be delivered: the other streams are checked all the same.
                failure = .undeliverable(reason)
            } catch {
                await broker.close()
                throw error
            }
            await broker.close()
        }
        if let failure { throw failure }
    }

    private mutating func check(_ stream: MeasurementStream, _ broker: BrokerConnection) async throws {
        guard let position = try await store.position(of: stream.name) else { return }
        func message(_ offset: StreamOffset) async throws -> Delivery? {
            try await broker.message(of: stream.name, at: offset, timeout: Self.timeout)
        }
        let first = stream.messages > 0 ? try await message(.first) : nil
        let next = (position.committed ?? -1) + 1
        var oldest = first
        if let offset = first?.streamOffset, offset < next, offset + stream.messages > next {
            oldest = try await message(.offset(next))
        }
        let backlog = StreamBacklog(
            committed: position.committed, first: first?.streamOffset, messages: stream.messages,
            oldestSeconds: oldest.map { Timestamp.now.seconds(since: $0.received) }, bytes: stream.bytes,
            secondsMax: stream.secondsMax, bytesMax: stream.bytesMax)
        let labels = "stream=\"\(stream.name)\""
        context.metrics.set(
            "iot_stream_unread_messages", "Messages of a stream that are not stored.", to: Double(backlog.unread),
            labels: labels)
        context.metrics.set(
            "iot_stream_unread_retention_ratio",
            "How near the oldest message that is not stored is to being dropped: 1 is about to be.",
            to: backlog.nearness, labels: labels)
        note(backlog, of: stream.name)
    }

    private mutating func note(_ backlog: StreamBacklog, of stream: String) {
        guard backlog.isNear else {
            if near.remove(stream) != nil {
                context.logger.notice("\(stream): the backlog is far from retention again")
            }
            return
        }
        guard near.insert(stream).inserted else { return }
        let share = Int((backlog.nearness * 100).rounded())
        context.logger.error(
            """
            \(stream): \(backlog.unread) messages are not stored and at \(share) % of the stream's retention; \
            \(backlog.lost) are gone: does an ingester store it?
            """)
    }
}
