#!/usr/bin/python3
"""Golden messages by the official protobuf implementation (Debian: protobuf-compiler, python3-protobuf).

make_fixtures.py          writes golden.json beside this file
make_fixtures.py check    says whether golden.json is what would be written now
make_fixtures.py parse    reads lines "MESSAGE HEX" and prints each as one line of JSON
"""

import importlib
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parents[3] / "proto"
FILES = ["measurement", "command", "registration", "log", "alarm"]


def messages():
    """All message classes of proto/, by name."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["protoc", f"--proto_path={PROTO}", f"--python_out={folder}", *[f"{name}.proto" for name in FILES]],
            check=True)
        sys.dont_write_bytecode = True
        sys.path.insert(0, folder)
        found = {}
        for name in FILES:
            module = importlib.import_module(f"{name}_pb2")
            for message in module.DESCRIPTOR.message_types_by_name:
                found[message] = getattr(module, message)
        return found


def number(value):
    """JSON has no NaN; 64-bit numbers would be rounded: both become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def plain(message):
    """The fields that are set, as JSON can hold them; bytes as hex, enumerations as numbers in text."""
    fields = {}
    for field, value in message.ListFields():
        if field.label == field.LABEL_REPEATED:
            fields[field.name] = [plain(v) if field.message_type else number(v) for v in value]
        elif field.message_type:
            fields[field.name] = plain(value)
        else:
            fields[field.name] = value.hex() if isinstance(value, bytes) else number(value)
    return fields


def cases(known):
    """Name, message type, bytes of each golden message."""
    frame = known["Frame"]
    start = 1795253400123456789

    floats = frame(schema=1, boot_id=1795253000000, sequence=42, start_unix_ns=start, sample_rate_hz=44100)
    floats.location.latitude, floats.location.longitude, floats.location.altitude = 53.5, -10.25, 6.0
    for channel, samples in enumerate([[0.0, 1.5, -2.25], [1e30, -0.0, 3.0], [7.0, 8.0, 9.0]]):
        block = floats.blocks.add(channel=channel)
        block.floats.samples.extend(samples)
    yield "floats", "Frame", floats.SerializeToString()

    counts = frame(schema=1, boot_id=1, sequence=2**53 - 1, start_unix_ns=-1, sample_rate_hz=1 / 60)
    block = counts.blocks.add(channel=32767)
    block.counts.counts = struct.pack("<5h", 0, 1, -1, 32767, -32768)
    block.counts.scale, block.counts.offset = -0.001, 20.5
    yield "counts", "Frame", counts.SerializeToString()

    value = frame(schema=1, boot_id=7)
    value.blocks.add(channel=0).value = 3.141592653589793
    value.blocks.add(channel=1).value = 0.0
    yield "values without time, rate and sequence", "Frame", value.SerializeToString()

    odd = frame(schema=1, boot_id=7, sequence=1, sample_rate_hz=10)
    odd.blocks.add(channel=0).floats.samples.extend([math.nan, math.inf, -math.inf, 1.0])
    yield "not finite", "Frame", odd.SerializeToString()

    # Unknown fields of all wire types that proto3 has, at both ends and inside a block; floats that are not packed.
    unknown = b"\xf8\x07\x96\x01" + b"\xf9\x07" + b"12345678" + b"\xfa\x07\x03abc" + b"\xfd\x07" + b"1234"
    block = b"\x08\x05" + b"\x12\x0a" + b"\x0d" + struct.pack("<f", 1.0) + b"\x0d" + struct.pack("<f", 2.0) + unknown
    yield "unknown fields and floats not packed", "Frame", (
        unknown + b"\x08\x01" + b"\x11" + struct.pack("<Q", 9) + b"\x18\x03" + b"\x29" + struct.pack("<d", 2.0)
        + b"\x3a" + bytes([len(block)]) + block + unknown)

    yield "announcement", "Announcement", known["Announcement"](
        schema=1, boot_id=1795253000000, connection=3, kind="vibration", firmware="1.2.3 ü", state=1,
        sample_rate_hz=5000, next_sequence=1000, frames_dropped=5, at_unix_ns=start,
        channels=[known["Channel"](number=n, name=a, quantity="acceleration", unit="m/s²") for n, a in enumerate("xyz")],
    ).SerializeToString()
    yield "last will", "Announcement", known["Announcement"](schema=1, boot_id=1, connection=1, state=4).SerializeToString()

    yield "command", "Command", known["Command"](
        id="0b6b1c1e-0000-4000-8000-000000000001", name="change_sample_frequency", issued_unix_ns=start,
        expires_unix_ns=start + 60 * 10**9, issuer="iotctl root@host", arguments=[
            known["Argument"](name="hertz", number=0.5), known["Argument"](name="note", text="größer"),
            known["Argument"](name="now", flag=True), known["Argument"](name="not", flag=False)]).SerializeToString()
    yield "command without an end", "Command", known["Command"](id="1", name="sleep", issued_unix_ns=1).SerializeToString()

    yield "ack", "Ack", known["Ack"](id="1", outcome=4, reason="expired", at_unix_ns=start).SerializeToString()
    yield "log line", "LogLine", known["LogLine"](
        at_unix_ns=start, level=3, text="Lager läuft heiß", boot_id=12).SerializeToString()
    yield "alarm", "Alarm", known["Alarm"](
        id="pump/3/high/1", rule="limit:temperature:high", channel=3, value=81.5, limit=80, at_unix_ns=start,
        boot_id=12, sequence=99, text="pump temperature is 81.5").SerializeToString()


def golden():
    """The text of golden.json."""
    known = messages()
    rows = []
    for name, message, payload in cases(known):
        fields = plain(known[message].FromString(payload))
        rows.append({"name": name, "message": message, "hex": payload.hex(), "fields": fields})
    return json.dumps(rows, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def parse():
    known = messages()
    for line in sys.stdin:
        message, payload = line.split()
        print(json.dumps(plain(known[message].FromString(bytes.fromhex(payload))), sort_keys=True, ensure_ascii=False))


if __name__ == "__main__":
    if sys.argv[1:] == ["parse"]:
        parse()
    elif sys.argv[1:] == ["check"]:
        sys.exit((HERE / "golden.json").read_text() != golden() and "golden.json is stale")
    else:
        (HERE / "golden.json").write_text(golden())
