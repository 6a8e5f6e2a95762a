"""What `drill --only rehearsal` says of old revisions on a real API server, by an account that has its role and nothing else
(P75): each way in which a cluster comes to refuse an old revision is brought about, and must be named; nothing may be left.

   rehearsals.py
"""
import json
import os
import shutil
import subprocess
import sys
import time

import cluster
from cluster import NAMESPACE, REGISTRY, Refused, apply, call, comes_true, eventually, get, path
from steps import DIGESTS, roll

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLE = f"{ROOT}/policies/kubernetes-rbac-rehearsal.yaml"
DIGESTS_ONLY = f"{ROOT}/policies/kubernetes/require-digests.yaml"
HOME = f"{cluster.WORK}/rehearsals"
KUBECONFIG = f"{HOME}/kubeconfig"
FAILED = []


def kubectl(*words, feed=None):
    ended = subprocess.run(["kubectl", "--kubeconfig", KUBECONFIG, *words], input=feed, capture_output=True, text=True, timeout=60)
    if ended.returncode:
        sys.exit(f"kubectl {' '.join(words)}: {ended.stderr.strip()}")
    return ended.stdout


def run(*words):
    environment = {"PATH": os.environ["PATH"], "HOME": HOME, "KUBECONFIG": KUBECONFIG, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return subprocess.run([os.environ["PRODPIN"], *words], cwd=HOME, env=environment, capture_output=True, text=True, timeout=300)


def prodpin(*words):
    ended = run(*words)
    return ended.returncode, ended.stdout + ended.stderr


def drill():
    return prodpin("drill", "--only", "rehearsal")


def paragraph(told, kind, name):
    """What is said of one workload."""
    lines = told.splitlines()
    begins = [at for at, line in enumerate(lines) if f" {kind} {NAMESPACE}/{name} " in line and line[:1] in "✓✗?"]
    if len(begins) != 1:
        return f"{len(begins)} paragraphs"
    end = next((at for at in range(begins[0] + 1, len(lines)) if not lines[at].startswith("    ")), len(lines))
    return "\n".join(lines[begins[0]:end])


def expect(what, holds, told):
    print("ok    " if holds else "WRONG ", what)
    if not holds:
        FAILED.append(what)
        print("        " + "\n        ".join(told.splitlines()))


def says(what, told, kind, name, sign, *words):
    of_one = paragraph(told, kind, name)
    expect(what, of_one.startswith(sign) and all(word in of_one for word in words), of_one if words else told)


def delete(kind, name, version="v1", namespace=NAMESPACE):
    call("DELETE", path(version, kind, name, namespace))


def thing(kind, name, version="v1", **more):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def label(key, value):
    call("PATCH", path("v1", "Namespace", NAMESPACE, None), {"metadata": {"labels": {key: value}}}, "application/merge-patch+json")


def setup():
    for name in (NAMESPACE, "prodpin"):
        apply(thing("Namespace", name), namespace=None)
        eventually("its account", lambda: call("GET", path("v1", "ServiceAccount", None, name))["items"])
    apply(thing("Node", "node"), namespace=None)
    call("PATCH", path("v1", "Node", "node", None), {"spec": {"taints": None}}, "application/merge-patch+json")
    apply(thing("ServiceAccount", "prodpin-rehearsal"), namespace="prodpin")
    apply(thing("ServiceAccount", "nobody"), namespace="prodpin")
    os.makedirs(HOME, exist_ok=True)
    shutil.copy(os.environ["KUBECONFIG"], KUBECONFIG)
    with open(ROLE) as document:
        kubectl("apply", "--namespace", NAMESPACE, "-f", "-", feed=document.read().replace("namespace: shop", f"namespace: {NAMESPACE}"))
    for account in ("prodpin-rehearsal", "nobody"):
        token = kubectl("--namespace", "prodpin", "create", "token", account).strip()
        kubectl("config", "set-credentials", account, f"--token={token}")
        kubectl("config", "set-context", account, "--cluster=test", f"--user={account}")
    policy("prodpin-rehearsal")


def policy(account):
    with open(f"{HOME}/prodpin.yaml", "w") as file:
        file.write("\n".join([
            "version: 1", "ledger: ./ledger", f'sources: {{ shop: {{ oci: "http://{REGISTRY}", repositories: ["shop/*"] }} }}',
            "database: [{ repositories: [shop/*], schema: none }]",
            f"production: [{{ kubernetes: {{ namespaces: [{NAMESPACE}], rehearse: true, rehearse_context: {account} }} }}]", ""]))


NEEDS = {
    "imagePullSecrets": [{"name": "pull"}],
    "volumes": [
        {"name": "a", "secret": {"secretName": "keys"}},
        {"name": "b", "configMap": {"name": "settings"}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "d", "secret": {"secretName": "never-there", "optional": True}},
    ],
}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def workloads():
    """Each at v2, with an old revision v1 that could go back."""
    apply(thing("ServiceAccount", "gone"))
    apply(thing("PriorityClass", "rehearsal-gone", "scheduling.k8s.io/v1", value=1), namespace=None)
    for name in ("keys", "pull"):
        apply(thing("Secret", name))
    apply(thing("ConfigMap", "settings"))
    apply(thing("PersistentVolumeClaim", "data", spec=CLAIM))
    claims = [{"metadata": {"name": "disk"}, "spec": CLAIM}]
    for name, old in (("plain", {}), ("account", {"serviceAccountName": "gone"}), ("priority", {"priorityClassName": "rehearsal-gone"}),
                      ("objects", NEEDS)):
        roll("Deployment", name, "v1", pod=old)
        roll("Deployment", name, "v2")
    roll("StatefulSet", "db", "v1", "v2", volumeClaimTemplates=claims)
    roll("DaemonSet", "agent", "v1", "v2")


ALL = [("deployment", "plain"), ("deployment", "account"), ("deployment", "priority"), ("deployment", "objects"), ("statefulset", "db"),
       ("daemonset", "agent")]


def versions():
    """Everything that a rehearsal could have changed."""
    kinds = [("Deployment", "apps/v1"), ("StatefulSet", "apps/v1"), ("DaemonSet", "apps/v1"), ("ReplicaSet", "apps/v1"),
             ("ControllerRevision", "apps/v1"), ("PersistentVolumeClaim", "v1"), ("Pod", "v1")]
    return {(kind, one["metadata"]["name"]): (one["metadata"]["uid"], one["metadata"].get("generation"))
            for kind, version in kinds for one in get(kind, version=version)["items"]}


def ways(name):
    """What `ready` would have a person type for a workload."""
    ended = run("ready", f"shop/{name}", "--format", "json", "--quiet")
    rows = json.loads(ended.stdout)["repositories"]
    return [command for row in rows for way in row["back"] for command in way["commands"]], ended.stdout


def passes():
    before = versions()
    code, told = drill()
    expect("everything passes while everything is there", code == 0, told)
    for kind, name in ALL:
        says(f"{kind} {name} passes", told, kind, name, "✓", "the cluster takes its pod and the change")
    expect("a rehearsal leaves nothing", versions() == before, f"{before}\n{versions()}")


def gone():
    delete("ServiceAccount", "gone")
    delete("PriorityClass", "rehearsal-gone", "scheduling.k8s.io/v1", None)
    for name in ("keys", "pull"):
        delete("Secret", name)
    delete("ConfigMap", "settings")
    # A claim that a pod uses stays until the pod is gone; here none does any more.
    delete("PersistentVolumeClaim", "data")
    eventually("the claim goes", lambda: "data" not in {one["metadata"]["name"] for one in get("PersistentVolumeClaim", version="v1")["items"]})
    code, told = drill()
    expect("what is gone is found", code == 3, told)
    says("a ServiceAccount is missing", told, "deployment", "account", "✗", 'serviceaccount "gone" not found')
    says("a PriorityClass is missing", told, "deployment", "priority", "✗", "no PriorityClass with name rehearsal-gone")
    says("what no dry run notices is missing", told, "deployment", "objects", "✗", "Secret keys is not there",
         "ConfigMap settings is not there", "PersistentVolumeClaim data is not there", "image pull Secret pull is not there")
    expect("what is optional is not missed", "never-there" not in told, told)
    says("the others pass", told, "deployment", "plain", "✓", "the cluster takes")
    commands, page = ways("objects")
    expect("ready prints no undo to what cannot start",
           not any("rollout undo" in one for one in commands) and any("set image" in one and "@sha256:" in one for one in commands), page)
    for word in ("WOULD NOT START", "Secret keys is not there"):
        code, page = prodpin("ready", "shop/objects")
        expect(f"ready says {word}", word in " ".join(page.split()), page)


def quota():
    count = len(get("Pod", version="v1")["items"])
    apply(thing("ResourceQuota", "full", spec={"hard": {"pods": str(count)}}))
    eventually("the quota counts", lambda: get("ResourceQuota", "full", "v1").get("status", {}).get("used", {}).get("pods") == str(count))
    code, told = drill()
    expect("a full quota is found", code == 3, told)
    says("the quota is named", told, "deployment", "plain", "✗", "ResourceQuota full refuses its pod", "exceeded quota")
    used = get("ResourceQuota", "full", "v1")["status"]["used"]["pods"]
    expect("a rehearsal uses no quota", used == str(count), used)
    delete("ResourceQuota", "full")


def pod_security():
    label("pod-security.kubernetes.io/enforce", "restricted")
    code, told = drill()
    expect("Pod Security is found", code == 3, told)
    for kind, name in (("deployment", "plain"), ("statefulset", "db"), ("daemonset", "agent")):
        says(f"it is named at {kind} {name}", told, kind, name, "✗", "Pod Security refuses its pod", "violates PodSecurity")
    label("pod-security.kubernetes.io/enforce", None)
    code, told = drill()
    says("without it, it passes again", told, "deployment", "plain", "✓", "the cluster takes")


def digests_only():
    with open(DIGESTS_ONLY) as document:
        kubectl("apply", "-f", "-", feed=document.read())
    label("prodpin.dev/production", "true")
    probe = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": {"containers": [{"name": "a", "image": "a:b"}]}}

    def is_in_force():
        try:
            call("POST", path("v1", "Pod") + "?dryRun=All", probe)
        except Refused:
            return True
        return False

    eventually("the policy is in force", is_in_force)
    commands, page = ways("plain")
    expect("before, ready prints the undo", any("rollout undo" in one for one in commands), page)
    code, told = drill()
    expect("a policy that refuses the old tag is found", code == 3, told)
    says("it is named", told, "deployment", "plain", "✗", "ValidatingAdmissionPolicy prodpin-require-digests refuses the change",
         "ValidatingAdmissionPolicy prodpin-require-digests refuses its pod")
    commands, page = ways("plain")
    expect("ready prints no such command, and one that is taken",
           not any("rollout undo" in one for one in commands) and any("set image" in one and "@sha256:" in one for one in commands), page)
    for command in (one for one in commands if "set image" in one):
        kubectl(*command.split()[1:], "--dry-run=server")
    label("prodpin.dev/production", None)
    expect("the policy is lifted", comes_true(lambda: not is_in_force(), 30), "")
    drill()
    commands, page = ways("plain")
    expect("after another rehearsal ready prints it again", any("rollout undo" in one for one in commands), page)


def rights():
    policy("nobody")
    code, told = drill()
    expect("without the role nothing is known", code == 1 and "kubernetes-rbac-rehearsal.yaml" in told, told)
    says("and no yes is said", told, "deployment", "plain", "?", "may not get deployments")
    # Everything but one right each: it alone is named.
    for resource, words in (("secrets", "may not get secrets"), ("pods", "may not create pods")):
        with open(ROLE) as document:
            text = document.read().replace("namespace: shop", f"namespace: {NAMESPACE}").replace("name: prodpin-rehearsal", "name: partly")
        text = text.replace("name: partly\n    namespace: prodpin", "name: nobody\n    namespace: prodpin")
        text = text.replace(f'"{resource}"', '"others"')
        kubectl("apply", "-f", "-", feed=text)
        apply(thing("Secret", "keys"))
        time.sleep(1)
        code, told = drill()
        of_one = paragraph(told, "deployment", "objects" if resource == "secrets" else "plain")
        expect(f"the right that is missing is named: {words}", code in (1, 3) and words in of_one and "rbac-rehearsal.yaml" in of_one, told)
    policy("prodpin-rehearsal")


def main():
    setup()
    with cluster.Nodes(DIGESTS):
        workloads()
        code, told = prodpin("audit", "--quiet")
        expect("audit reads what there is", code in (0, 3), told)
        for phase in (passes, gone, quota, pod_security, digests_only, rights):
            phase()
    leftovers = [one["metadata"]["name"] for one in get("Pod", version="v1")["items"] if "rehearsal" in one["metadata"]["name"]]
    expect("no pod of a rehearsal is there", not leftovers, str(leftovers))
    sys.exit(f"{len(FAILED)} things are told wrong" if FAILED else 0)


main()
