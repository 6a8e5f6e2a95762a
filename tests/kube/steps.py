"""What courses are made of: images, workloads, and steps that wait until the controllers have done theirs."""
import time

import cluster
from cluster import REGISTRY, apply, eventually, get, moment, put_status

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


def workload(kind, name, images, up=None, replicas=1, pod=None, annotations=None, **spec):
    spec = {"selector": {"matchLabels": {"app": name}}, "template": pods(name, images, up, **(pod or {})), **spec}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "annotations": annotations or {}}, "spec": spec}


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
