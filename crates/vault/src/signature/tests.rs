//! Signatures made by openssl, as signers do, and the ways in which a registry may lie about them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use prodpin_core::model::SignatureVerdict;
use prodpin_sources::content::{AttachedSignatures, Document, IsSignature};

const DOCUMENT: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGNS: &str = "https://sigstore.dev/cosign/sign/v1";

/// Keys of one kind, each pair in files of its own.
struct Signer {
    folder: tempfile::TempDir,
    kind: &'static str,
}

fn openssl(arguments: &[&str], at: &Path) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).current_dir(at).stdin(Stdio::null()).output();
    let output = output.expect("openssl makes the keys and signatures of this test; install it");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Signer {
    fn new(kind: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let how: &[&str] = match kind {
            "p256" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "p384" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "p521" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
            "rsa" => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "rsa-1024" => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
            _ => &["-algorithm", "ED25519"],
        };
        openssl(&[&["genpkey", "-out", "key.pem"], how].concat(), folder.path());
        Self { folder, kind }
    }

    fn pem(&self) -> String {
        String::from_utf8(openssl(&["pkey", "-in", "key.pem", "-pubout"], self.folder.path())).unwrap()
    }

    fn key(&self) -> VerifyingKey {
        VerifyingKey::from_pem("release.pub", &self.pem()).unwrap()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        std::fs::write(self.folder.path().join("message"), message).unwrap();
        let how: &[&str] = match self.kind {
            "ed25519" => &["pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "message"],
            _ => &["dgst", "-sha256", "-sign", "key.pem", "message"],
        };
        openssl(how, self.folder.path())
    }
}

/// What cosign signs, about this artifact.
fn document(target: &Digest) -> Vec<u8> {
    json!({ "critical": {
        "identity": { "docker-reference": "registry.example.com/shop/api" },
        "image": { "docker-manifest-digest": target.to_string() },
        "type": "cosign container image signature",
    }, "optional": { "creator": "ci" } })
    .to_string()
    .into_bytes()
}

/// An envelope as cosign makes it since its third version.
fn bundle(signer: &Signer, target: &Digest, predicate: &str) -> Value {
    let statement = json!({ "_type": "https://in-toto.io/Statement/v1", "predicateType": predicate, "predicate": {},
                            "subject": [{ "name": "", "digest": { "sha256": target.hex() } }] })
    .to_string();
    let payload_type = "application/vnd.in-toto+json";
    let message = format!("DSSEv1 {} {payload_type} {} {statement}", payload_type.len(), statement.len());
    json!({ "mediaType": BUNDLE,
            "verificationMaterial": { "publicKey": { "hint": "x" } },
            "dsseEnvelope": { "payload": STANDARD.encode(&statement), "payloadType": payload_type,
                              "signatures": [{ "sig": STANDARD.encode(signer.sign(message.as_bytes())) }] } })
}

/// A registry with what hangs at one target.
#[derive(Default)]
struct Registry {
    manifests: BTreeMap<Digest, Bytes>,
    blobs: BTreeMap<Digest, Bytes>,
    attached: AttachedSignatures,
    unreadable: bool,
}

impl Registry {
    /// Attaches a layer in a manifest of its own, and says under which digest.
    fn attach(&mut self, media_type: &str, layer: &[u8], signature: Option<&[u8]>) -> Digest {
        let digest = Digest::sha256(layer);
        let annotations =
            signature.map(|signature| json!({ "dev.cosignproject.cosign/signature": STANDARD.encode(signature) }));
        self.attach_named(media_type, &digest, layer.len(), annotations);
        self.blobs.insert(digest.clone(), Bytes::copy_from_slice(layer));
        digest
    }

    fn attach_named(&mut self, media_type: &str, layer: &Digest, size: usize, annotations: Option<Value>) {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": Digest::sha256(b"{}").to_string() },
            "layers": [{ "mediaType": media_type, "size": size, "digest": layer.to_string(), "annotations": annotations }],
        });
        let bytes = Bytes::from(manifest.to_string());
        self.attached.manifests.push(Digest::sha256(&bytes));
        self.manifests.insert(Digest::sha256(&bytes), bytes);
    }
}

