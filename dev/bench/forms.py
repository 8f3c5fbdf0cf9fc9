"""Broker → committed for each form of a frame, beside a bare drain of the messages and a bare COPY of the rows.

A stream is filled once for each form. Then, in turn and `repeats` times: measurements-ingester stores it; librabbitmq
reads the same messages and does nothing with them; one libpq connection sends the same rows, encoded beforehand, by
binary COPY. The ratio is the ingester's rate, from its first lease to its last commit, by the slower of the two.
"""
import statistics

from dev.bench.system import PARTITIONS, System, say
from dev.bench.tables import show, spread

SAMPLES = {"floats": 500, "counts": 500, "value": 1}
MESSAGES = {"floats": 80_000, "counts": 120_000, "value": 400_000}
TITLES = {"floats": "500-sample floats", "counts": "500-sample 16-bit", "value": "single values"}


def measure(servers, options):
    return [measure_form(servers, form, options) for form in options.forms]


def measure_form(servers, form, options):
    system = System(servers, "bench_" + form)
    messages = max(1000, int(MESSAGES[form] * options.scale))
    say(f"{TITLES[form]}: filling the streams with {messages} messages")
    fed = system.feed(form, messages)
    runs, size = [], None
    for index in range(options.repeats):
        run = system.ingest(messages)
        size = size or system.bytes_of("measurement") / (messages * SAMPLES[form])
        drain = system.tool("drain", "--messages", messages, "--partitions", PARTITIONS)
        copy = system.tool("copy", "--messages", messages, "--partitions", PARTITIONS)
        run["drain_messages_per_second"] = drain["messages"] / drain["seconds"]
        run["copy_rows_per_second"] = copy["rows"] / copy["seconds"]
        run["ratio"] = run["messages_per_second"] / min(run["drain_messages_per_second"], run["copy_rows_per_second"])
        runs.append(run)
        say(f"  {index + 1}/{options.repeats}: {run['messages_per_second'] / 1e3:.1f} k messages/s, "
            f"ratio {run['ratio']:.2f}")
    return {"form": form, "messages": messages, "samples_per_message": SAMPLES[form], "bytes_per_sample": size,
            "feed": fed, "runs": runs}


def print_table(results):
    rows = []
    for result in results:
        def column(name):
            return spread(run[name] / 1e3 for run in result["runs"])
        rate = statistics.median(run["messages_per_second"] for run in result["runs"])
        rows.append([
            TITLES[result["form"]], column("messages_per_second"), f"{rate * result['samples_per_message'] / 1e6:.2f}",
            column("drain_messages_per_second"), column("copy_rows_per_second"),
            spread((run["ratio"] for run in result["runs"]), 2), f"{result['bytes_per_sample']:.2f}"])
    show("Broker → committed, one ingester",
         ["", "k messages/s", "M samples/s", "bare drain, k/s", "bare COPY, k/s", "ratio", "bytes/sample"], rows,
         "The ratio is to the slower of the two bare references; bytes with index.")


def used(results):
    for result in results:
        title = TITLES[result["form"]]
        yield {"work": title + ", filling", "samples": result["feed"]["samples"], "runs": [result["feed"]["used"]]}
        yield {"work": title + ", broker → committed", "runs": [run["used"] for run in result["runs"]],
               "samples": result["messages"] * result["samples_per_message"]}
