//! What may leave this process towards the bucket, and what may come back, decided at the HTTP layer.

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

use prodpin_net::aws::{Allowed, RequestBlocked};

/// A page of 1,000 versions with the longest keys, every byte of them escaped, is a fourth of it.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// Which requests may be sent. Whatever the rest of the code comes to do, a deletion never passes (I17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// GET and HEAD.
    ReadOnly,
    /// GET and HEAD, and the two writes that are pins: a version's legal hold and a version's tags.
    Pins,
    /// The same, and the hold may be taken off again.
    Releases,
    /// The same as `Pins`, and an object may be put where none is.
    Restores,
}

impl Gate {
    fn check(self, method: &str, uri: &str) -> Result<(), RequestBlocked> {
        let fail = |reason| Err(RequestBlocked { what: method.to_owned(), reason });
        match (self, method) {
            (_, "GET" | "HEAD") => Ok(()),
            (Self::ReadOnly, _) => fail("this source was opened for reading only"),
            (Self::Pins | Self::Releases | Self::Restores, "PUT") if is_pin(uri) => Ok(()),
            (Self::Restores, _) => fail("it neither pins an exact version nor creates an object where none is"),
            (Self::Pins | Self::Releases, _) => fail("it is neither a legal hold nor a tag on one exact version"),
        }
    }
}

/// A pin's subresource, and an exact version: never "whatever is newest" (I8).
fn is_pin(uri: &str) -> bool {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let names: Vec<&str> = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name)).collect();
    names.contains(&"versionId") && (names.contains(&"legal-hold") || names.contains(&"tagging"))
}

/// An object's own address and a condition that nothing is there: what stands there is never written over (I8, I27).
fn creates(request: &HttpRequest) -> bool {
    let uri = request.uri();
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let is_plain = query.split('&').all(|pair| pair.is_empty() || pair == "x-id=PutObject");
    let headers = request.headers();
    let only_if_none = headers.get("if-none-match") == Some("*");
    request.method() == "PUT" && is_plain && only_if_none && headers.get("x-amz-copy-source").is_none()
}

/// Whether the document sets a legal hold to anything but on.
fn lets_go(body: &[u8]) -> bool {
    let has = |text: &[u8]| body.windows(text.len()).any(|window| window == text);
    has(b"<LegalHold") && !has(b"<Status>ON</Status>")
}

impl Allowed for Gate {
    fn allows(&self, request: &HttpRequest) -> Result<(), RequestBlocked> {
        if self == &Self::Restores && creates(request) {
            return Ok(());
        }
        self.check(request.method(), request.uri())?;
        // What a run writes there only ever holds.
        let takes_off =
            self != &Self::Releases && request.method() == "PUT" && request.body().bytes().is_some_and(lets_go);
        match takes_off {
            true => Err(RequestBlocked { what: "PUT".to_owned(), reason: "it takes a legal hold off" }),
            false => Ok(()),
        }
    }
}

/// Refuses an XML answer that stops early. The SDK reads such a document as one with fewer elements: a listing cut
/// short would look complete, and what was cut off deleted (F3, F4).
#[derive(Debug)]
pub(super) struct WholeAnswer;

/// An answer that ends before its root element does.
#[derive(Debug, thiserror::Error)]
#[error("the answer is not a whole XML document")]
pub(super) struct CutShort;

impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        match response.body().bytes() {
            Some(body) if response.status().is_success() && !is_whole(body) => Err(CutShort.into()),
            _ => Ok(()),
        }
    }
}

/// Whether the text ends with the end tag of its root element. An empty body is whole: HEAD and PUT answers have none. A
/// bucket's policy comes as JSON, and what is no whole document of it is refused where it is read.
pub(super) fn is_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    if body.is_empty() || (body.starts_with(b"{") && body.ends_with(b"}")) {
        return true;
    }
    let Some((name, element)) = root(body) else { return false };
    let Some(rest) = element.strip_suffix(b">").map(<[u8]>::trim_ascii_end) else { return false };
    let is_closed = rest.strip_suffix(name).is_some_and(|front| front.ends_with(b"</"));
    // `<Root/>`: nothing was in it, so nothing is cut off.
    is_closed || (rest.ends_with(b"/") && !rest[1..].contains(&b'<'))
}

/// The name of the root element.
pub(super) fn root_name(body: &[u8]) -> Option<&[u8]> {
    root(body.trim_ascii()).map(|(name, _)| name)
}

