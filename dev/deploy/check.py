"""What scripts/check-deploy runs."""

import concurrent.futures
import functools
import io
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

import yaml

from dev.deploy import names, schemas
from dev.project import PROJECT

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CHECKS = []


def check(title):
    """Registers a function that returns what is wrong, one line each; it may be slow: they run side by side."""

    def register(function):
        CHECKS.append((title, function))
        return function

    return register


class Missing(Exception):
    """A file that must be there is not."""


def text(path):
    path = PROJECT / path
    if not path.exists():
        raise Missing(f"no {path.relative_to(PROJECT)}")
    return path.read_text()


@functools.cache
def document(path):
    return yaml.load(text(path), Loader)


@functools.cache
def compose():
    """compose.yaml with the defaults of its variables."""
    return yaml.load(re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text("compose.yaml")), Loader)


def tracked(*patterns):
    """Files of the repository, new ones too."""
    # In a container of a CI the checkout belongs to another user.
    output = subprocess.run(
        ["git", "-c", f"safe.directory={PROJECT}", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]
        + ["--", *patterns],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for path in output.splitlines() if (PROJECT / path).is_file()]


def run(*command, stdin=None, **environment):
    """What a command printed, as problems if it failed."""
    done = subprocess.run(
        list(map(str, command)), cwd=PROJECT, input=stdin, capture_output=True, text=True, env=os.environ | environment
    )
    return (
        []
        if done.returncode == 0
        else ((done.stdout + done.stderr).strip().splitlines() or [f"exit {done.returncode}"])
    )


def needs(paths, what):
    if not paths:
        raise Missing(f"no {what}")
    return paths


# Rendering.


@functools.cache
def render(folder):
    done = subprocess.run(["kubectl", "kustomize", folder], cwd=PROJECT, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"kubectl kustomize {folder}: {done.stderr.strip()}")
    return done.stdout


@functools.cache
def objects(folder):
    """The objects that a folder stands for; one without a kustomization is all its files, as Flux has it."""
    if (PROJECT / folder / "kustomization.yaml").exists():
        texts = [render(folder)]
    else:
        texts = [path.read_text() for path in sorted((PROJECT / folder).rglob("*.yaml"))]
    return [item for part in texts for item in yaml.load_all(part, Loader) if item]


@functools.cache
def overlays():
    return needs(sorted(os.path.dirname(path) for path in tracked("k8s/overlays/*/kustomization.yaml")), "k8s/overlays")


@functools.cache
def flux_folders():
    """Folders of flux/ that Flux's Kustomizations name, and the clusters' own."""
    clusters = sorted({str(pathlib.PurePath(path).parent) for path in tracked("flux/clusters/*.yaml")})
    paths = [
        re.sub(r"^\./", "", item["spec"]["path"])
        for folder in needs(clusters, "flux/clusters")
        for item in objects(folder)
        if item["apiVersion"].startswith("kustomize.toolkit")
    ]
    return [*clusters, *sorted({path for path in paths if (PROJECT / path).is_dir()})]


@functools.cache
def flux_objects():
    """All objects that Flux brings, but for the system itself."""
    return [item for folder in flux_folders() for item in objects(folder)]


@functools.cache
def hand_made(folder):
    """Secrets that a person makes before: by Flux's template if there is one, or else by k8s/README.md's lines."""
    space = next((item["metadata"]["namespace"] for item in objects(folder) if item["kind"] == "Deployment"), "default")
    templates = tracked(f"flux/{os.path.basename(folder)}/secrets/*.template")
    if templates:
        return [item for path in templates for item in yaml.load_all(text(path), Loader) if item]
    return [
        {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": space},
            "stringData": dict.fromkeys(keys),
        }
        for name, keys in names.created_secrets("\n".join(text(path) for path in tracked("k8s/README.md"))).items()
    ]


@functools.cache
def system(folder):
    """An overlay with the Secrets that are there before it, the logins that come after it, and the cluster-wide objects
    that Flux brings."""
    rendered = objects(folder)
    there = names.stores(rendered)
    more = [
        item for item in hand_made(folder) if ("Secret", names.namespace(item), item["metadata"]["name"]) not in there
    ]
    if names.of_kind(rendered, "RabbitmqCluster"):
        more += objects("k8s/sensor-logins")
    try:
        more += [
            item
            for item in flux_objects()
            if item["kind"] in ("ClusterIssuer", "PriorityClass") and item not in rendered
        ]
    except Missing:
        pass
    return rendered + more


def each_overlay(function):
    return [f"{os.path.basename(folder)}: {problem}" for folder in overlays() for problem in function(system(folder))]


# Programs.


