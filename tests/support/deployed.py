"""What tests/terraform.sh does to the stand-in of AWS besides Terraform, and what it asks of what was deployed.

    deployed.py push REPOSITORY MODE     a repository of this mutability, with three releases
    deployed.py remove REPOSITORY
    deployed.py act ROLE_ARN             variables of the shell to act in that role
    deployed.py organize                 makes an organisation; prints its root
    deployed.py function NAME FOLDER     the policy and the variables that a function was deployed with
    deployed.py open BUCKET              takes away what the stand-in understands otherwise than S3
    deployed.py empty BUCKET             removes every version, locked or not
    deployed.py judge REPORT TARGETS     whether a run saw everything, and so many targets
"""

import hashlib
import json
import os
import sys

import boto3


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push(repository, mode):
    ecr = boto3.client("ecr")
    filters = [{"filterType": "WILDCARD", "filter": "prod-pinned-*"}] if mode.endswith("_WITH_EXCLUSION") else []
    extra = {"imageTagMutabilityExclusionFilters": filters} if filters else {}
    ecr.create_repository(repositoryName=repository, imageTagMutability=mode, **extra)
    config = b"{}"
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=repository, uploadId=upload, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config
    )
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[sha256(config)])
    for minor in range(3):
        manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "size": len(config), "digest": sha256(config)
            },
            "layers": [],
            "annotations": {"release": str(minor)},
        })
        digest = sha256(manifest.encode())
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=f"v1.{minor}.0", imageDigest=digest)


def remove(repository):
    boto3.client("ecr").delete_repository(repositoryName=repository, force=True)


def act(role):
    given = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    print("export AWS_ACCESS_KEY_ID=" + given["AccessKeyId"])
    print("export AWS_SECRET_ACCESS_KEY=" + given["SecretAccessKey"])
    print("export AWS_SESSION_TOKEN=" + given["SessionToken"])


def organize():
    organizations = boto3.client("organizations", region_name="us-east-1")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    print(root)


def function(name, folder):
    variables = boto3.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    with open(os.path.join(folder, "prodpin.yaml"), "w") as policy:
        policy.write(variables.pop("PRODPIN_POLICY_TEXT"))
    for key, value in variables.items():
        # Read back by the shell as `export` lines; nothing here needs quoting, and what would is a mistake.
        assert key.startswith("PRODPIN_") and value.replace("-", "").isalnum(), (key, value)
        print(f"export {key}={value}")


def open_bucket(bucket):
    s3 = boto3.client("s3")
    # It takes nothing without TLS, which the stand-in does not speak, and heeds all the same.
    s3.delete_bucket_policy(Bucket=bucket)
    # S3 takes a checksum in any header for objects that are locked from their creation, the stand-in only in two of them.
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


def empty(bucket):
    s3 = boto3.client("s3")
    for version in boto3.resource("s3").Bucket(bucket).object_versions.all():
        s3.delete_object(
            Bucket=bucket, Key=version.object_key, VersionId=version.id, BypassGovernanceRetention=True
        )


def judge(report, targets):
    with open(report) as file:
        report = json.load(file)
    assert report["run"]["complete"], [finding["message"] for finding in report["findings"]]
    assert report["summary"]["targets"] == int(targets), report["summary"]
    assert report["run"]["ledger"]["sequence"] > 0


commands = {
    "push": push, "remove": remove, "act": act, "organize": organize, "function": function,
    "open": open_bucket, "empty": empty, "judge": judge,
}
commands[sys.argv[1]](*sys.argv[2:])
