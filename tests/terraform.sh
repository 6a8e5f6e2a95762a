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

# A machine that has the provider and no word of it in Terraform's settings: looked for where everything may be read.
if [ "${CI:-}" = true ] && [ -z "${TF_CLI_CONFIG_FILE:-}" ] && [ ! -f "$HOME/.terraformrc" ]; then
    provider=$(find / -xdev -name 'terraform-provider-aws_v*' -not -path '/proc/*' -print -quit 2>/dev/null || true)
    if [ -n "$provider" ]; then
        # MIRROR/HOST/NAMESPACE/NAME/VERSION/PLATFORM/FILE
        cat >"$work/terraformrc" <<HCL
disable_checkpoint = true
provider_installation {
  filesystem_mirror { path = "$(realpath "$(dirname "$provider")/../../../../..")" }
}
HCL
        export TF_CLI_CONFIG_FILE=$work/terraformrc
    fi
fi

in_module() { (cd "$work/tree/terraform/$1" && shift && "$@"); }

first=modules/ledger-bucket
in_module "$first" timeout 300 terraform init -backend=false -no-color >"$work/init.log" 2>&1 ||
    left_out "the AWS provider cannot be had: $(grep -m1 -E 'Error|│' "$work/init.log" || tail -n 1 "$work/init.log")"

terraform fmt -check -recursive terraform
# Of a provider that is rarely at hand: read, and no more.
terraform fmt -check -diff policies/harbor
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

# The block that this module is for is younger than some providers.
if in_module modules/ecr-repository terraform init -backend=false -no-color >"$work/init.log" 2>&1; then
    in_module modules/ecr-repository terraform validate -no-color
else
    printf 'left out: terraform/modules/ecr-repository, which needs version 6.8 of the AWS provider\n' >&2
fi

# A zip with anything in it: the stand-in takes it and runs nothing.
cp "$0" "$work/bootstrap"
"$PRODPIN_TEST_PYTHON" -m zipfile -c "$work/bootstrap.zip" "$work/bootstrap"
export AWS_ENDPOINT_URL=$PRODPIN_TEST_S3
aws=("$PRODPIN_TEST_PYTHON" "$PWD/tests/support/deployed.py")
bucket=prodpin-terraform-$RANDOM$RANDOM
common=(-var "package=$work/bootstrap.zip" -var 'repository_prefixes=["terraform/"]')

for example in single-account organization organization/member; do
    cat >"$work/tree/terraform/examples/$example/stand_in_override.tf" <<HCL
provider "aws" {
  region            = var.region
  s3_use_path_style = true
}
HCL
done

# terraform_in STATE EXAMPLE COMMAND…: quiet unless it fails.
terraform_in() {
    local state=$1 example=$2 command=$3
    shift 3
    in_module "examples/$example" terraform "$command" -state="$work/$state.tfstate" -no-color "$@" >"$work/$command.log" || {
        tail -n 60 "$work/$command.log" >&2
        exit 1
    }
}

# apply STATE EXAMPLE VARIABLES…, and a second look finds nothing to do: what was written is what is read.
apply() {
    local state=$1 example=$2
    shift 2
    terraform_in "$state" "$example" apply -auto-approve "$@"
    cp "$work/apply.log" "$work/applied-$state.log"
    terraform_in "$state" "$example" plan -detailed-exitcode "$@"
}

output() { in_module "examples/$2" terraform output -state="$work/$1.tfstate" -raw "$3"; }

# run_deployed TARGETS: prodpin by the policy and the variables that the function was deployed with, in its role.
run_deployed() (
    mkdir -p "$work/run" && cd "$work/run" && rm -rf ./*
    eval "$("${aws[@]}" function prodpin .)"
    [ "$PRODPIN_MODE" = audit ]
    unset PRODPIN_MODE
    eval "$("${aws[@]}" act "$2")"
    "$prodpin" check
    status=0
    "$prodpin" audit --report json=report.json || status=$?
    # 3: this estate has nothing pinned, which is to be found.
    [ "$status" = 0 ] || [ "$status" = 3 ]
    "${aws[@]}" judge report.json "$1"
    "$prodpin" verify
)

# One account.
"${aws[@]}" push terraform/api MUTABLE
variables=("${common[@]}" -var "ledger_bucket=$bucket")
apply single single-account "${variables[@]}"
"${aws[@]}" open "$bucket"
run_deployed 3 "$(output single single-account role)"
# Nothing removes a ledger but on purpose, so its objects must go first.
"${aws[@]}" empty "$bucket"
"${aws[@]}" remove terraform/api
terraform_in single single-account destroy -auto-approve "${variables[@]}"

# An organisation: the account for operations, and two others with a repository each. In one of them pins can be moved.
accounts=(111122223333 444455556666)
secret=word-$RANDOM$RANDOM
variables=("${common[@]}" -var "ledger_bucket=$bucket" -var 'accounts=["111122223333","444455556666"]'
    -var "external_id=$secret" -var "organization_target=$("${aws[@]}" organize)")
apply operations organization "${variables[@]}"
role=$(output operations organization function_role)
for account in "${accounts[@]}"; do
    (
        eval "$("${aws[@]}" act "arn:aws:iam::$account:role/administrator")"
        mode=MUTABLE
        [ "$account" != 111122223333 ] || mode=MUTABLE_WITH_EXCLUSION
        "${aws[@]}" push terraform/api "$mode"
        apply "$account" organization/member -var "function_role=$role" -var "external_id=$secret" \
            -var 'repository_prefixes=["terraform/"]' -var 'protected_repositories=["terraform/api"]'
    )
    warned=0
    # Terraform breaks its lines.
    ! tr -s '\n ' ' ' <"$work/applied-$account.log" | grep -q 'can move a pin: terraform/api' || warned=1
    [ "$warned" = "$([ "$account" = 111122223333 ] && echo 0 || echo 1)" ]
done
"${aws[@]}" open "$bucket"
run_deployed 6 "$role"
"${aws[@]}" empty "$bucket"
for account in "${accounts[@]}"; do
    (
        eval "$("${aws[@]}" act "arn:aws:iam::$account:role/administrator")"
        terraform_in "$account" organization/member destroy -auto-approve -var "function_role=$role" -var "external_id=$secret" \
            -var 'repository_prefixes=["terraform/"]' -var 'protected_repositories=["terraform/api"]'
        "${aws[@]}" remove terraform/api
    )
done
terraform_in operations organization destroy -auto-approve "${variables[@]}"
