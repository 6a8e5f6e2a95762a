"""Courses of Deployments."""
import time

from cluster import apply, eventually, get, kubectl, put_status
from steps import course, first_image, image, pods_of, roll, start, workload


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


@course(runs="v2", before="v1", back="v1")
def restarted():
    """The same release again, as another revision."""
    roll("Deployment", "restarted", "v1", "v2")
    kubectl("rollout", "restart", "deployment/restarted")
    eventually("a third revision", lambda: len([
        one for one in get("ReplicaSet")["items"] if one["metadata"]["name"].startswith("restarted-")]) == 3)
    kubectl("rollout", "status", "deployment/restarted")


def half_of(name, version):
    """Of two pods the first one of the new release is ready, and the second one does not come up."""
    apply(workload("Deployment", name, [image(name, version)], f"first {version}", replicas=2, **SLOWLY))
    eventually(f"two pods of {name} at {version}", lambda: len([
        pod for pod in pods_of(name) if first_image(pod) == image(name, version)]) == 2)


SLOWLY = {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}


@course(runs="v1 v2", back="v1")
def halfway():
    roll("Deployment", "halfway", "v1", replicas=2, **SLOWLY)
    half_of("halfway", "v2")


@course(runs="v1 v2", before="v0", back="v1")
def paused_halfway():
    roll("Deployment", "paused-halfway", "v0", "v1", replicas=2, **SLOWLY)
    half_of("paused-halfway", "v2")
    kubectl("rollout", "pause", "deployment/paused-halfway")


@course(runs="v2", before="v1", back="v1")
def paused_at_rest():
    """Paused with nothing to roll out: it refuses to be undone."""
    roll("Deployment", "paused-at-rest", "v1", "v2")
    kubectl("rollout", "pause", "deployment/paused-at-rest")


@course(runs="v1", wanted="v3", before="v2", back="v1")
def stuck_twice():
    """What a second release was to a cluster that never ran it is not to be known from its revisions."""
    roll("Deployment", "stuck-twice", "v1")
    start("Deployment", "stuck-twice", "v2")
    start("Deployment", "stuck-twice", "v3")


@course(runs="v3", before="v2", back="v2")
def one_kept():
    """No older revision is left than the last."""
    roll("Deployment", "one-kept", "v1", "v2", "v3", revisionHistoryLimit=1)


@course(runs="v2 w2", before="v1 w1", back="v1")
def pair():
    """Two containers from one repository: neither goes back to what the other one ran."""
    for app, worker in (("v1", "w1"), ("v2", "w2")):
        apply(workload("Deployment", "pair", [image("pair", worker), image("pair", app)]))
        eventually(f"pair at {app}", lambda: len(pods_of("pair")) == 1 and all(
            first_image(pod) == image("pair", worker) and pod["status"].get("phase") == "Running" for pod in pods_of("pair")))
        time.sleep(1.1)


@course(runs="v2", before="v1", back="v1")
def prepared():
    """An init container of the same repository: what it runs is over before anything is up."""
    for version in ("v1", "v2"):
        first = [{"name": "migrate", "image": image("prepared", version)}]
        apply(workload("Deployment", "prepared", [image("prepared", version)], pod={"initContainers": first}))
        eventually("prepared", lambda: len(pods_of("prepared")) == 1 and all(
            first_image(pod) == image("prepared", version) and pod["status"].get("phase") == "Running" for pod in pods_of("prepared")))
        time.sleep(1.1)


@course(wanted="v1")
def without_pods():
    """A template, and a quota that lets no pod through."""
    apply(workload("Deployment", "without-pods", [image("without-pods", "v1")], pod={"serviceAccountName": "nobody"}))
    eventually("a revision of without-pods", lambda: any(
        one["metadata"]["name"].startswith("without-pods-") for one in get("ReplicaSet")["items"]))


@course(runs="v2", before="v1", back="v1")
def from_git():
    """Argo CD's, which would bring what Git names again."""
    tracking = "shop-app:apps/Deployment:shop/from-git"
    roll("Deployment", "from-git", "v1", "v2", annotations={"argocd.argoproj.io/tracking-id": tracking})
