"""What Kubernetes' HorizontalPodAutoscaler decides, without I/O: a manifest and metrics in, a number of replicas out.

Follows pkg/controller/podautoscaler of Kubernetes (replica_calculator.go, horizontal.go) for metrics of the types Pods and
External with a target of AverageValue, and behaviour with policies and stabilization windows; and rate() of Prometheus.
All times are seconds.
"""
import math
from dataclasses import dataclass, field

# --horizontal-pod-autoscaler-sync-period and -tolerance of kube-controller-manager, by default.
SYNC_SECONDS = 15.0
TOLERANCE = 0.1

# What autoscaling/v2 fills in where a manifest says nothing.
UP = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
    {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]}
DOWN = {"stabilizationWindowSeconds": 300, "selectPolicy": "Max", "policies": [
    {"type": "Percent", "value": 100, "periodSeconds": 15}]}

SUFFIXES = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}


class Unsupported(Exception):
    """The manifest asks for something that is not played here."""


def quantity(value):
    """A Kubernetes quantity: 8000, "8k", "500m"."""
    text = str(value)
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if text.endswith(suffix):
            return float(text[:-len(suffix)]) * SUFFIXES[suffix]
    return float(text)


@dataclass
class Metric:
    """One metric of the manifest. Pods: a value for each pod; External: one for all."""

    kind: str
    name: str
    target: float

    def replicas(self, current, pods, value):
        """How many replicas this metric wants; None: it can't be said, because there are no figures.

        `pods`: the pods' names. `value`: {pod: figure}, for External the total.
        """
        if self.kind == "External":
            if value is None:
                return None
            if abs(1 - value / (self.target * current)) <= TOLERANCE:
                return current
            return math.ceil(value / self.target)
        known = {pod: value[pod] for pod in pods if pod in (value or {})}
        if not known:
            return None
        ratio = sum(known.values()) / len(known) / self.target
        if len(known) == len(pods):
            return current if abs(1 - ratio) <= TOLERANCE else math.ceil(ratio * len(pods))
        # A pod without figures counts as one that needs no change of direction: idle if more are wanted, else busy.
        guess = self.target if ratio < 1 else 0
        all_pods = [known.get(pod, guess) for pod in pods]
        filled = sum(all_pods) / len(all_pods) / self.target
        if abs(1 - filled) <= TOLERANCE or (ratio < 1 < filled) or (filled < 1 < ratio):
            return current
        return math.ceil(filled * len(all_pods))


def rules(defaults, given):
    """A half of `behavior`, with defaults."""
    unknown = set(given) - set(defaults)
    if unknown:
        raise Unsupported(f"behavior: {', '.join(sorted(unknown))}")
    return {**defaults, **given}


@dataclass
class Autoscaler:
    """The controller's memory of one HorizontalPodAutoscaler."""

    least: int
    most: int
    metrics: list
    up: dict
    down: dict
    # (time, replicas wanted), (time, replicas added), (time, replicas removed)
    recommendations: list = field(default_factory=list)
    added: list = field(default_factory=list)
    removed: list = field(default_factory=list)

    @classmethod
    def of(cls, manifest):
        """From a HorizontalPodAutoscaler of autoscaling/v2."""
        spec, metrics = manifest["spec"], []
        for entry in spec["metrics"]:
            source = entry.get(entry["type"].lower(), {})
            if entry["type"] not in ("Pods", "External") or source["target"]["type"] != "AverageValue":
                raise Unsupported(f"a metric of type {entry['type']} with {source.get('target')}")
            metrics.append(Metric(entry["type"], source["metric"]["name"], quantity(source["target"]["averageValue"])))
        behavior = spec.get("behavior", {})
        return cls(spec.get("minReplicas", 1), spec["maxReplicas"], metrics,
                   rules(UP, behavior.get("scaleUp", {})), rules(DOWN, behavior.get("scaleDown", {})))

    def evaluate(self, now, current, pods, values):
        """One look: the replicas from now on, and what was seen.

        `values`: {metric's name: as Metric.replicas takes it}. Gives (replicas, {"metrics": {name: wanted}, "desired"}).
        """
        if current == 0:
            return 0, {"metrics": {}, "desired": None}  # scaled to zero by hand: the autoscaler is off
        wanted = {metric.name: metric.replicas(current, pods, values.get(metric.name)) for metric in self.metrics}
        seen = {"metrics": wanted, "desired": None}
        if not self.least <= current <= self.most:
            return self.scaled(now, current, min(max(current, self.least), self.most)), seen
        known = [number for number in wanted.values() if number is not None]
        # With a metric missing it never scales down.
        if not known or (len(known) < len(wanted) and max(known) < current):
            return current, seen
        seen["desired"] = max(known)
        self.recommendations = self.recommendations or [(now, current)]
        return self.scaled(now, current, self.limit(now, current, self.stabilize(now, current, max(known)))), seen

    def stabilize(self, now, current, desired):
        """Up to the least, down to the most that was wanted within the windows."""
        def within(rule):
            return [wanted for at, wanted in self.recommendations if at > now - rule["stabilizationWindowSeconds"]]

        least, most = min([desired, *within(self.up)]), max([desired, *within(self.down)])
        longest = max(rule["stabilizationWindowSeconds"] for rule in (self.up, self.down))
        self.recommendations = [entry for entry in self.recommendations if entry[0] > now - longest]
        self.recommendations.append((now, desired))
        return min(max(current, least), most)

    def limit(self, now, current, desired):
        """Not further than the policies allow, and within min and max."""
        if desired > current:
            return min(desired, self.most, max(current, self.bound(now, current, self.up, 1)))
        if desired < current:
            return max(desired, self.least, min(current, self.bound(now, current, self.down, -1)))
        return desired

    def bound(self, now, current, rule, sign):
        """How far one direction's policies let it go."""
        if rule["selectPolicy"] == "Disabled":
            return current
        proposals = []
        for policy in rule["policies"]:
            cutoff = now - policy["periodSeconds"]
            begin = current - sum(n for at, n in self.added if at > cutoff) \
                + sum(n for at, n in self.removed if at > cutoff)
            if policy["type"] == "Pods":
                proposals.append(begin + sign * policy["value"])
            elif sign > 0:
                proposals.append(math.ceil(begin * (1 + policy["value"] / 100)))
            else:
                proposals.append(int(begin * (1 - policy["value"] / 100)))
        # "Max" is the largest change: upwards the largest number, downwards the smallest.
        return max(proposals) if (rule["selectPolicy"] == "Max") == (sign > 0) else min(proposals)

    def scaled(self, now, before, after):
        if after > before:
            self.added.append((now, after - before))
        elif after < before:
            self.removed.append((now, before - after))
        return after


def rate(samples, now, window):
    """rate(counter[window]) of Prometheus at `now`: of [(time, value)], oldest first; None: fewer than two in it."""
    inside = [(at, value) for at, value in samples if now - window <= at <= now]
    if len(inside) < 2:
        return None
    (first_at, first), (last_at, last) = inside[0], inside[-1]
    increase = last - first + sum(one for (_, one), (_, other) in zip(inside, inside[1:]) if other < one)
    sampled = last_at - first_at
    apart = sampled / (len(inside) - 1)
    to_start, to_end = first_at - (now - window), now - last_at
    if increase > 0 and first >= 0:
        to_start = min(to_start, sampled * first / increase)  # a counter was never below zero
    covered = sampled + sum(gap if gap < apart * 1.1 else apart / 2 for gap in (to_start, to_end))
    return increase * covered / sampled / window
