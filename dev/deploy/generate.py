"""Makes Kubernetes objects out of files that are used elsewhere too.

    scripts/generate-deploy            writes them
    scripts/generate-deploy --check    fails if one that is there is not what would be written

    monitoring/rules.yaml    ▸ k8s/components/monitoring/prometheusrule.yaml     PrometheusRule
    broker/definitions.json  ▸ k8s/components/broker-operator/policies.yaml      Policy of the messaging topology operator

Needs PyYAML (Debian: python3-yaml).
"""
import json
import sys

import yaml

from dev.project import PROJECT

MADE = "# Made by scripts/generate-deploy out of {}: change that file, not this one.\n"


class Text(yaml.SafeDumper):
    """YAML for readers: blocks of lists indented, long text folded, keys in their own order."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def text(source, objects):
    documents = [yaml.dump(one, Dumper=Text, sort_keys=False, allow_unicode=True, width=120) for one in objects]
    return MADE.format(source) + "---\n".join(documents)


def prometheus_rule(source):
    groups = yaml.safe_load((PROJECT / source).read_text())["groups"]
    return [{
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "sensor-services"},
        "spec": {"groups": groups},
    }]


def policies(source):
    """One object a policy. A key that the operator's Policy has no field for must not get lost in silence."""
    for policy in json.loads((PROJECT / source).read_text())["policies"]:
        unknown = set(policy) - {"vhost", "name", "pattern", "apply-to", "priority", "definition"}
        if unknown:
            sys.exit(f"generate-deploy: {source}: policy {policy['name']}: no field for {', '.join(sorted(unknown))}")
        yield {
            "apiVersion": "rabbitmq.com/v1beta1",
            "kind": "Policy",
            "metadata": {"name": policy["name"]},
            "spec": {
                "name": policy["name"],
                "vhost": policy["vhost"],
                "pattern": policy["pattern"],
                "applyTo": policy["apply-to"],
                "priority": policy["priority"],
                "definition": policy["definition"],
                "rabbitmqClusterReference": {"name": "rabbitmq"},
            },
        }


FILES = {
    "k8s/components/monitoring/prometheusrule.yaml": ("monitoring/rules.yaml", prometheus_rule),
    "k8s/components/broker-operator/policies.yaml": ("broker/definitions.json", policies),
}


def main():
    arguments = sys.argv[1:]
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 64
    stale = []
    for target, (source, make) in FILES.items():
        path, wanted = PROJECT / target, text(source, make(source))
        if path.exists() and path.read_text() == wanted:
            continue
        stale.append(target)
        if not arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted)
            print(f"generate-deploy: wrote {target}")
    if arguments and stale:
        print(f"generate-deploy: stale: {', '.join(stale)}: run scripts/generate-deploy", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
