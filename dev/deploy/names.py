"""Names that cross a file: what a file names must exist in the other.

Pure functions over parsed documents; each returns what is wrong, one line each."""

import dataclasses
import re
import shlex

OWN_IMAGE = "/sensor-services"
PROGRAMS = ("sensor-simulator", "sensor-registry", "logs-ingester", "measurements-ingester", "iotctl")

# What operators make of an object, as their sources say: CloudNativePG 1.30 (pkg/specs), RabbitMQ cluster operator 2.22
# (internal/resource), messaging topology operator 1.20, cert-manager 1.21 (pkg/issuer/acme/http).
CNPG_APP = {
    "username",
    "user",
    "password",
    "dbname",
    "host",
    "port",
    "pgpass",
    "uri",
    "jdbc-uri",
    "fqdn-uri",
    "fqdn-jdbc-uri",
}
RABBITMQ_NODES = {"epmd": 4369, "cluster-rpc": 25672}
RABBITMQ_USER = {"username", "password", "host", "port", "provider", "type", "default_user.conf", "connection_string"}
ISSUERS = {"cert-manager.io/cluster-issuer", "cert-manager.io/issuer"}
TLS = {"tls.crt", "tls.key", "ca.crt"}


def at(item, *path, default=None):
    """What lies at a path of keys, or the default."""
    for key in path:
        item = item.get(key) if isinstance(item, dict) else None
    return default if item is None else item


def label(item):
    return f"{item['kind']} {item['metadata']['name']}"


def namespace(item):
    return item["metadata"].get("namespace", "default")


def walk(value):
    """Every dictionary inside a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from walk(inner)


@dataclasses.dataclass
class Pods:
    """Pods that are alike: what makes them, their labels, their specification, the ports they listen on."""

    owner: dict
    labels: dict
    spec: dict
    ports: dict  # name: number

    @property
    def namespace(self):
        return namespace(self.owner)

    @property
    def containers(self):
        return self.spec.get("initContainers", []) + self.spec.get("containers", [])


@dataclasses.dataclass
class Service:
    namespace: str
    name: str
    labels: dict
    ports: dict  # name: number
    origin: str


def of_kind(objects, *kinds):
    return [item for item in objects if item["kind"] in kinds]


def rabbitmq_ports(cluster):
    ports = {"amqp": 5672, "management": 15672, "prometheus": 15692}
    plugins = at(cluster, "spec", "rabbitmq", "additionalPlugins", default=[])
    for plugin, port, number in (
        ("rabbitmq_mqtt", "mqtt", 1883),
        ("rabbitmq_stream", "stream", 5552),
        ("rabbitmq_web_mqtt", "web-mqtt", 15675),
    ):
        if plugin in plugins:
            ports[port] = number
    if at(cluster, "spec", "tls", "secretName"):
        ports |= {"amqps": 5671, "management-tls": 15671} | ({"mqtts": 8883} if "mqtt" in ports else {})
        ports["prometheus-tls"] = ports.pop("prometheus") - 1
    return ports


def pods(objects):
    """All pods: of workloads, and of what operators run."""
    found = []
    for item in objects:
        name, spec = item["metadata"]["name"], item.get("spec") or {}
        match item["kind"]:
            case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
                template = spec["template"]
            case "CronJob":
                template = spec["jobTemplate"]["spec"]["template"]
            case "Pod":
                template = item
            case "RabbitmqCluster":
                labels = {
                    "app.kubernetes.io/name": name,
                    "app.kubernetes.io/component": "rabbitmq",
                    "app.kubernetes.io/part-of": "rabbitmq",
                }
                template = at(spec, "override", "statefulSet", "spec", "template", default={})
                inner = {"containers": [], **template.get("spec", {})}
                found.append(
                    Pods(
                        item,
                        labels | at(template, "metadata", "labels", default={}),
                        inner,
                        rabbitmq_ports(item) | RABBITMQ_NODES,
                    )
                )
                continue
            case "Cluster" | "Pooler":
                pooler = item["kind"] == "Pooler"
                labels = {
                    "app.kubernetes.io/name": "postgresql",
                    "app.kubernetes.io/component": "pooler" if pooler else "database",
                    "app.kubernetes.io/managed-by": "cloudnative-pg",
                    "cnpg.io/podRole": "pooler" if pooler else "instance",
                    "cnpg.io/cluster": spec["cluster"]["name"] if pooler else name,
                    "app.kubernetes.io/instance": spec["cluster"]["name"] if pooler else name,
                } | ({"cnpg.io/poolerName": name} if pooler else {})
                more = (
                    at(spec, "template", "metadata", "labels", default={})
                    if pooler
                    else at(spec, "inheritedMetadata", "labels", default={})
                )
                ports = (
                    {"pgbouncer": 5432, "metrics": 9127}
                    if pooler
                    else {"postgresql": 5432, "metrics": 9187, "status": 8000}
                )
                found.append(Pods(item, labels | more, {"containers": []}, ports))
                continue
            case "Certificate":
                found.append(
                    Pods(item, {"acme.cert-manager.io/http01-solver": "true"}, {"containers": []}, {"http": 8089})
                )
                continue
            case _:
                continue
        ports = {}
        for container in template["spec"].get("containers", []):
            for port in container.get("ports", []):
                ports[port.get("name", str(port["containerPort"]))] = port["containerPort"]
        found.append(Pods(item, at(template, "metadata", "labels", default={}), template["spec"], ports))
    return found


def services(objects):
    """All Services, those that operators make among them."""
    found = []
    for item in objects:
        name, spec, of = item["metadata"]["name"], item.get("spec") or {}, (namespace(item),)
        labels = item["metadata"].get("labels", {})
        match item["kind"]:
            case "Service":
                ports = {port.get("name", str(port["port"])): port["port"] for port in spec.get("ports", [])}
                found.append(Service(*of, name, labels, ports, label(item)))
            case "RabbitmqCluster":
                made = {
                    "app.kubernetes.io/name": name,
                    "app.kubernetes.io/component": "rabbitmq",
                    "app.kubernetes.io/part-of": "rabbitmq",
                }
                made |= {k: v for k, v in labels.items() if not k.startswith("app.kubernetes.io")} | at(
                    spec, "service", "labels", default={}
                )
                found.append(Service(*of, name, made, rabbitmq_ports(item), label(item)))
                found.append(Service(*of, f"{name}-nodes", made, RABBITMQ_NODES, label(item)))
            case "Cluster":
                disabled = at(spec, "managed", "services", "disabledDefaultServices", default=[])
                for end in ("rw", "ro", "r"):
                    if end not in disabled:
                        found.append(
                            Service(*of, f"{name}-{end}", {"cnpg.io/cluster": name}, {"postgres": 5432}, label(item))
                        )
            case "Pooler":
                found.append(Service(*of, name, {"cnpg.io/poolerName": name}, {"pgbouncer": 5432}, label(item)))
    return found


def stores(objects):
    """Keys of each Secret and ConfigMap by kind, namespace and name, those that operators make among them."""
    found = {}
    for item in objects:
        name, spec, of = item["metadata"]["name"], item.get("spec") or {}, namespace(item)
        match item["kind"]:
            case "Secret" | "ConfigMap":
                keys = (
                    set(item.get("data") or {}) | set(item.get("stringData") or {}) | set(item.get("binaryData") or {})
                )
                found[item["kind"], of, name] = keys
            case "RabbitmqCluster" if not spec.get("secretBackend"):
                found["Secret", of, f"{name}-default-user"] = RABBITMQ_USER
            case "User":  # of RabbitMQ's topology operator
                found["Secret", of, f"{name}-user-credentials"] = {"username", "password"}
            case "Cluster":
                if not at(spec, "bootstrap", "initdb", "secret"):
                    found["Secret", of, f"{name}-app"] = CNPG_APP
                if spec.get("enableSuperuserAccess"):
                    found["Secret", of, f"{name}-superuser"] = CNPG_APP
                found["Secret", of, f"{name}-ca"] = {"ca.crt", "ca.key"}
                found["Secret", of, f"{name}-server"] = {"tls.crt", "tls.key"}
            case "Certificate":
                found["Secret", of, spec["secretName"]] = TLS
            case "Ingress" if ISSUERS & item["metadata"].get("annotations", {}).keys():
                for tls in spec.get("tls", []):
                    found["Secret", of, tls["secretName"]] = TLS
    for item in of_kind(objects, "Namespace"):
        found["ConfigMap", item["metadata"]["name"], "kube-root-ca.crt"] = {"ca.crt"}
    return found


def matches(selector, labels):
    """Whether a LabelSelector takes these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or []:
        there, values = rule["key"] in labels, rule.get("values", [])
        ok = {
            "In": labels.get(rule["key"]) in values,
            "NotIn": labels.get(rule["key"]) not in values,
            "Exists": there,
            "DoesNotExist": not there,
        }[rule["operator"]]
        if not ok:
            return False
    return True


