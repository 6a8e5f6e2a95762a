"""Courses of what other controllers look after. Theirs are not here: their objects are written as they write them, and the
ReplicaSets are real."""
import base64
import gzip
import json
import time

import cluster
from cluster import NAMESPACE, apply, call, eventually, moment, path
from steps import DIGESTS, course, image, pods, pods_of, roll, start, workload


def kind_of(group, version, kind, plural, short=()):
    whatever = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "shortNames": list(short)}
    served = {"name": version, "served": True, "storage": True, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": whatever}}
    name = f"{plural}.{group}"
    apply({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
           "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]}}, namespace=None)

    def is_served():
        try:
            return call("GET", path(f"{group}/{version}", kind)) is not None
        except cluster.Refused:
            return False

    eventually(name, is_served)


@course(runs="v2", wanted="v3", before="v1", back="v1")
def aborted():
    kind_of("argoproj.io", "v1alpha1", "Rollout", "rollouts")
    versions = ("v1", "v2", "v3")
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "aborted"}}, "template": pods("aborted", [image("aborted", "v3")])}
    rollout = apply({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "aborted"}, "spec": spec,
                     "status": {"abort": True, "stableRS": "hash2", "currentPodHash": "hash3", "replicas": 1}})
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "aborted", "uid": rollout["metadata"]["uid"], "controller": True}
    for at, version in enumerate(versions, 1):
        labels = {"app": "aborted", "rollouts-pod-template-hash": f"hash{at}"}
        made = workload("ReplicaSet", f"aborted-{at}", [image("aborted", version)], replicas=int(version == "v2"))
        made["metadata"].update(labels=labels, ownerReferences=[owner], annotations={"rollout.argoproj.io/revision": str(at)})
        made["spec"]["selector"] = {"matchLabels": labels}
        made["spec"]["template"]["metadata"]["labels"] = labels
        apply(made)
        time.sleep(1.1)


@course(runs="v1", wanted="v2", before="v0", back="v0")
def canary():
    """Flagger's: the primary runs, and the canary that failed stands at nothing."""
    roll("Deployment", "canary-primary", "v0", "v1", repository="canary")
    roll("Deployment", "canary", "v1")
    start("Deployment", "canary", "v2")
    apply(workload("Deployment", "canary", [image("canary", "v2")], replicas=0))
    eventually("no pod of canary", lambda: not pods_of("canary"))


@course(runs="v1", wanted="v2", back="v1")
def chart():
    """Helm calls a revision deployed once it is handed over; its pods do not come up."""
    roll("Deployment", "chart", "v1")
    start("Deployment", "chart", "v2")
    for number, version, status in ((1, "v1", "superseded"), (2, "v2", "deployed")):
        made = workload("Deployment", "chart", [image("chart", version)])
        release = {"name": "chart", "namespace": NAMESPACE, "version": number, "manifest": "---\n" + json.dumps(made), "hooks": [],
                   "info": {"status": status, "last_deployed": moment()}, "chart": {"metadata": {"name": "none", "version": "1"}}}
        packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
        apply({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "data": {"release": packed},
               "metadata": {"name": f"sh.helm.release.v1.chart.v{number}",
                            "labels": {"owner": "helm", "name": "chart", "status": status, "version": str(number)}}})


@course(runs="v1", wanted="v2", back="v1")
def application():
    """Argo CD, out of sync: it compares with a commit that it has not deployed."""
    roll("Deployment", "application", "v1")
    start("Deployment", "application", "v2")
    kind_of("argoproj.io", "v1alpha1", "Application", "applications")
    apply({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "application"}, "spec": {},
           "status": {"history": [{"id": 1, "revision": "1" * 40, "deployedAt": moment(), "source": {}}],
                      "sync": {"status": "OutOfSync", "revision": "2" * 40},
                      "summary": {"images": [image("application", "v1"), image("application", "v2")]}}})


@course(runs="v2", before="v1", back="v1")
def served():
    """Knative's: each revision has a Deployment of its own, and its route decides which of them is production."""
    kind_of("serving.knative.dev", "v1", "Revision", "revisions")
    kind_of("serving.knative.dev", "v1", "Route", "routes")
    kind_of("serving.knative.dev", "v1", "Service", "services", ["ksvc"])
    apply({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "served"}, "spec": {}})
    for at, version in enumerate(("v1", "v2"), 1):
        labels = {"serving.knative.dev/service": "served", "serving.knative.dev/configurationGeneration": str(at)}
        containers = [{"name": "app", "image": image("served", version)}]
        revision = apply({
            "apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": {"name": f"served-0000{at}", "labels": labels},
            "spec": {"containers": containers}, "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "app", "imageDigest": image("served", version).rsplit(":", 1)[0] + "@" + DIGESTS[image("served", version)]}]}})
        made = workload("Deployment", f"served-0000{at}", [image("served", version)], replicas=at - 1)
        made["metadata"]["ownerReferences"] = [{"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "controller": True,
                                                "name": f"served-0000{at}", "uid": revision["metadata"]["uid"]}]
        apply(made)
        time.sleep(1.1)
    eventually("a pod of served", lambda: any(pod["status"].get("phase") == "Running" for pod in pods_of("served-00002")))
    apply({"apiVersion": "serving.knative.dev/v1", "kind": "Route", "metadata": {"name": "served"}, "spec": {},
           "status": {"traffic": [{"revisionName": "served-00002", "percent": 100, "latestRevision": True}]}})
