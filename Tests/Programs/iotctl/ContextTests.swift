import ArgumentParser
import Service
import Testing

@testable import iotctl

/// Which servers a command line, the environment and the file choose together.
@Suite struct ContextTests {
    private func contexts() -> Contexts {
        var contexts = Contexts()
        contexts.contexts = [
            "lab": ["AMQP_URL": "amqp://a:b@lab:5672/%2f", "DATABASE_URL": "postgresql://a:b@lab/iot"],
            "hall": ["AMQP_URL": "amqp://a:b@hall:5672/%2f"],
        ]
        contexts.current = "hall"
        return contexts
    }

    @Test func theOptionIsTakenFromAnywhere() {
        #expect(ContextOption.taken(from: ["get", "sensors"]) == (["get", "sensors"], nil))
        #expect(ContextOption.taken(from: ["--context", "lab", "get", "sensors"]) == (["get", "sensors"], "lab"))
        #expect(ContextOption.taken(from: ["get", "--context=lab", "sensors"]) == (["get", "sensors"], "lab"))
        #expect(ContextOption.taken(from: ["get", "--context", "a", "--context", "b"]) == (["get"], "b"))
        // What has no name is the parser's business, and what follows -- is no option.
        #expect(ContextOption.taken(from: ["get", "--context"]) == (["get", "--context"], nil))
        #expect(ContextOption.taken(from: ["get", "--context", "-o"]) == (["get", "--context", "-o"], nil))
        #expect(ContextOption.taken(from: ["set", "--", "--context", "a"]) == (["set", "--", "--context", "a"], nil))
    }

    @Test func theOptionWinsThenTheVariableThenTheCurrentOne() throws {
        let variable = ["IOTCTL_CONTEXT": "lab"]
        #expect(try ContextChoice(of: nil, [:], contexts()).name == "hall")
        #expect(try ContextChoice(of: nil, variable, contexts()).name == "lab")
        #expect(try ContextChoice(of: "hall", variable, contexts()).name == "hall")
        #expect(try ContextChoice(of: nil, ["IOTCTL_CONTEXT": ""], contexts()).name == "hall")
        #expect(try ContextChoice(of: nil, [:], Contexts()).name == nil)
    }

    /// Flag, environment, context in use, default, in this order, for each URL by itself: every combination.
    @Test(arguments: [false, true], [nil, "AMQP_URL", "AMQP_URL_FILE"] as [String?])
    func theFirstOfFourWins(_ isNamed: Bool, _ variable: String?) throws {
        for contextSays in [true, false] {
            for isInUse in [true, false] {
                var contexts = Contexts()
                contexts.contexts = ["lab": contextSays ? ["AMQP_URL": "amqp://lab"] : ["MQTT_URL": "mqtt://lab"]]
                contexts.current = isInUse ? "lab" : nil
                let environment = variable.map { [$0: "amqp://mine"] } ?? [:]
                let choice = try ContextChoice(of: isNamed ? "lab" : nil, environment, contexts)
                let wanted: ContextChoice.Source =
                    if isNamed, contextSays {
                        .context
                    } else if variable != nil {
                        .environment
                    } else if isInUse, contextSays {
                        .context
                    } else {
                        .standard
                    }
                #expect(choice.sources["AMQP_URL"] == wanted, "\(contextSays) \(isInUse)")
                let url = try Settings.value("AMQP_URL", choice.environment.filter { $0.key == "AMQP_URL" })
                switch wanted {
                case .context: #expect(url == "amqp://lab")
                case .environment: #expect(url == (variable == "AMQP_URL" ? "amqp://mine" : nil))
                case .standard: #expect(url == nil)
                }
                // What is in use and does not count is told, and also that a context that was named does not say all.
                let notice: String? =
                    if !isNamed, isInUse, contextSays, variable != nil {
                        "context lab is in use, but AMQP_URL comes from the environment; "
                            + "--context lab overrides the environment"
                    } else if isNamed, !contextSays, variable != nil {
                        "context lab does not set every URL: AMQP_URL comes from the environment"
                    } else {
                        nil
                    }
                #expect(choice.notices == [notice].compactMap { $0 })
            }
        }
    }

