#!/usr/bin/env bash
# The Kubernetes manifests as kubectl builds them, and the chart as Helm renders it, held against Kubernetes' own schemas. Called by tests/run.sh.
#
#   tests/kubernetes.sh DIRECTORY     where the validator is installed, and found again
#
# What the manifests promise (no root, no capabilities, no overlap) is checked without either, by `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

left_out() {
    printf 'left out: the schemas of kubernetes/ and policies/kubernetes/: %s\n' "$*" >&2
    exit 0
}

command -v kubectl >/dev/null || left_out 'there is no kubectl here'
venv=$1/kubernetes-venv
if [ ! -x "$venv/bin/kubernetes-validate" ]; then
    rm -rf "$venv"
    { /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0; } >&2 ||
        left_out 'the validator could not be installed'
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
valid() { "$venv/bin/kubernetes-validate" -k "$1" --strict "$2" >"$work/told" 2>&1 || { grep ERROR "$work/told" >&2; return 1; }; }

for overlay in kubernetes/overlays/*/; do
    name=$(basename "$overlay")
    kubectl kustomize "$overlay" >"$work/$name.yaml"
    # The oldest with what is used (ValidatingAdmissionPolicy v1, backoffLimitPerIndex) and a newer one.
    for version in 1.30 1.32 1.34; do valid "$version" "$work/$name.yaml"; done
done
for file in policies/kubernetes/*.yaml; do
    for version in 1.30 1.32 1.34; do valid "$version" "$file"; done
done
# The chart, as Helm itself renders it.
if [ -x "$1/test-venv/bin/python" ] && "$1/test-venv/bin/python" -c 'import helm_python' 2>/dev/null; then
    "$1/test-venv/bin/python" tests/chart.py "$work"
    for file in "$work"/chart-*.yaml; do
        for version in 1.30 1.32 1.34; do valid "$version" "$file"; done
    done
else
    printf 'left out: the chart kubernetes/chart: the Helm SDK is not installed here\n' >&2
fi
for file in ci/argocd/*.yaml; do valid 1.34 "$file"; done
# A field that does not exist must be found, or the above says nothing.
sed 's/concurrencyPolicy:/concurrencyPolice:/' "$work/audit.yaml" >"$work/wrong.yaml"
if valid 1.34 "$work/wrong.yaml" 2>/dev/null; then
    echo 'the validator takes what does not exist' >&2
    exit 1
fi
