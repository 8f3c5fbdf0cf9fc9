import Foundation
import TestSupport
import Testing
import Yams

/// `grafana/`: the files' form, and what tests of their SQL lean on.
@Suite struct GrafanaTests {
    private static let folder = TestServers.root.appending(path: "grafana")

    // MARK: the files

    @Test func theDashboardsKeepTheRules() throws {
        let dashboards = try GrafanaDashboard.all(in: Self.folder.appending(path: "dashboards"))
        #expect(dashboards.count >= 6)
        #expect(GrafanaDashboard.faults(of: dashboards) == [])
    }

    @Test func theDataSourcesAreThoseThatTheDashboardsAsk() throws {
        func read(_ path: String) throws -> Node? {
            try Yams.compose(
                yaml: String(contentsOf: Self.folder.appending(path: "provisioning/\(path)"), encoding: .utf8))
        }
        let sources = try #require(try read("datasources/datasources.yaml")?["datasources"]?.sequence)
        #expect(sources.map { $0["uid"]?.string } == ["timescaledb", "prometheus"])
        #expect(sources.map { $0["type"]?.string } == ["grafana-postgresql-datasource", "prometheus"])
        #expect(sources[0]["jsonData"]?["timescaledb"]?.bool == true)
        #expect(sources[0]["secureJsonData"]?["password"]?.string?.hasPrefix("$__file{") == true)
        let providers = try #require(try read("dashboards/dashboards.yaml")?["providers"]?.sequence)
        #expect(providers.map { $0["options"]?["path"]?.string } == ["/var/lib/grafana/dashboards"])
    }

    // MARK: the rules

    private static let source = #"{"type": "grafana-postgresql-datasource", "uid": "timescaledb"}"#

    private static func panel(_ id: Int, y: Int, sql: String = "SELECT 1", unit: String = "s") -> String {
        """
        {"id": \(id), "type": "table", "title": "P\(id)", "description": "d", "datasource": \(source),
         "gridPos": {"x": 0, "y": \(y), "w": 12, "h": 4},
         "fieldConfig": {"defaults": {"unit": "\(unit)"}, "overrides": [
            {"matcher": {"id": "byName", "options": "a"}, "properties": [
                {"id": "unit", "value": "hertz"}, {"id": "links", "value": [{"url": "/d/one?var-v=${__value.raw}"}]}]}]},
         "targets": [{"refId": "A", "datasource": \(source), "format": "table", "rawSql": "\(sql)"}]}
        """
    }

    private static let sound = """
        {"uid": "one", "title": "One", "description": "d", "schemaVersion": 39, "time": {"from": "now-6h", "to": "now"},
         "panels": [\(panel(1, y: 0)), \(panel(2, y: 4, sql: "SELECT ${v:sqlstring}"))],
         "templating": {"list": [{"name": "v", "label": "V", "description": "d", "type": "query", "query": "SELECT 2",
            "datasource": \(source), "multi": true, "includeAll": true, "current": {"text": ["All"], "value": ["$__all"]}}]},
         "annotations": {"list": [
            {"name": "built in", "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}},
            {"name": "a", "datasource": \(source),
             "target": {"refId": "Anno", "datasource": \(source), "format": "table", "rawSql": "SELECT 3"}}]}}
        """

    @Test func aSoundDashboardHasNoFaults() throws {
        #expect(GrafanaDashboard.faults(of: [try GrafanaDashboard(file: "f", text: Self.sound)]) == [])
    }

