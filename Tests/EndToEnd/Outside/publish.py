"""An outside client: publishes with pika, paho and the official protobuf what our own programs never would.

Prints, as JSON, what the test needs to know. URLs come from AMQP_URL and MQTT_URL.
"""
import importlib
import json
import math
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

import paho.mqtt.client
import pika

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXCHANGE = "sensor_streaming"


def compiled(name):
    """A module of proto/, by the official compiler."""
    with tempfile.TemporaryDirectory() as target:
        # All of them: one may import another.
        files = [path.name for path in (ROOT / "proto").glob("*.proto")]
        subprocess.run(["protoc", f"--proto_path={ROOT}/proto", f"--python_out={target}", *files], check=True)
        sys.path.insert(0, target)
        return importlib.import_module(f"{name}_pb2")


WIRE = compiled("measurement")


def frame(sequence, values, start=None, **changes):
    frame = WIRE.Frame(schema=1, boot_id=7, sequence=sequence, sample_rate_hz=1000.0,
                       start_unix_ns=start if start is not None else time.time_ns())
    block = frame.blocks.add(channel=0)
    block.floats.samples.extend(values)
    for name, value in changes.items():
        setattr(frame, name, value)
    return frame.SerializeToString()


class AMQP:
    def __init__(self):
        self.connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def publish(self, key, body, expiration=None):
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.channel.basic_publish(
                    EXCHANGE, key, body, pika.BasicProperties(delivery_mode=2, expiration=expiration),
                    mandatory=True)
            except pika.exceptions.UnroutableError:
                # A broker that has just started returns what its streams can't take yet (decision 0007, no. 2).
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def rubbish(amqp):
    random.seed(1)
    key = "sensor_bad1.data"
    good = frame(0, [1.0, 2.0, 3.0])
    amqp.publish(key, good)
    amqp.publish(key, random.randbytes(200))                      # undecodable
    amqp.publish(key, good[:-3])                                  # undecodable: truncated
    amqp.publish(key, b"\x00" * 1_000_000)                        # undecodable: 1 MB of junk
    amqp.publish(key, frame(9, [1.0], schema=3))                  # newer_schema
    amqp.publish(key, frame(9, [], sample_rate_hz=5.0))           # invalid_frame: no samples
    amqp.publish(key, frame(9, [1.0, 2.0], sample_rate_hz=-1.0))  # invalid_frame: no rate
    amqp.publish(key, frame(9, [0.0] * 65_537))                   # invalid_frame: too many
    amqp.publish(key, b'{"temperature": "21.5"}')                 # no_numeric_fields
    amqp.publish(key, frame(1, [1.0, float("nan"), 3.0]))
    amqp.publish(key, frame(2, [4.0]))
    return {"good": 2}


def unroutable(amqp):
    amqp.publish("sensor_a.b.data", frame(0, [1.0]))
    amqp.publish("sensor_bad2.dta", frame(0, [1.0]))
    amqp.publish("sensor_bad2", frame(0, [1.0]))
    amqp.publish("sensor_bad2.data.more", frame(0, [1.0]))
    amqp.publish("sensor_ä.data", frame(0, [1.0]))
    for key in ["sensor_bad2.registry", "sensor_bad2.acks", "sensor_bad2.logs"]:
        amqp.publish(key, b"\xff\xff\xff")
    amqp.publish("sensor_bad2.data", frame(0, [1.0]))
    return {"good": 0}


def one_unroutable(amqp):
    amqp.publish("sensor_q.nothing", b"x")
    return {}


def dates(amqp):
    day = 86_400_000_000_000
    for index in range(1500):
        amqp.publish("sensor_bad3.data", frame(2 * index, [1.0], start=1 + index * day))
        amqp.publish("sensor_bad3.data", frame(2 * index + 1, [1.0], start=4_102_444_800_000_000_000 + index * day))
    amqp.publish("sensor_bad3.data", frame(3000, [1.0]))
    amqp.publish("sensor_bad5.data", frame(0, [1.0], start=time.time_ns() + day))
    amqp.publish("sensor_bad6.data", frame(0, [1.0], start=0))
    return {"good": 3000}