#[async_trait]
impl Content for Registry {
    async fn manifest(&self, _: &RepositoryName, digest: &Digest) -> Result<Document, Lost> {
        let bytes = self.manifests.get(digest).cloned().ok_or(Lost::NotFound)?;
        Ok(Document { media_type: None, bytes })
    }

    async fn blob(&self, _: &RepositoryName, digest: &Digest, _: u64, to: &mut dyn Taker) -> Result<(), Lost> {
        if self.unreadable {
            return Err(Fault::new(Cause::ServerError, "HTTP status 500").into());
        }
        let bytes = self.blobs.get(digest).cloned().ok_or(Lost::NotFound)?;
        to.begin(0).await?;
        for piece in bytes.chunks(100) {
            to.take(Bytes::copy_from_slice(piece)).await?;
        }
        Ok(())
    }

    async fn signatures(&self, _: &RepositoryName, _: &Digest, _: IsSignature) -> Result<AttachedSignatures, Fault> {
        Ok(self.attached.clone())
    }
}

async fn checked(registry: &Registry, target: &Digest, keys: &[VerifyingKey]) -> SignatureCheck {
    verify(registry, &"shop/api".parse().unwrap(), target, keys).await
}

/// The only reason why what is attached proves nothing.
async fn refused(registry: &Registry, target: &Digest, signer: &Signer) -> String {
    let check = checked(registry, target, &[signer.key()]).await;
    assert_eq!(check.verdict(), SignatureVerdict::NotVerified, "{check:?}");
    assert_eq!(check.unverified.len(), 1, "{check:?}");
    check.unverified[0].why.clone()
}

#[tokio::test]
async fn a_signature_of_each_kind_of_key_is_verified_in_both_forms() {
    let target = Digest::sha256(b"v1");
    for kind in ["p256", "p384", "rsa", "ed25519"] {
        let (signer, other) = (Signer::new(kind), Signer::new(kind));
        let mut by_document = Registry::default();
        let signed = document(&target);
        by_document.attach(DOCUMENT, &signed, Some(&signer.sign(&signed)));
        let mut by_bundle = Registry::default();
        by_bundle.attach(BUNDLE, bundle(&signer, &target, SIGNS).to_string().as_bytes(), None);
        for registry in [&by_document, &by_bundle] {
            let check = checked(registry, &target, &[other.key(), signer.key()]).await;
            assert_eq!(check.verdict(), SignatureVerdict::Verified, "{kind}: {check:?}");
            assert_eq!(
                (check.verified.as_slice(), check.unverified.len()),
                ([signer.key().name().to_owned()].as_slice(), 0)
            );
            let why = refused(registry, &target, &other).await;
            assert_eq!(why, "none of the keys verifies it", "{kind}");
        }
    }
}

#[tokio::test]
async fn a_key_of_another_kind_verifies_nothing() {
    let target = Digest::sha256(b"v1");
    let signed = document(&target);
    let signers = ["p256", "p384", "rsa", "ed25519"].map(Signer::new);
    for signer in &signers {
        let mut registry = Registry::default();
        registry.attach(DOCUMENT, &signed, Some(&signer.sign(&signed)));
        for other in signers.iter().filter(|other| other.kind != signer.kind) {
            assert_eq!(refused(&registry, &target, other).await, "none of the keys verifies it");
        }
    }
}

#[tokio::test]
async fn a_key_that_anybody_could_work_out_verifies_nothing() {
    let (signer, target) = (Signer::new("rsa-1024"), Digest::sha256(b"v1"));
    let signed = document(&target);
    let mut registry = Registry::default();
    registry.attach(DOCUMENT, &signed, Some(&signer.sign(&signed)));
    assert_eq!(refused(&registry, &target, &signer).await, "none of the keys verifies it");
}

