internal import ArgumentParser

/// `iotctl get …`
struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Lists sensors, alarms, commands, targets, partitions or policies.",
        discussion: """
            Examples:
              iotctl get sensors -o wide
              iotctl get alarms --active
              iotctl get commands --state queued
              iotctl get partitions
              iotctl get policies
            """,
        subcommands: [
            GetSensors.self, GetAlarms.self, GetCommands.self, GetTargets.self, GetPartitions.self, GetPolicies.self,
        ])
}
