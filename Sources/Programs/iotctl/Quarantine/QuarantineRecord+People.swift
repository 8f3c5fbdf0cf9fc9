internal import Store

extension QuarantineRecord {
    /// The sensor, or the routing key if it names none; at most 20 characters, for a terminal of 80 columns.
    var origin: String {
        let text = serial ?? key
        return text.count <= 20 ? text : text.prefix(19) + "…"
    }
}
