//! The drill on a real registry: what rots there is found by nothing else, and is on record until another drill reads it whole.

use std::path::PathBuf;

use prodpin::sources::memory::{Content, image, index};
use serde_json::Value;

use crate::vault::{Lost, large};

fn text(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

/// Where the registry keeps the largest blob of it.
fn layer(registry: &Lost, content: &Content) -> (PathBuf, String) {
    let (digest, _) = content.blobs().into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let hex = digest.hex();
    let folder = registry.path("storage").join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(&hex);
    (folder.join("data"), digest.to_string())
}

fn flip(file: &PathBuf) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

fn target<'r>(report: &'r Value, list: &str, content: &Content) -> &'r Value {
    let targets = report["repositories"][0][list].as_array().unwrap();
    targets.iter().find(|target| target["artifact"] == content.digest().to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rots_in_a_registry_is_found_by_a_drill_and_by_nothing_else_f104() {
    let Some(registry) = Lost::start().await else { return };
    let (good, rotten) = (index("good"), image(&large(11, 1 << 20)));
    for (tag, content) in [("v1.0.0", &good), ("v1.1.0", &rotten)] {
        registry.pusher().push("shop/api", tag, content).await;
    }
    let early = registry.run(&["drill"]).await;
    assert!(text(&early).contains("Not on record: the ledger does not know shop/api in shop yet"), "{}", text(&early));
    registry.run(&["enforce", "--quiet"]).await;
    let well = registry.run(&["drill", "shop/api"]).await;
    let said = text(&well);
    assert!(well.status.success() && said.starts_with("2 of 2 rollback targets read from their sources"), "{said}");
    let before = json(&registry.run(&["ready", "--format", "json"]).await);
    let drills = &target(&before, "ladder", &rotten)["drills"];
    assert_eq!((&drills[0]["from"], &drills[0]["outcome"]), (&"source".into(), &"intact".into()), "{drills}");
    assert!(drills[0]["bytes"].as_u64().unwrap() > 1 << 20, "{drills}");

    // One bit of one layer flips on its disk: the registry serves it, with the right size.
    let (file, digest) = layer(&registry, &rotten);
    let whole = std::fs::read(&file).unwrap();
    flip(&file);
    let unseen = json(&registry.run(&["audit", "--format", "json"]).await);
    assert_eq!(target(&unseen, "targets", &rotten)["restorable"], true, "else this test shows nothing");
    let found = registry.run(&["drill"]).await;
    let said = text(&found);
    assert_eq!(found.status.code(), Some(3), "{said}");
    assert!(said.contains("1 of 2") && said.contains("BROKEN") && said.contains(&digest), "{said}");
    let after = json(&registry.run(&["audit", "--format", "json"]).await);
    let (seen, intact) = (target(&after, "targets", &rotten), target(&after, "targets", &good));
    assert_eq!((&seen["restorable"], &intact["restorable"]), (&Value::Bool(false), &Value::Bool(true)), "{after:#}");
    let codes = |report: &Value| -> Vec<String> {
        report["findings"].as_array().unwrap().iter().map(|found| found["code"].as_str().unwrap().to_owned()).collect()
    };
    assert!(codes(&after).contains(&"target-broken".to_owned()), "{:?}", codes(&after));
    let page = text(&registry.run(&["ready", "shop/api"]).await);
    assert!(page.contains("BROKEN by the drill") && page.contains("drilled just now"), "{page}");

    // A registry skips a push of a digest that it has: what is restored over the blob changes nothing, and that is said.
    let reference = format!("shop/api@{}", rotten.digest());
    let skipped = registry.run(&["restore", &reference, "--apply"]).await;
    let said = text(&skipped);
    assert_eq!(skipped.status.code(), Some(1), "{said}");
    assert!(said.contains("Delete these blobs from its storage") && said.contains(&digest), "{said}");
    assert!(page.find("first delete").unwrap() < page.find("prodpin restore --source").unwrap(), "{page}");
    let remedy = after["findings"].to_string();
    assert!(remedy.find("first delete these blobs") < remedy.find("prodpin restore"), "{remedy}");

    // Deleted, its bytes come back, and what the drill had read under that digest is no word about them.
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    let restored = registry.run(&["restore", &reference, "--apply"]).await;
    assert_eq!(restored.status.code(), Some(0), "{}", text(&restored));
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    let page = text(&registry.run(&["ready", "shop/api"]).await);
    assert!(page.contains("not drilled since") && !page.contains("BROKEN"), "{page}");
    assert_eq!(registry.run(&["drill"]).await.status.code(), Some(0));
    let mended = json(&registry.run(&["audit", "--format", "json"]).await);
    assert_eq!(target(&mended, "targets", &rotten)["restorable"], true, "{mended:#}");
    assert!(!codes(&mended).contains(&"target-broken".to_owned()), "{:?}", codes(&mended));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_of_the_vault_reads_the_vault_and_what_does_not_fit_waits_f104_i27() {
    let Some(mut registry) = Lost::start().await else { return };
    let (small, large) = (image("small"), image(&large(13, 3 << 20)));
    for (tag, content) in [("v1.0.0", &large), ("v1.1.0", &small)] {
        registry.pusher().push("shop/api", tag, content).await;
    }
    registry.run(&["audit", "--quiet"]).await;
    let empty = registry.run(&["drill", "--from", "vault"]).await;
    assert_eq!(empty.status.code(), Some(1), "{}", text(&empty));
    assert!(text(&empty).contains("does not exist: mount it"), "{}", text(&empty));
    std::fs::create_dir(registry.path("vault")).unwrap();
    let empty = registry.run(&["drill", "--from", "vault"]).await;
    assert_eq!(empty.status.code(), Some(3), "{}", text(&empty));
    assert!(text(&empty).contains("the vault does not have it"), "{}", text(&empty));
    registry.run(&["enforce", "--quiet"]).await;
    let few = registry.run(&["drill", "--from", "vault", "--max-bytes", "1Mi"]).await;
    let said = text(&few);
    assert!(few.status.success() && said.starts_with("1 of 2") && said.contains("waits for another drill"), "{said}");
    // What waited is next, whatever its rank.
    let rest = registry.run(&["drill", "--from", "vault", "--max-bytes", "4Mi"]).await;
    let lines = text(&rest);
    let of_large = lines.lines().find(|line| line.contains("v1.0.0")).unwrap();
    assert!(of_large.starts_with('✓'), "{lines}");

    let (digest, _) = large.blobs().into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    flip(&registry.path("vault/blobs/sha256").join(digest.hex()));
    // The registry is gone by then: what is known of its targets is in the ledger.
    registry.lose_everything().await;
    let found = registry.run(&["drill", "--from", "vault"]).await;
    let said = text(&found);
    assert!(said.contains("BROKEN") && said.contains(&digest.to_string()), "{said}");
    assert_ne!(found.status.code(), Some(0), "{said}");
}
