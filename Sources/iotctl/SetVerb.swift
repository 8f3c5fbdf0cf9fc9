internal import ArgumentParser

/// `iotctl set …`: sensors, unless the first word is policies.
struct SetVerb: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Changes what is wanted of sensors, or how long what is kept.",
        discussion: """
            Examples:
              iotctl set lab-1 limits.temperature.high=30 limits.temperature.hysteresis=0.5
              iotctl set -l kind=vibration,hall=3 rate=1000 --dry-run
              iotctl set policies measurement=30d sensor_log=7d

            iotctl set sensor --help tells more of the first two. A sensor that is called policies
            is changed by iotctl set sensor policies …
            """,
        subcommands: [SetDesired.self, SetPolicies.self], defaultSubcommand: SetDesired.self)
}
