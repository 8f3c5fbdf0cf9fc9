"""Holds monitoring/ against what really runs: services, Prometheus, Alertmanager, on free ports of 127.0.0.1.

    scripts/check-monitoring        needs the programs (.build/release; BUILD=debug: .build/debug), and prometheus and
                                    prometheus-alertmanager (.build/tools, by scripts/setup-deploy)

- Every metric that a rule, the Prometheus adapter or a dashboard names is exported, or is one of APPEARS or ELSEWHERE.
- Every rule evaluates, and no alert is even pending while all is well. Every alert has tests and a page in docs/alerts.md.
- What the autoscalers ask for is one number a pod, or one in all, and follows the backlog.
- Without ingesters alerts become pending, fire with a shorter `for`, reach Alertmanager, and end when ingesters are back.

Prometheus runs with monitoring/prometheus.yml; only targets, intervals and the rules' place are others. About a minute.
"""
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

from dev.ports import free_port
from dev.project import PROGRAMS, PROJECT

INSTANCE = f"check-monitoring-{os.getpid()}"
FOLDER = PROJECT / ".build" / INSTANCE
NAMESPACE = "sensor-services"

# Exported under a condition that this check does not bring about; looked up in Sources instead.
APPEARS = {
    "iot_backup_timestamp_seconds": "after the first backup",
    "iot_ingest_given_up_frames_total": "with a partition's first frame",
    "iot_ingest_untrusted_times_total": "with the first frame whose clock is not believed",
    "iot_log_lines_total": "with the first log line",
    "iot_notify_file_refused": "with NOTIFY_CONFIG",
    "iot_notify_given_up_total": "with a receiver in NOTIFY_CONFIG",
    "iot_notify_oldest_seconds": "with a receiver in NOTIFY_CONFIG",
    "iot_store_bytes": "with the registry's second look, after a minute",
    "iot_store_days_left": "after days of growth",
    "iot_store_disk_free_bytes": "with the registry's second look, after a minute, if DATABASE_DISK is a folder",
}
# Exported by programs that are not ours and don't run here.
ELSEWHERE = {
    "kube_horizontalpodautoscaler_spec_max_replicas": "kube-state-metrics",
    "kube_horizontalpodautoscaler_status_condition": "kube-state-metrics",
    "kube_horizontalpodautoscaler_status_current_replicas": "kube-state-metrics",
    "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp": "CloudNativePG's Barman Cloud plugin",
    "cnpg_collector_last_available_backup_timestamp": "CloudNativePG",
}
METRIC = re.compile(r"\b(?:(?:iot|rabbitmq|kube|cnpg|barman)_[a-z0-9_]+)\b")


class CheckError(Exception):
    """What is wrong, in words."""


def load(path):
    return yaml.safe_load((PROJECT / path).read_text())


def wait(what, seconds, ask):
    """The first answer that is not empty; `ask` may also raise CheckError, whose words are kept for the end."""
    deadline, why = time.monotonic() + seconds, ""
    while True:
        try:
            if answer := ask():
                return answer
        except (CheckError, OSError, ValueError, KeyError) as error:
            why = f": {error}"
        if time.monotonic() > deadline:
            raise CheckError(f"{what}: not within {seconds} s{why}")
        time.sleep(0.2)


class Process:
    """A child, its log in a file; ends with this check."""

    running = []

    def __init__(self, name, command, environment=None):
        self.name, self.log = name, FOLDER / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        Process.running.append(self)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        if self in Process.running:
            Process.running.remove(self)

    def http_port(self):
        def look():
            found = re.search(r'"http_port":"(\d+)"', self.log.read_text(errors="replace"))
            if not found and self.process.poll() is not None:
                raise CheckError(f"it ended: {self.log.read_text(errors='replace')[-300:]}")
            return int(found.group(1)) if found else None
        return wait(f"{self.name} says its port", 20, look)


