#!/usr/bin/env bash
# policies/kubernetes/require-digests.yaml on a real API server with its controllers: what it refuses, and that nothing
# which ran by tag before it came stops working (F132). tests/kube/run.sh starts the servers, and calls this.
#
#   KUBECONFIG=… tests/kube/admission.sh
#
# No node looks after these pods: what a kubelet would tell is written by hand where a controller waits for it.
set -euo pipefail
policy=$(realpath "${POLICY:-$(dirname "$0")/../../policies/kubernetes/require-digests.yaml}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

until_true() { # WHAT COMMAND…
    local what=$1
    shift
    for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
    echo "WRONG: not within 30 s: $what" >&2
    return 1
}

failed=0
answer() { # allowed|refused NAME COMMAND…
    local wanted=$1 name=$2 got=allowed
    shift 2
    if ! "$@" >answer.log 2>&1; then
        got=refused
        # Refused by something else is no answer to the question.
        grep -q 'name images by digest here' answer.log || got="failed: $(tail -n 1 answer.log)"
    fi
    if [ "$got" = "$wanted" ]; then printf 'ok     %s: %s\n' "$name" "$got"; else
        printf 'WRONG  %s: %s, and must be %s\n' "$name" "$got" "$wanted"
        failed=1
    fi
}
must() { # NAME COMMAND…
    local name=$1
    shift
    if until_true "$name" "$@"; then printf 'ok     %s\n' "$name"; else failed=1; fi
}

tag=registry.example.com/shop/api:1
other=registry.example.com/shop/api:2
digest=registry.example.com/shop/api@sha256:$(printf '%064d' 0 | tr 0 a)
k() { kubectl --namespace admission "$@"; }
pod_spec() { printf '{"restartPolicy":"%s","containers":[{"name":"app","image":"%s"}]}' "$2" "$1"; }
labelled() { printf '{"metadata":{"labels":{"app":"%s"}},"spec":%s}' "$2" "$(pod_spec "$1" Always)"; }
object() { # KIND NAME IMAGE
    local head='"metadata":{"name":"'$2'"}' set='"selector":{"matchLabels":{"app":"'$2'"}},"template":'
    case $1 in
    Pod) printf '{"apiVersion":"v1","kind":"Pod",%s,"spec":%s}' "$head" "$(pod_spec "$3" Always)" ;;
    Job) printf '{"apiVersion":"batch/v1","kind":"Job",%s,"spec":{"template":{"spec":%s}}}' "$head" "$(pod_spec "$3" Never)" ;;
    CronJob) printf '{"apiVersion":"batch/v1","kind":"CronJob",%s,"spec":{"schedule":"0 0 1 1 *","jobTemplate":{"spec":{"template":{"spec":%s}}}}}' "$head" "$(pod_spec "$3" Never)" ;;
    ReplicationController) printf '{"apiVersion":"v1","kind":"ReplicationController",%s,"spec":{"replicas":1,"selector":{"app":"%s"},"template":%s}}' "$head" "$2" "$(labelled "$3" "$2")" ;;
    StatefulSet) printf '{"apiVersion":"apps/v1","kind":"StatefulSet",%s,"spec":{"serviceName":"x",%s%s}}' "$head" "$set" "$(labelled "$3" "$2")" ;;
    *) printf '{"apiVersion":"apps/v1","kind":"%s",%s,"spec":{%s%s}}' "$1" "$head" "$set" "$(labelled "$3" "$2")" ;;
    esac
}
make() { object "$@" | k create -f -; }
try() { object "$@" | k create --dry-run=server -f -; }
patch() { k patch --dry-run=server "$@"; }
kinds='Pod Deployment StatefulSet DaemonSet ReplicaSet ReplicationController Job CronJob'

# What runs by tag before the policy comes.
kubectl create namespace admission >/dev/null
until_true 'the namespace has its account' k get serviceaccount default
for kind in $kinds; do make "$kind" "old-${kind,,}" "$tag" >/dev/null; done
sets_of() { [ "$(k get replicasets --selector "app=$1" --output name | wc -l)" -ge "$2" ]; }
make Deployment back "$tag" >/dev/null
until_true 'a revision by tag' sets_of back 1
k set image deployment/back "app=$digest" >/dev/null
until_true 'a revision by digest' sets_of back 2
k patch pod old-pod --type=merge --patch '{"metadata":{"finalizers":["example.com/held"]}}' >/dev/null
pods_of() { k get pods --selector "$1" --output name; }
some() { [ "$(pods_of "$1" | wc -l)" -ge "$2" ]; }
for one in app=old-deployment app=old-replicaset app=old-replicationcontroller app=old-statefulset job-name=old-job; do
    until_true "pods of $one" some "$one" 1