def many_rows(amqp):
    """Small frames that become as many rows as a frame may: 64 channels, a sample a minute for an hour."""
    minute, start = 60_500_000_000, time.time_ns() - 3 * 3600 * 1_000_000_000
    for sequence in range(100):
        many = WIRE.Frame(schema=1, boot_id=7, sequence=sequence, sample_rate_hz=1e9 / minute,
                          start_unix_ns=start + sequence)
        for channel in range(64):
            block = many.blocks.add(channel=channel)
            block.counts.counts = struct.pack("<60h", *range(60))
            block.counts.scale = 1
        amqp.publish("sensor_rows.data", many.SerializeToString())
    return {"good": 99}


def unnumbered(amqp):
    """A device that fills in neither boot nor sequence."""
    for value in range(3):
        amqp.publish("sensor_plain.data", frame(0, [float(value)], boot_id=0))
    return {"good": 3}


def large(amqp):
    answer = {"amqp_refused": 0, "mqtt_refused": 0, "good": 1}
    amqp.publish("sensor_bad4.data", frame(0, [1.0]))
    try:
        amqp.publish("sensor_bad4.data", b"x" * 20_000_000)
    except pika.exceptions.AMQPError:
        answer["amqp_refused"] = 1
    lost = []
    client = mqtt(on_disconnect=lambda *_: lost.append(1))
    client.publish("sensor_bad4/data", b"x" * 20_000_000, qos=1)
    deadline = time.monotonic() + 30
    while not lost and time.monotonic() < deadline:
        client.loop(0.1)
    answer["mqtt_refused"] = min(1, len(lost))
    client = mqtt()
    client.loop_start()
    client.publish("sensor_bad4/data", frame(1, [2.0]), qos=1).wait_for_publish(30)
    client.loop_stop()
    return answer


def mqtt(on_disconnect=None):
    url = urllib.parse.urlparse(os.environ["MQTT_URL"])
    client = paho.mqtt.client.Client("outside-" + str(os.getpid()))
    client.username_pw_set(urllib.parse.unquote(url.username), url.password)
    client.on_disconnect = on_disconnect
    connected = []
    client.on_connect = lambda _c, _d, _f, code: connected.append(code)
    client.connect(url.hostname, url.port)
    deadline = time.monotonic() + 30
    while not connected and time.monotonic() < deadline:
        client.loop(0.1)
    if connected != [0]:
        raise SystemExit(f"MQTT refused: {connected}")
    return client


def junk(amqp):
    for number in range(100):
        amqp.publish(f"sensor_place{number}.data", b"\xff")
    return {}


def load_frames(amqp):
    """PREFIX SENSORS FIRST COUNT START_NS SAMPLES: the same frames again if called again, 100 ms apart."""
    prefix, (sensors, first, count, start, samples) = sys.argv[2], map(int, sys.argv[3:])
    for sequence in range(first, first + count):
        body = frame(sequence, [float(sequence % 1000)] * samples, start=start + sequence * 100_000_000,
                     sample_rate_hz=1e6)
        for sensor in range(sensors):
            amqp.publish(f"sensor_{prefix}-{sensor}.data", body)
    return {}


def large_frames(amqp):
    """PREFIX SENSORS INTERVAL_MS START_NS: frames of just below 1 MiB, one for each sensor every so often, until SIGTERM."""
    prefix, (sensors, interval, start) = sys.argv[2], map(int, sys.argv[3:])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    message = WIRE.Frame(schema=1, boot_id=7, sample_rate_hz=1e6)
    for channel in range(4):
        message.blocks.add(channel=channel).floats.samples.extend(float(k % 1000) for k in range(65_400))
    begin, sequence = time.monotonic(), 0
    while True:
        message.sequence, message.start_unix_ns = sequence, start + sequence * 100_000_000
        body = message.SerializeToString()
        for sensor in range(sensors):
            amqp.publish(f"sensor_{prefix}-{sensor}.data", body)
        sequence += 1
        if signal.sigtimedwait({signal.SIGTERM}, max(0, begin + sequence * interval / 1000 - time.monotonic())):
            return {"frames": sequence, "bytes": len(body)}


def burst(amqp):
    """Straight into one stream, without confirms: so a chunk of the stream holds thousands."""
    channel = amqp.connection.channel()
    for _ in range(10_000):
        channel.basic_publish("", "measurements.1", b"\xff")
    amqp.publish("sensor_first.data", b"\xff")
    channel.queue_declare("measurements.1", passive=True)  # an answer, so all before it have arrived
    return {}


def one(amqp):
    amqp.channel.basic_publish("", "measurements.0", b"\xff")
    amqp.publish("sensor_last.data", b"\xff")
    return {}


