#!/usr/bin/env bash
# Runs the tests, those against real servers included, on Debian or Ubuntu with Rust.
#
#   tests/run.sh                      everything
#   tests/run.sh --test real          what `cargo test` takes may follow
#   tests/run.sh --install-only       nothing but what the tests need
#   tests/run.sh --kube [COURSE…]     workloads on a real API server alone; PRODPIN_KUBE_BIN: where its programs are
#
# Three large things are left out unless a variable is 1; .ci/run sets them all:
#
#   PRODPIN_TEST_SECOND_S3       a second S3 server, which needs Python 3.13
#   PRODPIN_TEST_AZURE           Azurite, which needs Node.js
#   PRODPIN_TEST_CARGO_LAMBDA    the function under cargo-lambda
#
# What is missing is installed first: Debian packages, and Python packages in an environment of their own under the
# target directory. Nothing is fetched when all of it is there. Not installed are Go, kubectl, Terraform, and Chromium where
# there is no package of it (Ubuntu): what needs them is left out, which is said. Servers listen on loopback, on free ports, and keep
# everything in a directory that is removed at the end; only what this script started is ended.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
venv=$target/test-venv
tools=$target/test-tools
browser=$target/test-browser
PATH=$tools/usr/bin:$PATH

work=$(mktemp -d)
pids=()

