"""Runs RabbitMQ and PostgreSQL + TimescaleDB as ordinary processes on 127.0.0.1.

    scripts/servers start|stop|restart [NAME] [broker|database] [--kill]
    scripts/servers status|env|versions [NAME]
    scripts/servers psql|rabbitmqctl NAME [ARGUMENT…]

NAME (default: dev) is an instance: its data, logs, ports and passwords live in .build/servers/NAME, so any
number of them run side by side. The programs come from a root that scripts/setup made of a Debian suite: SERVERS=trixie
(default: RabbitMQ 4.0, PostgreSQL 17) or SERVERS=forky (RabbitMQ 4.3, PostgreSQL 18). An instance stays with the suite
that it was made of. bwrap gives each server that root read-only, and process ids of its own: with the server everything
it started ends, epmd too. `start` leaves alone what already runs, and says which versions it started. `--kill` ends by
SIGKILL, like a crash. `status` exits 0 if both answer, else 3. psql reads standard input, and any file that -f names.
"""
import contextlib, fcntl, json, os, re, resource, secrets, shutil, signal, socket, struct, subprocess, sys
import time
import urllib.error, urllib.request
from pathlib import Path

from dev.ports import free_port, is_free
from dev.project import PROJECT

SERVERS = PROJECT / ".build" / "servers"
DEFAULT_SUITE = "trixie"
START_SECONDS = 90
STOP_SECONDS = 20
LOG_BYTES_KEPT = 20_000_000
PORTS = ("amqp", "mqtt", "management", "prometheus", "distribution", "epmd", "database")


class Failure(Exception):
    """What went wrong, in words for the user."""

    def __init__(self, words, code=1):
        super().__init__(words)
        self.code = code


# --- small tools -------------------------------------------------------------------------------------------------


