"""One, two and four replicas on the same filled streams; and what a live load suffers when one of them is killed.

Killed with SIGKILL under 1 M samples/s of 100 sensors, measured as bench/live.py says. "Taken over" is when the last of
the dead replica's streams has a new owner; "drained" from there until each of these streams is live again, that is
commits a frame not older than 200 ms. The drain is the rate at which they were stored in between, as a multiple of
their live rate.
"""
import statistics
import time

from dev.bench.live import SENSORS, CommitWatch, Fleet, between, figures, frames
from dev.bench.system import DEADLINE, PARTITIONS, System, held, say
from dev.bench.tables import show, spread

MESSAGES = 60_000
SAMPLES = 500
COUNTS = (1, 2, 4)
LIVE_SAMPLES_PER_SECOND = 1_000_000
BEFORE_SECONDS = 10
AFTER_SECONDS = 60
LIVE_AGAIN_SECONDS = 0.2


def measure(servers, options):
    system = System(servers, "bench_replicas")
    messages = max(2000, int(MESSAGES * options.scale))
    say(f"replicas: filling the streams with {messages} messages")
    system.feed("floats", messages)
    filled = {count: [] for count in COUNTS}
    for index in range(options.repeats):
        for count in COUNTS:
            run = system.ingest(messages, replicas=count)
            filled[count].append({
                "samples_per_second": run["messages_per_second"] * SAMPLES, "held": run["held"], "used": run["used"]})
        rates = ", ".join(f"{count}: {runs[-1]['samples_per_second'] / 1e6:.2f}" for count, runs in filled.items())
        say(f"  {index + 1}/{options.repeats}: {rates} M samples/s")
    killed = [kill_one(servers, count, options) for count in COUNTS[1:]]
    return {"messages": messages, "filled": filled, "killed": killed}


def kill_one(servers, count, options):
    system = System(servers, f"bench_kill_{count}")
    after = max(20.0, AFTER_SECONDS * min(1, options.scale))
    say(f"replicas: one of {count} is killed under load, then {after:.0f} s")
    ingesters = system.start_ingesters(count)
    try:
        shares = wait_until_shared(system, count)
        with CommitWatch(system) as watch, Fleet(system, LIVE_SAMPLES_PER_SECOND) as fleet:
            fleet.wait_until_live()
            time.sleep(BEFORE_SECONDS)
            killed = time.time()
            ingesters[0].kill()
            time.sleep(after)
        stored = frames(system, watch)
    finally:
        system.end(ingesters)
    before, later = between(stored, killed - BEFORE_SECONDS, killed), between(stored, killed, killed + after)
    streams = {f"measurements.{number}" for number in shares["replica-1"]}
    return {
        "replicas": count, "held": shares, "sensors": SENSORS, "seconds_after": after,
        "samples_per_second": sum(frame.samples for frame in before) / BEFORE_SECONDS,
        "before": figures([frame.latency for frame in before]), "after": figures([frame.latency for frame in later]),
        **recovery(watch, stored, before, streams, killed)}


def wait_until_shared(system, count):
    deadline = time.monotonic() + DEADLINE
    while sorted(map(len, (shares := held(system.partitions())).values())) != [PARTITIONS // count] * count:
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {count} replicas did not share the streams")
        time.sleep(0.05)
    return shares


def recovery(watch, stored, before, streams, killed):
    """When the dead replica's streams were taken over, and how fast their backlog went."""
    def others(stream):
        return (at for at, owners in watch.owners if at > killed and owners[stream] not in (None, "replica-1"))

    taken = {stream: next(others(stream), float("inf")) for stream in streams}
    backlog, drained = 0, 0.0
    for stream in streams:
        late = sorted((frame for frame in stored if frame.stream == stream and frame.committed > taken[stream]),
                      key=lambda frame: frame.committed)
        live = next((frame.committed for frame in late if frame.latency < LIVE_AGAIN_SECONDS), float("inf"))
        backlog += sum(frame.committed <= live for frame in late)
        drained = max(drained, live - taken[stream])
    live_rate = sum(frame.stream in streams for frame in before) / BEFORE_SECONDS
    return {"taken_over_seconds": max(taken.values()) - killed, "drained_seconds": drained, "backlog_frames": backlog,
            "drain_by_live": backlog / drained / live_rate}


def print_table(result):
    reference = statistics.median(run["samples_per_second"] for run in result["filled"][1])
    rows = [[f"{count}", spread((run["samples_per_second"] / 1e6 for run in runs), 2),
             spread((run["samples_per_second"] / reference for run in runs), 2), shown(runs[-1]["held"])]
            for count, runs in result["filled"].items()]
    show("Replicas on filled streams, 500-sample floats", ["replicas", "M samples/s", "× one", "held streams"], rows)
    rows = [[f"1 of {one['replicas']}", f"{one['samples_per_second'] / 1e3:,.0f}", f"{one['before']['p99_ms']:,.0f}",
             f"{one['after']['p50_ms']:,.0f}", f"{one['after']['p99_ms']:,.0f}", f"{one['after']['max_ms']:,.0f}",
             f"{one['taken_over_seconds']:.1f}", f"{one['drained_seconds']:.2f}", f"{one['drain_by_live']:.1f}"]
            for one in result["killed"]]
    show("A replica is killed under live load",
         ["killed", "k samples/s", "p99 ms before", "p50 ms after", "p99 ms after", "max ms", "taken over after s",
          "drained in s", "drain ÷ live rate"], rows,
         f"After: in the {result['killed'][0]['seconds_after']:.0f} s from the kill, frames of all streams.")


def used(result):
    for count, runs in result["filled"].items():
        yield {"work": f"replicas: {count}, filled streams", "samples": result["messages"] * SAMPLES,
               "runs": [run["used"] for run in runs]}


def shown(shares):
    return " | ".join(" ".join(numbers) for numbers in shares.values())
