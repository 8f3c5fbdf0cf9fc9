"""Sensors that flush what they kept the moment a broker's MQTT port opens; counts what was confirmed and is not there.

Usage: first-publishes.py INSTANCE ROUNDS [HELD]

Each round restarts the broker of that instance of scripts/servers, every other round by SIGKILL. Meanwhile 12 sensors
(MQTT 3.1.1, plain sockets) try to connect, and each writes CONNECT and 300 PUBLISHes (QoS 1) in one piece. What is not
confirmed a sensor sends again. Then four streams and two quorum queues are read to the last message confirmed. In HELD
more rounds one stream can't start, because its folder is closed, until the broker is up and either said that MQTT stays
closed or confirmed something. Prints a line for each round on stderr, and the sums as JSON on stdout. The virtual host
is that of AMQP_URL and MQTT_URL; the topology is this client's own.
"""
import collections
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

import pika

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXCHANGE, HASHED = "sensor_streaming", "first_publishes.hashed"
STREAMS = [f"first_publishes.{number}" for number in range(4)]
QUEUES = {"registry": "first_publishes.registry", "logs": "first_publishes.logs"}
SENSORS, EACH = 12, 300
DEADLINE = 120  # seconds for one round


def field(data):
    return struct.pack("!H", len(data)) + data


def packet(kind, body):
    size, length = b"", len(body)
    while True:
        size += bytes([length % 128 | (0x80 if length > 127 else 0)])
        length //= 128
        if not length:
            return bytes([kind]) + size + body


class Sensor:
    """One device: what it has still to send, and what was confirmed."""

    def __init__(self, url, name, number):
        self.address = (url.hostname, url.port)
        login = [urllib.parse.unquote(text).encode() for text in (url.username, url.password)]
        options = struct.pack("!BBH", 4, 0xC2, 60)  # MQTT 3.1.1; user, password, clean session
        self.connect = packet(0x10, field(b"MQTT") + options + b"".join(map(field, [name.encode(), *login])))
        self.left = {}
        for index in range(1, EACH + 1):
            kind = {8: "registry", 9: "logs"}.get(index % 10, "data")
            body = field(f"{name}/{kind}".encode()) + struct.pack("!H", index) + f"{name} {number} {index}".encode()
            self.left[index] = (f"{name} {number} {index}", packet(0x32, body))
        self.confirmed, self.connections, self.confirmed_at_first = [], 0, 0

    def flush(self, deadline):
        """Until all is confirmed."""
        while self.left and time.monotonic() < deadline:
            try:
                with socket.create_connection(self.address, timeout=10) as connection:
                    connection.sendall(self.connect + b"".join(data for _, data in self.left.values()))
                    self.connections += 1
                    self.read(connection, deadline)
            except OSError:
                pass
            if self.connections == 1 and not self.confirmed_at_first:
                self.confirmed_at_first = len(self.confirmed)
            time.sleep(0.002)

    def read(self, connection, deadline):
        buffer = b""
        while self.left and time.monotonic() < deadline:
            data = connection.recv(65536)
            if not data:
                return
            buffer += data
            while len(buffer) >= 4:  # CONNACK and PUBACK have four bytes each
                if buffer[0] == 0x40:
                    self.confirmed.append(self.left.pop(struct.unpack("!H", buffer[2:4])[0])[0])
                buffer = buffer[4:]


