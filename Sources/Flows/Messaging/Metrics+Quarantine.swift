public import Model
public import Service

extension Metrics {
    /// Payloads that an ingester or the registry put into quarantine.
    public func noteQuarantined(_ reason: RejectionReason, count: Int) {
        self.count(
            "iot_quarantined_total", "Payloads put into quarantine.", by: count, labels: "reason=\"\(reason.rawValue)\""
        )
    }
}
