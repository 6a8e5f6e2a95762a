//! Redirects are followed by hand: reqwest follows none, because each hop is a decision (F7, F8, F11, F15).

use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap};
use url::Url;

use super::fault::Fault;
use super::place::redacted;

/// How far a call may be sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// Nowhere: writes, tokens, lists.
    None,
    /// To another path of the same origin: manifests.
    SameOrigin,
    /// To wherever the server keeps its content; credentials stay behind.
    Anywhere,
}

/// More hops than this are a loop (F11).
pub const MOST_HOPS: u32 = 3;

/// Whether a status sends the client elsewhere.
pub fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where an answer sends the call on, if that may be followed.
pub fn next(from: &Url, headers: &HeaderMap, rule: Redirects, hop: u32) -> Result<Url, Fault> {
    let at = redacted(from);
    if rule == Redirects::None {
        let to = headers.get(header::LOCATION).and_then(|value| from.join(value.to_str().ok()?).ok());
        let host = to.as_ref().and_then(Url::host_str).map_or_else(String::new, |host| format!(" to {host}"));
        return Err(Fault::refused(format!(
            "{at}: the answer is a redirect{host}, and none is followed for this call; a login page or a proxy may stand \
             in between"
        )));
    }
    if hop >= MOST_HOPS {
        return Err(Fault::refused(format!("{at}: more than {MOST_HOPS} redirects in a row")));
    }
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(to) = location.and_then(|location| from.join(location).ok()) else {
        return Err(Fault::malformed(format!("{at}: a redirect without a usable Location")));
    };
    let host = to.host_str().unwrap_or("no host");
    if !matches!(to.scheme(), "https" | "http") {
        return Err(Fault::refused(format!("{at}: a redirect to something that is neither https nor http")));
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(Fault::refused(format!(
            "{at}: a redirect from https down to http at {host}; have the server send to an https address"
        )));
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err(Fault::refused(format!("{at}: a redirect to {host} with a user name in its address")));
    }
    if rule == Redirects::SameOrigin && to.origin() != from.origin() {
        return Err(Fault::refused(format!(
            "{at}: a redirect to another host, {host}, which is not allowed for this call"
        )));
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::Cause;

    fn go(from: &str, to: &str, rule: Redirects, hop: u32) -> Result<String, Cause> {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, to.parse().unwrap());
        next(&from.parse().unwrap(), &headers, rule, hop).map(|url| url.to_string()).map_err(|fault| fault.cause)
    }

    #[test]
    fn each_hop_is_judged_f7_f8_f11() {
        use Redirects::{Anywhere, None, SameOrigin};
        let from = "https://r.example/v2/a/blobs/x";
        assert_eq!(go(from, "https://cdn.example/y?sig=1", Anywhere, 0), Ok("https://cdn.example/y?sig=1".to_owned()));
        assert_eq!(go(from, "/elsewhere", SameOrigin, 0), Ok("https://r.example/elsewhere".to_owned()));
        for (to, rule, hop) in [
            ("https://cdn.example/y", SameOrigin, 0),
            ("https://r.example:444/y", SameOrigin, 0),
            ("http://r.example/y", Anywhere, 0),
            ("http://cdn.example/y", Anywhere, 0),
            ("file:///etc/passwd", Anywhere, 0),
            ("https://user:pass@cdn.example/y", Anywhere, 0),
            ("https://cdn.example/y", Anywhere, MOST_HOPS),
            ("/same", None, 0),
        ] {
            assert_eq!(go(from, to, rule, hop), Err(Cause::Refused), "{to}");
        }
        assert_eq!(go(from, "https://[", Anywhere, 0), Err(Cause::Malformed));
    }
}
