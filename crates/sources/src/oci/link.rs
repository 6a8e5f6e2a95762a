//! `Link: <…>; rel="next"`, the only sign that a list goes on (C85, F16, F17).

use reqwest::header::{self, HeaderMap};
use url::Url;

use super::fault::Fault;
use super::host::redacted;

/// A cursor longer than this is no cursor.
const MOST_BYTES: usize = 16 << 10;

/// The next page, if the answer names one. The cursor in it is the registry's business and is sent back as it came. A
/// link that is not understood is a fault: it may have been the next page, and the list is not known to end.
pub(super) fn next_page(from: &Url, headers: &HeaderMap) -> Result<Option<Url>, Fault> {
    let unread = || {
        let at = redacted(from);
        Fault::malformed(format!("{at}: a Link header that cannot be read, so the list may go on"))
    };
    let mut unclear = false;
    for value in headers.get_all(header::LINK) {
        let text = value.to_str().ok().filter(|text| text.len() <= MOST_BYTES).ok_or_else(unread)?;
        match read_links(text).map_err(|()| unread())? {
            Links::Next(target) => return next_url(from, target).map(Some),
            Links::Unclear(targets) => {
                // Some proxies drop the relation. What leads on in this very list can be nothing but its next page.
                if let Some(next) = targets.into_iter().find_map(|target| leads_on(from, target)) {
                    return Ok(Some(next));
                }
                unclear = true;
            }
            Links::Others => {}
        }
    }
    match unclear {
        true => Err(Fault::malformed(format!(
            "{}: a Link header without a relation that is known (`rel=\"next\"`), so the list may go on; make whatever is \
             in between leave Link headers as the registry sends them",
            redacted(from)
        ))),
        false => Ok(None),
    }
}

/// The address of a link without a relation, if it is this list's from some name or place on.
fn leads_on(from: &Url, target: &str) -> Option<Url> {
    const PLACES: [&str; 9] =
        ["last", "marker", "next", "next_page", "page_token", "pagetoken", "continuation", "cursor", "after"];
    let url = next_url(from, target).ok()?;
    let names_place = url.query_pairs().any(|(name, place)| {
        let name = name.to_ascii_lowercase();
        PLACES.contains(&name.as_str()) && !place.is_empty()
    });
    (url.path() == from.path() && url != *from && names_place).then_some(url)
}

/// The address of the next page, which may be nowhere but on the same server (F15).
fn next_url(from: &Url, target: &str) -> Result<Url, Fault> {
    let at = redacted(from);
    let url = from.join(target).map_err(|_| Fault::malformed(format!("{at}: a next page that is no address")))?;
    if url.origin() != from.origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::refused(format!(
            "{at}: the next page of the list is at {}://{}, another origin, and is not followed; if a proxy is in between, \
             make it rewrite Link headers",
            url.scheme(),
            url.host_str().unwrap_or_default(),
        )));
    }
    Ok(url)
}

/// What the links of one header lead to.
enum Links<'a> {
    /// To the next page.
    Next(&'a str),
    /// To nothing that a list goes on with.
    Others,
    /// To something of which nobody knows what it is: it may be the next page. Where no relation is named at all, this is
    /// where to.
    Unclear(Vec<&'a str>),
}

/// Relations to pages other than what comes next. With any other one, it is not known that nothing follows.
const NOT_NEXT: [&str; 24] = [
    "about",
    "alternate",
    "author",
    "canonical",
    "collection",
    "contents",
    "current",
    "deprecation",
    "describedby",
    "dns-prefetch",
    "first",
    "help",
    "index",
    "last",
    "license",
    "preconnect",
    "prefetch",
    "preload",
    "prev",
    "previous",
    "self",
    "service-desc",
    "service-doc",
    "start",
];

/// Reads RFC 8288: `<target>; name=value; …, <target>; …`.
fn read_links(text: &str) -> Result<Links<'_>, ()> {
    let (mut rest, mut unclear) = (text.trim_start_matches([' ', '\t', ',']), false);
    let mut unnamed = Vec::new();
    while !rest.is_empty() {
        let (target, after) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or(())?;
        let (parameters, after) = split_link(after);
        let relations: Vec<String> = parameters.iter().flat_map(|parameter| relations_of(parameter)).collect();
        if relations.iter().any(|relation| relation == "next") {
            return Ok(Links::Next(target));
        }
        if relations.is_empty() && !parameters.iter().any(|parameter| names_reverse(parameter)) {
            unnamed.push(target);
        }
        unclear |= relations.is_empty() || !relations.iter().all(|relation| NOT_NEXT.contains(&relation.as_str()));
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(if unclear { Links::Unclear(unnamed) } else { Links::Others })
}

/// Whether a parameter says what this page is to the other one, and so not what the other one is.
fn names_reverse(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("rev"))
}

