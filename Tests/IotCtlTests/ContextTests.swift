import ArgumentParser
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

    @Test func theEnvironmentWinsOverTheContextUrlByUrl() throws {
        let choice = try ContextChoice(of: "lab", ["AMQP_URL": "amqp://mine"], contexts())
        #expect(choice.environment["AMQP_URL"] == "amqp://mine")
        #expect(choice.environment["DATABASE_URL"] == "postgresql://a:b@lab/iot")
        #expect(choice.sources["AMQP_URL"] == .environment && choice.sources["DATABASE_URL"] == .context)
        #expect(choice.sources["MQTT_URL"] == .standard && choice.environment["MQTT_URL"] == nil)
        // A file that the environment names counts as the environment; an empty variable does not.
        let file = try ContextChoice(of: "lab", ["AMQP_URL_FILE": "/f", "DATABASE_URL": ""], contexts())
        #expect(file.environment["AMQP_URL"] == nil && file.sources["AMQP_URL"] == .environment)
        #expect(file.environment["DATABASE_URL"] == "postgresql://a:b@lab/iot")
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
            #expect(failure?.lines.first?.contains("f is not") == true)
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
        ("amqp://iot:secret@h:5672/%2f", "amqp://iot:***@h:5672/%2f"),
        ("postgresql://h/iot", "postgresql://h/iot"),
        (
            "postgresql://iot@h/iot?password=secret&sslmode=require",
            "postgresql://iot@h/iot?password=***&sslmode=require"
        ),
        ("postgresql://iot:se%40cret@h/iot", "postgresql://iot:***@h/iot"),
        ("host=h password=secret", "***"),
    ])
    func secretsAreMasked(_ url: String, _ masked: String) {
        #expect(Contexts.masked(url) == masked)
    }

    @Test func namesAreBounded() {
        for name in ["a", "lab-1", "9", "a.b_c"] { #expect(Contexts.isName(name)) }
        for name in ["", "-a", ".a", "a b", "ä", String(repeating: "a", count: 65)] {
            #expect(!Contexts.isName(name), "\(name)")
        }
    }
}
