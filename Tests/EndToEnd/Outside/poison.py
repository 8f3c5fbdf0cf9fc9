"""Publishes the worst that the broker takes: poison.py PREFIX KIND…, each once, and waits until the broker has it.

PREFIX is the topic's beginning in MQTT's form, "sensor_x/data". URLs come from AMQP_URL and MQTT_URL.
"""
import os
import socket
import struct
import sys
import urllib.parse

import pika

EXCHANGE = "sensor_streaming"


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(value)) + value


def length(count):
    encoded = b""
    while True:
        count, digit = divmod(count, 128)
        encoded += bytes([digit | (128 if count else 0)])
        if not count:
            return encoded


class MQTT:
    """As much of MQTT as it takes: paho would not write most of this."""

    def __init__(self, version):
        url = urllib.parse.urlparse(os.environ["MQTT_URL"])
        self.version = version
        self.socket = socket.create_connection((url.hostname, url.port), timeout=30)
        self.stream = self.socket.makefile("rb")
        properties = b"\0" if version == 5 else b""
        body = text("MQTT") + bytes([version, 0xC2]) + struct.pack("!H", 60) + properties + text(f"poison-{os.getpid()}")
        body += text(urllib.parse.unquote(url.username)) + text(url.password)
        self.socket.sendall(b"\x10" + length(len(body)) + body)
        if self.packet()[1] != 0:
            raise SystemExit("MQTT refused")

    def packet(self):
        head = self.stream.read(1)
        size = self.stream.read(1)
        if not size:
            raise SystemExit("MQTT disconnected")
        return self.stream.read(size[0])

    def publish(self, topic, payload, properties=b""):
        properties = length(len(properties)) + properties if self.version == 5 else b""
        body = text(topic) + struct.pack("!H", 1) + properties + payload
        self.socket.sendall(b"\x32" + length(len(body)) + body)
        answer = self.packet()
        if len(answer) > 2 and answer[2] != 0:
            raise SystemExit(f"PUBACK {answer!r}")
        self.socket.close()


def user_property(name, value):
    return b"\x26" + text(name) + text(value)


def amqp(key, headers):
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish(EXCHANGE, key, b"poison", pika.BasicProperties(headers=headers, delivery_mode=2), mandatory=True)
    connection.close()


class Encoded(dict):
    """Headers that are encoded already: tables within tables, deeper than Python can go."""


def nested(depth):
    table = b""
    for level in range(depth):
        # A stream keeps only headers whose names begin so.
        name = b"a" if level < depth - 1 else b"x-a"
        table = bytes([len(name)]) + name + b"F" + struct.pack("!I", len(table)) + table
    return table


def deep(key):
    table = nested(18_000)
    encode = pika.data.encode_table

    def encode_table(pieces, value):
        if not isinstance(value, Encoded):
            return encode(pieces, value)
        pieces += [struct.pack("!I", len(table)), table]
        return 4 + len(table)

    pika.data.encode_table = encode_table
    amqp(key, Encoded(a=1))


def main():
    prefix, *kinds = sys.argv[1:]
    key = prefix.replace("/", ".")
    verbs = {
        # Over 255 bytes: no key for AMQP 0-9-1.
        "key": lambda: MQTT(4).publish(prefix + "x" * 256, b"poison"),
        "front": lambda: MQTT(4).publish("sensor_" + "x" * 300 + prefix, b"poison"),
        "longest": lambda: MQTT(4).publish("sensor_" + "x" * 65_000 + prefix, b"poison"),
        # No short string either.
        "content-type": lambda: MQTT(5).publish(prefix, b"poison", b"\x03" + text("c" * 300)),
        "correlation": lambda: MQTT(5).publish(prefix, b"poison", b"\x09" + text(b"\xff" * 65_535)),
        "response": lambda: MQTT(5).publish(prefix, b"poison", b"\x08" + text("r" * 65_000)),
        "name": lambda: MQTT(5).publish(prefix, b"poison", user_property("n" * 65_535, "v")),
        # More than a frame of AMQP may hold.
        "headers": lambda: MQTT(5).publish(
            prefix, b"poison", b"".join(user_property(f"n{i}", "v" * 90) for i in range(3000))),
        "value": lambda: MQTT(5).publish(prefix, b"poison", user_property("a", "v" * 65_535) * 3),
        # As much as fits, to which the broker adds its own.
        "full": lambda: amqp(key, {"a": "v" * (131_072 - 80)}),
        "deep": lambda: deep(key),
        "large": lambda: MQTT(4).publish(prefix, b"p" * ((1 << 20) - 200)),
    }
    for kind in kinds:
        verbs[kind]()


main()