def unmatched_values(selector, candidates):
    """Values of `In` that no candidate has: each was meant to match one."""
    for rule in selector.get("matchExpressions") or []:
        if rule["operator"] == "In":
            for value in rule["values"]:
                if not any(labels.get(rule["key"]) == value for labels in candidates):
                    yield f"{rule['key']}={value}"


def port_of(port, ports):
    """Whether a port, by name or number, is among these."""
    return port in ports if isinstance(port, str) and not port.isdigit() else int(port) in ports.values()


# Selectors and targets.


def service_selectors(objects):
    found, all_pods = [], pods(objects)
    for item in of_kind(objects, "Service"):
        selector = at(item, "spec", "selector")
        if not selector:
            continue
        chosen = [
            p for p in all_pods if p.namespace == namespace(item) and matches({"matchLabels": selector}, p.labels)
        ]
        if not chosen:
            found.append(f"{label(item)}: its selector {selector} takes no pod")
        if len(chosen) > 1:
            found.append(f"{label(item)}: its selector takes pods of {', '.join(label(p.owner) for p in chosen)}")
        for port in item["spec"].get("ports", []):
            target = port.get("targetPort", port["port"])
            for p in chosen:
                if not port_of(target, p.ports):
                    found.append(f"{label(item)}: {label(p.owner)} has no port {target}")
    return found


def workload_references(objects):
    """Service accounts, priority classes, headless services, claims, and that a workload selects its own pods."""
    found, all_services = [], {(s.namespace, s.name) for s in services(objects)}
    accounts = {(namespace(i), i["metadata"]["name"]) for i in of_kind(objects, "ServiceAccount")}
    claims = {(namespace(i), i["metadata"]["name"]) for i in of_kind(objects, "PersistentVolumeClaim")}
    classes = {i["metadata"]["name"] for i in of_kind(objects, "PriorityClass")} | {
        "system-cluster-critical",
        "system-node-critical",
    }
    for p in pods(objects):
        account = p.spec.get("serviceAccountName")
        if account and account != "default" and (p.namespace, account) not in accounts:
            found.append(f"{label(p.owner)}: no ServiceAccount {account}")
        priority = p.spec.get("priorityClassName") or (
            at(p.owner, "spec", "priorityClassName") if not p.spec["containers"] else None
        )
        if priority and priority not in classes:
            found.append(f"{label(p.owner)}: no PriorityClass {priority}")
        selector = at(p.owner, "spec", "selector")
        if (
            selector
            and p.owner["kind"] in ("Deployment", "StatefulSet", "DaemonSet")
            and not matches(selector, p.labels)
        ):
            found.append(f"{label(p.owner)}: its selector does not take its own pods")
        if p.owner["kind"] == "StatefulSet":
            service = p.owner["spec"].get("serviceName")
            if service and (p.namespace, service) not in all_services:
                found.append(f"{label(p.owner)}: no Service {service}")
        own = {claim["metadata"]["name"] for claim in at(p.owner, "spec", "volumeClaimTemplates", default=[])}
        volumes = {volume["name"]: volume for volume in p.spec.get("volumes", [])}
        for volume in volumes.values():
            claim = at(volume, "persistentVolumeClaim", "claimName")
            if claim and (p.namespace, claim) not in claims:
                found.append(f"{label(p.owner)}: no PersistentVolumeClaim {claim}")
        mounted = {mount["name"] for c in p.containers for mount in c.get("volumeMounts", [])}
        if p.owner["kind"] not in ("RabbitmqCluster", "Cluster", "Pooler"):
            found += [
                f"{label(p.owner)}: mounts {name}, which is no volume"
                for name in sorted(mounted - volumes.keys() - own)
            ]
            found += [
                f"{label(p.owner)}: volume {name} is mounted nowhere" for name in sorted(volumes.keys() - mounted)
            ]
        for c in p.containers:
            ports = {port.get("name") for port in c.get("ports", [])} | {
                port["containerPort"] for port in c.get("ports", [])
            }
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                for action in ("httpGet", "tcpSocket", "grpc"):
                    port = at(c, probe, action, "port")
                    if port is not None and port not in ports:
                        found.append(
                            f"{label(p.owner)}: {probe} of {c['name']} asks port {port}, which it does not have"
                        )
        for spread in p.spec.get("topologySpreadConstraints", []):
            if not matches(spread.get("labelSelector", {}), p.labels):
                found.append(f"{label(p.owner)}: a topologySpreadConstraint does not take its own pods")
    return found


