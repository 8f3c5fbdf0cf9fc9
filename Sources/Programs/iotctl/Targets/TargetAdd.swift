internal import ArgumentParser
internal import Records
internal import Service
internal import Store

/// `iotctl target add NAME`
struct TargetAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Adds a target that sensors can be assigned to.",
        discussion: """
            Examples:
              iotctl target add press-1
              iotctl target add press-1 --description "Hall 3, left"
            """)

    /// The longest name, in characters.
    static let nameLengthMax = 64

    @Argument(help: "The target's name.")
    var name: String

    @Option(help: "A description.")
    var description = ""

    @OptionGroup var output: OutputOptions

    /// A selector could not find any other name.
    func validate() throws {
        let isSound = (1...Self.nameLengthMax).contains(name.count) && name.printable == name && !name.contains(",")
        guard isSound, name.first?.isWhitespace == false, name.last?.isWhitespace == false else {
            throw ValidationError(
                "not a valid name: \(name); expected 1 to \(Self.nameLengthMax) characters, no comma and no space at its ends"
            )
        }
    }

    func run() async throws {
        try await perform {
            guard try await Connections().acting().store().addTarget(name, description: description) else {
                throw Failure(ExitStatus.failed, "target \(name) exists already; iotctl target rm removes it")
            }
            let view = AddedTargetView(target: name, description: description)
            try output.show(view) { _, _ in "target \(name) added\n" }
        }
    }
}
