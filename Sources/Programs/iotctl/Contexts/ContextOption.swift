internal import ArgumentParser

/// The option `--context`, which every command accepts, anywhere on the command line.
///
/// It is declared for help and completions only: `IotCtl.main` removes the option before the rest is parsed, so that
/// commands need not pass it on.
struct ContextOption: ParsableArguments {
    /// The context's name.
    @Option(
        name: .customLong("context"), help: ArgumentHelp("Use this context; see iotctl context.", valueName: "name"),
        completion: .contexts)
    var name: String?

    /// Removes the option from the words before `--`; the last one counts. One without a name is left to the parser.
    static func taken(from words: [String]) -> (words: [String], name: String?) {
        var rest: [String] = []
        var name: String?
        var index = 0
        while index < words.count, words[index] != "--" {
            let word = words[index]
            let next = index + 1 < words.count ? words[index + 1] : nil
            if word == "--context", let next, !next.hasPrefix("-") {
                name = next
                index += 1
            } else if word.hasPrefix("--context="), word.count > "--context=".count {
                name = String(word.dropFirst("--context=".count))
            } else {
                rest.append(word)
            }
            index += 1
        }
        return (rest + words[index...], name)
    }
}