    @Test func whatDoesNotDifferIsNotTold() throws {
        let same = ["AMQP_URL": "amqp://a:b@hall:5672/%2f"]
        #expect(try ContextChoice(of: nil, same, contexts()).notices.isEmpty)
        let two = ["IOTCTL_CONTEXT": "lab", "AMQP_URL": "amqp://x", "DATABASE_URL": "postgresql://x", "MQTT_URL": ""]
        #expect(
            try ContextChoice(of: nil, two, contexts()).notices == [
                "context lab is in use, but AMQP_URL, DATABASE_URL come from the environment; "
                    + "--context lab overrides the environment"
            ])
    }

    @Test func thePlaceIsNamedUnlessItIsTheUsualOne() throws {
        func notice(
            _ option: String?, _ environment: [String: String], broker: String = "B", database: String = "D"
        ) throws -> String? {
            var contexts = contexts()
            contexts.current = nil
            return try ContextChoice(of: option, environment, contexts).notice(broker: broker, database: database)
        }
        #expect(try notice(nil, [:]) == nil)
        #expect(try notice(nil, ["MQTT_URL": "mqtt://x"]) == nil)
        #expect(try notice("lab", [:]) == "acting on B, D (context lab)")
        #expect(try notice(nil, ["DATABASE_URL": "x"]) == "acting on B (default), D (environment)")
        #expect(try notice("hall", ["DATABASE_URL": "x"]) == "acting on B (context hall), D (environment)")
        // Long addresses lose their middles, so that the line fits 80 columns behind the program's name.
        let long = "rabbitmq-0.rabbitmq.sensor-services.svc.cluster.local:5672/%2f"
        for database in ["db:5432/iot", "timescale.sensor-services.svc.cluster.local:5432/iot"] {
            let line = try #require(try notice("lab", [:], broker: long, database: database))
            #expect("iotctl: \(line)".count == 80 && line.hasSuffix("/iot (context lab)"), "\(line)")
            #expect(line.hasPrefix("acting on rabbitmq-0") && line.contains("2/%2f, "), "\(line)")
        }
    }

    @Test func anUnknownContextIsNamedWithWhatMayHaveBeenMeant() throws {
        let failure = #expect(throws: Failure.self) { try ContextChoice(of: "lap", [:], contexts()) }
        #expect(failure?.status.rawValue == 2)
        #expect(failure?.lines == ["no context lap; did you mean lab?"])
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        var contexts = contexts()
        contexts.contexts["007"] = ["AMQP_URL": "amqp://a:'\"#: b@h/%2f"]
        contexts.contexts["yes"] = ["MQTT_URL": "mqtt://h:1883"]
        for current in [nil, "007", "yes"] as [String?] {
            contexts.current = current
            #expect(try Contexts(yaml: contexts.yaml(), of: "f") == contexts)
        }
        #expect(try Contexts(yaml: "", of: "f") == Contexts())
        for bad in ["- a", "contexts: [a]", "current: [", "a"] {
            let failure = #expect(throws: Failure.self, "\(bad)") { try Contexts(yaml: bad, of: "f") }
            #expect(failure?.lines.first?.hasPrefix("not a file of contexts: f;") == true)
        }
    }

    @Test func linesOfAnEnvironmentFileAreRead() throws {
        let text = """
            # the lab
            AMQP_URL=amqp://a:b=c@lab/%2f

            export MQTT_URL="mqtt://lab"
            DATABASE_URL='postgresql://lab/iot'\r
            PROMETHEUS_URL=http://lab
            """
        let (urls, ignored) = try Contexts.parse(lines: text)
        #expect(urls["AMQP_URL"] == "amqp://a:b=c@lab/%2f")
        #expect(urls["MQTT_URL"] == "mqtt://lab")
        #expect(urls["DATABASE_URL"] == "postgresql://lab/iot")
        #expect(ignored == ["PROMETHEUS_URL"])
        #expect(throws: Failure.self) { try Contexts.parse(lines: "AMQP_URL") }
        #expect(throws: Failure.self) { try Contexts.parse(lines: "=x") }
    }

    @Test(arguments: [
        ("AMQP_URL", "amqp://iot:secret@h/%2f", "amqp://iot:***@h:5672/%2f"),
        ("DATABASE_URL", "postgresql://h/iot", "postgresql://h:5432/iot"),
        (
            "DATABASE_URL", "postgresql://iot@h/iot?password=secret&sslmode=require",
            "postgresql://iot:***@h:5432/iot?sslmode=require"
        ),
        // URLs that can't be read, as an editor may leave them in the file.
        ("DATABASE_URL", "host=h password=secret", "***"), ("AMQP_URL", "amqp://iot:sec/ret@h", "***"),
    ])
    func secretsAreMasked(_ variable: String, _ url: String, _ masked: String) {
        #expect(Contexts.masked(url, variable) == masked)
    }

    @Test func namesAreBounded() {
        for name in ["a", "lab-1", "9", "a.b_c"] { #expect(Contexts.isName(name)) }
        for name in ["", "-a", ".a", "a b", "ä", String(repeating: "a", count: 65)] {
            #expect(!Contexts.isName(name), "\(name)")
        }
    }
}
