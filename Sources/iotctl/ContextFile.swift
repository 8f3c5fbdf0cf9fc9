internal import Foundation
internal import Glibc
internal import Pipelines

/// contexts.yaml: readable by its owner alone.
struct ContextFile {
    /// Where it is.
    let path: String

    /// What IOTCTL_CONFIG names, else contexts.yaml in $XDG_CONFIG_HOME/iotctl or ~/.config/iotctl.
    static var standard: ContextFile { ContextFile(environment: ProcessInfo.processInfo.environment) }

    /// The one of that environment.
    init(environment: [String: String]) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let path = value("IOTCTL_CONFIG") {
            self.path = path
        } else {
            let home = value("HOME") ?? FileManager.default.homeDirectoryForCurrentUser.path
            path = "\(value("XDG_CONFIG_HOME") ?? "\(home)/.config")/iotctl/contexts.yaml"
        }
    }

    /// What it holds; nothing if it is not there.
    /// - Throws: `Failure` if others can read it too, or if it is no such file.
    func read() throws -> Contexts {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return Contexts() }
            throw trouble("can't be read")
        }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw trouble("can't be read") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(ExitStatus.failed, "\(path) is no file") }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure(
                ExitStatus.failed,
                "\(path) holds passwords, and others may read or write it (mode 0\(String(status.st_mode & 0o777, radix: 8)))",
                "fix: chmod 600 '\(path)'")
        }
        let data = try handle.readToEnd() ?? Data()
        return try Contexts(yaml: String(decoding: data, as: UTF8.self), of: path)
    }

    /// Changes what it holds; two that do so at once take turns. Readers see all of the change or nothing.
    /// - Throws: `Failure` as `read`, or if it can't be written, or whatever `change` throws: then it stays as it was.
    func change(_ change: (inout Contexts) throws -> Void) throws {
        // A link stays one: what it names is replaced.
        let target = URL(filePath: path).resolvingSymlinksInPath()
        let folder = target.deletingLastPathComponent()
        try? FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let lock = unsafe open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw trouble("can't be written") }
        defer { close(lock) }
        guard flock(lock, LOCK_EX) == 0 else { throw trouble("can't be locked") }
        var contexts = try read()
        try change(&contexts)
        try write(try contexts.yaml(), to: target.path)
    }

    /// Into a new file, which nobody else can ever read, and then in the old one's place.
    private func write(_ text: String, to target: String) throws {
        let new = "\(target).\(UUID().uuidString.prefix(8))"
        let file = unsafe open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw trouble("can't be written") }
        do {
            let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
            try handle.write(contentsOf: Data(text.utf8))
            try handle.synchronize()
            try handle.close()
            guard unsafe rename(new, target) == 0 else { throw trouble("can't be written") }
        } catch {
            unsafe unlink(new)
            throw error is Failure ? error : Failure(ExitStatus.failed, "\(path) can't be written: \(error)")
        }
    }

    private func trouble(_ what: String) -> Failure {
        Failure(ExitStatus.failed, "\(path) \(what): \(unsafe String(cString: strerror(errno)))")
    }
}
