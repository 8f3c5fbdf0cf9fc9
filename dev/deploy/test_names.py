"""Plants each kind of fault into objects that are right, and sees it found."""

import copy
import unittest

from dev.deploy import names

SYSTEM = """
- {apiVersion: v1, kind: Namespace, metadata: {name: here}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: registry, namespace: here}}
- apiVersion: v1
  kind: Service
  metadata: {name: registry, namespace: here, labels: {app: registry}}
  spec: {selector: {app: registry}, ports: [{name: http, port: 8080, targetPort: http}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: registry, namespace: here}
  spec:
    selector: {matchLabels: {app: registry}}
    template:
      metadata: {labels: {app: registry}}
      spec:
        serviceAccountName: registry
        topologySpreadConstraints: [{maxSkew: 1, labelSelector: {matchLabels: {app: registry}}}]
        volumes:
          - {name: files, configMap: {name: files, items: [{key: a, path: a}]}}
          - {name: secret, secret: {secretName: rabbitmq-default-user, items: [{key: password, path: p}]}}
        containers:
          - name: service
            image: ghcr.io/sensor-services/sensor-services:0.1.0
            command: [sensor-registry]
            args: [--partitions, $(PARTITIONS)]
            env:
              - {name: PARTITIONS, value: "4"}
              - {name: USER_NAME, valueFrom: {secretKeyRef: {name: rabbitmq-default-user, key: username}}}
              - {name: AMQP_URL, value: "amqp://$(USER_NAME):x@rabbitmq:5672/%2f"}
              - {name: DATABASE_URL, valueFrom: {secretKeyRef: {name: timescaledb-app, key: uri}}}
            ports: [{name: http, containerPort: 8080}]
            readinessProbe: {httpGet: {path: /readyz, port: http}}
            volumeMounts: [{name: files, mountPath: /files}, {name: secret, mountPath: /secret}]
- {apiVersion: v1, kind: ConfigMap, metadata: {name: files, namespace: here}, data: {a: text}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: measurements-ingester, namespace: here}
  spec:
    selector: {matchLabels: {app: ingester}}
    template: {metadata: {labels: {app: ingester}}, spec: {containers: [{name: service, image: other:1}]}}
- apiVersion: autoscaling/v2
  kind: HorizontalPodAutoscaler
  metadata: {name: measurements-ingester, namespace: here}
  spec:
    scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: measurements-ingester}
    minReplicas: 1
    maxReplicas: 4
    metrics:
      - {type: External, external: {metric: {name: iot_unread}, target: {type: AverageValue, averageValue: 1}}}
- apiVersion: monitoring.coreos.com/v1
  kind: ServiceMonitor
  metadata: {name: all, namespace: here}
  spec:
    selector: {matchExpressions: [{key: app, operator: In, values: [registry]}]}
    endpoints: [{port: http}]
- apiVersion: policy/v1
  kind: PodDisruptionBudget
  metadata: {name: registry, namespace: here}
  spec: {maxUnavailable: 1, selector: {matchLabels: {app: registry}}}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: registry, namespace: here}
  spec:
    podSelector: {matchLabels: {app: registry}}
    ingress: [{from: [{podSelector: {matchLabels: {app: ingester}}}], ports: [{port: http}]}]
    egress: [{to: [{podSelector: {matchLabels: {app.kubernetes.io/name: rabbitmq}}}], ports: [{port: 5672}]}]
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata: {name: web, namespace: here}
  spec:
    rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: registry, port: {name: http}}}}]}}]
    tls: [{hosts: [a.example], secretName: web-tls}]
- apiVersion: helm.cattle.io/v1
  kind: HelmChartConfig
  metadata: {name: traefik, namespace: kube-system}
  spec: {valuesContent: "ports:\\n  mqtts:\\n    port: 8883\\n"}
- apiVersion: traefik.io/v1alpha1
  kind: IngressRouteTCP
  metadata: {name: mqtts, namespace: here}
  spec:
    entryPoints: [mqtts]
    routes: [{match: HostSNI(`*`), services: [{name: rabbitmq, port: 1883}]}]
    tls: {secretName: web-tls}
- {apiVersion: cert-manager.io/v1, kind: ClusterIssuer, metadata: {name: acme}, spec: {}}
- apiVersion: cert-manager.io/v1
  kind: Certificate
  metadata: {name: web, namespace: here}
  spec: {secretName: web-tls, dnsNames: [a.example], issuerRef: {kind: ClusterIssuer, name: acme}}
- apiVersion: rabbitmq.com/v1beta1
  kind: RabbitmqCluster
  metadata: {name: rabbitmq, namespace: here}
  spec: {replicas: 3, rabbitmq: {additionalPlugins: [rabbitmq_mqtt]}}
- apiVersion: rabbitmq.com/v1beta1
  kind: Policy
  metadata: {name: logs, namespace: here}
  spec: {name: logs, pattern: x, definition: {}, rabbitmqClusterReference: {name: rabbitmq}}
- apiVersion: postgresql.cnpg.io/v1
  kind: Cluster
  metadata: {name: timescaledb, namespace: here}
  spec:
    instances: 2
    imageName: docker.io/timescale/timescaledb-ha:pg17
    plugins: [{name: barman-cloud.cloudnative-pg.io, parameters: {barmanObjectName: backups}}]
    managed: {roles: [{name: grafana, passwordSecret: {name: grafana-database}}]}
- {apiVersion: v1, kind: Secret, metadata: {name: grafana-database, namespace: here}, stringData: {username: grafana, password: x}}
- apiVersion: barmancloud.cnpg.io/v1
  kind: ObjectStore
  metadata: {name: backups, namespace: here}
  spec: {configuration: {destinationPath: s3://x, s3Credentials: {accessKeyId: {name: grafana-database, key: username}}}}
- apiVersion: postgresql.cnpg.io/v1
  kind: ScheduledBackup
  metadata: {name: daily, namespace: here}
  spec: {schedule: "0 0 3 * * *", cluster: {name: timescaledb}}
- apiVersion: postgresql.cnpg.io/v1
  kind: Pooler
  metadata: {name: pooler, namespace: here}
  spec: {cluster: {name: timescaledb}, type: ro, pgbouncer: {poolMode: session}}
"""

