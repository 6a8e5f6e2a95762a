//! A key that never leaves AWS KMS, on a server that speaks as KMS does.

use std::process::Command;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use prodpin::ledger::{Access, Ledger, LedgerError, Verify};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};
use serde_json::{Value, json};

use super::world::*;

/// How an Ed25519 public key begins in DER.
const DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// `alias/log` is Ed25519; `alias/other` is some other kind of key; `alias/moved` signs with another key than it shows.
fn answer(target: &str, asked: &Value) -> Result<Value, Value> {
    let key = SigningKey::from_bytes(&[5; 32]);
    let id = asked["KeyId"].as_str().unwrap();
    match (target, id) {
        ("TrentService.GetPublicKey", "alias/other") => {
            Ok(json!({ "KeyId": id, "PublicKey": STANDARD.encode([4; 91]) }))
        }
        ("TrentService.GetPublicKey", "alias/log" | "alias/moved") => {
            let der = [&DER[..], key.verifying_key().as_bytes()].concat();
            Ok(json!({ "KeyId": id, "PublicKey": STANDARD.encode(der), "KeySpec": "ECC_NIST_EDWARDS25519" }))
        }
        ("TrentService.Sign", "alias/log" | "alias/moved") => {
            assert_eq!((&asked["MessageType"], &asked["SigningAlgorithm"]), (&json!("RAW"), &json!("ED25519_SHA_512")));
            let message = STANDARD.decode(asked["Message"].as_str().unwrap()).unwrap();
            assert!(message.len() <= 4096, "KMS takes no more");
            let key = if id == "alias/log" { key } else { SigningKey::from_bytes(&[6; 32]) };
            Ok(json!({ "KeyId": id, "Signature": STANDARD.encode(key.sign(&message).to_bytes()) }))
        }
        _ => Err(json!({ "__type": "NotFoundException", "message": format!("no key {id}\nfor you") })),
    }
}

async fn serve() -> String {
    let handle = |headers: HeaderMap, body: Bytes| async move {
        let target = headers["x-amz-target"].to_str().unwrap().to_owned();
        let (status, answer) = match answer(&target, &serde_json::from_slice(&body).unwrap()) {
            Ok(answer) => (200, answer),
            Err(refusal) => (400, refusal),
        };
        let headers = [("content-type", "application/x-amz-json-1.1")];
        (axum::http::StatusCode::from_u16(status).unwrap(), headers, answer.to_string())
    };
    let (address, _) = crate::support::serve::serve(axum::Router::new().fallback(handle)).await;
    format!("http://{address}")
}

/// The AWS chain reads this process's environment, so the test runs again in a process that has the server's.
#[tokio::test]
async fn checkpoints_are_signed_by_a_key_in_kms() {
    let url = serve().await;
    let nothing = Arc::new(tempfile::NamedTempFile::new().unwrap());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "ledger::kms::with_the_servers_environment", "--ignored", "--nocapture"])
        .envs([("AWS_ENDPOINT_URL_KMS", url.as_str()), ("AWS_REGION", "eu-west-1")])
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .envs([("AWS_CONFIG_FILE", nothing.path()), ("AWS_SHARED_CREDENTIALS_FILE", nothing.path())])
        .env_remove("AWS_PROFILE");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let reported = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && reported.contains("1 passed"), "{reported}");
}

#[tokio::test]
#[ignore = "started with the server's environment by checkpoints_are_signed_by_a_key_in_kms"]
async fn with_the_servers_environment() {
    let folder = tempfile::tempdir().unwrap();
    let location = LedgerLocation::Directory(folder.path().join("ledger"));
    let open = async |name: &str| {
        let safeguards = Safeguards { key: KeyLocation::Kms(name.to_owned()), ..Safeguards::default() };
        Ledger::open_with(&location, &safeguards, Access::Write).await
    };
    for (name, says) in [("alias/other", "ECC_NIST_EDWARDS25519"), ("alias/none", "kms:GetPublicKey on alias/none")] {
        let error = open(name).await.unwrap_err();
        assert!(matches!(error, LedgerError::Key { .. }), "{error}");
        assert!(error.to_string().contains(says) && !error.to_string().contains('\n'), "{error}");
    }
    for run in 1..4 {
        let ledger = open("alias/log").await.unwrap();
        ledger.commit(vec![tag_seen(run, &key("a"), &format!("v{run}"), "a")]).await.unwrap();
    }
    // The alias was pointed at another key meanwhile: nothing that nobody can check is committed.
    let error = open("alias/moved").await.unwrap().commit(vec![tag_seen(9, &key("a"), "v9", "a")]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Key { .. }) && error.to_string().contains("nothing was recorded"), "{error}");
    let found = Ledger::verify(&location, &Verify::default()).await.unwrap();
    assert!(found.holds() && found.commits == 3 && found.unsigned == 0, "{found:?}");
    assert!(!folder.path().join("ledger.key").exists(), "no other key is made");
}
