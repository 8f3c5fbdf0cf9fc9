internal import Glibc
internal import Support

/// Standard output, for data only.
public enum StandardOutput {
    /// A failed write to standard output: a full disk, or a pipe whose reader has ended.
    public struct Unwritable: Error, CustomStringConvertible {
        /// The failure and what to do, for people.
        public let description: String
    }

    /// Writes without a buffer, so that the reader of a stream gets each line at once.
    /// - Throws: `Unwritable`.
    public static func write(_ bytes: some Sequence<UInt8>) throws(Unwritable) {
        do { try writeAll(bytes, to: STDOUT_FILENO) } catch {
            let advice = error.code == ENOSPC ? "free some space" : "check where the output goes"
            throw Unwritable(description: "cannot write to standard output: \(error); \(advice)")
        }
    }
}