#[tokio::test]
async fn a_signature_of_another_image_says_nothing_of_this_one() {
    let (signer, target, other) = (Signer::new("p256"), Digest::sha256(b"v1"), Digest::sha256(b"v0"));
    let signed = document(&other);
    let mut registry = Registry::default();
    registry.attach(DOCUMENT, &signed, Some(&signer.sign(&signed)));
    assert_eq!(refused(&registry, &target, &signer).await, format!("what was signed names {other}"));
    let mut registry = Registry::default();
    registry.attach(BUNDLE, bundle(&signer, &other, SIGNS).to_string().as_bytes(), None);
    assert_eq!(refused(&registry, &target, &signer).await, format!("what was signed names {other}"));
}

#[tokio::test]
async fn what_was_swapped_under_a_signature_is_refused() {
    let (signer, target, other) = (Signer::new("p256"), Digest::sha256(b"v1"), Digest::sha256(b"v0"));
    // The document is about this target, and the signature is one of another document.
    let mut registry = Registry::default();
    registry.attach(DOCUMENT, &document(&target), Some(&signer.sign(&document(&other))));
    assert_eq!(refused(&registry, &target, &signer).await, "none of the keys verifies it");
    // The registry serves other bytes under the layer's digest, of the same length.
    let signed = document(&target);
    let mut registry = Registry::default();
    let layer = registry.attach(DOCUMENT, &signed, Some(&signer.sign(&signed)));
    let mut swapped = signed.clone();
    *swapped.last_mut().unwrap() = b' ';
    registry.blobs.insert(layer, swapped.into());
    assert_eq!(refused(&registry, &target, &signer).await, "its layer's bytes do not hash to their digest");
    // And other bytes under the manifest's.
    let mut registry = Registry::default();
    registry.attach(DOCUMENT, &signed, Some(&signer.sign(&signed)));
    registry.manifests.values_mut().for_each(|bytes| *bytes = Bytes::from([&bytes[..], &b" "[..]].concat()));
    assert_eq!(refused(&registry, &target, &signer).await, "its manifest's bytes do not hash to its digest");
    // A statement about this target in the envelope that was signed around one about another.
    let (mut swapped, about_target) = (bundle(&signer, &other, SIGNS), bundle(&signer, &target, SIGNS));
    swapped["dsseEnvelope"]["payload"] = about_target["dsseEnvelope"]["payload"].clone();
    let mut registry = Registry::default();
    registry.attach(BUNDLE, swapped.to_string().as_bytes(), None);
    assert_eq!(refused(&registry, &target, &signer).await, "none of the keys verifies it");
}

#[tokio::test]
async fn a_signed_statement_of_how_it_was_built_is_no_signature() {
    let (signer, target) = (Signer::new("p256"), Digest::sha256(b"v1"));
    let mut registry = Registry::default();
    let built = bundle(&signer, &target, "https://slsa.dev/provenance/v1").to_string();
    registry.attach(BUNDLE, built.as_bytes(), None);
    let check = checked(&registry, &target, &[signer.key()]).await;
    assert_eq!((check.verdict(), check), (SignatureVerdict::None, SignatureCheck::default()));
}

