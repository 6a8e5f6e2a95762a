//! The drill holds signatures to keys, on a real registry: made by openssl, laid out as cosign does, by tag and by subject.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prodpin::model::Digest;
use prodpin::sources::memory::{Content, image, index};
use serde_json::{Value, json};

use crate::support::push::Pusher;
use crate::vault::Lost;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCUMENT: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn openssl(arguments: &[&str], at: &Path) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).current_dir(at).output().expect("openssl");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A pair of keys, `NAME.pem` and `NAME.pub`, beside the policy.
fn pair(registry: &Lost, name: &str) {
    let here = registry.path(".");
    let (private, public) = (format!("{name}.pem"), format!("{name}.pub"));
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &private], &here);
    openssl(&["pkey", "-in", &private, "-pubout", "-out", &public], &here);
}

fn sign(registry: &Lost, name: &str, message: &[u8]) -> String {
    std::fs::write(registry.path("message"), message).unwrap();
    let private = format!("{name}.pem");
    STANDARD.encode(openssl(&["dgst", "-sha256", "-sign", &private, "message"], &registry.path(".")))
}

async fn blob(pusher: &Pusher, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::sha256(bytes);
    pusher.upload("shop/api", &digest, bytes.to_vec()).await;
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
}

async fn put(pusher: &Pusher, reference: Option<&str>, media_type: &str, document: &Value) -> (Digest, usize) {
    let bytes = document.to_string().into_bytes();
    let (digest, size) = (Digest::sha256(&bytes), bytes.len());
    let reference = reference.map_or_else(|| digest.to_string(), str::to_owned);
    pusher.put_manifest("shop/api", &reference, media_type, bytes).await;
    (digest, size)
}

/// As `cosign sign` did until its third version: under a tag of the digest.
async fn sign_by_tag(registry: &Lost, key: &str, target: &Content, signed_digest: &Digest) {
    let pusher = registry.pusher();
    let document = json!({ "critical": {
        "identity": { "docker-reference": "" }, "image": { "docker-manifest-digest": signed_digest.to_string() },
        "type": "cosign container image signature" }, "optional": null })
    .to_string();
    let mut layer = blob(&pusher, DOCUMENT, document.as_bytes()).await;
    layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": sign(registry, key, document.as_bytes()) });
    let config = blob(&pusher, "application/vnd.oci.image.config.v1+json", b"{}").await;
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    put(&pusher, Some(&format!("sha256-{}.sig", target.digest().hex())), MANIFEST, &manifest).await;
}

/// As it does since: a bundle that names its subject, listed under a tag where a registry has no interface for that.
async fn sign_by_subject(registry: &Lost, key: &str, target: &Content) {
    let pusher = registry.pusher();
    let (payload_type, target_digest) = ("application/vnd.in-toto+json", target.digest());
    let statement =
        json!({ "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://sigstore.dev/cosign/sign/v1",
                            "subject": [{ "digest": { "sha256": target_digest.hex() } }], "predicate": {} })
        .to_string();
    let message = format!("DSSEv1 {} {payload_type} {} {statement}", payload_type.len(), statement.len());
    let bundle =
        json!({ "mediaType": BUNDLE, "verificationMaterial": { "publicKey": { "hint": "" } }, "dsseEnvelope": {
        "payload": STANDARD.encode(&statement), "payloadType": payload_type,
        "signatures": [{ "sig": sign(registry, key, message.as_bytes()) }] } })
        .to_string();
    let layer = blob(&pusher, BUNDLE, bundle.as_bytes()).await;
    let config = blob(&pusher, "application/vnd.oci.empty.v1+json", b"{}").await;
    let subject =
        json!({ "mediaType": target.media_type(), "digest": target_digest.to_string(), "size": target.bytes().len() });
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": config,
                           "layers": [layer], "subject": subject });
    let (digest, size) = put(&pusher, None, MANIFEST, &manifest).await;
    let entry = json!({ "mediaType": MANIFEST, "digest": digest.to_string(), "size": size, "artifactType": BUNDLE });
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    put(&pusher, Some(&format!("sha256-{}", target_digest.hex())), INDEX, &list).await;
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn line<'t>(said: &'t str, tag: &str) -> &'t str {
    let begins = |line: &&str| line.contains(&format!(" {tag} of shop/api"));
    said.lines().find(begins).unwrap_or_else(|| panic!("nothing of {tag}: {said}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_verifies_signatures_by_tag_and_by_subject_and_takes_no_other_for_one() {
    let Some(registry) = Lost::start().await else { return };
    pair(&registry, "release");
    pair(&registry, "stranger");
    let releases = [
        ("v1.0.0", image("by tag")),
        ("v1.1.0", index("by subject")),
        ("v1.2.0", image("by a stranger")),
        ("v1.3.0", image("of another")),
        ("v1.4.0", image("by nobody")),
    ];
    for (tag, content) in &releases {
        registry.pusher().push("shop/api", tag, content).await;
    }
    let [by_tag, by_subject, by_a_stranger, of_another, _] = &releases;
    sign_by_tag(&registry, "release", &by_tag.1, &by_tag.1.digest()).await;
    sign_by_subject(&registry, "release", &by_subject.1).await;
    sign_by_tag(&registry, "stranger", &by_a_stranger.1, &by_a_stranger.1.digest()).await;
    // The right key signed something else, and somebody put that here.
    sign_by_tag(&registry, "release", &of_another.1, &by_tag.1.digest()).await;

    registry.run(&["audit", "--quiet"]).await;
    let plain = registry.run(&["drill"]).await;
    assert!(plain.status.success() && !text(&plain).contains("sign"), "{}", text(&plain));
    let found = registry.run(&["drill", "--signature-key", "release.pub"]).await;
    let said = text(&found);
    assert_eq!(found.status.code(), Some(3), "{said}");
    for tag in ["v1.0.0", "v1.1.0"] {
        let line = line(&said, tag);
        assert!(line.starts_with('✓') && line.contains("signature verified by release.pub (sha256:"), "{said}");
    }
    for tag in ["v1.2.0", "v1.3.0"] {
        let line = line(&said, tag);
        assert!(line.starts_with('✗') && line.contains("intact") && line.contains("SIGNATURE NOT VERIFIED"), "{said}");
    }
    assert!(line(&said, "v1.4.0").contains("not signed"), "{said}");
    let why = format!("what was signed names {}", by_tag.1.digest());
    assert!(said.contains("none of the keys verifies it") && said.contains(&why), "{said}");

    let page = text(&registry.run(&["ready", "shop/api"]).await);
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["signature verified by release.pub", "SIGNATURE NOT VERIFIED by the drill", "not signed"] {
        assert!(page.contains(words), "{words}: {page}");
    }

    // With both keys of the policy, only what is of another image is left.
    let policy = std::fs::read_to_string(registry.path("prodpin.yaml")).unwrap();
    let keys = "drill: { signatures: { keys: [release.pub, stranger.pub] } }\n";
    std::fs::write(registry.path("prodpin.yaml"), policy.clone() + keys).unwrap();
    let both = text(&registry.run(&["drill"]).await);
    assert!(line(&both, "v1.2.0").contains("signature verified by stranger.pub"), "{both}");
    assert!(line(&both, "v1.3.0").contains("SIGNATURE NOT VERIFIED"), "{both}");
    let unusable = registry.run(&["drill", "--signature-key", "release.pem"]).await;
    assert_eq!(unusable.status.code(), Some(2), "{}", text(&unusable));
    assert!(text(&unusable).contains("signature key release.pem: it is a private key"), "{}", text(&unusable));
}