def hostile(amqp):
    key, top = "sensor_hostile.data", 2**63 - 1
    amqp.publish(key, frame(top, [1.0]))                                     # no successor
    amqp.publish(key, frame(2**64 - 1, [1.0]))                               # no bigint
    amqp.publish(key, frame(0, [1.0, 2.0], sample_rate_hz=1e-6))             # spans more than a day
    amqp.publish(key, frame(1, [1.0], boot_id=top, start=top))
    amqp.publish(key, frame(2, [1.0], boot_id=top, start=-top))
    amqp.publish(key, frame(3, [1.0, 2.0], boot_id=top, sample_rate_hz=1e9))
    amqp.publish(key, frame(2**53 - 1, [1.0], boot_id=5))                    # the greatest that there is
    return {}


def logs(amqp):
    line_type = compiled("log").LogLine
    for number in range(9):
        line = line_type(at_unix_ns=time.time_ns(), level=2, text=f"line {number}", boot_id=1)
        amqp.publish("sensor_writer.logs", line.SerializeToString())
    return {}


def poisoned_logs(amqp):
    logs(amqp)
    amqp.publish("sensor_writer.logs", b"\xff\xff")
    return {}


def device_json(_):
    client = mqtt()
    client.loop_start()
    now = time.time()
    readings = [
        {"temperature": 21.5, "door": True, "name": "x", "time": now},
        {"temperature": 21.6, "humidity": 40, "ts": int(now * 1000)},
        {"temperature": 21.7, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))},
        {"temperature": 21.8, "nested": {"deep": 1}},
        {"temperature": 21.9},
    ]
    for reading in readings:
        client.publish("sensor_json1/data", json.dumps(reading), qos=1).wait_for_publish(30)
    client.loop_stop()
    return {}


def frames(amqp):
    """frames SERIAL BOOT FIRST LAST [SAMPLES]: frames of one boot, from the first sequence to the last."""
    serial, boot, first, last, samples = (sys.argv[2:] + ["3"])[:5]
    for sequence in range(int(first), int(last) + 1):
        amqp.publish(f"sensor_{serial}.data", frame(sequence, [1.0] * int(samples), boot_id=int(boot)))
    return {}


