internal import Model

/// Collects the problems of a rule.
struct RuleCheck {
    private(set) var problems: [RuleProblem] = []

    mutating func add(_ field: String, _ text: String) { problems.append(RuleProblem(field, text)) }

    mutating func require(_ isRight: Bool, _ field: String, _ text: @autoclosure () -> String) {
        if !isRight { add(field, text()) }
    }

    mutating func check(_ text: String?, _ field: String) {
        guard let text else { return }
        require(
            (1...Rule.textLengthMax).contains(text.count), field,
            "has \(text.count) characters, 1 to \(Rule.textLengthMax)")
    }

    mutating func check(_ selector: RuleSelector) {
        require(selector.sensors.count <= Rule.listMax, "selector.sensors", "are more than \(Rule.listMax)")
        require(selector.channels.count <= Rule.listMax, "selector.channels", "are more than \(Rule.listMax)")
        for (index, text) in selector.sensors.enumerated() {
            require(
                SerialPattern(text).isPossible, "selector.sensors[\(index)]",
                "'\(text)' can be no serial number; it has 1 to 64 of A-Z a-z 0-9 _ -; * stands for any, ? for one")
        }
        for (index, text) in selector.channels.enumerated() {
            require(!text.isEmpty, "selector.channels[\(index)]", "is empty")
        }
        require(selector.kind != "", "selector.kind", "is empty")
        require(selector.target != "", "selector.target", "is empty")
        for (name, value) in selector.tags.sorted(by: { $0.key < $1.key }) {
            require(SensorSelector.tagPath(name) != nil, "selector.tags.\(name)", "is no name of a tag")
            require(!value.isEmpty, "selector.tags.\(name)", "is empty")
        }
        let parts = [selector.kind, selector.target].compactMap(\.self) + selector.tags.map(\.value)
        require(
            parts.allSatisfy { !$0.contains(",") && !$0.hasPrefix("=") }, "selector",
            "a kind, target or tag has a comma, or begins with =")
    }

    mutating func check(_ schedule: RuleSchedule) {
        require(!schedule.zone.isEmpty, "schedule.zone", "is empty")
        for (index, window) in schedule.maintenanceWindows.enumerated() {
            require(
                window.from < window.to, "schedule.maintenance_windows[\(index)].to", "is not after from")
        }
        for (field, hours) in [("quiet", schedule.quiet), ("maintenance", schedule.maintenance)] {
            require(hours.count <= Rule.listMax, "schedule.\(field)", "are more than \(Rule.listMax)")
            for (index, hours) in hours.enumerated() {
                require(hours.from.minutes < 1440, "schedule.\(field)[\(index)].from", "24:00 is no beginning")
            }
        }
    }

    mutating func check(_ action: RuleAction, at path: String) {
        switch action {
        case .command(let command): require(!command.name.isEmpty, "\(path).command.name", "is empty")
        }
    }

    // MARK: conditions

    mutating func check(_ condition: Condition, at path: String) {
        let inner = "\(path).\(condition.kind)"
        if let channel = condition.channelName { require(!channel.isEmpty, "\(inner).channel", "is empty") }
        switch condition {
        case .threshold(let fields):
            checkBounds(fields.above, fields.below, fields.hysteresis, inner)
        case .rateOfChange(let fields):
            checkBounds(fields.above, fields.below, fields.hysteresis, inner)
            if let per = fields.per { checkPositive(per, "\(inner).per") }
        case .counter(let fields):
            checkBounds(fields.above, fields.below, fields.hysteresis, inner)
            if let per = fields.per { checkPositive(per, "\(inner).per") }
            if let wrapsAt = fields.wrapsAt { checkPositive(wrapsAt, "\(inner).wraps_at") }
        case .noData(let fields): checkPositive(fields.after, "\(inner).after")
        case .band(let fields):
            checkBounds(fields.above, fields.below, fields.hysteresis, inner)
            require(fields.from >= 0 && fields.from.isFinite, "\(inner).from", "is no frequency")
            require(fields.to > fields.from && fields.to.isFinite, "\(inner).to", "is not above from")
            checkWindow(fields.window, inner)
        case .machine(let fields):
            require((fields.group == nil) != (fields.borders == nil), inner, "needs either a group or borders")
            if let borders = fields.borders {
                checkPositive(borders.ab, "\(inner).borders.ab")
                require(borders.bc > borders.ab, "\(inner).borders.bc", "is not above ab")
                require(borders.cd > borders.bc, "\(inner).borders.cd", "is not above bc")
            }
            checkHysteresis(fields.hysteresis, inner)
            checkWindow(fields.window, inner)
        case .crestFactor(let fields), .kurtosis(let fields):
            checkPositive(fields.above, "\(inner).above")
            checkHysteresis(fields.hysteresis, inner)
            checkWindow(fields.window, inner)
        case .particleVelocity(let fields): check(fields, inner)
        case .baseline(let fields): check(fields, inner)
        case .flatline(let fields):
            checkPositive(fields.after, "\(inner).after")
            if let within = fields.within {
                require(within >= 0 && within.isFinite, "\(inner).within", "is below 0")
            }
        case .clipping(let fields):
            if let low = fields.low, let high = fields.high {
                require(low < high, "\(inner).high", "is not above low")
            }
            if let share = fields.share { require(share > 0 && share <= 1, "\(inner).share", "is not in 0…1") }
        case .shift(let fields):
            checkPositive(fields.by, "\(inner).by")
            checkPositive(fields.window, "\(inner).window")
            checkHysteresis(fields.hysteresis, inner)
            require((fields.hysteresis ?? 0) < fields.by, "\(inner).hysteresis", "is not below by")
        case .dead(let fields):
            checkPositive(fields.below, "\(inner).below")
            checkHysteresis(fields.hysteresis, inner)
        case .place(let fields): check(fields, inner)
        case .all(let parts), .any(let parts):
            require((1...Rule.listMax).contains(parts.count), inner, "has \(parts.count) conditions, at least 1")
            for (index, part) in parts.enumerated() { check(part, at: "\(inner)[\(index)]") }
        case .not(let part): check(part, at: inner)
        case .sustained(let part, for: let duration):
            checkPositive(duration, "\(path).for")
            require(!part.awaitsSilence, "\(path).for", "cannot be joined with no_data; use a longer after")
            check(part, at: path)
        case .several(let fields):
            add(inner, "is not evaluated yet: conditions over several sensors")
            check(fields.condition, at: "\(inner).when")
        case .word: add(inner, "is not evaluated yet: words that sensors report")
        }
    }