@functools.cache
def help_text(program, subcommands):
    for folder in (".build/release", ".build/debug"):
        path = PROJECT / folder / program
        if path.exists():
            done = subprocess.run([path, *subcommands, "--help"], capture_output=True, text=True, timeout=20)
            return done.stdout + done.stderr
    raise Missing(f"neither .build/release/{program} nor .build/debug/{program}: `make release` builds it")


def help_of(program, subcommands):
    return help_text(program, tuple(subcommands))


@functools.cache
def sources():
    return tuple((PROJECT / path).read_text() for path in tracked("Sources/*.swift"))


@functools.cache
def read_environment():
    return names.read_environment(sources())


@functools.cache
def exported():
    return names.exported_metrics(sources())


def partitions(items):
    """How many partitions the registry of an overlay makes."""
    maps = {item["metadata"]["name"]: item.get("data", {}) for item in items if item["kind"] == "ConfigMap"}
    for pods, container in names.own_containers(items):
        words = names.words_of(container)
        if "--partitions" in words and "sensor-registry" in words[0]:
            value = words[words.index("--partitions") + 1]
            for variable in container.get("env", []):
                if value == f"$({variable['name']})":
                    reference = names.at(variable, "valueFrom", "configMapKeyRef")
                    value = maps[reference["name"]][reference["key"]] if reference else variable["value"]
            return int(value)
    return int(re.search(r"partitions.*?default: (\d+)", help_of("sensor-registry", []), re.S).group(1))


# Formats.


@check("yamllint")
def _():
    return run("yamllint", "--strict", "--format", "parsable", *tracked("*.yaml", "*.yml"))


@check("hadolint: Dockerfile")
def _():
    text("Dockerfile")
    return run("hadolint", "Dockerfile", *tracked("*/Dockerfile", "*.Dockerfile", "*/Dockerfile.*"))


@check("actionlint: workflows")
def _():
    return run(
        "actionlint",
        "-no-color",
        *needs(tracked(".github/workflows/*.yml", ".github/workflows/*.yaml"), ".github/workflows"),
    )


@check("shellcheck: scripts, compose")
def _():
    scripts = [
        path
        for path in tracked("scripts/*", "compose/*", ".ci/*", "Tests/*")
        if re.match(r"#!.*\b(ba)?sh\b", first_line(path))
    ]
    return run("shellcheck", "--severity=warning", *scripts)


def first_line(path):
    with open(PROJECT / path, "rb") as file:
        return file.readline(200).decode(errors="replace")


@check("promtool: rules, their tests, configuration")
def _():
    text("monitoring/rules_test.yaml"), text("monitoring/prometheus.yml")
    return [
        *run("promtool", "check", "rules", "monitoring/rules.yaml"),
        *run("promtool", "test", "rules", "monitoring/rules_test.yaml"),
        # Only the syntax: the files that it names are where compose mounts them.
        *run("promtool", "check", "config", "--syntax-only", "monitoring/prometheus.yml"),
    ]


@check("promtool: PrometheusRules of the overlays")
def _():
    found = []
    for folder in overlays():
        for item in names.of_kind(objects(folder), "PrometheusRule"):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                yaml.safe_dump(item["spec"], file)
                file.flush()
                found += run("promtool", "check", "rules", file.name)
    return found


@check("amtool: Alertmanager's configuration")
def _():
    text("monitoring/alertmanager.yml")
    return run("amtool", "check-config", "monitoring/alertmanager.yml")


@check("compose.yaml: compose specification")
def _():
    text("compose.yaml")
    return run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


@check("Grafana: JSON, unique uids")
def _():
    found, seen = [], {}
    for path in needs(tracked("grafana/dashboards/*.json"), "dashboards"):
        uid = json.loads(text(path)).get("uid")
        if uid is None or uid in seen:
            found.append(f"{path}: uid {uid} is {'missing' if uid is None else 'that of ' + seen[uid]}")
        seen[uid] = path
    sources = [
        uid
        for path in tracked("grafana/provisioning/datasources/*.yaml")
        for uid in re.findall(r"(?m)^\s*uid:\s*(\S+)", text(path))
    ]
    return found + [
        f"datasource uid {uid} is given twice" for uid in sorted({u for u in sources if sources.count(u) > 1})
    ]


@check("what is generated is up to date")
def _():
    text("scripts/generate-deploy")
    return run("scripts/generate-deploy", "--check")


# Schemas.


def invalid(folders):
    return [
        f"{folder}: {problem}"
        for folder in folders
        for item in objects(folder)
        for problem in schemas.problems(item)
    ]


@check("schemas: overlays")
def _():
    return invalid(overlays())


@check("schemas: Flux")
def _():
    return invalid(flux_folders())


