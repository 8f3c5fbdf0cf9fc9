internal import ArgumentParser

/// `iotctl get …`
struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Lists sensors, alarms, commands, targets, partitions, policies or actions.",
        discussion: """
            Examples:
              iotctl get sensors -o wide
              iotctl get alarms --active
              iotctl get commands --state queued
              iotctl get partitions
              iotctl get policies
              iotctl get actions --since 7d
            """,
        subcommands: [
            GetSensors.self, GetAlarms.self, GetCommands.self, GetTargets.self, GetPartitions.self, GetPolicies.self,
            GetActions.self,
        ])
}