def monitors(objects, elsewhere=()):
    """elsewhere: labels of Services of other overlays; a monitor of all may name what only they have."""
    found, all_services, all_pods = [], services(objects), pods(objects)
    for item in of_kind(objects, "ServiceMonitor", "PodMonitor"):
        of_pods = item["kind"] == "PodMonitor"
        spaces = at(item, "spec", "namespaceSelector", "matchNames", default=[namespace(item)])
        candidates = [s for s in (all_pods if of_pods else all_services) if s.namespace in spaces]
        selector = item["spec"]["selector"]
        chosen = [s for s in candidates if matches(selector, s.labels)]
        what = "pod" if of_pods else "Service"
        if not chosen:
            found.append(f"{label(item)}: its selector takes no {what}")
        found += [
            f"{label(item)}: no {what} has {value}"
            for value in unmatched_values(selector, [*(s.labels for s in candidates), *elsewhere])
        ]
        for endpoint in item["spec"].get("podMetricsEndpoints" if of_pods else "endpoints", []):
            for s in chosen:
                port = endpoint.get("port")
                if not of_pods and s.ports == RABBITMQ_NODES:
                    continue  # it has the same labels as the Service that clients use, and its ports are not asked for
                if port is None or port not in s.ports:
                    found.append(
                        f"{label(item)}: {label(s.owner) if of_pods else 'Service ' + s.name} has no port {port}"
                    )
    return found


def budgets(objects):
    found, all_pods, chosen_by = [], pods(objects), {}
    for item in of_kind(objects, "PodDisruptionBudget"):
        chosen = [p for p in all_pods if p.namespace == namespace(item) and matches(item["spec"]["selector"], p.labels)]
        if not chosen:
            found.append(f"{label(item)}: its selector takes no pod")
        for p in chosen:
            if label(p.owner) in chosen_by:
                found.append(
                    f"{label(item)}: {chosen_by[label(p.owner)]} takes pods of {label(p.owner)} too, which blocks every eviction"
                )
            chosen_by[label(p.owner)] = label(item)
            replicas = at(p.owner, "spec", "replicas", default=1)
            if item["spec"].get("minAvailable") == replicas and p.owner["kind"] in ("Deployment", "StatefulSet"):
                found.append(
                    f"{label(item)}: minAvailable is {label(p.owner)}'s number of replicas, no node can be drained"
                )
    return found


def network_policies(objects):
    """Selectors of the policies' own namespaces take pods, and ports are ports of those pods."""
    found, all_pods = [], pods(objects)
    for item in of_kind(objects, "NetworkPolicy"):
        here = [p for p in all_pods if p.namespace == namespace(item)]
        own = [p for p in here if matches(item["spec"]["podSelector"], p.labels)]
        if not own:
            found.append(f"{label(item)}: its podSelector takes no pod")
        found += [
            f"{label(item)}: no pod has {value}"
            for value in unmatched_values(item["spec"]["podSelector"], [p.labels for p in here])
        ]
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in item["spec"].get(direction) or []:
                targets = own if direction == "ingress" else None
                for peer in rule.get(peers) or []:
                    if "podSelector" not in peer or "namespaceSelector" in peer:
                        targets = targets if direction == "ingress" else []
                        continue
                    chosen = [p for p in here if matches(peer["podSelector"], p.labels)]
                    if not chosen:
                        found.append(f"{label(item)}: {peers} {peer['podSelector']} takes no pod")
                    found += [
                        f"{label(item)}: no pod has {v}"
                        for v in unmatched_values(peer["podSelector"], [p.labels for p in here])
                    ]
                    if direction == "egress" and targets != []:
                        targets = (targets or []) + chosen
                for port in rule.get("ports") or []:
                    if (
                        targets
                        and "port" in port
                        and "endPort" not in port
                        and not any(port_of(port["port"], p.ports) for p in targets)
                    ):
                        found.append(
                            f"{label(item)}: {direction} port {port['port']} is no port of {', '.join(label(p.owner) for p in targets)}"
                        )
    return found


def autoscalers(objects, partitions):
    """Targets exist and leave the number of replicas to them; no more measurements-ingesters than partitions."""
    found = []
    for item in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        spec = item["spec"]
        target = spec["scaleTargetRef"]
        kind = target.get("kind", "Deployment")
        aim = next(
            (
                i
                for i in of_kind(objects, kind)
                if (namespace(i), i["metadata"]["name"]) == (namespace(item), target["name"])
            ),
            None,
        )
        least = spec.get("minReplicas", spec.get("minReplicaCount", 1))
        most = spec.get("maxReplicas", spec.get("maxReplicaCount", 100))
        if aim is None:
            found.append(f"{label(item)}: no {kind} {target['name']}")
            continue
        if aim["apiVersion"] != target.get("apiVersion", "apps/v1"):
            found.append(f"{label(item)}: {kind} {target['name']} is {aim['apiVersion']}")
        if "replicas" in aim["spec"]:
            found.append(
                f"{label(item)}: {kind} {target['name']} has replicas, which would undo the scaling with every apply"
            )
        if least > most:
            found.append(f"{label(item)}: at least {least}, at most {most}")
        if target["name"] == "measurements-ingester" and most != partitions:
            found.append(f"{label(item)}: at most {most} replicas, but {partitions} partitions")
    return found


def entrances(objects):
    """What Ingress and IngressRouteTCP send to: services, ports, certificates, middlewares, entry points."""
    found, all_services, secrets = [], {(s.namespace, s.name): s for s in services(objects)}, stores(objects)
    made = {(i["kind"], namespace(i), i["metadata"]["name"]) for i in objects}
    points = {"web", "websecure", "traefik", "metrics"}
    for item in of_kind(objects, "HelmChartConfig"):
        points |= {name for values in walk(item["spec"].get("ports", {})) for name in values}
        points |= set(
            re.findall(r"(?m)^  ([a-z0-9-]+):$", at(item, "spec", "valuesContent", default="").partition("ports:")[2])
        )

    def service(item, name, port, space=None):
        aim = all_services.get((space or namespace(item), name))
        if aim is None:
            return [f"{label(item)}: no Service {name}"]
        return [] if port_of(port, aim.ports) else [f"{label(item)}: Service {name} has no port {port}"]

    def certificate(item, secret):
        keys = secrets.get(("Secret", namespace(item), secret))
        return (
            []
            if keys and {"tls.crt", "tls.key"} <= keys
            else [f"{label(item)}: no Secret {secret} with tls.crt and tls.key"]
        )

    for item in of_kind(objects, "Ingress"):
        backends = [at(item, "spec", "defaultBackend", "service")]
        for rule in item["spec"].get("rules", []):
            backends += [at(path, "backend", "service") for path in at(rule, "http", "paths", default=[])]
        for backend in filter(None, backends):
            found += service(item, backend["name"], backend["port"].get("name") or backend["port"]["number"])
        hosts = {rule.get("host") for rule in item["spec"].get("rules", [])}
        for tls in item["spec"].get("tls", []):
            if "secretName" in tls:
                found += certificate(item, tls["secretName"])
            found += [
                f"{label(item)}: a certificate for {host}, which no rule has"
                for host in tls.get("hosts", [])
                if host not in hosts
            ]
        for text in re.split(
            r",\s*", item["metadata"].get("annotations", {}).get("traefik.ingress.kubernetes.io/router.middlewares", "")
        ):
            if text:
                space, _, name = text.removesuffix("@kubernetescrd").partition(namespace(item) + "-")
                if space or ("Middleware", namespace(item), name) not in made:
                    found.append(f"{label(item)}: no Middleware {text}")
    for item in of_kind(objects, "IngressRouteTCP", "IngressRoute"):
        for point in item["spec"].get("entryPoints", []):
            if point not in points:
                found.append(f"{label(item)}: no HelmChartConfig opens the entry point {point}")
        for route in item["spec"]["routes"]:
            for aim in route.get("services", []):
                found += service(item, aim["name"], aim.get("port"), aim.get("namespace"))
            for middleware in route.get("middlewares", []):
                kind = "MiddlewareTCP" if item["kind"] == "IngressRouteTCP" else "Middleware"
                if (kind, middleware.get("namespace", namespace(item)), middleware["name"]) not in made:
                    found.append(f"{label(item)}: no {kind} {middleware['name']}")
        if at(item, "spec", "tls", "secretName"):
            found += certificate(item, item["spec"]["tls"]["secretName"])
        options = at(item, "spec", "tls", "options")
        if options and ("TLSOption", options.get("namespace", namespace(item)), options["name"]) not in made:
            found.append(f"{label(item)}: no TLSOption {options['name']}")
    return found


