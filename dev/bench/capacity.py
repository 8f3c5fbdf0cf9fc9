"""What a fleet of sensors needs, from figures that this project measured. Prints the tables of docs/scaling.md.

Usage: scripts/capacity                                           the tables
       scripts/capacity --check docs/scaling.md                   exit 1 if the page's tables are others
       scripts/capacity --sensors 50 --channels 10 --every 1      of your own fleet
           [--samples 1] [--form floats|counts] [--transport mqtt|gateway]

--every: seconds between two messages of a sensor; --samples: of each channel in a message. Cores are of the machine that the
figures come from (2 cores, AMD EPYC), at 100 %: plan for twice as many. What the figures were measured up to is in the page.
"""
import argparse
import math
import sys
from dataclasses import dataclass

# CPU microseconds. The sources are named in docs/scaling.md, "Where the figures come from".
PUBLISH = {"mqtt": 209.0, "gateway": 120.0}  # the broker's, to take a message: a value or an announcement
READ = 22.0                                  # the broker's, to hand it to a service
BROKER_BYTE = 0.0068                         # the broker's, for each byte, in and out
INGEST, INGEST_SAMPLE = 42.0, 0.008          # the ingester's, for a message and a sample of a frame
ROW, ROW_SAMPLE = 33.0, 0.0325               # the database's, for a row and a sample of a frame
# Bytes on disk with index: of a row that is a single value, of an array beside it, of a sample; in the columnstore.
ROW_BYTES, ARRAY_BYTES, ELEMENT_BYTES = 173.0, 17.0, {"floats": 4.3, "counts": 2.17}
PACKED_ROW_BYTES, PACKED_SAMPLE_BYTES = 26.7, {"floats": 4.27, "counts": 2.21}
MINUTE_BYTES, PACKED_MINUTE_BYTES = 125.0, 35.0
# Of a message in a stream beside its samples: key, headers, its share of a chunk; of a sample in a message.
MESSAGE_BYTES, WIRE_BYTES = 270.0, {"floats": 4.0, "counts": 2.0}
CONNECTION_MEGABYTES = 0.1                  # the broker's, for an MQTT connection
SENSOR_KILOBYTES = 3.4                      # an ingester's, for a sensor that it stores
DAY, COLUMNSTORE_DAYS, KEPT_DAYS = 86_400, 8, 90
PARTITIONS, STREAM_BYTES, STREAM_SECONDS = 4, 5e9, 7 * DAY  # broker/definitions.json
REPLICA_MESSAGES = 8_000                    # the autoscaler's target
ANNOUNCED_EVERY = {"mqtt": 10.0, "gateway": 200.0}


@dataclass
class Load:
    """What one kind of sensor sends."""

    name: str
    every: float    # seconds between messages
    channels: int
    samples: int    # of a channel in a message
    form: str = "floats"

    @property
    def message_bytes(self):
        return MESSAGE_BYTES + self.channels * self.samples * WIRE_BYTES[self.form]

    def row_bytes(self, packed=False):
        """A row of the table: a single value is in the row, more are an array beside its statistics."""
        if self.samples == 1:
            return PACKED_ROW_BYTES if packed else ROW_BYTES
        if packed:
            return max(PACKED_ROW_BYTES, self.samples * PACKED_SAMPLE_BYTES[self.form])
        return ROW_BYTES + ARRAY_BYTES + self.samples * ELEMENT_BYTES[self.form]


@dataclass
class Need:
    """What some sensors need together."""

    messages: float = 0.0
    rows: float = 0.0
    samples: float = 0.0
    announcements: float = 0.0
    connections: int = 0
    sensors: int = 0
    wire: float = 0.0
    broker: float = 0.0
    database: float = 0.0
    ingesters: float = 0.0
    day: float = 0.0
    packed_day: float = 0.0

    def add(self, sensors, load, transport):
        messages = sensors / load.every
        rows = messages * load.channels
        samples = rows * load.samples
        self.sensors += sensors
        self.connections += sensors if transport == "mqtt" else 0
        self.messages += messages
        self.rows += rows
        self.samples += samples
        self.announcements += sensors / ANNOUNCED_EVERY[transport]
        self.wire += messages * load.message_bytes
        self.broker += (messages * (PUBLISH[transport] + READ + BROKER_BYTE * load.message_bytes)
                        + sensors / ANNOUNCED_EVERY[transport] * (PUBLISH[transport] + READ)) / 1e6
        framed = samples if load.samples > 1 else 0
        self.database += (rows * ROW + framed * ROW_SAMPLE) / 1e6
        self.ingesters += (messages * INGEST + framed * INGEST_SAMPLE) / 1e6
        minutes = sensors * load.channels * min(1, 60 / load.every) * DAY / 60
        self.day += rows * DAY * load.row_bytes() + minutes * MINUTE_BYTES
        self.packed_day += rows * DAY * load.row_bytes(packed=True) + minutes * PACKED_MINUTE_BYTES
        return self

    @property
    def cores(self):
        return self.broker + self.database + self.ingesters

    @property
    def replicas(self):
        return max(1, math.ceil(self.messages / REPLICA_MESSAGES))

    @property
    def streams(self):
        """Seconds that the streams hold while the database is away."""
        return min(STREAM_SECONDS, PARTITIONS * STREAM_BYTES / self.wire)

    @property
    def kept(self):
        return self.day * COLUMNSTORE_DAYS + self.packed_day * (KEPT_DAYS - COLUMNSTORE_DAYS)


