internal import Logging
internal import Sensors
internal import Simulation
internal import Telemetry
internal import Wire

/// Runs the sensors: the one place where time passes for them.
actor Simulator {
    /// The longest nap between looks at the clock; a sensor that is woken up waits no longer than this.
    private static let napMax: Duration = .milliseconds(20)
    /// Messages handed to the link at a time.
    private static let sendMax = 2000
    /// At how many disconnects a message may be under way on a connection that many sensors share: a broker that comes
    /// back breaks it several times, and hardly any of the thousands under way can be what it breaks for.
    private static let sharedDisconnectsMax = 1000
    /// How often the figures are brought up to date: adding them up visits every sensor.
    private static let figuresInterval: Duration = .seconds(1)
    /// How long the end may wait for confirms: in the ordinary course, and after SIGTERM.
    private static let drainMax: (ordinary: Duration, terminated: Duration) = (.seconds(120), .milliseconds(4500))

    private let context: ServiceContext
    private let plan: Simulate.Plan
    private let link: any SensorLink
    private let isOneLane: Bool
    private var sensors: [VirtualSensor]
    private var reports: [SimulationReport.Sensor]
    private var outbox: Outbox
    private var due = DueQueue()
    private var online = Set<Int>()
    private var lastTrouble = ""
    /// One for each sensor; none if nothing is to be done to frames.
    private var injectors: [FaultInjector] = []
    /// How far the sensors' clocks are ahead of this machine's.
    private let skewNanoseconds: Int64
    private var isPumping = false
    private var figuresDue = ContinuousClock.now

    init(
        _ context: ServiceContext, _ plan: Simulate.Plan, _ configurations: [SensorConfiguration],
        _ faults: FaultPlan?, _ link: any SensorLink
    ) {
        self.context = context
        self.plan = plan
        self.link = link
        isOneLane = plan.transport == .amqp
        skewNanoseconds = faults?.skewNanoseconds ?? 0
        // Not by the sensors' clocks: the boot grows with each start whatever they say.
        let boot = Timestamp.now.unixNanoseconds / 1_000_000
        let start = Timestamp.now.advanced(byNanoseconds: skewNanoseconds)
        let library = SignalLibrary(seed: plan.sensors.seed)
        // Spread over a tenth of a second, so that frames don't all fall on the same instant.
        let stagger = 100_000_000 / Int64(max(1, configurations.count))
        sensors = configurations.enumerated().map { index, configuration in
            VirtualSensor(
                configuration: configuration, boot: boot,
                start: start.advanced(byNanoseconds: Int64(index) * stagger), library: library)
        }
        reports = sensors.map { SimulationReport.Sensor(serial: $0.serial, boot: $0.boot) }
        if let faults {
            injectors = configurations.map { FaultInjector(plan: faults, seed: $0.seed) }
        }
        outbox = Outbox(
            lanes: isOneLane ? 1 : sensors.count,
            limits: OutboxLimits(
                bytesMax: plan.outboxBytesMax, windowMax: isOneLane ? Self.sendMax : 32,
                disconnectsMax: isOneLane ? Self.sharedDisconnectsMax : 3))
    }

    /// Runs until the plan is done or the task is cancelled, and then until every confirm is there.
    func run() async -> SimulationReport {
        await link.start(wills: sensors.indices.map { sensors[$0].willConnect() })
        for sensor in sensors.indices { due.insert(sensor: sensor, at: sensors[sensor].nextDue ?? now) }
        let listener = Task { await self.listen() }
        let deadline = plan.duration.map { ContinuousClock.now + $0 }
        while !Task.isCancelled, deadline.map({ .now < $0 }) != false, !isDone {
            await step()
            let nap = min(
                Self.napMax, due.first.map { .nanoseconds(max(0, $0.nanoseconds(since: now))) } ?? Self.napMax)
            try? await Task.sleep(for: nap)
        }
        let patience = Task.isCancelled ? Self.drainMax.terminated : Self.drainMax.ordinary
        // What comes now must run even though this task may be cancelled.
        await Task { await self.finish(within: patience) }.value
        await link.close()
        await listener.value
        for (sensor, injector) in injectors.enumerated() { reports[sensor].injected = injector.injected }
        return SimulationReport(sensors: reports)
    }

    /// The time by the sensors' clocks: everything that they say or do is by it.
    private var now: Timestamp { .now.advanced(byNanoseconds: skewNanoseconds) }

    private var isDone: Bool {
        guard let framesMax = plan.framesMax else { return false }
        return reports.allSatisfy { $0.frames >= framesMax }
    }

    // MARK: time passes

    /// Takes what is due from the sensors and hands it to the link.
    private func step() async {
        let now = now
        while let sensor = due.popDue(at: now) { advance(sensor, now) }
        noteLosses()
        await pump()
    }

    private func advance(_ sensor: Int, _ now: Timestamp) {
        let framesLeft = plan.framesMax.map { Int(clamping: $0 - reports[sensor].frames) } ?? 64
        for frame in sensors[sensor].frames(until: now, atMost: min(64, max(0, framesLeft))) {
            keep(.frame(frame), sensor)
        }
        if sensors[sensor].announcementDue <= now, isOnline(sensor) {
            keep(.announcement(sensors[sensor].announcement(at: now)), sensor)
        }
        let isDone = plan.framesMax.map { reports[sensor].frames >= $0 } ?? false
        let frameDue = isDone ? nil : sensors[sensor].nextDue
        let announcementDue = max(sensors[sensor].announcementDue, now.advanced(bySeconds: 1))
        due.insert(sensor: sensor, at: min(frameDue ?? announcementDue, announcementDue))
    }

    private func isOnline(_ sensor: Int) -> Bool { online.contains(isOneLane ? 0 : sensor) }

    /// Puts what a sensor wants sent into the outbox.
    private func keep(_ reply: Reply, _ sensor: Int) {
        switch reply {
        case .frame(let frame):
            let outgoing = OutgoingFrame(
                sequence: frame.position?.sequence ?? 0, samples: frame.sampleCount, payload: FrameCodec.encode(frame))
            reports[sensor].made(samples: outgoing.samples, bytes: outgoing.payload.count)
            if injectors.isEmpty {
                append(outgoing, sensor)
            } else {
                for left in injectors[sensor].pass(outgoing) { append(left, sensor) }
            }
        case .ack(let ack): append(sensor, .acks, AckCodec.encode(ack), .word)
        case .announcement(let announcement):
            append(sensor, .registry, AnnouncementCodec.encode(announcement), .word)
        case .log(let line): append(sensor, .logs, LogLineCodec.encode(line), .word)
        }
    }

    private func append(_ frame: OutgoingFrame, _ sensor: Int) {
        append(sensor, .data, frame.payload, frame.isExtra ? .extra : .frame(samples: frame.samples))
    }

    private func append(_ sensor: Int, _ subject: Routing.Subject, _ payload: [UInt8], _ cargo: OutboxMessage.Cargo) {
        _ = outbox.append(
            OutboxMessage(
                sensor: sensor, lane: isOneLane ? 0 : sensor, suffix: subject.words, payload: payload, cargo: cargo))
    }

    /// Hands to the link what may leave. One at a time: what leaves in order must arrive in order.
    private func pump() async {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while true {
            let taken = outbox.take(atMost: Self.sendMax)
            if taken.isEmpty { break }
            await link.send(
                taken.compactMap { token, message in
                    Routing.Subject(suffix: message.suffix).map {
                        LinkMessage(sensor: message.sensor, subject: $0, payload: message.payload, token: token.bits)
                    }
                })
        }
        if ContinuousClock.now >= figuresDue { setFigures() }
    }

    private func noteLosses() {
        for loss in outbox.takeLosses() {
            reports[loss.sensor].lost(loss)
            sensors[loss.sensor].dropped(frames: loss.frames)
            let why = loss.cause == .overflow ? "the outbox is full" : "given up after too many disconnects"
            context.logger.warning("\(sensors[loss.sensor].serial): \(loss.frames) frames dropped: \(why)")
        }
    }

    private func setFigures() {
        figuresDue = .now + Self.figuresInterval
        let metrics = context.metrics
        let total = SimulationReport(sensors: reports)
        metrics.set(
            "iot_simulator_sensors_online", "Sensors with a connection.",
            to: Double(isOneLane ? (online.isEmpty ? 0 : sensors.count) : online.count))
        metrics.set("iot_simulator_frames_made", "Frames made.", to: Double(total.frames))
        metrics.set("iot_simulator_samples_made", "Samples made.", to: Double(total.samples))
        metrics.set("iot_simulator_frames_confirmed", "Frames confirmed.", to: Double(total.confirmedFrames))
        metrics.set("iot_simulator_outbox_bytes", "Bytes that wait for the broker.", to: Double(outbox.bytes))
    }

    // MARK: what comes back

    private func listen() async {
        while let events = await link.nextEvents() {
            for event in events { await handle(event) }
            noteLosses()
            await pump()
        }
    }

    private func handle(_ event: LinkEvent) async {
        switch event {
        case .connected(let lane): connected(lane)
        case .disconnected(let lane, let reason): await disconnected(lane, reason)
        case .confirmed(let token):
            if let message = outbox.confirm(Outbox.Token(bits: token)) { reports[message.sensor].confirmed(message) }
        case .returned(let token): outbox.returned(Outbox.Token(bits: token))
        case .refused(let token): outbox.giveUp(Outbox.Token(bits: token))
        case .command(let sensor, let payload): obey(sensor, payload)
        }
    }

    private func connected(_ lane: Int) {
        online.insert(lane)
        outbox.connected(lane: lane)
        if online.count == (isOneLane ? 1 : sensors.count) {
            context.readiness.ready("broker")
            context.logger.info("\(sensors.count) sensors are connected")
            lastTrouble = ""
        }
        let now = now
        for sensor in isOneLane ? sensors.indices : lane..<(lane + 1) {
            keep(.announcement(sensors[sensor].announcement(at: now)), sensor)
            keep(
                .log(sensors[sensor].log(.info, "connected, connection \(sensors[sensor].connection)", at: now)), sensor
            )
        }
    }

    private func disconnected(_ lane: Int, _ reason: String) async {
        online.remove(lane)
        outbox.connectionLost(lane: lane)
        context.readiness.notReady("broker", reason)
        if reason != lastTrouble { context.logger.warning("connection lost: \(reason); trying again") }
        lastTrouble = reason
        for sensor in isOneLane ? sensors.indices : lane..<(lane + 1) {
            await link.setWill(sensor: sensor, sensors[sensor].willConnect())
        }
    }

    private func obey(_ sensor: Int, _ payload: [UInt8]) {
        guard let command = unsafe try? CommandCodec.decode(payload.span.bytes) else {
            context.logger.warning("\(sensors[sensor].serial): a command that can't be read")
            return
        }
        for reply in sensors[sensor].receive(command, at: now) { keep(reply, sensor) }
        due.insert(sensor: sensor, at: sensors[sensor].nextDue ?? now)
    }

    // MARK: the end

    private func finish(within patience: Duration) async {
        let now = now
        if plan.framesMax == nil {
            for sensor in sensors.indices { for reply in sensors[sensor].stop(at: now) { keep(reply, sensor) } }
        }
        for sensor in injectors.indices { for frame in injectors[sensor].flush() { append(frame, sensor) } }
        let deadline = ContinuousClock.now + patience
        while outbox.count > 0, .now < deadline {
            await pump()
            try? await Task.sleep(for: .milliseconds(5))
        }
        noteLosses()
        setFigures()
        if outbox.count > 0 { context.logger.error("\(outbox.count) messages were not confirmed in time") }
    }
}

extension Routing.Subject {
    /// The subject that an outbox message names.
    init?(suffix: String) {
        switch suffix {
        case "data": self = .data
        case "registry": self = .registry
        case "acks": self = .acks
        case "logs": self = .logs
        default: return nil
        }
    }
}
