internal import ArgumentParser
internal import Model
internal import Service

/// `iotctl`: controls sensors and shows their state, data and alarms.
@main
struct IotCtl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "iotctl",
        abstract: "Controls sensors and shows their state, data and alarms.",
        discussion: """
            Examples:
              iotctl get sensors
              iotctl describe sensor lab-1
              iotctl tail lab-1 -C 10
              iotctl change-frequency lab-1 lab-2 2000
              iotctl sleep lab-1 --timeout 5s
              iotctl sleep -l kind=vibration,hall=3 --yes
              iotctl tag lab-1 lab-2 hall=3
              iotctl set lab-1 limits.x.high=5 limits.x.hysteresis=0.5
              iotctl rename sensor lab-1 press-4
              iotctl delete sensor 'test-*' --with-history
              iotctl watch alarms -o json
              iotctl rule apply -f rules.yaml
              iotctl quarantine ls --since 1h
              iotctl replay --from 2h --into again
              iotctl export lab-1 --channel x --from 10m x.wav
              iotctl plot lab-1 --channel x --from 10m
              iotctl spectrum lab-1 --channel x
              iotctl audit --since 1h
              iotctl doctor

            The URL of each server comes from the context of --context, else from the
            environment (AMQP_URL, or the file that AMQP_URL_FILE names), else from the
            context in use, else it is the default; see iotctl context --help.
              AMQP_URL        amqp://user:password@host:5672/%2f
              DATABASE_URL    postgresql://user:password@host:5432/iot
              MANAGEMENT_URL  http://user:password@host:15672 (for iotctl doctor)

            Exit codes:
              0 done  1 failed  2 not found  3 timed out  4 rejected by the sensor
              5 expired  64 wrong usage  69 broker or database unreachable
              77 login refused
            With several sensors the worst outcome decides, in this order: failed,
            rejected, timed out, expired, not asked (1).

            Durations are written 500ms, 10s, 2m, 1.5h, 7d. Times are written 2h (ago),
            now, 2026-11-21, "2026-11-21 09:30" or in ISO 8601, and are UTC unless they
            have a zone. Every time that iotctl prints is accepted.

            A command that acts on several sensors, loads the servers or deletes data asks
            for confirmation on a terminal; without a terminal it needs --yes.

            Data go to standard output, messages to standard error. NO_COLOR is honoured.
            """,
        version: "iotctl 0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Control",
                subcommands: [
                    Sleep.self, Awake.self, ChangeFrequency.self, SetVerb.self, Tag.self, Rename.self, Delete.self,
                    Target.self, CommandVerb.self,
                ]),
            CommandGroup(name: "State", subcommands: [Get.self, Describe.self, Top.self, Wait.self]),
            CommandGroup(name: "Alarms", subcommands: [RuleVerb.self]),
            CommandGroup(name: "Live", subcommands: [Watch.self, Tail.self, Logs.self]),
            CommandGroup(
                name: "Data",
                subcommands: [
                    Plot.self, Spectrum.self, Export.self, Import.self, Replay.self, Quarantine.self, Audit.self,
                ]),
            CommandGroup(
                name: "System",
                subcommands: [
                    DoctorCommand.self, Report.self, BenchCommand.self, Context.self, Completion.self,
                ]),
        ])

    @OptionGroup var context: ContextOption

    /// Runs the command that the arguments name. For a mistyped command it proposes similar ones.
    static func main() async {
        var words = Array(CommandLine.arguments.dropFirst())
        var context: String?
        // A shell that asks for completions passes the words of the line that is being completed.
        if words.first != "---completion" { (words, context) = ContextOption.taken(from: words) }
        if let complaint = complaint(of: words, configuration) {
            Launch.end(with: Launch.Ending(ExitStatus.usage, [complaint]), of: Self.self)
        }
        await Connections.$chosenContext.withValue(context) { [words] () async -> Void in
            await Launch.run(Self.self, words) { error in
                Failure(explaining: error).map { Launch.Ending($0.status, $0.lines.map(\.printable)) }
            }
        }
    }

    /// The error in the words that name a command; nil if they name one.
    /// - Parameter path: the words before these.
    static func complaint(
        of words: [String], _ configuration: CommandConfiguration, path: String = "iotctl"
    ) -> String? {
        if configuration.commandName == ChangeFrequency.configuration.commandName {
            return ChangeFrequency.complaint(of: words)
        }
        guard let word = words.first, !word.hasPrefix("-"), word != "help", !configuration.subcommands.isEmpty
        else { return nil }
        let commands = configuration.subcommands.map { $0.configuration }
        if let command = commands.first(where: { $0.commandName == word || $0.aliases.contains(word) }) {
            return complaint(of: Array(words.dropFirst()), command, path: "\(path) \(word)")
        }
        // The default takes any word, such as a serial number.
        if configuration.defaultSubcommand != nil { return nil }
        let names = commands.compactMap { $0.commandName }
        let proposals = DidYouMean.proposals(for: word, among: names)
        if !proposals.isEmpty {
            return "unknown command: \(word); did you mean \(proposals.joined(separator: " or "))?"
        }
        // A verb that takes nouns was given a serial number.
        if let noun = names.first(where: { $0 == "sensor" || $0 == "sensors" }), SerialNumber(word) != nil {
            let line = ([path, noun] + words).joined(separator: " ")
            return "unknown command: \(path) \(word); did you mean \(line)?"
        }
        return "unknown command: \(word); see \(path) --help"
    }
}