done

kubectl apply -f "$policy" >/dev/null
kubectl label namespace admission prodpin.dev/production=true >/dev/null
is_in_force() { ! try Pod probe "$tag"; }
until_true 'the policy is in force' is_in_force

for kind in $kinds; do
    answer refused "$kind by tag" try "$kind" x "$tag"
    answer allowed "$kind by digest" try "$kind" x "$digest"
done
with() { object Pod x "$digest" | python3 -c '
import json, sys
pod = json.load(sys.stdin); pod["spec"].update(json.loads(sys.argv[1])); print(json.dumps(pod))' "$1" | k create --dry-run=server -f -; }
answer refused 'init container by tag' with "{\"initContainers\":[{\"name\":\"i\",\"image\":\"$tag\"}]}"
answer allowed 'init container by digest' with "{\"initContainers\":[{\"name\":\"i\",\"image\":\"$digest\"}]}"
answer refused 'image volume by tag' with "{\"volumes\":[{\"name\":\"v\",\"image\":{\"reference\":\"$tag\"}}]}"
answer allowed 'image volume by digest' with "{\"volumes\":[{\"name\":\"v\",\"image\":{\"reference\":\"$digest\"}}]}"
answer refused 'an image without tag or digest' try Pod x registry.example.com/shop/api
answer refused 'a digest cut short' try Pod x registry.example.com/shop/api@sha256:abc

# What was there goes on.
for kind in $kinds; do
    answer allowed "label an old $kind" k label --dry-run=server "$kind/old-${kind,,}" x=y
    answer allowed "apply an old $kind again as it is" bash -c "$(declare -f object pod_spec labelled); object $kind old-${kind,,} $tag | kubectl --namespace admission apply --server-side --force-conflicts --dry-run=server -f -"
done
answer allowed 'an old Deployment: to a digest' k set image --dry-run=server deployment/old-deployment "app=$digest"
answer refused 'an old Deployment: to another tag' k set image --dry-run=server deployment/old-deployment "app=$other"
answer refused 'an old StatefulSet: to another tag' k set image --dry-run=server statefulset/old-statefulset "app=$other"
answer refused 'undo to a revision by tag' k rollout undo --dry-run=server deployment/back
answer allowed 'a finalizer goes' k patch pod old-pod --type=merge --patch '{"metadata":{"finalizers":null}}'
answer allowed 'scale an old Deployment up' k scale deployment/old-deployment --replicas=2
must 'its new pods come' some app=old-deployment 2
answer allowed 'restart an old Deployment' k rollout restart deployment/old-deployment
must 'its new ReplicaSet comes' sets_of old-deployment 2
for one in app=old-replicaset app=old-replicationcontroller app=old-statefulset; do
    k delete "$(pods_of "$one" | head -n 1)" --grace-period=0 --force --wait=false >/dev/null 2>&1
    must "a pod of $one that was evicted comes again" some "$one" 1
done
# A Job of an old CronJob is made by its controller, and by nobody else.
by() { object Job made "$tag" | k create --dry-run=server --as="$1" --as-group=system:masters -f -; }
answer allowed 'a Job of an old CronJob' by system:serviceaccount:kube-system:cronjob-controller
answer refused 'the same by somebody' by somebody
answer refused 'the same by an account of the same name elsewhere' by system:serviceaccount:admission:cronjob-controller
# A Job ends when its pod has: the controller takes the finalizer off the pod.
job_pod=$(pods_of job-name=old-job | head -n 1)
k patch "$job_pod" --subresource=status --type=merge --patch '{"status":{"phase":"Succeeded","containerStatuses":[{"name":"app","image":"x","imageID":"","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0}}}]}}' >/dev/null
ended() { k get job old-job --output 'jsonpath={.status.conditions[?(@.type=="Complete")].status}' | grep -q True; }
must 'an old Job ends' ended
gone() { ! k get "$1"; }
answer allowed 'delete an old Deployment in the foreground' k delete deployment/old-deployment --cascade=foreground --wait=false
must 'it goes' gone deployment/old-deployment
answer allowed 'delete an old ReplicaSet and orphan its pods' k delete replicaset/old-replicaset --cascade=orphan --wait=false
must 'it goes as well' gone replicaset/old-replicaset
typed=$(kubectl get validatingadmissionpolicy prodpin-require-digests --output 'jsonpath={.status.typeChecking.expressionWarnings}')
[ -z "$typed" ] || { printf 'WRONG  the expressions have warnings: %s\n' "$typed"; failed=1; }
exit "$failed"