def operator_references(objects):
    """References among the operators' own objects."""
    found, secrets = [], stores(objects)
    made = {(i["kind"], namespace(i), i["metadata"]["name"]) for i in objects}
    cluster_wide = {(i["kind"], i["metadata"]["name"]) for i in objects}

    def needs(item, kind, name, space=None):
        if name and (kind, space or namespace(item), name) not in made:
            found.append(f"{label(item)}: no {kind} {name}")

    def needs_secret(item, name, *keys):
        has = secrets.get(("Secret", namespace(item), name))
        if has is None:
            found.append(f"{label(item)}: no Secret {name}")
        else:
            found.extend(f"{label(item)}: Secret {name} has no key {key}" for key in keys if key not in has)

    for item in objects:
        spec = item.get("spec") or {}
        if "rabbitmqClusterReference" in spec:
            needs(
                item,
                "RabbitmqCluster",
                spec["rabbitmqClusterReference"]["name"],
                spec["rabbitmqClusterReference"].get("namespace"),
            )
            needs(item, "User", at(spec, "userReference", "name"))
            if at(spec, "importCredentialsSecret", "name"):
                needs_secret(item, spec["importCredentialsSecret"]["name"], "password")
        match item["kind"]:
            case "ScheduledBackup" | "Pooler" | "Database":
                needs(item, "Cluster", spec["cluster"]["name"])
            case "Cluster":
                if "imageCatalogRef" in spec and spec["imageCatalogRef"]["kind"] == "ImageCatalog":
                    needs(item, "ImageCatalog", spec["imageCatalogRef"]["name"])
                sources = [source for source in spec.get("externalClusters", [])]
                for plugin in [
                    *spec.get("plugins", []),
                    *(source["plugin"] for source in sources if "plugin" in source),
                ]:
                    needs(item, "ObjectStore", at(plugin, "parameters", "barmanObjectName"))
                recovery = at(spec, "bootstrap", "recovery", "source")
                if recovery and recovery not in [source["name"] for source in sources]:
                    found.append(f"{label(item)}: no externalCluster {recovery}")
                for role in at(spec, "managed", "roles", default=[]):
                    if "passwordSecret" in role:
                        needs_secret(item, role["passwordSecret"]["name"], "username", "password")
                for path in (("bootstrap", "initdb", "secret"), ("superuserSecret",)):
                    if at(spec, *path):
                        needs_secret(item, at(spec, *path)["name"], "username", "password")
                for reference in at(
                    spec, "bootstrap", "initdb", "postInitApplicationSQLRefs", "configMapRefs", default=[]
                ):
                    if reference["key"] not in (secrets.get(("ConfigMap", namespace(item), reference["name"])) or ()):
                        found.append(f"{label(item)}: no ConfigMap {reference['name']} with {reference['key']}")
                for reference in at(spec, "monitoring", "customQueriesConfigMap", default=[]):
                    if reference["key"] not in (secrets.get(("ConfigMap", namespace(item), reference["name"])) or ()):
                        found.append(f"{label(item)}: no ConfigMap {reference['name']} with {reference['key']}")
            case "ObjectStore":
                for reference in walk(spec["configuration"]):
                    if reference.keys() == {"name", "key"}:
                        needs_secret(item, reference["name"], reference["key"])
            case "RabbitmqCluster":
                for path in (("tls", "secretName"), ("tls", "caSecretName")):
                    if at(spec, *path):
                        needs_secret(item, at(spec, *path))
            case "Certificate":
                issuer = spec["issuerRef"]
                if issuer.get("kind", "Issuer") == "ClusterIssuer":
                    if ("ClusterIssuer", issuer["name"]) not in cluster_wide:
                        found.append(f"{label(item)}: no ClusterIssuer {issuer['name']}")
                else:
                    needs(item, "Issuer", issuer["name"])
            case "Ingress":
                issuer = item["metadata"].get("annotations", {}).get("cert-manager.io/cluster-issuer")
                if issuer and ("ClusterIssuer", issuer) not in cluster_wide:
                    found.append(f"{label(item)}: no ClusterIssuer {issuer}")
                needs(item, "Issuer", item["metadata"].get("annotations", {}).get("cert-manager.io/issuer"))
            case "Issuer":
                if at(spec, "ca", "secretName"):
                    needs_secret(item, spec["ca"]["secretName"], "tls.crt", "tls.key")
    return found


def sensor_keys(objects):
    """Each login that may write to the exchange of devices has a pattern that refuses keys of over 255 bytes: MQTT takes
    them, AMQP can't deliver them, and what reads the queue starts again and again."""
    limited = set()
    found = []
    for item in of_kind(objects, "TopicPermission"):
        spec = item["spec"]
        if at(spec, "permissions", "exchange") != "sensor_streaming":
            continue
        limited.add((namespace(item), at(spec, "userReference", "name")))
        # RabbitMQ puts what a client calls itself in place of these; Python has no \z.
        pattern = re.sub(r"\{(client_id|username)\}", "x+", spec["permissions"]["write"]).replace(r"\z", r"\Z")
        if not re.search(pattern, "sensor_" + "x" * 20 + ".data"):
            found.append(f"{label(item)}: refuses a sensor's data")
        for count in (256, 300, 60_000):
            for key in ("x" * count, "sensor_" + "x" * (count - 12) + ".data"):
                if re.search(pattern, key):
                    found.append(f"{label(item)}: takes a key of {count} bytes")
    for item in of_kind(objects, "Permission"):
        user = at(item["spec"], "userReference", "name")
        if (namespace(item), user) not in limited:
            found.append(f"{label(item)}: {user} has no TopicPermission on sensor_streaming")
    return found


