"""Latency at 50 k samples/s from 100 sensors, as bench/live.py says, in windows one after the other."""
import time

from dev.bench.live import SENSORS, CommitWatch, Fleet, between, figures, frames
from dev.bench.processes import Meter
from dev.bench.system import INGESTER, System, say
from dev.bench.tables import show, spread

SAMPLES_PER_SECOND = 50_000
WARM_UP_SECONDS = 5
WINDOW_SECONDS = 20


def measure(servers, options):
    system = System(servers, "bench_latency")
    window = max(3.0, WINDOW_SECONDS * min(1, options.scale))
    say(f"latency: {SENSORS} sensors, {options.repeats} × {window:.0f} s")
    ingesters = system.start_ingesters(1)
    try:
        with CommitWatch(system) as watch, Fleet(system, SAMPLES_PER_SECOND) as fleet:
            fleet.wait_until_live()
            time.sleep(WARM_UP_SECONDS)
            begin = time.time()
            programs = {"sensor-simulator": [fleet.process.pid], INGESTER: [ingesters[0].pid]}
            with Meter(programs, servers.pids()) as meter:
                time.sleep(window * options.repeats)
        stored = frames(system, watch)
    finally:
        system.end(ingesters)
    runs = []
    for index in range(options.repeats):
        some = between(stored, begin + index * window, begin + (index + 1) * window)
        runs.append({
            "samples_per_second": sum(frame.samples for frame in some) / window,
            "publish_to_committed": figures([frame.latency for frame in some]),
            "broker_to_committed": figures([frame.committed - frame.received for frame in some])})
    return {"sensors": SENSORS, "window_seconds": window, "runs": runs, "used": meter.used,
            "samples": sum(run["samples_per_second"] for run in runs) * window}


def print_table(result):
    rows = [[title, *(spread(run[way][name] for run in result["runs"]) for name in ("p50_ms", "p99_ms", "max_ms"))]
            for title, way in (("last sample → committed", "publish_to_committed"),
                               ("broker's stamp → committed", "broker_to_committed"))]
    rate = spread(run["samples_per_second"] / 1e3 for run in result["runs"])
    show(f"Latency at {rate} k samples/s of {result['sensors']} sensors over MQTT",
         ["", "p50 ms", "p99 ms", "max ms"], rows, f"In windows of {result['window_seconds']:.0f} s.")


def used(result):
    yield {"work": "live, as for latency", "samples": result["samples"], "runs": [result["used"]]}
