"""Draws the README's picture, demo.svg in docs/pictures, from the database of the newest `make demo`.

    scripts/pictures [INSTANCE]    of servers of scripts/servers (demo), which it starts and stops if they don't run
    DATABASE_URL=… scripts/pictures

Everything in the picture is read by SQL: samples(), chart(), spectrum(), the tables of commands, alarms and the ledger. Readable
in light and dark.
"""
import math
import os
import subprocess
import sys
import xml.sax.saxutils

import psycopg2

from dev.project import PROJECT

SERVERS = PROJECT / "scripts" / "servers"
PICTURE = PROJECT / "docs" / "pictures" / "demo.svg"
WIDTH, HEIGHT = 960, 860
STYLE = """
text { font-family: 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', sans-serif; font-size: 12px; fill: #59636e; }
.card { fill: #ffffff; stroke: #d1d9e0; }
.title { font-size: 20px; font-weight: 600; fill: #1f2328; }
.head { font-size: 14px; font-weight: 600; fill: #1f2328; }
.number { font-size: 26px; font-weight: 600; fill: #1f2328; }
.good { fill: #1a7f37; }
.mark { fill: #1f2328; stroke: #ffffff; stroke-width: 3px; paint-order: stroke; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.axis { fill: none; stroke: #59636e; stroke-width: 1; }
.line { fill: none; stroke: #0969da; stroke-width: 1.2; stroke-linejoin: round; }
.band { fill: #0969da; fill-opacity: 0.3; }
.rms { fill: none; stroke: #0550ae; stroke-width: 1.6; }
.event { stroke: #59636e; stroke-width: 1; stroke-dasharray: 4 3; }
.limit { stroke: #bc4c00; stroke-width: 1.2; stroke-dasharray: 6 3; }
.alarm { fill: #bc4c00; fill-opacity: 0.14; }
.warm { fill: #bc4c00; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; }
  .card { fill: #0d1117; stroke: #3d444d; }
  .title, .head, .number, .mark { fill: #f0f6fc; }
  .mark { stroke: #0d1117; }
  .good { fill: #3fb950; }
  .grid { stroke: #2a313c; }
  .axis, .event { stroke: #9198a1; }
  .line { stroke: #4493f8; }
  .band { fill: #4493f8; }
  .rms { stroke: #a5d6ff; }
  .limit { stroke: #f0883e; }
  .alarm, .warm { fill: #f0883e; }
}
"""


class PictureError(Exception):
    """Why nothing was drawn, in one line."""


# -- the data --------------------------------------------------------------------------------------------------------


