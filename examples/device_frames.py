#!/usr/bin/python3
"""A device that speaks protobuf: announces itself, sends Frames, leaves a Last Will, obeys sleep and awake.

    MQTT_URL=mqtt://user:password@host:1883 examples/device_frames.py [SERIAL]

It runs until it is ended; then the broker publishes the will. Needs Debian's protobuf-compiler, python3-protobuf and
python3-paho-mqtt (1.6). A real device would also announce its end (STATE_STOPPED), bound what it keeps while the broker is
away, and announce how many frames it dropped.
"""
import itertools, math, os, pathlib, subprocess, sys, tempfile, time, urllib.parse, paho.mqtt.client as mqtt

protos = pathlib.Path(__file__).resolve().parent.parent / "proto"
with tempfile.TemporaryDirectory() as made:  # a real device would bring this code along
    subprocess.run(["protoc", f"-I{protos}", f"--python_out={made}", *protos.glob("*.proto")], check=True)
    sys.path.append(made)
    import command_pb2 as c, measurement_pb2 as m, registration_pb2 as r

serial, url, begin = (sys.argv + ["device-2"])[1], urllib.parse.urlparse(os.environ["MQTT_URL"]), time.time_ns()
me = r.Announcement(schema=1, boot_id=begin // 10**6, kind="vibration", state=r.STATE_AWAKE, sample_rate_hz=1000)
me.channels.add(number=0, name="x", quantity="acceleration", unit="m/s²")
client, answers = mqtt.Client(client_id=serial, clean_session=False), {}


def publish(subject, message):
    client.publish(f"sensor_{serial}/{subject}", message.SerializeToString(), qos=1)


def prepare(*_):  # the will of a connection carries the number of that connection
    me.connection += 1
    will = r.Announcement(schema=1, boot_id=me.boot_id, connection=me.connection, state=r.STATE_LOST)
    client.will_set(f"sensor_{serial}/registry", will.SerializeToString(), qos=1)


def obey(_client, _data, message):
    asked, now = c.Command.FromString(message.payload), time.time_ns()
    if asked.id not in answers:  # one that comes again is answered again, and not run again
        publish("acks", c.Ack(id=asked.id, outcome=c.OUTCOME_RECEIVED, at_unix_ns=now))
        state = {"sleep": r.STATE_ASLEEP, "awake": r.STATE_AWAKE}.get(asked.name)
        why = "expired" if 0 < asked.expires_unix_ns < now else "" if state else "unknown command"
        me.state, outcome = (me.state, c.OUTCOME_REJECTED) if why else (state, c.OUTCOME_SUCCEEDED)
        answers[asked.id] = c.Ack(id=asked.id, outcome=outcome, reason=why, at_unix_ns=now)
    publish("acks", answers[asked.id])
    publish("registry", me)


client.username_pw_set(urllib.parse.unquote(url.username), urllib.parse.unquote(url.password))
client.on_connect = lambda *_: [client.subscribe(f"sensor_{serial}/commands/#", qos=1), publish("registry", me)]
client.on_disconnect, client.on_message = prepare, obey
prepare()
client.connect_async(url.hostname, url.port or 1883, keepalive=30)
client.loop_start()
for at in itertools.count(begin, 10**8):  # a Frame is 100 ms of samples
    time.sleep(max(0, at + 10**8 - time.time_ns()) / 1e9)
    if me.state == r.STATE_AWAKE:
        frame = m.Frame(schema=1, boot_id=me.boot_id, sequence=me.next_sequence, start_unix_ns=at, sample_rate_hz=1000)
        frame.blocks.add(channel=0).floats.samples.extend(math.sin(0.0628 * k) for k in range(100))
        publish("data", frame)
        me.next_sequence += 1
    if at > begin and (at - begin) % 10**10 == 0: publish("registry", me)
