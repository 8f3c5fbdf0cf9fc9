"""Makes the secrets of compose.yaml: random passwords, and the URLs and RabbitMQ's users that hold them.

    scripts/secrets [FOLDER]    (secrets/; SECRETS names another to compose.yaml)

What is there stays, so it may run any number of times. To change a password, delete its file and run it again: what
holds it is written again (docs/compose.md says which services to restart). Nothing secret is printed.

The folder is open to its owner alone; the files in it can be read by all, because each container reads those that it
is given as a user of its own.
"""
import base64, hashlib, json, os, secrets, sys
from pathlib import Path

from dev.project import PROJECT

FOLDER = Path(sys.argv[1]) if sys.argv[1:] else PROJECT / "secrets"
PASSWORDS = ("broker_services_password", "broker_manager_password", "broker_sensors_password",
             "database_superuser_password", "database_password", "grafana_database_password", "grafana_admin_password")
# What MQTT needs: a session's queue, a delayed will's, and the one exchange.
MQTT = "^(mqtt-(subscription|will)-.*|sensor_streaming)$"


def write(name, text):
    """Replaces a file in one step, if it says something else; whether it did."""
    path = FOLDER / name
    if path.exists() and path.read_text() == text:
        return False
    new = path.with_name(name + ".new")
    new.write_text(text)
    new.chmod(0o644)
    new.rename(path)
    return True


def password(name):
    path = FOLDER / name
    if not path.exists():
        write(name, secrets.token_hex(24))
    return path.read_text().strip()


def password_hash(text, salt):
    """As RabbitMQ keeps it: base64 of a salt of four bytes and the SHA-256 of salt and password."""
    return base64.b64encode(salt + hashlib.sha256(salt + text.encode()).digest()).decode()


def users(passwords):
    """RabbitMQ's vhost, users and permissions, and the exchange that these name."""
    path = FOLDER / "rabbitmq_users.json"
    before = json.loads(path.read_text())["users"] if path.exists() else []
    salts = {user["name"]: base64.b64decode(user["password_hash"])[:4] for user in before}
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    rights = {"services": ([], everything), "manager": (["administrator"], everything),
              "sensors": ([], {"configure": "^mqtt-", "write": MQTT, "read": MQTT})}
    # As in k8s/sensor-logins/sensors.yaml: a client speaks and hears only as its client id. No key has over 255 bytes: MQTT
    # would take it, and AMQP can't deliver it.
    topics = {name: {"write": r"^(?s:.{0,255})\z", "read": ".*"} for name in rights}
    topics["sensors"] = {"write": r"^(?=(?s:.{1,255})\z)sensor_{client_id}\.(data|registry|acks|logs)$",
                         "read": r"^sensor_{client_id}\.(commands|alarms)\..+$"}
    definitions = {
        "vhosts": [{"name": "/"}],
        "users": [{"name": name, "tags": tags, "hashing_algorithm": "rabbit_password_hashing_sha256",
                   "password_hash": password_hash(passwords[f"broker_{name}_password"],
                                                  salts.get(name) or secrets.token_bytes(4))}
                  for name, (tags, _) in rights.items()],
        "permissions": [{"user": name, "vhost": "/", **right} for name, (_, right) in rights.items()],
        "topic_permissions": [{"user": name, "vhost": "/", "exchange": "sensor_streaming", **topic}
                              for name, topic in topics.items()],
        # RabbitMQ 4.3 refuses a topic permission for an exchange that is not there, and does not start. As the registry
        # declares it (SensorTopology); broker/start opens MQTT only when the registry has bound its queues.
        "exchanges": [{"name": "sensor_streaming", "vhost": "/", "type": "topic", "durable": True, "auto_delete": False,
                       "internal": False, "arguments": {"alternate-exchange": "sensor_streaming.unrouted"}}],
    }
    return json.dumps(definitions, indent=2) + "\n"


def main():
    if sys.argv[2:] or any(word.startswith("-") for word in sys.argv[1:]):
        print(__doc__)
        return 64
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    missing = [name for name in PASSWORDS if not (FOLDER / name).exists()]
    words = {name: password(name) for name in PASSWORDS}
    files = {
        "amqp_url": f"amqp://services:{words['broker_services_password']}@rabbitmq:5672/%2f\n",
        "mqtt_url": f"mqtt://sensors:{words['broker_sensors_password']}@rabbitmq:1883\n",
        "management_url": f"http://manager:{words['broker_manager_password']}@rabbitmq:15672\n",
        "database_url": f"postgresql://iot:{words['database_password']}@timescaledb:5432/iot\n",
        "rabbitmq_users.json": users(words),
    }
    changed = missing + [name for name, text in files.items() if write(name, text)]
    print(f"secrets: {', '.join(changed)} written" if changed else "secrets: all there")


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
