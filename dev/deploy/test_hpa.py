"""Tests of the autoscaler's formula. The expected numbers are worked out by hand from Kubernetes' rules."""
import unittest

from dev.deploy.hpa import Autoscaler, Metric, Unsupported, quantity, rate


def manifest(behavior=None, least=1, most=4, metrics=(("Pods", "rate", "100"),)):
    return {"spec": {"minReplicas": least, "maxReplicas": most, **({"behavior": behavior} if behavior else {}), "metrics": [
        {"type": kind, kind.lower(): {"metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": value}}}
        for kind, name, value in metrics]}}


def names(count):
    return [f"pod-{number}" for number in range(count)]


class OneMetric(unittest.TestCase):
    def pods(self, figures, count=None):
        values = dict(zip(names(len(figures)), figures))
        count = count or len(figures)
        return Metric("Pods", "rate", 100).replicas(count, names(count), values)

    def external(self, total, current):
        return Metric("External", "unread", 1000).replicas(current, names(current), total)

    def test_pods_by_their_average(self):
        self.assertEqual(self.pods([160]), 2)
        self.assertEqual(self.pods([130, 130]), 3)
        self.assertEqual(self.pods([10, 10, 10, 10]), 1)
        self.assertEqual(self.pods([0, 0]), 0)

    def test_ten_percent_change_nothing(self):
        self.assertEqual(self.pods([109, 109]), 2)
        self.assertEqual(self.pods([111, 111]), 3)
        self.assertEqual(self.pods([91, 91, 91, 91]), 4)
        self.assertEqual(self.pods([74, 74, 74, 74]), 3)
        self.assertEqual(self.external(2100, 2), 2)
        self.assertEqual(self.external(2201, 2), 3)

    def test_external_by_its_total(self):
        self.assertEqual(self.external(12_000, 1), 12)
        self.assertEqual(self.external(1, 4), 1)
        self.assertEqual(self.external(0, 4), 0)
        self.assertIsNone(self.external(None, 4))

    def test_a_pod_without_figures_turns_nothing_round(self):
        self.assertIsNone(self.pods([], 2))
        self.assertEqual(self.pods([130, 130], 3), 3)  # 260 of 3 would be 0.87: no reason for another, nor for one less
        self.assertEqual(self.pods([180, 180], 3), 4)  # 360 of 3 is 1.2
        self.assertEqual(self.pods([20, 20], 3), 2)    # (40 + 100) of 3 is 0.47
        self.assertEqual(self.pods([95, 95], 3), 3)
        self.assertEqual(self.pods([180], 4), 4)       # 180 of 4 is 0.45, but the one says more, not less
        self.assertEqual(self.pods([80, 80], 9), 9)    # nor more because others may be busy

    def test_quantities(self):
        self.assertEqual([quantity(text) for text in ("8000", 8000, "8k", "500m", "2Ki")], [8000, 8000, 8000, 0.5, 2048])