@check("schemas: objects in documents")
def _():
    found = []
    for path in tracked("*.md"):
        for block in re.findall(r"(?ms)^```ya?ml\n(.*?)^```", text(path)):
            for item in yaml.load_all(block, Loader):
                if (
                    isinstance(item, dict)
                    and {"apiVersion", "kind"} <= item.keys()
                    and not item["apiVersion"].startswith("kustomize.config")
                ):
                    # An excerpt may leave out what must be there, but has no field that there is not.
                    found += [
                        f"{path}: {p}" for p in schemas.problems(item) if not p.endswith("is a required property")
                    ]
    return found


@check("objects: each name once in a namespace")
def _():
    found = []
    for folder in [*overlays(), *flux_folders()]:
        keys = [
            (item["apiVersion"].partition("/")[0], item["kind"], names.namespace(item), item["metadata"]["name"])
            for item in objects(folder)
        ]
        found += [
            f"{folder}: {' '.join(key)} is there twice" for key in sorted({key for key in keys if keys.count(key) > 1})
        ]
    return found


# Security.


def checkov(*arguments):
    # Without a way out: it would ask for its policies' guidelines otherwise.
    return run(
        "checkov", "--quiet", "--compact", "--skip-download", *arguments, LOG_LEVEL="ERROR", BC_SKIP_MAPPING="TRUE"
    )


@check("checkov: overlays")
def _():
    with tempfile.TemporaryDirectory() as folder:
        for overlay in overlays():
            pathlib.Path(folder, f"{os.path.basename(overlay)}.yaml").write_text(render(overlay))
        return checkov("--config-file", PROJECT / "k8s/.checkov.yaml", "--directory", folder)


@check("checkov: Dockerfile, workflows")
def _():
    text("Dockerfile")
    files = ["Dockerfile", *tracked(".github/workflows/*")]
    # CKV_DOCKER_7 takes a stage that a build argument names for an image without a tag; hadolint's DL3006 and
    # DL3007, which ask the same, don't.
    return checkov(
        "--skip-check",
        "CKV_DOCKER_7",
        "--framework",
        "dockerfile",
        "github_actions",
        *itertools.chain(*(("--file", file) for file in files)),
    )


# Names that cross a file.

for title, function in (
    ("names: Services select pods", names.service_selectors),
    ("names: accounts, volumes, probes, spread of pods", names.workload_references),
    ("names: PodDisruptionBudgets", names.budgets),
    ("names: NetworkPolicies", names.network_policies),
    ("names: Ingress, IngressRouteTCP", names.entrances),
    ("names: Secrets and ConfigMaps, their keys", names.secret_references),
    ("names: operators' references", names.operator_references),
    ("names: keys that logins of sensors may publish", names.sensor_keys),
    ("names: files that variables name", names.file_paths),
    ("names: hosts and ports in URLs", names.url_hosts),
):
    check(title)(functools.partial(each_overlay, function))


@check("names: ServiceMonitors, PodMonitors")
def _():
    everywhere = [service.labels for folder in overlays() for service in names.services(objects(folder))]
    return each_overlay(lambda items: names.monitors(items, everywhere))


@check("names: environment of the programs")
def _():
    return each_overlay(lambda items: names.environment_names(items, read_environment()))


@check("names: options of the programs")
def _():
    return each_overlay(lambda items: names.command_lines(items, help_of))


@check("names: HPAs, their targets and limits")
def _():
    return each_overlay(lambda items: names.autoscalers(items, partitions(items)))


@check("names: HPAs' metrics, the adapter, /metrics")
def _():
    rules = document("monitoring/adapter.yaml")
    everything = [item for folder in overlays() for item in objects(folder)]
    details = [
        endpoint
        for item in names.of_kind(everything, "ServiceMonitor")
        for endpoint in item["spec"]["endpoints"]
        if endpoint.get("path") == "/metrics/detailed"
    ]
    monitored = (
        {"rabbitmq_detailed_queue_messages"}
        if any("queue_coarse_metrics" in endpoint.get("params", {}).get("family", []) for endpoint in details)
        else set()
    )
    found = names.autoscaler_metrics(everything, rules.get("rules", rules), exported(), monitored)
    return list(dict.fromkeys(found)) + (
        [] if names.of_kind(everything, "HorizontalPodAutoscaler") else ["no overlay has an HPA"]
    )


