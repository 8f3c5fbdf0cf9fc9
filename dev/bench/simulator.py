"""What one sensor-simulator process can do, for --scale × 20 s each.

Feed: frames of 3 × 500 samples as fast as the broker takes them, over four AMQP connections into the streams. Mqtt: 5,000
MQTT connections with a message a second each. Gateway: 100,000 sensors over one connection, each a frame in ten
seconds, stored by registry and ingester, and audited.
"""
import json
import time

from dev.bench.processes import Meter
from dev.bench.system import DEADLINE, INGESTER, Program, System, say
from dev.bench.tables import show

SECONDS = 20
SIMULATOR, REGISTRY = "sensor-simulator", "sensor-registry"
FEED = ["--transport", "amqp", "--connections", "4", "--unpaced", "--kind", "vibration:5000x100"]
RUNS = {
    "feed, floats": FEED,
    "feed, 16-bit": [*FEED, "--counts"],
    "5,000 MQTT connections": ["--kind", "climate:1x5000", "--serial-prefix", "mqtt"],
    "gateway, 100,000 sensors": ["--transport", "gateway", "--kind", "climate:0.1x100000", "--gateway", "g"],
}


def measure(servers, options):
    return [run(servers, number, title, options) for number, title in enumerate(RUNS)]


def run(servers, number, title, options):
    """Runs the simulator to its end; gives its report, its times, and what it and the servers needed."""
    say(f"simulator: {title}")
    system, arguments = System(servers, f"bench_simulator_{number}"), RUNS[title]
    system.environment["MQTT_URL"] = system.mqtt_url()
    seconds = max(1, round(SECONDS * options.scale))
    services = [Program(system, name) for name in (REGISTRY, INGESTER) if "gateway" in arguments]
    started = list(services)
    try:
        for service in services:
            service.wait_until_ready()
        start = time.monotonic()
        simulator = Program(system, SIMULATOR, "--for", f"{seconds}s", *arguments)
        started.append(simulator)
        programs = {one.name: [one.child.pid] for one in [simulator, *services]}
        with Meter(programs, servers.pids()) as meter:
            simulator.wait_until_ready()
            connected = time.monotonic() - start
            if simulator.child.wait() != 0:
                raise SystemExit(f"bench: {SIMULATOR}: {simulator.text(simulator.log)[-500:]}")
            took = time.monotonic() - start - connected
        result = {
            "run": title, "connected_seconds": connected, "drained_seconds": max(0, took - seconds),
            "sampled_seconds": took if "--unpaced" in arguments else seconds, "used": meter.used,
            "report": {key: value for key, value in json.loads(simulator.text(simulator.output)).items() if key != "sensors"}}
        return result | (check_stored(system, result["report"]) if services else {})
    finally:
        system.end([program.child for program in started])


def check_stored(system, report):
    """Waits until the frames are stored, and audits them."""
    start, stored = time.monotonic(), 0
    while stored < report["confirmed_frames"] and time.monotonic() < start + DEADLINE:
        stored = int(system.one("SELECT coalesce(sum(frames), 0) FROM sensor_boot"))
        time.sleep(0.2)
    took = time.monotonic() - start
    audit = system.start("iotctl", "audit")
    if stored != report["confirmed_frames"] or audit.wait() != 0:
        raise SystemExit(f"bench: {stored} of {report['confirmed_frames']} frames are stored; audit: {audit.returncode}")
    return {"stored_seconds": took}


def print_table(results):
    rows = []
    for result in results:
        report, seconds = result["report"], result["sampled_seconds"]
        rows.append([
            result["run"], f"{result['connected_seconds']:.1f}", f"{result['drained_seconds']:.1f}",
            f"{report['confirmed_frames'] / seconds / 1e3:.1f}", f"{report['confirmed_samples'] / seconds / 1e6:.2f}",
            f"{report['dropped_frames'] + report['given_up_frames']}",
            f"{result['stored_seconds']:.1f}" if "stored_seconds" in result else "-"])
    show("One simulator", ["", "connected, s", "confirmed after the end, s", "k frames/s", "M samples/s", "lost",
                           "all stored after the end, s"], rows,
         "Frames and samples that the broker confirmed. The audit of the gateway's sensors found nothing missing.")


def used(results):
    for result in results:
        yield {"work": result["run"], "samples": result["report"]["confirmed_samples"], "runs": [result["used"]]}
