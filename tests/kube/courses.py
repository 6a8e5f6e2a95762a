"""Each course of releases is taken on a real API server, by its own controllers; then `audit` and `ready` must say what was
done, and the same (I31, F133), and the commands that `ready` prints must do what it says.   courses.py [COURSE…]

A course has a repository of its own. What it should come to is written beside it: what runs, what is wanted, what ran most
recently first, and what to go back to.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import time

import cluster
import courses_of_deployments
import courses_of_jobs
import courses_of_operators
import courses_of_sets
from cluster import NAMESPACE, REGISTRY, apply, call, eventually, get, path
from steps import COURSES, DIGESTS, pods_of


def prodpin(command):
    environment = {"PATH": os.environ["PATH"], "HOME": cluster.WORK, "KUBECONFIG": os.environ["KUBECONFIG"]}
    ended = subprocess.run([os.environ["PRODPIN"], command, "--format", "json", "--quiet"], cwd=cluster.WORK, env=environment,
                           capture_output=True, text=True, timeout=300)
    try:
        return {row["name"].removeprefix("shop/"): row for row in json.loads(ended.stdout)["repositories"]}
    except (ValueError, KeyError):
        sys.exit(f"{command}: status {ended.returncode}: {ended.stderr[-800:]}")


VERDICTS = {"roll-back": True, "roll-forward": False, "no_earlier_release": False, "unknown": None}


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


def digest_of(image):
    return image.split("@")[1] if "@" in image else DIGESTS.get(image)


def is_at(way, artifact):
    """Whether a workload asks for an artifact, and each of its pods runs that."""
    kind, name = way["workload"]["kind"], way["workload"]["name"]
    if kind == "ksvc":
        traffic = get("Service", name, VERSIONS[kind])["spec"].get("traffic")
        return traffic == [{"revisionName": way["to_revision"], "percent": 100}]
    spec = get(KINDS[kind], name, VERSIONS.get(kind, "apps/v1"))["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if kind == "cronjob" else spec.get("template", {"spec": spec})
    volumes = lambda spec: [one["image"]["reference"] for one in spec.get("volumes", []) if "image" in one]
    images = lambda spec: [one["image"] for one in spec["containers"]] + volumes(spec)
    holds = lambda spec: any(digest_of(one) == artifact for one in images(spec))
    there = [] if kind == "cronjob" else [pod for pod in pods_of(name) if pod["status"].get("phase") != "Failed"]
    up = lambda pod: pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    return holds(template["spec"]) and all(holds(pod["spec"]) and up(pod) for pod in there)


KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet", "cronjob": "CronJob", "ksvc": "Service"}
VERSIONS = {"cronjob": "batch/v1", "ksvc": "serving.knative.dev/v1"}


def obey(ready):
    """Does what `ready` prints, where kubectl alone can; what came out wrong."""
    wrong = []
    for way in ready["back"]:
        if way["workload"]["kind"] not in KINDS or way["workload"]["platform"]["kind"] != "kubernetes":
            continue
        if not way["commands"]:
            wrong.append(f"no command for {way['workload']}: {way['notes']}")
        for command in (line for line in way["commands"] if line.startswith("kubectl ")):
            try:
                subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True, timeout=180)
            except subprocess.CalledProcessError as error:
                wrong.append(f"{command}: {error.stderr.strip()[-300:]}")
            except subprocess.TimeoutExpired:
                wrong.append(f"{command}: it had not ended after three minutes")
        if not wrong and not cluster.comes_true(lambda: is_at(way, ready["to"]), 30):
            wrong.append(f"it is not at {ready['to']} after {way['commands']}")
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
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            obeyed = dict(zip(names, pool.map(lambda name: obey(ready[name]), names)))
        for name in names:
            wrong = judge(name, COURSES[name][1], audit[name], ready[name]) + obeyed[name]
            failed += bool(wrong)
            print("WRONG" if wrong else "ok   ", name, COURSES[name][1])
            for one in wrong:
                print("       ", one)
    sys.exit(f"{failed} of {len(names)} courses are told wrong" if failed else 0)


main()
