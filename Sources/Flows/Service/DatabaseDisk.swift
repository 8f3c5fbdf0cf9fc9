internal import Foundation

/// Where the free space for the database's files is measured.
public enum DatabaseDisk: Sendable, Equatable {
    /// A folder on the same volume, as this process sees it.
    case folder(String)
    /// The size in bytes of a volume that holds only the database.
    case size(Int64)

    /// Parses `/var/lib/postgresql`, `200GB`, `64GiB`.
    public init?(_ text: String) {
        if text.hasPrefix("/") {
            self = .folder(text)
            return
        }
        let digits = text.prefix { $0.isNumber || $0 == "." }
        let units: [Substring: Double] = [
            "MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 0x1p20, "GiB": 0x1p30, "TiB": 0x1p40,
        ]
        guard let number = Double(digits), number > 0, let unit = units[text.dropFirst(digits.count)],
            number * unit < 1e18
        else { return nil }
        self = .size(Int64(number * unit))
    }

    /// The volume's size, and its free bytes if they can be measured here; nil: the folder can't be accessed.
    public var space: (bytes: Int64, freeBytes: Int64?)? {
        switch self {
        case .size(let bytes): return (bytes, nil)
        case .folder(let path):
            guard let facts = try? FileManager.default.attributesOfFileSystem(forPath: path),
                let bytes = (facts[.systemSize] as? NSNumber)?.int64Value,
                let free = (facts[.systemFreeSize] as? NSNumber)?.int64Value
            else { return nil }
            return (bytes, free)
        }
    }
}
