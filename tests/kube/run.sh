#!/usr/bin/env bash
# What prodpin says of workloads on a real API server with its controllers, against what was done there (I31, F133), and
# what the admission policy that it ships refuses there (F132).
#
#   tests/kube/run.sh PROGRAM DIRECTORY [COURSE…]     DIRECTORY: where the cluster's programs are kept once built
#
# `rehearsals` as a course is what `drill` says of old revisions there (P75).
#
# The API server, its controllers and its store are built from the Go modules that cluster/go.mod pins, once for each
# version of those files and of Go, or taken from PRODPIN_KUBE_BIN. Without Go, kubectl, openssl or a registry to run, this
# is left out, which is said. Everything listens on loopback and is ended here.
set -euo pipefail
program=$(realpath "$1") cache=$2
shift 2
here=$(dirname "$(realpath "$0")")

left_out() {
    printf 'left out: workloads on a real API server: %s\n' "$*" >&2
    exit 0
}

for tool in kubectl openssl docker-registry; do
    command -v "$tool" >/dev/null || left_out "there is no $tool here"
done
bin=${PRODPIN_KUBE_BIN:-}
if [ -z "$bin" ]; then
    # Where Go's own archive goes, which nobody's PATH has by itself.
    PATH=$PATH:/usr/local/go/bin
    command -v go >/dev/null || left_out 'there is no Go here; PRODPIN_KUBE_BIN names a folder with the programs'
    made=$({ cat "$here"/cluster/{go.mod,go.sum,build.sh}; go version; } | sha256sum | cut -c1-16)
    bin=$cache/kube-$made
    if [ ! -e "$bin/complete" ]; then
        "$here/cluster/build.sh" "$bin" >&2 || left_out 'the API server could not be built'
        touch "$bin/complete"
    fi
fi

work=$(mktemp -d)
pids=()
finish() {
    local status=$?
    trap - EXIT
    # Nothing in there is needed any more, and an API server without its store would take its time.
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work"

free_ports() {
    /usr/bin/python3 -c 'import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in held))' "$1"
}
read -r api controllers client peer registry < <(free_ports 5)

# until_true SECONDS WHAT COMMAND…
until_true() {
    local seconds=$1 what=$2
    shift 2
    for _ in $(seq $((seconds * 5))); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    tail -n 20 ./*.log >&2
    printf 'tests/kube/run.sh: waited in vain for %s\n' "$what" >&2
    exit 1
}

# One authority, and what it signs. Keys on curves are made in no time.
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null; }
signed() { # NAME SUBJECT EXTENSIONS
    key "$1"
    openssl req -new -key "$1.key" -subj "$2" 2>/dev/null | openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial \
        -days 2 -extfile <(printf '%s\n' "$3") -out "$1.crt" 2>/dev/null
}
key ca
openssl req -x509 -new -key ca.key -subj /CN=tests -days 2 -out ca.crt 2>/dev/null
signed server /CN=kube-apiserver 'subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc'
signed admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
signed controllers /CN=system:kube-controller-manager extendedKeyUsage=clientAuth
key accounts

kubeconfig() { # USER
    cat <<YAML
apiVersion: v1
kind: Config
current-context: test
clusters: [{ name: test, cluster: { server: "https://127.0.0.1:$api", certificate-authority: $work/ca.crt } }]
users: [{ name: $1, user: { client-certificate: $work/$1.crt, client-key: $work/$1.key } }]
contexts: [{ name: test, context: { cluster: test, user: $1 } }]
YAML
}
kubeconfig admin >kubeconfig
kubeconfig controllers >controllers.kubeconfig
export KUBECONFIG=$work/kubeconfig NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost

"$bin/etcd" --name tests --data-dir "$work/store" --log-level error --unsafe-no-fsync \
    --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "tests=http://127.0.0.1:$peer" >store.log 2>&1 &
pids+=($!)
"$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$client" --bind-address 127.0.0.1 --advertise-address 127.0.0.1 \
    --secure-port "$api" --endpoint-reconciler-type none --tls-cert-file server.crt --tls-private-key-file server.key \
    --client-ca-file ca.crt --authorization-mode RBAC --anonymous-auth=false --allow-privileged=true \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file accounts.key \
    --service-account-signing-key-file accounts.key --service-cluster-ip-range 10.0.0.0/24 >api.log 2>&1 &
pids+=($!)
until_true 90 'the API server' kubectl get --raw /readyz
"$bin/kube-controller-manager" --kubeconfig controllers.kubeconfig --bind-address 127.0.0.1 --secure-port "$controllers" \
    --leader-elect=false --use-service-account-credentials=true --service-account-private-key-file accounts.key \
    --root-ca-file ca.crt --controllers '*,-nodeipam,-nodelifecycle,-service-lb-controller,-node-route-controller' \
    >controllers.log 2>&1 &
pids+=($!)
until_true 60 'the controllers' kubectl get serviceaccount default

cat >registry.yml <<YAML
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: "$work/registry" } }
http: { addr: "127.0.0.1:$registry", secret: tests }
YAML
env -u REGISTRY_AUTH_FILE docker-registry serve registry.yml >registry.log 2>&1 &
pids+=($!)
until_true 20 'the registry' bash -c "exec 3<>/dev/tcp/127.0.0.1/$registry"

# In a namespace of its own, while the courses are taken; courses that are asked for by name are all that is run.
admission=
if [ $# -eq 0 ]; then
    "$here/admission.sh" >admission.log 2>&1 &
    admission=$!
    pids+=("$admission")
fi
status=0
export PRODPIN=$program REGISTRY=127.0.0.1:$registry API=https://127.0.0.1:$api WORK=$work
courses=() rehearses=
for course in "$@"; do
    if [ "$course" = rehearsals ]; then rehearses=1; else courses+=("$course"); fi
done
if [ $# -eq 0 ] || [ ${#courses[@]} -gt 0 ]; then
    /usr/bin/python3 "$here/courses.py" "${courses[@]}" || status=$?
fi
if [ $# -eq 0 ] || [ -n "$rehearses" ]; then
    echo 'Rehearsals of old revisions:'
    NAMESPACE=rehearsal /usr/bin/python3 "$here/rehearsals.py" || status=1
fi
if [ -n "$admission" ]; then
    wait "$admission" || status=1
    echo 'The admission policy:'
    cat admission.log
fi
exit "$status"
