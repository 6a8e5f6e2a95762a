#!/usr/bin/env bash
# Builds the store, the API server and its controllers from go.mod into a folder.   build.sh DIRECTORY
set -euo pipefail
target=$(realpath -m "$1")
cd "$(dirname "$(realpath "$0")")"
mkdir -p "$target"
version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v1/ { print $2; exit }' go.mod)
# A server that does not know its own version calls itself v0.0.0, which clients do not take.
stamp=k8s.io/component-base/version
flags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$(cut -d. -f2 <<<"$version")"
export CGO_ENABLED=0
go build -mod=readonly -trimpath -ldflags "$flags" -o "$target/" \
    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager
go build -mod=readonly -trimpath -ldflags '-s -w' -o "$target/etcd" go.etcd.io/etcd/server/v3
