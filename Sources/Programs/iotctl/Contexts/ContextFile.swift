internal import Foundation
internal import Glibc
internal import Service
internal import Support

/// The file contexts.yaml, which only its owner may read.
struct ContextFile {
    /// The file's path.
    let path: String

    /// The file that IOTCTL_CONFIG names, else contexts.yaml in $XDG_CONFIG_HOME/iotctl or ~/.config/iotctl.
    static var standard: ContextFile { ContextFile(environment: ProcessInfo.processInfo.environment) }

    /// The file that this environment selects.
    init(environment: [String: String]) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let path = value("IOTCTL_CONFIG") {
            self.path = path
        } else {
            let home = value("HOME") ?? FileManager.default.homeDirectoryForCurrentUser.path
            path = "\(value("XDG_CONFIG_HOME") ?? "\(home)/.config")/iotctl/contexts.yaml"
        }
    }

    /// The contexts in the file; none if the file does not exist.
    /// - Throws: `Failure` if other users can access the file, or if it is not a file of contexts.
    func read() throws -> Contexts {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return Contexts() }
            throw failure("can't be read")
        }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw failure("can't be read") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(ExitStatus.failed, "\(path) is not a regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure(
                ExitStatus.failed,
                "\(path) holds passwords, and other users may read or write it (mode 0\(String(status.st_mode & 0o777, radix: 8)))",
                "fix: chmod 600 '\(path)'")
        }
        let data: Data
        do { data = try handle.readToEnd() ?? Data() } catch { throw failure("can't be read") }
        return try Contexts(yaml: String(decoding: data, as: UTF8.self), of: path)
    }

    /// Changes the contexts atomically: a lock serializes concurrent writers; readers see all of the change or nothing.
    /// - Throws: `Failure` as `read`, or if the file can't be written; or the error that `change` throws. The file is
    ///   unchanged then.
    func change(_ change: (inout Contexts) throws -> Void) throws {
        // A symbolic link is kept: the file that it names is replaced.
        let target = URL(filePath: path).resolvingSymlinksInPath()
        let folder = target.deletingLastPathComponent()
        try? FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let lock = unsafe open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw failure("can't be written") }
        defer { close(lock) }
        guard flock(lock, LOCK_EX) == 0 else { throw failure("can't be locked") }
        var contexts = try read()
        try change(&contexts)
        try write(try contexts.yaml(), to: target.path)
    }

    /// Writes a new file that only its owner may read, then renames it over the old one.
    private func write(_ text: String, to target: String) throws {
        let new = "\(target).\(UUID().uuidString.prefix(8))"
        let file = unsafe open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure("can't be written") }
        do {
            let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
            try writeAll(text.utf8, to: file)
            guard fsync(file) == 0, unsafe rename(new, target) == 0 else { throw failure("can't be written") }
            try? handle.close()
        } catch {
            unsafe unlink(new)
            if let error = error as? WriteError {
                throw Failure(ExitStatus.failed, "cannot write the contexts to \(path): \(error)")
            }
            throw error
        }
    }

    private func failure(_ what: String) -> Failure {
        Failure(ExitStatus.failed, "\(path) \(what): \(unsafe String(cString: strerror(errno)))")
    }
}
