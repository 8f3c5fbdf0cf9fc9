"""Unknown fields and wrong types are refused, by each of the three sources of schemas."""

import unittest

from dev.deploy import schemas


def item(api_version, kind, spec):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}


class Objects(unittest.TestCase):
    RIGHT = (
        item("v1", "Service", {"ports": [{"port": 1}]}),
        item("cert-manager.io/v1", "Certificate", {"secretName": "x", "issuerRef": {"name": "x"}}),
        item(
            "helm.toolkit.fluxcd.io/v2",
            "HelmRelease",
            {"interval": "1h", "chartRef": {"kind": "OCIRepository", "name": "x"}, "values": {"a": 1}},
        ),
        item(
            "image.toolkit.fluxcd.io/v1",
            "ImagePolicy",
            {"imageRepositoryRef": {"name": "x"}, "policy": {"semver": {"range": "0.x"}}},
        ),
        item(
            "keda.sh/v1alpha1",
            "ScaledObject",
            {"scaleTargetRef": {"name": "x"}, "triggers": [{"type": "prometheus", "metadata": {"query": "x"}}]},
        ),
        item("monitoring.coreos.com/v1", "ServiceMonitor", {"selector": {}, "endpoints": [{"port": "http"}]}),
        item(
            "postgresql.cnpg.io/v1",
            "Cluster",
            {"instances": 1, "storage": {"size": "1Gi"}, "resources": {"limits": {"memory": "1Gi"}}},
        ),
        item("rabbitmq.com/v1beta1", "RabbitmqCluster", {"replicas": 3, "persistence": {"storage": "1Gi"}}),
        item(
            "traefik.io/v1alpha1",
            "IngressRouteTCP",
            {"routes": [{"match": "x", "services": [{"name": "x", "port": 1}]}]},
        ),
        item("helm.cattle.io/v1", "HelmChartConfig", {"valuesContent": "x"}),
    )

    def test_right(self):
        for right in self.RIGHT:
            self.assertEqual(schemas.problems(right), [], right["kind"])

    def test_unknown_field(self):
        for right in self.RIGHT:
            for wrong in (
                right | {"spek": {}},
                right | {"spec": right["spec"] | {"bogus": 1}},
                right | {"metadata": {"name": "x", "bogus": 1}},
            ):
                self.assertTrue(
                    any("was unexpected" in problem for problem in schemas.problems(wrong)),
                    (wrong, schemas.problems(wrong)),
                )

    def test_unknown_field_deep_inside(self):
        for wrong in (
            item("v1", "Service", {"ports": [{"port": 1, "targetport": 1}]}),
            item("monitoring.coreos.com/v1", "ServiceMonitor", {"selector": {}, "endpoints": [{"prot": "http"}]}),
            item("postgresql.cnpg.io/v1", "Cluster", {"instances": 1, "resources": {"limit": {}}}),
            item("rabbitmq.com/v1beta1", "RabbitmqCluster", {"override": {"service": {"spec": {"port": []}}}}),
        ):
            self.assertTrue(any("was unexpected" in problem for problem in schemas.problems(wrong)), wrong)

    def test_types(self):
        for wrong in (
            item("helm.toolkit.fluxcd.io/v2", "HelmRelease", {"interval": 60}),
            item("postgresql.cnpg.io/v1", "Cluster", {"instances": "1"}),
            item("postgresql.cnpg.io/v1", "Cluster", {}),
            item(
                "postgresql.cnpg.io/v1",
                "ScheduledBackup",
                {"schedule": "x", "cluster": {"name": "x"}, "method": "barman"},
            ),
        ):
            self.assertNotEqual(schemas.problems(wrong), [], wrong)

    def test_unknown_kind(self):
        self.assertIn("no schema of example.com/v1 Thing", str(schemas.problems(item("example.com/v1", "Thing", {}))))
        # A version that there was once.
        self.assertIn("no schema", str(schemas.problems(item("image.toolkit.fluxcd.io/v1beta1", "ImagePolicy", {}))))


if __name__ == "__main__":
    unittest.main()
