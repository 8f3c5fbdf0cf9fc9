internal import ArgumentParser

/// `iotctl set …`: sets properties of sensors, unless the first word is policies.
struct SetVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Sets desired properties of sensors, or retention policies.",
        discussion: """
            Examples:
              iotctl set lab-1 limits.x.high=30 limits.x.hysteresis=0.5
              iotctl set -l kind=vibration,hall=3 rate=1000 --dry-run
              iotctl set policies measurement=30d sensor_log=14d

            iotctl set sensor --help explains desired properties. The properties of a
            sensor with the serial number policies are set with iotctl set sensor policies
            …
            """,
        subcommands: [SetDesired.self, SetPolicies.self], defaultSubcommand: SetDesired.self)
}