class Behaviour(unittest.TestCase):
    def play(self, autoscaler, loads, replicas, period=15, begin=0):
        """The replicas after each look, when that load is shared evenly."""
        history = []
        for look, load in enumerate(loads):
            pods = names(replicas)
            values = {"rate": {pod: load / replicas for pod in pods}}
            replicas = autoscaler.evaluate(begin + look * period, replicas, pods, values)[0]
            history.append(replicas)
        return history

    def test_the_most_of_all_metrics(self):
        autoscaler = Autoscaler.of(manifest(metrics=[("Pods", "rate", "100"), ("External", "unread", "1k")]))
        replicas, seen = autoscaler.evaluate(0, 1, ["a"], {"rate": {"a": 120}, "unread": 2500})
        self.assertEqual((replicas, seen["desired"], seen["metrics"]), (3, 3, {"rate": 2, "unread": 3}))

    def test_never_down_while_a_metric_is_missing(self):
        autoscaler = Autoscaler.of(manifest({"scaleDown": {"stabilizationWindowSeconds": 0}},
                                            metrics=[("Pods", "rate", "100"), ("External", "unread", "1k")]))
        self.assertEqual(autoscaler.evaluate(0, 4, names(4), {"rate": {}, "unread": 0})[0], 4)
        self.assertEqual(autoscaler.evaluate(15, 1, names(1), {"rate": {}, "unread": 9000})[0], 4)
        self.assertEqual(autoscaler.evaluate(30, 4, names(4), {})[0], 4)

    def test_zero_replicas_switch_it_off(self):
        self.assertEqual(Autoscaler.of(manifest()).evaluate(0, 0, [], {"rate": {}})[0], 0)

    def test_min_and_max(self):
        self.assertEqual(self.play(Autoscaler.of(manifest(least=2)), [5000], 2), [4])
        self.assertEqual(self.play(Autoscaler.of(manifest(least=2)), [100], 1), [2])
        self.assertEqual(self.play(Autoscaler.of(manifest(most=3)), [100], 4), [3])
        calm = Autoscaler.of(manifest({"scaleDown": {"stabilizationWindowSeconds": 0}}, least=2))
        self.assertEqual(self.play(calm, [0, 0], 4), [2, 2])

    def test_doubling_within_a_period(self):
        doubling = {"scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 60}]}}
        autoscaler = Autoscaler.of(manifest(doubling, most=9))
        self.assertEqual(self.play(autoscaler, [900] * 9, 1), [2, 2, 2, 2, 4, 4, 4, 4, 8])

    def test_one_at_a_time_down(self):
        slow = {"scaleDown": {"stabilizationWindowSeconds": 0,
                              "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}
        self.assertEqual(self.play(Autoscaler.of(manifest(slow)), [10] * 9, 4), [3, 3, 3, 3, 2, 2, 2, 2, 1])

    def test_smallest_change_and_none(self):
        policies = [{"type": "Pods", "value": 1, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]
        least = {"scaleUp": {"selectPolicy": "Min", "policies": policies},
                 "scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": "Min", "policies": policies}}
        self.assertEqual(self.play(Autoscaler.of(manifest(least)), [400], 2), [3])
        self.assertEqual(self.play(Autoscaler.of(manifest(least)), [10], 4), [3])
        most = {"scaleUp": {"policies": policies}, "scaleDown": {"stabilizationWindowSeconds": 0, "policies": policies}}
        self.assertEqual(self.play(Autoscaler.of(manifest(most)), [400], 2), [4])
        self.assertEqual(self.play(Autoscaler.of(manifest(most)), [10], 4), [1])
        off = {"scaleUp": {"selectPolicy": "Disabled"}}
        self.assertEqual(self.play(Autoscaler.of(manifest(off)), [400], 1), [1])

    def test_down_waits_for_its_window(self):
        window = {"scaleDown": {"stabilizationWindowSeconds": 60}}
        autoscaler = Autoscaler.of(manifest(window))
        # Wanted: 4 at 0 s, then 1; the 4 counts until 60 s are over.
        self.assertEqual(self.play(autoscaler, [400, 10, 10, 10, 10, 10], 4), [4, 4, 4, 4, 1, 1])
        # A peak within the window restarts it.
        autoscaler = Autoscaler.of(manifest(window))
        self.assertEqual(self.play(autoscaler, [400, 10, 10, 300, 10, 10, 10, 10], 4), [4, 4, 4, 4, 3, 3, 3, 1])

    def test_up_waits_for_its_window(self):
        window = {"scaleUp": {"stabilizationWindowSeconds": 30}}
        self.assertEqual(self.play(Autoscaler.of(manifest(window)), [400, 400, 400], 1), [1, 1, 4])

    def test_the_first_look_remembers_what_ran(self):
        autoscaler = Autoscaler.of(manifest({"scaleDown": {"stabilizationWindowSeconds": 30}}))
        self.assertEqual(self.play(autoscaler, [10, 10, 10], 4), [4, 4, 1])

    def test_what_is_not_played_is_refused(self):
        with self.assertRaises(Unsupported):
            Autoscaler.of(manifest({"scaleUp": {"tolerance": "0.2"}}))
        utilization = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}
        with self.assertRaises(Unsupported):
            Autoscaler.of({"spec": {"maxReplicas": 2, "metrics": [utilization]}})


class Rate(unittest.TestCase):
    """Expected numbers as `promtool test rules` of Prometheus 2.42 gives them."""

    def test_two_samples_at_least(self):
        self.assertIsNone(rate([], 60, 60))
        self.assertIsNone(rate([(50, 7)], 60, 60))
        self.assertIsNone(rate([(0, 1), (10, 2), (70, 9)], 120, 60))

    def test_a_steady_counter(self):
        self.assertAlmostEqual(rate([(at, 1000 + 8 * at) for at in range(0, 61, 15)], 60, 60), 8)
        self.assertAlmostEqual(rate([(at, 1000 + 8 * at) for at in range(5, 61, 15)], 60, 60), 8)

    def test_a_counter_that_began_in_the_window(self):
        # 120 in 15 s; 15 s to the range's end are as long as the samples lie apart; back to zero it is 15 s as well.
        self.assertAlmostEqual(rate([(30, 120), (45, 240)], 60, 60), 120 * 45 / 15 / 60)
        # From zero there is nothing before; a sample long ago extrapolates by half a distance only.
        self.assertAlmostEqual(rate([(30, 0), (45, 120)], 60, 60), 120 * 30 / 15 / 60)
        self.assertAlmostEqual(rate([(0, 9000), (10, 9100)], 60, 60), 100 * (10 + 5) / 10 / 60)

    def test_a_counter_that_began_anew(self):
        self.assertAlmostEqual(rate([(0, 100), (20, 200), (40, 50), (60, 150)], 60, 60), (100 + 50 + 100) / 60)