def sine(amqp):
    """sine SERIAL BOOT COUNT: frames of 1.02 s of a steady sine, 10 Hz at 500 Hz and amplitude 1, from 1.034 s before a
    full minute on, about ten minutes ago. The first full minute cuts seven samples off, all below zero."""
    serial, boot, count = sys.argv[2:]
    start = (time.time_ns() // 60_000_000_000 - 10) * 60_000_000_000 - 1_034_000_000
    for sequence in range(int(count)):
        values = [math.sin(2 * math.pi * (k + 25) / 50) for k in range(sequence * 510, (sequence + 1) * 510)]
        body = frame(sequence, values, start + sequence * 1_020_000_000, boot_id=int(boot), sample_rate_hz=500.0)
        amqp.publish(f"sensor_{serial}.data", body)
    return {"start": start}


def announce(amqp):
    """announce SERIAL BOOT NEXT DROPPED STATE: what a sensor says of a boot."""
    serial, boot, following, dropped, state = sys.argv[2:]
    said = compiled("registration").Announcement(
        schema=1, boot_id=int(boot), connection=1, state=int(state), next_sequence=int(following),
        frames_dropped=int(dropped), at_unix_ns=time.time_ns())
    amqp.publish(f"sensor_{serial}.registry", said.SerializeToString())
    return {}


def ask_time(_):
    """A sensor without a clock asks for the time, over MQTT."""
    answers = []
    client = mqtt()
    client.on_message = lambda _c, _d, message: answers.append((message, time.time_ns()))
    client.loop_start()
    client.subscribe("sensor_clockless/commands/#", qos=1)
    said = compiled("registration").Announcement(schema=1, boot_id=1, connection=1, state=1, wants_time=True)
    deadline = time.monotonic() + 30
    while not answers and time.monotonic() < deadline:
        # The subscription may come after the first one.
        client.publish("sensor_clockless/registry", said.SerializeToString(), qos=1).wait_for_publish(30)
        for _ in range(20):
            time.sleep(0.1)
            if answers:
                break
    client.loop_stop()
    if not answers:
        raise SystemExit("nobody told the time")
    message, arrived = answers[0]
    command = compiled("command").Command.FromString(message.payload)
    arguments = {argument.name: argument.text for argument in command.arguments}
    return {
        "topic_is_right": int(message.topic == "sensor_clockless/commands/time" and command.name == "time"),
        "off_ms": abs(arrived - int(arguments["unix_ns"])) // 1_000_000,
        "valid_ms": (command.expires_unix_ns - command.issued_unix_ns) // 1_000_000,
        "issued_is_argument": int(command.issued_unix_ns == int(arguments["unix_ns"])),
    }


def give(amqp):
    """Gives sensor argv[2] the command sleep with the id argv[3], for argv[4] milliseconds."""
    serial, identity, milliseconds = sys.argv[2:]
    now = time.time_ns()
    command = compiled("command").Command(
        id=identity, name="sleep", issued_unix_ns=now, expires_unix_ns=now + int(milliseconds) * 1_000_000,
        issuer="an outside client")
    command.arguments.add(name="depth", number=2)
    amqp.publish(f"sensor_{serial}.commands.sleep", command.SerializeToString(), expiration=milliseconds)


def late_ack(amqp):
    """Sensor argv[2] says that it has done command argv[3]."""
    ack = compiled("command").Ack(id=sys.argv[3], outcome=2, at_unix_ns=time.time_ns())
    amqp.publish(f"sensor_{sys.argv[2]}.acks", ack.SerializeToString())
    return {}


def values(amqp):
    """values SERIAL BOOT FIRST V,V,…: a frame of a single sample for each value, from sequence FIRST on."""
    serial, boot, first, samples = sys.argv[2:]
    for sequence, value in enumerate(samples.split(","), int(first)):
        amqp.publish(f"sensor_{serial}.data", frame(sequence, [float(value)], boot_id=int(boot)))
    return {}


def steady(amqp):
    """steady SERIAL BOOT COUNT INTERVAL_MS: frames of a single sample, 10, as time goes on. Says when the first was taken."""
    serial, (boot, count, interval) = sys.argv[2], map(int, sys.argv[3:])
    begin, start = time.monotonic(), time.time_ns()
    for sequence in range(count):
        time.sleep(max(0, begin + sequence * interval / 1000 - time.monotonic()))
        body = frame(sequence, [10.0], start + sequence * interval * 1_000_000, boot_id=boot)
        amqp.publish(f"sensor_{serial}.data", body)
    return {"start": start}


def crossings(amqp):
    """crossings SERIAL BOOT FIRST COUNT INTERVAL_MS [LISTEN_S]: a square wave of single samples, 10 and 0 in turn, COUNT times
    each, from sequence FIRST on. Says how long after its frame each alarm came, as any client of the broker hears it, and all
    ids of triggers and clears that came until LISTEN_S after the last frame."""
    serial, (boot, first, count, interval), listen = sys.argv[2], map(int, sys.argv[3:7]), float((sys.argv[7:] + ["0"])[0])
    alarm_type = compiled("alarm").Alarm
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, EXCHANGE, f"sensor_{serial}.alarms.#")
    heard, sent = {"trigger": [], "clear": []}, {}

    def hear(until):
        while True:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method:
                alarm, now = alarm_type.FromString(body), time.time()
                heard[method.routing_key.rsplit(".", 1)[1]].append(
                    {"id": alarm.id, "sequence": alarm.sequence, "epoch": alarm.epoch, "late": alarm.late,
                     "delay": now - sent[alarm.sequence] if alarm.sequence in sent else None})
            elif time.monotonic() >= until:
                return
            else:
                time.sleep(0.005)

    for sequence in range(first, first + 2 * count):
        body = frame(sequence, [10.0 if sequence % 2 == first % 2 else 0.0], boot_id=boot)
        sent[sequence] = time.time()
        amqp.publish(f"sensor_{serial}.data", body)
        hear(time.monotonic() + interval / 1000)
    hear(time.monotonic() + listen)
    return heard


if __name__ == "__main__":
    verbs = {
        "rubbish": rubbish, "unroutable": unroutable, "dates": dates, "large": large,
        "many-rows": many_rows, "unnumbered": unnumbered, "junk": junk, "json": device_json,
        "burst": burst, "one": one, "hostile": hostile, "logs": logs, "poisoned-logs": poisoned_logs,
        "frames": frames, "sine": sine, "one-unroutable": one_unroutable, "load-frames": load_frames,
        "large-frames": large_frames, "announce": announce, "ask-time": ask_time, "late-ack": late_ack, "give": give,
        "crossings": crossings, "values": values, "steady": steady,
    }
    print(json.dumps(verbs[sys.argv[1]](AMQP())))
