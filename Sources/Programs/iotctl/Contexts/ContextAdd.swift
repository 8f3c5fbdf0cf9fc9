internal import ArgumentParser
internal import Foundation
internal import Service

/// `iotctl context add NAME`
struct ContextAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Adds a context from a file, standard input or the environment.",
        discussion: """
            Examples:
              iotctl context add lab --file lab.env
              pass show iot/lab | iotctl context add lab --file -
              iotctl context add here --from-env
              iotctl context add lab --file lab.env --replace --use

            The file has lines NAME=value as below. A variable that is missing keeps its
            default:
              AMQP_URL=amqp://user:password@host:5672/%2f
              MQTT_URL=mqtt://user:password@host:1883
              DATABASE_URL=postgresql://user:password@host:5432/iot
              MANAGEMENT_URL=http://user:password@host:15672

            URLs are never read from the command line, where other users could see them.
            The first context becomes the context in use.
            """)

    @Argument(help: ArgumentHelp("1 to 64 of A-Z a-z 0-9 _ . -", valueName: "name"))
    var name: String

    @Option(
        help: ArgumentHelp("Read NAME=value lines from this file; - is stdin.", valueName: "path"), completion: .file())
    var file: String?

    @Flag(help: "Take the variables of the environment (also from *_FILE).")
    var fromEnv = false

    @Flag(help: "Replace an existing context of this name.")
    var replace = false

    @Flag(help: "Make it the current context.")
    var use = false

    func validate() throws {
        guard Contexts.isName(name) else {
            throw ValidationError("'\(name)' is not a valid name of a context: 1 to 64 of A-Z a-z 0-9 _ . -")
        }
        guard (file != nil) != fromEnv else { throw ValidationError("give either --file or --from-env") }
    }

    func run() async throws {
        try await perform {
            let urls = try urls()
            guard !urls.isEmpty else {
                throw Failure(ExitStatus.usage, "none of \(Contexts.variables.joined(separator: ", ")) is set")
            }
            _ = try Settings(environment: urls)
            var isCurrent = false
            try ContextFile.standard.change { contexts in
                guard replace || contexts.contexts[name] == nil else {
                    throw Failure(ExitStatus.failed, "context \(name) exists already; --replace replaces it")
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
        if !ignored.isEmpty { Talk.sayOnTerminal("ignored: \(ignored.joined(separator: ", "))") }
        return urls
    }
}
