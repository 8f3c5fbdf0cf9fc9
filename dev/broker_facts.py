"""Checks what docs/decisions/0007 says of RabbitMQ, on a broker of its own, and prints a line for each point.

    scripts/broker-facts            SERVERS=forky for the newer broker

Points 7 (no order between publishers) and 12 (what can't be delivered) are left out: 7 was seen once in eight runs, and 12 has
tests (UndeliverableTests). 11 has FirstPublishesTests.
"""
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import paho.mqtt.client as mqtt
import pika

from dev.project import PROJECT

VHOST, EXCHANGE = "facts", "sensor_streaming"
KILLED = 5  # streams and quorum queues that are declared just before a kill
QUORUM, STREAM = {"x-queue-type": "quorum"}, {"x-queue-type": "stream"}


class Broker:
    """An instance of scripts/servers, and a virtual host of it."""

    def __init__(self):
        self.instance = f"facts-{os.getpid()}"
        self.folder = PROJECT / ".build/servers" / self.instance
        self.servers("start")
        self.urls = dict(line.split("=", 1) for line in self.servers("env").split())
        self.call("PUT", f"/api/vhosts/{VHOST}")
        self.call("PUT", f"/api/permissions/{VHOST}/iot", {"configure": ".*", "write": ".*", "read": ".*"})

    def servers(self, verb, *arguments, check=True):
        command = [PROJECT / "scripts/servers", verb, self.instance, *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True).stdout

    def evaluate(self, expression):
        return self.servers("rabbitmqctl", "eval", expression).strip()

    def call(self, method, path, body=None):
        url = urllib.parse.urlparse(self.urls["MANAGEMENT_URL"])
        request = urllib.request.Request(f"http://{url.hostname}:{url.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        manager.add_password(None, request.full_url, url.username, url.password, is_authenticated=True)
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(manager))
        with opener.open(request, timeout=30) as answer:
            return answer.read()

    def amqp(self):
        url = self.urls["AMQP_URL"].rsplit("/", 1)[0] + "/" + VHOST
        parameters = pika.URLParameters(url)
        parameters.heartbeat = 0
        return pika.BlockingConnection(parameters)

    def device(self, version, name):
        """A connected MQTT client, and the reason codes of its PUBACKs by message id."""
        url = urllib.parse.urlparse(self.urls["MQTT_URL"])
        client = mqtt.Client(client_id=name, protocol=version)
        client.username_pw_set(f"{VHOST}:{url.username}", url.password)
        client.answers, connected, client.ended = {}, threading.Event(), threading.Event()
        client.on_connect = lambda *_: connected.set()
        client.on_disconnect = lambda *_: client.ended.set()
        client.on_publish = lambda _, __, mid, *rest: client.answers.setdefault(mid, rest)
        client.connect(url.hostname, url.port)
        client.loop_start()
        if not connected.wait(10):
            raise SystemExit("broker-facts: no CONNACK")
        return client

    def end(self):
        self.servers("stop", check=False)
        subprocess.run(["rm", "-rf", self.folder], check=False)


def is_there(broker, queue):
    """Whether a passive declaration succeeds."""
    connection = broker.amqp()
    try:
        connection.channel().queue_declare(queue, passive=True)
        return True
    except pika.exceptions.ChannelClosedByBroker:
        return False
    finally:
        if connection.is_open:
            connection.close()


def killed_after_declaring(broker):
    """1 and 2: queues declared just before SIGKILL; how long a stream answers 404 after AMQP is up."""
    with broker.amqp() as connection:
        for index in range(KILLED):
            connection.channel().queue_declare(f"young.stream.{index}", durable=True, arguments=STREAM)
            connection.channel().queue_declare(f"young.quorum.{index}", durable=True, arguments=QUORUM)
    log = broker.folder / "broker.log"
    before = log.stat().st_size
    broker.servers("stop", "broker", "--kill")
    starting = threading.Thread(target=broker.servers, args=("start", "broker"))
    starting.start()
    seen, refused = None, 0.0
    while seen is None or starting.is_alive():
        try:
            there = is_there(broker, "young.stream.0")
            seen = seen or time.monotonic()
            if not there:
                refused = time.monotonic() - seen
        except pika.exceptions.AMQPError:
            pass
        time.sleep(0.01)
    starting.join()
    again = log.read_bytes()[before:].count(b"was not found on this node")
    lost = [kind for kind in ("stream", "quorum") for index in range(KILLED) if not is_there(broker, f"young.{kind}.{index}")]
    yield 1, (f"declared just before SIGKILL: {lost.count('stream')} of {KILLED} streams and {lost.count('quorum')} of {KILLED} "
              f"quorum queues do not come up; {again} members of quorum queues began as new ones")
    yield 2, f"after a restart a stream answered 404 for {refused:.2f} s from the first AMQP connection on"


