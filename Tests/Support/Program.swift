public import Foundation
internal import Synchronization

/// A child process with its output in files.
public final class Program: Sendable {
    /// How a process ended.
    public struct Outcome: Sendable {
        /// Its exit code; for one that a signal ended, 128 and the signal's number.
        public var status: Int32
        /// What it wrote to stdout.
        public var output: String
        /// What it wrote to stderr.
        public var errors: String
    }

    /// It has ended although something was expected of it.
    public struct Ended: Error, CustomStringConvertible {
        /// What it wrote last.
        public let description: String
    }

    /// Makes sure that it still runs.
    /// - Throws: `Ended`.
    public func expectRunning() throws {
        if !isRunning {
            throw Ended(description: "process \(pid) has ended: \(errors.suffix(1000))\(output.suffix(1000))")
        }
    }

    private let process: Mutex<Process>
    private let outputFile: URL
    private let errorsFile: URL
    /// The process id.
    public let pid: Int32

    /// Where swift build puts a product of this package: beside the tests, or where TEST_BUILD says, debug or release.
    public static func built(_ name: String) -> URL {
        if let build = ProcessInfo.processInfo.environment["TEST_BUILD"] {
            return TestServers.root.appending(path: ".build/\(build)/\(name)")
        }
        // The test bundle lies beside the products.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let beside = URL(filePath: bundle).deletingLastPathComponent().appending(path: name)
        if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
        return TestServers.root.appending(path: ".build/debug/\(name)")
    }

    /// Starts `path`; stderr goes to `log`, stdout to a file beside it.
    public init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil, input: String? = nil, log: URL
    ) throws {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        if let environment { process.environment = environment }
        errorsFile = log
        outputFile = log.appendingPathExtension("out")
        for file in [errorsFile, outputFile] {
            guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
                throw TestServers.Failure("can't write \(file.path)")
            }
        }
        let files = try [errorsFile, outputFile].map { try FileHandle(forWritingTo: $0) }
        // The program has its own copies. With 1,365 descriptors open Foundation crashes when it starts another.
        defer { for file in files { try? file.close() } }
        process.standardError = files[0]
        process.standardOutput = files[1]
        if let input {
            let pipe = Pipe()
            process.standardInput = pipe
            try process.run()
            pipe.fileHandleForWriting.write(Data(input.utf8))
            try pipe.fileHandleForWriting.close()
        } else {
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }
        pid = process.processIdentifier
        self.process = Mutex(process)
    }

    /// Runs `path` to its end.
    public static func run(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil, input: String? = nil,
        deadline: Duration = .seconds(120)
    ) async throws -> Outcome {
        let log = FileManager.default.temporaryDirectory.appending(path: "run-\(UUID().uuidString)")
        let program = try Program(path, arguments, environment: environment, input: input, log: log)
        defer {
            try? FileManager.default.removeItem(at: log)
            try? FileManager.default.removeItem(at: log.appendingPathExtension("out"))
        }
        return try await program.end(within: deadline)
    }

    /// Whether it has not ended yet.
    public var isRunning: Bool { process.withLock { $0.isRunning } }

    /// Everything that it wrote to stderr so far.
    public var errors: String { (try? String(contentsOf: errorsFile, encoding: .utf8)) ?? "" }

    /// Everything that it wrote to stdout so far.
    public var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    /// Sends it a signal.
    public func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for its end; kills it when `deadline` has passed.
    public func end(within deadline: Duration = .seconds(90)) async throws -> Outcome {
        do {
            try await eventually("the end of process \(pid)", within: deadline) { !isRunning }
        } catch {
            signal(SIGKILL)
            throw TestServers.Failure("\(error); stderr: \(errors.suffix(2000)); stdout: \(output.suffix(2000))")
        }
        let status = process.withLock { process in
            process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus
        }
        return Outcome(status: status, output: output, errors: errors)
    }

    /// SIGTERM, unless it has ended, and waits for the end.
    @discardableResult
    public func stop(within deadline: Duration = .seconds(60)) async throws -> Outcome {
        if isRunning { signal(SIGTERM) }
        return try await end(within: deadline)
    }

    /// Where it serves health and metrics, as its log says.
    public func http() async throws -> String {
        var address: String?
        try await eventually("the HTTP port of process \(pid)") {
            let text = errors
            guard let found = text.range(of: #""http_port":""#) else {
                try expectRunning()
                return false
            }
            address = "http://127.0.0.1:\(text[found.upperBound...].prefix { $0.isNumber })"
            return true
        }
        guard let address else { throw TestServers.Failure("no port") }
        return address
    }

    /// Waits until /readyz answers 200.
    public func ready(within deadline: Duration = .seconds(120)) async throws {
        let address = try await http()
        var last = ""
        do {
            try await eventually("ready", within: deadline) {
                guard let answer = await TestServers.get(address + "/readyz") else { return false }
                last = answer.body
                return answer.status == 200
            }
        } catch {
            throw TestServers.Failure("not ready: \(last); log: \(errors.suffix(2000))")
        }
    }

    /// A figure of /metrics, added up over its labels.
    public func metric(_ name: String) async throws -> Double { try await series(name).values.reduce(0, +) }

    /// A figure of /metrics by its labels, as they stand there: `{stream="measurements.0"}`, or empty.
    public func series(_ name: String) async throws -> [String: Double] {
        guard let page = await TestServers.get(try await http() + "/metrics") else {
            throw TestServers.Failure("no metrics")
        }
        return Dictionary(
            page.body.split(separator: "\n").compactMap { line in
                guard line.hasPrefix(name + " ") || line.hasPrefix(name + "{"), let end = line.lastIndex(of: " "),
                    let value = Double(line[line.index(after: end)...])
                else { return nil }
                return (String(line[..<end].dropFirst(name.count)), value)
            }, uniquingKeysWith: +)
    }
}
