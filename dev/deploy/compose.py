"""Brings the core of compose.yaml and the simulator up, with containers, and looks whether they do their work.

    scripts/test-compose [CONFIGURATION]

The programs come from .build/CONFIGURATION (release). Podman runs them from this very compose.yaml, in the image that
the Dockerfile makes of them; Tests/Compose/podman.yaml is added, for what this podman can't do. Images that can't be
pulled are stood in: Debian slim by mmdebstrap, RabbitMQ and TimescaleDB by the root that scripts/setup made (SERVERS).
Everything is in .build/podman, apart from any other podman of this machine; containers, volumes and networks are gone
at the end, images stay for the next time. Debian bookworm, as root. DEBIAN_MIRROR=URL as for scripts/setup.
"""
import contextlib, fcntl, json, os, re, shutil, signal, subprocess, sys, time
from pathlib import Path

from dev import servers
from dev.ports import free_port
from dev.project import PROJECT

PACKAGES = ("aardvark-dns", "binutils", "iptables", "mmdebstrap", "netavark", "podman", "runc")
TOOLS = PROJECT / ".build/tools/bin"
HOME = PROJECT / ".build/podman"
NAME = "sensor-services-test"
SERVERS = ("rabbitmq", "timescaledb")
SERVICES = ("sensor-registry", "measurements-ingester", "logs-ingester", "sensor-simulator")
SENSORS, RATE, OTHERS = 8, 500, 8  # vibration sensors and their hertz; climate, odometer and gps
REPLICAS, PARTITIONS, SHARES = 3, 4, [1, 1, 2]
FOLDERS = {"containers": HOME / "containers.conf", "storage": HOME / "storage.conf", "secrets": HOME / "secrets"}
passed, failed = [], []


class Failure(Exception):
    """What is wrong, in words."""



# --- small tools -------------------------------------------------------------------------------------------------


def run(*command, check=True, **options):
    """A command's output, both kinds."""
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([str(word) for word in command], cwd=PROJECT, **settings | options)
    if check and done.returncode:
        words = " ".join(map(str, command[:6]))
        raise Failure(f"{words} … exited with {done.returncode}:\n{(done.stdout or '')[-3000:]}")
    return done


def podman(*arguments, **options):
    return run("podman", *arguments, **options)


def compose(*arguments, **options):
    return run(TOOLS / "podman-compose", "--in-pod=false", "-p", NAME, "-f", "compose.yaml", "-f",
               "Tests/Compose/podman.yaml", *arguments, **options)


def container(service, number=1):
    return f"{NAME}_{service}_{number}"


def inside(service, *command, environment=(), **options):
    """A command in a service's container."""
    flags = [word for entry in environment for word in ("-e", entry)]
    return podman("exec", *flags, container(service), *command, **options)


def iotctl(*arguments, **options):
    return inside("sensor-registry", "iotctl", *arguments, **options)


def sql(text):
    """Rows as lists of words."""
    answer = inside("timescaledb", "psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "iot",
                    "-c", text, stderr=subprocess.DEVNULL).stdout
    return [line.split("\t") for line in answer.splitlines()]


def until(seconds, what, condition):
    """Waits for a condition; its last word is in the failure."""
    deadline, last = time.monotonic() + seconds, None
    while True:
        with contextlib.suppress(Failure):
            last = condition()
            if last is True:
                return
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}; at last {last}")
        time.sleep(0.25)


def check(title, body):
    """One thing that must be true; whether it is."""
    begun = time.monotonic()
    try:
        body()
        passed.append(title)
        print(f"  ok      {title} ({time.monotonic() - begun:.1f} s)", flush=True)
        return True
    except (Failure, AssertionError, KeyError, ValueError, OSError) as failure:
        failed.append(title)
        print(f"  FAILED  {title}: {failure or type(failure).__name__}", flush=True)
        return False


def step(title, body):
    """What all else needs: without it there is nothing to check."""
    if not check(title, body):
        raise Failure(f"{title}: nothing else can be checked")