@check("names: metrics of rules and dashboards")
def _():
    recorded = {
        rule["record"]
        for group in document("monitoring/rules.yaml")["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    found = []
    for path in ["monitoring/rules.yaml", *tracked("grafana/dashboards/*.json"), *tracked("k8s/*keda*", "docs/*keda*")]:
        lines = [line for line in text(path).splitlines() if not line.lstrip().startswith("#")]
        found += names.metric_names(path, "\n".join(lines), exported() | recorded)
    return found


@check("names: images of Kubernetes and compose")
def _():
    here = [(name, service["image"]) for name, service in compose()["services"].items() if "image" in service]
    pinned = [
        (f"{os.path.basename(folder)}: {who}", image)
        for folder in overlays()
        for who, image in names.images(objects(folder))
    ]
    return names.image_pins(pinned, here) + names.image_pins(here, [])


@check("names: Flux")
def _():
    def exists(path):
        return (PROJECT / path).is_dir() and any((PROJECT / path).glob("*.yaml"))

    return names.flux_references(flux_objects(), exists)


@check("names: image policies and their marks")
def _():
    return names.policy_marks({path: text(path) for path in tracked("k8s/*.yaml", "flux/*.yaml")}, flux_objects())


@check("names: alerts' runbooks")
def _():
    return names.runbooks(
        document("monitoring/rules.yaml"), lambda path: (PROJECT / path).read_text() if (PROJECT / path).exists() else None
    )


@check("names: make targets and scripts of the pipelines")
def _():
    targets = set(re.findall(r"(?m)^([a-z][\w-]*):", text("Makefile")))
    paths = needs([*tracked(".github/workflows/*"), *tracked("Jenkinsfile")], "pipelines")
    return [
        problem
        for path in paths
        for problem in names.pipeline_commands(path, text(path), targets, lambda p: (PROJECT / p).exists())
    ]


@check("names: compose.yaml's files and parts")
def _():
    made = set(re.findall(r"[\w.-]+", text("dev/deploy/secrets.py")))
    return names.compose_files(compose(), lambda path: (PROJECT / path).exists(), made) + names.compose_secret_files(
        compose()
    )


@check("names: compose.yaml's programs and URLs")
def _():
    secrets = {"scripts/secrets": text("dev/deploy/secrets.py")}
    return names.compose_programs(compose(), read_environment(), help_of) + names.compose_urls(compose(), secrets)


@check("names: Prometheus's targets in compose.yaml")
def _():
    return names.prometheus_targets(document("monitoring/prometheus.yml"), compose())


@check("names: Grafana's variables")
def _():
    provisioning = [text(path) for path in tracked("grafana/provisioning/*")]
    service = compose()["services"]["grafana"]
    mounted = [target for _, target in names.compose_mounts(service)]
    mounted += [
        f"/run/secrets/{e}" if isinstance(e, str) else e.get("target", f"/run/secrets/{e['source']}")
        for e in service.get("secrets", [])
    ]
    mounted = [path if path.startswith("/") else f"/run/secrets/{path}" for path in mounted]
    found = names.grafana_variables("compose.yaml", names.compose_environment(service), mounted, provisioning)
    for folder in overlays():
        for pods in names.pods(objects(folder)):
            for container in pods.containers:
                if names.image_name(container.get("image", "")).startswith("grafana/grafana"):
                    environment = {variable["name"]: "" for variable in container.get("env", [])}
                    mounted = [m["mountPath"] for m in container.get("volumeMounts", [])]
                    found += names.grafana_variables(folder, environment, mounted, provisioning)
    return found


@check("names: ports in docs/compose.md")
def _():
    return names.published_ports("docs/compose.md", text("docs/compose.md"), compose())


# Running.


def guarded(function):
    start = time.monotonic()
    try:
        found = function()
    except Missing as missing:
        found = [str(missing)]
    except Exception as error:  # a document of an unexpected shape
        frame = error.__traceback__
        while frame.tb_next:
            frame = frame.tb_next
        found = [
            f"{type(error).__name__}: {error} ({pathlib.Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno})"
        ]
    return list(dict.fromkeys(found)), time.monotonic() - start


def self_test():
    """Passed and failed tests of the checks themselves."""
    output = io.StringIO()
    suite = unittest.defaultTestLoader.discover(str(pathlib.Path(__file__).parent), "test_*.py", str(PROJECT))
    result = unittest.TextTestRunner(output, verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors)
    if failed:
        print(output.getvalue())
    print(f"{'FAIL' if failed else 'ok':4}  self-test: {result.testsRun} tests of the checks")
    return result.testsRun - failed, failed


def main(arguments):
    passed, failed = self_test() if not arguments or "--self-test" in arguments else (0, 0)
    if "--self-test" not in arguments:
        wanted = [
            (title, function) for title, function in CHECKS if not arguments or any(word in title for word in arguments)
        ]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            # The slow ones first; the report keeps the order above.
            order = sorted(wanted, key=lambda c: not c[0].startswith(("checkov", "schemas")))
            running = {title: pool.submit(guarded, function) for title, function in order}
            for title, _ in wanted:
                found, seconds = running[title].result()
                print(f"{'FAIL' if found else 'ok':4}  {title} ({seconds:.1f} s)", *found, sep="\n        ", flush=True)
                passed, failed = passed + (not found), failed + bool(found)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
