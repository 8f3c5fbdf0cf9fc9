"""Runs the kill matrix again and again against one pair of servers, and counts.

    scripts/kill-matrix [ROUNDS]

Each round (by default 1) is every test of EndToEndTests/KillMatrix*. After each one a table is printed: for each case how
many rounds passed and failed, and how long it took. The programs are those of a release build, which is made first. Exits 0
if nothing failed; the logs of rounds that failed stay in .build/kill-matrix.
"""
import os, statistics, subprocess, sys, time

from dev.project import PROJECT

LOGS = PROJECT / ".build" / "kill-matrix"


def run_servers(*arguments):
    return subprocess.run([PROJECT / "scripts/servers", *arguments], check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def play(number, environment):
    """One round: the lines that its cases printed, and whether the whole of it passed."""
    log = LOGS / f"round-{number}.log"
    command = ["swift", "test", "--skip-build", "--no-parallel", "--filter", "KillMatrix"]
    with open(log, "w") as output:
        passed = subprocess.run(command, cwd=PROJECT, env={**environment, "TEST_BUILD": "release"}, stdout=output, stderr=output).returncode == 0
    lines = [line.rstrip("\n").split("|")[1:5] for line in open(log, errors="replace")
             if line.startswith("kill-matrix|")]
    if passed:
        log.unlink()
    return [line for line in lines if len(line) == 4], passed


def show(cases, rounds, failed_rounds, begun):
    """The table of all rounds so far."""
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{rounds} rounds in {minutes:.1f} min, {failed_rounds} failed")
    print(f"{'case':40} {'passed':>6} {'failed':>6} {'median s':>9} {'max s':>6}  last")
    for name, runs in cases.items():
        seconds = [float(run[1].split()[0]) for run in runs]
        passed = sum(run[0] == "passed" for run in runs)
        print(f"{name:40} {passed:6} {len(runs) - passed:6} {statistics.median(seconds):9.1f} {max(seconds):6.1f}"
              f"  {runs[-1][2]}")
    sys.stdout.flush()


def main():
    words = sys.argv[1:] or ["1"]
    if len(words) > 1 or not words[0].isdecimal():
        print(__doc__, file=sys.stderr)
        return 64
    rounds = int(words[0])
    LOGS.mkdir(parents=True, exist_ok=True)
    for build in ["--build-tests"], ["--configuration", "release"]:
        subprocess.run(["swift", "build", *build], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    instance = f"kill-{os.getpid()}"
    run_servers("start", instance)
    try:
        settings = dict(line.split("=", 1) for line in run_servers("env", instance).splitlines())
        environment = os.environ | settings | {"TEST_SERVERS": instance}
        cases, failed, begun = {}, 0, time.monotonic()
        for number in range(1, rounds + 1):
            lines, passed = play(number, environment)
            failed += not passed
            for name, *run in lines:
                cases.setdefault(name, []).append(run)
            show(cases, number, failed, begun)
    finally:
        run_servers("stop", instance)
        subprocess.run(["rm", "-r", PROJECT / ".build/servers" / instance])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