/// The relations that a parameter names, in lowercase; none if it is another one. Quotes of either kind are taken: a
/// server that writes `rel='next'` means what it says.
fn relations_of(parameter: &str) -> Vec<String> {
    let Some((name, value)) = parameter.split_once('=') else { return Vec::new() };
    if !matches!(name.trim().to_ascii_lowercase().as_str(), "rel" | "rel*") {
        return Vec::new();
    }
    let value = value.trim();
    // RFC 8187: `charset'language'value`.
    let value = match name.trim().ends_with('*') {
        true => value.rsplit('\'').next().unwrap_or_default(),
        false => value,
    };
    let value: String = value.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    value.split_ascii_whitespace().map(str::to_ascii_lowercase).collect()
}

/// The parameters of one link, and what follows its comma. Quoted strings may hold both separators.
fn split_link(text: &str) -> (Vec<&str>, &str) {
    let (mut parameters, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
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
            "<?last=%2Fa%2520b+c&n=7> ; rel = \"next\" ",
            "<?last=%2Fa%2520b+c&n=7>; rel='next'",
            "<?last=%2Fa%2520b+c&n=7>; rel=\"ne\\xt\"",
            "<?last=%2Fa%2520b+c&n=7>; rel*=UTF-8''next",
            "<?last=%2Fa%2520b+c&n=7>; title=\"a \\\"; rel=prev, \"; rel=\"http://x/y NEXT\"",
            "</x>, <?last=%2Fa%2520b+c&n=7>; rel=next",
            ",, <?last=%2Fa%2520b+c&n=7>; rel=next; ",
        ] {
            assert_eq!(next(link), Ok(Some(cursor.to_owned())), "{link}");
        }
        // Without a relation, what leads on in this very list is its next page.
        for link in [
            "</v2/a/tags/list?last=%2Fa%2520b+c&n=7>",
            "<https://r.example/v2/a/tags/list?last=%2Fa%2520b+c&n=7>; title=\"more\"",
            "<?last=%2Fa%2520b+c&n=7>; rel=\"\"",
            "</about>; rel=help, <list?last=%2Fa%2520b+c&n=7>",
        ] {
            assert_eq!(next(link), Ok(Some(cursor.to_owned())), "{link}");
        }
        for link in [
            "</v2/a/tags/list>",
            "</v2/a/tags/list?n=1000>",
            "</v2/a/tags/list?n=7&last=>",
            "</v2/b/tags/list?last=x>",
            "</v2/_catalog?last=x>",
            "<?last=x>; rev=next",
            "<?last=x>; rel=more",
            "<https://evil.example/v2/a/tags/list?last=x>",
        ] {
            assert_eq!(next(link), Err(Cause::Malformed), "{link}");
        }
        assert_eq!(next("</x>; rel=\"prev\""), Ok(None));
        for link in ["", ",", "</x>; rel=first, </y>; rel=\"last self\""] {
            assert_eq!(next(link), Ok(None), "{link}");
        }
        for link in [
            "</x; rel=next",
            "x; rel=next",
            "<https://[>; rel=next",
            // What it leads to is not known: it may be the next page.
            "</x>",
            "</x>; title=next",
            "</x>; rel",
            "</x>; rel=\"\"",
            "</x>; rel=\"http://x/next\"",
            "</x>; rel=more",
            "</x>; rel=prev, </y>",
            "</x>; rev=next",
        ] {
            assert_eq!(next(link), Err(Cause::Malformed), "{link}");
        }
        for link in
            ["<https://evil.example/x>; rel=next", "<http://r.example/x>; rel=next", "<//evil.example/x>; rel=next"]
        {
            assert_eq!(next(link), Err(Cause::Refused), "{link}");
        }
    }

    const LINKS: &[&str] = &[
        "</v2/a/tags/list?last=b&n=7>; rel=\"next\"",
        "<https://r.example/v2/a/tags/list?last=b>; title=\"a, b; c\"; rel=next, </first>; rel=first",
        "</v2/a/tags/list?next_page=x>",
    ];

    proptest::proptest! {
        /// Whatever a header says: what is followed is on the same server, and what is not understood is no end (F15).
        #[test]
        fn any_link_leads_to_the_same_server_or_is_told(link in crate::mangled::mangled(LINKS)) {
            let Ok(value) = header::HeaderValue::from_bytes(&link) else { return Ok(()) };
            let from: Url = "https://r.example/v2/a/tags/list?n=1000".parse().unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header::LINK, value);
            if let Ok(Some(next)) = next_page(&from, &headers) {
                proptest::prop_assert_eq!(next.origin(), from.origin());
                proptest::prop_assert!(next.username().is_empty() && next.password().is_none());
            }
        }
    }
}