#[tokio::test]
async fn layers_that_are_too_large_absent_or_of_another_type_are_refused_i20() {
    let (signer, target) = (Signer::new("p256"), Digest::sha256(b"v1"));
    let signed = document(&target);
    let signature = signer.sign(&signed);
    let annotation = || Some(json!({ "dev.cosignproject.cosign/signature": STANDARD.encode(&signature) }));
    let layer = Digest::sha256(&signed);
    for (media_type, size, annotation, served, expected) in [
        (DOCUMENT, 2 << 30, annotation(), true, "more than any signature"),
        (DOCUMENT, signed.len() - 1, annotation(), true, "more bytes than its manifest names"),
        (DOCUMENT, signed.len(), annotation(), false, "not all of it is there"),
        (DOCUMENT, signed.len(), None, true, "no signature beside it"),
        (DOCUMENT, signed.len(), Some(json!({ "dev.cosignproject.cosign/signature": "%" })), true, "no Base64"),
        ("application/vnd.oci.image.layer.v1.tar+gzip", signed.len(), annotation(), true, "which is no signature"),
        (BUNDLE, signed.len(), annotation(), true, "no bundle"),
    ] {
        let mut registry = Registry::default();
        registry.attach_named(media_type, &layer, size, annotation);
        if served {
            registry.blobs.insert(layer.clone(), signed.clone().into());
        }
        let why = refused(&registry, &target, &signer).await;
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

#[tokio::test]
async fn documents_of_another_kind_are_refused() {
    let (signer, target) = (Signer::new("p256"), Digest::sha256(b"v1"));
    let text = String::from_utf8(document(&target)).unwrap();
    for (signed, expected) in [
        (text.replace("cosign container image signature", "atomic container signature"), "says that it is"),
        (text.replace("critical", "trivial"), "no document"),
        (text.replacen('{', r#"{"critical":{},"#, 1), "no document"),
        (text.replace("sha256:", "sha512:"), "no document"),
        ("[]".to_owned(), "no document"),
    ] {
        let mut registry = Registry::default();
        registry.attach(DOCUMENT, signed.as_bytes(), Some(&signer.sign(signed.as_bytes())));
        let why = refused(&registry, &target, &signer).await;
        assert!(why.contains(expected), "{signed}: {why}");
    }
    let whole = bundle(&signer, &target, SIGNS);
    let without = |change: fn(&mut Value)| {
        let mut changed = whole.clone();
        change(&mut changed);
        changed.to_string()
    };
    for (bundle, expected) in [
        (without(|it| it["dsseEnvelope"]["payloadType"] = "text/plain".into()), "is of type"),
        (without(|it| it["dsseEnvelope"]["signatures"] = json!([])), "exactly one signature"),
        (without(|it| it["dsseEnvelope"] = Value::Null), "no envelope"),
        (without(|it| it["mediaType"] = "text/plain".into()), "its bundle says"),
        (without(|it| it["dsseEnvelope"]["payload"] = STANDARD.encode("{}").into()), "no statement"),
    ] {
        let mut registry = Registry::default();
        registry.attach(BUNDLE, bundle.as_bytes(), None);
        let why = refused(&registry, &target, &signer).await;
        assert!(why.contains(expected), "{bundle}: {why}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_proves_nothing_in_either_way() {
    let (signer, target) = (Signer::new("p256"), Digest::sha256(b"v1"));
    let signed = document(&target);
    let mut registry = Registry::default();
    registry.attach(DOCUMENT, &signed, Some(&signer.sign(&signed)));
    let keys = [signer.key()];
    registry.unreadable = true;
    assert_eq!(checked(&registry, &target, &keys).await.verdict(), SignatureVerdict::Unknown);
    registry.unreadable = false;
    registry.attached.beyond = 3;
    assert_eq!(checked(&registry, &target, &keys).await.verdict(), SignatureVerdict::Verified);
    registry.attached.manifests.clear();
    assert_eq!(checked(&registry, &target, &keys).await.verdict(), SignatureVerdict::Unknown);
    registry.attached.beyond = 0;
    assert_eq!(checked(&registry, &target, &keys).await.verdict(), SignatureVerdict::None);
}

#[test]
fn a_key_is_a_public_one_of_a_kind_that_is_known() {
    let signer = Signer::new("p256");
    let pem = signer.pem();
    let key = signer.key();
    let fingerprint = key.name().strip_prefix("release.pub (sha256:").unwrap();
    assert_eq!(fingerprint.len(), 13, "{fingerprint}");
    let private = std::fs::read_to_string(signer.folder.path().join("key.pem")).unwrap();
    let cut = pem.replace("MFkw", "MFkx");
    for (pem, expected) in [
        (private.as_str(), "private key"),
        (format!("{pem}{pem}").as_str(), "several keys"),
        ("", "BEGIN PUBLIC KEY"),
        (pem.replace("END PUBLIC", "END").as_str(), "does not end"),
        (pem.replace('M', "%").as_str(), "no Base64"),
        (cut.as_str(), "no key"),
        (Signer::new("p521").pem().as_str(), "no key of a kind"),
    ] {
        let refused = VerifyingKey::from_pem("x", pem).unwrap_err();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}
