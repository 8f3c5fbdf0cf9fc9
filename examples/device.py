#!/usr/bin/python3
"""A whole device: publishes a reading a second as JSON, over MQTT at QoS 1, until it is ended.

    MQTT_URL=mqtt://user:password@host:1883 examples/device.py [SERIAL]

The user may be `vhost:user`, written vhost%3Auser in the URL. Needs Debian's python3-paho-mqtt (1.6).
Numbers and booleans become channels with the names of their fields; see docs/asyncapi.yaml.
"""
import itertools, json, math, os, sys, time
from urllib.parse import unquote, urlparse
import paho.mqtt.client as mqtt

serial = sys.argv[1] if len(sys.argv) > 1 else "device-1"
url = urlparse(os.environ.get("MQTT_URL", "mqtt://guest:guest@localhost:1883"))
client = mqtt.Client(client_id=serial)  # unlike any other's: two of one name disconnect each other
client.username_pw_set(unquote(url.username), unquote(url.password))
client.max_queued_messages_set(10_000)  # what may wait while the broker is away; it is sent again until confirmed
client.connect_async(url.hostname, url.port or 1883, keepalive=30)
client.loop_start()
for number in itertools.count():
    now = time.time_ns()  # nanoseconds; ISO 8601 such as "2026-01-02T03:04:05.25Z" is read too
    reading = {"time": now, "temperature": 20 + math.sin(now / 60e9), "door_open": number % 60 < 5}
    result = client.publish(f"sensor_{serial}/data", json.dumps(reading), qos=1)
    if result.rc == mqtt.MQTT_ERR_QUEUE_SIZE:
        print("no more room: a reading is dropped", file=sys.stderr)
    time.sleep(1)
