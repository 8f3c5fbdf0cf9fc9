"""Counts the instructions that a frame costs on its way from message to row, and compares them with those of before.

Usage: scripts/microbench [--save | --check]

Valgrind runs `micro-bench` twice for each step and form, the second time with more frames: the difference is what these
cost, without the program's start. The numbers hardly depend on the machine or its load, so that they show a change
of some percent. --save writes them to Benchmarks/instructions.json; --check exits 1 if one has grown by more than 2 %.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from dev.project import PROJECT

PROGRAM = os.path.join(PROJECT, ".build/release/micro-bench")
BASELINE = os.path.join(PROJECT, "Benchmarks/instructions.json")
STEPS = {"decode": "decode", "rows": "rows, statistics", "rules": "ten rules", "encode": "encode for COPY"}
SAMPLES = {"floats": 500, "counts": 500, "value": 1}
FRAMES = (500, 2500)
GROWTH_MAX = 1.02


def instructions(program, directory, *arguments):
    """What callgrind counts in one run. Its output, a file for each process, is not read."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", program, *map(str, arguments)],
        env={**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"}, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise SystemExit(f"microbench: valgrind failed\n{done.stderr[-2000:]}")
    return int(found.group(1))


def measure():
    """Instructions a frame, by "step form"."""
    figures = {}
    with tempfile.TemporaryDirectory() as directory:
        # The debug information of Swift 6 is DWARF 5, which makes Debian's valgrind give up.
        program = os.path.join(directory, "micro-bench")
        subprocess.run(["strip", "--strip-debug", "-o", program, PROGRAM], check=True)
        for form in SAMPLES:
            for step in STEPS:
                few, many = (instructions(program, directory, step, form, frames) for frames in FRAMES)
                figures[f"{step} {form}"] = round((many - few) / (FRAMES[1] - FRAMES[0]))
    return figures


def show(figures, before):
    print(f"{'':28}{'a frame':>10}{'a sample':>10}{'before':>10}{'ratio':>8}")
    for form, samples in SAMPLES.items():
        keys = {f"{step} {form}": title for step, title in STEPS.items()}
        for key, title in keys.items():
            line(f"{form}: {title}", figures[key], samples, before.get(key))
        known = [before[key] for key in keys if key in before]
        line(f"{form}: all", sum(figures[key] for key in keys), samples,
             sum(known) if len(known) == len(keys) else None)


def line(title, count, samples, before):
    ratio = ("-", "-") if before is None else (f"{before:,}", f"{count / before:.3f}")
    print(f"{title:28}{count:>10,}{count / samples:>10,.1f}{ratio[0]:>10}{ratio[1]:>8}")


def main():
    if sys.argv[1:] not in ([], ["--save"], ["--check"]):
        raise SystemExit(__doc__)
    if shutil.which("valgrind") is None:
        raise SystemExit("microbench: needs valgrind: apt-get install valgrind")
    before = {}
    if os.path.exists(BASELINE):
        with open(BASELINE, encoding="utf-8") as file:
            before = json.load(file)
    figures = measure()
    show(figures, before)
    if "--save" in sys.argv:
        with open(BASELINE, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)
            file.write("\n")
    grown = [key for key, count in figures.items() if count > before.get(key, count) * GROWTH_MAX]
    if "--check" in sys.argv and grown:
        raise SystemExit("microbench: more instructions than before: " + ", ".join(grown))


if __name__ == "__main__":
    main()
