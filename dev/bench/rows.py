"""A row for each sample, as most people store them, beside our frames; and the script that a user would write.

The same signals each time: frames of 500 floats of 100 sensors at 5 kHz. Ours goes broker → committed with ledger and
all. The two usual ways get their rows from memory, without a broker: INSERTs of 1,000 rows, prepared and binary, and
binary COPY, both in transactions of 25,000 rows into a hypertable sample (time, sensor_id, channel, value) with the same
index. The user's script (dev/bench/user_script.py) goes broker → committed with the same frames as JSON. So
whatever is not equal is in the others' favour; and so is the size of the table, as an index that fits into memory is
quick.
"""
import json
import os
import statistics
import subprocess

from dev.bench.processes import Meter, ended
from dev.bench.system import System, say
from dev.bench.tables import show, spread
from dev.project import PROJECT

SAMPLES = 500
MESSAGES = 4000
# Ours is over too soon with as few: it gets ten times as many.
OURS = 10
QUEUE = "user_script"
SCRIPT = "user_script.py"
TITLES = {
    "ours": "frames, our ingester", "insert": "rows, INSERT of 1,000", "copy": "rows, binary COPY",
    "script": "rows, a user's script"}


def measure(servers, options):
    messages = max(400, int(MESSAGES * options.scale))
    ours, others = System(servers, "bench_frames"), System(servers, "bench_rows")
    say(f"row per sample: {messages} frames of {SAMPLES} samples, ours {messages * OURS}")
    ours.feed("floats", messages * OURS)
    others.feed("floats", messages)
    make_table(others)
    runs = {way: [] for way in TITLES}
    for index in range(options.repeats):
        run = ours.ingest(messages * OURS)
        runs["ours"].append(finished(
            ours, "measurement", run["messages_per_second"] * SAMPLES, messages * OURS * SAMPLES, run["used"]))
        for way in ("insert", "copy"):
            runs[way].append(from_memory(others, way, messages))
        runs["script"].append(by_script(others, messages))
        rates = ", ".join(f"{way} {taken[-1]['samples_per_second'] / 1e6:.2f}" for way, taken in runs.items())
        say(f"  {index + 1}/{options.repeats}: {rates} M samples/s")
    return {"messages": messages, "samples_per_message": SAMPLES, "ours_messages": messages * OURS, "ways": runs}


def make_table(system):
    system.rows("""
        CREATE TABLE sample ("time" timestamptz NOT NULL, sensor_id int NOT NULL, channel smallint NOT NULL,
                             value double precision NOT NULL)""")
    system.rows(
        "SELECT create_hypertable('sample', by_range('time', INTERVAL '1 day'), create_default_indexes => false)")
    system.rows("""CREATE INDEX ON sample (sensor_id, channel, "time")""")


def finished(system, table, rate, samples, used):
    return {"samples_per_second": rate, "samples": samples, "bytes_per_sample": system.bytes_of(table) / samples,
            "used": used}


def from_memory(system, way, messages):
    system.rows("TRUNCATE sample")
    with Meter({}, {"PostgreSQL": system.servers.pids()["PostgreSQL"]}) as meter:
        done = system.tool("rows", "--way", way, "--messages", messages)
    return finished(system, "sample", done["samples"] / done["seconds"], done["samples"], meter.used)


def by_script(system, messages):
    system.rows("TRUNCATE sample")
    system.tool("feed", "--form", "json", "--queue", QUEUE, "--messages", messages)
    command = ["/usr/bin/python3", os.path.join(PROJECT, "dev/bench", SCRIPT), QUEUE, str(messages)]
    with Meter({}, system.servers.pids()) as meter:
        process = subprocess.Popen(command, env=system.environment, stdout=subprocess.PIPE, text=True)
        output, own = ended(process)
    rate = messages * SAMPLES / json.loads(output)["seconds"]
    stored = system.one("SELECT count(*) FROM sample")
    if stored != messages * SAMPLES:
        raise SystemExit(f"bench: the user's script stored {stored} rows of {messages * SAMPLES}")
    return finished(system, "sample", rate, stored, {SCRIPT: own, **meter.used})


def print_table(result):
    def each(way, name):
        return [run[name] for run in result["ways"][way]]

    lines = []
    our_rates, our_sizes = each("ours", "samples_per_second"), each("ours", "bytes_per_sample")
    for way, title in TITLES.items():
        faster = [ours / theirs for ours, theirs in zip(our_rates, each(way, "samples_per_second"))]
        smaller = [theirs / ours for ours, theirs in zip(our_sizes, each(way, "bytes_per_sample"))]
        lines.append([
            title, spread((rate / 1e6 for rate in each(way, "samples_per_second")), 3),
            spread(faster) if way != "ours" else "", f"{statistics.median(each(way, 'bytes_per_sample')):.1f}",
            f"{statistics.median(smaller):.1f}" if way != "ours" else ""])
    show("A row for each sample", ["", "M samples/s", "ours × faster", "bytes/sample", "ours × smaller"], lines,
         "Ours and the script broker → committed, INSERT and COPY from memory; bytes with index.")


def used(result):
    for way in ("ours", "script"):
        runs = result["ways"][way]
        yield {"work": TITLES[way], "samples": runs[0]["samples"], "runs": [run["used"] for run in runs]}
