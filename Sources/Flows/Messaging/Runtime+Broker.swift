public import AMQP
public import Service

extension Runtime {
    /// Gives `body` a connection to the broker, and closes it afterwards.
    /// - Parameter part: as of `openBroker`; nil: readiness does not depend on the connection.
    /// - Throws: as `openBroker`, and the error that `body` throws.
    public func withBroker<Value>(
        _ purpose: String, part: String? = "broker", _ body: (BrokerConnection) async throws -> Value
    ) async throws -> Value {
        let broker =
            if let part { try await openBroker(purpose, part: part) } else { try await connectBroker(purpose) }
        do {
            let value = try await body(broker)
            await broker.close()
            return value
        } catch {
            // A broker that blocks publishers does not answer a close either.
            if !(error is NotConfirmed) { await broker.close() }
            throw error
        }
    }
}
