/// A desired property whose reported value differs (docs/iotctl-json.md, "sensor in detail").
public struct DriftView: Codable, Sendable, Equatable {
    /// The property's path through nested objects, separated by dots.
    public var path: String
    /// The desired value.
    public var desired: JSONValue
    /// The value that the sensor reports; null if it reports none.
    public var reported: JSONValue
}

extension DriftView {
    /// The desired properties whose reported values differ. Limits are left out: ingesters apply them, sensors never
    /// report them.
    /// - Parameters:
    ///   - desiredJSON: the desired properties as an object.
    ///   - reportedJSON: the reported properties as an object.
    public static func between(desiredJSON: String, reportedJSON: String) -> [DriftView] {
        let reported = JSONValue(json: reportedJSON) ?? .null
        let has = Dictionary(reported.leaves.map { ($0.path, $0.value) }, uniquingKeysWith: { first, _ in first })
        return (JSONValue(json: desiredJSON) ?? .null).leaves.compactMap { path, value in
            guard path != "limits", !path.hasPrefix("limits."), !path.isEmpty else { return nil }
            let present = has[path] ?? .null
            return present == value ? nil : DriftView(path: path, desired: value, reported: present)
        }
    }
}
