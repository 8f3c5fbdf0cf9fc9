"""CPU seconds and memory of processes, from /proc."""
import os
import threading

TICKS = os.sysconf("SC_CLK_TCK")


def table_of_processes():
    """Of each process: its parent, and CPU seconds of itself and of its children that have ended."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    fields = file.read().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                table[int(name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICKS)
    return table


def status(pid):
    """The kilobytes in a process's status; nothing if it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file if line.startswith(("VmHWM", "Rss"))]
    except OSError:
        return {}
    return {line[0].rstrip(":"): int(line[1]) for line in lines}


class Meter:
    """CPU seconds and peak memory of named programs and servers, during a `with` block or until they end.

    A program is some processes; its memory is the peak that the kernel noted, of the largest. A server is a process and
    all that it starts; its memory is looked at twice a second: the private pages of all, the shared ones once.
    """

    def __init__(self, programs, servers):
        self.programs, self.servers = programs, servers
        self.used = {name: {"cpu_seconds": 0.0, "memory_mb": 0.0} for name in [*programs, *servers]}
        self.before, self.done = {}, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        table = table_of_processes()
        self.before = {name: self.cpu_of(name, table) for name in self.used}
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.look()

    def watch(self):
        while not self.done.wait(0.5):
            self.look()

    def look(self):
        table = table_of_processes()
        for name, used in self.used.items():
            used["cpu_seconds"] = max(used["cpu_seconds"], self.cpu_of(name, table) - self.before[name])
            used["memory_mb"] = max(used["memory_mb"], self.memory_of(name, table))

    def members(self, name, table):
        """The processes that count for a name."""
        if name in self.programs:
            return [pid for pid in self.programs[name] if pid in table]
        members = {self.servers[name]} & table.keys()
        new = members
        while new:
            new = {pid for pid, (parent, _) in table.items() if parent in new}
            members = members | new
        return list(members)

    def cpu_of(self, name, table):
        return sum(table[pid][1] for pid in self.members(name, table))

    def memory_of(self, name, table):
        each = [status(pid) for pid in self.members(name, table)]
        if name in self.programs:
            return max((one.get("VmHWM", 0) for one in each), default=0) / 1024
        shared = sum(max((one.get(kind, 0) for one in each), default=0) for kind in ("RssFile", "RssShmem"))
        return (sum(one.get("RssAnon", 0) for one in each) + shared) / 1024


def ended(process):
    """Waits for a process and gives its output, CPU seconds and peak memory."""
    output = process.stdout.read() if process.stdout else ""
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode != 0:
        raise SystemExit(f"bench: {process.args[0]} ended with {process.returncode}")
    used = {"cpu_seconds": usage.ru_utime + usage.ru_stime, "memory_mb": usage.ru_maxrss / 1024}
    return output, used
