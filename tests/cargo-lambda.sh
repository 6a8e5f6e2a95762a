#!/usr/bin/env bash
# The function on the runtime API of `cargo lambda watch`, called by `cargo lambda invoke` with every shape of event there
# is. Called by tests/run.sh where PRODPIN_TEST_CARGO_LAMBDA=1, with servers running.
#
#   tests/cargo-lambda.sh CARGO_LAMBDA PORT BOOTSTRAP
#
# The function is the one that the tests built: `watch` would build all of it again, without what tests add.
# It gives every invocation ten minutes, whatever it is told; a timeout is tests/lambda's to show.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo_lambda=$1
port=$2
bootstrap=$(realpath "$3")
: "${PRODPIN_TEST_S3:?the address of a stand-in of AWS}" "${PRODPIN_TEST_PYTHON:?a Python with boto3}"
work=$(mktemp -d)
pids=()
finish() {
    local status=$? pid
    trap - EXIT
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

export AWS_ENDPOINT_URL=$PRODPIN_TEST_S3 AWS_REGION=us-west-2 AWS_DEFAULT_REGION=us-west-2
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
"$PRODPIN_TEST_PYTHON" tests/support/deployed.py push shop/api MUTABLE
# What the documented events name: this account, region and repository. The bucket is nobody's.
export PRODPIN_MODE=enforce PRODPIN_POLICY_TEXT="
version: 1
ledger: $work/ledger
sources:
  images: { ecr: { region: us-west-2, registry: \"123456789012\" }, repositories: [\"shop/*\"] }
production:
  - { tags: [\"v*\"] }
"

"$cargo_lambda" lambda watch --ignore-changes --only-lambda-apis -A 127.0.0.1 -P "$port" >"$work/watch.log" 2>&1 &
pids+=("$!")
for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    sleep 0.1
done
AWS_LAMBDA_RUNTIME_API=http://127.0.0.1:$port/.rt AWS_LAMBDA_FUNCTION_NAME=_ AWS_LAMBDA_FUNCTION_VERSION=1 \
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512 "$bootstrap" >"$work/function.log" 2>&1 &
pids+=("$!")

# invoke JSON: the answer, or the error.
invoke() {
    "$cargo_lambda" lambda invoke -A 127.0.0.1 -P "$port" _ --data-ascii "$1" 2>&1 || true
}

# expect WORDS JSON NAME
expect() {
    local answer
    answer=$(invoke "$2")
    case $answer in
        *"$1"*) printf 'cargo lambda: %s\n' "$3" ;;
        *)
            printf 'cargo lambda: %s: expected %s, and it said: %s\n' "$3" "$1" "$answer" >&2
            tail -n 20 "$work/watch.log" "$work/function.log" >&2
            exit 1
            ;;
    esac
}

events=tests/suite/events
for name in rule scheduler ecr-push ecr-push ecr-delete; do
    expect '"outcome":"ran"' "$(cat "$events/$name.json")" "$name"
done
for name in s3-bus s3-bus-deleted s3-notification s3-test; do
    expect '"outcome":"nothing"' "$(cat "$events/$name.json")" "$name"
done
expect '"outcome":"ran"' '{"repository": "shop/api", "mode": "audit"}' 'by hand'
expect 'key1' '{"key1": "value1"}' 'what nobody understands'

# The same as messages.
wrapped() {
    "$PRODPIN_TEST_PYTHON" - "$events" "$1" "$2" <<'PYTHON'
import json, sys
folder, shape, name = sys.argv[1:]
load = lambda name: json.load(open(f"{folder}/{name}.json"))
event = json.dumps(load(name))
if shape in ("sns", "sns-in-sqs"):
    outer = load(shape)
    (outer if shape == "sns-in-sqs" else outer["Records"][0]["Sns"])["Message"] = event
    event = json.dumps(outer)
if shape in ("sqs", "sns-in-sqs"):
    outer = load("sqs")
    outer["Records"][0]["body"] = event
    event = json.dumps(outer)
print(event)
PYTHON
}
for shape in sns sqs sns-in-sqs; do
    for name in ecr-push ecr-delete rule; do
        expect '"outcome":"ran"' "$(wrapped "$shape" "$name")" "$name by $shape"
    done
    expect '"outcome":"nothing"' "$(wrapped "$shape" s3-notification)" "s3-notification by $shape"
done
expect 'no JSON' "$(cat "$events/sqs.json")" 'a message that nobody understands'