# --- before the containers ---------------------------------------------------------------------------------------


def install():
    """Podman from Debian, podman-compose into .build/tools; quick when all is there."""
    states = run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n", *PACKAGES, check=False).stdout
    missing = [package for package in PACKAGES if f"installed {package}\n" not in states]
    if missing:
        apt = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        run("apt-get", "update", "-q", "-o", "DPkg::Lock::Timeout=300", env=apt)
        run("apt-get", "install", "-yq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *missing, env=apt)
    run("scripts/setup-deploy")


def configure():
    """A podman of our own: its images, containers, networks and sockets lie in .build/podman."""
    FOLDERS["storage"].write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{HOME}/storage"\n'
                                  f'runroot = "{HOME}/run"\n')
    # Limits of this machine's own are no higher. No systemd: cgroups by hand, events in a file.
    FOLDERS["containers"].write_text(f"""[containers]
default_ulimits = ["nofile=8192:8192", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{HOME}/tmp"
[network]
network_config_dir = "{HOME}/networks"
""")
    shutil.rmtree(FOLDERS["secrets"], ignore_errors=True)
    os.environ.update({
        "CONTAINERS_CONF": str(FOLDERS["containers"]), "CONTAINERS_STORAGE_CONF": str(FOLDERS["storage"]),
        "BUILDAH_FORMAT": "docker",  # OCI's format knows no health check
        "DISABLE_HC_SYSTEMD": "true",  # this podman lets systemd's timers run health checks: the test runs them
        "COMPOSE_PROFILES": "simulation", "PROGRAMS": "prebuilt", "SENSORS": str(SENSORS), "RATE": str(RATE),
        "SECRETS": str(FOLDERS["secrets"]), "PYTHONUNBUFFERED": "1"})
    ports = set()
    for name in ("MQTT_PORT", "AMQP_PORT", "MANAGEMENT_PORT"):
        ports.add(port := free_port(ports))
        os.environ[name] = str(port)


def names():
    """What compose.yaml takes from the environment and from the repository is there."""
    text = (PROJECT / "compose.yaml").read_text()
    settings = (PROJECT / ".env").read_text().splitlines()
    defaults = dict(line.split("=", 1) for line in settings if re.match(r"\w+=", line))
    for name, default in set(re.findall(r"\$\{(\w+):-([^}]*)\}", text)) - {("SECRETS", "./secrets")}:
        assert defaults.get(name) == default, f"{name} is {default!r} in compose.yaml, {defaults.get(name)!r} in .env"
    for path in re.findall(r"- \./(\S+?):/", text):
        assert (PROJECT / path).exists(), f"compose.yaml mounts {path}, which is not there"
    for image in re.findall(r"image: (docker\S+)", text):
        assert re.search(r":v?[\w.-]*\d+\.\d+", image), f"{image} is not a pinned version"


def make_secrets():
    """Once; and what is printed holds none of them."""
    def contents():
        return {path.name: path.read_text() for path in FOLDERS["secrets"].iterdir()}

    first = run("scripts/secrets", FOLDERS["secrets"]).stdout
    before = contents()
    second = run("scripts/secrets", FOLDERS["secrets"]).stdout
    assert before == contents(), "the second run changed them"
    for name, text in before.items():
        if name.endswith("_password"):
            assert len(text) >= 32 and text not in first + second, f"{name} is short, or was printed"
    assert FOLDERS["secrets"].stat().st_mode & 0o777 == 0o700, "others may look into secrets/"
    (FOLDERS["secrets"] / "database_password").unlink()
    run("scripts/secrets", FOLDERS["secrets"])
    changed = {name for name, text in contents().items() if text != before[name]}
    assert changed == {"database_password", "database_url"}, f"a new password changed {changed}"


# --- images ------------------------------------------------------------------------------------------------------


def imported(image, made_of):
    """Whether a stand-in is there and made of the same."""
    done = podman("image", "inspect", image, "--format", '{{index .Labels "made-of"}}', check=False)
    return done.returncode == 0 and done.stdout.strip() == made_of


