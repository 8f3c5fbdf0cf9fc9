import Testing

@testable import Service

@Suite struct MetricsTests {
    /// A sample of the text format.
    private struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    private struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    /// A strict reader of the exposition format 0.0.4: each family has HELP, then TYPE, then its samples, once.
    private struct Exposition {
        var types: [String: String] = [:]
        var helps: [String: String] = [:]
        var samples: [Sample] = []

        init(_ text: String) throws {
            guard text.hasSuffix("\n"), !text.contains("\n\n") else { throw Fault(description: "line ends") }
            var family = ""
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 3).map(String.init)
                switch (words[0], words.count > 1 ? words[1] : "") {
                case ("#", "HELP"):
                    guard words.count == 4, helps.updateValue(words[3], forKey: words[2]) == nil else {
                        throw Fault(description: "\(line)")
                    }
                    family = words[2]
                case ("#", "TYPE"):
                    guard words.count == 4, words[2] == family, types.updateValue(words[3], forKey: family) == nil
                    else {
                        throw Fault(description: "\(line)")
                    }
                default: samples.append(try Self.sample(line, of: family, type: types[family]))
                }
            }
        }

        private static func sample(_ line: Substring, of family: String, type: String?) throws -> Sample {
            guard let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...].replacing("Inf", with: "inf")),
                let match = line[..<space].wholeMatch(of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})?/)
            else { throw Fault(description: "\(line)") }
            var labels: [String: String] = [:]
            for pair in (match.3 ?? "").split(separator: ",") {
                guard let label = pair.wholeMatch(of: /([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\\n]*)"/),
                    labels.updateValue(String(label.2), forKey: String(label.1)) == nil
                else { throw Fault(description: "\(line)") }
            }
            let suffixes = type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
            guard type != nil, suffixes.contains(where: { family + $0 == match.1 }) else {
                throw Fault(description: "\(line)")
            }
            return Sample(name: String(match.1), labels: labels, value: value)
        }

        func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
            samples.first { $0.name == name && $0.labels == labels }?.value
        }
    }

    @Test func countersAndGaugesAreWritten() throws {
        let metrics = Metrics()
        metrics.count("b_total", "Things.")
        metrics.count("b_total", "Things.", by: 41)
        metrics.count("b_total", "Things.", by: 2, labels: #"reason="bad""#)
        metrics.set("a", "A gauge.", to: 1.5)
        metrics.set("a", "A gauge.", to: -2.25)
        #expect(
            metrics.exposition() == """
                # HELP a A gauge.
                # TYPE a gauge
                a -2.25
                # HELP b_total Things.
                # TYPE b_total counter
                b_total 42
                b_total{reason="bad"} 2

                """)
        let read = try Exposition(metrics.exposition())
        #expect(read.types == ["a": "gauge", "b_total": "counter"])
        #expect(read.value("b_total", ["reason": "bad"]) == 2)
    }

    @Test func aForgottenGaugeIsNotWritten() throws {
        let metrics = Metrics()
        metrics.set("lag", "Lag.", to: 1, labels: #"stream="0""#)
        metrics.set("lag", "Lag.", to: 2, labels: #"stream="1""#)
        metrics.forget("lag", labels: #"stream="0""#)
        metrics.forget("nothing", labels: "")
        #expect(
            try Exposition(metrics.exposition()).samples == [Sample(name: "lag", labels: ["stream": "1"], value: 2)])
    }

    @Test(arguments: ["", #"stage="commit""#])
    func bucketsAreCumulativeAndEndWithTheCount(labels: String) throws {
        let metrics = Metrics()
        let values = [0, 0.0005, 0.001, 0.0011, 0.3, 5, 599, 600, 601, 1e9]
        metrics.observe("t_seconds", "Time.", seconds: values, labels: labels)
        metrics.observe("t_seconds", "Time.", seconds: [], labels: "never=\"seen\"")
        let read = try Exposition(metrics.exposition())
        #expect(read.types == ["t_seconds": "histogram"])
        let buckets = read.samples.filter { $0.name == "t_seconds_bucket" }
        #expect(buckets.compactMap { $0.labels["le"] } == Histogram.bounds.map(Metrics.format) + ["+Inf"])
        for bucket in buckets {
            let bound = try #require(Double((bucket.labels["le"] ?? "").replacing("+Inf", with: "inf")))
            #expect(bucket.value == Double(values.count { $0 <= bound }), "le \(bound)")
            #expect(bucket.labels["stage"] == (labels.isEmpty ? nil : "commit"))
        }
        let stage = labels.isEmpty ? [:] : ["stage": "commit"]
        #expect(read.value("t_seconds_count", stage) == 10 && buckets.last?.value == 10)
        #expect(read.value("t_seconds_sum", stage) == values.reduce(0, +))
    }

    @Test func boundsRise() {
        #expect(zip(Histogram.bounds, Histogram.bounds.dropFirst()).allSatisfy { $0 < $1 })
        #expect(Histogram.bounds.first == 0.001 && Histogram.bounds.last == 600)
    }

    /// A value on a bound belongs below it.
    @Test func everyBoundIsInItsOwnBucket() throws {
        for (index, bound) in Histogram.bounds.enumerated() {
            var histogram = Histogram()
            histogram.observe(bound)
            histogram.observe(bound.nextUp)
            let counts = histogram.lines(name: "h", labels: "").compactMap { $0.split(separator: " ").last }
            #expect(counts[index] == "1" && counts[index + 1] == "2" && histogram.count == 2)
            #expect(index == 0 || counts[index - 1] == "0")
        }
    }

    @Test(arguments: [
        (0, "0"), (-0.0, "0"), (1, "1"), (-3, "-3"), (0.001, "0.001"), (1e15, "1000000000000000.0"), (.nan, "NaN"),
        (.infinity, "+Inf"),
        (-.infinity, "-Inf"),
    ])
    func numbersHaveTheFormOfPrometheus(value: Double, text: String) {
        #expect(Metrics.format(value) == text)
    }

    @Test func anEmptySetIsAnEmptyPage() {
        #expect(Metrics().exposition() == "\n")
    }

    @Test func readinessNamesWhatIsMissing() {
        let readiness = Readiness(waitingFor: ["database", "broker", "broker"])
        #expect(readiness.missing == ["broker: not connected yet", "database: not connected yet"])
        readiness.ready("broker")
        readiness.notReady("database", "no such host")
        #expect(readiness.missing == ["database: no such host"])
        readiness.ready("database")
        #expect(readiness.missing.isEmpty)
    }
}