def secret_references(objects):
    """secretKeyRef, configMapKeyRef, envFrom and volumes name what exists, with the key."""
    found, kept = [], stores(objects)

    def needs(owner, kind, name, keys, optional):
        has = kept.get((kind, namespace(owner), name))
        if has is None:
            return [] if optional else [f"{label(owner)}: no {kind} {name}"]
        return [f"{label(owner)}: {kind} {name} has no key {key}" for key in keys if key not in has]

    for p in pods(objects):
        for container in p.containers:
            for variable in container.get("env", []):
                for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                    if reference := at(variable, "valueFrom", field):
                        found += needs(p.owner, kind, reference["name"], [reference["key"]], reference.get("optional"))
            for source in container.get("envFrom", []):
                for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                    if field in source:
                        found += needs(p.owner, kind, source[field]["name"], [], source[field].get("optional"))
        for secret in p.spec.get("imagePullSecrets", []):
            found += needs(p.owner, "Secret", secret["name"], [], False)
        for volume in p.spec.get("volumes", []):
            sources = [volume, *at(volume, "projected", "sources", default=[])]
            for source in sources:
                if "secret" in source:
                    name = source["secret"].get("secretName") or source["secret"].get("name")
                    keys = [i["key"] for i in source["secret"].get("items", [])]
                    found += needs(p.owner, "Secret", name, keys, source["secret"].get("optional"))
                if "configMap" in source:
                    keys = [i["key"] for i in source["configMap"].get("items", [])]
                    found += needs(
                        p.owner, "ConfigMap", source["configMap"]["name"], keys, source["configMap"].get("optional")
                    )
            mounts = [
                m
                for c in p.containers
                for m in c.get("volumeMounts", [])
                if m["name"] == volume["name"] and m.get("subPath")
            ]
            for kind, name in (
                ("Secret", at(volume, "secret", "secretName")),
                ("ConfigMap", at(volume, "configMap", "name")),
            ):
                if name and not volume.get(kind[0].lower() + kind[1:], {}).get("items"):
                    found += needs(p.owner, kind, name, [m["subPath"] for m in mounts], True)
    return found


def file_paths(objects):
    """Files that our programs' variables name are in a volume, and a key of it where it is a Secret or ConfigMap."""
    found, kept = [], stores(objects)
    for p, container in own_containers(objects):
        volumes = {volume["name"]: volume for volume in p.spec.get("volumes", [])}
        for variable in container.get("env", []):
            path = variable.get("value", "")
            if not (variable["name"].endswith("_FILE") or variable["name"] == "PGSSLROOTCERT"):
                continue
            mount = next(
                (
                    m
                    for m in container.get("volumeMounts", [])
                    if f"{path}/".startswith(m["mountPath"].rstrip("/") + "/")
                ),
                None,
            )
            if mount is None:
                found.append(f"{label(p.owner)}: {variable['name']} names {path}, where nothing is mounted")
                continue
            volume, file = volumes.get(mount["name"], {}), path[len(mount["mountPath"]) :].strip("/") or mount.get(
                "subPath", ""
            )
            for field, name, kind in (("secret", "secretName", "Secret"), ("configMap", "name", "ConfigMap")):
                if field in volume:
                    items = volume[field].get("items")
                    files = (
                        {i["path"] for i in items}
                        if items
                        else kept.get((kind, p.namespace, volume[field][name]), set())
                    )
                    if file not in files:
                        found.append(
                            f"{label(p.owner)}: {variable['name']} names {path}, but {kind} {volume[field][name]} has no {file}"
                        )
    return found


def url_hosts(objects):
    """host:port of URLs in environments and ConfigMaps that names a Service of this namespace."""
    found, all_services = [], {(s.namespace, s.name): s for s in services(objects)}
    texts = [(p.owner, v.get("value", "")) for p in pods(objects) for c in p.containers for v in c.get("env", [])]
    for owner, text in texts:
        # Either a URL, or host:port alone.
        for host, port in re.findall(r"(?:://(?:[^/@\s]*@)?|^)([a-z][a-z0-9.-]*):(\d{2,5})(?=/|$)", str(text)):
            parts = host.split(".")
            space = parts[1] if len(parts) > 1 else namespace(owner)
            if host == "localhost" or space not in {s for s, _ in all_services}:
                continue
            aim = all_services.get((space, parts[0]))
            if aim is None:
                found.append(f"{label(owner)}: {host}:{port} is no Service")
            elif int(port) not in aim.ports.values():
                found.append(f"{label(owner)}: Service {parts[0]} has no port {port}")
    return found


# Programs: their environment and command lines.


# What the client library reads where DATABASE_URL says nothing.
LIBPQ = {"PGSSLMODE", "PGSSLROOTCERT", "PGCONNECT_TIMEOUT"}


def read_environment(sources):
    """Names of variables that the programs read, by the texts of their sources; NAME_FILE where it may stand in."""
    files, plain = set(), set()
    for text in sources:
        files |= set(re.findall(r'\b(?:value|url)\(\s*"([A-Z][A-Z_]+)"', text))
        # Endpoint.Kind.variable: the variables with URLs.
        files |= set(re.findall(r'\bcase \.\w+: "([A-Z][A-Z_]*_URL)"', text))
        plain |= set(re.findall(r'\benvironment\[\s*"([A-Z][A-Z_]+)"', text))
    return files | plain | {f"{name}_FILE" for name in files} | LIBPQ


def is_own(image):
    return image.split("@")[0].rpartition(":")[0].endswith(OWN_IMAGE) or image.endswith(OWN_IMAGE)


def own_containers(objects):
    return [(p, c) for p in pods(objects) for c in p.containers if is_own(c.get("image", ""))]


def environment_names(objects, known):
    """Variables of our programs are read by them, or made use of by $(NAME) further down."""
    found = []
    for p, container in own_containers(objects):
        variables, before = container.get("env", []), set()
        used = set(
            re.findall(
                r"\$\(([A-Za-z_]\w*)\)",
                " ".join([*map(str, container.get("command", [])), *map(str, container.get("args", []))]),
            )
        )
        for variable in variables:
            references = set(re.findall(r"(?<!\$)\$\(([A-Za-z_]\w*)\)", str(variable.get("value", ""))))
            found += [
                f"{label(p.owner)}: {variable['name']} uses $({name}), which is not set before it"
                for name in sorted(references - before)
            ]
            used |= references
            before.add(variable["name"])
        names = [v["name"] for v in variables]
        found += [f"{label(p.owner)}: {name} is set twice" for name in sorted({n for n in names if names.count(n) > 1})]
        found += [
            f"{label(p.owner)}: no program reads {name}" for name in names if name not in known and name not in used
        ]
        found += [f"{label(p.owner)}: $({name}) is not set" for name in sorted(used - before)]
    return found


def words_of(container):
    """The command line of a container; a shell's script as its words."""
    words = [str(word) for word in [*container.get("command", []), *container.get("args", [])]]
    if words and words[0].rpartition("/")[2] in ("sh", "bash") and any(re.fullmatch(r"-\w*c", word) for word in words):
        return shlex.split(
            words[next(i for i, word in enumerate(words) if re.fullmatch(r"-\w*c", word)) + 1], comments=True
        )
    return words


