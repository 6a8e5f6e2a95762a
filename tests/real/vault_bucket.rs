//! A vault in a bucket with Object Lock: copied although killed at moments that get later, drilled, and put back byte for byte.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use prodpin::sources::memory::{image, index};
use serde_json::Value;

use crate::servers::{self, Server};
use crate::vault::{Lost, large};

fn in_bucket(mut command: Command, server: &Server) -> Command {
    let of_aws = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "eu-west-1")];
    command.envs(of_aws).env("AWS_ENDPOINT_URL_S3", &server.url).env("AWS_CONFIG_FILE", "/dev/null");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

async fn run(registry: &Lost, server: &Server, arguments: &[&str]) -> Output {
    let mut command = in_bucket(registry.prodpin(arguments), server);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_in_a_bucket_is_carried_on_drilled_and_put_back_i27_f104() {
    let Some(server) = servers::s3() else { return };
    let Some(mut registry) = Lost::start().await else { return };
    let bucket = format!("vault-{}", std::process::id());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let create = http.put(format!("{}/{bucket}", server.url)).header("x-amz-bucket-object-lock-enabled", "true");
    let place =
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    let created = create.body(place).send().await.unwrap();
    assert!(created.status().is_success(), "{}", created.text().await.unwrap());
    let policy = registry.path("prodpin.yaml");
    let local = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, local.replace("./vault", &format!("s3://{bucket}/prodpin"))).unwrap();

    // More than two of the pieces that a bucket takes.
    let releases = [("v1.0.0", image(&large(21, (11 << 20) + 3))), ("v1.1.0", index("of two platforms"))];
    for (tag, content) in &releases {
        registry.pusher().push("shop/api", tag, content).await;
    }
    for wait in [150, 350, 700, 1_200] {
        let mut command = in_bucket(registry.prodpin(&["enforce", "--quiet"]), &server);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let _ = child.kill();
        let _ = child.wait();
    }
    let kept = run(&registry, &server, &["enforce", "--format", "json"]).await;
    let report: Value = serde_json::from_slice(&kept.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&kept)));
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    assert!(targets.len() == 2 && targets.iter().all(|target| target["vault"] == "kept"), "{report:#}");
    let second = text(&run(&registry, &server, &["enforce", "-v"]).await);
    assert!(second.contains("parts=0 bytes=0"), "{second}");
    let drilled = run(&registry, &server, &["drill", "--from", "vault"]).await;
    assert!(drilled.status.success(), "{}", text(&drilled));
    assert!(text(&drilled).starts_with("2 of 2 rollback targets read from the vault"), "{}", text(&drilled));

    registry.lose_everything().await;
    let pusher = registry.pusher();
    for (tag, content) in &releases {
        let reference = format!("shop/api@{}", content.digest());
        let restored = run(&registry, &server, &["restore", &reference, "--apply"]).await;
        assert!(restored.status.success(), "{}", text(&restored));
        assert_eq!(pusher.manifest("shop/api", tag).await.expect("its tag is back").1, content.bytes().to_vec());
        for one in content.children().iter().chain([content]) {
            for (digest, bytes) in one.blobs() {
                assert_eq!(pusher.get("shop/api", &format!("/v2/shop/api/blobs/{digest}")).await, bytes.to_vec());
            }
        }
    }
}
