internal import AlarmRules
internal import ArgumentParser
internal import Foundation
internal import Rules
internal import Service

/// The option `-f` of the commands that read a rule file.
struct RuleFileOption: ParsableArguments {
    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("The rule file; - reads standard input.", valueName: "file"), completion: .file())
    var path: String

    /// The rules of the file.
    /// - Throws: `Failure` if the file cannot be read, or if one rule of it is wrong: a line for each problem.
    func rules() throws -> [Rule] {
        let bytes: Data
        do {
            let file = path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
            bytes = try file.read(upToCount: RuleFile.bytesMax + 1) ?? Data()
        } catch { throw Failure(ExitStatus.failed, "\(path): can't be read; check the path") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(ExitStatus.usage, "\(path): no text in UTF-8; nothing was changed")
        }
        do { return try RuleFile(yaml: text).rules } catch {
            var failure = Failure(ExitStatus.usage)
            failure.lines = error.problems.prefix(20).map { "\(path): \($0)" }
            if error.problems.count > 20 { failure.lines.append("\(path): and \(error.problems.count - 20) more") }
            failure.lines.append("\(path): refused as a whole; nothing was changed")
            throw failure
        }
    }
}