def command_line(who, words, help_of):
    """Each option behind a program's name is one of its --help. help_of(program, subcommands) gives the text."""
    found, program, subcommands = [], None, []
    for word in words:
        name = word.rpartition("/")[2]
        if name in PROGRAMS:
            program, subcommands = name, []
        elif program and word in (";", "&&", "||", "|"):
            program = None
        elif program and re.match(r"--?[a-z]", word):
            option = word.partition("=")[0]
            text = help_of(program, subcommands)
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text):
                found.append(f"{who}: {' '.join([program, *subcommands])} has no option {option}")
        elif (
            program == "iotctl"
            and re.fullmatch(r"[a-z-]+", word)
            and re.search(rf"(?m)^  {re.escape(word)}\b", help_of(program, subcommands))
        ):
            subcommands.append(word)
    return found


def command_lines(objects, help_of):
    found = []
    for p, container in own_containers(objects):
        words = words_of(container)
        if not words or words[0].rpartition("/")[2] not in (*PROGRAMS, "sh", "bash", "healthcheck"):
            found.append(
                f"{label(p.owner)}: container {container['name']} runs {' '.join(words[:1]) or 'nothing'}: the image has no entry point"
            )
        found += command_line(f"{label(p.owner)}", words, help_of)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = at(container, probe, "httpGet", "path")
            if path and path not in ("/livez", "/readyz", "/metrics"):
                found.append(f"{label(p.owner)}: {probe} asks {path}")
    return found


# Images.


def image_name(image):
    """Without tag, digest and the default registry."""
    image = image.partition("@")[0]
    head, _, tail = image.rpartition("/")
    name = "/".join(filter(None, [head, tail.partition(":")[0]]))
    return re.sub(r"^(docker\.io/)?(library/)?", "", name)


def images(objects):
    """Every image of the objects with who names it."""
    for item in objects:
        for inner in walk(item):
            for field in ("image", "imageName"):
                if isinstance(inner.get(field), str) and item["kind"] not in (
                    "ImageRepository",
                    "ImagePolicy",
                    "HelmRelease",
                ):
                    yield label(item), inner[field]


def image_pins(pinned, compose_images):
    """The same thing has the same version in compose, and everything has one. pinned: (who, image) of Kubernetes."""
    found, here = [], {}
    for who, image in compose_images:
        here.setdefault(image_name(image), (who, image))
    for who, image in pinned:
        if ":" not in image.rpartition("/")[2] or image.endswith(":latest"):
            found.append(f"{who}: {image} has no version")
        other = here.get(image_name(image))
        if other and tag(other[1]) != tag(image):
            found.append(f"{who}: {image}, but compose.yaml's {other[0]}: {other[1]}")
    return found


def tag(image):
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


# Metrics.


def exported_metrics(sources):
    names = set()
    for text in sources:
        names |= set(re.findall(r'"(iot_[a-z0-9_]+)"', text))
    return names


def used_metrics(text):
    return set(re.findall(r"\biot_[a-z0-9_]+", text))


def base_metric(name, known):
    """The metric a histogram's series belongs to."""
    short = re.sub(r"_(bucket|sum|count)$", "", name)
    return name in known or short in known


def metric_names(who, text, known):
    return [f"{who}: no program exports {name}" for name in sorted(used_metrics(text)) if not base_metric(name, known)]


def adapter_metrics(rules):
    """What a Prometheus adapter serves by its rules: names of External and of Custom metrics with their query."""
    served = {"External": {}, "Pods": {}}
    for section, kind in (("external", "External"), ("custom", "Pods")):
        for rule in at(rules, section, default=[]) or []:
            series = re.match(r"[a-zA-Z_:][\w:]*", rule["seriesQuery"])
            found = series.group(0) if series else ""
            if not found:  # {__name__="…"}
                inner = re.search(r'__name__=~?"\^?([\w:]+)\$?"', rule["seriesQuery"])
                found = inner.group(1) if inner else ""
            pattern, name = at(rule, "name", "matches", default=""), at(rule, "name", "as", default="")
            if pattern and name:
                name = re.sub(pattern, re.sub(r"\$\{?(\d+)\}?", r"\\\1", name), found)
            served[kind][name or found] = (found, rule)
    return served


def autoscaler_metrics(objects, rules, known, monitored):
    """HPA ▸ adapter ▸ series ▸ exporter. monitored: names of other exporters' series that are scraped."""
    found, served, wanted = [], adapter_metrics(rules), set()
    for item in of_kind(objects, "HorizontalPodAutoscaler"):
        for metric in item["spec"].get("metrics", []):
            kind = metric["type"]
            if kind in ("Resource", "ContainerResource"):
                continue
            name = metric[kind.lower()]["metric"]["name"]
            wanted.add((kind, name))
            if name not in served.get(kind, {}):
                found.append(f"{label(item)}: the adapter serves no {kind} metric {name}")
                continue
            selector = at(metric, kind.lower(), "metric", "selector", "matchLabels", default={})
            aggregated = served[kind][name][1].get("metricsQuery", "")
            if selector and "<<.LabelMatchers>>" not in aggregated:
                found.append(f"{label(item)}: {name} is asked for with {selector}, which its query ignores")
    for kind, metrics in served.items():
        for name, (series, rule) in metrics.items():
            # `up` is Prometheus' own.
            if series != "up" and not base_metric(series, known) and series not in monitored:
                found.append(f"adapter: no program exports {series}, of which {name} is made")
            # The adapter turns <<.Series>> into the series of the query.
            found += metric_names(f"adapter: query of {name}", rule.get("metricsQuery", ""), known)
            if (kind, name) not in wanted:
                found.append(f"adapter: no HPA uses the {kind} metric {name}")
    return found


# Flux.


