"""The servers that are measured on, and a virtual host and a database for each part."""
import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import psycopg2

from dev.bench.processes import Meter, ended
from dev.project import PROGRAMS, PROJECT

PARTITIONS = 4
DEADLINE = 300.0
INGESTER = "measurements-ingester"
NOBODY = "nobody"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Servers:
    """A broker and a database of this run's own, for the length of a `with` block."""

    def __init__(self):
        self.instance = f"bench-{os.getpid()}"
        self.folder = os.path.join(PROJECT, ".build/servers", self.instance)
        self.environment = {}
        self.versions = ""  # of the servers, in one line

    def __enter__(self):
        say("starting servers")
        try:
            self.call("start")
        except BaseException:
            self.__exit__()
            raise
        self.environment = dict(line.split("=", 1) for line in self.call("env").split())
        self.versions = self.call("versions").strip()
        return self

    def __exit__(self, *_):
        self.call("stop", check=False)
        subprocess.run(["rm", "-rf", self.folder], check=False)

    def call(self, verb, check=True):
        command = [os.path.join(PROJECT, "scripts/servers"), verb, self.instance]
        return subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL).stdout

    def pids(self):
        """The servers' processes, by what they are called in tables."""
        pids = {}
        for title, file in (("PostgreSQL", "database.pid"), ("RabbitMQ", "broker.pid")):
            with open(os.path.join(self.folder, file), encoding="utf-8") as record:
                pids[title] = int(record.read().split()[0])
        return pids


