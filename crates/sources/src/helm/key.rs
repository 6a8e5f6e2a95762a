//! Which key of its bucket an address in the index names.

use prodpin_core::model::{Cause, Tag};
use prodpin_policy::HelmBucket;

/// The key that a URL of the index names, if it is one of this bucket.
pub(super) fn key_of(place: &HelmBucket, url: Option<&str>) -> Result<Tag, (Cause, String)> {
    let url = url.ok_or_else(|| (Cause::Malformed, "the index names no address for the archive".to_owned()))?;
    let key = match url.split_once("://") {
        None => match url.strip_prefix('/') {
            Some(rest) => decoded(rest),
            None => decoded(url).map(|rest| format!("{}{rest}", place.prefix)),
        },
        Some(("s3", rest)) => match rest.split_once('/') {
            Some((bucket, key)) if bucket == place.bucket => decoded(key),
            _ => {
                let detail = "the index names an archive in another bucket; add that bucket as a source of its own";
                return Err((Cause::Refused, detail.to_owned()));
            }
        },
        Some((scheme, _)) => {
            let detail = format!(
                "the index names an archive by a {scheme:.20} address, and only those in the bucket itself are read; have it \
                 name them by relative addresses"
            );
            return Err((Cause::Refused, detail));
        }
    };
    let key = key.and_then(|key| key.parse().ok());
    key.ok_or_else(|| (Cause::Malformed, "the index names an archive by something that is no key".to_owned()))
}

/// `%2B` as `+`; a `%` that begins nothing is itself.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|digits| *byte == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(plain) => {
                bytes.push(plain);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}
