//! Signatures of a target, held to keys that were given. What is said of a target is believed as far as a signature over
//! exactly those words verifies, and the words name exactly this target: its digest, in the form that cosign writes.
//!
//! `key` reads keys and verifies, `words` reads what was signed. Whatever the registry serves, nothing else of it counts:
//! not the tag that it hangs at, not the types that a list names, not who is said to have signed.

mod key;
#[cfg(test)]
mod tests;
mod words;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

pub use self::key::VerifyingKey;
use self::words::{Layer, Signed};
use prodpin_core::model::{Cause, Digest, RepositoryName, SignatureCheck};
use prodpin_net::http::fault::Fault;
use prodpin_sources::content::{Content, Lost, Taker};

/// What was signed is small: a name and a digest, or a list of them.
const MOST_BYTES: u64 = 1 << 20;

/// Why one signature proves nothing.
enum Flawed {
    /// It could not be read, which proves nothing about it either.
    Unread(String),
    /// It is none, or none that can be verified.
    Useless(String),
}

/// Verifies the signatures that are attached to a target.
pub async fn verify(
    content: &dyn Content,
    repository: &RepositoryName,
    target: &Digest,
    keys: &[VerifyingKey],
) -> SignatureCheck {
    let attached = match content.signatures(repository, target, words::may_be_signature).await {
        Ok(attached) => attached,
        Err(fault) => return SignatureCheck::unread(fault.detail),
    };
    let mut check = SignatureCheck::default();
    for manifest in &attached.manifests {
        match layers(content, repository, manifest).await {
            Ok(layers) => {
                for layer in layers {
                    let signed = signed(content, repository, &layer).await;
                    judge(&mut check, manifest, target, keys, signed);
                }
            }
            Err(flawed) => judge(&mut check, manifest, target, keys, Err(flawed)),
        }
    }
    if attached.beyond > 0 {
        let read = attached.manifests.len();
        check.unread = Some(format!(
            "{} more manifests may be signatures of it than the {read} that are read: remove those that nobody needs",
            attached.beyond
        ));
    }
    check
}

fn judge(
    check: &mut SignatureCheck,
    manifest: &Digest,
    target: &Digest,
    keys: &[VerifyingKey],
    signed: Result<Option<Signed>, Flawed>,
) {
    let signed = match signed {
        Ok(Some(signed)) => signed,
        // It says something else about the target than that somebody signs it.
        Ok(None) => return,
        Err(Flawed::Unread(why)) => return check.unread = Some(format!("signature {manifest}: {why}")),
        Err(Flawed::Useless(why)) => return check.note(manifest, why),
    };
    if !signed.names.contains(target) {
        let named = signed.names.first().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        return check.note(manifest, format!("what was signed names {named}"));
    }
    match keys.iter().find(|key| key.verifies(&signed.message, &signed.signature)) {
        Some(key) => check.verified_by(key.name()),
        None => check.note(manifest, "none of the keys verifies it"),
    }
}

/// The layers of a manifest that hold signatures.
async fn layers(content: &dyn Content, repository: &RepositoryName, manifest: &Digest) -> Result<Vec<Layer>, Flawed> {
    let document = content.manifest(repository, manifest).await.map_err(lost)?;
    // Whoever answers is not believed: it is held to its name here once more.
    if !manifest.matches(&document.bytes) {
        return Err(Flawed::Useless("its manifest's bytes do not hash to its digest".to_owned()));
    }
    words::layers(&document.bytes).map_err(Flawed::Useless)
}

/// What a layer says was signed, and the signature; none where it says something else.
async fn signed(content: &dyn Content, repository: &RepositoryName, layer: &Layer) -> Result<Option<Signed>, Flawed> {
    if layer.size > MOST_BYTES {
        return Err(Flawed::Useless(format!("its layer has {} bytes, more than any signature", layer.size)));
    }
    let mut whole = Whole { bytes: BytesMut::new(), most: layer.size };
    let read = content.blob(repository, &layer.digest, 0, &mut whole).await;
    if whole.bytes.len() as u64 > layer.size {
        return Err(Flawed::Useless("its layer has more bytes than its manifest names".to_owned()));
    }
    read.map_err(lost)?;
    let bytes: Bytes = whole.bytes.freeze();
    if !layer.digest.matches(&bytes) {
        return Err(Flawed::Useless("its layer's bytes do not hash to their digest".to_owned()));
    }
    words::signed(layer, &bytes).map_err(Flawed::Useless)
}

fn lost(lost: Lost) -> Flawed {
    match lost {
        Lost::NotFound => Flawed::Useless("not all of it is there".to_owned()),
        Lost::Wrong(detail) => Flawed::Useless(detail),
        Lost::Unknown(fault) => Flawed::Unread(fault.detail),
    }
}

/// A small blob, whole, and no more than its manifest names.
struct Whole {
    bytes: BytesMut,
    most: u64,
}

#[async_trait]
impl Taker for Whole {
    async fn begin(&mut self, at: u64) -> Result<(), Fault> {
        match at {
            0 => Ok(()),
            _ => Err(Fault::malformed("another part of the blob than was asked for")),
        }
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), Fault> {
        let room = usize::try_from(self.most + 1).unwrap_or(usize::MAX).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        match self.bytes.len() as u64 > self.most {
            true => Err(Fault::new(Cause::Malformed, "more bytes than its manifest names")),
            false => Ok(()),
        }
    }
}