def environment(instance):
    """The DATABASE_URL of an instance, and whether it has to be stopped afterwards."""
    ran = subprocess.run([SERVERS, "status", instance], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    subprocess.run([SERVERS, "start", instance], check=True, stdout=subprocess.DEVNULL)
    lines = subprocess.run([SERVERS, "env", instance], check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)["DATABASE_URL"], not ran


class Run:
    """What the newest demo left in the database. Times are seconds after its first sample."""

    def __init__(self, url):
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        newest = self.rows("SELECT serial FROM sensor WHERE serial ~ '^demo[0-9]+-mqtt-0008$' ORDER BY first_seen DESC LIMIT 1")
        if not newest:
            raise PictureError("there is no demo in this database: run `make demo`")
        self.prefix = newest[0][0].removesuffix("-mqtt-0008")
        self.machine, self.told, self.climate = (f"{self.prefix}-mqtt-{n}" for n in ("0008", "0005", "0010"))
        self.begin, self.end = self.rows(
            """SELECT min(m."time"), max(row_end(m."time", m.n, greatest(m.sample_rate_hz, 1))) FROM measurement m
               JOIN sensor USING (sensor_id) WHERE serial LIKE %s""", self.prefix + "-%")[0]

    def rows(self, sql, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def seconds(self, time):
        return (time - self.begin).total_seconds()

    def chart(self, serial, channel, points):
        rows = self.rows('SELECT "time", min, max, rms FROM chart(%s, %s, %s, %s, %s) ORDER BY 1',
                         serial, channel, self.begin, self.end, points)
        return [(self.seconds(time), *values) for time, *values in rows]

    def wave(self, seconds):
        """A piece from the middle of the run: (seconds from its beginning, value)."""
        rows = self.rows(
            """SELECT unix_ns, value FROM samples(%s, 'x', %s::timestamptz + (%s::timestamptz - %s::timestamptz) / 2, %s)
               ORDER BY 1 LIMIT %s""",
            self.machine, self.begin, self.end, self.begin, self.end, int(seconds * 10_000) + 1)
        return [((ns - rows[0][0]) / 1e9, value) for ns, value in rows]

    def spectrum(self, samples):
        return self.rows("SELECT frequency_hz, amplitude FROM spectrum(%s, 'x', %s, %s) WHERE frequency_hz > 0 ORDER BY 1",
                         self.machine, self.end, samples)

    def commands(self, serial):
        rows = self.rows("""SELECT delivered_at, name, arguments->>'hertz' FROM command
                            WHERE serial = %s AND delivered_at IS NOT NULL ORDER BY 1""", serial)
        names = {"change_sample_frequency": "change-frequency"}
        return [(self.seconds(time), names.get(name, name), hertz) for time, name, hertz in rows]

    def alarms(self, serial):
        rows = self.rows("""SELECT raised_at, cleared_at, limit_value FROM alarm JOIN sensor USING (sensor_id)
                            WHERE serial = %s AND raised_at IS NOT NULL ORDER BY 1""", serial)
        return [(self.seconds(raised), self.seconds(cleared or self.end), limit) for raised, cleared, limit in rows]

    def ledger(self):
        """Sensors, samples, frames: announced, stored, missing, came twice."""
        return self.rows(
            """WITH mine AS (SELECT sensor_id FROM sensor WHERE serial LIKE %s)
               SELECT (SELECT count(*) FROM mine),
                      (SELECT sum(n) FROM measurement JOIN mine USING (sensor_id)),
                      (SELECT coalesce(sum(next_sequence), 0) FROM boot_announcement JOIN mine USING (sensor_id)),
                      sum(frames), (SELECT coalesce(sum(missing), 0) FROM sequence_gap JOIN mine USING (sensor_id)),
                      sum(duplicates)
                 FROM sensor_boot JOIN mine USING (sensor_id)""", self.prefix + "-%")[0]


# -- the drawing -----------------------------------------------------------------------------------------------------


def ticks(low, high, wanted=5):
    """Round values between low and high, about as many as wanted."""
    raw = (high - low) / wanted
    size = 10 ** math.floor(math.log10(raw))
    step = min((m * size for m in (1, 2, 5, 10)), key=lambda s: abs(s - raw))
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


class Panel:
    """A rectangle with axes; x and y map values to places."""

    def __init__(self, drawing, left, top, width, height, x_range, y_range, log_x=False, log_y=False):
        self.drawing, self.left, self.top, self.width, self.height = drawing, left, top, width, height
        self.x_range, self.y_range, self.log_x, self.log_y = x_range, y_range, log_x, log_y

    @staticmethod
    def share(value, low_high, log):
        low, high = low_high
        return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)

    def x(self, value):
        return round(self.left + self.width * self.share(value, self.x_range, self.log_x), 1)

    def y(self, value):
        return round(self.top + self.height * (1 - self.share(max(value, self.y_range[0]), self.y_range, self.log_y)), 1)

    def axes(self, x_ticks, y_ticks, x_title, y_title, x_text="{:g}".format, y_text="{:g}".format):
        add, bottom = self.drawing.add, self.top + self.height
        for value in y_ticks:
            add(f'<path class="grid" d="M{self.left} {self.y(value)}h{self.width}"/>')
            self.drawing.text(self.left - 8, self.y(value) + 4, y_text(value), "end")
        for value in x_ticks:
            add(f'<path class="grid" d="M{self.x(value)} {self.top}v{self.height}"/>')
            self.drawing.text(self.x(value), bottom + 17, x_text(value), "middle")
        add(f'<path class="axis" d="M{self.left} {self.top}V{bottom}h{self.width}"/>')
        self.drawing.text(self.left + self.width / 2, bottom + 35, x_title, "middle")
        middle = self.top + self.height / 2
        self.drawing.text(self.left - 46, middle, y_title, "middle", extra=f' transform="rotate(-90 {self.left - 46} {middle})"')

    def path(self, points, kind):
        if points:
            moves = " ".join(f"{self.x(a)} {self.y(b)}" for a, b in points)
            self.drawing.add(f'<path class="{kind}" d="M{moves}"/>')

    def band(self, rows):
        """The range from minimum to maximum, with its RMS, in pieces where nothing was measured."""
        steps = sorted(b[0] - a[0] for a, b in zip(rows, rows[1:]))
        most = 4 * steps[len(steps) // 2]
        piece = []
        for row, following in zip(rows, rows[1:] + [None]):
            piece.append(row)
            if following is None or following[0] - row[0] > most:
                outline = [(t, high) for t, _, high, _ in piece] + [(t, low) for t, low, _, _ in reversed(piece)]
                self.path(outline, "band")
                self.path([(t, rms) for t, _, _, rms in piece], "rms")
                piece = []


class Drawing:
    """The SVG as it grows."""

    def __init__(self, label):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">',
            "<!-- Drawn by scripts/pictures from the database of a demo run. -->", f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10"/>']

    def add(self, part):
        self.parts.append(part)

    def text(self, x, y, words, anchor="start", kind="", extra=""):
        kind = f' class="{kind}"' if kind else ""
        place = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.add(f'<text{kind} x="{round(x, 1):g}" y="{round(y, 1):g}"{place}{extra}>{xml.sax.saxutils.escape(words)}</text>')

    def svg(self):
        return "\n".join(self.parts + ["</svg>"]) + "\n"


def peaks(lines, wanted, apart):
    """The largest local maxima, each at least `apart` times the frequency of the next."""
    found = []
    inner = [(b[1], b[0]) for a, b, c in zip(lines, lines[1:], lines[2:]) if a[1] < b[1] >= c[1]]
    for amplitude, frequency in sorted(inner, reverse=True):
        if all(max(frequency, f) / min(frequency, f) > apart for f, _ in found):
            found.append((frequency, amplitude))
        if len(found) == wanted:
            break
    return sorted(found)


def thinned(lines, panel):
    """Of a spectrum's lines the largest at each place of the picture: no more would be seen."""
    best = {}
    for frequency, amplitude in lines:
        place = round(panel.x(frequency) * 2)
        if amplitude > best.get(place, (0, 0))[1]:
            best[place] = (frequency, amplitude)
    return sorted(best.values())


def history(drawing, run):
    """A sensor over the whole run, with the commands that it got."""
    rows = run.chart(run.told, "x", 600)
    top = math.ceil(max(max(abs(low), abs(high)) for _, low, high, _ in rows))
    length = run.seconds(run.end)
    drawing.text(28, 92, "Acceleration of a vibration sensor that obeys commands: range and RMS, read by chart()", kind="head")
    panel = Panel(drawing, 84, 124, 848, 150, (0, length), (-top, top))
    panel.axes(ticks(0, length, 10), ticks(-top, top, 4), "seconds after the first sample", "m/s²")
    panel.band(rows)
    for time, name, hertz in run.commands(run.told):
        if name == "set":
            continue
        drawing.add(f'<path class="event" d="M{panel.x(time)} {panel.top - 4}v{panel.height + 4}"/>')
        drawing.text(panel.x(time), panel.top - 9, f"{name} {float(hertz):g}" if hertz else name, "middle", "mark")


def wave(drawing, run):
    points = run.wave(0.1)
    top = math.ceil(max(abs(value) for _, value in points))
    drawing.text(28, 358, "A second sensor at 10 kHz, read by samples()", kind="head")
    panel = Panel(drawing, 84, 378, 376, 160, (0, 0.1), (-top, top))
    panel.axes([0, 0.02, 0.04, 0.06, 0.08, 0.1], ticks(-top, top, 4), "milliseconds", "m/s²", lambda v: f"{v * 1000:g}")
    panel.path(points, "line")


def spectrum(drawing, run):
    lines = run.spectrum(16384)
    drawing.text(500, 358, "Its amplitude spectrum, read by spectrum()", kind="head")
    panel = Panel(drawing, 556, 378, 376, 160, (10, lines[-1][0]), (0.001, 3), log_x=True, log_y=True)
    shown = [(frequency, amplitude) for frequency, amplitude in lines if frequency >= 10]
    panel.axes([10, 100, 1000], [0.001, 0.01, 0.1, 1], "hertz", "m/s²", "{:,g}".format)
    panel.path(thinned(shown, panel), "line")
    for frequency, amplitude in peaks(shown, 5, 1.2):
        drawing.text(panel.x(frequency), panel.y(amplitude) - 5, f"{frequency:,.0f} Hz", "middle", "mark")


def alarm(drawing, run):
    points = [(time, value) for time, value, _, _ in run.chart(run.climate, "temperature", 600)]
    alarms = run.alarms(run.climate)
    values = [value for _, value in points] + [limit for _, _, limit in alarms]
    low, high = math.floor(min(values) - 1), math.ceil(max(values) + 1)
    length = run.seconds(run.end)
    drawing.text(28, 622, "Temperature: a limit is set, an alarm raised and cleared", kind="head")
    panel = Panel(drawing, 84, 642, 376, 150, (0, length), (low, high))
    for raised, cleared, limit in alarms:
        left, right = panel.x(raised), panel.x(cleared)
        drawing.add(f'<rect class="alarm" x="{left}" y="{panel.top}" width="{right - left:.1f}" height="{panel.height}"/>')
    panel.axes(ticks(0, length, 6), ticks(low, high, 4), "seconds after the first sample", "°C")
    for raised, cleared, limit in alarms:
        left, right = panel.x(raised), panel.x(cleared)
        drawing.add(f'<path class="limit" d="M{left} {panel.y(limit)}H{right}"/>')
        drawing.text((left + right) / 2, panel.y(limit) - 6, f"high limit {limit:g} °C", "middle", "warm")
        drawing.text((left + right) / 2, panel.top + 16, f"alarm, {cleared - raised:.0f} s", "middle", "warm")
    panel.path(points, "line")


def ledger(drawing, run, figures):
    sensors, samples, announced, stored, missing, twice = (int(figure) for figure in figures)
    drawing.text(500, 622, "The ledger of frames", kind="head")
    drawing.text(500, 672, f"{announced:,}", kind="number")
    drawing.text(500, 692, f"frames announced by {sensors} sensors")
    drawing.text(720, 672, f"{stored:,}", kind="number good" if stored == announced else "number warm")
    drawing.text(720, 692, "frames stored")
    drawing.text(500, 742, f"{missing:,}", kind="number" + (" warm" if missing else " good"))
    drawing.text(500, 762, "frames missing")
    drawing.text(720, 742, f"{twice:,}", kind="number")
    drawing.text(720, 762, "frames received again, stored once")
    drawing.text(500, 808, f"{samples:,} samples in {run.seconds(run.end):.0f} s")


def draw(run):
    figures = run.ledger()
    drawing = Drawing("Waveform, spectrum, alarm and ledger of a demo run")
    drawing.text(28, 42, "A run of make demo, as the database shows it", kind="title")
    drawing.text(28, 63, f"{run.begin:%Y-%m-%d %H:%M} UTC, RabbitMQ and TimescaleDB on one machine; drawn by scripts/pictures")
    history(drawing, run)
    wave(drawing, run)
    spectrum(drawing, run)
    alarm(drawing, run)
    ledger(drawing, run, figures)
    return drawing.svg()


def main():
    if len(sys.argv) > 2 or "--help" in sys.argv:
        print(__doc__.strip())
        return 64
    instance, stop = sys.argv[1] if len(sys.argv) > 1 else "demo", False
    url = os.environ.get("DATABASE_URL")
    try:
        if not url or len(sys.argv) > 1:
            url, stop = environment(instance)
        picture = draw(Run(url))
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        PICTURE.write_text(picture)
        print(f"{PICTURE.relative_to(PROJECT)}: {len(picture.encode()) / 1000:.0f} kB")
        return 0
    except PictureError as error:
        print(f"scripts/pictures: {error}", file=sys.stderr)
        return 1
    finally:
        if stop:
            subprocess.run([SERVERS, "stop", instance], stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    sys.exit(main())
