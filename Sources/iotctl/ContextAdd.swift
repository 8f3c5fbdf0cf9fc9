internal import ArgumentParser
internal import Foundation
internal import Pipelines

/// `iotctl context add NAME`
struct ContextAdd: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Adds a context, from a file, from stdin or from the environment.",
        discussion: """
            Examples:
              iotctl context add lab --file lab.env
              pass show iot/lab | iotctl context add lab --file -
              iotctl context add here --from-env
              iotctl context add lab --file lab.env --replace --use

            The file has lines like those of the environment; what it leaves out is the
            default:
              AMQP_URL=amqp://user:password@host:5672/%2f
              MQTT_URL=mqtt://user:password@host:1883
              DATABASE_URL=postgresql://user:password@host:5432/iot
              MANAGEMENT_URL=http://user:password@host:15672

            URLs are never taken from the command line, where others could see them. The
            first context that is added becomes the current one.
            """)

    /// What to call it.
    @Argument(help: ArgumentHelp("1 to 64 of A-Z a-z 0-9 _ . -", valueName: "name"))
    var name: String

    /// From lines.
    @Option(
        help: ArgumentHelp("Read NAME=value lines from this file; - is stdin.", valueName: "path"), completion: .file())
    var file: String?

    /// From the environment.
    @Flag(help: "Take what the environment has now (also from *_FILE).")
    var fromEnv = false

    /// Over one that is there.
    @Flag(help: "Replace the context of that name.")
    var replace = false

    /// At once.
    @Flag(help: "Make it the current one.")
    var use = false

    /// Refuses what makes no sense.
    func validate() throws {
        guard Contexts.isName(name) else {
            throw ValidationError("'\(name)' is no name for a context: 1 to 64 of A-Z a-z 0-9 _ . -")
        }
        guard (file != nil) != fromEnv else { throw ValidationError("say from where: either --file or --from-env") }
    }

    /// Adds it.
    func run() async throws {
        try await perform {
            let urls = try urls()
            guard !urls.isEmpty else {
                throw Failure(ExitStatus.usage, "none of \(Contexts.variables.joined(separator: ", ")) is there")
            }
            _ = try Settings(environment: urls)
            var isCurrent = false
            try ContextFile.standard.change { contexts in
                guard replace || contexts.contexts[name] == nil else {
                    throw Failure(ExitStatus.failed, "there is a context \(name) already: --replace replaces it")
                }
                if use || contexts.contexts.isEmpty { contexts.current = name }
                contexts.contexts[name] = urls
                isCurrent = contexts.current == name
            }
            Talk.sayOnTerminal(isCurrent ? "\(name) is the current context" : "added \(name)")
        }
    }

    private func urls() throws -> [String: String] {
        guard let file else {
            let environment = ProcessInfo.processInfo.environment
            var urls: [String: String] = [:]
            for variable in Contexts.variables { urls[variable] = try Settings.value(variable, environment) }
            return urls
        }
        let text: String
        if file == "-" {
            text = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        } else {
            guard let content = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw Failure(ExitStatus.notFound, "\(file) can't be read")
            }
            text = content
        }
        let (urls, ignored) = try Contexts.parse(lines: text)
        if !ignored.isEmpty { Talk.sayOnTerminal("not used: \(ignored.joined(separator: ", "))") }
        return urls
    }
}