def write(path, text, mode=0o600, owner=None):
    """Replaces a file in one step: no reader sees half of it, or all of it with a wider mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    os.chmod(new, mode)
    give(new, owner)
    new.rename(path)


def give(path, owner):
    """Hands a path to (uid, gid), if we are root; otherwise everything stays ours and bwrap maps the user."""
    if owner and os.geteuid() == 0:
        os.chown(path, *owner)


def listens(port):
    """Whether a server accepts connections there. (Binding the port to find out could be in its server's way.)"""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def exchange(port, request, size):
    """The first bytes that come back for a request, or none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(request)
            return connection.recv(size)
    except OSError:
        return b""


def process_start(pid):
    """When a process started, in a form that no later process of that number shares; None if it is gone."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else Path("/proc/sys/kernel/random/boot_id").read_text().strip() + "/" + fields[18]


# --- what the servers are made of --------------------------------------------------------------------------------


class Root:
    """The servers of one Debian suite, as scripts/setup installed them."""

    # For each suite: the folder, PostgreSQL's major version, and the newest versions that `make test` passed with.
    SUITES = {
        "trixie": ("root", 17, {"RabbitMQ": "4.0.5", "PostgreSQL": "17.12", "TimescaleDB": "2.19.3"}),
        "forky": ("root-forky", 18, {"RabbitMQ": "4.3.6", "PostgreSQL": "18.6", "TimescaleDB": "2.31.0"}),
    }

    def __init__(self, suite):
        if suite not in self.SUITES:
            raise Failure(f"SERVERS={suite} is none of {', '.join(self.SUITES)}", 64)
        folder, self.postgresql, self.tested = self.SUITES[suite]
        self.suite, self.path = suite, SERVERS / folder
        self.database_programs = f"/usr/lib/postgresql/{self.postgresql}/bin"

    @classmethod
    def with_postgresql(cls, major):
        """The root with that version of PostgreSQL, installed or not; None: no suite has it."""
        return next((root for root in map(cls, cls.SUITES) if root.postgresql == major), None)

    @property
    def is_made(self):
        return (self.path / ".made-of").exists()

    @property
    def setup(self):
        """The command that makes it."""
        return "scripts/setup" if self.suite == DEFAULT_SUITE else f"SERVERS={self.suite} scripts/setup"

    def account(self, user):
        """(uid, gid) of a server's own user."""
        for line in (self.path / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == user:
                return int(uid), int(gid)
        raise Failure(f"no user {user} in {self.path}: run {self.setup}")

    def versions(self):
        """{program: version} of what is installed, as Debian's package database has it."""
        names = {"rabbitmq-server": "RabbitMQ", f"postgresql-{self.postgresql}": "PostgreSQL",
                 f"postgresql-{self.postgresql}-timescaledb": "TimescaleDB"}
        text = (self.path / "var/lib/dpkg/status").read_text(errors="replace")
        packages = re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (?:\d+:)?(\d[\d.]*)", text, re.M)
        found = {names[package]: version.rstrip(".") for package, version in packages if package in names}
        return {name: found[name] for name in names.values() if name in found}

    def describe(self):
        """One line: the suite and its versions, and which of them are newer than those that were tested."""
        versions = self.versions()
        line = f"{self.suite}: " + ", ".join(f"{name} {version}" for name, version in versions.items())
        newer = [f"{name} {versions[name]} (tested: {tested})" for name, tested in self.tested.items()
                 if numbers(versions.get(name, "0")) > numbers(tested)]
        return line + (f"; not tested yet: {', '.join(newer)}" if newer else "")

    def sandbox(self, owner, binds, command, flags=()):
        """The command line that runs `command` as `owner` in the root; only `binds` ({place: folder}) are writable."""
        uid, gid = map(str, owner)
        bwrap = ["bwrap", "--unshare-pid", "--as-pid-1", "--ro-bind", self.path, "/"]
        bwrap += "--dev /dev --proc /proc --perms 1777 --tmpfs /tmp --perms 1777 --tmpfs /dev/shm --tmpfs /run".split()
        for place, folder in binds.items():
            bwrap += ["--bind", folder, place]
        bwrap += flags
        if os.geteuid() == 0:
            become = ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--bounding-set=-all",
                      "--inh-caps=-all"]
            return [*map(str, bwrap), "--", *become, *command]
        return [*map(str, bwrap), "--unshare-user", "--uid", uid, "--gid", gid, "--", *command]


def numbers(version):
    """A version as something to compare."""
    return [int(part) for part in version.split(".")]


# --- one server --------------------------------------------------------------------------------------------------


class Server:
    """What RabbitMQ and PostgreSQL have in common: a folder, a log, a process."""

    name = user = home = ""
    stop_signal = signal.SIGTERM
    ports = ()

    def __init__(self, instance):
        self.instance = instance
        self.folder = instance.folder / self.name
        self.log = instance.folder / f"{self.name}.log"
        self.record = instance.folder / f"{self.name}.pid"
        self.root = instance.root
        self.owner = self.root.account(self.user)
        self.log_from = 0
        self.process = None  # the bwrap around it, if this call started it

    def port(self, name):
        return self.instance.state["ports"][name]

    def password(self, name):
        return self.instance.state["passwords"][name]

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": self.home}

    def run(self, command, **options):
        """Runs a tool of the root beside the server, until it ends."""
        line = self.root.sandbox(self.owner, {self.home: self.folder}, command, ("--chdir", self.home))
        return subprocess.run(line, **{"env": self.environment(), "text": True, **options})

    def pid(self):
        """The server's own process id, if it still runs."""
        try:
            pid, start = self.record.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if process_start(int(pid)) == start else None

    def spawn(self):
        """Starts the process, in a session of its own, and records it before it does anything else."""
        self.folder.mkdir(parents=True, exist_ok=True)
        give(self.folder, self.owner)
        self.prepare()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_KEPT:
            self.log.rename(self.log.with_suffix(".log.old"))
        raise_file_limit()
        reader, writer = os.pipe()
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab") as log, os.fdopen(reader) as told:
            self.log_from = log.tell()
            flags = ("--info-fd", str(writer), "--chdir", self.home)
            line = self.root.sandbox(self.owner, {self.home: self.folder}, self.command(), flags)
            self.process = subprocess.Popen(line, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, pass_fds=(writer,))
            os.close(writer)
            answer = told.read()
        if not answer:
            raise Failure(f"{self.name} did not start\n{self.log_tail()}")
        pid = json.loads(answer)["child-pid"]
        write(self.record, f"{pid} {process_start(pid)}\n")

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.pid():
                raise Failure(f"{self.name} ended while starting\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} did not answer in {START_SECONDS} s\n{self.log_tail()}")
            time.sleep(0.1)

    def log_tail(self, lines=30):
        """The end of what this start wrote."""
        text = ""
        if self.log.exists():
            with open(self.log, "rb") as file:
                file.seek(self.log_from)
                text = file.read().decode(errors="replace")
        return f"the end of {self.log}:\n" + "\n".join("  " + line for line in text.splitlines()[-lines:])

    def signal_stop(self, kill=False):
        """Asks the process to end, or ends it."""
        if pid := self.pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if kill else self.stop_signal)

    def wait_until_gone(self):
        """SIGKILL when asking did not help in time. Only our own process is ever signalled: pid() checks it."""
        begun = asked = time.monotonic()
        while self.pid():
            now = time.monotonic()
            if now > asked + 1:  # one that is still starting may not have heard: it is process 1 of its namespace
                self.signal_stop(kill=now > begun + STOP_SECONDS)
                asked = now
            time.sleep(0.05)
        self.wait_until_buried(time.monotonic() + STOP_SECONDS)
        self.record.unlink(missing_ok=True)

    def wait_until_buried(self, deadline):
        """The dead server is process 1 of its namespace: until it is reaped, others there (epmd) may hold ports."""
        if self.process:
            self.process.wait()
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int(self.record.read_text().split()[0])
            while Path(f"/proc/{pid}/stat").exists() and not process_start(pid) and time.monotonic() < deadline:
                time.sleep(0.05)