    private mutating func check(_ fields: Condition.ParticleVelocity, _ path: String) {
        require((fields.curve == nil) != (fields.standard == nil), path, "needs either a curve or a standard")
        let standards = Condition.ParticleVelocity.standards
        if let standard = fields.standard {
            require(
                standards.contains(standard), "\(path).standard",
                "'\(standard)' is unknown; possible: \(standards.joined(separator: ", "))")
            require(fields.interpolation == nil, "\(path).interpolation", "is that of the standard")
        }
        if let curve = fields.curve { check(curve, "\(path).curve") }
        if let share = fields.share { checkPositive(share, "\(path).share") }
        checkHysteresis(fields.hysteresis, path)
    }

    private mutating func check(_ curve: [Condition.ParticleVelocity.Point], _ path: String) {
        require((1...Rule.listMax).contains(curve.count), path, "has \(curve.count) points, 1 to \(Rule.listMax)")
        for (index, point) in curve.enumerated() {
            checkPositive(point.hertz, "\(path)[\(index)].hertz")
            checkPositive(point.limit, "\(path)[\(index)].limit")
            let isAfter = index == 0 || curve[index - 1].hertz < point.hertz
            require(isAfter, "\(path)[\(index)].hertz", "is not above that of the point before")
        }
    }

    private mutating func check(_ fields: Condition.Baseline, _ path: String) {
        require(fields.of != .sample, "\(path).of", "cannot be sample")
        checkPositive(fields.sigmas, "\(path).sigmas")
        checkPositive(fields.window, "\(path).window")
        require(fields.zone != "", "\(path).zone", "is empty")
        if let minimum = fields.minimum {
            require((2...1_000_000_000).contains(minimum), "\(path).minimum", "is below 2")
        }
    }

    private mutating func check(_ fields: Condition.Place, _ path: String) {
        require(
            (fields.circle == nil) != (fields.polygon == nil), path, "needs either a circle or a polygon")
        if let circle = fields.circle {
            checkPoint(circle.latitude, circle.longitude, "\(path).circle")
            checkPositive(circle.radius, "\(path).circle.radius")
        }
        if let polygon = fields.polygon {
            require((3...1000).contains(polygon.count), "\(path).polygon", "has \(polygon.count) corners, 3 to 1000")
            for (index, corner) in polygon.enumerated() {
                checkPoint(corner.latitude, corner.longitude, "\(path).polygon[\(index)]")
            }
        }
        if let margin = fields.margin { require(margin >= 0 && margin.isFinite, "\(path).margin", "is below 0") }
    }

    private mutating func checkPoint(_ latitude: Double, _ longitude: Double, _ path: String) {
        require((-90...90).contains(latitude), "\(path).latitude", "is not in -90…90")
        require((-180...180).contains(longitude), "\(path).longitude", "is not in -180…180")
    }

    private mutating func checkBounds(_ above: Double?, _ below: Double?, _ hysteresis: Double?, _ path: String) {
        require(above != nil || below != nil, path, "needs above or below")
        if let above { require(above.isFinite, "\(path).above", "is no number") }
        if let below { require(below.isFinite, "\(path).below", "is no number") }
        if let above, let below { require(below < above, "\(path).below", "is not less than above") }
        checkHysteresis(hysteresis, path)
    }

    private mutating func checkHysteresis(_ hysteresis: Double?, _ path: String) {
        guard let hysteresis else { return }
        require(hysteresis >= 0 && hysteresis.isFinite, "\(path).hysteresis", "is below 0")
    }

    private mutating func checkWindow(_ window: RuleDuration?, _ path: String) {
        guard let window else { return }
        let isRight = (100_000_000...3_600_000_000_000).contains(window.nanoseconds)
        require(isRight, "\(path).window", "is not in 100ms…1h")
    }

    private mutating func checkPositive(_ duration: RuleDuration, _ field: String) {
        require(duration.nanoseconds > 0, field, "is not above 0")
    }

    private mutating func checkPositive(_ value: Double, _ field: String) {
        require(value > 0 && value.isFinite, field, "is not above 0")
    }
}
