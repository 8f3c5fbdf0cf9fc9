"""Text tables of what was measured."""
import os
import platform
import statistics


def spread(values, digits=1):
    """Median (least–most)."""
    values = list(values)
    middle = statistics.median(values)
    if len(values) == 1:  # nothing to spread
        return f"{middle:,.{digits}f}"
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def quantile(values, share):
    """The smallest value that at least this share of all does not exceed."""
    values = sorted(values)
    return values[min(len(values) - 1, max(0, round(share * len(values) + 0.5) - 1))]


def show(title, head, rows, note=""):
    """Prints a table; the first column to the left, numbers to the right."""
    rows = [head, *rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(head))]
    print(title)
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        print("  " + "  ".join(cells).rstrip())
    if note:
        print("  " + note)
    print()


def show_use(works):
    """CPU and memory of each process at each piece of work: {"work", "samples", "runs": [{process: used}]}."""
    rows = []
    for work in works:
        for process in work["runs"][0]:
            cpu = [run[process]["cpu_seconds"] for run in work["runs"]]
            memory = max(run[process]["memory_mb"] for run in work["runs"])
            name = work["work"] if process == next(iter(work["runs"][0])) else ""
            per_million = statistics.median(cpu) / work["samples"] * 1e6
            rows.append([name, process.rjust(22), spread(cpu, 2), f"{per_million:.3f}", f"{memory:.0f}"])
    show("CPU and memory", ["", "process", "CPU s", "CPU s/M samples", "peak MB"], rows,
         "PostgreSQL and RabbitMQ with all their processes, shared memory once; of several ingesters the CPU of all "
         "and the memory of the largest.")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores, {model}; broker, database and programs on it together"
