"""Courses of StatefulSets, DaemonSets, and of what has no history."""
import json

from cluster import apply, eventually, get, kubectl
from steps import course, first_image, image, pods, pods_of, roll, start, workload


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


def replicated(name, replicas):
    template = pods(name, [image(name, "v1")])
    apply({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name},
           "spec": {"replicas": replicas, "selector": {"app": name}, "template": template}})


@course(runs="v1")
def replication_controller():
    replicated("replication-controller", 1)
    eventually("a pod of replication-controller", lambda: get("ReplicationController", "replication-controller", "v1")
               ["status"].get("readyReplicas") == 1)


@course(wanted="v1")
def replication_controller_zero():
    replicated("replication-controller-zero", 0)


@course(wanted="v1")
def replica_set_zero():
    apply(workload("ReplicaSet", "replica-set-zero", [image("replica-set-zero", "v1")], replicas=0))


@course(runs="v1")
def bare_pod():
    apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare-pod"}, "spec": pods("", [image("bare-pod", "v1")])["spec"]})


@course(runs="v3", before="v2 v1", back="v2")
def stateful():
    roll("StatefulSet", "stateful", "v1", "v2", "v3", replicas=2)


@course(runs="v1", before="v2 v3")
def stateful_back_twice():
    roll("StatefulSet", "stateful-back-twice", "v1", "v2", "v3", "v2", "v1")


@course(runs="v1", wanted="v2", back="v1")
def stateful_stuck():
    """Its last pod was taken down for the new release, and does not come up."""
    roll("StatefulSet", "stateful-stuck", "v1", replicas=2)
    start("StatefulSet", "stateful-stuck", "v2", replicas=2)


@course(wanted="v2", before="v1", back="v1")
def stateful_zero():
    roll("StatefulSet", "stateful-zero", "v1", "v2")
    apply(workload("StatefulSet", "stateful-zero", [image("stateful-zero", "v2")], replicas=0))
    eventually("no pod of stateful-zero", lambda: not pods_of("stateful-zero"))


@course(runs="v1 v2", back="v1")
def partition_of_half():
    half = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
    roll("StatefulSet", "partition-of-half", "v1", replicas=2, **half)
    apply(workload("StatefulSet", "partition-of-half", [image("partition-of-half", "v2")], replicas=2, **half))
    eventually("one pod of v2", lambda: len(pods_of("partition-of-half")) == 2 and sorted(
        (first_image(pod)[-2:], pod["status"].get("phase")) for pod in pods_of("partition-of-half")) == [("v1", "Running"), ("v2", "Running")])


@course(runs="v2", before="v1", back="v1")
def partition_of_all():
    """Held back, after it was at the second release everywhere."""
    roll("StatefulSet", "partition-of-all", "v1", "v2", replicas=2)
    held = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}
    apply(workload("StatefulSet", "partition-of-all", [image("partition-of-all", "v2")], replicas=2, **held))


def on_deletion(workload):
    strategy = {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
    kubectl("patch", workload, "--type=merge", "--patch", json.dumps(strategy))


@course(runs="v2", before="v1", back="v1")
def stateful_on_delete():
    roll("StatefulSet", "stateful-on-delete", "v1", "v2", replicas=2)
    on_deletion("statefulset/stateful-on-delete")


@course(runs="v1", before="v2")
def agent_back():
    roll("DaemonSet", "agent-back", "v1", "v2", "v1")


@course(wanted="v2", before="v1", back="v1")
def agent_stuck():
    roll("DaemonSet", "agent-stuck", "v1")
    start("DaemonSet", "agent-stuck", "v2")
    eventually("v1 is gone", lambda: all(first_image(pod).endswith("v2") for pod in pods_of("agent-stuck")))


@course(runs="v2", before="v1", back="v1")
def agent_on_delete():
    roll("DaemonSet", "agent-on-delete", "v1", "v2")
    on_deletion("daemonset/agent-on-delete")


@course(wanted="v2", before="v1", back="v1")
def agent_nowhere():
    """No node is left that it may run on."""
    roll("DaemonSet", "agent-nowhere", "v1", "v2")
    apply(workload("DaemonSet", "agent-nowhere", [image("agent-nowhere", "v2")], pod={"nodeSelector": {"none": "such"}}))
    eventually("no pod of agent-nowhere", lambda: not pods_of("agent-nowhere"))


@course(wanted="v1")
def replica_set_of_none():
    apply(workload("ReplicaSet", "replica-set-of-none", [image("replica-set-of-none", "v1")], replicas=0))


@course(runs="v1")
def controller():
    apply({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "controller"}, "spec": {
        "replicas": 1, "selector": {"app": "controller"}, "template": pods("controller", [image("controller", "v1")])}})