class Prometheus:
    def __init__(self, targets, alertmanager):
        self.port = free_port()
        self.rules = FOLDER / "rules.yaml"
        self.use(load("monitoring/rules.yaml"))
        (FOLDER / "prometheus.yml").write_text(yaml.safe_dump(self.configuration(targets, alertmanager)))
        self.process = Process("prometheus", [
            "prometheus", f"--config.file={FOLDER}/prometheus.yml", f"--storage.tsdb.path={FOLDER}/prometheus",
            f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=1d",
            # What fires while a reload looks for Alertmanager again is sent again at once, not after a minute.
            "--rules.alert.resend-delay=1s"])

    def use(self, rules):
        self.rules.write_text(yaml.safe_dump(rules, sort_keys=False))

    def reload(self):
        self.process.process.send_signal(signal.SIGHUP)

    def configuration(self, targets, alertmanager):
        """monitoring/prometheus.yml with other targets; they get the labels that they would have in Kubernetes."""
        config = load("monitoring/prometheus.yml")
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(self.rules)]
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
        jobs = {job["job_name"] for job in config["scrape_configs"]}
        if jobs - {"prometheus"} != set(targets):
            raise CheckError(f"prometheus.yml has the jobs {sorted(jobs)}, here are {sorted(targets)}")
        for job in config["scrape_configs"]:
            job.pop("scrape_interval", None)
            job.pop("dns_sd_configs", None)
            ports = targets.get(job["job_name"], [self.port])
            job["static_configs"] = [
                {"targets": [f"127.0.0.1:{port}"],
                 "labels": {"namespace": NAMESPACE, "pod": f"{job['job_name']}-{index}"}}
                for index, port in enumerate(ports)]
        return config

    def get(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise CheckError(f"{path} {arguments}: {error.read().decode()}") from None

    def query(self, expression):
        """[(labels, value)]"""
        return [(one["metric"], float(one["value"][1])) for one in self.get("query", query=expression)["result"]]

    def alerts(self):
        """{name: [state of each]} of those that are not inactive."""
        states = {}
        for alert in self.get("alerts")["alerts"]:
            states.setdefault(alert["labels"]["alertname"], []).append(alert["state"])
            broken = [text for text in alert["annotations"].values() if "<error" in text]
            if broken:
                raise CheckError(f"{alert['labels']['alertname']}: {broken[0]}")
        return states


class Receiver:
    """What Alertmanager's webhook brings: {alert: its newest status}."""

    def __init__(self):
        told = self.told = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                    told[alert["labels"]["alertname"]] = alert["status"]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


def start_alertmanager(receiver):
    """monitoring/alertmanager.yml, but at once, and to this check."""
    config = load("monitoring/alertmanager.yml")
    for route in [config["route"], *config["route"]["routes"]]:
        route |= {"group_wait": "1s", "group_interval": "1s"}
    for one in config["receivers"]:
        one["webhook_configs"] = [{"url": receiver.url, "send_resolved": True}]
    (FOLDER / "alertmanager.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    Process("alertmanager", [
        "prometheus-alertmanager", f"--config.file={FOLDER}/alertmanager.yml", f"--storage.path={FOLDER}/alertmanager",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="])
    return f"127.0.0.1:{port}"


# --- what needs nothing that runs --------------------------------------------------------------------------------


def rules():
    return [rule for group in load("monitoring/rules.yaml")["groups"] for rule in group["rules"]]


def check_tests_and_pages():
    alerts = [rule["alert"] for rule in rules() if "alert" in rule]
    fires, silent = set(), set()
    for test in load("monitoring/rules_test.yaml")["tests"]:
        for one in test.get("promql_expr_test", []):
            found = re.search(r'alertname(=~?)"([^"]+)"', one["expr"])
            if not found:
                continue
            named = {name for name in alerts
                     if (re.fullmatch(found[2], name) if found[1] == "=~" else name == found[2])}
            (fires if one.get("exp_samples") else silent).update(named)
        for one in test.get("alert_rule_test", []):
            (fires if one.get("exp_alerts") else silent).add(one["alertname"])
    for what, tested in (("fires", fires), ("is silent", silent)):
        if untested := set(alerts) - tested:
            raise CheckError(f"rules_test.yaml does not test when it {what}: {', '.join(sorted(untested))}")
    pages = re.findall(r"^## (\w+)$", (PROJECT / "docs/alerts.md").read_text(), re.M)
    if set(pages) != set(alerts):
        raise CheckError(f"docs/alerts.md and rules.yaml differ in {', '.join(sorted(set(pages) ^ set(alerts)))}")
    for rule in rules():
        if "alert" not in rule:
            continue
        link = rule["annotations"]["runbook_url"]
        if not link.endswith(f"/docs/alerts.md#{rule['alert'].lower()}"):
            raise CheckError(f"{rule['alert']}: its runbook_url is {link}")
        if rule["labels"].get("severity") not in ("critical", "warning"):
            raise CheckError(f"{rule['alert']}: no severity")
    return f"{len(alerts)} alerts: tests of each, a page for each"


def named_metrics():
    """{metric: where it is named}"""
    places = [(f"rules.yaml, {rule.get('alert') or rule['record']}", rule["expr"]) for rule in rules()]
    adapter = load("monitoring/adapter.yaml")["rules"]
    for rule in adapter["custom"] + adapter["external"]:
        places.append((f"adapter.yaml, {rule['name']['as']}", rule["seriesQuery"] + " " + rule["metricsQuery"]))
    for path in sorted((PROJECT / "grafana/dashboards").glob("**/*.json")):
        for expression in re.findall(r'"expr":\s*"((?:[^"\\]|\\.)*)"', path.read_text()):
            places.append((path.name, expression))
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    named = {}
    for place, expression in places:
        for name in recorded:
            expression = re.sub(re.escape(name) + r"(?![\w:])", " ", expression)
        for name in METRIC.findall(re.sub(r'"[^"]*"', '""', expression)):
            named.setdefault(name, place)
    return named


# --- what does ---------------------------------------------------------------------------------------------------


def check_metrics(prometheus):
    named = named_metrics()
    sources = "\n".join(path.read_text() for path in (PROJECT / "Sources").glob("**/*.swift"))
    for name in APPEARS:
        if f'"{name}"' not in sources:
            raise CheckError(f"no source sets {name}")

    def missing():
        exported = set(prometheus.get("label/__name__/values"))
        lost = [f"{name} ({place})" for name, place in sorted(named.items())
                if name not in exported and name not in APPEARS and name not in ELSEWHERE]
        if lost:
            raise CheckError(", ".join(lost))
        return exported
    exported = wait("metrics that nothing exports", 20, missing)
    return f"{len(named)} metrics: {len(exported & set(named))} exported here, the others known to appear"


def check_rules(prometheus):
    """Every rule has been evaluated without an error, and no alert is even pending."""
    def quiet():
        found = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        if len(found) != len(rules()):
            raise CheckError(f"Prometheus has {len(found)} rules, the file {len(rules())}")
        bad = [f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}" for rule in found if rule["health"] != "ok"]
        if bad:
            raise CheckError("; ".join(bad))
        if alerts := prometheus.alerts():
            raise CheckError(f"not quiet: {alerts}")
        return len(found)
    return f"{wait('a healthy system', 20, quiet)} rules evaluate, no alert"


def expand(rule, **labels):
    """A metricsQuery as the adapter sends it: Series, LabelMatchers and GroupBy by name."""
    series = re.match(r"\w+", rule["seriesQuery"])[0]
    matchers = ",".join(f'{name}=~"{"|".join(value)}"' if isinstance(value, list) else f'{name}="{value}"'
                        for name, value in labels.items())
    query = rule["metricsQuery"].replace("<<.Series>>", series).replace("<<.LabelMatchers>>", matchers)
    query = query.replace("<<.GroupBy>>", "pod")
    if "<<" in query:
        raise CheckError(f"adapter.yaml, {rule['name']['as']}: unknown field in {query}")
    return query


def discovered(prometheus, rule):
    """As the adapter does it: without a series that seriesQuery finds, the metric does not exist."""
    found = prometheus.get("series", **{"match[]": rule["seriesQuery"]})
    if not any(re.search(rule["name"]["matches"], one["__name__"]) for one in found):
        raise CheckError(f"adapter.yaml, {rule['name']['as']}: {rule['seriesQuery']} finds nothing")


def external(prometheus, name):
    rule = next(rule for rule in load("monitoring/adapter.yaml")["rules"]["external"] if rule["name"]["as"] == name)
    discovered(prometheus, rule)
    values = prometheus.query(expand(rule, namespace=NAMESPACE))
    if len(values) != 1:
        raise CheckError(f"{name} is {len(values)} numbers: {values}")
    return values[0][1]


def check_adapter(prometheus, pods):
    adapter = load("monitoring/adapter.yaml")["rules"]
    said = []
    for rule in adapter["custom"]:
        job = re.search(r'job="([^"]+)"', rule["seriesQuery"])[1]

        def ask():
            discovered(prometheus, rule)
            values = prometheus.query(expand(rule, namespace=NAMESPACE, pod=pods[job]))
            if sorted(labels["pod"] for labels, _ in values) != sorted(pods[job]):
                raise CheckError(f"{values} for the pods {pods[job]}")
            if job == "measurements-ingester" and not sum(value for _, value in values) > 0:
                raise CheckError(f"{values} while frames come")
            return values
        values = wait(f"adapter.yaml, {rule['name']['as']}: one number for each pod", 20, ask)
        said.append(f"{rule['name']['as']} {', '.join(f'{value:.0f}' for _, value in values)}")
    for rule in adapter["external"]:
        said.append(f"{rule['name']['as']} {external(prometheus, rule['name']['as']):.0f}")
    return "; ".join(said)


def check_failure(prometheus, receiver, alertmanager, ingesters, start_ingesters):
    before = external(prometheus, "iot_stream_unread_messages")
    for ingester in ingesters:
        ingester.stop()

    def rising():
        now = external(prometheus, "iot_stream_unread_messages")
        states = prometheus.alerts()
        if now < before + 100 or not {"PartitionsUnheld", "ServiceAbsent"} <= set(states):
            raise CheckError(f"{now:.0f} unread after {before:.0f}, alerts {states}")
        return now, states
    unread, states = wait("without ingesters the backlog grows and alerts become pending", 30, rising)
    if states["PartitionsUnheld"] != ["pending"]:
        raise CheckError(f"PartitionsUnheld is {states['PartitionsUnheld']}, not pending for 3 minutes")

    # The same rules, sooner and for less.
    hasty = load("monitoring/rules.yaml")
    for group in hasty["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") in ("PartitionsUnheld", "ServiceAbsent", "IngestBacklogGrowing"):
                rule["for"] = "1s"
                rule["expr"] = rule["expr"].replace("> 20000", "> 20")
    prometheus.use(hasty)
    prometheus.reload()

    def received():
        if receiver.told.get("ServiceAbsent") != "firing":
            raise CheckError(f"Alertmanager told {receiver.told}")
        states = prometheus.alerts()
        if not {"PartitionsUnheld", "IngestBacklogGrowing"} <= {name for name in states if "firing" in states[name]}:
            raise CheckError(f"Prometheus has {states}")
        with urllib.request.urlopen(f"http://{alertmanager}/api/v2/alerts", timeout=5) as answer:
            held_back = {alert["labels"]["alertname"] for alert in json.load(answer) if alert["status"]["inhibitedBy"]}
        if not {"PartitionsUnheld", "IngestBacklogGrowing"} <= held_back:
            raise CheckError(f"ServiceAbsent says why, but Alertmanager holds back only {held_back}")
        return True
    wait("alerts fire and reach Alertmanager", 30, received)

    start_ingesters()

    def well():
        now = external(prometheus, "iot_stream_unread_messages")
        if now > 50 or {"PartitionsUnheld", "ServiceAbsent"} & set(prometheus.alerts()):
            raise CheckError(f"{now:.0f} unread, alerts {prometheus.alerts()}")
        if receiver.told.get("ServiceAbsent") != "resolved":
            raise CheckError(f"Alertmanager told {receiver.told}")
        return True
    wait("with ingesters all ends", 40, well)
    return f"unread {before:.0f}, without ingesters {unread:.0f}; ServiceAbsent reached Alertmanager's webhook, and its end"


def servers(action):
    return subprocess.run([PROJECT / "scripts/servers", action, INSTANCE], check=True, text=True, capture_output=True).stdout


def say(what, begun):
    print(f"check-monitoring: {what} ({time.monotonic() - begun:.0f} s)", flush=True)


def run():
    begun = time.monotonic()
    os.environ["PATH"] = f"{PROJECT}/.build/tools/bin:{os.environ['PATH']}"
    say(check_tests_and_pages(), begun)

    servers("start")
    urls = dict(line.split("=", 1) for line in servers("env").splitlines())
    broker = int(urllib.parse.urlsplit(urls["PROMETHEUS_URL"]).port)
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""), **urls,
                   "HTTP_PORT": "0", "LOG_LEVEL": "info"}

    def start(name, program, *arguments):
        return Process(name, [PROGRAMS / program, *arguments], environment)
    registries = [start(f"registry-{one}", "sensor-registry", "--guard-interval", "1s") for one in "ab"]
    ingesters = [start(f"ingester-{one}", "measurements-ingester", "--replica", one) for one in "ab"]
    logs = start("logs-ingester", "logs-ingester")
    simulator = start("simulator", "sensor-simulator", "--serial-prefix", "check",
                      "--kind", "vibration:100x30", "--kind", "climate:1x4")
    ports = [ingester.http_port() for ingester in ingesters]
    targets = {
        "sensor-registry": [registry.http_port() for registry in registries], "measurements-ingester": ports,
        "logs-ingester": [logs.http_port()], "sensor-simulator": [simulator.http_port()],
        "rabbitmq": [broker], "rabbitmq-detailed": [broker],
    }
    receiver = Receiver()
    alertmanager = start_alertmanager(receiver)
    prometheus = Prometheus(targets, alertmanager)

    def all_up():
        values = prometheus.query("up")
        down = [labels["job"] for labels, value in values if value != 1]
        if down or len(values) < 1 + sum(map(len, targets.values())):
            raise CheckError(f"{len(values)} targets, down: {down}")
        return len(values)
    say(f"{wait('all targets are scraped', 30, all_up)} targets are scraped", begun)
    say(check_metrics(prometheus), begun)
    say(check_rules(prometheus), begun)
    pods = {job: [f"{job}-{index}" for index in range(len(ports_))] for job, ports_ in targets.items()}
    say(check_adapter(prometheus, pods), begun)

    def again():
        for one, port in zip("cd", ports):
            start(f"ingester-{one}", "measurements-ingester", "--replica", one, "--http-port", str(port))
    say(check_failure(prometheus, receiver, alertmanager, ingesters, again), begun)


def main():
    if sys.argv[1:]:
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 64
    FOLDER.mkdir(parents=True)
    failed = False
    try:
        run()
    except (CheckError, subprocess.CalledProcessError) as error:
        failed = True
        print(f"check-monitoring: {error}\n{getattr(error, 'stderr', None) or ''}logs are in {FOLDER}", file=sys.stderr)
    finally:
        for process in reversed(Process.running[:]):
            process.stop()
        with contextlib.suppress(subprocess.CalledProcessError):
            servers("stop")
        shutil.rmtree(PROJECT / ".build/servers" / INSTANCE, ignore_errors=True)
        if not failed:
            shutil.rmtree(FOLDER, ignore_errors=True)
    return 1 if failed else 0


def interrupted(number, frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
