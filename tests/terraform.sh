#!/usr/bin/env bash
# The Terraform modules: formatted, valid, tested, and applied for real against a stand-in of AWS, after which prodpin
# runs by the policy that was deployed. Called by tests/run.sh, which starts that stand-in.
#
#   tests/terraform.sh PRODPIN
#
# Without Terraform or the AWS provider it says what it left out, and passes. A mirror of providers is found by
# TF_CLI_CONFIG_FILE or in Terraform's own places.
set -euo pipefail
cd "$(dirname "$0")/.."
prodpin=$(realpath "$1")
: "${PRODPIN_TEST_S3:?the address of a stand-in of AWS}" "${PRODPIN_TEST_PYTHON:?a Python with boto3}"

left_out() {
    printf 'left out: the tests of terraform/: %s\n' "$*" >&2
    exit 0
}

command -v terraform >/dev/null || left_out 'there is no terraform here'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1
unset AWS_CA_BUNDLE AWS_PROFILE
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-1

# Nothing is written beside the modules: they are copied, with the documents that they read.
mkdir "$work/tree"
cp -r terraform policies "$work/tree/"
find "$work/tree" -name .terraform -prune -exec rm -rf {} +
find "$work/tree" -name .terraform.lock.hcl -delete

# A name of a file that is not there, as some images set it, is no configuration.
[ -f "${TF_CLI_CONFIG_FILE:-}" ] || unset TF_CLI_CONFIG_FILE

in_module() { (cd "$work/tree/terraform/$1" && shift && "$@"); }

first=modules/ledger-bucket
in_module "$first" timeout 300 terraform init -backend=false -no-color >"$work/init.log" 2>&1 ||
    left_out "the AWS provider cannot be had: $(grep -m1 -E 'Error|│' "$work/init.log" || tail -n 1 "$work/init.log")"

terraform fmt -check -recursive terraform
for module in modules/ledger-bucket modules/iam modules/ecr-protection modules/lambda \
    examples/single-account examples/organization examples/organization/member; do
    in_module "$module" terraform init -backend=false -no-color >"$work/init.log" 2>&1 || { cat "$work/init.log" >&2; exit 1; }
    # A test plans, and so validates what it tests.
    if [ -d "terraform/$module/tests" ]; then
        in_module "$module" terraform test -no-color
    else
        in_module "$module" terraform validate -no-color
    fi
done

# A zip with anything in it: the stand-in takes it and runs nothing.
cp "$0" "$work/bootstrap"
"$PRODPIN_TEST_PYTHON" -m zipfile -c "$work/bootstrap.zip" "$work/bootstrap"
example=examples/single-account
cat >"$work/tree/terraform/$example/stand_in_override.tf" <<HCL
provider "aws" {
  region            = var.region
  s3_use_path_style = true
}
HCL
export AWS_ENDPOINT_URL=$PRODPIN_TEST_S3
"$PRODPIN_TEST_PYTHON" - <<'PYTHON'
import hashlib, json, boto3
ecr = boto3.client("ecr")
ecr.create_repository(repositoryName="terraform/api")
config = b"{}"
upload = ecr.initiate_layer_upload(repositoryName="terraform/api")["uploadId"]
ecr.upload_layer_part(
    repositoryName="terraform/api", uploadId=upload, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config
)
ecr.complete_layer_upload(
    repositoryName="terraform/api", uploadId=upload, layerDigests=["sha256:" + hashlib.sha256(config).hexdigest()]
)
for minor in range(3):
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "sha256:" + hashlib.sha256(config).hexdigest()},
        "layers": [],
        "annotations": {"release": str(minor)},
    })
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    ecr.put_image(repositoryName="terraform/api", imageManifest=manifest, imageTag=f"v1.{minor}.0", imageDigest=digest)
PYTHON

bucket=prodpin-terraform-$RANDOM$RANDOM
variables=(-var "package=$work/bootstrap.zip" -var "ledger_bucket=$bucket" -var 'repository_prefixes=["terraform/"]')
in_module "$example" terraform apply -auto-approve -no-color "${variables[@]}" >"$work/apply.log" || { tail -n 40 "$work/apply.log" >&2; exit 1; }
# A second look finds nothing to do: what was written is what is read.
in_module "$example" terraform plan -detailed-exitcode -no-color "${variables[@]}" >"$work/plan.log" || { tail -n 60 "$work/plan.log" >&2; exit 1; }

# The bucket's policy takes nothing without TLS, which the stand-in does not speak; it heeds that, and so it must go.
BUCKET=$bucket "$PRODPIN_TEST_PYTHON" -c 'import boto3, os; boto3.client("s3").delete_bucket_policy(Bucket=os.environ["BUCKET"])'

# prodpin by the deployed policy: it names this account's registry, and keeps its ledger in the deployed bucket.
in_module "$example" terraform output -raw policy >"$work/prodpin.yaml"
(
    cd "$work"
    "$prodpin" check
    status=0
    "$prodpin" audit --report json=report.json || status=$?
    # 3: this estate has nothing pinned, which is to be found.
    [ "$status" = 0 ] || [ "$status" = 3 ]
    "$PRODPIN_TEST_PYTHON" - <<'PYTHON'
import json
report = json.load(open("report.json"))
assert report["run"]["complete"], [finding["message"] for finding in report["findings"]]
assert report["summary"]["targets"] == 3, report["summary"]
assert report["run"]["ledger"]["sequence"] > 0
PYTHON
    "$prodpin" verify
)

# Nothing removes a ledger but on purpose, so its objects must go first.
BUCKET=$bucket "$PRODPIN_TEST_PYTHON" - <<'PYTHON'
import boto3, os
s3 = boto3.resource("s3")
s3.Bucket(os.environ["BUCKET"]).object_versions.delete()
boto3.client("ecr").delete_repository(repositoryName="terraform/api", force=True)
PYTHON
in_module "$example" terraform destroy -auto-approve -no-color "${variables[@]}" >"$work/destroy.log" || { tail -n 40 "$work/destroy.log" >&2; exit 1; }