def flux_references(objects, exists):
    """objects: of all Flux folders. exists(path): whether a path of the repository is there with a kustomization."""
    found, made = [], {(i["kind"], i["metadata"]["name"]) for i in objects} | {("GitRepository", "flux-system")}
    for item in objects:
        spec = item.get("spec") or {}
        if item["apiVersion"].startswith("kustomize.toolkit") and spec["sourceRef"]["name"] == "flux-system":
            if not exists(spec["path"]):
                found.append(f"{label(item)}: no kustomization in {spec['path']}")
        if item["apiVersion"].startswith("image.toolkit") and item["kind"] == "ImageUpdateAutomation":
            if not exists(spec["update"]["path"]):
                found.append(f"{label(item)}: no kustomization in {spec['update']['path']}")
        references = [spec.get("sourceRef"), spec.get("chartRef"), at(spec, "chart", "spec", "sourceRef")]
        for reference in filter(None, references):
            if (reference["kind"], reference["name"]) not in made:
                found.append(f"{label(item)}: no {reference['kind']} {reference['name']}")
        if item["kind"] in ("Kustomization", "HelmRelease"):
            for other in spec.get("dependsOn", []):
                if (item["kind"], other["name"]) not in made:
                    found.append(f"{label(item)}: depends on {other['name']}, which is no {item['kind']}")
        for field, kind in (("imageRepositoryRef", "ImageRepository"), ("providerRef", "Provider")):
            if field in spec and (kind, spec[field]["name"]) not in made:
                found.append(f"{label(item)}: no {kind} {spec[field]['name']}")
        for source in spec.get("valuesFrom", []):
            if source["name"] == item["metadata"]["name"]:
                found.append(f"{label(item)}: {source['kind']} {source['name']} has the release's name, as what its chart makes")
            if (source["kind"], source["name"]) not in made:
                found.append(f"{label(item)}: no {source['kind']} {source['name']}")
            else:
                data = next(
                    i for i in objects if (i["kind"], i["metadata"]["name"]) == (source["kind"], source["name"])
                ).get("data", {})
                if source.get("valuesKey", "values.yaml") not in data:
                    found.append(
                        f"{label(item)}: {source['kind']} {source['name']} has no {source.get('valuesKey', 'values.yaml')}"
                    )
        if item["kind"] == "Alert":
            for source in spec.get("eventSources", []):
                if source["name"] != "*" and (source["kind"], source["name"]) not in made:
                    found.append(f"{label(item)}: no {source['kind']} {source['name']}")
    return found


def policy_marks(texts, objects):
    """Marks {"$imagepolicy": "namespace:name:tag"} in files (path: text) point at an ImagePolicy, and there is one."""
    found, count = [], 0
    policies = {f"{namespace(i)}:{i['metadata']['name']}" for i in of_kind(objects, "ImagePolicy")}
    for path, text in texts.items():
        for mark in re.findall(r'\{\s*"\$imagepolicy"\s*:\s*"([^"]+)"\s*\}', text):
            count += 1
            if ":".join(mark.split(":")[:2]) not in policies:
                found.append(f"{path}: no ImagePolicy {mark}")
    if policies and not count:
        found.append("no file has an $imagepolicy mark: no new image would ever roll out")
    return found


# Documents and pipelines.