class System:
    """A virtual host and a database of one part's own, and the programs that run on them."""

    def __init__(self, servers, name):
        self.servers, self.name = servers, name
        self.make_virtual_host()
        admin = psycopg2.connect(servers.environment["DATABASE_URL"])
        admin.autocommit = True
        admin.cursor().execute(f"CREATE DATABASE {name}")
        admin.close()
        self.environment = {
            **os.environ, **servers.environment, "HTTP_PORT": "0", "LOG_LEVEL": "warning",
            "DATABASE_URL": self.within("DATABASE_URL"), "AMQP_URL": self.within("AMQP_URL")}
        self.migrate()

    def within(self, variable):
        """The servers' URL, with this system's database or virtual host."""
        return self.servers.environment[variable].rsplit("/", 1)[0] + "/" + self.name

    def make_virtual_host(self):
        self.management("PUT", f"/api/vhosts/{self.name}")
        user = urllib.parse.urlparse(self.servers.environment["AMQP_URL"]).username
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.management("PUT", f"/api/permissions/{self.name}/{user}", everything)
        with open(os.path.join(PROJECT, "broker/definitions.json"), encoding="utf-8") as file:
            self.management("POST", f"/api/definitions/{self.name}", json.load(file))

    def mqtt_url(self):
        """MQTT in this virtual host: RabbitMQ takes it from the user's name."""
        url = urllib.parse.urlparse(self.servers.environment["MQTT_URL"])
        return f"mqtt://{self.name}%3A{url.username}:{url.password}@{url.hostname}:{url.port}"

    def migrate(self):
        """The registry is ready when schema and topology are there."""
        registry = Program(self, "sensor-registry")
        registry.wait_until_ready()
        self.end([registry.child])
        self.database = self.connect()

    def management(self, method, path, body=None):
        url = urllib.parse.urlparse(self.servers.environment["MANAGEMENT_URL"])
        request = urllib.request.Request(
            f"http://{url.hostname}:{url.port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode())
        login = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
        request.add_header("Authorization", "Basic " + login)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    # -- the database ---------------------------------------------------------------------------------------------

    def connect(self):
        connection = psycopg2.connect(self.environment["DATABASE_URL"])
        connection.autocommit = True
        return connection

    def rows(self, sql, *parameters):
        with self.database.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql, *parameters):
        return self.rows(sql, *parameters)[0][0]

    def partitions(self):
        """Of each stream: its number, who holds it, and how many messages are stored."""
        return self.rows(
            """SELECT split_part(stream, '.', 2), CASE WHEN lease_until > clock_timestamp() THEN owner END,
                      coalesce(committed_offset + 1, 0) FROM ingest_partition ORDER BY stream""")

    def forget(self):
        """As if nothing had been stored yet; the streams keep what they hold."""
        self.rows("TRUNCATE measurement, sensor_boot, sequence_gap, latest, quarantine, stream_hole, ingest_replica")
        self.rows(
            "UPDATE ingest_partition SET committed_offset = NULL, fingerprint = NULL, owner = NULL, lease_until = NULL")

    def bytes_of(self, table):
        """Bytes on disk with index, after what follows any big load: a vacuum."""
        self.rows(f"VACUUM {table}")
        return self.one(f"SELECT hypertable_size('{table}')")

    # -- programs -------------------------------------------------------------------------------------------------

    def start(self, program, *arguments, **options):
        command = [PROGRAMS / program, *map(str, arguments)]
        options = {"stdout": subprocess.DEVNULL, "env": self.environment, **options}
        return subprocess.Popen(command, text=True, **options)

    def start_ingesters(self, count):
        return [self.start(INGESTER, "--replica", f"replica-{number}") for number in range(1, count + 1)]

    @staticmethod
    def end(processes):
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait()

    def tool(self, *arguments):
        """What bench-tool measured, and under "used" what it needed itself."""
        output, used = ended(self.start("bench-tool", *arguments, stdout=subprocess.PIPE))
        return {**json.loads(output), "used": used}

    def feed(self, form, messages):
        """Fills the streams; gives what publisher and servers needed for it."""
        with Meter({}, self.servers.pids()) as meter:
            fed = self.tool("feed", "--form", form, "--messages", messages)
        return {"samples": fed["samples"], "used": {"bench-tool feed": fed["used"], **meter.used}}

    def ingest(self, messages, replicas=1):
        """Messages a second from the first lease to the last commit, who held what, and what it needed."""
        self.forget()
        if replicas > 1:
            # They begin at the same time, when each knows of the others: a lease without an owner keeps them waiting.
            self.rows(
                "UPDATE ingest_partition SET owner = %s, lease_until = clock_timestamp() + INTERVAL '3 seconds'", NOBODY)
        processes = self.start_ingesters(replicas)
        began, deadline, partitions = None, time.monotonic() + DEADLINE, self.partitions()
        try:
            with Meter({INGESTER: [process.pid for process in processes]}, self.servers.pids()) as meter:
                while (stored := sum(count for *_, count in partitions)) < messages:
                    partitions = self.partitions()
                    if began is None and held(partitions):
                        began = time.monotonic()
                    if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
                        raise SystemExit(f"bench: only {stored} of {messages} messages were stored")
                    time.sleep(0.01)
                seconds = time.monotonic() - began
        finally:
            self.end(processes)
        return {"messages_per_second": messages / seconds, "held": held(partitions), "used": meter.used}


class Program:
    """A program whose log and report are read."""

    def __init__(self, system, name, *arguments):
        self.name, self.log, self.output = name, tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        environment = system.environment | {"LOG_LEVEL": "info"}  # that is where the port of /readyz stands
        self.child = system.start(name, *arguments, stdout=self.output, stderr=self.log, env=environment)

    def wait_until_ready(self):
        deadline = time.monotonic() + DEADLINE
        while True:
            found = re.search(r'"http_port":"(\d+)"', self.text(self.log))
            try:
                if found:
                    return urllib.request.urlopen(f"http://127.0.0.1:{found.group(1)}/readyz", timeout=5).read()
            except OSError:
                pass
            if time.monotonic() > deadline or self.child.poll() is not None:
                raise SystemExit(f"bench: {self.name} is not ready: {self.text(self.log)[-500:]}")
            time.sleep(0.05)

    @staticmethod
    def text(file):
        # Not by seek: the child writes at the same position.
        return os.pread(file.fileno(), 1 << 30, 0).decode()


def held(partitions):
    """The streams of each replica, such as {"replica-1": ["0", "1"]}."""
    owners = sorted({owner for _, owner, _ in partitions} - {None, NOBODY})
    return {owner: [number for number, other, _ in partitions if other == owner] for owner in owners}
