"""Plays Kubernetes' HorizontalPodAutoscaler for measurements-ingester on this machine, and checks what comes of it.

Usage: scripts/scale-story [--time-factor 20] [--load-factor 20] [--manifest FOLDER|FILE] [-o table|json] [--self-test]

On servers of its own: a registry, simulated sensors over MQTT and AMQP whose load is quiet ▸ rises ▸ peaks ▸ falls ▸ is
quiet again, then an outage in which no ingester runs and a backlog grows. Ingesters are started and stopped (SIGTERM) as the
manifest in k8s/components/autoscaling says, by its own metrics from the real /metrics and by Kubernetes' formula
(dev/deploy/hpa.py; --self-test runs its tests and nothing else).

--time-factor shortens what the manifest and Kubernetes say in seconds: the look every 15 s, windows, periods, rate(…[1m]).
--load-factor divides the manifest's targets, so that two cores can make the load. Leases, heartbeats and everything else
that the programs do keeps its real time. Exits 1 if a check fails. Takes about 3 minutes. Needs `make release`.
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

from dev import system
from dev.deploy import hpa, test_hpa
from dev.project import PROJECT

DEPLOYMENT = "measurements-ingester"
SENSORS = {"mqtt": 60, "amqp": 60}
PARTITIONS = 4
# rate(…[1m]) of the Prometheus adapter's rule, and how often Prometheus looks at a pod.
RATE_WINDOW = 60.0
# A replica's load in the phases: so far below its whole number of targets that it is clear of the 10 % tolerance.
SLACK = 0.4
# Seconds of this machine's time. A step is long enough for rate() to forget the one before, and for the replicas to follow.
QUIET, STEP, PEAK, OUTAGE = 10.0, 8.0, 15.0, 8.0
DEADLINE = 120.0
# A lease: who holds a partition and vanishes is replaced after that; who is told to end gives it back at once.
UNOWNED_MAX = 5.0
STOP_MAX = 5.0



def read_manifest(path):
    """The HorizontalPodAutoscaler of the ingester, from a file or a folder of manifests."""
    import yaml
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    for file in files:
        for document in yaml.safe_load_all(file.read_text()):
            if document and document.get("kind") == "HorizontalPodAutoscaler" \
                    and document["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT:
                return document, file
    raise SystemExit(f"scale-story: no HorizontalPodAutoscaler of {DEPLOYMENT} in {path}")


class Owners(threading.Thread):
    """Looks twenty times a second who holds which partition."""

    def __init__(self, connection):
        super().__init__(daemon=True)
        self.connection, self.ended, self.error = connection, threading.Event(), None
        self.now, self.stored, self.owned_at, self.held_by = {}, {}, {}, {}
        self.moves, self.unowned = [], []
        self.look()

    def run(self):
        while not self.ended.wait(0.05):
            try:
                self.look()
            except Exception as error:  # the main thread raises it
                self.error = error
                return

    def look(self):
        with self.connection.cursor() as cursor:
            cursor.execute(
                """SELECT stream, CASE WHEN lease_until > clock_timestamp() THEN owner END, coalesce(committed_offset + 1, 0)
                     FROM ingest_partition ORDER BY stream""")
            rows = cursor.fetchall()
        at = time.monotonic()
        for stream, owner, stored in rows:
            if owner is not None:
                # From the last look at which a replica held it to the first at which a replica holds it again.
                if self.now.get(stream, owner) is None and stream in self.owned_at:
                    self.unowned.append((stream, self.owned_at[stream], at))
                if self.held_by.get(stream, owner) != owner:
                    self.moves.append((at, stream, self.held_by[stream], owner))
                self.owned_at[stream], self.held_by[stream] = at, owner
        self.now = {stream: owner for stream, owner, _ in rows}
        self.stored = {stream: stored for stream, _, stored in rows}

    def shares(self, replicas):
        """Partitions of each replica, "2 2", and · for those without an owner."""
        owners = list(self.now.values())
        return " ".join([str(owners.count(name)) for name in replicas] + ["·"] * owners.count(None))

    def stop(self):
        self.ended.set()
        self.join()
        if self.error:
            raise self.error


class Figures:
    """Figures as scripts/system reads them from a program, here of several programs and of one phase only."""

    def __init__(self, figures):
        self.figures = figures

    def metrics(self):
        return self.figures


class Story:
    """One run."""

    def __init__(self, options, system):
        self.options, self.system = options, system
        document, self.file = read_manifest(options.manifest)
        self.manifest = hpa.Autoscaler.of(document)
        self.scaler = hpa.Autoscaler.of(document)
        for metric in self.scaler.metrics:
            metric.target /= options.load_factor
        self.rate_target = next(metric.target for metric in self.scaler.metrics if metric.kind == "Pods")
        self.instance = f"scale-{os.getpid()}"
        self.folder = PROJECT / ".build" / self.instance
        self.replicas, self.ending, self.ends, self.count = [], [], [], 0
        self.registry, self.simulators, self.commands = None, [], []
        self.samples = {}       # {(replica, labels): [(time, frames)]}
        self.histograms = {}    # {(replica, name, labels): newest figure}
        self.phases, self.lines, self.looks, self.changes, self.outages = [], [], [], [], []
        self.quiet = self.level = 1 - SLACK
        self.made = []

    # -- the course -----------------------------------------------------------------------------------------------

    def run(self):
        self.folder.mkdir(parents=True)
        try:
            self.environment, _ = self.system.start_servers(self.instance)
            self.start_services()
            self.begin = time.monotonic()
            self.play()
            self.finish()
            status = self.report()
            if status == 0:  # the logs of a run that failed stay
                subprocess.run(["rm", "-rf", self.folder], check=False)
            return status
        finally:
            for program in [*self.simulators, *self.replicas, *self.ending, *filter(None, [self.registry])]:
                program.stop()
            subprocess.run([self.system.SERVERS, "stop", self.instance], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            subprocess.run(["rm", "-rf", "--one-file-system", PROJECT / ".build/servers" / self.instance], check=False)

    def start_services(self):
        arguments = ["sensor-registry", "--guard-interval", "1s", "--partitions", str(PARTITIONS)]
        self.registry = self.program("sensor-registry", arguments).wait_ready(60)
        self.connection = self.connect()
        for transport, count in SENSORS.items():
            arguments = ["sensor-simulator", "--transport", transport, "--serial-prefix", f"story-{transport}",
                         "--kind", f"climate:{self.hertz(self.quiet)}x{count}", "--samples-per-frame", "1"]
            self.simulators.append(self.program(f"simulator-{transport}", arguments))
        for _ in range(self.scaler.least):
            self.start_replica()
        for program in self.simulators + self.replicas:
            program.wait_ready(60)
        deadline = time.monotonic() + 60
        while self.query("SELECT count(*) FROM sensor WHERE presence = 'online'")[0][0] < sum(SENSORS.values()):
            if time.monotonic() > deadline:
                raise self.system.RunError("the sensors don't announce themselves")
            time.sleep(0.05)
        self.owners = Owners(self.connect())
        self.owners.start()

    def connect(self):
        connection = self.system.psycopg2.connect(self.environment["DATABASE_URL"])
        connection.autocommit = True
        return connection

    def program(self, name, arguments):
        return self.system.Program(name, arguments, self.environment, self.folder)

    def play(self):
        """The phases; each replica count between min and max has its step."""
        least, most = self.scaler.least, self.scaler.most
        self.phase("quiet", self.quiet, seconds=QUIET, expected=least)
        for count in range(least + 1, most):
            self.phase("rise", count - SLACK, seconds=STEP, expected=count)
        self.phase("peak", most - SLACK, seconds=PEAK, expected=most)
        for count in range(most - 1, least, -1):
            self.phase("fall", count - SLACK, seconds=STEP)
        self.phase("quiet", self.quiet, until=lambda: len(self.replicas) == least, expected=least)
        self.phase("quiet", self.quiet, seconds=2, expected=least)
        self.outages.append([time.monotonic(), None])
        while self.replicas:
            self.stop_replica()
        enough = self.scaler.most * next(m.target for m in self.scaler.metrics if m.kind == "External")
        self.phase("outage", least + 2 - SLACK, seconds=OUTAGE, until=lambda: self.unread() > enough, expected=0)
        while len(self.replicas) < least:
            self.start_replica()
        self.phase("return", self.quiet, until=lambda: len(self.replicas) > least)
        self.phase("return", self.quiet, until=lambda: len(self.replicas) == least, expected=least)
        self.phase("quiet", self.quiet, seconds=2, expected=least)

    def phase(self, name, level, seconds=0.0, until=None, expected=None):
        """A load of so many replicas' targets, for that time and until that is so."""
        if level != self.level:
            self.level = level
            self.commands.append(subprocess.Popen(
                [self.system.PROGRAMS / "iotctl", "change-frequency", "--all", "--yes", str(self.hertz(level))],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        before, begin = dict(self.histograms), time.monotonic()
        phase = {"name": name, "level": level, "load": level * self.rate_target, "begin": begin - self.begin}
        while time.monotonic() < begin + seconds or (until and not until()):
            if time.monotonic() > begin + seconds + DEADLINE:
                raise self.system.RunError(f"{name}: not done after {DEADLINE:.0f} s")
            self.look(name)
        changed = {key: value - before.get(key, 0) for key, value in self.histograms.items()}
        # Of all replicas together; quantile() adds up what has the same name.
        programs = [Figures({(name, labels): value for (replica, name, labels), value in changed.items() if replica == one})
                    for one in {replica for replica, _, _ in changed}]
        for share in (0.5, 0.99):
            phase[f"p{share * 100:.0f}"] = self.system.quantile(programs, "iot_ingest_sample_age_seconds", share)
        phase.update(end=time.monotonic() - self.begin, expected=expected, replicas=len(self.replicas))
        self.phases.append(phase)

    def hertz(self, level):
        return round(level * self.rate_target / sum(SENSORS.values()), 3)

    # -- one look of the autoscaler -------------------------------------------------------------------------------

    def look(self, phase):
        """Waits for the next look, scrapes, decides, and does it."""
        factor = self.options.time_factor
        period = hpa.SYNC_SECONDS / factor
        time.sleep(max(0.0, (self.looks[-1]["at"] if self.looks else self.begin) + period - time.monotonic()))
        at = time.monotonic()
        self.check_programs()
        self.scrape(at)
        names, before = [program.name for program in self.replicas], len(self.replicas)
        rates = self.rates(at)
        unread = self.unread()
        values = {"iot_stream_unread_messages": unread, "iot_ingest_frames_per_second": rates}
        after, seen = self.scaler.evaluate((at - self.begin) * factor, before, names, values)
        while len(self.replicas) < after:
            self.start_replica()
        while len(self.replicas) > after:
            self.stop_replica()
        self.looks.append({
            "at": at, "seconds": at - self.begin, "phase": phase, "load": self.load(at), "unread": unread,
            "rate": sum(rates.values()), "rates": rates, "desired": seen["desired"], "metrics": seen["metrics"],
            "before": before, "replicas": after, "shares": self.owners.shares(names)})
        if after != before:
            self.changes.append(self.looks[-1])
        self.show()

    def scrape(self, at):
        for program in [*self.replicas, *self.ending]:
            for (name, labels), value in program.metrics().items():
                if name == "iot_ingest_frames_total":
                    self.samples.setdefault((program.name, labels), []).append((at, value))
                elif name.startswith("iot_ingest_sample_age_seconds"):
                    self.histograms[(program.name, name, labels)] = value
        self.made.append((at, self.system.total(self.simulators, "iot_simulator_frames_confirmed")))

    def rates(self, at):
        """sum by (pod) (rate(iot_ingest_frames_total[1m])); a pod without a series has none."""
        rates = {}
        for (name, _), samples in self.samples.items():
            rate = hpa.rate(samples, at, RATE_WINDOW / self.options.time_factor)
            if rate is not None and any(program.name == name for program in self.replicas):
                rates[name] = rates.get(name, 0) + rate
        return rates

    def unread(self):
        """Sum over the streams; None while the registry has not looked at all of them."""
        streams = [value for (name, _), value in self.registry.metrics().items() if name == "iot_stream_unread_messages"]
        return sum(streams) if len(streams) == PARTITIONS else None

    def load(self, at):
        """Messages a second that the broker confirmed, of the last four seconds: simulators count once a second."""
        earlier = [sample for sample in self.made if sample[0] <= at - 4] or self.made[:1]
        seconds = at - earlier[-1][0]
        return (self.made[-1][1] - earlier[-1][1]) / seconds if seconds else 0.0

    def start_replica(self):
        self.count += 1
        name = f"ingester-{self.count}"
        self.replicas.append(self.program(name, [DEPLOYMENT, "--replica", name]))

    def stop_replica(self):
        """The youngest goes, as a ReplicaSet chooses; it has its time to end while the others run on."""
        program = self.replicas.pop()
        program.process.terminate()
        program.told = time.monotonic()
        self.ending.append(program)

    def check_programs(self):
        for program in [self.registry, *self.simulators, *self.replicas]:
            if program.process.poll() is not None:
                raise self.system.RunError(f"{program.name} ended: {program.last_line()}")
        for program in list(self.ending):
            if program.process.poll() is not None:
                self.ending.remove(program)
                self.ends.append((program.name, time.monotonic() - program.told, program.process.returncode))
            elif time.monotonic() > program.told + DEADLINE:
                raise self.system.RunError(f"{program.name} does not end")
        for command in list(self.commands):
            if command.poll() is not None:
                self.commands.remove(command)
                if command.returncode:
                    raise self.system.RunError(f"iotctl change-frequency: {command.stderr.read().strip()}")
        if self.outages and self.outages[-1][1] is None and None not in self.owners.now.values() and self.replicas:
            self.outages[-1][1] = time.monotonic()

    def query(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    # -- the end --------------------------------------------------------------------------------------------------

    def finish(self):
        """The sensors stop; what they sent is stored, counted and audited."""
        for program in self.simulators:
            program.stop(60)
        reports = [json.loads(program.output.read_text()) for program in self.simulators]
        self.simulators = []
        self.frames = sum(report["frames"] for report in reports)
        self.confirmed = sum(report["confirmed_frames"] for report in reports)
        deadline = time.monotonic() + 60
        while True:
            self.stored = int(self.query("SELECT coalesce(sum(frames), 0) FROM sensor_boot")[0][0])
            if self.stored >= self.confirmed or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        audit = subprocess.run([self.system.PROGRAMS / "iotctl", "audit", "--wait", "30s", "-o", "json"],
                               env=self.environment, capture_output=True, text=True)
        if not audit.stdout:
            raise self.system.RunError(f"iotctl audit: {audit.stderr.strip()}")
        self.audit = audit.returncode, json.loads(audit.stdout)
        self.twice = int(self.query(
            """SELECT coalesce(sum(times - 1), 0) FROM (SELECT count(*) AS times FROM measurement
               GROUP BY sensor_id, channel, boot_id, sequence, "time", time_ns) g WHERE times > 1""")[0][0])
        self.quarantined = self.query("SELECT count(*) FROM quarantine")[0][0]
        while self.replicas:
            self.stop_replica()
        deadline = time.monotonic() + DEADLINE
        while self.ending and time.monotonic() < deadline:
            self.check_programs()
            time.sleep(0.01)
        self.owners.stop()

    def checks(self):
        """[(passed, what)]"""
        factor, scaler = self.options.time_factor, self.manifest
        steps = [phase for phase in self.phases if phase["expected"] is not None]
        wrong = [f"{p['name']} at {p['end']:.0f} s: {p['replicas']}, not {p['expected']}"
                 for p in steps if p["replicas"] != p["expected"]]
        yield not wrong, f"replicas as the load alone wants them at the end of {len(steps)} phases" \
            + (f": {'; '.join(wrong)}" if wrong else f", {scaler.least} to {scaler.most} and back")
        by_backlog = [look for look in self.changes if look["phase"] == "return" and look["replicas"] > look["before"]
                      and (look["metrics"].get("iot_stream_unread_messages") or 0) > look["before"]]
        most_unread = max(look["unread"] or 0 for look in self.looks)
        yield bool(by_backlog), f"a backlog of {most_unread:,.0f} messages brought more replicas, by iot_stream_unread_messages"
        owners = {}
        for _, stream, old, new in self.owners.moves:
            owners.setdefault(stream, set()).update((old, new))
        yield len(owners) == PARTITIONS, f"every partition moved: {len(self.owners.moves)} moves of {len(owners)} partitions"
        pauses = [end - begin for _, begin, end in self.owners.unowned if not self.in_outage(begin, end)]
        longest = max(pauses, default=0.0)
        yield longest <= UNOWNED_MAX, f"a partition was without an owner for {longest:.2f} s at most (outage aside)"
        down = [look for look in self.changes if look["replicas"] < look["before"]]
        pause = min((later["at"] - earlier["at"] for earlier, later in zip(down, down[1:])), default=0.0) * factor
        yield self.calm(down), f"{len(down)} scale-downs, one replica each, {pause:.0f} s of the manifest's time apart or more, " \
            f"and none while more was wanted within {scaler.down['stabilizationWindowSeconds']} s before"
        slowest = max((seconds for _, seconds, _ in self.ends), default=0.0)
        yield slowest <= STOP_MAX and all(code == 0 for *_, code in self.ends), \
            f"{len(self.ends)} ingesters ended within {slowest:.1f} s of SIGTERM, with {sorted({code for *_, code in self.ends})}"
        yield self.frames == self.confirmed == self.stored and not self.twice and not self.quarantined, \
            f"{self.frames:,} frames made, {self.confirmed:,} confirmed, {self.stored:,} stored, {self.twice} rows twice, " \
            f"{self.quarantined} in quarantine"
        code, audit = self.audit
        yield code == 0, f"iotctl audit: exit {code}, {len(audit['sensors'])} sensors, {audit['published']:,} frames published, " \
            f"{audit['missing']} missing, {audit['duplicates']} came twice"

    def calm(self, down):
        """Judged again, from what was seen and done and not from the autoscaler's memory."""
        rule, factor = self.manifest.down, self.options.time_factor
        window = rule["stabilizationWindowSeconds"] / factor
        period = min(policy["periodSeconds"] for policy in rule["policies"]) / factor
        apart = all(later["at"] - earlier["at"] >= period * 0.999 for earlier, later in zip(down, down[1:]))
        wanted = all(look["desired"] <= change["replicas"] for change in down for look in self.looks
                     if change["at"] - window < look["at"] <= change["at"] and look["desired"] is not None)
        return bool(down) and apart and wanted and all(look["before"] - look["replicas"] == 1 for look in down)

    def in_outage(self, begin, end):
        return any(start <= end and (stop is None or begin <= stop) for start, stop in self.outages)

    # -- output ---------------------------------------------------------------------------------------------------

    def show(self):
        """A line if something changed, or after five seconds."""
        look = self.looks[-1]
        last = self.lines[-1] if self.lines else None
        if last and look["at"] - last["at"] < 5 and look["replicas"] == look["before"] \
                and (look["phase"], look["shares"]) == (last["phase"], last["shares"]):
            return
        if not last:
            self.say(f"{'time':>6}  {'phase':7} {'load':>6}  {'unread':>7}  {'rate':>6}  {'by unread':>9}  {'by rate':>7}  "
                     f"{'replicas':>8}  partitions of each")
        self.lines.append(look)
        wanted = [look["metrics"].get(name) for name in ("iot_stream_unread_messages", "iot_ingest_frames_per_second")]
        unread, rate = ("-" if number is None else str(number) for number in wanted)
        replicas = str(look["replicas"]) if look["replicas"] == look["before"] else f"{look['before']} ▸ {look['replicas']}"
        count = "-" if look["unread"] is None else f"{look['unread']:,.0f}"
        self.say(f"{look['seconds']:4.0f} s  {look['phase']:7} {look['load']:6,.0f}  {count:>7}  {look['rate']:6,.0f}  "
                 f"{unread:>9}  {rate:>7}  {replicas:>8}  {look['shares']}")

    def say(self, text=""):
        print(text, flush=True, file=sys.stderr if self.options.output == "json" else sys.stdout)

    def introduce(self):
        options, scaler = self.options, self.manifest
        targets = ", ".join(f"{played.name} {metric.target:,.0f} ÷ {options.load_factor:g} = {played.target:,.0f}"
                            for metric, played in zip(scaler.metrics, self.scaler.metrics))
        down, factor = scaler.down, options.time_factor
        period = min(policy["periodSeconds"] for policy in down["policies"])
        where = self.file.relative_to(PROJECT) if self.file.is_relative_to(PROJECT) else self.file.name
        self.say(f"{where}: {scaler.least} to {scaler.most} replicas; a replica's share: {targets}.")
        self.say(f"Time factor {factor:g}: a look every {hpa.SYNC_SECONDS:.0f} s is one every {hpa.SYNC_SECONDS / factor:g} s, "
                 f"rate over {RATE_WINDOW / factor:g} s, down after {down['stabilizationWindowSeconds']} s is "
                 f"{down['stabilizationWindowSeconds'] / factor:g} s, and every {period} s is {period / factor:g} s.")
        self.say(f"{sum(SENSORS.values())} sensors ({', '.join(f'{n} over {t.upper()}' for t, n in SENSORS.items())}), "
                 "a message is one sample of two channels.\n")

    def report(self):
        checks = list(self.checks())
        if self.options.output == "json":
            print(json.dumps({
                "manifest": self.file.name, "time_factor": self.options.time_factor, "load_factor": self.options.load_factor,
                "targets": {metric.name: metric.target for metric in self.scaler.metrics},
                "phases": self.phases, "looks": self.looks,
                "moves": [{"seconds": at - self.begin, "stream": stream, "from": old, "to": new}
                          for at, stream, old, new in self.owners.moves],
                "unowned": [{"stream": stream, "seconds": end - begin, "outage": self.in_outage(begin, end)}
                            for stream, begin, end in self.owners.unowned],
                "ends": [{"replica": name, "seconds": seconds, "code": code} for name, seconds, code in self.ends],
                "checks": [{"passed": bool(passed), "what": what} for passed, what in checks]}, indent=1))
        self.say(f"\n{'phase':8} {'load':>6}  {'seconds':>7}  {'replicas':>8}  publish ▸ committed")
        for phase in self.phases:
            ages = "p50 {:,.0f} ms, p99 {:,.0f} ms".format(phase["p50"] * 1000, phase["p99"] * 1000) \
                if phase["p50"] is not None else "-"
            self.say(f"{phase['name']:8} {phase['load']:6,.0f}  {phase['end'] - phase['begin']:7.1f}  "
                     f"{phase['replicas']:8}  {ages}")
        self.say()
        for passed, what in checks:
            self.say(f"{'ok    ' if passed else 'FAILED'}  {what}")
        return 0 if all(passed for passed, _ in checks) else 1


def self_test():
    tests = unittest.defaultTestLoader.loadTestsFromModule(test_hpa)
    return 0 if unittest.TextTestRunner().run(tests).wasSuccessful() else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time-factor", type=float, default=20)
    parser.add_argument("--load-factor", type=float, default=20)
    parser.add_argument("--manifest", type=pathlib.Path, default=PROJECT / "k8s/components/autoscaling")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    if not 1 <= options.time_factor <= 30 or options.load_factor <= 0:
        parser.error("--time-factor is 1…30: a partition needs a second to move; --load-factor is above 0")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        story = Story(options, system)
        story.introduce()
        return story.run()
    except (system.RunError, hpa.Unsupported) as error:
        print(f"\nscale-story: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
