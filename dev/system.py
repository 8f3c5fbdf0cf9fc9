"""Runs the five programs against servers of their own.

    scripts/system demo        streams for SECONDS_TO_STREAM (30) seconds, shows what happens, and reports what arrived
    scripts/system up|down     starts and stops servers, services and a simulator of SENSORS (20) sensors; up starts
                               again what has ended of them
    scripts/system status      shows which of them run

The programs come from .build/release (BUILD=debug: .build/debug), the servers from scripts/servers. INSTANCE names the
instance of scripts/servers: by default demo for `demo` (demo-SUITE with SERVERS=SUITE), and dev for the others.
"""
import collections
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import psycopg2

from dev.project import PROGRAMS, PROJECT

SERVERS = PROJECT / "scripts" / "servers"
# The instance of scripts/servers that the demo uses, and the folder of its logs.
SUITE = os.environ.get("SERVERS") or "trixie"
INSTANCE = os.environ.get("INSTANCE") or ("demo" if SUITE == "trixie" else f"demo-{SUITE}")
# The instance of `up`, `down` and `status`, and the folder of its logs.
UP_INSTANCE = os.environ.get("INSTANCE") or "dev"
UP = PROJECT / ".build" / ("up" if UP_INSTANCE == "dev" else f"up-{UP_INSTANCE}")
# The beginning of the serial numbers of the sensors of `up`, as in the documents' examples.
UP_PREFIX = "lab"
# Seconds over which the demo's lines average the rate: sensors publish frames of up to some seconds.
RATE_WINDOW = 5
RECORDING = "/usr/share/sounds/alsa/Front_Center.wav"
OVER_MQTT = ["vibration:1000x4", "vibration:5000x3", "vibration:10000x2", "climatex4", "odometerx2", "gpsx2"]
OVER_AMQP = ["vibration:2000x2", "climatex1"]
SERVICES = [
    ("sensor-registry", ["sensor-registry"]),
    ("logs-ingester", ["logs-ingester"]),
    ("measurements-ingester-1", ["measurements-ingester", "--replica", "ingester-1"]),
    ("measurements-ingester-2", ["measurements-ingester", "--replica", "ingester-2"]),
]


class RunError(Exception):
    """An error that ends the run, in one line."""


def say(text=""):
    print(text, flush=True)


def show_commands(title, *commands):
    """Commands to copy into a shell that is in this folder; a test runs them."""
    say(f"\n{title}")
    if pathlib.Path.cwd() != PROJECT:
        say(f"  cd {PROJECT}")
    for command in commands:
        say(f"  {command}")


def shell_setup(name):
    """The commands that let a shell find iotctl and the servers of an instance."""
    return [f"export $(scripts/servers env {name})", f"PATH=$PWD/{PROGRAMS.relative_to(PROJECT)}:$PATH"]


class Program:
    """One of the five programs as a child process; its log goes to a file."""

    def __init__(self, name, arguments, environment, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        self.output = folder / f"{name}.json"
        with open(self.log, "wb") as log, open(self.output, "wb") as output:
            # A session of its own: Ctrl-C on the terminal reaches this script only, which stops the programs in order.
            self.process = subprocess.Popen(
                [PROGRAMS / arguments[0], *arguments[1:]], env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=log, start_new_session=True)

    def http_port(self, deadline):
        """The port of /metrics, from the program's own log."""
        while time.monotonic() < deadline:
            found = re.search(r'"http_port":"(\d+)"', self.log.read_text(errors="replace"))
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                raise RunError(f"{self.name} ended: {self.last_line()}")
            time.sleep(0.02)
        raise RunError(f"{self.name} does not listen: {self.last_line()}")

    def wait_ready(self, seconds):
        """Waits until /readyz answers 200."""
        deadline = time.monotonic() + seconds
        port = self.http_port(deadline)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).read()
                return self
            except OSError as error:
                text = error.read().decode() if hasattr(error, "read") else str(error)
                if self.process.poll() is not None:
                    raise RunError(f"{self.name} ended: {self.last_line()}") from None
                if time.monotonic() > deadline:
                    raise RunError(f"{self.name} is not ready: {text.strip()}") from None
                time.sleep(0.05)

    def metrics(self):
        """All figures of /metrics: {(name, labels): value}."""
        port = self.http_port(time.monotonic() + 5)
        try:
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2).read().decode()
        except OSError:
            return {}
        figures = {}
        for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.M):
            figures[(name, labels)] = float(value)
        return figures

    def stop(self, seconds=10):
        """Sends SIGTERM, and SIGKILL if the program has not ended `seconds` later."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def last_line(self):
        return last_line(self.log)


def last_line(log):
    """The last line of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "no log"


