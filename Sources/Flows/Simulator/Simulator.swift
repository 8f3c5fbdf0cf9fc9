internal import Logging
internal import Model
internal import Service
internal import Simulation
internal import Time
internal import Wire

/// Runs the sensors; the only place that reads the clock for them.
actor Simulator {
    /// The longest sleep between two readings of the clock; a sensor that is woken up waits no longer than this.
    private static let napMax: Duration = .milliseconds(20)
    /// The shortest sleep: with thousands of slow sensors one is always due, so those of a few milliseconds are sent
    /// together.
    private static let napMin: (few: Duration, many: Duration) = (.zero, .milliseconds(5))
    /// The number of sensors above which the longer sleep applies.
    private static let manySensors = 1000
    /// The maximum number of messages passed to the link at once.
    private static let sendMax = 1000
    /// The maximum number of unconfirmed messages on a connection that many sensors share, and on a connection of one
    /// sensor.
    private static let windowMax = (shared: 4096, own: 32)
    /// The maximum number of frames of a sensor produced at once: when frames are due by the clock, and when they are
    /// not paced.
    private static let framesMax = (paced: 64, unpaced: 8)
    /// The first samples of a gateway's sensors are spread over the duration of one of their frames, at most 10 s, in
    /// nanoseconds.
    private static let gatewayStaggerMax: Int64 = 10_000_000_000
    /// The sensors' first samples are spread over this time.
    private static let staggerNanoseconds: Int64 = 100_000_000
    /// How long ago unpaced sensors began if the plan does not specify it: an hour, in nanoseconds.
    private static let headDefault: Int64 = 3_600_000_000_000
    /// The maximum number of waiting bytes when frames are not paced: enough to keep the broker busy.
    private static let unpacedBytesMax = 16 << 20
    /// After how many disconnects an unconfirmed message on a shared connection is given up: a restarting broker ends
    /// the connection several times, and hardly any of the thousands of unconfirmed messages can be the cause.
    private static let sharedDisconnectsMax = 1000
    /// Nanoseconds between the announcements of a gateway's sensors, one after the other: 500 per second, which the
    /// registry handles easily. Up to 5,000 sensors announce themselves every 10 s like others, 100,000 every 200 s.
    private static let gatewayAnnouncementSpacing: Int64 = 2_000_000
    /// How long a connection's messages wait after the broker could not accept one of them.
    private static let pause: Duration = .milliseconds(200)
    /// After this time without such messages, the next one is logged as a new fault.
    private static let refusalsEndAfter: Duration = .seconds(5)
    /// How often the metrics are updated: adding them up visits every sensor.
    private static let figuresInterval: Duration = .seconds(1)
    /// How long the end may wait for confirms: normally, and after SIGTERM.
    private static let drainMax: (ordinary: Duration, terminated: Duration) = (.seconds(120), .milliseconds(4500))

    private let context: Runtime
    private let plan: Simulate.Plan
    private let link: any SensorLink
    /// The number of connections; sensor i uses connection i modulo this number.
    private let lanes: Int
    /// The maximum number of unconfirmed messages on each connection.
    private let windowMax: Int
    private let isUnpaced: Bool
    private var sensors: [VirtualSensor]
    private var reports: [SimulationReport.Sensor]
    private var outbox: Outbox
    private var due = DueQueue()
    /// The earliest entry of each sensor in `due` that counts; later ones are ignored when they are due.
    private var scheduled: [Timestamp]
    private var online = Set<Int>()
    private var lastReason = ""
    private var pauses: [(lane: Int, end: ContinuousClock.Instant)] = []
    private var lastNotTaken: ContinuousClock.Instant?
    /// One injector for each sensor; empty if no faults are injected.
    private var injectors: [FaultInjector] = []
    /// How far the sensors' clocks are ahead of this machine's, in nanoseconds.
    private let skewNanoseconds: Int64
    private var isPumping = false
    private var figuresDue = ContinuousClock.now

    init(
        _ context: Runtime, _ plan: Simulate.Plan, _ configurations: [SensorConfiguration],
        _ faults: FaultPlan?, _ link: any SensorLink
    ) {
        self.context = context
        self.plan = plan
        self.link = link
        lanes = plan.transport == .mqtt ? configurations.count : plan.connections
        let isShared = plan.transport != .mqtt
        windowMax = isShared ? Self.windowMax.shared : Self.windowMax.own
        let isUnpaced = plan.pace != .byTheClock
        self.isUnpaced = isUnpaced
        skewNanoseconds = faults?.skewNanoseconds ?? 0
        // Not by the sensors' clocks: the boot number grows with each start whatever these clocks show.
        let boot = Timestamp.now.unixNanoseconds / 1_000_000
        let start = Timestamp.now.advanced(byNanoseconds: skewNanoseconds)
        let library = SignalLibrary(seed: plan.sensors.seed)
        // Frames that are not paced come from the past: no alarm about them finds its samples in memory.
        let captures = isUnpaced ? nil : plan.captures?.settings(sensors: configurations.count)
        if plan.captures != nil, captures == nil {
            context.logger.notice("no event captures: they need paced sensors and 64 KiB of memory for each")
        }
        // Spreads the frames, so that they are not all due at the same instant.
        sensors = configurations.enumerated().map { index, configuration in
            var sensor = VirtualSensor(
                configuration: configuration, boot: boot,
                start: start.advanced(
                    byNanoseconds: Self.stagger(plan, configuration) / Int64(configurations.count) * Int64(index)
                        - Self.head(plan, configuration)),
                library: library, captures: captures)
            sensor.isUnpaced = isUnpaced
            if plan.transport == .gateway {
                let interval = Self.gatewayAnnouncementSpacing * Int64(configurations.count)
                sensor.announcementInterval = max(VirtualSensor.announcementNanoseconds, interval)
            }
            return sensor
        }
        scheduled = sensors.map { _ in Timestamp(unixNanoseconds: .max) }
        reports = sensors.map { SimulationReport.Sensor(serial: $0.serial, boot: $0.boot) }
        if let faults {
            injectors = configurations.map { FaultInjector(plan: faults, seed: $0.seed) }
        }
        outbox = Outbox(
            lanes: lanes,
            limits: OutboxLimits(
                bytesMax: plan.outboxBytesMax, windowMax: windowMax,
                disconnectsMax: isShared ? Self.sharedDisconnectsMax : 3))
    }

    /// The time in nanoseconds over which the first samples of sensors with this configuration are spread.
    private static func stagger(_ plan: Simulate.Plan, _ configuration: SensorConfiguration) -> Int64 {
        guard plan.transport == .gateway else { return staggerNanoseconds }
        // Otherwise a hundred thousand slow sensors would sample at the same moment.
        return min(max(VirtualSensor.span(ofFrames: 1, configuration), staggerNanoseconds), gatewayStaggerMax)
    }

    /// How long ago a sensor began, in nanoseconds, so that none of its frames lies in the future.
    private static func head(_ plan: Simulate.Plan, _ configuration: SensorConfiguration) -> Int64 {
        guard case .unpaced(let start) = plan.pace else { return 0 }
        if let start { return Int64(start / .nanoseconds(1)) }
        guard let framesMax = plan.framesMax else { return Self.headDefault }
        return min(VirtualSensor.span(ofFrames: framesMax, configuration), .max / 4) + Self.staggerNanoseconds
    }

    /// Runs until the plan is done or the task is cancelled, and then until all messages are confirmed.
    func run() async -> SimulationReport {
        await link.start(wills: sensors.indices.map { sensors[$0].willConnect() })
        for sensor in sensors.indices { schedule(sensor, at: sensors[sensor].nextDue ?? now) }
        let listener = Task { await self.listen() }
        let deadline = plan.duration.map { ContinuousClock.now + $0 }
        let napMin = sensors.count < Self.manySensors ? Self.napMin.few : Self.napMin.many
        while !Task.isCancelled, deadline.map({ .now < $0 }) != false, !isDone {
            await step()
            let wait = due.first.map { Duration.nanoseconds(max(0, $0.nanoseconds(since: now))) } ?? Self.napMax
            try? await Task.sleep(for: hasRoom ? min(Self.napMax, max(napMin, wait)) : Self.napMax)
        }
        let timeout = Task.isCancelled ? Self.drainMax.terminated : Self.drainMax.ordinary
        // The following work must run even if this task is cancelled.
        await Task { await self.finish(within: timeout) }.value
        await link.close()
        await listener.value
        for (sensor, injector) in injectors.enumerated() { reports[sensor].injected = injector.injected }
        return SimulationReport(sensors: reports)
    }

    /// The time by the sensors' clocks, which determines everything that the sensors do and send.
    private var now: Timestamp { .now.advanced(byNanoseconds: skewNanoseconds) }

    private var isDone: Bool {
        guard let framesMax = plan.framesMax else { return false }
        return reports.allSatisfy { $0.frames >= framesMax }
    }

    // MARK: time passes

    /// Collects due messages from the sensors and passes them to the link.
    private func step() async {
        let now = now
        while hasRoom, let sensor = due.popDue(at: now) { if scheduled[sensor] <= now { advance(sensor, now) } }
        noteLosses()
        await pump()
    }

    /// Makes a sensor due at `time`, if it is not due before.
    private func schedule(_ sensor: Int, at time: Timestamp) {
        guard time < scheduled[sensor] else { return }
        scheduled[sensor] = time
        due.insert(sensor: sensor, at: time)
    }

    /// Whether frames may be produced. Paced sensors are not limited: the outbox drops frames that it has no room for.
    private var hasRoom: Bool {
        guard isUnpaced else { return true }
        return outbox.count < 2 * windowMax * lanes
            && outbox.bytes < min(Self.unpacedBytesMax, plan.outboxBytesMax / 2)
    }

    private func advance(_ sensor: Int, _ now: Timestamp) {
        let framesMax = isUnpaced ? Self.framesMax.unpaced : Self.framesMax.paced
        let framesLeft = plan.framesMax.map { Int(clamping: $0 - reports[sensor].frames) } ?? framesMax
        for frame in sensors[sensor].frames(until: now, atMost: min(framesMax, max(0, framesLeft))) {
            keep(.frame(frame), sensor)
        }
        for reply in sensors[sensor].captured(until: now) { keep(reply, sensor) }
        if sensors[sensor].announcementDue <= now, isOnline(sensor) {
            keep(.announcement(sensors[sensor].announcement(at: now)), sensor)
        }
        let isDone = plan.framesMax.map { reports[sensor].frames >= $0 } ?? false
        let frameDue = isDone ? nil : sensors[sensor].nextDue
        let announcementDue = max(sensors[sensor].announcementDue, now.advanced(bySeconds: 1))
        scheduled[sensor] = Timestamp(unixNanoseconds: .max)
        let next = [frameDue, sensors[sensor].captureDue, announcementDue].compactMap { $0 }.min()
        schedule(sensor, at: next ?? announcementDue)
    }

    private func sensorsOf(lane: Int) -> StrideTo<Int> { stride(from: lane, to: sensors.count, by: lanes) }

    private func isOnline(_ sensor: Int) -> Bool { online.contains(sensor % lanes) }

    /// Puts a sensor's message into the outbox.
    private func keep(_ reply: Reply, _ sensor: Int) {
        switch reply {
        case .frame(let frame):
            var outgoing = OutgoingFrame(
                sequence: frame.position?.sequence ?? 0, samples: frame.sampleCount, payload: FrameCodec.encode(frame))
            outgoing.isCapture = frame.isCapture
            if frame.isCapture { reports[sensor].captureFrames += 1 }
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
        append(
            sensor, .data, frame.payload,
            frame.isExtra ? .extra : .frame(samples: frame.samples, isCapture: frame.isCapture))
    }

    private func append(_ sensor: Int, _ subject: Routing.Subject, _ payload: [UInt8], _ cargo: OutboxMessage.Cargo) {
        _ = outbox.append(
            OutboxMessage(
                sensor: sensor, lane: sensor % lanes, suffix: subject.words, payload: payload, cargo: cargo))
    }

    /// Passes the next messages to the link. One call at a time: messages that are sent in order must arrive in order.
    private func pump() async {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        endPauses()
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
            "iot_simulator_sensors_online", "Sensors that are connected.",
            to: Double(online.reduce(0) { $0 + sensorsOf(lane: $1).underestimatedCount }))
        metrics.set("iot_simulator_frames_made", "Frames produced.", to: Double(total.frames))
        metrics.set("iot_simulator_samples_made", "Samples produced.", to: Double(total.samples))
        metrics.set("iot_simulator_frames_confirmed", "Frames confirmed.", to: Double(total.confirmedFrames))
        metrics.set(
            "iot_simulator_capture_frames_made", "Frames of event captures produced.", to: Double(total.captureFrames))
        metrics.set(
            "iot_simulator_capture_frames_lost", "Frames of event captures dropped or given up.",
            to: Double(total.lostCaptureFrames))
        metrics.set("iot_simulator_outbox_bytes", "Bytes that wait for the broker.", to: Double(outbox.bytes))
    }

    // MARK: what comes back

    private func listen() async {
        while let events = await link.nextEvents() {
            for event in events { await handle(event) }
            await step()
        }
    }

    private func handle(_ event: LinkEvent) async {
        switch event {
        case .connected(let lane): connected(lane)
        case .disconnected(let lane, let reason): await disconnected(lane, reason)
        case .confirmed(let token):
            if let message = outbox.confirm(Outbox.Token(bits: token)) { reports[message.sensor].confirmed(message) }
        case .returned(let token): outbox.returned(Outbox.Token(bits: token))
        case .notTaken(let token, let reason): notTaken(Outbox.Token(bits: token), reason)
        case .refused(let token): outbox.giveUp(Outbox.Token(bits: token))
        case .command(let sensor, let payload): obey(sensor, payload)
        case .alarm(let sensor, let edge, let payload): hear(sensor, edge, payload)
        }
    }

    /// Returns a message that the broker did not accept to the outbox, and pauses sending.
    private func notTaken(_ token: Outbox.Token, _ reason: String) {
        context.metrics.count(
            "iot_simulator_returned_total", "Messages that the broker could not accept; they are sent again.")
        let now = ContinuousClock.now
        if lastNotTaken.map({ now - $0 > Self.refusalsEndAfter }) ?? true {
            context.logger.warning("the broker has no place for messages: \(reason); sending them again")
        }
        lastNotTaken = now
        if let lane = outbox.pause(by: token) { pauses.append((lane, now + Self.pause)) }
    }

    private func endPauses() {
        let now = ContinuousClock.now
        let ended = pauses.prefix { $0.end <= now }
        for pause in ended { outbox.resume(lane: pause.lane) }
        pauses.removeFirst(ended.count)
    }

    private func connected(_ lane: Int) {
        online.insert(lane)
        outbox.connected(lane: lane)
        if online.count == lanes {
            context.readiness.ready("broker")
            context.logger.info("\(sensors.count) sensors are connected")
            lastReason = ""
        }
        let now = now
        if plan.transport == .gateway { return spreadAnnouncements(from: now) }
        for sensor in sensorsOf(lane: lane) {
            keep(.announcement(sensors[sensor].announcement(at: now)), sensor)
            keep(
                .log(sensors[sensor].log(.info, "connected, connection \(sensors[sensor].connection)", at: now)), sensor
            )
        }
    }

    /// Schedules the announcements of a gateway's sensors one after the other.
    private func spreadAnnouncements(from now: Timestamp) {
        for sensor in sensors.indices {
            let wait = Int64(sensor) * Self.gatewayAnnouncementSpacing
            sensors[sensor].announcementDue = now.advanced(byNanoseconds: wait)
            schedule(sensor, at: sensors[sensor].announcementDue)
        }
    }

    private func disconnected(_ lane: Int, _ reason: String) async {
        online.remove(lane)
        outbox.connectionLost(lane: lane)
        context.readiness.notReady("broker", reason)
        if reason != lastReason { context.logger.warning("connection lost: \(reason); trying again") }
        lastReason = reason
        await link.setWills(sensorsOf(lane: lane).map { ($0, sensors[$0].willConnect()) })
    }

    private func obey(_ sensor: Int, _ payload: [UInt8]) {
        guard let command = unsafe try? CommandCodec.decode(payload.span.bytes) else {
            context.logger.warning("\(sensors[sensor].serial): received a command that can't be decoded")
            return
        }
        for reply in sensors[sensor].receive(command, at: now) { keep(reply, sensor) }
        schedule(sensor, at: sensors[sensor].nextDue ?? now)
    }

    private func hear(_ sensor: Int, _ edge: Alarm.Edge, _ payload: [UInt8]) {
        guard let alarm = unsafe try? AlarmCodec.decode(payload.span.bytes) else {
            context.logger.warning("\(sensors[sensor].serial): received an alarm that can't be decoded")
            return
        }
        for reply in sensors[sensor].hear(alarm, edge, at: now) { keep(reply, sensor) }
        if let due = sensors[sensor].captureDue { schedule(sensor, at: due) }
    }

    // MARK: the end

    private func finish(within timeout: Duration) async {
        let now = now
        if plan.framesMax == nil {
            var closing: [(Int, Reply)] = []
            for sensor in sensors.indices {
                for reply in sensors[sensor].stop(at: now) {
                    if case .frame = reply { keep(reply, sensor) } else { closing.append((sensor, reply)) }
                }
            }
            // Time may be short: frames come first.
            for (sensor, reply) in closing { keep(reply, sensor) }
        }
        for sensor in injectors.indices { for frame in injectors[sensor].flush() { append(frame, sensor) } }
        let deadline = ContinuousClock.now + timeout
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
    /// The subject of a message in the outbox.
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