def full_queue(broker):
    """3: a full queue that rejects, seen from MQTT."""
    with broker.amqp() as connection:
        channel = connection.channel()
        channel.exchange_declare(EXCHANGE, "topic", durable=True)
        channel.queue_declare("full", durable=True, arguments={**QUORUM, "x-max-length": 1, "x-overflow": "reject-publish"})
        channel.queue_bind("full", EXCHANGE, "full.data")
        for version, title in ((mqtt.MQTTv311, "3.1.1"), (mqtt.MQTTv5, "5")):
            device = broker.device(version, "facts-" + title)
            for _ in range(20):  # one after the other: the limit is a soft one
                device.publish("full/data", b"x", qos=1).wait_for_publish(1)
            yield 3, f"MQTT {title}: {len(device.answers)} of 20 publishes to a full queue that rejects were answered"
            device.disconnect()
        channel.queue_purge("full")


def redelivered(broker):
    """4: no delivery limit."""
    policy = {"pattern": "^tried$", "apply-to": "quorum_queues", "definition": {"delivery-limit": -1}}
    broker.call("PUT", f"/api/policies/{VHOST}/tried", policy)
    with broker.amqp() as connection:
        channel = connection.channel()
        channel.queue_declare("tried", durable=True, arguments=QUORUM)
        channel.confirm_delivery()
        channel.basic_publish("", "tried", b"x")
        for _ in range(100):
            method, _, _ = next(channel.consume("tried", inactivity_timeout=10))
            channel.basic_nack(method.delivery_tag, requeue=True)
        method, _, _ = next(channel.consume("tried", inactivity_timeout=10))
        yield 4, f"delivery-limit -1 is accepted; after 100 redeliveries the message is {'there' if method else 'gone'}"


def packet_limit(broker):
    """5: what the MQTT packet limit counts."""
    results = []
    limit = 1_048_576
    for total in range(limit, limit + 6):
        device = broker.device(mqtt.MQTTv311, f"facts-{total}")
        # 1 byte type, 3 bytes length, 2 + 9 topic, 2 message id.
        device.publish("size/data", bytes(total - 4 - 2 - 9 - 2), qos=1)
        deadline = time.monotonic() + 10
        while not device.answers and not device.ended.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        results.append(f"{total}: {'taken' if device.answers else 'disconnected' if device.ended.is_set() else 'no answer'}")
        device.disconnect()
    yield 5, f"limit {limit}; packets by bytes in all: {', '.join(results)}"


def stamp(broker):
    """6: who stamps a message."""
    with broker.amqp() as connection:
        channel = connection.channel()
        channel.queue_declare("stamped", durable=True, arguments=QUORUM)
        properties = pika.BasicProperties(timestamp=1, headers={"timestamp_in_ms": 5})
        channel.confirm_delivery()
        channel.basic_publish("", "stamped", b"x", properties)
        _, found, _ = next(channel.consume("stamped", inactivity_timeout=10))
        ours = abs(found.headers["timestamp_in_ms"] / 1000 - time.time()) < 60
        yield 6, (f"the property timestamp of 1 arrives as {found.timestamp}; the header timestamp_in_ms is the "
                  f"broker's, a forged one is overwritten ({ours})")


def offsets(broker):
    """8 and 9: offsets at segments, and the message count of a stream."""
    with broker.amqp() as connection:
        channel = connection.channel()
        small = {**STREAM, "x-stream-max-segment-size-bytes": 100_000, "x-max-length-bytes": 50_000_000}
        channel.queue_declare("segments", durable=True, arguments=small)
        channel.confirm_delivery()
        for _ in range(300):
            channel.basic_publish("", "segments", bytes(2000))
        count, begun = 0, time.monotonic()
        first = channel.queue_declare("segments", passive=True).method.message_count
        while count < 300 and time.monotonic() < begun + 60:
            count = channel.queue_declare("segments", passive=True).method.message_count
            time.sleep(0.05)
        took = time.monotonic() - begun
        channel.basic_qos(prefetch_count=300)
        seen = []
        for method, properties, _ in channel.consume("segments", arguments={"x-stream-offset": "first"}, inactivity_timeout=10):
            if method is None:
                break
            seen.append(properties.headers["x-stream-offset"])
            channel.basic_ack(method.delivery_tag)
            if len(seen) == 300:
                break
        gaps = [b - a - 1 for a, b in zip(seen, seen[1:]) if b != a + 1]
        yield 8, f"{len(seen)} messages in segments of 100 kB: {len(gaps)} gaps between offsets, the largest of {max(gaps, default=0)}"
        yield 9, f"message count of a stream just after 300 confirms: {first}; right after {took:.1f} s (1: {count})"


def send_timeout(broker):
    """10: the listener's limit for a client that takes nothing."""
    options = broker.evaluate("{ok, O} = application:get_env(rabbit, tcp_listen_options), proplists:get_value(send_timeout, O).")
    yield 10, f"send_timeout of the listener, set by broker/rabbitmq.conf: {options} ms"


def main():
    if sys.argv[1:]:
        print(__doc__)
        return 64
    broker = Broker()
    try:
        print(broker.servers("versions").strip(), flush=True)
        for check in (killed_after_declaring, full_queue, redelivered, packet_limit, stamp, offsets, send_timeout):
            for point, line in check(broker):
                print(f"{point:3}  {line}", flush=True)
    finally:
        broker.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
