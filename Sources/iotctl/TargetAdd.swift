internal import ArgumentParser
internal import Pipelines
internal import Store

/// `iotctl target add NAME`
struct TargetAdd: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Makes a machine that sensors can be put on.",
        discussion: """
            Examples:
              iotctl target add press-1
              iotctl target add press-1 --description "Hall 3, left"
            """)

    /// The longest name, in characters.
    static let nameLengthMax = 64

    /// What it is called.
    @Argument(help: "What it is called.")
    var name: String

    /// Anything else.
    @Option(help: "Anything else about it.")
    var description = ""

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses names that a selector could not find.
    func validate() throws {
        let isSound = (1...Self.nameLengthMax).contains(name.count) && name.printable == name && !name.contains(",")
        guard isSound, name.first?.isWhitespace == false, name.last?.isWhitespace == false else {
            throw ValidationError("a name has 1 to \(Self.nameLengthMax) characters, no comma and no space at its ends")
        }
    }

    /// Makes it.
    func run() async throws {
        try await perform {
            guard try await Connections().store().addTarget(name, description: description) else {
                throw Failure(ExitStatus.failed, "there is a target \(name) already")
            }
            let value = Value.record(["target": .text(name), "description": .text(description)])
            try output.show(value) { _, _ in "target \(name) added\n" }
        }
    }
}
