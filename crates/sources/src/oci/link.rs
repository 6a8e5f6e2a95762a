//! `Link: <…>; rel="next"`, the only sign that a list goes on (C85, F16, F17).

use reqwest::header::{self, HeaderMap};
use url::Url;

use super::fault::Fault;
use super::host::redacted;

/// A cursor longer than this is no cursor.
const MOST_BYTES: usize = 16 << 10;

/// The next page, if the answer names one. The cursor in it is the registry's business and is sent back as it came.
pub(super) fn next_page(from: &Url, headers: &HeaderMap) -> Result<Option<Url>, Fault> {
    for value in headers.get_all(header::LINK) {
        let at = redacted(from);
        let Some(text) = value.to_str().ok().filter(|text| text.len() <= MOST_BYTES) else {
            return Err(Fault::malformed(format!("{at}: a Link header that cannot be read, so the list may go on")));
        };
        let target = next_target(text).map_err(|()| {
            Fault::malformed(format!("{at}: a Link header that cannot be read, so the list may go on"))
        })?;
        let Some(target) = target else { continue };
        let url = from.join(target).map_err(|_| Fault::malformed(format!("{at}: a next page that is no address")))?;
        // Credentials would go with it (F15).
        if url.origin() != from.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::refused(format!(
                "{at}: the next page of the list is at {}://{}, another origin, and is not followed; if a proxy is \
                 in between, make it rewrite Link headers",
                url.scheme(),
                url.host_str().unwrap_or_default(),
            )));
        }
        return Ok(Some(url));
    }
    Ok(None)
}

/// Reads RFC 8288: `<target>; name=value; …, <target>; …`.
fn next_target(text: &str) -> Result<Option<&str>, ()> {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (target, after) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or(())?;
        let (parameters, after) = split_link(after);
        let is_next = parameters.iter().any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Ok(Some(target));
        }
        rest = after.trim_start();
    }
    Ok(None)
}

/// The parameters of one link, and what follows its comma. Quoted strings may hold both separators.
fn split_link(text: &str) -> (Vec<&str>, &str) {
    let (mut parameters, mut start, mut quoted) = (Vec::new(), 0, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' | b',' if !quoted => {
                parameters.push(&text[start..index]);
                start = index + 1;
                if byte == b',' {
                    return (parameters, &text[start..]);
                }
            }
            _ => {}
        }
    }
    parameters.push(&text[start..]);
    (parameters, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::Cause;

    fn next(link: &str) -> Result<Option<String>, Cause> {
        let mut headers = HeaderMap::new();
        headers.insert(header::LINK, link.parse().unwrap());
        let from = "https://r.example/v2/a/tags/list?n=1000".parse().unwrap();
        next_page(&from, &headers).map(|url| url.map(|url| url.to_string())).map_err(|fault| fault.cause)
    }

    #[test]
    fn links_are_followed_verbatim_within_the_origin_f15_f17() {
        let cursor = "https://r.example/v2/a/tags/list?last=%2Fa%2520b+c&n=7";
        for link in [
            "</v2/a/tags/list?last=%2Fa%2520b+c&n=7>; rel=\"next\"",
            "<?last=%2Fa%2520b+c&n=7>; rel=next",
            "<https://r.example/v2/a/tags/list?last=%2Fa%2520b+c&n=7>;rel=\"prev next\"",
            "<https://r.example:443/v2/a/tags/list?last=%2Fa%2520b+c&n=7>; title=\"a, b; c\"; REL=Next",
            "</first>; rel=first, <list?last=%2Fa%2520b+c&n=7>; rel=\"next\"",
        ] {
            assert_eq!(next(link), Ok(Some(cursor.to_owned())), "{link}");
        }
        assert_eq!(next("</x>; rel=\"prev\""), Ok(None));
        for link in ["</x; rel=next", "x; rel=next", "<https://[>; rel=next"] {
            assert_eq!(next(link), Err(Cause::Malformed), "{link}");
        }
        for link in
            ["<https://evil.example/x>; rel=next", "<http://r.example/x>; rel=next", "<//evil.example/x>; rel=next"]
        {
            assert_eq!(next(link), Err(Cause::Refused), "{link}");
        }
    }
}
