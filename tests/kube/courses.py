"""Each course of releases is taken on a real API server, by its own controllers; then `audit` and `ready` must say what was
done, and the same (I31, F133).   courses.py [COURSE…]

A course has a repository of its own. What it should come to is written beside it: what runs, what is wanted, what ran most
recently first, and what to go back to.
"""
import base64
import concurrent.futures
import gzip
import json
import os
import subprocess
import sys
import time

import cluster
from cluster import NAMESPACE, REGISTRY, apply, call, eventually, get, moment, path, put_status

COURSES, DIGESTS = {}, {}


def image(repository, version):
    name = f"{REGISTRY}/shop/{repository}:{version}"
    if name not in DIGESTS:
        DIGESTS[name] = cluster.push(f"shop/{repository}", version)
    return name


def course(runs="", wanted="", before="", back=None):
    """What a course should come to: versions, separated by spaces."""

    def taken(take):
        name = take.__name__.replace("_", "-")
        COURSES[name] = (take, {"runs": sorted(runs.split()), "wanted": sorted(wanted.split()), "before": before.split(), "back": back})
        return take

    return taken


def pods(app, images, up=None, **spec):
    containers = [{"name": f"app{at or ''}", "image": one} for at, one in enumerate(images)]
    made = {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers, **spec}}
    if up:
        made["metadata"]["annotations"] = {"tests/up": up}
    return made


def workload(kind, name, images, up=None, replicas=1, pod=None, **spec):
    spec = {"selector": {"matchLabels": {"app": name}}, "template": pods(name, images, up, **(pod or {})), **spec}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def pods_of(app):
    return [pod for pod in get("Pod", version="v1")["items"] if pod["metadata"].get("labels", {}).get("app") == app]


def first_image(pod):
    return pod["spec"]["containers"][0]["image"]


def roll(kind, name, *versions, repository=None, **more):
    """One version after the other, each until it is up and the one before has gone."""
    for version in versions:
        images = [image(repository or name, version)]
        apply(workload(kind, name, images, **more))

        def is_up():
            settled, there = get(kind, name), pods_of(name)
            seen = settled.get("status", {}).get("observedGeneration") == settled["metadata"]["generation"]
            up = all(first_image(pod) == images[0] and pod["status"].get("phase") == "Running" for pod in there)
            return seen and up and len(there) == more.get("replicas", 1)

        eventually(f"{kind} {name} at {version}", is_up)
        time.sleep(1.1)  # Kubernetes' times are whole seconds.


def start(kind, name, version, up="never", **more):
    """A version that does not come up: until a pod of it is there."""
    apply(workload(kind, name, [image(name, version)], up, **more))
    eventually(f"a pod of {name} at {version}", lambda: any(first_image(pod) == image(name, version) for pod in pods_of(name)))


# Deployments.


@course(runs="v3", before="v2 v1", back="v2")
def forward():
    roll("Deployment", "forward", "v1", "v2", "v3", replicas=2)


@course(runs="v2", before="v3 v1", back="v1")
def back():
    roll("Deployment", "back", "v1", "v2", "v3", "v2", replicas=2)


@course(runs="v1", before="v2 v3")
def back_twice():
    roll("Deployment", "back-twice", "v1", "v2", "v3", "v2", "v1")


@course(runs="v3", before="v1 v2", back="v1")
def onward():
    roll("Deployment", "onward", "v1", "v2", "v1", "v3")


@course(runs="v1", wanted="v2", back="v1")
def stuck():
    roll("Deployment", "stuck", "v1", replicas=2)
    start("Deployment", "stuck", "v2", replicas=2)


@course(runs="v1", wanted="v2", back="v1")
def crashing():
    roll("Deployment", "crashing", "v1")
    start("Deployment", "crashing", "v2", up="crashes")


@course(wanted="v2", before="v1", back="v1")
def replaced_at_once():
    recreate = {"strategy": {"type": "Recreate"}}
    roll("Deployment", "replaced-at-once", "v1", **recreate)
    start("Deployment", "replaced-at-once", "v2", up="crashes", **recreate)


@course(runs="v1", wanted="v2")
def paused():
    roll("Deployment", "paused", "v1")
    apply(workload("Deployment", "paused", [image("paused", "v2")], paused=True))


@course(wanted="v2", before="v1", back="v1")
def scaled_to_zero():
    roll("Deployment", "scaled-to-zero", "v1", "v2")
    apply(workload("Deployment", "scaled-to-zero", [image("scaled-to-zero", "v2")], replicas=0))
    eventually("no pod of scaled-to-zero", lambda: not pods_of("scaled-to-zero"))


