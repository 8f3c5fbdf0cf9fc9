internal import ArgumentParser
internal import Model
internal import Postgres
internal import Service
internal import Store

/// The sensors that a list is about: those that serial numbers and globs name, those that `-l` selects, or all.
struct SensorFilter: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "Serial numbers or globs, such as 'lab-*'; a list without any shows all.", valueName: "sensor"),
        completion: .sensors)
    var words: [String] = []

    @Option(
        name: [.customShort("l"), .customLong("selector")],
        help: ArgumentHelp("Only sensors that match this: kind=vibration,hall=3.", valueName: "selector"),
        transform: SensorSelector.read)
    var selector: SensorSelector?

    /// Whether all sensors are meant.
    var isEmpty: Bool { words.isEmpty && selector == nil }

    func validate() throws {
        guard words.isEmpty || selector == nil else {
            throw ValidationError("give serial numbers or -l, not both")
        }
        try SerialPattern.check(words)
    }

    /// The serials of the sensors, each once; nil: all sensors.
    /// - Throws: `Failure` with `notFound` if a word or the selector matches no sensor; `StoreError`.
    func serials(in store: StoreConnection) async throws -> [String]? {
        if let selector { return try await store.require(selector) }
        return words.isEmpty ? nil : try await store.require(words)
    }

    /// The most sensors whose messages a command shows together: each is a binding at the broker.
    private static let subscribedMax = 1000

    /// The serials of the sensors, as `serials(in:)`, for a command that subscribes to the messages of each.
    /// - Throws: `Failure` with `usage` if there are more than 1,000, and as `serials(in:)`.
    func subscribed(in store: StoreConnection) async throws -> [SerialNumber]? {
        guard let serials = try await serials(in: store) else { return nil }
        guard serials.count <= Self.subscribedMax else {
            throw Failure(
                ExitStatus.usage, "\(serials.count.sensors); at most \(Self.subscribedMax) are shown")
        }
        return serials.compactMap { SerialNumber($0) }
    }
}

extension SerialPattern {
    /// Checks the number of globs on a command line.
    /// - Throws: `ValidationError`.
    static func check(_ words: [String]) throws {
        let globs = words.count { SerialPattern($0).isGlob }
        guard globs <= globsMax else { throw ValidationError("\(globs) globs; at most \(globsMax) are allowed") }
    }
}

extension StoreConnection {
    /// Reads the sensors that the words of a command line name: serial numbers and globs.
    /// - Returns: the serials, each once, in the order of the words, and the words that match no sensor.
    /// - Throws: `StoreError`.
    func sensors(named words: [String]) throws -> (serials: [String], unknown: [String]) {
        let found = try serials(matching: words.map { SerialPattern($0) })
        var seen: Set<String> = []
        let serials = found.joined().filter { seen.insert($0).inserted }
        return (serials, zip(words, found).filter { $0.1.isEmpty }.map(\.0))
    }

    /// The serials of the sensors that the words of a command line name, each once, in the order of the words.
    /// - Throws: `Failure` with `notFound` if a word matches no sensor; `StoreError`.
    func require(_ words: [String]) throws -> [String] {
        let (serials, unknown) = try sensors(named: words)
        if !unknown.isEmpty { throw try notFound(unknown) }
        return serials
    }

    /// The serial of the one sensor that a word names.
    /// - Throws: `Failure`: `notFound` if the word matches no sensor, `usage` if it matches several; `StoreError`.
    func requireOne(_ word: String) throws -> String {
        let serials = try require([word])
        guard serials.count == 1 else {
            throw Failure(ExitStatus.usage, "\(word) matches \(serials.count.sensors); give one")
        }
        return serials[0]
    }

    /// The serial of the one sensor that a word names, to read its samples. It may be a deleted sensor whose history was
    /// kept.
    /// - Throws: as `requireOne`.
    func requireHistory(of word: String) throws -> String {
        if try !deletedSensors(among: [word]).isEmpty { return word }
        return try requireOne(word)
    }

    /// The serials of the sensors that a selector matches, in order.
    /// - Throws: `Failure` with `notFound` if no sensor matches; `StoreError`.
    func require(_ selector: SensorSelector) throws -> [String] {
        let serials = try serials(matching: selector)
        if serials.isEmpty { throw Failure(ExitStatus.notFound, "no sensor matches the selector") }
        return serials
    }

    /// The failure for words that match no sensor; it proposes similar serial numbers.
    func notFound(_ unknown: [String]) throws -> Failure {
        let names = unknown.allSatisfy { SerialPattern($0).isGlob } ? [] : try serials()
        var failure = Failure(ExitStatus.notFound)
        failure.lines = unknown.map { word in
            if SerialPattern(word).isGlob { return "no sensor matches \(word)" }
            let proposals = DidYouMean.proposals(for: word, among: names)
            let hint = proposals.isEmpty ? "" : "; did you mean \(proposals.joined(separator: " or "))?"
            return "no sensor \(word)\(hint)"
        }
        return failure
    }
}