/// The root element's name, and the text from its start on.
fn root(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    while rest.starts_with(b"<?") || rest.starts_with(b"<!") {
        let end = rest.iter().position(|byte| *byte == b'>')?;
        rest = rest[end + 1..].trim_ascii_start();
    }
    let name = rest.strip_prefix(b"<")?;
    let end = name.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))?;
    (end > 0).then_some((&name[..end], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_and_pins_of_exact_versions_pass_i17_i8() {
        let hold = "https://b.s3.amazonaws.com/k?legal-hold&versionId=1";
        let tags = "https://b.s3.amazonaws.com/k?tagging&versionId=1";
        for method in ["GET", "HEAD"] {
            assert!(Gate::ReadOnly.check(method, hold).is_ok());
        }
        for (method, uri) in [("PUT", hold), ("PUT", tags), ("POST", hold), ("DELETE", hold)] {
            assert!(Gate::ReadOnly.check(method, uri).is_err());
        }
        assert!(Gate::Pins.check("PUT", hold).is_ok());
        assert!(Gate::Pins.check("PUT", tags).is_ok());
        for (method, uri) in [
            ("DELETE", hold),
            ("POST", tags),
            ("PUT", "https://b.s3.amazonaws.com/k"),
            ("PUT", "https://b.s3.amazonaws.com/k?legal-hold"),
            ("PUT", "https://b.s3.amazonaws.com/?lifecycle"),
            ("PUT", "https://b.s3.amazonaws.com/k?retention&versionId=1"),
            ("PUT", "https://b.s3.amazonaws.com/k?x=legal-hold&versionId=1"),
        ] {
            assert!(Gate::Pins.check(method, uri).is_err(), "{method} {uri}");
        }
    }

    #[test]
    fn a_run_takes_no_hold_off_i1() {
        let hold = |status: &str| format!("<LegalHold xmlns=\"x\"><Status>{status}</Status></LegalHold>");
        assert!(!lets_go(hold("ON").as_bytes()));
        for other in ["OFF", "off", "", "ON "] {
            assert!(lets_go(hold(other).as_bytes()), "{other:?}");
        }
        assert!(!lets_go(b"<Tagging><TagSet/></Tagging>"));
        let uri = "https://b.s3.amazonaws.com/k?legal-hold&versionId=1";
        assert!(Gate::Releases.check("PUT", uri).is_ok());
        assert!(Gate::Releases.check("DELETE", uri).is_err());
    }

    #[test]
    fn an_object_is_put_only_where_none_is_i8_i27() {
        let put = |uri: &str, headers: &[(&'static str, &'static str)]| {
            let mut request = HttpRequest::empty();
            request.set_method("PUT").unwrap();
            request.set_uri(uri).unwrap();
            headers.iter().for_each(|(name, value)| _ = request.headers_mut().insert(*name, *value));
            request
        };
        let plain = "https://b.s3.amazonaws.com/k?x-id=PutObject";
        let none = ("if-none-match", "*");
        let allowed = put(plain, &[none]);
        assert!(Gate::Restores.allows(&allowed).is_ok());
        for gate in [Gate::ReadOnly, Gate::Pins, Gate::Releases] {
            assert!(gate.allows(&allowed).is_err(), "{gate:?}");
        }
        for (uri, headers) in [
            (plain, &[][..]),
            (plain, &[("if-none-match", "\"etag\"")]),
            (plain, &[none, ("x-amz-copy-source", "b/k")]),
            ("https://b.s3.amazonaws.com/k?acl", &[none]),
            ("https://b.s3.amazonaws.com/k?retention&versionId=1", &[none]),
            ("https://b.s3.amazonaws.com/k?partNumber=1&uploadId=x", &[none]),
        ] {
            assert!(Gate::Restores.allows(&put(uri, headers)).is_err(), "{uri} {headers:?}");
        }
        assert!(Gate::Restores.check("PUT", "https://b.s3.amazonaws.com/k?legal-hold&versionId=1").is_ok());
        assert!(Gate::Restores.check("DELETE", "https://b.s3.amazonaws.com/k").is_err());
    }

    #[test]
    fn a_document_cut_short_is_told_from_a_whole_one_f4() {
        for whole in [
            "",
            "<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><B/></A>\n",
            "<A/>",
            "<?xml version=\"1.0\"?><A xmlns=\"x\" />",
            "<A></A >",
        ] {
            assert!(is_whole(whole.as_bytes()), "{whole:?}");
        }
        for cut in ["<A><B/>", "<A><B>x</B>", "<A", "<?xml version=\"1.0\"?>", "<A><C/><B/>", "plain", "<A></B>"] {
            assert!(!is_whole(cut.as_bytes()), "{cut:?}");
        }
    }
}