@course(runs="v2", before="v1", back="v1")
def evicted():
    roll("Deployment", "evicted", "v1", "v2")
    gone = {"apiVersion": "v1", "kind": "Pod", **pods_of("evicted")[0]}
    put_status(gone, {"phase": "Failed", "reason": "Evicted", "containerStatuses": None, "conditions": None})
    eventually("another pod", lambda: any(pod["status"].get("phase") == "Running" for pod in pods_of("evicted")))


@course(runs="v2", before="v1", back="v1")
def sidecar():
    """A second container, in a workload whose first one stays the same."""
    for version in ("v1", "v2"):
        apply(workload("Deployment", "sidecar", [image("main", "v1"), image("sidecar", version)]))
        eventually("sidecar", lambda: any(
            pod["spec"]["containers"][1]["image"] == image("sidecar", version) and pod["status"].get("phase") == "Running"
            for pod in pods_of("sidecar")) and len(pods_of("sidecar")) == 1)
        time.sleep(1.1)


@course(runs="v2", before="v1", back="v1")
def volume():
    for version in ("v1", "v2"):
        data = [{"name": "data", "image": {"reference": image("volume", version)}}]
        apply(workload("Deployment", "volume", [image("main", "v1")], pod={"volumes": data}))
        eventually("volume", lambda: len(pods_of("volume")) == 1 and all(
            pod["spec"]["volumes"][0]["image"]["reference"] == image("volume", version)
            and pod["status"].get("phase") == "Running" for pod in pods_of("volume")))
        time.sleep(1.1)


# StatefulSets, DaemonSets, and what has no history.


@course(runs="v1", before="v2")
def stateful_back():
    roll("StatefulSet", "stateful-back", "v1", "v2", "v1")


@course(runs="v1", wanted="v2")
def partition():
    roll("StatefulSet", "partition", "v1")
    held = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
    apply(workload("StatefulSet", "partition", [image("partition", "v2")], **held))
    eventually("a second revision", lambda: get("StatefulSet", "partition")["status"]["updateRevision"]
               != get("StatefulSet", "partition")["status"]["currentRevision"])


@course(runs="v2", before="v1", back="v1")
def agent():
    roll("DaemonSet", "agent", "v1", "v2")


@course(runs="v1", wanted="v2")
def on_delete():
    roll("DaemonSet", "on-delete", "v1", updateStrategy={"type": "OnDelete"})
    apply(workload("DaemonSet", "on-delete", [image("on-delete", "v2")], updateStrategy={"type": "OnDelete"}))
    eventually("a second revision", lambda: len([
        one for one in get("ControllerRevision")["items"] if one["metadata"]["name"].startswith("on-delete-")]) == 2)


@course(runs="v1")
def replica_set():
    apply(workload("ReplicaSet", "replica-set", [image("replica-set", "v1")]))


@course(runs="v1")
def bare_pod():
    apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare-pod"}, "spec": pods("", [image("bare-pod", "v1")])["spec"]})


# Jobs.


def job(name, version, repository=None, annotations=None, owner=None):
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"template": pods(name, [image(repository or name, version)], restartPolicy="Never")}}
    if owner:
        made["metadata"]["ownerReferences"] = [
            {"apiVersion": "batch/v1", "kind": "CronJob", "controller": True, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}]
    return apply(made)


def ends(name):
    eventually(f"a pod of {name} runs", lambda: any(pod["status"].get("phase") == "Running" for pod in pods_of(name)))
    pod = {"apiVersion": "v1", "kind": "Pod", **pods_of(name)[0]}
    told = [{**one, "ready": False, "state": {"terminated": {"exitCode": 0, "finishedAt": moment()}}} for one in pod["status"]["containerStatuses"]]
    put_status(pod, {"phase": "Succeeded", "containerStatuses": told, "conditions": None})
    eventually(f"{name} is complete", lambda: any(
        one["type"] == "Complete" for one in get("Job", name, "batch/v1")["status"].get("conditions", [])))


@course(wanted="v2", before="v1", back="v1")
def nightly():
    def cron_job(version):
        template = {"spec": {"template": pods("nightly", [image("nightly", version)], restartPolicy="Never")}}
        return apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
                      "spec": {"schedule": "0 0 1 1 *", "jobTemplate": template}})

    job("nightly-1", "v1", "nightly", owner=cron_job("v1"))
    ends("nightly-1")
    cron_job("v2")


