import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension Integration {
    /// All SQL of `grafana/dashboards`, as Grafana would send it, against a real database.
    @Suite struct Dashboards {
        private static let dashboards = Result {
            try GrafanaDashboard.all(in: TestServers.root.appending(path: "grafana/dashboards"))
        }

        /// One query that was answered: of a variable, an annotation, or a panel, for one of its repetitions.
        private struct Answer {
            var what: String
            var rows: QueryResult
        }

        /// Intervals as Grafana rounds them, in milliseconds.
        private static let niceIntervals = [
            1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000,
            600_000, 900_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
            86_400_000,
        ]

        private static func interval(_ range: Int, atLeast interval: String?) -> Int {
            let wanted = max(range / 1000, interval.flatMap { GrafanaSQL.milliseconds($0) } ?? 1)
            return niceIntervals.first { $0 >= wanted } ?? 604_800_000
        }

        /// Opens a dashboard: its variables first, each with what those before it have, then all the rest.
        /// - Parameter typed: what somebody typed into the address for every variable that is chosen or typed; nil: the
        ///   first choice of each.
        private func open(_ dashboard: GrafanaDashboard, _ store: StoreConnection, typed: [String]? = nil) async throws
            -> [Answer]
        {
            let content = dashboard.content
            let span = try #require(GrafanaSQL.milliseconds(String(content.time.from.dropFirst(4))))
            let now = Date()
            var sql = GrafanaSQL(
                from: now - Double(span) / 1000, to: now, intervalMilliseconds: Self.interval(span, atLeast: nil))
            var answers: [Answer] = []
            func ask(_ what: String, _ query: String) async throws -> QueryResult? {
                let asked = try sql.expanded(query)
                do {
                    let rows = try await store.fetch(SQL(verbatim: asked))
                    answers.append(Answer(what: "\(dashboard.file): \(what)", rows: rows))
                    return rows
                } catch {
                    Issue.record("\(dashboard.file): \(what): \(error)")
                    return nil
                }
            }
            for variable in content.variables {
                sql.variables[variable.name] =
                    if variable.type == "query" {
                        try await Self.choice(ask("variable \(variable.name)", variable.query), variable, typed)
                    } else {
                        .one(variable.type == "textbox" ? typed?.first ?? "" : variable.current.value ?? "")
                    }
            }
            for annotation in content.queriedAnnotations {
                _ = try await ask("annotation \(annotation.name)", try #require(annotation.target).rawSql)
            }
            var rowRepeat: String?
            for panel in content.panels {
                if panel.type == "row" { rowRepeat = panel.repeat }
                let whole = sql
                for variables in Self.repetitions(of: panel.repeat ?? rowRepeat, whole.variables) {
                    sql.variables = variables
                    sql.intervalMilliseconds = Self.interval(span, atLeast: panel.interval)
                    for target in panel.targets ?? [] {
                        guard let rows = try await ask("\(panel.title)", target.rawSql) else { continue }
                        if target.format == "time_series" {
                            try Self.expectSeries(rows, "\(dashboard.file): \(panel.title)")
                        }
                    }
                }
                sql = whole
            }
            return answers
        }

        /// What Grafana chooses at first, or what was typed.
        private static func choice(
            _ rows: QueryResult?, _ variable: GrafanaDashboard.Variable, _ typed: [String]?
        ) throws -> GrafanaSQL.Value {
            if let typed { return variable.multi == true ? .many(typed) : .one(typed.first ?? "") }
            let column = rows?.columns.first { $0 == "__value" } ?? rows?.columns.first ?? ""
            let options = try rows?.compactMap { try $0.optionalText("\(column)") } ?? []
            if variable.includeAll == true { return variable.allValue.map { .all($0) } ?? .many(options) }
            return .one(options.first ?? "")
        }

        /// The variables of each repetition; of something that is not repeated, or by nothing, one.
        private static func repetitions(
            of name: String?, _ variables: [String: GrafanaSQL.Value]
        ) -> [[String: GrafanaSQL.Value]] {
            guard let name, case .many(let values)? = variables[name], !values.isEmpty else { return [variables] }
            return values.map { value in variables.merging([name: .one(value)]) { _, new in new } }
        }

        /// Grafana makes series only of rows that have a time each and come in its order.
        private static func expectSeries(_ rows: QueryResult, _ what: String) throws {
            #expect(rows.columns.contains("time"), "\(what)")
            let times = try rows.map { try $0.text("time") }
            #expect(times == times.sorted(), "\(what)")
            let values = rows.columns.filter { $0 != "time" && $0 != "metric" }
            let numbers = try rows.contains { row in
                try values.contains { try row.optionalText("\($0)").flatMap { Double($0) } != nil }
            }
            #expect(rows.count == 0 || numbers, "\(what)")
        }

        @Test func everyQueryRunsOnAnEmptyDatabase() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                for dashboard in try Self.dashboards.get() {
                    let answers = try await open(dashboard, system.store)
                    #expect(answers.count > 5)
                }
            }
        }

        @Test func everyQueryFindsWhatIsThere() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.transaction { session in try session.execute(dashboardData) }
                for dashboard in try Self.dashboards.get() {
                    let answers = try await open(dashboard, system.store)
                    let found = Set(answers.filter { $0.rows.count > 0 }.map(\.what))
                    for what in Set(answers.map(\.what)).subtracting(found) { Issue.record("\(what): nothing") }
                    for answer in answers where answer.rows.columns.count != Set(answer.rows.columns).count {
                        Issue.record("\(answer.what): a column twice: \(answer.rows.columns)")
                    }
                }
            }
        }

        /// The address of a dashboard has its variables' values, and anybody can write there what they like.
        @Test func whatSomebodyTypesStaysText() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.transaction { session in try session.execute(dashboardData) }
                let typed = ["it's', now()); DROP TABLE alarm; --", #"a\"b"#, "100 %"]
                for dashboard in try Self.dashboards.get() {
                    _ = try await open(dashboard, system.store, typed: typed)
                }
                #expect(try await system.number("SELECT count(*) FROM alarm") > 0)
            }
        }
    }
}
