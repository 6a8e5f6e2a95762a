//! Whether an event comes from whom the policy expects: compared in a time that tells nothing of where it differs. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};

use crate::policy::{Secret, SenderProof};

/// What is known before the body is read: a sender who cannot prove itself by then is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It has proven itself.
    Admitted,
    /// The body will tell.
    ByBody,
    /// It has not.
    Refused,
}

/// By address and headers. `path` is what follows the source's name in the address.
pub(super) fn before(proof: &SenderProof, path: Option<&str>, headers: &HeaderMap) -> Admission {
    let proven = match proof {
        SenderProof::Bearer(secret) => path.is_none() && by_header(secret, headers),
        SenderProof::Path(secret) => path.is_some_and(|path| same(path.as_bytes(), secret.expose().as_bytes())),
        SenderProof::Signature(_) if path.is_none() && headers.contains_key(SIGNATURE) => return Admission::ByBody,
        SenderProof::Signature(_) => false,
    };
    if proven { Admission::Admitted } else { Admission::Refused }
}

const SIGNATURE: &str = "x-hub-signature-256";

/// By the body's signature, where that is what proves it.
pub(super) fn of_body(proof: &SenderProof, headers: &HeaderMap, body: &[u8]) -> bool {
    let SenderProof::Signature(secret) = proof else { return true };
    let given = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()?.strip_prefix("sha256="));
    let Some(given) = given else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return false };
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    same(given.to_ascii_lowercase().as_bytes(), hex.as_bytes())
}

/// `Authorization: SECRET`, `Bearer SECRET`, or `Basic` with the secret as password: senders differ in what they can set.
fn by_header(secret: &Secret, headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(AUTHORIZATION).map(|value| value.as_bytes().trim_ascii()) else { return false };
    let (scheme, rest) = match value.iter().position(|byte| *byte == b' ') {
        Some(at) => (&value[..at], value[at..].trim_ascii()),
        None => (&b""[..], value),
    };
    let given = match scheme.to_ascii_lowercase().as_slice() {
        b"" | b"bearer" | b"token" => rest.to_vec(),
        b"basic" => match STANDARD.decode(rest) {
            Ok(decoded) => match decoded.iter().position(|byte| *byte == b':') {
                Some(at) => decoded[at + 1..].to_vec(),
                None => return false,
            },
            Err(_) => return false,
        },
        _ => return false,
    };
    same(&given, secret.expose().as_bytes())
}

/// Compared by hash: how long it takes says nothing about the secret.
fn same(given: &[u8], secret: &[u8]) -> bool {
    Sha256::digest(given) == Sha256::digest(secret)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const TOKEN: &str = "a-token-of-the-registry";

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(hyper::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_header_may_hold_the_secret_as_senders_can_set_it() {
        let proof = SenderProof::Bearer(Secret::new(TOKEN));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let proven = [
            TOKEN.to_owned(),
            format!("Bearer {TOKEN}"),
            format!("bearer  {TOKEN}"),
            format!("Token {TOKEN}"),
            basic(&format!("registry:{TOKEN}")),
            basic(&format!(":{TOKEN}")),
        ];
        for value in proven {
            assert_eq!(before(&proof, None, &headers("authorization", &value)), Admission::Admitted, "{value}");
            assert_eq!(before(&proof, Some("x"), &headers("authorization", &value)), Admission::Refused, "{value}");
        }
        let refused = [
            "",
            "Bearer",
            "Bearer a-token-of-the-registr",
            &basic(TOKEN),
            "Basic %%%",
            "Digest a-token-of-the-registry",
        ];
        for value in refused {
            assert_eq!(before(&proof, None, &headers("authorization", value)), Admission::Refused, "{value}");
        }
        assert_eq!(before(&proof, None, &HeaderMap::new()), Admission::Refused);
    }

    #[test]
    fn a_path_proves_itself_whole() {
        let proof = SenderProof::Path(Secret::new(TOKEN));
        assert_eq!(before(&proof, Some(TOKEN), &HeaderMap::new()), Admission::Admitted);
        for path in [None, Some(""), Some("a-token"), Some("a-token-of-the-registry/")] {
            assert_eq!(before(&proof, path, &headers("authorization", TOKEN)), Admission::Refused, "{path:?}");
        }
    }

    /// The example of GitHub's documentation.
    #[test]
    fn a_signature_is_githubs() {
        let proof = SenderProof::Signature(Secret::new("It's a Secret to Everybody"));
        let signed = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let given = headers(SIGNATURE, signed);
        assert_eq!(before(&proof, None, &given), Admission::ByBody);
        assert!(of_body(&proof, &given, b"Hello, World!"));
        assert!(!of_body(&proof, &given, b"Hello, World"));
        assert!(!of_body(&proof, &headers(SIGNATURE, &signed[7..]), b"Hello, World!"));
        assert!(!of_body(&proof, &HeaderMap::new(), b"Hello, World!"));
        assert_eq!(before(&proof, None, &HeaderMap::new()), Admission::Refused);
    }
}
