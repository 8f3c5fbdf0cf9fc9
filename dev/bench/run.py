"""Measures the way from broker to committed on servers of its own, everything beside its reference in the same run.

Usage: scripts/bench [--parts forms,rows,latency,replicas,simulator] [--repeats N] [--scale F] [-o table|json]

  forms     broker → committed for float, 16-bit and single-value frames, beside a bare drain and a bare COPY; size
  rows      the same signals a row per sample: INSERT, COPY, and the script that a user would write
  latency   publish → committed at 50 k samples/s from 100 sensors
  replicas  one, two, four of them on filled streams; one killed under load, and how its backlog drains
  simulator what one sensor-simulator process can publish, over AMQP, MQTT and as a gateway

With CPU seconds and peak memory of the processes. Each part says in dev/bench/ how it is measured. Figures are
the median (least–most) of the repeats. Talk goes to stderr. Needs `make release`.
"""
import argparse
import json
import signal
import sys

from dev.bench import forms, latency, replicas, rows, simulator, tables
from dev.bench.system import Servers

PARTS = {"forms": forms, "rows": rows, "latency": latency, "replicas": replicas, "simulator": simulator}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--forms", default=",".join(forms.SAMPLES), help="of the part forms")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1, help="more or fewer messages; below 1 also less time")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    options = parser.parse_args()
    options.parts, options.forms = options.parts.split(","), options.forms.split(",")
    if not set(options.parts) <= set(PARTS) or not set(options.forms) <= set(forms.SAMPLES):
        parser.error(f"--parts are of {','.join(PARTS)}; --forms of {','.join(forms.SAMPLES)}")
    if options.repeats < 1 or not 0.01 <= options.scale <= 100:
        parser.error("--repeats is above 0; --scale is 0.01…100")
    return options


def main():
    options = arguments()
    with Servers() as servers:
        results = {name: PARTS[name].measure(servers, options) for name in options.parts}
    if options.output == "json":
        about = {"machine": tables.machine(), "servers": servers.versions, "repeats": options.repeats}
        print(json.dumps({**about, "parts": results}, indent=2))
        return
    print(f"Median (least–most) of {options.repeats} runs; {tables.machine()}; {servers.versions}.\n")
    for name, result in results.items():
        PARTS[name].print_table(result)
    tables.show_use([work for name, result in results.items() for work in PARTS[name].used(result)])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