def total(programs, name):
    """A counter of several programs, over all labels."""
    return sum(value for program in programs for (key, _), value in program.metrics().items() if key == name)


def quantile(programs, name, share):
    """A quantile of a histogram of several programs, in seconds, interpolated within its bucket as Prometheus does."""
    below = {}
    for program in programs:
        for (key, labels), value in program.metrics().items():
            if key == f"{name}_bucket":
                bound = float(re.search(r'le="([^"]+)"', labels).group(1))
                below[bound] = below.get(bound, 0) + value
    bounds = sorted(below)
    if not bounds or below[bounds[-1]] == 0:
        return None
    wanted, previous, previous_bound = share * below[bounds[-1]], 0, 0.0
    for bound in bounds:
        if below[bound] >= wanted:
            if bound == float("inf"):
                return previous_bound
            inside = below[bound] - previous
            return previous_bound + (bound - previous_bound) * ((wanted - previous) / inside if inside else 1)
        previous, previous_bound = below[bound], bound
    return None


def start_servers(name):
    """Starts the servers of an instance. Returns their environment, and whether they ran already."""
    running = subprocess.run([SERVERS, "status", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([SERVERS, "start", name], check=True, stdout=subprocess.DEVNULL)
    lines = subprocess.run([SERVERS, "env", name], check=True, capture_output=True, text=True).stdout
    environment = dict(os.environ)
    environment.update(line.split("=", 1) for line in lines.splitlines() if "=" in line)
    environment.update(HTTP_PORT="0", LOG_LEVEL=environment.get("LOG_LEVEL", "info"))
    return environment, running.returncode == 0


def start_parts(environment, folder, parts, started):
    """Starts programs; those behind the registry when it is ready."""
    for name, arguments in parts:
        started.append(Program(name, arguments, environment, folder))
        if name == "sensor-registry":
            started[-1].wait_ready(60)
    for program in started:
        program.wait_ready(60)


def start_services(environment, folder, started):
    """Starts the registry and the ingesters."""
    start_parts(environment, folder, SERVICES, started)
    wait_until_shared([program for program in started if program.name.startswith("measurements")])


def wait_until_shared(ingesters):
    """Waits until each ingester holds its share of the partitions."""
    deadline = time.monotonic() + 30
    while not all(p.metrics().get(("iot_ingest_partitions_held", "")) == 4 / len(ingesters) for p in ingesters):
        if time.monotonic() > deadline:
            raise RunError("the ingesters don't share the partitions")
        time.sleep(0.05)


def utc_now(later=0):
    """The time in UTC, so many seconds later, as iotctl takes it."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=later)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Demo:
    """A run that streams, commands sensors, raises an alarm, and reports."""

    def __init__(self):
        self.seconds = int(os.environ.get("SECONDS_TO_STREAM", "30"))
        self.prefix = f"demo{int(time.time()) % 1_000_000}"
        self.started = []
        self.simulators = []
        self.ingesters = []
        self.environment = {}
        self.alarms_seen = []
        self.folder = PROJECT / ".build" / INSTANCE
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def run(self):
        self.environment, ran_before = start_servers(INSTANCE)
        try:
            start_services(self.environment, self.folder, self.started)
            self.ingesters = [p for p in self.started if p.name.startswith("measurements")]
            self.database = psycopg2.connect(self.environment["DATABASE_URL"])
            self.database.autocommit = True
            self.stream()
            return self.report()
        finally:
            for program in reversed(self.simulators + self.started):
                program.stop()
            if not ran_before:
                subprocess.run([SERVERS, "stop", INSTANCE], stdout=subprocess.DEVNULL, check=False)
            if sys.exc_info()[0] is None:
                self.show_what_is_left(ran_before)

    def show_what_is_left(self, ran_before):
        """Says how to look at the stored data after the demo."""
        show = [
            *([] if ran_before else [f"scripts/servers start {INSTANCE}"]), *shell_setup(INSTANCE),
            "iotctl get sensors",
            f"iotctl plot {self.prefix}-mqtt-0008 --channel x --from {self.began} --to {self.ended}",
            f"iotctl spectrum {self.prefix}-mqtt-0008 --channel x",
            f"scripts/servers psql {INSTANCE} -c 'SELECT * FROM latest LIMIT 5'",
            *([] if ran_before else [f"scripts/servers stop {INSTANCE}"]),
        ]
        show_commands(f"The data are still in .build/servers/{INSTANCE}. To look at them:", *show)

    # -- the stream ------------------------------------------------------------------------------------------------

    def stream(self):
        self.simulate("mqtt", OVER_MQTT, ["--replay", RECORDING, "--counts"])
        self.simulate("amqp", OVER_AMQP, [])
        self.began = utc_now()
        say(f"Streaming for {self.seconds} s: 17 sensors over MQTT, 3 over AMQP, and {RECORDING} at its own 48 kHz.")
        begin = time.monotonic()
        points = collections.deque([(begin, 0)], RATE_WINDOW + 1)
        script = self.script()
        while any(p.process.poll() is None for p in self.simulators):
            time.sleep(1)
            elapsed = time.monotonic() - begin
            self.live_line(elapsed, points)
            while script and elapsed >= script[0][0]:
                script.pop(0)[1]()
            if elapsed > self.seconds + 150:
                raise RunError("the simulators don't end")
        for program in self.simulators:
            if program.process.returncode != 0:
                raise RunError(f"{program.name} ended with {program.process.returncode}: {program.last_line()}")
        self.ended = utc_now(1)

    def simulate(self, transport, kinds, more):
        arguments = ["sensor-simulator", "--transport", transport, "--serial-prefix", f"{self.prefix}-{transport}",
                     "--for", f"{self.seconds}s", *more]
        for kind in kinds:
            arguments += ["--kind", kind]
        self.simulators.append(Program(f"simulator-{transport}", arguments, self.environment, self.folder))

    def script(self):
        """The steps and their times: shares of the whole time, so that a short run shows all of them."""
        vibration, climate = f"{self.prefix}-mqtt-0005", f"{self.prefix}-mqtt-0010"
        steps = [
            (0.12, lambda: self.iotctl("set", climate, "limits.temperature.high=15")),
            (0.25, lambda: self.command(vibration, "sleep", vibration)),
            (0.45, lambda: self.command(vibration, "awake", vibration)),
            (0.55, lambda: self.iotctl("set", climate, "limits.temperature.high=60")),
            (0.65, lambda: self.command(vibration, "change-frequency", vibration, "2000")),
            (0.90, lambda: self.iotctl("get", "alarms", "--since", "10m")),
        ]
        return [(share * self.seconds, step) for share, step in steps]

    def iotctl(self, *arguments):
        say(f"\n$ iotctl {' '.join(arguments)}")
        done = subprocess.run([PROGRAMS / "iotctl", *arguments], env=self.environment, capture_output=True, text=True)
        say((done.stdout + done.stderr).rstrip())
        if done.returncode != 0:
            raise RunError(f"iotctl {' '.join(arguments)} ended with {done.returncode}")

    def command(self, sensor, *arguments):
        before = self.state(sensor)
        self.iotctl(*arguments)
        after, deadline = self.state(sensor), time.monotonic() + 10
        while after == before and time.monotonic() < deadline:
            time.sleep(0.1)
            after = self.state(sensor)
        say(f"  {sensor}: {before} -> {after}")
        if after == before:
            raise RunError(f"{arguments[0]} changed nothing at {sensor}")

    def state(self, sensor):
        row = self.query("SELECT state, reported->>'rate_hz' FROM sensor WHERE serial = %s", sensor)
        return f"{row[0][0]}, {float(row[0][1]):g} Hz" if row else "unknown"

    def live_line(self, elapsed, points):
        """A line of figures; `points` are the last times with the samples published until then."""
        published = total(self.simulators, "iot_simulator_samples_made")
        online = total(self.simulators, "iot_simulator_sensors_online")
        stored = total(self.ingesters, "iot_ingest_samples_total")
        lag = max([v for p in self.ingesters for (n, _), v in p.metrics().items() if n == "iot_ingest_lag_seconds"] or [0])
        alarms = self.query(
            "SELECT count(*) FROM alarm JOIN sensor USING (sensor_id) WHERE serial LIKE %s AND cleared_at IS NULL",
            self.prefix + "%")[0][0]
        now = time.monotonic()
        # A simulator that has ended serves no figures.
        points.append((now, max(published, points[-1][1])))
        rate = (points[-1][1] - points[0][1]) / (now - points[0][0])
        line = (f"{elapsed:4.0f} s  {online:3.0f} sensors  {rate:9,.0f} samples/s  {stored:12,.0f} stored"
                f"  lag {lag * 1000:5.0f} ms  {alarms} alarms")
        if sys.stdout.isatty():
            print("\r" + line + "\033[K", end="", flush=True)
        else:
            say(line)

    def query(self, sql, *parameters):
        with self.database.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    # -- the report ------------------------------------------------------------------------------------------------

    def report(self):
        made = [json.loads(p.output.read_text()) for p in self.simulators]
        frames = sum(m["confirmed_frames"] for m in made)
        samples = sum(m["confirmed_samples"] for m in made)
        stored = self.wait_for(frames)
        mine = "FROM measurement m JOIN sensor s USING (sensor_id) WHERE s.serial LIKE %s"
        stored_samples = int(self.query(f"SELECT coalesce(sum(n), 0) {mine}", self.prefix + "%")[0][0])
        missing = sum(m["frames"] for m in made) - stored
        twice = self.query(
            f"""SELECT coalesce(sum(times - 1), 0) FROM (SELECT count(*) AS times {mine}
                GROUP BY sensor_id, channel, m.boot_id, sequence, "time", time_ns) g WHERE times > 1""",
            self.prefix + "%")[0][0]
        gaps, quarantined = self.query(
            """SELECT (SELECT count(*) FROM sequence_gap JOIN sensor USING (sensor_id) WHERE serial LIKE %s),
                      (SELECT count(*) FROM quarantine WHERE routing_key LIKE %s)""",
            self.prefix + "%", f"sensor_{self.prefix}%")[0]
        edges = self.query(
            """SELECT count(raised_at), count(cleared_at) FROM alarm JOIN sensor USING (sensor_id)
               WHERE serial LIKE %s""", self.prefix + "%")[0]
        size = self.query(
            "SELECT hypertable_size('measurement') / greatest(1, (SELECT sum(n) FROM measurement))::float8")[0][0]
        p50, p99 = (quantile(self.ingesters, "iot_ingest_sample_age_seconds", share) for share in (0.5, 0.99))
        say("\n\nReport")
        say(f"  published   {frames:12,} messages  {samples:14,} samples   (confirmed by the broker)")
        say(f"  stored      {stored:12,} messages  {stored_samples:14,} samples   (counted by SQL)")
        say(f"  missing     {missing:12,} messages  {samples - stored_samples:14,} samples")
        say(f"  duplicated  {twice:12,} rows")
        say(f"  unexplained {gaps:12,} gaps      {quarantined:14,} in quarantine")
        say(f"  publish -> committed   p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
        say(f"  on disk     {size:12.2f} bytes/sample (with index, uncompressed)")
        say(f"  alarms      {edges[0]} raised, {edges[1]} cleared")
        self.show_queries()
        good = missing == 0 and samples == stored_samples and twice == 0 and gaps == 0 and quarantined == 0
        good = good and edges[0] >= 1 and edges[1] >= 1
        say("\nNothing is missing, nothing is there twice." if good else "\nNOT AS IT SHOULD BE: see above.")
        return 0 if good else 1

    def wait_for(self, frames):
        """Waits until `frames` frames are stored, for a minute at most. Returns how many are."""
        deadline = time.monotonic() + 60
        while True:
            stored = int(self.query(
                "SELECT coalesce(sum(frames), 0) FROM sensor_boot JOIN sensor USING (sensor_id) WHERE serial LIKE %s",
                self.prefix + "%")[0][0])
            if stored >= frames or time.monotonic() > deadline:
                return stored
            time.sleep(0.2)

    def show_queries(self):
        self.show(
            "The newest value of each channel",
            f"""SELECT s.serial, c.name AS channel, round(l.value::numeric, 3) AS value, c.unit,
       l."time"::time(3) AS at
  FROM latest l JOIN sensor s USING (sensor_id) JOIN channel c USING (sensor_id, channel)
 WHERE s.serial LIKE '{self.prefix}%' ORDER BY s.serial, c.name LIMIT 5""")
        self.show(
            "Vibration, second by second, from the frames' own statistics",
            f"""SELECT time_bucket('1 second', m."time")::time AS second, sum(m.n) AS samples,
       round(min(m.min)::numeric, 2) AS min, round(max(m.max)::numeric, 2) AS max,
       round(sqrt(sum(m.rms ^ 2 * m.n) / sum(m.n))::numeric, 3) AS rms
  FROM measurement m JOIN sensor s USING (sensor_id)
 WHERE s.serial = '{self.prefix}-mqtt-0008' AND m.channel = 0 GROUP BY 1 ORDER BY 1 LIMIT 5""")
        self.show(
            "Single samples of the 48 kHz recording, to the nanosecond",
            f"""SELECT unix_ns, value FROM samples('{self.prefix}-mqtt-Front_Center', '0',
       (SELECT min("time") FROM measurement JOIN sensor USING (sensor_id)
         WHERE serial = '{self.prefix}-mqtt-Front_Center') + INTERVAL '200 ms', now()) LIMIT 5""")

    def show(self, title, sql):
        say(f"\n{title}:\n{sql}\n")
        with self.database.cursor() as cursor:
            cursor.execute(sql)
            rows = [[column.name for column in cursor.description]] + [[str(v) for v in row] for row in cursor.fetchall()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            say("  " + "  ".join(value.ljust(width) for value, width in zip(row, widths)).rstrip())
        if len(rows) == 1:
            raise RunError(f"no rows: {title}")


# -- up and down ---------------------------------------------------------------------------------------------------


def alive(pid, begin):
    """Whether the process with this number is the one that `up` started, and is no zombie."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False
    return fields[0] != "Z" and fields[19] == begin


def up():
    known = {p["name"]: p for p in pids()}
    running = {name: p for name, p in known.items() if alive(p["pid"], p["begin"])}
    environment, servers_ran = start_servers(UP_INSTANCE)
    sensors = os.environ.get("SENSORS") or known.get("sensor-simulator", {}).get("sensors") or "20"
    simulator = ["sensor-simulator", "--sensors", sensors, "--serial-prefix", UP_PREFIX]
    parts = [part for part in [*SERVICES, ("sensor-simulator", simulator)] if part[0] not in running]
    if running and servers_ran and not parts:
        raise RunError(f"it runs already; `{make_command('down')}` stops it")
    if running and not servers_ran:
        say("a server had ended: broker and database run again")
    for name, _ in parts if running else []:
        say(f"{name} had ended, and is started again; its last words: {last_line(UP / f'{name}.log')}")
    UP.mkdir(parents=True, exist_ok=True)
    started = []
    try:
        start_parts(environment, UP, parts, started)
        if not running:
            wait_until_shared([program for program in started if program.name.startswith("measurements")])
    except BaseException:
        for program in reversed(started):
            program.stop()
        raise
    for program in started:
        running[program.name] = record(program, sensors)
    (UP / "pids.json").write_text(json.dumps([running[name] for name, _ in [*SERVICES, ("sensor-simulator", None)]]))
    status()
    show_commands(
        "To use it from a shell:", *shell_setup(UP_INSTANCE), "iotctl get sensors",
        f"iotctl plot {UP_PREFIX}-0001 --from 1m")
    say(f"`{make_command('down')}` stops it.")
    return 0


def record(program, sensors):
    """What `down`, `status` and another `up` must know of a program."""
    begin = pathlib.Path(f"/proc/{program.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    found = {"name": program.name, "pid": program.process.pid, "begin": begin,
             "port": program.http_port(time.monotonic() + 5)}
    return found | ({"sensors": sensors} if program.name == "sensor-simulator" else {})


def make_command(target):
    """How make runs a target for the instance of `up`."""
    return f"make {target}" if UP_INSTANCE == "dev" else f"INSTANCE={UP_INSTANCE} make {target}"


def pids():
    try:
        return json.loads((UP / "pids.json").read_text())
    except OSError:
        return []


def status():
    for record in pids():
        state = "runs" if alive(record["pid"], record["begin"]) else "has ended"
        say(f"{record['name']:26} {state}, process {record['pid']}, http://127.0.0.1:{record['port']}/metrics")
    return subprocess.run([SERVERS, "status", UP_INSTANCE]).returncode


def down():
    for record in reversed(pids()):
        deadline = time.monotonic() + 10
        if alive(record["pid"], record["begin"]):
            os.kill(record["pid"], signal.SIGTERM)
        while alive(record["pid"], record["begin"]):
            if time.monotonic() > deadline:
                os.kill(record["pid"], signal.SIGKILL)
            time.sleep(0.05)
    (UP / "pids.json").unlink(missing_ok=True)
    return subprocess.run([SERVERS, "stop", UP_INSTANCE]).returncode


def main():
    verbs = {"demo": lambda: Demo().run(), "up": up, "down": down, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        say(__doc__.strip())
        return 64
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A shell that starts a job in the background ignores SIGINT, and a thread of a test may have blocked it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        return verbs[sys.argv[1]]()
    except RunError as error:
        print(f"\nscripts/system: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; every program that was started has ended", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
