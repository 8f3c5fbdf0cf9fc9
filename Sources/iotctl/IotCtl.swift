internal import ArgumentParser
internal import Pipelines

/// `iotctl`: asks sensors to do things, and shows what they did.
@main
struct IotCtl: AsyncParsableCommand {
    /// Name, help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "iotctl",
        abstract: "Controls and shows sensors.",
        discussion: """
            Examples:
              iotctl get sensors
              iotctl describe sensor lab-1
              iotctl tail lab-1 -C 10
              iotctl change-frequency lab-1 lab-2 2000
              iotctl sleep lab-1 --timeout 5s
              iotctl sleep -l kind=vibration,hall=3 --max-per-minute 600
              iotctl tag lab-1 lab-2 hall=3
              iotctl set lab-1 limits.x.high=5 limits.x.hysteresis=0.5
              iotctl watch alarms -o json
              iotctl quarantine ls --since 1h
              iotctl replay --from 2h --into again
              iotctl export lab-1 --channel x --from 10m x.wav
              iotctl spectrum lab-1 --channel x
              iotctl audit --since 1h
              iotctl doctor

            Servers, from the environment (or from files that these name with _FILE behind),
            else from the context that --context, IOTCTL_CONTEXT or iotctl context use names:
              AMQP_URL        amqp://user:password@host:5672/%2f
              DATABASE_URL    postgresql://user:password@host:5432/iot
              MANAGEMENT_URL  http://user:password@host:15672 (for iotctl doctor)

            Exit codes:
              0 done  1 failed  2 not found  3 timed out  4 rejected by the sensor
              5 expired  64 wrong usage  69 broker or database unreachable
            Of several sensors the worst decides: failed, then rejected, timed out, expired, and
            those that were not asked any more (1).

            Durations are written 500ms, 10s, 2m, 1.5h, 7d. Data goes to stdout,
            everything else to stderr. NO_COLOR is honoured.
            """,
        version: "iotctl 0.1.0",
        subcommands: [
            Sleep.self, Awake.self, ChangeFrequency.self, SetVerb.self, Get.self, Describe.self, Tail.self,
            Tag.self, Target.self,
            Watch.self, Logs.self, Top.self, Wait.self, CommandVerb.self,
            Audit.self, Quarantine.self, Replay.self, Export.self, Import.self, Spectrum.self,
            Report.self, Doctor.self, BenchCommand.self, Context.self, Completion.self,
        ])

    /// Whose servers; allowed anywhere on the command line.
    @OptionGroup var context: ContextOption

    /// Runs the command that the arguments name; a mistyped one is answered with what may have been meant.
    static func main() async {
        var words = Array(CommandLine.arguments.dropFirst())
        var context: String?
        // A shell that asks for completions passes the words of somebody else's command line.
        if words.first != "---completion" { (words, context) = ContextOption.taken(from: words) }
        if let complaint = complaint(of: words, configuration) {
            Talk.say(complaint)
            exit(withError: ExitStatus.usage)
        }
        await Connections.$chosenContext.withValue(context) { [words] in await main(words) }
    }

    /// What is wrong with the first words, which name a command; nil if nothing is.
    static func complaint(of words: [String], _ configuration: CommandConfiguration) -> String? {
        guard let word = words.first, !word.hasPrefix("-"), word != "help", !configuration.subcommands.isEmpty
        else { return nil }
        let commands = configuration.subcommands.map { $0.configuration }
        if let command = commands.first(where: { $0.commandName == word || $0.aliases.contains(word) }) {
            return complaint(of: Array(words.dropFirst()), command)
        }
        // The default takes any word, such as a serial number.
        if configuration.defaultSubcommand != nil { return nil }
        let proposals = DidYouMean.proposals(for: word, among: commands.compactMap { $0.commandName })
        let hint = proposals.isEmpty ? "see --help" : "did you mean \(proposals.joined(separator: " or "))?"
        return "no command \(word); \(hint)"
    }
}
