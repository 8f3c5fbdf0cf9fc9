public import Service

/// Machine control over gRPC: the service `iot.Control` of `proto/control.proto`.
public enum ControlAPI {
    /// Whether this build has gRPC: it was made with the trait `GRPC` of the package.
    public static var isBuilt: Bool {
        #if GRPC
        true
        #else
        false
        #endif
    }

    /// The part of sensor-registry that serves it. It needs the broker for alarms, and the database for all else; the service's
    /// readiness does not depend on it.
    /// - Parameters:
    ///   - host: the address to listen at; "0.0.0.0" is every one of IPv4.
    ///   - port: 0 lets the system choose a free port, which is logged.
    /// - Precondition: `isBuilt`.
    public static func part(_ context: Runtime, host: String, port: UInt16) -> Component {
        #if GRPC
        Component { try await ControlServer(context, host: host, port: port).run() }
        #else
        preconditionFailure("built without the trait GRPC")
        #endif
    }
}