finish() {
    local status=$?
    trap - EXIT
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stage() {
    local name=$1 began=$SECONDS
    shift
    "$@"
    printf '== %s: %d s\n' "$name" $((SECONDS - began)) >&2
}

fail() {
    printf 'tests/run.sh: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root rights are needed once; run as root: $*"
    fi
}

# The browser that the page is looked at in; fails where there is none.
browser_program() {
    if [ -n "${PRODPIN_TEST_CHROMIUM:-}" ]; then echo "$PRODPIN_TEST_CHROMIUM"; else command -v chromium || command -v google-chrome; fi
}

# What drives the browser, and the validator of SARIF. Without a browser the page is left unseen, which is said, and
# fails in CI.
install_browser() {
    if ! browser_program >/dev/null && [ "${CI:-}" = true ]; then
        fail 'there is no chromium here to look at the page in; PRODPIN_TEST_CHROMIUM names one'
    fi
    if cmp -s tests/browser/package.json "$browser/package.json"; then return; fi
    rm -rf "$browser"
    mkdir -p "$browser"
    npm install --prefix "$browser" --no-audit --no-fund --silent \
        $(sed -n 's/^ *"\([^"]*\)": "\([0-9.]*\)",\{0,1\}$/\1@\2/p' tests/browser/package.json) >&2
    cp tests/browser/package.json "$browser/package.json"
}

# Reports of every format before their known consumers, and the page before a browser.
judge_reports() {
    mkdir -p "$work/samples"
    PRODPIN_SAMPLES=$work/samples cargo test --locked --quiet --test suite -- --ignored samples_for_known_consumers
    "$venv/bin/python" tests/formats/validate.py "$work/samples"
    # The schema of SARIF, by those who wrote it.
    local sarif=$browser/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool
    chmod u+x "$sarif"
    DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 "$sarif" validate "$work/samples/*.sarif" >"$work/sarif.log" || {
        cat "$work/sarif.log"
        fail 'SARIF does not hold'
    }
    if grep -q ': error' "$work/sarif.log"; then cat "$work/sarif.log"; fail 'SARIF does not hold'; fi
    local program
    if program=$(browser_program); then
        PRODPIN_TEST_BROWSER=$browser PRODPIN_TEST_CHROMIUM=$program node tests/browser/check.mjs "$work/samples"
    else
        printf 'left out: the page in a browser: there is no chromium here; PRODPIN_TEST_CHROMIUM names one\n' >&2
    fi
}

has_venv() { [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null; }

install_packages() {
    local packages=() pair
    for pair in cc:build-essential skopeo:skopeo umoci:umoci htpasswd:apache2-utils openssl:openssl node:nodejs npm:npm; do
        command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
    done
    has_venv || packages+=(python3-venv)
    if [ ${#packages[@]} -eq 0 ] && command -v docker-registry >/dev/null; then
        # For the browser alone nobody is asked for a password.
        if browser_program >/dev/null || ! command -v apt-get >/dev/null; then return; fi
        if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then return; fi
    fi

    command -v apt-get >/dev/null || fail "install these yourself, there is no apt-get: docker-registry ${packages[*]}"
    as_root apt-get -q update >&2
    # Debian has a package of it, Ubuntu has none.
    if ! browser_program >/dev/null && apt-get -q -s install --no-install-recommends chromium >/dev/null 2>&1; then
        packages+=(chromium fonts-liberation)
    fi
    if [ ${#packages[@]} -gt 0 ]; then
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${packages[@]}" >&2
    fi
    # Unpacked, not installed: the package would start a registry without a password, on every address, for good.
    if ! command -v docker-registry >/dev/null; then
        mkdir -p "$tools"
        (cd "$tools" && apt-get -q download docker-registry && dpkg-deb -x docker-registry_*.deb .) >&2
    fi
}

install_python() {
    local wanted=tests/support/requirements.txt
    if cmp -s "$wanted" "$venv/requirements.txt"; then return; fi
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" >&2
    cp "$wanted" "$venv/requirements.txt"
}

# A second S3 server, which needs a newer Python than Debian's. Where there is none, or it cannot be fetched, the tests
# that need it say that they were left out.
localstack=$target/test-localstack
install_localstack() {
    local wanted=tests/support/localstack.txt python candidates=(python3.13 "$HOME"/.pyenv/versions/3.13.*/bin/python)
    # Large, and of a Python that few machines have: only when it is asked for.
    if [ "${PRODPIN_TEST_SECOND_S3:-}" != 1 ] || cmp -s "$wanted" "$localstack/requirements.txt"; then return; fi
    rm -rf "$localstack"
    for python in "${candidates[@]}"; do
        "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 13))' 2>/dev/null || continue
        # Every package is named with its version, so nothing is to be worked out.
        if "$python" -m venv "$localstack" && "$localstack/bin/pip" install --quiet --disable-pip-version-check \
            --no-compile --no-deps --requirement "$wanted" >&2; then
            cp "$wanted" "$localstack/requirements.txt"
        else
            rm -rf "$localstack"
            printf 'left out: the second S3 server, which could not be installed\n' >&2
        fi
        return
    done
    printf 'left out: the second S3 server: there is no Python 3.13 here\n' >&2
}

# Azure's storage, by its makers: only when it is asked for. No emulator of Google's storage is started, because none was
# found that refuses to create what is there already.
azurite=$target/test-azurite
install_azurite() {
    local wanted=azurite@3.37.0
    if [ "${PRODPIN_TEST_AZURE:-}" != 1 ] || [ "$(cat "$azurite/complete" 2>/dev/null)" = "$wanted" ]; then return; fi
    rm -rf "$azurite"
    mkdir -p "$azurite"
    if npm install --prefix "$azurite" --no-audit --no-fund --silent "$wanted" >&2; then
        echo "$wanted" >"$azurite/complete"
    else
        rm -rf "$azurite"
    fi
}

# The function under cargo-lambda, only when it is asked for: it is large, and tests/lambda has a stand-in of its own.
cargo_lambda=$target/test-cargo-lambda
install_cargo_lambda() {
    local wanted=cargo-lambda==1.9.2
    if [ "${PRODPIN_TEST_CARGO_LAMBDA:-}" != 1 ] || command -v cargo-lambda >/dev/null ||
        [ "$(cat "$cargo_lambda/complete" 2>/dev/null)" = "$wanted" ]; then return; fi
    rm -rf "$cargo_lambda"
    if /usr/bin/python3 -m venv "$cargo_lambda" &&
        "$cargo_lambda/bin/pip" install --quiet --disable-pip-version-check --no-compile "$wanted" >&2; then
        echo "$wanted" >"$cargo_lambda/complete"
    else
        rm -rf "$cargo_lambda"
    fi
}

under_cargo_lambda() {
    local tool
    if [ "${PRODPIN_TEST_CARGO_LAMBDA:-}" != 1 ]; then
        printf 'left out: the function under cargo-lambda; PRODPIN_TEST_CARGO_LAMBDA=1 runs it\n' >&2
        return
    fi
    tool=$(command -v cargo-lambda) || tool=$cargo_lambda/bin/cargo-lambda
    if [ ! -x "$tool" ]; then
        printf 'left out: the function under cargo-lambda, which could not be installed\n' >&2
        return
    fi
    tests/cargo-lambda.sh "$tool" "$(free_ports 1)" "$target/debug/bootstrap"
}

# A registry that lists what refers to an artifact, from its crate. Where it cannot be built, the tests that need it say
# that they were left out.
ferro=$target/test-ferro
install_ferro() {
    local wanted=ferro-oci-server@1.0.0
    if [ "$(cat "$ferro/complete" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$ferro"
        if CARGO_TARGET_DIR=$ferro/build cargo install --debug --locked --quiet --root "$ferro" "$wanted" >&2; then
            rm -rf "$ferro/build"
            echo "$wanted" >"$ferro/complete"
        else
            rm -rf "$ferro"
            printf 'left out: a registry with referrers: its crate could not be built\n' >&2
            return
        fi
    fi
    export PRODPIN_TEST_FERRO=$ferro/bin/ferro-oci-server
}

# Registries that Debian does not have, from the Go modules that tests/registries pins: built once for each version of them
# and of Go. Without Go, the tests that need them say that they were left out.
install_registries() {
    local pins=tests/registries made bin
    # Where Go's own archive goes, which nobody's PATH has by itself.
    PATH=$PATH:/usr/local/go/bin
    if ! command -v go >/dev/null; then
        printf 'left out: distribution 3 and the registry of go-containerregistry: there is no Go here\n' >&2
        return
    fi
    made=$({ cat "$pins/go.mod" "$pins/go.sum"; go version; } | sha256sum | cut -c1-16)
    bin=$target/test-registries-$made
    if [ ! -e "$bin/complete" ]; then
        mkdir -p "$bin"
        (
            cd "$pins"
            export CGO_ENABLED=0
            go build -mod=readonly -trimpath -ldflags '-s -w' -o "$bin/distribution" \
                github.com/distribution/distribution/v3/cmd/registry &&
                go build -mod=readonly -trimpath -ldflags '-s -w' -o "$bin/crane" \
                    github.com/google/go-containerregistry/cmd/crane
        ) >&2 || {
            printf 'left out: distribution 3 and the registry of go-containerregistry: their modules could not be built\n' >&2
            return
        }
        touch "$bin/complete"
    fi
    export PRODPIN_TEST_DISTRIBUTION=$bin/distribution PRODPIN_TEST_CRANE=$bin/crane
}

# Asks for all ports at once, so that no two are the same.
free_ports() {
    "$venv/bin/python" - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in sockets))
PYTHON
}

# try NAME PORT COMMAND…: runs it in the background and waits until its port answers.
try() {
    local name=$1 port=$2 pid
    shift 2
    "$@" >"$work/$name.log" 2>&1 &
    pid=$!
    for _ in $(seq 900); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            pids+=("$pid")
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
    return 1
}

# start NAME PORT COMMAND…: the same of a server that nothing goes without.
start() {
    try "$@" && return
    tail -n 20 "$work/$1.log" >&2
    fail "$1 did not start on port $2"
}

# registry NAME PORT [AUTH [PROGRAM]]: a Docker registry with its own storage and deletes enabled. Without a cache of blob
# descriptors, which would go on naming what was deleted.
registry() {
    local name=$1 port=$2 auth=${3:-} program=${4:-docker-registry}
    mkdir -p "$work/$name"
    cat >"$work/$name.yml" <<YAML
version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: $work/$name }
  delete: { enabled: true }
http: { addr: "127.0.0.1:$port", secret: tests }
$auth
YAML
    start "$name" "$port" env OTEL_TRACES_EXPORTER=none "$program" serve "$work/$name.yml"
}

start_servers() {
    local user=tester stranger=stranger password ports token
    password=$(head -c 18 /dev/urandom | base64)
    read -ra ports <<<"$(free_ports 11)"

    registry open "${ports[0]}"

    htpasswd -Bbn "$user" "$password" >"$work/htpasswd"
    registry basic "${ports[1]}" "auth: { htpasswd: { realm: tests, path: $work/htpasswd } }"

    token=("$venv/bin/python" tests/support/token_server.py)
    "${token[@]}" 0 tests "$work/token.pem" "$work/token.key" "$user" "$password" "$stranger"
    start token-server "${ports[3]}" \
        "${token[@]}" "${ports[3]}" tests "$work/token.pem" "$work/token.key" "$user" "$password" "$stranger"
    registry token "${ports[2]}" "auth: { token: { realm: \"http://127.0.0.1:${ports[3]}/token\", \
service: registry, issuer: tests, rootcertbundle: $work/token.pem } }"

    # Registries of other authors and versions, where they could be built.
    if [ -n "${PRODPIN_TEST_DISTRIBUTION:-}" ]; then
        registry distribution "${ports[8]}" '' "$PRODPIN_TEST_DISTRIBUTION"
        export PRODPIN_TEST_REGISTRY_CURRENT=http://127.0.0.1:${ports[8]}
    fi
    if [ -n "${PRODPIN_TEST_CRANE:-}" ]; then
        start crane "${ports[9]}" "$PRODPIN_TEST_CRANE" registry serve --address "127.0.0.1:${ports[9]}"
        export PRODPIN_TEST_REGISTRY_CRANE=http://127.0.0.1:${ports[9]}
    fi
    if [ -n "${PRODPIN_TEST_FERRO:-}" ]; then
        start ferro "${ports[10]}" env FERRO_OCI_LISTEN="127.0.0.1:${ports[10]}" FERRO_OCI_STORAGE_DIR="$work/ferro" \
            "$PRODPIN_TEST_FERRO"
        export PRODPIN_TEST_REGISTRY_FERRO=http://127.0.0.1:${ports[10]}
    fi

    start moto "${ports[4]}" "$venv/bin/moto_server" -H 127.0.0.1 -p "${ports[4]}"

    # Its other server listens on every address, whatever it is told.
    if [ "${PRODPIN_TEST_SECOND_S3:-}" = 1 ] && [ -d "$localstack" ]; then
        # A second opinion: where it does not start, the first server's stands alone, which is said.
        if try localstack "${ports[5]}" env SERVICES=s3,sts GATEWAY_SERVER=hypercorn \
            GATEWAY_LISTEN="127.0.0.1:${ports[5]}" DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0 \
            XDG_CACHE_HOME="$work/localstack" "$localstack/bin/python" -m localstack.runtime.main; then
            export PRODPIN_TEST_S3_SECOND=http://127.0.0.1:${ports[5]}
        else
            printf 'left out: the second S3 server, which did not start: %s\n' "$(tail -n 1 "$work/localstack.log")" >&2
        fi
    fi
    if [ "${PRODPIN_TEST_AZURE:-}" = 1 ]; then
        local url=http://127.0.0.1:${ports[7]}
        if [ -d "$azurite" ] && try azurite "${ports[7]}" "$azurite/node_modules/.bin/azurite-blob" --blobHost 127.0.0.1 \
            --blobPort "${ports[7]}" --inMemoryPersistence --skipApiVersionCheck --disableTelemetry --silent &&
            "$venv/bin/python" tests/support/azure_container.py "$url" ledgers; then
            export PRODPIN_TEST_AZURITE=$url
        else
            printf 'left out: Azurite, which could not be installed or did not start\n' >&2
        fi
    fi
    mkdir -p "$work/charts"
    start charts "${ports[6]}" \
        "$venv/bin/python" -m http.server "${ports[6]}" --bind 127.0.0.1 --directory "$work/charts"

    export PRODPIN_TEST_REGISTRY=http://127.0.0.1:${ports[0]}
    export PRODPIN_TEST_REGISTRY_BASIC=http://127.0.0.1:${ports[1]}
    export PRODPIN_TEST_REGISTRY_TOKEN=http://127.0.0.1:${ports[2]}
    export PRODPIN_TEST_USER=$user PRODPIN_TEST_STRANGER=$stranger PRODPIN_TEST_PASSWORD=$password
    export PRODPIN_TEST_S3=http://127.0.0.1:${ports[4]}
    export PRODPIN_TEST_CHARTS=http://127.0.0.1:${ports[6]}
    export PRODPIN_TEST_CHARTS_DIR=$work/charts PRODPIN_TEST_PYTHON=$venv/bin/python
    export PRODPIN_TEST_REQUIRED=1
}

# No credential and no proxy of whoever runs this reaches a test, or the other way round.
seal_environment() {
    mkdir -p "$work/home"
    # What is named must be there: prodpin refuses to go on without it.
    echo '{}' >"$work/home/auth.json"
    export DOCKER_CONFIG=$work/home REGISTRY_AUTH_FILE=$work/home/auth.json
    export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
    unset AWS_PROFILE AWS_CA_BUNDLE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_SESSION_TOKEN
    export AWS_CONFIG_FILE=$work/home/aws AWS_SHARED_CREDENTIALS_FILE=$work/home/aws-credentials
    export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_REGION=us-east-1
    export AWS_EC2_METADATA_DISABLED=true
}

stage 'packages' install_packages
stage 'python environment' install_python
stage 'second S3 server' install_localstack
stage 'browser' install_browser
stage 'Azurite' install_azurite
stage 'cargo-lambda' install_cargo_lambda
stage 'registries from Go modules' install_registries
stage 'a registry with referrers' install_ferro
if [ "${1:-}" = --install-only ]; then exit 0; fi
if [ "${1:-}" = --kube ]; then
    stage 'build' cargo build --locked --bin prodpin
    stage 'workloads on a real API server' tests/kube/run.sh "$target/debug/prodpin" "$target" "${@:2}"
    exit 0
fi
# Built before the servers start. What follows `--` is for the tests, not for the build.
build_arguments=()
for argument in "$@"; do
    if [ "$argument" = -- ]; then break; fi
    build_arguments+=("$argument")
done
stage 'build' cargo test --locked --no-run "${build_arguments[@]}"
stage 'servers' start_servers
seal_environment
# A good part of the tests waits: for a bound, for a server that hangs, for its turn. Others use the processor meanwhile.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
stage 'tests' cargo test --locked "$@"
if [ $# -eq 0 ]; then
    stage 'the Lambda function' cargo test --locked --features lambda --test lambda
    stage 'the Lambda function under cargo-lambda' under_cargo_lambda
    stage 'Kubernetes' tests/kubernetes.sh "$target"
    stage 'workloads on a real API server' tests/kube/run.sh "$target/debug/prodpin" "$target"
    stage 'Terraform' tests/terraform.sh "$target/debug/prodpin"
fi
# With arguments only what they name is run.
if [ $# -eq 0 ]; then stage 'reports' judge_reports; fi
