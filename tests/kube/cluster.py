"""The API server as the courses use it, a stand-in for its nodes, and a registry to pull from. Standard library only."""
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

API, WORK, REGISTRY = os.environ["API"], os.environ["WORK"], os.environ["REGISTRY"]
NAMESPACE = os.environ.get("NAMESPACE", "shop")
CONTEXT = ssl.create_default_context(cafile=f"{WORK}/ca.crt")
CONTEXT.load_cert_chain(f"{WORK}/admin.crt", f"{WORK}/admin.key")
PLURALS = {"CustomResourceDefinition": "customresourcedefinitions", "Canary": "canaries", "PriorityClass": "priorityclasses"}


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:300]}")
        self.status = status


def call(method, path, body=None, kind="application/json"):
    request = urllib.request.Request(API + path, json.dumps(body).encode() if body is not None else None, method=method)
    if body is not None:
        request.add_header("Content-Type", kind)
    try:
        with urllib.request.urlopen(request, context=CONTEXT, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise Refused(error.code, error.read().decode(errors="replace")) from None


def path(version, kind, name=None, namespace=NAMESPACE, sub=""):
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    place = f"/namespaces/{namespace}" if namespace else ""
    plural = PLURALS.get(kind, kind.lower() + "s")
    return f"{root}{place}/{plural}" + (f"/{name}{sub}" if name else "")


def get(kind, name=None, version="apps/v1"):
    return call("GET", path(version, kind, name))


def apply(thing, namespace=NAMESPACE):
    """Server-side apply of everything but the status, which goes through its own door."""
    thing = dict(thing)
    status = thing.pop("status", None)
    name = thing["metadata"]["name"]
    if namespace:
        thing["metadata"] = {"namespace": namespace, **thing["metadata"]}
    where = path(thing["apiVersion"], thing["kind"], name, namespace)
    made = call("PATCH", where + "?fieldManager=tests&force=true", thing, "application/apply-patch+yaml")
    return put_status(made, status) if status is not None else made


def put_status(thing, status):
    metadata = thing["metadata"]
    where = path(thing["apiVersion"], thing["kind"], metadata["name"], metadata.get("namespace"), "/status")
    return call("PATCH", where, {"status": status}, "application/merge-patch+json")


def kubectl(*words):
    """As a person would, without asking what is there first."""
    subprocess.run(["kubectl", "--namespace", NAMESPACE, *words], check=True, stdout=subprocess.DEVNULL, timeout=120)


def comes_true(is_so, seconds):
    end = time.time() + seconds
    while time.time() < end:
        if is_so():
            return True
        time.sleep(0.2)
    return False


def eventually(what, is_so, seconds=180):
    if not comes_true(is_so, seconds):
        sys.exit(f"waited in vain: {what}")


def moment():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


# The registry.


def to_registry(method, where, body=None, kind=None):
    connection = http.client.HTTPConnection(REGISTRY, timeout=20)
    connection.request(method, where, body, {"Content-Type": kind} if kind else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status >= 300:
        sys.exit(f"{method} {where}: {answer.status}")
    return answer


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def blob(repository, content):
    where = to_registry("POST", f"/v2/{repository}/blobs/uploads/").getheader("Location").split(REGISTRY, 1)[-1]
    to_registry("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest(content)}", content, "application/octet-stream")
    return {"digest": digest(content), "size": len(content)}


def push(repository, tag):
    """A small image whose bytes differ from any other's; its digest."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"is": f"{repository}:{tag}"}},
                         "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    layer = f"{repository}:{tag}".encode()
    kinds = "application/vnd.oci.image."
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": kinds + "manifest.v1+json",
        "config": {"mediaType": kinds + "config.v1+json", **blob(repository, config)},
        "layers": [{"mediaType": kinds + "layer.v1.tar", **blob(repository, layer)}],
    }).encode()
    to_registry("PUT", f"/v2/{repository}/manifests/{tag}", manifest, kinds + "manifest.v1+json")
    return digest(manifest)


class Nodes(threading.Thread):
    """Stands in for nodes: what is pending comes up, with the digests that the registry serves. A pod with the annotation
    `tests/up` stays down: `never` pulls nothing, `crashes` has pulled, and waits to be started again, and of `first v2` one
    comes up alone, as long as it is v2 that they are to run."""

    def __init__(self, digests):
        super().__init__(daemon=True)
        self.digests, self.over = digests, threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            there = get("Pod", version="v1")["items"]
            of_template = lambda pod: pod["metadata"].get("labels", {}).get("pod-template-hash")
            running = {of_template(pod) for pod in there if pod["status"].get("phase") == "Running"}
            for pod in there:
                up, _, version = pod["metadata"].get("annotations", {}).get("tests/up", "").partition(" ")
                is_meant = up == "first" and pod["spec"]["containers"][0]["image"].endswith(f":{version}")
                if is_meant and not pod["metadata"].get("deletionTimestamp"):
                    if of_template(pod) in running:
                        continue
                    running.add(of_template(pod))
                try:
                    self.look_after({"apiVersion": "v1", "kind": "Pod", **pod})
                except Refused as refused:
                    if refused.status not in (404, 409):
                        print("nodes:", refused, file=sys.stderr)

    def look_after(self, pod):
        up = pod["metadata"].get("annotations", {}).get("tests/up")
        if pod["metadata"].get("deletionTimestamp"):
            # As a node does once everything in it has ended.
            call("DELETE", path("v1", "Pod", pod["metadata"]["name"]) + "?gracePeriodSeconds=0")
        elif pod["status"].get("phase") == "Pending" and up != "never":
            put_status(pod, self.status(pod, up != "crashes"))

    def pulled(self, image):
        return image if "@" in image else f"{image.rsplit(':', 1)[0]}@{self.digests[image]}"

    def status(self, pod, ready):
        state = {"running": {"startedAt": moment()}} if ready else {"waiting": {"reason": "CrashLoopBackOff"}}
        told = [{"name": one["name"], "image": one["image"], "ready": ready, "started": ready, "restartCount": 0, "state": state,
                 "imageID": self.pulled(one["image"])} for one in pod["spec"]["containers"]]
        conditions = [{"type": kind, "status": str(ready), "lastTransitionTime": moment()} for kind in ("ContainersReady", "Ready")]
        return {"phase": "Running", "startTime": moment(), "conditions": conditions, "containerStatuses": told}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
