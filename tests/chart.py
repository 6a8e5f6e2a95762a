"""The Helm chart as Helm renders it: lint, every way to run it, what its schema refuses. Called by tests/kubernetes.sh.

    tests/chart.py DIRECTORY     where the rendered manifests are written, a file for each case
"""

import pathlib
import sys

import helm_python as helm
import yaml

CHART = pathlib.Path(__file__).parent.parent / "kubernetes" / "chart"
DIGEST = "sha256:" + "a" * 64

CASES = {
    "defaults": {},
    "enforce": {"command": "enforce", "image": {"repository": "registry.example.com/prodpin", "digest": DIGEST}},
    "sharded": {"command": "enforce", "shards": 4, "rbac": {"gitops": True, "helmReleaseNamespaces": ["shop", "web"]}},
    "own-policy": {
        "policy": {"existingConfigMap": "our-policy"},
        "env": [{"name": "PRODPIN_USERNAME", "value": "robot"}],
        "envFrom": [{"secretRef": {"name": "registry"}}],
        "imagePullSecrets": [{"name": "pull"}],
        "podLabels": {"azure.workload.identity/use": "true"},
        "serviceAccount": {"name": "auditor", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/r"}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "ops", "operator": "Exists"}],
        "priorityClassName": "ops",
        "networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}], "ports": [{"protocol": "TCP", "port": 80}]}]},
    },
    "watch": {
        "mode": "watch",
        "command": "enforce",
        "serviceMonitor": {"enabled": True, "labels": {"release": "monitoring"}},
        "prometheusRule": {"enabled": True},
        "podDisruptionBudget": {"enabled": True},
        "networkPolicy": {"metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]},
    },
    "bare": {"rbac": {"create": False}, "networkPolicy": {"enabled": False}, "ledgerKey": {"secret": ""}},
}

REFUSED = {
    "a command that does not exist": {"command": "delete"},
    "a mode that does not exist": {"mode": "daemonset"},
    "a value that does not exist": {"comand": "audit"},
    "a tag in the place of a digest": {"image": {"repository": "prodpin", "digest": "latest"}},
    "no shard at all": {"shards": 0},
    "a watch in shards": {"mode": "watch", "shards": 4},
    "a monitor of pods that are gone": {"serviceMonitor": {"enabled": True}},
}

# Kinds of the Prometheus operator, whose schemas the validator does not have.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}


def documents(rendered):
    texts = [text for name, text in rendered.items() if name.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def pods(document):
    spec = document.get("spec")
    if document["kind"] == "CronJob":
        return [spec["jobTemplate"]["spec"]["template"]["spec"]]
    return [spec["template"]["spec"]] if document["kind"] == "Deployment" else []


def check(case, found):
    kinds = sorted(document["kind"] for document in found)
    assert len([kind for kind in kinds if kind in ("CronJob", "Deployment")]) == 1, f"{case}: one thing runs: {kinds}"
    for document in found:
        for pod in pods(document):
            assert pod["securityContext"]["runAsNonRoot"] is True, f"{case}: root"
            [container] = pod["containers"]
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], case
            assert security["capabilities"] == {"drop": ["ALL"]}, case
            assert container["resources"]["limits"]["memory"], case
    names = {(document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]) for document in found}
    assert len(names) == len(found), f"{case}: two of one name"
    return kinds


def main():
    out = pathlib.Path(sys.argv[1])
    told = helm.lint(CHART)
    assert "ERROR" not in str(told), told
    with helm.Chart.load(CHART) as chart:
        for case, values in CASES.items():
            found = documents(chart.render(values=values, name="prodpin", namespace="ops"))
            kinds = check(case, found)
            if case == "watch":
                assert {"Deployment", "Service", "ServiceMonitor", "PrometheusRule", "PodDisruptionBudget"} <= set(kinds), kinds
            if case == "sharded":
                [job] = [document for document in found if document["kind"] == "CronJob"]
                spec = job["spec"]["jobTemplate"]["spec"]
                assert (spec["completions"], spec["completionMode"]) == (4, "Indexed") and "backoffLimit" not in spec, spec
            own = [document for document in found if document["kind"] not in FOREIGN]
            (out / f"chart-{case}.yaml").write_text(yaml.safe_dump_all(own))
        for what, values in REFUSED.items():
            try:
                chart.validate_schema(values)
                chart.render(values=values, name="prodpin", namespace="ops")
            except helm.HelmError:
                continue
            raise AssertionError(f"the chart takes {what}")


main()