HOUSE = Load("house", every=10, channels=1, samples=1)
LAB = Load("lab", every=1, channels=10, samples=1)
LAB_FRAMES = Load("lab in frames", every=10, channels=10, samples=10)
VIBRATION = Load("vibration", every=0.1, channels=3, samples=4800, form="counts")


def loads(sensors, transport):
    """The page's rows for so many sensors."""
    yield "house", Need().add(sensors, HOUSE, transport)
    yield "lab", Need().add(sensors, LAB, transport)
    yield "lab, frames of 10 s", Need().add(sensors, LAB_FRAMES, transport)
    yield "1 % vibration", Need().add(sensors * 0.99, HOUSE, transport).add(sensors * 0.01, VIBRATION, transport)


def number(value):
    """Two digits that count: 0.083, 3.4, 230, 1,400."""
    if value == 0:
        return "0"
    digits = 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    text = f"{rounded:,.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(count):
    for unit, factor in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{number(count / factor)} {unit}"
    return f"{number(count / 1e3)} kB"


def span(seconds):
    for unit, factor in (("days", DAY), ("h", 3600), ("min", 60)):
        if seconds >= 2 * factor:
            return f"{number(seconds / factor)} {unit}"
    return f"{number(seconds)} s"


def table():
    lines = ["| sensors | load | messages/s | samples/s | cores: broker, database, ingesters | replicas | a day on disk | in the columnstore | streams hold |",
             "|---|---|---|---|---|---|---|---|---|"]
    for exponent, digit in ((3, "10³"), (4, "10⁴"), (5, "10⁵"), (6, "10⁶")):
        transport = "mqtt" if exponent < 5 else "gateway"
        for name, need in loads(10**exponent, transport):
            lines.append(
                f"| {digit} | {name} | {number(need.messages)} | {number(need.samples)} | {number(need.broker)}, "
                f"{number(need.database)}, {number(need.ingesters)} | {need.replicas} | {size(need.day)} | "
                f"{size(need.packed_day)} | {span(need.streams)} |")
    return "\n".join(lines)


def describe(options):
    load = Load("yours", options.every, options.channels, options.samples, options.form)
    need = Need().add(options.sensors, load, options.transport)
    memory = need.connections * CONNECTION_MEGABYTES
    return "\n".join([
        f"messages     {number(need.messages)} a second and {number(need.announcements)} announcements, {size(need.wire)}/s",
        f"stored       {number(need.rows)} rows and {number(need.samples)} samples a second",
        f"cores        {number(need.broker)} broker, {number(need.database)} database, {number(need.ingesters)} ingesters; "
        f"provide {number(2 * need.cores)}",
        f"replicas     {need.replicas} of measurements-ingester at {REPLICA_MESSAGES:,} messages a second each",
        f"memory       broker {number(memory)} MB for {need.connections:,} connections; "
        f"ingesters {number(need.sensors * SENSOR_KILOBYTES / 1e3)} MB for their sensors; beside what they need idle",
        f"streams      hold {span(need.streams)} while the database is away, {PARTITIONS} of {size(STREAM_BYTES)}",
        f"disk         {size(need.day)} a day, {size(need.packed_day)} after {COLUMNSTORE_DAYS} days in the columnstore; "
        f"{size(need.kept)} in {KEPT_DAYS} days, {size(need.day * KEPT_DAYS)} without columnstore"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="PAGE")
    parser.add_argument("--sensors", type=int)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--every", type=float, default=10)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--form", choices=list(ELEMENT_BYTES), default="floats")
    parser.add_argument("--transport", choices=list(PUBLISH), default="mqtt")
    options = parser.parse_args()
    if options.check:
        with open(options.check, encoding="utf-8") as page:
            if table() in page.read():
                return 0
        print(f"capacity: {options.check} has another table than this prints", file=sys.stderr)
        return 1
    print(describe(options) if options.sensors else table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
