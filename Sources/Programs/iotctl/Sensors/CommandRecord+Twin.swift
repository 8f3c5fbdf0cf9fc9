internal import Records
internal import Store

extension CommandRecord {
    /// The version of the desired properties that this command asks for; nil if the registry did not make it of a twin:
    /// then its id is not `twin:SENSOR:VERSION:BOOT:PART`.
    var desiredVersion: Int64? {
        let parts = id.split(separator: ":")
        return parts.count == 5 && parts[0] == "twin" ? Int64(parts[2]) : nil
    }

    /// The paths of the desired properties that this command of a twin asks for.
    var desiredProperties: Set<String> {
        guard case .object(let fields)? = JSONValue(json: argumentsJSON) else { return [] }
        return Set(fields.map { name == "set" ? $0.name : "rate_hz" })
    }
}
