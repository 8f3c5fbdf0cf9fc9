"""Sensors that send by the clock, and when what they sent was committed.

The publisher is sensor-simulator over MQTT, a connection for each sensor. A frame is published when its last sample is
taken, whose time is in the frame: whatever delays the publisher counts as latency too. When it was committed is seen
from outside, on another connection: every 2 ms the database is asked for its snapshot, which names the transactions
that everybody can see, and each row names the one that wrote it. So a frame's latency is from its last sample to the
first answer in which its transaction is visible; it errs by the 2 ms, to our disadvantage.
"""
import bisect
import json
import subprocess
import threading
import time

from dev.bench.system import DEADLINE
from dev.bench.tables import quantile

LOOK_SECONDS = 0.002
LIVE_DEADLINE = 60.0
SENSORS = 100
CHANNELS = 3


class CommitWatch:
    """When each transaction became visible, and who held which stream, while a `with` block lasts."""

    def __init__(self, system):
        self.system = system
        self.times, self.ends, self.running, self.owners = [], [], [], []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=loop, daemon=True) for loop in (self.watch_commits, self.watch_owners)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def watch_commits(self):
        connection, last = self.system.connect(), ""
        cursor = connection.cursor()
        while not self.done.wait(LOOK_SECONDS):
            cursor.execute("SELECT pg_current_snapshot()::text")
            snapshot = cursor.fetchone()[0]
            if snapshot != last:
                _, end, running = snapshot.split(":")
                self.times.append(time.time())
                self.ends.append(int(end))
                self.running.append(frozenset(map(int, filter(None, running.split(",")))))
                last = snapshot
        connection.close()

    def watch_owners(self):
        connection = self.system.connect()
        cursor = connection.cursor()
        while not self.done.wait(0.02):
            cursor.execute("SELECT stream, owner FROM ingest_partition")
            self.owners.append((time.time(), dict(cursor.fetchall())))
        connection.close()

    def visible(self, transaction):
        """When a transaction was first seen to be committed. Below `ends` all are, but those that still ran."""
        index = bisect.bisect_right(self.ends, transaction)
        while transaction in self.running[index]:
            index += 1
        return self.times[index]


class Frame:
    """A frame that was stored: moments in seconds since 1970."""

    def __init__(self, stream, published, received, committed, samples):
        self.stream, self.published, self.received, self.committed = stream, published, received, committed
        self.samples = samples
        self.latency = committed - published


class Fleet:
    """The simulator, for as long as a `with` block lasts; at its end every confirmed frame is stored."""

    def __init__(self, system, samples_per_second):
        self.system = system
        rate = samples_per_second / SENSORS / CHANNELS
        self.process = system.start(
            "sensor-simulator", "--kind", f"vibration:{rate:.6g}x{SENSORS}", "--transport", "mqtt", "--serial-prefix",
            system.name, env={**system.environment, "MQTT_URL": system.mqtt_url()}, stdout=subprocess.PIPE)
        self.report = {}

    def __enter__(self):
        return self

    def wait_until_live(self):
        """Until the newest frame of every sensor is stored within a second: what piled up at the start is gone."""
        fresh = """
            SELECT count(*) FROM sensor, LATERAL (
                SELECT "time" FROM measurement m WHERE m.sensor_id = sensor.sensor_id AND channel = 0
                 ORDER BY "time" DESC LIMIT 1) newest
             WHERE newest."time" > clock_timestamp() - INTERVAL '1 second'"""
        deadline = time.monotonic() + LIVE_DEADLINE
        while (live := self.system.one(fresh)) < SENSORS:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"bench: only {live} of {SENSORS} sensors are live")
            time.sleep(0.1)

    def __exit__(self, kind, *_):
        self.process.terminate()
        output, _ = self.process.communicate()
        if kind is None:
            self.report = json.loads(output)
            self.wait_until_stored()

    def wait_until_stored(self):
        deadline = time.monotonic() + DEADLINE
        confirmed = self.report["confirmed_frames"]
        while (stored := self.system.one("SELECT coalesce(sum(frames), 0) FROM sensor_boot")) < confirmed:
            if time.monotonic() > deadline:
                raise SystemExit(f"bench: only {stored} of {confirmed} frames were stored")
            time.sleep(0.05)
        time.sleep(0.1)  # the watch has another look


def frames(system, watch):
    """All frames that are stored, in order of their publishing. One that crosses a minute has two rows."""
    rows = system.rows("""
        SELECT b.stream, max(extract(epoch FROM m."time")::float8 + m.time_ns / 1e9 + (m.n - 1) / m.sample_rate_hz),
               extract(epoch FROM max(m.received_at))::float8, max(m.xmin::text::bigint), sum(m.n)
          FROM measurement m JOIN sensor_boot b USING (sensor_id, boot_id)
         GROUP BY b.stream, sensor_id, boot_id, m.sequence ORDER BY 2""")
    return [Frame(stream, published, received, watch.visible(transaction), int(samples))
            for stream, published, received, transaction, samples in rows]


def between(all_frames, begin, end):
    return [frame for frame in all_frames if begin <= frame.published < end]


def figures(seconds):
    """p50, p99 and the most, in milliseconds."""
    return {
        "p50_ms": quantile(seconds, 0.5) * 1e3, "p99_ms": quantile(seconds, 0.99) * 1e3, "max_ms": max(seconds) * 1e3}
