//! What was signed, as cosign writes it: a small document beside its signature, or, since its third version, a bundle of
//! both. Read strictly: what is not understood is no signature.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prodpin_core::model::Digest;
use serde::Deserialize;

/// A layer that holds the document.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What cosign calls an artifact that holds such layers.
const SIGNATURE_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.";

/// A bundle, of whatever version.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// Where the signature of the document stands.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// What the document says that it is.
const DOCUMENT_TYPE: &str = "cosign container image signature";

/// What a bundle's statement says that it is, where it says no more than that somebody signs.
const SIGNS: &str = "https://sigstore.dev/cosign/sign/v1";
const STATEMENT: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// More signatures in one manifest than anybody makes.
const MOST_LAYERS: usize = 64;

/// Whether a list of what refers to an artifact may mean a signature by this type.
pub(super) fn may_be_signature(artifact_type: &str) -> bool {
    artifact_type.starts_with(SIGNATURE_ARTIFACT)
        || artifact_type.starts_with(BUNDLE)
        || artifact_type == SIMPLE_SIGNING
}

/// A layer that holds a signature, or says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// The document alone; its signature, in Base64, where the manifest has one.
    Document(Option<String>),
    Bundle,
}

/// What was signed, and by what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// The exact bytes that the signature is over.
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// What these bytes say that it is a signature of.
    pub(super) names: Vec<Digest>,
}

/// The layers of a manifest that are to hold signatures.
pub(super) fn layers(manifest: &[u8]) -> Result<Vec<Layer>, String> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        layers: Vec<Raw>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        media_type: String,
        digest: Digest,
        size: u64,
        #[serde(default)]
        annotations: Option<BTreeMap<String, String>>,
    }
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|_| "its manifest breaks the specification".to_owned())?;
    if manifest.layers.is_empty() {
        return Err("its manifest has no layer".to_owned());
    }
    if manifest.layers.len() > MOST_LAYERS {
        return Err(format!("its manifest has more than {MOST_LAYERS} layers"));
    }
    let layer = |raw: Raw| {
        let kind = match raw.media_type.as_str() {
            SIMPLE_SIGNING => Kind::Document(raw.annotations.and_then(|mut all| all.remove(SIGNATURE))),
            bundle if bundle.starts_with(BUNDLE) => Kind::Bundle,
            other => return Err(format!("its layer is of type {other:.100?}, which is no signature")),
        };
        Ok(Layer { digest: raw.digest, size: raw.size, kind })
    };
    manifest.layers.into_iter().map(layer).collect()
}

/// What a layer of these bytes says was signed; none where it is a statement of another kind, as of how it was built.
pub(super) fn signed(layer: &Layer, bytes: &[u8]) -> Result<Option<Signed>, String> {
    match &layer.kind {
        Kind::Document(None) => Err("its layer has no signature beside it".to_owned()),
        Kind::Document(Some(signature)) => document(bytes, signature).map(Some),
        Kind::Bundle => bundle(bytes),
    }
}

fn document(bytes: &[u8], signature: &str) -> Result<Signed, String> {
    #[derive(Deserialize)]
    struct Document {
        critical: Critical,
    }
    #[derive(Deserialize)]
    struct Critical {
        image: Image,
        r#type: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Image {
        docker_manifest_digest: Digest,
    }
    let Document { critical } = serde_json::from_slice(bytes)
        .map_err(|_| "what was signed is no document in the form that cosign signs".to_owned())?;
    if critical.r#type != DOCUMENT_TYPE {
        return Err(format!("what was signed says that it is {:.100?}", critical.r#type));
    }
    let names = vec![critical.image.docker_manifest_digest];
    Ok(Signed { message: bytes.to_vec(), signature: decoded(signature)?, names })
}

fn bundle(bytes: &[u8]) -> Result<Option<Signed>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Bundle {
        media_type: String,
        dsse_envelope: Option<Envelope>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope {
        payload: String,
        payload_type: String,
        signatures: Vec<Sig>,
    }
    #[derive(Deserialize)]
    struct Sig {
        sig: String,
    }
    let Bundle { media_type, dsse_envelope } =
        serde_json::from_slice(bytes).map_err(|_| "its layer is no bundle of sigstore's".to_owned())?;
    if !media_type.starts_with(BUNDLE) {
        return Err(format!("its bundle says that it is {media_type:.100?}"));
    }
    let Some(Envelope { payload, payload_type, signatures }) = dsse_envelope else {
        return Err("its bundle has no envelope; prodpin verifies no other form".to_owned());
    };
    if payload_type != PAYLOAD_TYPE {
        return Err(format!("what was signed is of type {payload_type:.100?}"));
    }
    let [Sig { sig }] = signatures.as_slice() else {
        return Err("its bundle does not have exactly one signature".to_owned());
    };
    let payload = decoded(&payload)?;
    let Some(names) = statement(&payload)? else { return Ok(None) };
    Ok(Some(Signed { message: pre_authentication(&payload_type, &payload), signature: decoded(sig)?, names }))
}

/// What a statement that somebody signs is about; none where it states something else.
fn statement(payload: &[u8]) -> Result<Option<Vec<Digest>>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statement {
        #[serde(rename = "_type")]
        kind: String,
        predicate_type: String,
        #[serde(default)]
        subject: Vec<Subject>,
    }
    #[derive(Deserialize)]
    struct Subject {
        #[serde(default)]
        digest: BTreeMap<String, String>,
    }
    let Statement { kind, predicate_type, subject } =
        serde_json::from_slice(payload).map_err(|_| "what was signed is no statement of in-toto's".to_owned())?;
    if !STATEMENT.contains(&kind.as_str()) {
        return Err(format!("what was signed says that it is {kind:.100?}"));
    }
    if predicate_type != SIGNS {
        return Ok(None);
    }
    let named = subject.iter().filter_map(|one| format!("sha256:{}", one.digest.get("sha256")?).parse().ok());
    Ok(Some(named.collect()))
}

/// What is signed of an envelope: the type with the payload, so that neither can be taken for another (DSSE, version 1).
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text.trim()).map_err(|_| "its signature is no Base64".to_owned())
}