KNOWN = names.read_environment(
    ['case .amqp: "AMQP_URL"', 'try Self.value("DATABASE_URL", e)', 'environment["LOG_LEVEL"]']
)


def help_of(program, subcommands):
    return "OPTIONS:\n  --partitions <n>  How many.\n  --kind <kind>\n  -v, --verbose"


def objects():
    import yaml

    return yaml.safe_load(SYSTEM)


class Faults(unittest.TestCase):
    """Each planted fault is the only one found."""

    def setUp(self):
        self.objects = objects()

    def item(self, kind, name=None):
        return next(i for i in self.objects if i["kind"] == kind and name in (None, i["metadata"]["name"]))

    def container(self):
        return self.item("Deployment", "registry")["spec"]["template"]["spec"]["containers"][0]

    def finds(self, words, function, *more):
        found = function(self.objects, *more)
        self.assertTrue(any(words in problem for problem in found), f"{words!r} is not in {found}")
        return found

    def test_nothing_is_wrong(self):
        for function in (
            names.service_selectors,
            names.workload_references,
            names.monitors,
            names.budgets,
            names.network_policies,
            names.entrances,
            names.secret_references,
            names.operator_references,
            names.file_paths,
            names.url_hosts,
        ):
            self.assertEqual(function(self.objects), [], function.__name__)
        self.assertEqual(names.environment_names(self.objects, KNOWN), [])
        self.assertEqual(names.command_lines(self.objects, help_of), [])
        self.assertEqual(names.autoscalers(self.objects, 4), [])

    # Selectors.

    def test_service_without_pods(self):
        self.item("Service")["spec"]["selector"] = {"app": "registri"}
        self.finds("takes no pod", names.service_selectors)

    def test_service_of_two_programs(self):
        self.item("Deployment", "measurements-ingester")["spec"]["template"]["metadata"]["labels"]["app"] = "registry"
        self.finds("takes pods of", names.service_selectors)

    def test_service_target_port(self):
        self.item("Service")["spec"]["ports"][0]["targetPort"] = "htpp"
        self.finds("no port htpp", names.service_selectors)

    def test_service_in_another_namespace(self):
        self.item("Service")["metadata"]["namespace"] = "there"
        self.finds("takes no pod", names.service_selectors)

    def test_service_account(self):
        self.item("ServiceAccount")["metadata"]["name"] = "other"
        self.finds("no ServiceAccount registry", names.workload_references)

    def test_priority_class(self):
        self.item("Deployment", "registry")["spec"]["template"]["spec"]["priorityClassName"] = "high"
        self.finds("no PriorityClass high", names.workload_references)

    def test_own_pods(self):
        self.item("Deployment", "registry")["spec"]["selector"]["matchLabels"]["app"] = "x"
        self.finds("does not take its own pods", names.workload_references)

    def test_probe_port(self):
        self.container()["readinessProbe"]["httpGet"]["port"] = "health"
        self.finds("asks port health", names.workload_references)

    def test_probe_path(self):
        self.container()["readinessProbe"]["httpGet"]["path"] = "/healthz"
        self.finds("asks /healthz", names.command_lines, help_of)

    def test_mount_without_volume(self):
        self.container()["volumeMounts"].append({"name": "data", "mountPath": "/d"})
        self.finds("mounts data", names.workload_references)

    def test_volume_without_mount(self):
        self.container()["volumeMounts"].pop()
        self.finds("volume secret is mounted nowhere", names.workload_references)

    def test_spread(self):
        self.item("Deployment", "registry")["spec"]["template"]["spec"]["topologySpreadConstraints"][0][
            "labelSelector"
        ]["matchLabels"] = {"b": "c"}
        self.finds("topologySpreadConstraint", names.workload_references)

    def test_monitor_without_service(self):
        self.item("ServiceMonitor")["spec"]["selector"] = {"matchLabels": {"app": "x"}}
        self.finds("takes no Service", names.monitors)

    def test_monitor_with_a_value_of_nobody(self):
        self.item("ServiceMonitor")["spec"]["selector"]["matchExpressions"][0]["values"].append("logs")
        self.finds("no Service has app=logs", names.monitors)

    def test_monitor_port(self):
        self.item("ServiceMonitor")["spec"]["endpoints"][0]["port"] = "metrics"
        self.finds("has no port metrics", names.monitors)

    def test_monitor_with_a_value_of_another_overlay(self):
        self.item("ServiceMonitor")["spec"]["selector"]["matchExpressions"][0]["values"].append("simulator")
        self.assertEqual(names.monitors(self.objects, [{"app": "simulator"}]), [])

    def test_monitor_of_the_broker(self):
        self.item("ServiceMonitor")["spec"] = {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "rabbitmq"}},
            "endpoints": [{"port": "prometheus"}],
        }
        self.assertEqual(names.monitors(self.objects), [])

    def test_budget_without_pods(self):
        self.item("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]["app"] = "x"
        self.finds("takes no pod", names.budgets)

    def test_two_budgets_of_a_pod(self):
        self.objects.append(copy.deepcopy(self.item("PodDisruptionBudget")))
        self.finds("blocks every eviction", names.budgets)

    def test_policy_without_pods(self):
        self.item("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]["app"] = "x"
        self.finds("its podSelector takes no pod", names.network_policies)

    def test_policy_peer(self):
        self.item("NetworkPolicy")["spec"]["egress"][0]["to"][0]["podSelector"]["matchLabels"] = {"app": "rabbit"}
        self.finds("to {'matchLabels': {'app': 'rabbit'}} takes no pod", names.network_policies)

    def test_policy_ports(self):
        self.item("NetworkPolicy")["spec"]["egress"][0]["ports"][0]["port"] = 5673
        self.item("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"] = "metrics"
        self.finds("egress port 5673", names.network_policies)
        self.finds("ingress port metrics", names.network_policies)

    # Autoscalers.

    def test_autoscaler_target(self):
        self.item("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] = "ingester"
        self.finds("no Deployment ingester", names.autoscalers, 4)

    def test_autoscaler_limit(self):
        self.item("HorizontalPodAutoscaler")["spec"]["maxReplicas"] = 8
        self.finds("at most 8 replicas, but 4 partitions", names.autoscalers, 4)

    def test_autoscaler_and_replicas(self):
        self.item("Deployment", "measurements-ingester")["spec"]["replicas"] = 1
        self.finds("undo the scaling", names.autoscalers, 4)

    # Entrances.

    def test_ingress_service(self):
        self.item("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"] = {
            "name": "grafana",
            "port": {"number": 80},
        }
        self.finds("no Service grafana", names.entrances)

    def test_ingress_port(self):
        self.item("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] = {"number": 80}
        self.finds("has no port 80", names.entrances)

    def test_ingress_certificate(self):
        self.item("Certificate")["spec"]["secretName"] = "other"
        self.assertEqual(len(self.finds("no Secret web-tls", names.entrances)), 2)

    def test_certificate_that_the_ingress_asks_for(self):
        self.item("Certificate")["spec"]["secretName"] = "other"
        self.item("IngressRouteTCP")["spec"]["tls"]["secretName"] = "other"
        self.item("Ingress")["metadata"]["annotations"] = {"cert-manager.io/cluster-issuer": "acme"}
        self.assertEqual(names.entrances(self.objects) + names.operator_references(self.objects), [])
        self.item("ClusterIssuer")["metadata"]["name"] = "other"
        self.finds("Ingress web: no ClusterIssuer acme", names.operator_references)

    def test_entry_point(self):
        self.item("IngressRouteTCP")["spec"]["entryPoints"] = ["amqps"]
        self.finds("opens the entry point amqps", names.entrances)

    def test_broker_port_needs_its_plugin(self):
        self.item("RabbitmqCluster")["spec"]["rabbitmq"]["additionalPlugins"] = []
        self.finds("Service rabbitmq has no port 1883", names.entrances)

    # Secrets.

    def test_secret_of_no_operator(self):
        self.item("RabbitmqCluster")["metadata"]["name"] = "broker"
        self.finds("no Secret rabbitmq-default-user", names.secret_references)

    def test_secret_key(self):
        self.container()["env"][3]["valueFrom"]["secretKeyRef"]["key"] = "url"
        self.finds("Secret timescaledb-app has no key url", names.secret_references)

    def test_volume_of_a_missing_config_map(self):
        self.item("ConfigMap")["metadata"]["name"] = "other"
        self.finds("no ConfigMap files", names.secret_references)

    def test_volume_key(self):
        self.item("ConfigMap")["data"] = {"b": "text"}
        self.finds("ConfigMap files has no key a", names.secret_references)

    def test_environment_from_a_missing_secret(self):
        self.container()["envFrom"] = [{"secretRef": {"name": "all"}}]
        self.finds("no Secret all", names.secret_references)

    def test_file(self):
        for path, words in (
            ("/secret/p", ""),
            ("/secret/q", "Secret rabbitmq-default-user has no q"),
            ("/run/p", "nothing is mounted"),
        ):
            self.objects = objects()
            self.container()["env"].append({"name": "AMQP_URL_FILE", "value": path})
            if words:
                self.finds(words, names.file_paths)
            else:
                self.assertEqual(names.file_paths(self.objects), [])

    # Operators.

    def test_cluster_references(self):
        for kind, path, words in (
            ("Policy", ("rabbitmqClusterReference", "name"), "Policy logs: no RabbitmqCluster x"),
            ("ScheduledBackup", ("cluster", "name"), "ScheduledBackup daily: no Cluster x"),
            ("Pooler", ("cluster", "name"), "Pooler pooler: no Cluster x"),
            ("Certificate", ("issuerRef", "name"), "no ClusterIssuer x"),
        ):
            self.objects = objects()
            self.item(kind)["spec"][path[0]][path[1]] = "x"
            self.finds(words, names.operator_references)

    def test_object_store(self):
        self.item("ObjectStore")["metadata"]["name"] = "other"
        self.finds("no ObjectStore backups", names.operator_references)

    def test_object_store_key(self):
        self.item("Secret")["stringData"] = {"password": "x"}
        self.finds("Secret grafana-database has no key username", names.operator_references)

    # Logins.

    def login(self, write):
        space = {"name": "devices", "namespace": "here"}
        user = {"userReference": {"name": "devices"}}
        permissions = {"exchange": "sensor_streaming", "write": write, "read": ".*"}
        return [
            {"kind": "Permission", "metadata": space, "spec": user | {"permissions": {"write": ".*"}}},
            {"kind": "TopicPermission", "metadata": space, "spec": user | {"permissions": permissions}},
        ]

    def test_login_that_takes_long_keys(self):
        self.objects = self.login(r"^sensor_{client_id}\.(data|logs)$")
        self.finds("takes a key of 256 bytes", names.sensor_keys)
        self.objects = self.login(r"^.{0,256}$")
        self.finds("takes a key of 256 bytes", names.sensor_keys)

    def test_login_that_takes_no_data(self):
        self.objects = self.login(r"^sensor_{client_id}\.logs$")
        self.finds("refuses a sensor's data", names.sensor_keys)

    def test_login_without_limit(self):
        self.objects = self.login(".*")[:1]
        self.finds("devices has no TopicPermission", names.sensor_keys)

    def test_login_that_keeps_the_limit(self):
        for write in (r"^(?=(?s:.{1,255})\z)sensor_{client_id}\.(data|logs)$", r"^(?s:.{0,255})\z"):
            self.assertEqual(names.sensor_keys(self.login(write)), [])

    # Programs.

    def test_variable_that_nobody_reads(self):
        self.container()["env"].append({"name": "AMQP_URI", "value": "x"})
        self.finds("no program reads AMQP_URI", names.environment_names, KNOWN)

    def test_file_of_a_variable(self):
        self.container()["env"] += [{"name": "AMQP_URL_FILE", "value": "/x"}]
        self.assertEqual(names.environment_names(self.objects, KNOWN), [])
        self.container()["env"] += [{"name": "LOG_LEVEL_FILE", "value": "/x"}]
        self.finds("no program reads LOG_LEVEL_FILE", names.environment_names, KNOWN)

    def test_variable_used_before_it_is_set(self):
        self.container()["env"].insert(0, self.container()["env"].pop(2))
        self.finds("AMQP_URL uses $(USER_NAME), which is not set before it", names.environment_names, KNOWN)

    def test_argument_that_is_not_set(self):
        self.container()["env"].pop(0)
        self.finds("$(PARTITIONS) is not set", names.environment_names, KNOWN)

    def test_option(self):
        self.container()["args"][0] = "--partition"
        self.finds("no option --partition", names.command_lines, help_of)

    def test_option_in_a_shell(self):
        self.container()["command"], self.container()["args"] = ["sh", "-ec", "exec sensor-simulator --kinds x"], []
        self.finds("sensor-simulator has no option --kinds", names.command_lines, help_of)

    def test_no_program(self):
        self.container()["command"] = []
        self.finds("the image has no entry point", names.command_lines, help_of)

    def test_url(self):
        self.container()["env"][2]["value"] = "amqp://$(USER_NAME):x@rabbit:5672/%2f"
        self.finds("rabbit:5672 is no Service", names.url_hosts)
        self.container()["env"][2]["value"] = "amqp://$(USER_NAME):x@rabbitmq.here.svc:5671/%2f"
        self.finds("Service rabbitmq has no port 5671", names.url_hosts)


class Images(unittest.TestCase):
    def test_same_thing_other_version(self):
        found = names.image_pins([("dev", "docker.io/library/rabbitmq:4.2")], [("rabbitmq", "rabbitmq:4.3")])
        self.assertEqual(found, ["dev: docker.io/library/rabbitmq:4.2, but compose.yaml's rabbitmq: rabbitmq:4.3"])
        self.assertEqual(
            names.image_pins([("dev", "rabbitmq:4.3@sha256:0")], [("rabbitmq", "docker.io/library/rabbitmq:4.3")]), []
        )

    def test_no_version(self):
        self.assertEqual(len(names.image_pins([("a", "x/y"), ("b", "host:5000/x/y:latest"), ("c", "x:1")], [])), 2)


class Metrics(unittest.TestCase):
    RULES = {
        "external": [
            {"seriesQuery": 'iot_unread{namespace!=""}', "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>})"}
        ]
    }

    def test_chain(self):
        self.assertEqual(names.autoscaler_metrics(objects(), self.RULES, {"iot_unread"}, set()), [])

    def test_adapter_without_the_metric(self):
        self.assertIn(
            "serves no External metric iot_unread", str(names.autoscaler_metrics(objects(), {}, {"iot_unread"}, set()))
        )

    def test_series_of_nobody(self):
        self.assertIn(
            "no program exports iot_unread", str(names.autoscaler_metrics(objects(), self.RULES, {"iot_read"}, set()))
        )

    def test_metric_of_no_autoscaler(self):
        rules = {
            "external": self.RULES["external"] + [{"seriesQuery": "up{}", "name": {"matches": "^up$", "as": "iot_up"}}]
        }
        self.assertIn(
            "no HPA uses the External metric iot_up",
            str(names.autoscaler_metrics(objects(), rules, {"iot_unread"}, set())),
        )

    def test_query_of_an_unknown_metric(self):
        rules = {"external": [self.RULES["external"][0] | {"metricsQuery": "rate(iot_frames_total[1m])"}]}
        self.assertIn(
            "no program exports iot_frames_total",
            str(names.autoscaler_metrics(objects(), rules, {"iot_unread"}, set())),
        )

    def test_histograms(self):
        known = names.exported_metrics(['metrics.histogram("iot_age_seconds")'])
        self.assertEqual(names.metric_names("x", "rate(iot_age_seconds_bucket[5m])", known), [])
        self.assertEqual(names.metric_names("x", "iot_age_minutes", known), ["x: no program exports iot_age_minutes"])


class Flux(unittest.TestCase):
    def objects(self):
        import yaml

        return yaml.safe_load("""
            - {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: a},
               spec: {path: ./a, sourceRef: {kind: GitRepository, name: flux-system}}}
            - {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: b},
               spec: {path: ./b, sourceRef: {kind: GitRepository, name: flux-system}, dependsOn: [{name: a}]}}
            - {apiVersion: source.toolkit.fluxcd.io/v1, kind: HelmRepository, metadata: {name: charts}, spec: {}}
            - {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: r},
               spec: {chart: {spec: {chart: r, sourceRef: {kind: HelmRepository, name: charts}}},
                      valuesFrom: [{kind: ConfigMap, name: values, valuesKey: v.yaml}]}}
            - {apiVersion: v1, kind: ConfigMap, metadata: {name: values}, data: {v.yaml: x}}
            - {apiVersion: image.toolkit.fluxcd.io/v1, kind: ImageRepository, metadata: {name: i}, spec: {image: x}}
            - {apiVersion: image.toolkit.fluxcd.io/v1, kind: ImagePolicy, metadata: {name: i, namespace: flux-system},
               spec: {imageRepositoryRef: {name: i}}}
        """)

    def test_faults(self):
        self.assertEqual(names.flux_references(self.objects(), lambda path: True), [])
        for index, change, words in (
            (1, lambda spec: spec["dependsOn"].append({"name": "c"}), "depends on c"),
            (1, lambda spec: spec["sourceRef"].update(name="other"), "no GitRepository other"),
            (3, lambda spec: spec["chart"]["spec"]["sourceRef"].update(name="other"), "no HelmRepository other"),
            (3, lambda spec: spec["valuesFrom"][0].update(valuesKey="w.yaml"), "has no w.yaml"),
            (3, lambda spec: spec["valuesFrom"][0].update(name="r"), "has the release's name"),
            (6, lambda spec: spec["imageRepositoryRef"].update(name="j"), "no ImageRepository j"),
        ):
            changed = self.objects()
            change(changed[index]["spec"])
            self.assertIn(words, str(names.flux_references(changed, lambda path: True)))
        self.assertIn("no kustomization in ./b", str(names.flux_references(self.objects(), lambda path: path != "./b")))

    def test_marks(self):
        mark = 'newTag: 0.1.0 # {"$imagepolicy": "flux-system:%s:tag"}'
        self.assertEqual(names.policy_marks({"k.yaml": mark % "i"}, self.objects()), [])
        self.assertIn(
            "no ImagePolicy flux-system:j:tag", str(names.policy_marks({"k.yaml": mark % "j"}, self.objects()))
        )
        self.assertIn("no file has", str(names.policy_marks({"k.yaml": ""}, self.objects())))


class Documents(unittest.TestCase):
    def test_anchors(self):
        text = "# The alert: `NoData`\n```\n# no heading\n```\n## Same\n## Same\n## [Link](x.md) & more\n"
        self.assertEqual(names.anchors(text), {"the-alert-nodata", "same", "same-1", "link--more"})

    def test_runbooks(self):
        def rules(url):
            return {"groups": [{"rules": [{"alert": "A", "annotations": {"runbook_url": url}}, {"record": "r"}]}]}

        documents = {"docs/operations.md": "## A\n"}.get
        self.assertEqual(names.runbooks(rules("https://host/o/r/blob/main/docs/operations.md#a"), documents), [])
        self.assertIn(
            "no heading #b", str(names.runbooks(rules("https://host/o/r/blob/main/docs/operations.md#b"), documents))
        )
        self.assertIn(
            "no docs/alerts.md", str(names.runbooks(rules("https://host/o/r/blob/main/docs/alerts.md#a"), documents))
        )
        self.assertIn("names no heading", str(names.runbooks(rules(""), documents)))

    def test_pipelines(self):
        text = "# make nothing\nrun: make -j2 build test\nrun: ./scripts/here && sudo scripts/there x\n"
        found = names.pipeline_commands("ci.yml", text, {"build"}, lambda path: path == "scripts/here")
        self.assertEqual(found, ["ci.yml: make has no target test", "ci.yml: no scripts/there"])

    def test_created_secrets(self):
        text = "kubectl -n x create secret generic a \\\n  --from-literal=username=u --from-literal password=p --from-file=ca=./f | cat\n"
        self.assertEqual(names.created_secrets(text), {"a": {"username", "password", "ca"}})


class Compose(unittest.TestCase):
    def setUp(self):
        import yaml

        self.compose = yaml.safe_load("""
            services:
              rabbitmq:
                image: rabbitmq:4
                volumes: [./broker/a.conf:/etc/a.conf:ro, data:/var/lib]
                ports: ["127.0.0.1:15672:15672"]
                networks: [inner]
              prometheus:
                image: prom
                volumes: [./rules.yaml:/etc/rules.yaml:ro]
                networks: [inner, outer]
              sensor-registry:
                build: .
                command: [sensor-registry, --partitions, "4"]
                environment: {AMQP_URL_FILE: /run/secrets/amqp_url, LOG_LEVEL: info}
                secrets: [amqp_url]
                depends_on: [rabbitmq]
                networks: [inner]
            networks: {inner: {}, outer: {}}
            volumes: {data: {}}
            secrets: {amqp_url: {file: ./secrets/amqp_url}}
        """)
        self.registry = self.compose["services"]["sensor-registry"]

    def files(self):
        here = {"broker/a.conf", "rules.yaml", "Dockerfile"}
        return names.compose_files(self.compose, here.__contains__, {"amqp_url"}) + names.compose_secret_files(
            self.compose
        )

    def programs(self):
        return names.compose_programs(self.compose, KNOWN, help_of) + names.compose_urls(self.compose, {})

    def test_nothing_is_wrong(self):
        self.assertEqual(self.files() + self.programs(), [])

    def test_files(self):
        for change, words in (
            (lambda c: c["services"]["rabbitmq"]["volumes"].append("./broker/b.conf:/b"), "no broker/b.conf"),
            (lambda c: c["services"]["rabbitmq"]["volumes"].append("more:/b"), "no volume more"),
            (lambda c: c["secrets"]["amqp_url"].update(file="./secrets/amqp"), "scripts/secrets makes no secrets/amqp"),
            (lambda c: c["services"]["sensor-registry"]["secrets"].clear(), "/run/secrets/amqp_url is not there"),
            (lambda c: c["services"]["sensor-registry"]["secrets"].append("other"), "no secret other"),
            (lambda c: c["services"]["sensor-registry"]["depends_on"].append("redis"), "depends on redis"),
            (lambda c: c["services"]["rabbitmq"]["networks"].append("x"), "no network x"),
        ):
            self.setUp()
            change(self.compose)
            self.assertIn(words, str(self.files()))

    def test_programs(self):
        for change, words in (
            (lambda r: r["environment"].update(LOGLEVEL="info"), "no program reads LOGLEVEL"),
            (lambda r: r["command"].append("--replica=x"), "no option --replica"),
            (lambda r: r.update(command=["sensor-registri"]), "runs none of the programs"),
            (
                lambda r: r["environment"].update(AMQP_URL="amqp://u:p@rabbit:5672/"),
                "names rabbit, which is no service",
            ),
            (lambda r: r["environment"].update(AMQP_URL="amqp://u:p@rabbitmq:5671/"), "where nothing listens"),
            (
                lambda r: r.update(networks=["outer"], environment={"AMQP_URL": "amqp://u@rabbitmq:5672/"}),
                "shares no network",
            ),
        ):
            self.setUp()
            change(self.registry)
            self.assertIn(words, str(self.programs()))
        self.assertIn(
            "scripts/secrets names broker",
            str(names.compose_urls(self.compose, {"scripts/secrets": "amqp://u:$p@broker:5672/"})),
        )

    def test_targets(self):
        def found(job, rules="/etc/rules.yaml"):
            return str(
                names.prometheus_targets(
                    {"scrape_configs": [{"job_name": "j", **job}], "rule_files": [rules]}, self.compose
                )
            )

        self.assertEqual(found({"static_configs": [{"targets": ["sensor-registry:8080"]}]}), "[]")
        self.assertIn("registry is no service", found({"dns_sd_configs": [{"names": ["registry"], "port": 8080}]}))
        self.assertIn(
            "does not listen on 9090", found({"dns_sd_configs": [{"names": ["sensor-registry"], "port": 9090}]})
        )
        self.assertIn("/etc/alerts.yaml is not mounted", found({}, "/etc/alerts.yaml"))

    def test_ports(self):
        text = "http://localhost:15672 and 127.0.0.1:3000"
        self.assertEqual(
            names.published_ports("d.md", text, self.compose), ["d.md: nothing is published at localhost:3000"]
        )

    def test_grafana(self):
        files = ["url: $PROMETHEUS_URL\npassword: $__file{/run/secrets/p}\n# $NOT_THIS\n"]
        self.assertEqual(
            names.grafana_variables("g", {"PROMETHEUS_URL": "x", "GF_A": "b"}, ["/run/secrets"], files), []
        )
        found = str(names.grafana_variables("g", {"PROMETHEUS_URI": "x"}, [], files))
        for words in ("PROMETHEUS_URL is not set", "no dashboard reads PROMETHEUS_URI", "/run/secrets/p is not there"):
            self.assertIn(words, found)


if __name__ == "__main__":
    unittest.main()