class Broker:
    """The topology, and what is in it."""

    def __init__(self, url):
        self.parameters = pika.URLParameters(url)
        self.parameters.heartbeat = 0
        self.offsets = dict.fromkeys(STREAMS, "first")
        self.stored = collections.Counter()

    def declare(self):
        with pika.BlockingConnection(self.parameters) as connection:
            channel = connection.channel()
            channel.exchange_declare(EXCHANGE, "topic", durable=True)
            channel.exchange_declare(HASHED, "x-modulus-hash", durable=True)
            channel.exchange_bind(HASHED, EXCHANGE, "*.data")
            for stream in STREAMS:
                channel.queue_declare(stream, durable=True, arguments={"x-queue-type": "stream"})
                channel.queue_bind(stream, HASHED, stream)
            for kind, queue in QUEUES.items():
                channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
                channel.queue_bind(queue, EXCHANGE, f"*.{kind}")

    def read(self, wanted):
        """Until all of `wanted` came, or nothing for five seconds."""
        with pika.BlockingConnection(self.parameters) as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=1000)
            last = time.monotonic()

            def take(channel, method, properties, body):
                nonlocal last
                last = time.monotonic()
                self.stored[body.decode()] += 1
                offset = (properties.headers or {}).get("x-stream-offset")
                if offset is not None:
                    self.offsets[method.consumer_tag] = offset + 1
                channel.basic_ack(method.delivery_tag)

            for queue in QUEUES.values():
                channel.basic_consume(queue, take)
            for stream in STREAMS:
                offset = self.offsets[stream]
                channel.basic_consume(stream, take, consumer_tag=stream, arguments={"x-stream-offset": offset})
            while time.monotonic() < last + 5 and not all(name in self.stored for name in wanted):
                connection.process_data_events(time_limit=0.1)


def play(broker, urls, instance, kill, held):
    """One restart: (confirmed, lost of them, confirmed on a first connection, never confirmed)."""
    amqp, mqtt = urls
    servers(instance, "stop", *kill).communicate()
    folders = list((ROOT / ".build/servers" / instance / "broker").glob("mnesia/*/stream/*first_publishes_0_*"))
    log = ROOT / ".build/servers" / instance / "broker.log"
    told = log.stat().st_size
    if held:
        assert folders, "the stream has no folder"
        for folder in folders:
            folder.chmod(0)
    start = servers(instance, "start")
    sensors = [Sensor(mqtt, f"sensor_first{index}", time.time_ns()) for index in range(SENSORS)]
    deadline = time.monotonic() + DEADLINE
    threads = [threading.Thread(target=sensor.flush, args=(deadline,)) for sensor in sensors]
    for thread in threads:
        thread.start()
    if held:
        while time.monotonic() < deadline - DEADLINE / 2:
            if b"MQTT stays closed" in log.read_bytes()[told:]:
                break
            if is_open(amqp) and any(sensor.confirmed for sensor in sensors):
                break
            time.sleep(0.05)
        for folder in folders:
            folder.chmod(0o750)
    for thread in threads:
        thread.join()
    said = start.communicate()[0]
    if start.returncode:
        raise SystemExit(f"the broker did not start again: {said}")
    confirmed = [name for sensor in sensors for name in sensor.confirmed]
    broker.read(confirmed)
    lost = sum(name not in broker.stored for name in confirmed)
    first = sum(sensor.confirmed_at_first for sensor in sensors)
    return len(confirmed), lost, first, sum(len(sensor.left) for sensor in sensors)


def servers(instance, verb, *flags):
    """A call of scripts/servers for the broker."""
    return subprocess.Popen([ROOT / "scripts/servers", verb, instance, "broker", *flags],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def is_open(url):
    try:
        socket.create_connection((url.hostname, url.port), timeout=1).close()
        return True
    except OSError:
        return False


def main():
    instance, rounds, held = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0
    broker, sums = Broker(os.environ["AMQP_URL"]), [0, 0, 0, 0]
    urls = [urllib.parse.urlparse(os.environ[name]) for name in ("AMQP_URL", "MQTT_URL")]
    broker.declare()
    for number in range(rounds + held):
        kill = ["--kill"] if number % 2 else []  # first a stop: what is new is then on disk
        counts = play(broker, urls, instance, kill, number >= rounds)
        sums = [one + other for one, other in zip(sums, counts)]
        how = ("SIGKILL" if kill else "stop") + (", a stream held" if number >= rounds else "")
        print(f"{number + 1:2} {how:24} confirmed {counts[0]}, of them lost {counts[1]}, confirmed on the first "
              f"connection {counts[2]}, never confirmed {counts[3]}", file=sys.stderr, flush=True)
    print(json.dumps(dict(zip(("confirmed", "lost", "confirmed_at_first", "unconfirmed"), sums))))


if __name__ == "__main__":
    main()