class Broker(Server):
    """One RabbitMQ node, configured by broker/ and a generated file for its addresses and its user."""

    name, user, home = "broker", "rabbitmq", "/var/lib/rabbitmq"
    ports = ("amqp", "mqtt", "management", "prometheus", "distribution", "epmd")

    def environment(self):
        local = "-kernel inet_dist_use_interface {127,0,0,1}"
        return super().environment() | {
            "RABBITMQ_NODENAME": f"{self.instance.state['node']}@localhost",
            "RABBITMQ_CONFIG_FILE": f"{self.home}/etc/rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": f"{self.home}/etc/conf.d/*.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.home}/etc/enabled_plugins",
            "RABBITMQ_DIST_PORT": str(self.port("distribution")),
            "RABBITMQ_LOGS": "-",
            # Two cores are shared with all the others: no busy waiting.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none {local}",
            "RABBITMQ_CTL_ERL_ARGS": f"+S 1:1 +sbwt none {local}",
            "ERL_EPMD_PORT": str(self.port("epmd")),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Makes rabbitmq-server become the Erlang VM instead of waiting for it: signals reach the real server.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def prepare(self):
        for name in ("rabbitmq.conf", "enabled_plugins", "start", "open-mqtt.erl"):
            write(self.folder / "etc" / name, (PROJECT / "broker" / name).read_text(), owner=self.owner)
        write(self.folder / "etc/conf.d/local.conf", self.local_configuration(), owner=self.owner)
        give(self.folder / "etc", self.owner)
        give(self.folder / "etc/conf.d", self.owner)

    def local_configuration(self):
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self.port('amqp')}",
                 f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.port('mqtt')}"]
        for plugin in ("management", "prometheus"):
            lines += [f"{plugin}.tcp.ip = 127.0.0.1", f"{plugin}.tcp.port = {self.port(plugin)}"]
        lines += ["default_user = iot", "default_user_tags.administrator = true",
                  f"default_pass = {self.password('iot')}"]
        return "\n".join(lines) + "\n"

    def command(self):
        return ["/bin/sh", f"{self.home}/etc/start", "/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def answers(self):
        """Whether AMQP, MQTT and the management API are served."""
        return (exchange(self.port("amqp"), b"AMQP\0\0\x09\x01", 1024)[:1] == b"\x01"
                and listens(self.port("mqtt")) and self.manages())

    def manages(self):
        try:
            return self.call("GET", "whoami") == 200
        except OSError:
            return False

    def call(self, method, path, body=None):
        """One request to the management API; gives the status."""
        url = f"http://127.0.0.1:{self.port('management')}/api/{path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        manager.add_password(None, url, "iot", self.password("iot"), is_authenticated=True)
        login, no_proxy = urllib.request.HTTPBasicAuthHandler(manager), urllib.request.ProxyHandler({})
        direct = urllib.request.build_opener(no_proxy, login)
        with direct.open(request, timeout=30) as response:
            return response.status

    def has(self, path):
        try:
            return self.call("GET", path) == 200
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise

    def configure(self):
        try:
            self.call("POST", "definitions/%2F", (PROJECT / "broker/definitions.json").read_bytes())
        except urllib.error.HTTPError as error:
            raise Failure(f"the broker refused broker/definitions.json: {error.read().decode(errors='replace')}")
        self.limit_keys()
        self.prime_streams()

    def limit_keys(self):
        """No key over 255 bytes: MQTT takes it, and AMQP can't deliver it (decision 0007, 12). RabbitMQ 4.3 wants the
        exchange to be there; before the registry has bound its queues it must not be, or publishes would vanish."""
        exchange = "exchanges/%2F/sensor_streaming"
        is_new = not self.has(exchange)
        if is_new:
            self.call("PUT", exchange, json.dumps({"type": "topic", "durable": True, "arguments": {
                "alternate-exchange": "sensor_streaming.unrouted"}}).encode())
        self.call("PUT", "topic-permissions/%2F/iot", json.dumps({
            "exchange": "sensor_streaming", "write": r"^(?s:.{0,255})\z", "read": ".*"}).encode())
        if is_new:
            with contextlib.suppress(urllib.error.HTTPError):  # the registry was faster, and has bound it
                self.call("DELETE", exchange + "?if-unused=true")

    def prime_streams(self):
        """Once per instance: a node's first stream starts its stream coordinator, whose registration RabbitMQ 4.0
        writes out about a second later. Killed before that, the node never finds any of its streams again."""
        primed = self.folder / "primed"
        if primed.exists():
            return
        self.call("PUT", "queues/%2F/warm-up", b'{"durable": true, "arguments": {"x-queue-type": "stream"}}')
        self.call("DELETE", "queues/%2F/warm-up")
        time.sleep(2)
        primed.touch()


class Database(Server):
    """One PostgreSQL cluster with TimescaleDB in its template."""

    name, user, home = "database", "postgres", "/var/lib/postgresql"
    stop_signal = signal.SIGINT  # fast shutdown: doesn't wait for clients to leave
    ports = ("database",)
    settings = """
        listen_addresses = '127.0.0.1'
        unix_socket_directories = ''
        max_connections = 200
        shared_preload_libraries = 'timescaledb,pg_stat_statements,pg_stat_kcache'
        timescaledb.telemetry_level = off
        timescaledb.max_background_workers = 16
        max_worker_processes = 32
        max_locks_per_transaction = 256
        shared_buffers = 256MB
        effective_cache_size = 1GB
        work_mem = 16MB
        maintenance_work_mem = 128MB
        wal_compression = lz4
        wal_buffers = 16MB
        min_wal_size = 256MB
        max_wal_size = 2GB
        checkpoint_timeout = 15min
        checkpoint_completion_target = 0.9
        random_page_cost = 1.1
        jit = off
        fsync = on
        synchronous_commit = on
        password_encryption = scram-sha-256
        timezone = 'UTC'
        log_timezone = 'UTC'
        log_line_prefix = '%m [%p] %q%u@%d '
    """

    def prepare(self):
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists() or (self.folder / "unfinished").exists():
            self.create(data)
        settings = "\n".join(line.strip() for line in self.settings.strip().splitlines())
        write(data / "postgresql.conf", f"{settings}\nport = {self.port('database')}\n", owner=self.owner)
        write(data / "pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n", owner=self.owner)

    def create(self, data):
        """initdb; a cluster whose creation was interrupted is created again."""
        (self.folder / "unfinished").touch()
        if data.exists():
            shutil.rmtree(data)
        write(self.folder / "password", self.password("postgres") + "\n", owner=self.owner)
        done = self.run([f"{self.root.database_programs}/initdb", "--pgdata", f"{self.home}/data",
                         "--username", "postgres", "--encoding", "UTF8",
                         "--locale-provider", "builtin", "--locale", "C.UTF-8",
                         "--auth", "scram-sha-256", "--pwfile", f"{self.home}/password"],
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Failure(f"initdb failed:\n{done.stdout}")
        (self.folder / "password").unlink()
        (self.folder / "unfinished").unlink()

    def command(self):
        return [f"{self.root.database_programs}/postgres", "-D", f"{self.home}/data"]

    def answers(self):
        """Whether a connection gets as far as being asked for its password."""
        startup = struct.pack("!I", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
        return exchange(self.port("database"), struct.pack("!I", len(startup) + 4) + startup, 1024)[:1] == b"R"

    def psql(self, arguments, role, database, **options):
        """psql in the root, over TCP like any client. It sees the current folder, and the files of -f."""
        environment = self.environment() | {
            "PGHOST": "127.0.0.1", "PGPORT": str(self.port("database")), "PGUSER": role, "PGDATABASE": database,
            "PGPASSWORD": self.password(role), "TERM": os.environ.get("TERM", "dumb"), "HOME": "/tmp"}
        here = ["--ro-bind", os.getcwd(), "/mnt", "--chdir", "/mnt"]
        with contextlib.ExitStack() as files:
            arguments, opened = given_files(arguments, files)
            for path, file in opened.items():
                # A copy, which the user of the server may read whoever owns the file.
                here += ["--perms", "0444", "--ro-bind-data", str(file.fileno()), path]
            line = self.root.sandbox(self.owner, {}, [f"{self.root.database_programs}/psql", *arguments], here)
            return subprocess.run(line, env=environment, pass_fds=[f.fileno() for f in opened.values()], **options)

    def configure(self):
        """Role, database and extensions; each step only if it is missing. New databases copy template1's extensions."""
        extensions = "".join(f"CREATE EXTENSION IF NOT EXISTS {name};\n"
                             for name in ("timescaledb", "pg_stat_statements", "pg_stat_kcache"))
        self.administer("template1", extensions)
        self.administer("postgres", f"""
            SELECT 'CREATE ROLE iot LOGIN CREATEDB'
                WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'iot') \\gexec
            ALTER ROLE iot PASSWORD '{self.password("iot")}';
            SELECT 'CREATE DATABASE iot OWNER iot'
                WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'iot') \\gexec
            """)

    def administer(self, database, sql):
        sql = "SET client_min_messages = warning;\n" + sql
        done = self.psql(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"], "postgres", database,
                         input=sql, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Failure(f"the database could not be set up:\n{done.stdout}\n{self.log_tail()}")


def given_files(arguments, files):
    """psql's arguments with the files of -f as it sees them, and these files: {its path: open file}."""
    opened, seen, awaited = {}, [], False
    for word in arguments:
        found = re.fullmatch(r"(-[abeElnqsStwWxXzHA01]*f|--file=)(.+)", word, re.S)
        before, path = ("", word) if awaited else found.groups() if found else (word, None)
        if path not in (None, "-"):
            try:
                file = files.enter_context(open(path, "rb"))
            except OSError as error:
                raise Failure(f"can't read {path}: {error.strerror.lower()}") from None
            inside = f"/run/files/{len(opened)}/{os.path.basename(path)}"
            opened[inside] = file
            word = before + inside
        seen.append(word)
        awaited = not awaited and re.fullmatch(r"-[abeElnqsStwWxXzHA01]*f|--file", word) is not None
    return seen, opened


def raise_file_limit():
    """Thousands of MQTT connections need thousands of file descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 1 << 20, hard))


# --- an instance -------------------------------------------------------------------------------------------------


class Instance:
    """A broker and a database that belong together, with their ports and passwords."""

    def __init__(self, name):
        self.name = name
        self.folder = SERVERS / name
        self.state = self.load_state()
        self.root = self.choose_root()
        self.servers = [Broker(self), Database(self)]

    def load_state(self):
        """Chosen once and kept: node name, passwords, ports."""
        try:
            return json.loads((self.folder / "state.json").read_text())
        except FileNotFoundError:
            passwords = {role: secrets.token_hex(16) for role in ("iot", "postgres")}
            suite = os.environ.get("SERVERS") or DEFAULT_SUITE
            node = f"iot-{self.name}-{secrets.token_hex(3)}"
            return {"node": node, "suite": suite, "passwords": passwords, "ports": {}}

    def choose_root(self):
        """That of the suite which the instance was made of: another PostgreSQL could not read its data."""
        suite, asked = self.state.setdefault("suite", DEFAULT_SUITE), os.environ.get("SERVERS")
        if asked and asked != suite:
            Root(asked)
            raise Failure(f"the instance {self.name} was made of {suite}, and its data are not for SERVERS={asked}: "
                          f"take another name, or remove {self.folder.relative_to(PROJECT)}", 64)
        root = Root(suite)
        if not root.is_made:
            raise Failure(f"the servers of {suite} are not installed: run {root.setup}")
        return root

    def choose_ports(self, server):
        """Keeps the server's ports, but not those that another process took meanwhile."""
        ports = self.state["ports"]
        taken = set(ports.values()) | {port for other in SERVERS.glob("*/state.json")
                                       for port in json.loads(other.read_text())["ports"].values()}
        for name in PORTS if not ports else server.ports:
            if name not in ports or not is_free(ports[name]):
                try:
                    ports[name] = free_port(taken)
                except OSError as error:
                    raise Failure(str(error)) from error
                taken.add(ports[name])
        write(self.folder / "state.json", json.dumps(self.state, indent=2) + "\n")

    @contextlib.contextmanager
    def locked(self):
        """One starts or stops at a time; others wait."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.state = self.load_state()
            yield

    def chosen(self, which):
        return [server for server in self.servers if which in (None, server.name)]

    def start(self, which=None):
        """Both start at the same time; what this call started ends again if anything fails or interrupts."""
        begun, started = time.monotonic(), []
        try:
            for server in self.chosen(which):
                if server.pid():
                    server.wait_until_ready()
                    continue
                started.append(server)
                self.choose_ports(server)
                server.spawn()
            for server in reversed(started):  # the database is quicker: it is set up while the broker still boots
                server.wait_until_ready()
                server.configure()
        except BaseException:
            self.end(started)
            raise
        self.write_environment()
        names = " and ".join(server.name for server in started)
        took = f"{names} ready after {time.monotonic() - begun:.1f} s" if started else "already running"
        print(f"servers {self.name}: {took} ({self.root.describe()})", file=sys.stderr)

    def stop(self, which=None, kill=False):
        self.end(self.chosen(which), kill)
        print(f"servers {self.name}: {which or 'broker and database'} stopped", file=sys.stderr)

    @staticmethod
    def end(servers, kill=False):
        for server in servers:
            server.signal_stop(kill)
        for server in servers:
            server.wait_until_gone()

    def write_environment(self):
        ports, password = self.state["ports"], self.state["passwords"]["iot"]
        if len(ports) < len(PORTS):
            return
        at = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        write(self.folder / "env", f"AMQP_URL=amqp://iot:{password}@{at['amqp']}/%2f\n"
              f"MQTT_URL=mqtt://iot:{password}@{at['mqtt']}\n"
              f"DATABASE_URL=postgresql://iot:{password}@{at['database']}/iot\n"
              f"MANAGEMENT_URL=http://iot:{password}@{at['management']}\n"
              f"PROMETHEUS_URL=http://{at['prometheus']}/metrics\n")

    def status(self):
        """One line per server; whether all answer."""
        states = []
        for server in self.servers:
            pid = server.pid()
            states.append("answers" if pid and server.answers() else "runs, but does not answer" if pid else "stopped")
            ports = ", ".join(f"{name} {server.port(name)}" for name in server.ports) if pid else ""
            print(f"{server.name:9} {states[-1]}" + (f", process {pid}, {ports}" if pid else ""))
        return set(states) == {"answers"}


def parse(arguments):
    """(action, instance, server or None, kill, the rest)"""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__)
        sys.exit(0 if arguments else 64)
    action, *rest = arguments
    if action not in ("start", "stop", "restart", "status", "env", "versions", "psql",
                      "rabbitmqctl"):
        raise Failure(f"no such action: {action} (see --help)", 64)
    if action in ("psql", "rabbitmqctl"):
        name, *rest = rest or ["dev"]
        return action, name, None, False, rest
    kill = "--kill" in rest
    rest = [word for word in rest if word != "--kill"]
    which = next((word for word in rest if word in ("broker", "database")), None)
    names = [word for word in rest if word != which] or ["dev"]
    if len(names) > 1:
        raise Failure(f"one instance at a time, not {' '.join(names)}", 64)
    return action, names[0], which, kill, []


def main():
    action, name, which, kill, rest = parse(sys.argv[1:])
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,30}", name) or name.startswith("root") or name in ("broker", "database"):
        raise Failure(f"not a name for an instance: {name}", 64)
    instance = Instance(name)
    if action != "start" and not instance.state["ports"]:
        if action in ("stop", "status"):
            print(f"servers {name}: never started", file=sys.stderr)
            return 0 if action == "stop" else 3
        raise Failure(f"there is no instance {name} yet: scripts/servers start {name}")
    if action == "status":
        return 0 if instance.status() else 3
    if action == "env":
        print((instance.folder / "env").read_text(), end="")
        return 0
    broker, database = instance.servers
    if action == "versions":
        print(instance.root.describe())
        return 0
    if action == "psql":
        return database.psql(rest, "iot", "iot").returncode
    if action == "rabbitmqctl":
        return broker.run(["/usr/lib/rabbitmq/bin/rabbitmqctl", *rest]).returncode
    with instance.locked():
        if action in ("stop", "restart"):
            instance.stop(which, kill)
        if action in ("start", "restart"):
            instance.start(which)
    return 0


def interrupted(number, frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except Failure as failure:
        print(f"scripts/servers: {failure}", file=sys.stderr)
        sys.exit(failure.code)