@course(before="v1", back=None)
def once():
    job("once", "v1")
    ends("once")


@course()
def hook():
    """A hook that is over, and a test of Helm's: neither was a deployment."""
    job("hook", "v1", annotations={"helm.sh/hook": "pre-upgrade"})
    ends("hook")
    apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hook-test", "annotations": {"helm.sh/hook": "test"}},
           "spec": pods("hook-test", [image("hook", "v2")])["spec"]})


# What other controllers look after. Theirs are not here: their objects are written as they write them, and the ReplicaSets
# are real.


def kind_of(group, version, kind, plural):
    whatever = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
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


# The judgement.


def prodpin(command):
    environment = {"PATH": os.environ["PATH"], "HOME": cluster.WORK, "KUBECONFIG": os.environ["KUBECONFIG"]}
    ended = subprocess.run([os.environ["PRODPIN"], command, "--format", "json", "--quiet"], cwd=cluster.WORK, env=environment,
                           capture_output=True, text=True, timeout=300)
    try:
        return {row["name"].removeprefix("shop/"): row for row in json.loads(ended.stdout)["repositories"]}
    except (ValueError, KeyError):
        sys.exit(f"{command}: status {ended.returncode}: {ended.stderr[-800:]}")


VERDICTS = {"roll-back": True, "roll-forward": False, "unknown": None}


def judge(name, truth, audit, ready):
    named = {DIGESTS[one]: one.rsplit(":", 1)[1] for one in DIGESTS if f"/{name}:" in one}
    version = lambda artifact: named.get(artifact, artifact)
    targets = audit["targets"]
    is_wanted = lambda target: any(reason["kind"] == "wanted" for reason in target["reasons"]) and not target["running"]
    told = {
        "runs": sorted(version(one["artifact"]) for one in targets if one["running"]),
        "wanted": sorted(version(one["artifact"]) for one in targets if is_wanted(one)),
        "before": [version(one["artifact"]) for one in targets if not one["running"] and not is_wanted(one)],
        "back": version(audit["rollback"]["to"]),
    }
    page = {
        "runs": sorted({version(one["artifact"]) for one in ready["now"]}),
        "wanted": sorted({version(one["artifact"]) for one in ready.get("wanted", [])}),
        "before": [version(one["artifact"]) for one in ready["ladder"] if not one["running"] and not one.get("wanted")],
        "back": version(ready["to"]),
    }
    wrong = [] if told == truth else [f"audit says {told}"]
    wrong += [] if page == truth else [f"ready says {page}"]
    if (audit["rollback"]["from"], audit["rollback"]["ready"]) != (ready["from"], VERDICTS[ready["verdict"]]):
        wrong.append(f"audit {audit['rollback']} and ready {ready['verdict']} from {ready['from']}: {ready['why']}")
    return wrong


def main():
    names = sys.argv[1:] or list(COURSES)
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, namespace=None)
    eventually("the namespace's account", lambda: get("ServiceAccount", version="v1")["items"])
    apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}}, namespace=None)
    call("PATCH", path("v1", "Node", "node", None), {"spec": {"taints": None}}, "application/merge-patch+json")
    with cluster.Nodes(DIGESTS):
        # Side by side: most of the time is spent on waiting for controllers.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: COURSES[name][0](), names))
        time.sleep(1)
    signals = [f"{{ kubernetes: {{ namespaces: [{NAMESPACE}], helm_releases: {str('chart' in names).lower()} }} }}"]
    if "application" in names:
        signals.append(f"{{ argocd: {{ namespaces: [{NAMESPACE}], all: true }} }}")
    with open(f"{cluster.WORK}/prodpin.yaml", "w") as policy:
        policy.write("\n".join([
            "version: 1", "ledger: ./ledger", f'sources: {{ shop: {{ oci: "http://{REGISTRY}", repositories: ["shop/*"] }} }}',
            "database: [{ repositories: [shop/*], schema: none }]", "production:", *(f"  - {signal}" for signal in signals), ""]))
    audit, ready, failed = prodpin("audit"), prodpin("ready"), 0
    for name in names:
        wrong = judge(name, COURSES[name][1], audit[name], ready[name])
        failed += bool(wrong)
        print("WRONG" if wrong else "ok   ", name, COURSES[name][1])
        for one in wrong:
            print("       ", one)
    sys.exit(f"{failed} of {len(names)} courses are told wrong" if failed else 0)


main()