    @Test(arguments: [
        (#""id": 2"#, #""id": 1"#, "panel id 1 twice"),
        (#""y": 4"#, #""y": 3"#, "P1 and P2 overlap"),
        (#""x": 0, "y": 4"#, #""x": 13, "y": 4"#, "P2 is not on the grid of 24 columns"),
        (#""title": "P2""#, #""title": """#, "panel 2 has no title"),
        (#""title": "P2", "description": "d""#, #""title": "P2""#, "P2 has no description"),
        (#""defaults": {"unit": "s"}"#, #""defaults": {}"#, "P1 has no unit"),
        (#""defaults": {"unit": "s"}"#, #""defaults": {"unit": "seconds"}"#, "P1: unit seconds is unknown"),
        (#""value": "hertz""#, #""value": "Hz""#, "P1: unit Hz is unknown"),
        (#""uid": "timescaledb"},"#, #""uid": "other"},"#, "P1 has no data source, or another"),
        (#"timescaledb"}, "format""#, #"other"}, "format""#, "A asks another data source"),
        (#""format": "table""#, #""format": "logs""#, "format logs"),
        ("${v:sqlstring}", "${w:sqlstring}", "no variable w"),
        ("${v:sqlstring}", "$v", "variable v without a format in SQL"),
        ("${v:sqlstring}", "1", "variable v is not used"),
        ("SELECT 1", "SELECT a[[1]]", "[[ is Grafana's: SELECT a[[1]]"),
        ("/d/one?", "/d/two?", "link to two"),
        ("var-v=", "var-w=", "link to one with w"),
        ("now-6h", "yesterday", "time range yesterday to now"),
        (#""schemaVersion": 39"#, #""schemaVersion": 12"#, "schemaVersion 12"),
        (#""label": "V""#, #""label": """#, "variable v has no label or description"),
    ]) func everyRuleCanBeBroken(_ part: String, _ wrong: String, _ fault: String) throws {
        let range = try #require(Self.sound.range(of: part))
        let text = Self.sound.replacingCharacters(in: range, with: wrong)
        let faults = GrafanaDashboard.faults(of: [try GrafanaDashboard(file: "f", text: text)])
        #expect(faults.contains("f: \(fault)"), "\(faults)")
    }

    @Test func twoDashboardsMayNotHaveOneName() throws {
        let one = try GrafanaDashboard(file: "f", text: Self.sound)
        #expect(GrafanaDashboard.faults(of: [one, one]) == ["uid one twice", "title One twice"])
    }

    // MARK: SQL

    private static func sql(_ variables: [String: GrafanaSQL.Value] = [:]) -> GrafanaSQL {
        GrafanaSQL(
            from: Date(timeIntervalSince1970: 1_523_556_000), to: Date(timeIntervalSince1970: 1_523_556_300.5),
            intervalMilliseconds: 90_000, variables: variables)
    }

    @Test(arguments: [
        ("$__time(t)", #"t AS "time""#),
        ("$__timeEpoch(t)", #"extract(epoch from t) as "time""#),
        ("$__timeFilter(a.t )", "a.t BETWEEN '2018-04-12T18:00:00Z' AND '2018-04-12T18:05:00.5Z'"),
        ("$__timeFrom()::timestamptz", "'2018-04-12T18:00:00Z'::timestamptz"),
        ("$__timeTo()", "'2018-04-12T18:05:00.5Z'"),
        ("$__timeGroup(t,'5m')", "time_bucket('300.000s',t)"),
        ("$__timeGroup(t , '20ms')", "time_bucket('0.020s',t)"),
        ("$__timeGroup(t, 12d)", "time_bucket('1036800.000s',t)"),
        ("$__timeGroup(t, 1h30m, NULL)", "time_bucket('5400.000s',t)"),
        ("$__timeGroup(t,'5m'), x", #"time_bucket('300.000s',t) AS "time", x"#),
        ("$__timeGroup(t, $__interval) AS at", "time_bucket('60.000s',t) AS at"),
        ("$__timeGroupAlias(t,1w,0)", #"time_bucket('604800.000s',t) AS "time""#),
        ("$__unixEpochFilter(t)", "t >= 1523556000 AND t <= 1523556300"),
        ("$__unixEpochGroup(t+1,'5m')", "floor((t+1)/300)*300"),
        ("$__unixEpochGroupAlias(t,5m)", #"floor((t)/300)*300 AS "time""#),
        ("$__unixEpochNanoFilter(t)", "t >= 1523556000000000000 AND t <= 1523556300500000000"),
        ("$__unixEpochNanoFrom() $__unixEpochNanoTo()", "1523556000000000000 1523556300500000000"),
        ("$__unixEpochFrom() $__unixEpochTo()", "1523556000 1523556300"),
        ("'$__interval' $__interval_ms", "'1m' 90000"),
        ("'50 $' || x", "'50 $' || x"),
    ]) func macrosBecomeSQL(_ text: String, _ expected: String) throws {
        #expect(try Self.sql().expanded(text) == expected)
    }

    @Test(arguments: [
        ("'$one'", "'it''s'"), ("${one}", "it''s"), ("${one:sqlstring}", "'it''s'"), ("${one:raw}", "it's"),
        ("IN ($many)", "IN ('a','it''s')"), ("${many:sqlstring}", "'a','it''s'"), ("${many:csv}", "a,it's"),
        ("${many:singlequote}", #"'a','it\'s'"#), ("${many:doublequote}", #""a","it's""#), ("${many:pipe}", "a|it's"),
        ("ARRAY[${none:sqlstring}]::text[]", "ARRAY[]::text[]"), ("${empty:sqlstring}", "''"),
        ("ARRAY[${all:sqlstring}]", "ARRAY['*']"), ("$all", "'*'"),
        ("$__timeGroup(t, ${width:raw})", "time_bucket('10.000s',t)"),
    ]) func variablesBecomeText(_ text: String, _ expected: String) throws {
        let variables: [String: GrafanaSQL.Value] = [
            "one": .one("it's"), "many": .many(["a", "it's"]), "none": .many([]), "empty": .one(""), "all": .all("'*'"),
            "width": .one("10s"),
        ]
        #expect(try Self.sql(variables).expanded(text) == expected)
    }

    @Test(arguments: [
        ("$missing", "no variable missing"), ("${missing:csv}", "no variable missing"),
        ("$__timeBucket(t)", "unknown macro __timeBucket"), ("f($missing)", "no variable missing"),
        ("$__timeGroup(t)", "macro __timeGroup needs time column and interval"),
        ("$__timeGroup(t, often)", "error parsing interval often"),
        ("$__timeGroup(t, 1m, nothing)", "error parsing fill value nothing"),
        ("${one:lucene}", "format lucene is none for SQL"),
    ]) func faultsAreNamed(_ text: String, _ fault: String) throws {
        let error = #expect(throws: GrafanaSQL.Fault.self) { try Self.sql(["one": .one("1")]).expanded(text) }
        #expect(error?.description == fault)
    }

    @Test func aCommaOnlyNamesTheGroupBeforeIt() throws {
        let grouped = "SELECT $__timeGroup(t,1m) GROUP BY $__timeGroup(u,1m), v"
        #expect(
            try Self.sql().expanded(grouped)
                == #"SELECT time_bucket('60.000s',t) GROUP BY time_bucket('60.000s',u) AS "time", v"#)
    }
}