def load(image, made_of, tar):
    """A tar's stream becomes an image."""
    with subprocess.Popen(tar, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
        podman("import", "--change", f'LABEL made-of="{made_of}"', "-", image, stdin=source.stdout)
    if source.returncode:
        raise Failure(f"{tar[0]} exited with {source.returncode}")


def images_of(text, pattern):
    return re.findall(pattern, text, re.M)


def stand_in():
    """Images that can't be pulled, under the very names that Dockerfile and compose.yaml give them."""
    debian, = images_of((PROJECT / "Dockerfile").read_text(), r"^FROM (docker\.io/library/debian:\S+)$")
    mirror = os.environ.get("DEBIAN_MIRROR", "")
    if not imported(debian, f"bookworm {mirror}".strip()):
        proxy = run("apt-config", "shell", "p", "Acquire::http::Proxy").stdout.strip().removeprefix("p=").strip("'")
        options = [f'--aptopt=Acquire::http::Proxy "{proxy}"'] if proxy else []
        load(debian, f"bookworm {mirror}".strip(), [
            "mmdebstrap", "--variant=minbase", "--mode=root", *options, "bookworm", "-", *([mirror] if mirror else [])])
    root = servers.Root(os.environ.get("SERVERS") or servers.DEFAULT_SUITE)
    made_of = (root.path / ".made-of").read_text().strip()
    if not imported(f"localhost/servers:{root.suite}", made_of):
        load(f"localhost/servers:{root.suite}", made_of, ["tar", "-C", f"{root.path.resolve()}", "-cf", "-", "."])
    print(f"          {root.describe()}")
    text = (PROJECT / "compose.yaml").read_text()
    for service, pattern in (("rabbitmq", r"image: (docker\.io/library/rabbitmq:\S+)"),
                             ("timescaledb", r"image: (docker\.io/timescale/timescaledb-ha:\S+)")):
        image, = images_of(text, pattern)
        podman("build", "-q", "-t", image, "--build-arg", f"SUITE={root.suite}",
               "--build-arg", f"PROGRAMS={root.database_programs}", "-f", f"Tests/Compose/{service}.containerfile", "Tests/Compose")


def build(configuration):
    """The Dockerfile, with programs that were compiled outside."""
    run("scripts/image-files", f".build/{configuration}", ".build/image")
    compose("build", "sensor-registry")


def image():
    """What the image says of itself, and that each program runs in it with nothing at all."""
    name, = images_of((PROJECT / "compose.yaml").read_text(), r"image: (ghcr\S+):\$\{VERSION:-")
    version, = images_of((PROJECT / ".env").read_text(), r"^VERSION=(\S+)")
    about = json.loads(podman("image", "inspect", f"{name}:{version}").stdout)[0]
    assert about["Config"]["User"] == "10001:10001", about["Config"]["User"]
    assert about["Config"]["StopSignal"] in ("SIGTERM", "15"), about["Config"]["StopSignal"]
    assert about["Healthcheck"]["Test"][-1] == "/usr/local/bin/healthcheck", about.get("Healthcheck")
    assert about["Labels"]["org.opencontainers.image.version"] == version, about["Labels"]
    ours = sum(path.stat().st_size for path in (PROJECT / ".build/image").iterdir())
    print(f"          the image has {about['Size'] / 1e6:.0f} MB, of them {ours / 1e6:.0f} programs and Swift runtime")
    for program in ("sensor-simulator", "sensor-registry", "logs-ingester", "measurements-ingester", "iotctl"):
        text = podman("run", "--rm", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--network=none",
                      f"{name}:{version}", program, "--help").stdout
        assert "USAGE" in text, f"{program} --help says {text!r}"


# --- containers --------------------------------------------------------------------------------------------------


def healthy(service, number=1):
    return podman("healthcheck", "run", container(service, number), check=False).returncode == 0


def start_services_alone():
    compose("up", "-d", "--no-deps", *SERVICES)
    for service in SERVICES:
        until(30, f"{service} runs", lambda: state(service)["Status"] == "running")


def unhealthy_alone():
    """Nothing to connect to: alive, but not ready."""
    for service in SERVICES:
        until(20, f"{service} listens", lambda: inside(
            service, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080", check=False).returncode == 0)
        assert not healthy(service), f"{service} is healthy without servers"
        assert state(service)["Status"] == "running", f"{service} ended without servers"


def all_healthy():
    for service in SERVERS + SERVICES:
        until(90, f"{service} is healthy", lambda: healthy(service))


def state(service, number=1):
    return json.loads(podman("inspect", container(service, number)).stdout)[0]["State"]


def confined():
    """No root, no capability, nothing to gain, nothing to write to."""
    for service in SERVERS + SERVICES:
        status = Path(f"/proc/{state(service)['Pid']}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        users = set(fields["Uid"].split())
        assert "0" not in users and (service in SERVERS or users == {"10001"}), f"{service} runs as {users}"
        assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0, f"{service} has capabilities"
        assert fields["NoNewPrivs"] == "1", f"{service} may gain privileges"
        assert inside(service, "bash", "-c", "> /etc/written", check=False).returncode != 0, f"{service} writes to /etc"
        mounts = inside(service, "cat", "/proc/mounts").stdout
        assert re.search(r"^\S+ / \S+ ro[, ]", mounts, re.M), f"{service}: the root is not read-only"


def broker_users():
    """RabbitMQ made no user of its own, and a sensor may not touch the services' queues."""
    table = json.loads(inside("rabbitmq", "rabbitmqctl", "-q", "list_users", "--formatter", "json").stdout)
    assert {user["user"] for user in table} == {"services", "manager", "sensors"}, table
    rights = json.loads(inside("rabbitmq", "rabbitmqctl", "-q", "list_user_permissions", "sensors", "--formatter",
                               "json").stdout)
    assert len(rights) == 1 and rights[0]["configure"] == "^mqtt-", rights
    topics = json.loads(inside("rabbitmq", "rabbitmqctl", "-q", "list_user_topic_permissions", "sensors", "--formatter",
                               "json").stdout)
    assert len(topics) == 1 and all("sensor_{client_id}" in topics[0][key] for key in ("read", "write")), topics
    for user in ("sensors", "services", "manager"):
        limits = json.loads(inside("rabbitmq", "rabbitmqctl", "-q", "list_user_topic_permissions", user, "--formatter",
                                   "json").stdout)
        assert len(limits) == 1 and ",255})" in limits[0]["write"], f"{user} may publish keys that AMQP can't deliver"
    policies = json.loads(inside("rabbitmq", "rabbitmqctl", "-q", "list_policies", "--formatter", "json").stdout)
    wanted = json.loads((PROJECT / "broker/definitions.json").read_text())["policies"]
    assert {policy["name"] for policy in policies} == {policy["name"] for policy in wanted}, policies


def grafana_reads():
    """Grafana's role reads all and writes nothing."""
    def query(*texts):
        secret = (FOLDERS["secrets"] / "grafana_database_password").read_text()
        return inside("timescaledb", "psql", "-XAtq", "-h", "127.0.0.1", "-U", "grafana", "-d", "iot",
                      *[word for text in texts for word in ("-c", text)], environment=(f"PGPASSWORD={secret}",),
                      check=False)
    assert int(query("SELECT count(*) FROM sensor").stdout) > 0, "sees no sensors"
    assert query("SELECT count(*) FROM pg_stat_statements JOIN pg_stat_kcache() USING (queryid)").returncode == 0
    told = query("SELECT count(*) FROM pg_stat_statements WHERE query ~* '^(CREATE|ALTER) ROLE.* PASSWORD'").stdout
    assert told == "0\n", f"pg_stat_statements tells passwords: {told}"
    assert "read-only transaction" in query("CREATE TABLE mine (x int)").stdout, "may write"
    # The setting is a default that anybody may change; the rights are what holds.
    assert "permission denied" in query("SET default_transaction_read_only = off", "CREATE TABLE mine (x int)").stdout
    assert "permission denied" in query("SET default_transaction_read_only = off", "DELETE FROM sensor").stdout


def frames():
    """Frames of each sensor so far."""
    return {serial: int(count) for serial, count in sql(
        "SELECT s.serial, count(DISTINCT (m.boot_id, m.sequence))"
        " FROM sensor s LEFT JOIN measurement m USING (sensor_id) GROUP BY 1")}


def frames_arrive():
    """From every sensor, and again more of every one."""
    until(60, "frames of every sensor", lambda: (lambda now: True if len(now) == SENSORS + OTHERS and all(now.values())
                                                 else now)(frames()))
    before = frames()
    until(60, "more frames of every sensor", lambda: (lambda now: True if all(
        now[serial] > count for serial, count in before.items()) else (before, now))(frames()))


def commands():
    iotctl("sleep", "sim-0001", "--timeout", "20s")
    iotctl("wait", "sensor", "sim-0001", "--for", "state=asleep", "--timeout", "20s")
    iotctl("awake", "sim-0001", "--timeout", "20s")
    iotctl("change-frequency", "sim-0001", str(RATE // 2), "--timeout", "20s")
    rows = sql("SELECT name, state FROM command ORDER BY issued_at")
    assert len(rows) == 3 and all(row[1] == "succeeded" for row in rows), rows


def doctor():
    def findings():
        done = compose("run", "--rm", "--no-deps", "iotctl", "doctor", "-o", "json", stderr=subprocess.DEVNULL,
                       env=dict(os.environ, COMPOSE_PROFILES="simulation,tools"), check=False)
        bad = [line for line in done.stdout.splitlines() if '"problem"' in line]
        return True if done.returncode == 0 and not bad else (done.returncode, done.stdout[-1500:])
    until(40, "a doctor without a problem", findings)


def shares():
    """How many partitions each replica owns; every one of them must have an owner."""
    rows = sql("SELECT owner, count(*) FROM ingest_partition WHERE lease_until > now() GROUP BY 1")
    counts = {owner: int(count) for owner, count in rows if owner}
    return counts if sum(counts.values()) == PARTITIONS else None


def shared():
    """Every replica owns its share, rounded down or up: four partitions of three replicas are 1 + 1 + 2."""
    counts = shares()
    return True if counts and sorted(counts.values()) == SHARES else counts


def scaled():
    compose("up", "-d", "--no-recreate", "--no-deps", "--scale", f"measurements-ingester={REPLICAS}",
            "measurements-ingester")
    until(60, "partitions are shared", shared)
    for number in range(1, REPLICAS + 1):
        until(30, f"replica {number} is healthy", lambda: healthy("measurements-ingester", number))


def killed():
    """A crash, not a stop: SIGKILL from outside. The restart policy brings it back."""
    pid = state("measurements-ingester", 2)["Pid"]
    os.kill(pid, signal.SIGKILL)
    until(30, "the container runs again", lambda: (lambda now: True if (
        now["Status"] == "running" and now["Pid"] not in (0, pid)) else now["Status"])(
            state("measurements-ingester", 2)))
    until(60, "partitions are shared again", shared)
    frames_arrive()


def restarted():
    podman("restart", container("rabbitmq"))
    all_healthy()
    frames_arrive()


def nothing_lost():
    """The simulator ends with every confirm; then all that it made must be there, once."""
    podman("stop", "-t", "60", container("sensor-simulator"))
    assert state("sensor-simulator")["ExitCode"] == 0, "the simulator did not end by itself"
    done = iotctl("audit", "--wait", "60s", "-o", "json", check=False)
    assert done.returncode == 0, f"iotctl audit exits with {done.returncode}: {done.stdout[-2000:]}"
    key = "sensor_id, channel, boot_id, sequence, time, time_ns"
    rows, distinct = map(int, sql(f"SELECT count(*), count(DISTINCT ({key})) FROM measurement")[0])
    assert rows == distinct, f"{rows - distinct} rows are there twice"
    print(f"          {sum(frames().values()):,} frames of {len(frames())} sensors, {rows:,} rows")


def stop_in_time():
    """SIGTERM, and then nothing of them is left."""
    begun = time.monotonic()
    for service in ("measurements-ingester", "logs-ingester", "sensor-registry"):
        podman("stop", "-t", "9", container(service))
        assert state(service)["ExitCode"] == 0, f"{service} exits with {state(service)['ExitCode']} after SIGTERM"
    assert time.monotonic() - begun < 20, "they took their time"


# --- the whole ---------------------------------------------------------------------------------------------------


def take_down():
    """All containers, volumes and networks of our own podman; the images stay."""
    if not FOLDERS["storage"].exists() or "CONTAINERS_STORAGE_CONF" not in os.environ:
        return
    for _ in range(3):  # one that others depend on goes after them
        podman("rm", "--all", "--force", "--volumes", "--time", "2", check=False)
    podman("volume", "rm", "--all", "--force", check=False)
    for network in podman("network", "ls", "-q", "--filter", f"name={NAME}", check=False).stdout.split():
        podman("network", "rm", "--force", network, check=False)
    podman("image", "prune", "--force", check=False)
    shutil.rmtree(FOLDERS["secrets"], ignore_errors=True)
    # Podman mounts its storage onto itself, which would keep `make clean` from removing it.
    run("umount", HOME / "storage/overlay", check=False)


def nothing_left():
    take_down()
    left = podman("ps", "--all", "-q").stdout + podman("volume", "ls", "-q").stdout
    left += podman("network", "ls", "-q", "--filter", f"name={NAME}").stdout
    run("umount", HOME / "storage/overlay", check=False)
    assert not left.strip(), f"left: {left}"


def logs():
    for name in podman("ps", "--all", "--format", "{{.Names}}", check=False).stdout.split():
        text = podman("logs", "--tail", "15", name, check=False).stdout[-3000:]
        print(f"--- the end of {name}'s log\n{text}", flush=True)


def steps(configuration):
    check("files, defaults and pinned versions of compose.yaml", names)
    step("scripts/secrets makes secrets once", make_secrets)
    step("stand-ins of the images", stand_in)
    step(f"the Dockerfile builds, with programs of .build/{configuration}", lambda: build(configuration))
    check("the image: user, labels, health check, programs", image)
    step("services start where there are no servers", start_services_alone)
    check("they are alive, but not healthy", unhealthy_alone)
    step("broker and database start", lambda: compose("up", "-d", *SERVERS))
    step("all are healthy", all_healthy)
    check("no root, no capabilities, a read-only root", confined)
    check("the broker's users, permissions and policies", broker_users)
    step("frames of every sensor arrive, and go on arriving", frames_arrive)
    check("commands: sleep, awake, change-frequency", commands)
    check("Grafana's role reads and can't write", grafana_reads)
    check("iotctl doctor finds no problem", doctor)
    if check("--scale measurements-ingester=3 shares the partitions", scaled):
        check("an ingester that is killed comes back", killed)
    check("the broker restarts, and frames arrive again", restarted)
    check("nothing is lost, nothing is there twice", nothing_lost)
    check("services end on SIGTERM", stop_in_time)


def main():
    if sys.argv[2:] or any(word.startswith("-") for word in sys.argv[1:]):
        print(__doc__)
        return 64
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", "--preserve-env=DEBIAN_MIRROR,SERVERS", *sys.argv])
    configuration = sys.argv[1] if sys.argv[1:] else "release"
    HOME.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with open(HOME / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            step("podman and podman-compose", install)
            configure()
            take_down()  # what a run left that was killed
            configure()
            steps(configuration)
        except Failure as failure:
            print(f"test-compose: {failure}", file=sys.stderr)
        finally:
            if failed and "CONTAINERS_STORAGE_CONF" in os.environ:
                logs()
            check("everything is taken down", nothing_left)
    print(f"test-compose: {len(passed)} passed, {len(failed)} failed, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def interrupted(number, frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