def anchors(markdown):
    """The anchors that GitHub gives a document's headings."""
    found, counts = set(), {}
    text = re.sub(r"(?ms)^```.*?^```", "", markdown)
    for heading in re.findall(r"(?m)^#+\s+(.*?)\s*#*$", text):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = counts.get(slug, 0)
        counts[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def runbooks(rules, read):
    """Each alert has a runbook_url whose document and heading exist. read(path): the document's text or None."""
    found = []
    for group in rules.get("groups", []):
        for rule in group["rules"]:
            if "alert" not in rule:
                continue
            url = at(rule, "annotations", "runbook_url", default="")
            path = re.search(r"([\w./-]*docs/[\w.-]+\.md)#([\w-]+)$", url)
            if not path:
                found.append(f"alert {rule['alert']}: its runbook_url names no heading of docs/: {url or 'none'}")
                continue
            document = "docs/" + path.group(1).rpartition("docs/")[2]
            text = read(document)
            if text is None:
                found.append(f"alert {rule['alert']}: no {document}")
            elif path.group(2) not in anchors(text):
                found.append(f"alert {rule['alert']}: {document} has no heading #{path.group(2)}")
    return found


def pipeline_commands(path, text, targets, exists):
    """`make x` and scripts/x in the commands of a pipeline (a workflow's or Jenkinsfile's text) exist."""
    found = []
    code = re.sub(r"(?m)(^|\s)(#|//).*$", "", text)
    for words in sorted(set(re.findall(r"(?<![\w./-])make((?:[ \t]+[\w=./-]+)+)", code))):
        for word in words.split():
            if word.startswith("-") or "=" in word:
                continue
            if word not in targets:
                found.append(f"{path}: make has no target {word}")
    for script in sorted(set(re.findall(r"(?<![\w/-])(?:\./)?((?:scripts|\.ci)/[\w.-]+)", code))):
        if not exists(script):
            found.append(f"{path}: no {script}")
    return found


# Compose.


def compose_environment(service):
    """NAME: value of a service, however it is written."""
    environment = service.get("environment") or {}
    if isinstance(environment, list):
        environment = dict(entry.partition("=")[::2] for entry in environment)
    return {name: "" if value is None else str(value) for name, value in environment.items()}


def compose_ports(service):
    """(address, published, target) of each published port."""
    for port in service.get("ports", []):
        if isinstance(port, dict):
            yield port.get("host_ip", ""), str(port.get("published", "")), str(port["target"])
        else:
            parts = str(port).partition("/")[0].split(":")
            yield (":".join(parts[:-2]), parts[-2] if len(parts) > 1 else "", parts[-1])


def compose_mounts(service):
    """(source, target) of each mount from a file or folder."""
    for volume in service.get("volumes", []):
        if isinstance(volume, dict):
            if volume.get("type") == "bind":
                yield volume["source"], volume["target"]
        elif re.match(r"[./~]", volume):
            yield tuple(volume.split(":")[:2])


# Where a server listens that is not ours.
LISTENS = {
    "rabbitmq": {5672, 1883, 15672, 15692},
    "timescaledb": {5432},
    "grafana": {3000},
    "prometheus": {9090},
    "alertmanager": {9093},
}


def listening(name, service):
    if name in LISTENS:
        return LISTENS[name]
    return {int(compose_environment(service).get("HTTP_PORT") or 8080)}


def compose_files(compose, exists, made_secrets):
    """What is mounted exists: exists(path) of the repository, made_secrets: names that scripts/secrets writes."""
    found = []

    def check(who, path):
        path = re.sub(r"^\./", "", path)
        if path.startswith("secrets/"):
            if path.partition("/")[2] not in made_secrets:
                found.append(f"{who}: scripts/secrets makes no {path}")
        elif not path.startswith("/") and not exists(path):
            found.append(f"{who}: no {path}")

    for name, service in compose["services"].items():
        for source, _ in compose_mounts(service):
            check(name, source)
        for file in (
            [service.get("env_file", [])]
            if isinstance(service.get("env_file", []), str)
            else service.get("env_file", [])
        ):
            check(name, file if isinstance(file, str) else file["path"])
        build = service.get("build")
        if build:
            context, dockerfile = (
                (build, "Dockerfile")
                if isinstance(build, str)
                else (build.get("context", "."), build.get("dockerfile", "Dockerfile"))
            )
            check(name, f"{context}/{dockerfile}".replace("./", ""))
        for kind in ("secrets", "configs"):
            for entry in service.get(kind, []):
                entry = entry if isinstance(entry, str) else entry["source"]
                if entry not in (compose.get(kind) or {}):
                    found.append(f"{name}: no {kind[:-1]} {entry}")
        for volume in service.get("volumes", []):
            named = (
                volume.get("source") if isinstance(volume, dict) and volume.get("type", "volume") == "volume" else None
            )
            if isinstance(volume, str) and re.match(r"[a-z]", volume):
                named = volume.partition(":")[0]
            if named and named not in (compose.get("volumes") or {}):
                found.append(f"{name}: no volume {named}")
        for network in service.get("networks") or []:
            if network not in (compose.get("networks") or {}):
                found.append(f"{name}: no network {network}")
        for other in service.get("depends_on", []):
            if other not in compose["services"]:
                found.append(f"{name}: depends on {other}, which is no service")
    for kind in ("secrets", "configs"):
        for name, entry in (compose.get(kind) or {}).items():
            if "file" in entry:
                check(f"{kind[:-1]} {name}", entry["file"])
    used = {
        e if isinstance(e, str) else e["source"] for s in compose["services"].values() for e in s.get("secrets", [])
    }
    found += [f"secret {name} is used nowhere" for name in (compose.get("secrets") or {}) if name not in used]
    return found


def compose_secret_files(compose):
    """/run/secrets/NAME in a service's environment, command or health check is a secret or a mount that it has."""
    found = []
    for name, service in compose["services"].items():
        has = set()
        for entry in service.get("secrets", []):
            target = entry if isinstance(entry, str) else entry.get("target", entry["source"])
            has.add(target if target.startswith("/") else f"/run/secrets/{target}")
        has |= {target for _, target in compose_mounts(service)}
        for path in sorted(set(re.findall(r"/run/secrets/[\w.-]+", str(service)))):
            if path not in has:
                found.append(f"{name}: {path} is not there")
    return found


def is_own_service(service):
    return "build" in service or is_own(str(service.get("image", "")))


def compose_programs(compose, known, help_of):
    """Environment and command line of our programs."""
    found = []
    for name, service in compose["services"].items():
        if not is_own_service(service):
            continue
        found += [
            f"{name}: no program reads {variable}" for variable in compose_environment(service) if variable not in known
        ]
        words = service.get("command") or []
        words = shlex.split(words) if isinstance(words, str) else [str(word) for word in words]
        entry = service.get("entrypoint") or []
        words = (shlex.split(entry) if isinstance(entry, str) else entry) + words
        if not any(word.rpartition("/")[2] in PROGRAMS for word in words_of({"command": words})):
            found.append(f"{name}: runs none of the programs")
        found += command_line(name, words_of({"command": words}), help_of)
    return found


def networks(service):
    return set(service.get("networks") or ["default"])


def compose_urls(compose, scripts):
    """Hosts of URLs in environments are services on a network of one's own, and listen there.

    scripts: texts by path of what writes URLs into secrets."""
    found = []

    def check(who, host, port, own=None):
        if host == "localhost" or re.fullmatch(r"[\d.]+", host):
            return
        if host not in compose["services"]:
            found.append(f"{who} names {host}, which is no service")
        elif int(port) not in listening(host, compose["services"][host]):
            found.append(f"{who} names {host}:{port}, where nothing listens")
        elif own and not networks(own) & networks(compose["services"][host]):
            found.append(f"{who} names {host}, with which it shares no network")

    for name, service in compose["services"].items():
        for variable, value in compose_environment(service).items():
            for host, port in re.findall(r"(?:://(?:[^/@\s]*@)?|^)([a-z][a-z0-9.-]*):(\d{2,5})(?=/|$)", value):
                check(f"{name}: {variable}", host, port, service)
    for path, text in scripts.items():
        for host, port in re.findall(r"@([a-z][a-z0-9.-]*):(\d{2,5})\b", text):
            check(path, host, port)
    return found


def prometheus_targets(config, compose):
    """Every target of Prometheus is a service of compose that listens there."""
    found = []
    targets = []
    for job in config["scrape_configs"]:
        for static in job.get("static_configs", []):
            targets += [(f"job {job['job_name']}", *target.rpartition(":")[::2]) for target in static["targets"]]
        for names in job.get("dns_sd_configs", []):
            targets += [
                (f"job {job['job_name']}", host.removeprefix("tasks."), names["port"]) for host in names["names"]
            ]
    for manager in at(config, "alerting", "alertmanagers", default=[]):
        for static in manager.get("static_configs", []):
            targets += [("alertmanagers", *target.rpartition(":")[::2]) for target in static["targets"]]
    for who, host, port in targets:
        if host == "localhost":
            host = "prometheus"
        if host not in compose["services"]:
            found.append(f"{who}: {host} is no service of compose.yaml")
        elif int(port) not in listening(host, compose["services"][host]):
            found.append(f"{who}: {host} does not listen on {port}")
    inside = {target for _, target in compose_mounts(at(compose, "services", "prometheus", default={}))}
    for file in config.get("rule_files", []):
        if not any(file == target or file.startswith(target.rstrip("/") + "/") for target in inside):
            found.append(f"rule file {file} is not mounted into prometheus")
    return found


def published_ports(path, text, compose):
    """localhost:PORT in a document is a port that compose.yaml publishes."""
    published = {port for service in compose["services"].values() for _, port, _ in compose_ports(service)}
    ports = sorted(set(re.findall(r"(?:localhost|127\.0\.0\.1):(\d{2,5})", text)))
    return [f"{path}: nothing is published at localhost:{port}" for port in ports if port not in published]


def grafana_variables(who, environment, mounted, provisioning):
    """environment: of Grafana's container; mounted: paths or folders in it; provisioning: texts of its files."""
    found, wanted, files = [], set(), set()
    for text in provisioning:
        files |= set(re.findall(r"\$__file\{([^}]+)\}", text))
        text = re.sub(r"\$__file\{[^}]+\}|\$\$", "", re.sub(r"(?m)^\s*#.*$", "", text))
        wanted |= set(re.findall(r"\$\{?([A-Z][A-Z_]+)\}?", text)) | set(re.findall(r"\$__env\{([A-Z_]+)\}", text))
    found += [f"{who}: {name} is not set" for name in sorted(wanted - environment.keys())]
    found += [
        f"{who}: no dashboard reads {name}"
        for name in sorted(environment)
        if name not in wanted and not name.startswith("GF_")
    ]
    for file in sorted(files):
        if not any(file == path or file.startswith(path.rstrip("/") + "/") for path in mounted):
            found.append(f"{who}: {file} is not there")
    return found


# Secrets that a person makes.


def created_secrets(markdown):
    """Keys of each Secret of the `kubectl create secret generic` lines of a document, by name."""
    found = {}
    text = re.sub(r"\\\n\s*", " ", markdown)
    for line in re.findall(r"create secret (?:generic|tls) (.*)", text):
        try:
            words = shlex.split(line.partition("|")[0], comments=True)
        except ValueError:
            words = line.split()
        name = next((word for word in words if not word.startswith("-")), None)
        keys = set()
        for i, word in enumerate(words):
            if match := re.match(r"--from-(?:literal|file)(?:=(.*))?$", word):
                value = match.group(1) or words[i + 1]
                keys.add(value.partition("=")[0].rpartition("/")[2])
        if name:
            found.setdefault(name, set()).update(
                keys | ({"tls.crt", "tls.key"} if "secret tls" in text and not keys else set())
            )
    return found
