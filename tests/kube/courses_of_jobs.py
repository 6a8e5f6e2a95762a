"""Courses of Jobs and CronJobs."""
import time

from cluster import apply, eventually, get, moment, put_status
from steps import course, image, pods, pods_of


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


def cron_job(name, version, **spec):
    template = {"spec": {"template": pods(name, [image(name, version)], restartPolicy="Never")}}
    return apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
                  "spec": {"schedule": "0 0 1 1 *", "jobTemplate": template, **spec}})


@course(runs="v2", before="v1", back="v1")
def nightly_now():
    job("nightly-now-1", "v1", "nightly-now", owner=cron_job("nightly-now", "v1"))
    ends("nightly-now-1")
    job("nightly-now-2", "v2", "nightly-now", owner=cron_job("nightly-now", "v2"))
    eventually("it runs", lambda: any(pod["status"].get("phase") == "Running" for pod in pods_of("nightly-now-2")))


@course(wanted="v1", before="v2")
def nightly_back():
    job("nightly-back-1", "v1", "nightly-back", owner=cron_job("nightly-back", "v1"))
    ends("nightly-back-1")
    time.sleep(1.1)
    job("nightly-back-2", "v2", "nightly-back", owner=cron_job("nightly-back", "v2"))
    ends("nightly-back-2")
    cron_job("nightly-back", "v1", suspend=True)


@course(wanted="v1")
def suspended():
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "suspended"},
            "spec": {"suspend": True, "template": pods("suspended", [image("suspended", "v1")], restartPolicy="Never")}}
    apply(made)
