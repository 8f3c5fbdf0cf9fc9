internal import ArgumentParser
internal import Model
internal import Records
internal import Store
internal import Time

/// `iotctl describe sensor SERIAL`
struct DescribeSensor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor",
        abstract: "Shows a sensor: twin, newest values, losses, commands and alarms.",
        discussion: """
            Examples:
              iotctl describe sensor lab-1
              iotctl describe sensor lab-1 -o yaml
              iotctl describe sensor lab-1 -o json | jq '.boots[0].missing'
            """,
        aliases: ["sensors"])

    @Argument(help: "Serial number.", completion: .sensors)
    var serial: String

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let store = try Connections().store()
            guard let sensor = try await store.sensorDetail(serial) else { throw try await store.notFound([serial]) }
            let view = SensorDetailView(sensor)
            try output.show(view) { wide, style in
                SensorText(sensor: sensor, drift: view.drift, wide: wide, style: style).text
            }
        }
    }
}

/// The text that describes a sensor to people.
private struct SensorText {
    let sensor: SensorDetail
    let drift: [DriftView]
    let wide: Bool
    let style: Style

    var text: String {
        head + section("Desired, but not reported", driftTable) + section("Channels", channels)
            + section("Stored frames, by boot", boots) + section("Last commands", commands)
            + section("Active alarms", GetAlarms.table(sensor.activeAlarms))
    }

    private var head: String {
        let summary = sensor.summary
        let lines: [(String, Cell)] = [
            ("Serial", Cell(summary.serial)), ("Kind", Cell(summary.kind)), ("Firmware", Cell(summary.firmware)),
            ("State", Cell(word: summary.state)), ("Presence", Cell(word: summary.presence)),
            ("Rate", Cell(summary.rate?.short)), ("Target", Cell(summary.target)), ("Tags", Cell(summary.tagsText)),
            ("First seen", Cell(sensor.firstSeen.map { "\($0.short) UTC" })),
            ("Last seen", Cell(ago(summary.lastSeen, summary.lastSeenAge))),
            ("Last value", Cell(ago(summary.lastValue, summary.lastValueAge))),
            ("Clock", summary.clockCell),
            ("Dropped", Cell(summary.framesDropped.map { "\($0) frames, by the sensor" })),
            ("Desired", Cell(flat(sensor.desired.json, sensor.desired.version))),
            ("Reported", Cell(flat(sensor.reportedJSON, sensor.reportedVersion))),
        ]
        return lines.map { name, cell in
            let title = "\(name):"
            let indent = String(repeating: " ", count: 12)
            let text = wide ? cell.text : cell.text.folded(to: style.width.map { $0 - indent.count })
            return title + indent.dropFirst(title.count)
                + style.paint(text.replacing("\n", with: "\n" + indent), cell.tone) + "\n"
        }.joined()
    }

    private func ago(_ time: Timestamp?, _ age: Duration?) -> String? {
        guard let time, let age else { return nil }
        return "\(time.short) UTC, \(age.short) ago"
    }

    private func flat(_ json: String, _ version: Int64) -> String {
        let text = (JSONValue(json: json) ?? .null).flat(separator: " ")
        return text.isEmpty ? "nothing (version \(version))" : "\(text) (version \(version))"
    }

    private func section(_ title: String, _ table: Table) -> String {
        guard !table.rows.isEmpty else { return "\n\(title): none\n" }
        return "\n\(title):\n" + table.text(wide: wide, style, indent: "  ")
    }

    private var driftTable: Table {
        Table(
            columns: [.long("PROPERTY"), .long("DESIRED"), .long("REPORTED")],
            rows: drift.map { [Cell($0.path), Cell($0.desired.plain), Cell($0.reported.plain, .doubtful)] })
    }

    private var channels: Table {
        Table(
            columns: [
                .number("NO"), .name("NAME"), .wide("QUANTITY"), .number("VALUE"), .text("UNIT"), .number("MIN"),
                .number("MAX"), .number("RMS"), .number("AGE"),
            ], expendable: ["NO", "AGE", "MIN", "MAX", "RMS"],
            rows: sensor.channels.map {
                [
                    Cell(String($0.channel)), Cell($0.name), Cell($0.quantity), Cell($0.value?.short), Cell($0.unit),
                    Cell($0.min?.short), Cell($0.max?.short), Cell($0.rms?.short), Cell($0.age?.short),
                ]
            })
    }

    private var boots: Table {
        Table(
            columns: [
                .text("BOOT"), .text("FIRST STORED"), .number("FRAMES"), .number("MISSING"), .number("DUPLICATES"),
            ], expendable: ["DUPLICATES"],
            rows: sensor.boots.map {
                [
                    Cell(String($0.boot)), Cell(at: $0.firstAt), Cell(String($0.frames)),
                    Cell(String($0.missing), $0.missing > 0 ? .bad : .plain), Cell(String($0.duplicates)),
                ]
            })
    }

    private var commands: Table {
        Table(
            columns: [
                .text("ISSUED"), .name("COMMAND"), .text("STATE"), .long("REASON"), .wide("ARGUMENTS"),
                .wide("ISSUER"), .wide("ID"),
            ],
            rows: sensor.commands.map {
                [
                    Cell(at: $0.issuedAt), Cell($0.name), Cell(word: $0.state), Cell($0.reason),
                    Cell($0.argumentsJSON), Cell($0.issuer), Cell($0.id),
                ]
            })
    }
}
