//! What a 401 asks for, and whether the realm it names may see the credentials (C93, F13, F14).

use reqwest::header::{self, HeaderMap};
use url::Url;

use super::fault::Fault;
use super::host::{RegistryHost, is_loopback, redacted};
use prodpin_core::model::Marks;

/// A way to authenticate, as the registry offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    /// A token from a server that the registry chose.
    Bearer {
        realm: Url,
        service: Option<String>,
    },
}

/// A longer header is nothing that a registry sends.
const MOST_BYTES: usize = 8 << 10;

/// The best scheme that an answer offers: tokens before passwords. `None` if it offers none that is known. A token that
/// nobody can be asked for is no offer beside a password. `base` is the registry's own address: some name their realm by
/// its path alone.
pub(super) fn offered(base: &Url, headers: &HeaderMap) -> Result<Option<Scheme>, Fault> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    let challenges: Vec<Challenge> = values.filter(|value| value.len() <= MOST_BYTES).flat_map(parse).collect();
    let of_scheme =
        |name: &'static str| challenges.iter().filter(move |challenge| challenge.scheme.eq_ignore_ascii_case(name));
    let usable = |bearer: &Challenge| {
        let realm = bearer.parameter("realm").filter(|realm| !realm.trim().is_empty())?;
        let realm = base.join(realm).ok()?;
        let service = bearer.parameter("service").map(str::to_owned);
        (matches!(realm.scheme(), "https" | "http") && realm.has_host()).then_some(Scheme::Bearer { realm, service })
    };
    if let Some(bearer) = of_scheme("bearer").find_map(usable) {
        return Ok(Some(bearer));
    }
    if of_scheme("basic").next().is_some() {
        return Ok(Some(Scheme::Basic));
    }
    match of_scheme("bearer").next() {
        Some(_) => Err(Fault::malformed("the registry asks for a token and names no usable realm to get it from")),
        None => Ok(None),
    }
}

/// What a challenge shows of the registry's kind, whether or not it can be answered.
pub(super) fn note_challenge(headers: &HeaderMap, marks: &mut Marks) {
    let values = headers.get_all(header::WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    for challenge in values.filter(|value| value.len() <= MOST_BYTES).flat_map(parse) {
        let parameter = |name: &str| challenge.parameter(name).map(str::to_owned);
        if challenge.scheme.eq_ignore_ascii_case("bearer") {
            marks.token_realm = parameter("realm");
            marks.token_service = parameter("service");
        } else if challenge.scheme.eq_ignore_ascii_case("basic") {
            marks.basic_realm = parameter("realm");
        }
    }
}

/// Whether this realm may be asked for a token, with whatever credentials there are. The registry chooses the realm,
/// so that a hostile one would harvest passwords if any realm were taken. Another port of the same host is another server,
/// which somebody else may run. An entry of `token_realms` that names a port means that one, else whatever runs on the host.
pub(super) fn realm_allowed(registry: &RegistryHost, realm: &Url, allowed: &[String]) -> Result<(), Fault> {
    let host = realm.host_str().unwrap_or_default();
    if !realm.username().is_empty() || realm.password().is_some() {
        return Err(Fault::refused(format!("the registry names a token realm at {host} with a user name in it")));
    }
    if realm.scheme() == "http" && !(registry.is_plain() && (registry.is_loopback() == is_loopback(realm))) {
        return Err(Fault::refused(format!(
            "the registry names the token realm {} without TLS, where everyone on the way would see the credentials; \
             have its realm set to an https address",
            redacted(realm)
        )));
    }
    let port = realm.port_or_known_default();
    let with_port = format!("{host}:{}", port.unwrap_or_default());
    let named = allowed.iter().any(|name| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(&with_port));
    let paired = realm.port().is_none()
        && match registry.host() {
            "registry.gitlab.com" => host == "gitlab.com",
            _ => registry.is_hub() && host == "auth.docker.io",
        };
    let is_own = host == registry.host() && port == registry.url().port_or_known_default();
    if is_own || named || paired {
        return Ok(());
    }
    let (at, other, entry) = match host == registry.host() {
        true => (with_port.as_str(), "another port than its own", format!("{with_port:?}")),
        false => (host, "another host than its own", host.to_owned()),
    };
    Err(Fault::refused(format!(
        "the registry sends for tokens to {at}, {other}, which would see the credentials; if that is meant, add \
         `token_realms: [{entry}]` to the source"
    )))
}

/// One challenge of a `WWW-Authenticate` header.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Reads `Scheme key="value", key=value, Scheme …` (RFC 9110, 11.6.1). What does not fit ends the reading: a challenge
/// half understood is none.
fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (word, after) = token(rest);
        if word.is_empty() {
            break;
        }
        let after_blank = after.trim_start_matches([' ', '\t']);
        if let Some(value) = after_blank.strip_prefix('=') {
            let Some(challenge) = challenges.last_mut() else { break };
            let Some((value, after)) = value_of(value.trim_start_matches([' ', '\t'])) else { break };
            challenge.parameters.push((word.to_owned(), value));
            rest = after;
        } else {
            challenges.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
            rest = after_blank;
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    challenges
}

fn token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)));
    text.split_at(end.unwrap_or(text.len()))
}

/// A token or a quoted string, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(header: &str) -> Option<Scheme> {
        let mut headers = HeaderMap::new();
        headers.insert(header::WWW_AUTHENTICATE, header.parse().unwrap());
        offered(&"https://r.example:5000/".parse().unwrap(), &headers).ok().flatten()
    }

    #[test]
    fn challenges_are_read_as_servers_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Scheme::Bearer { realm: realm.parse().unwrap(), service: service.map(str::to_owned) })
        };
        for (header, expected) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push""#,
                bearer("https://auth.docker.io/token", Some("registry.docker.io")),
            ),
            (
                r#"bearer service="s, \"t\"", realm="https://a.example/t?x=1""#,
                bearer("https://a.example/t?x=1", Some("s, \"t\"")),
            ),
            (r#"Basic realm="r", Bearer realm="https://a.example/t""#, bearer("https://a.example/t", None)),
            (r#"Basic realm="r""#, Some(Scheme::Basic)),
            ("Basic", Some(Scheme::Basic)),
            (r#"Bearer realm="/service/token",service="r""#, bearer("https://r.example:5000/service/token", Some("r"))),
            (r#"Bearer realm="token""#, bearer("https://r.example:5000/token", None)),
            (r#"Bearer realm="//id.example/t""#, bearer("https://id.example/t", None)),
            // What cannot be asked for a token does not stand in the way of what can be answered.
            (r#"Bearer, Basic realm="r""#, Some(Scheme::Basic)),
            (r#"Bearer service="s", Basic realm="r""#, Some(Scheme::Basic)),
            (r#"Basic realm="r", Bearer realm="""#, Some(Scheme::Basic)),
            (r#"Bearer error="x", Bearer realm="https://a.example/t""#, bearer("https://a.example/t", None)),
            (r#"Bearer service="s""#, None),
            ("Negotiate", None),
            (r#"Bearer realm="unterminated"#, None),
            (r#"Bearer realm="file:///etc/passwd""#, None),
            ("", None),
        ] {
            assert_eq!(scheme(header), expected, "{header}");
        }
    }

    #[test]
    fn realms_are_the_registry_s_own_or_named_f13_f14() {
        let judge = |registry: &str, realm: &str, allowed: &[&str]| {
            let registry = RegistryHost::new(&registry.parse().unwrap()).unwrap();
            let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
            realm_allowed(&registry, &realm.parse().unwrap(), &allowed).map_err(|fault| fault.detail)
        };
        for (registry, realm, allowed) in [
            ("https://r.example", "https://r.example/token", &[][..]),
            ("https://r.example", "https://r.example:8443/token", &["r.example:8443"]),
            ("https://r.example:5000", "https://r.example:5000/token", &[]),
            ("https://r.example:443", "https://r.example/token", &[]),
            ("https://r.example:5000", "https://r.example/token", &["r.example"]),
            ("https://docker.io", "https://auth.docker.io/token", &[]),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", &[]),
            ("https://r.example", "https://id.example/t", &["id.example"]),
            ("https://r.example", "https://id.example/t", &["ID.example:443"]),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", &["127.0.0.1:5001"]),
            ("http://[::1]:5000", "http://[::1]:5001/t", &["[::1]:5001"]),
        ] {
            assert_eq!(judge(registry, realm, allowed), Ok(()), "{realm} of {registry}");
        }
        for (registry, realm, allowed) in [
            ("https://r.example", "https://evil.example/t", &["id.example"][..]),
            ("https://r.example", "https://auth.docker.io/token", &[]),
            ("https://r.example", "http://r.example/token", &[]),
            ("https://r.example", "http://id.example/token", &["id.example"]),
            ("http://127.0.0.1:5000", "http://id.example/token", &["id.example"]),
            ("https://r.example", "https://u:p@r.example/token", &[]),
            ("https://r.example", "https://r.example.evil.example/token", &[]),
            // Another port of the same host is another server.
            ("https://r.example", "https://r.example:8443/token", &[]),
            ("https://r.example:5000", "https://r.example/token", &[]),
            ("https://r.example", "https://r.example:8443/token", &["r.example:8444"]),
            ("https://r.example", "https://id.example:8443/t", &["id.example:443"]),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", &["127.0.0.1:5000"]),
            ("https://docker.io", "https://auth.docker.io:8443/token", &[]),
        ] {
            assert!(judge(registry, realm, allowed).is_err(), "{realm} of {registry}");
        }
        let reported = judge("https://r.example", "https://evil.example/t?token=secret", &[]).unwrap_err();
        assert!(reported.contains("token_realms: [evil.example]") && !reported.contains("secret"), "{reported}");
        let reported = judge("https://r.example", "https://r.example:8443/t", &[]).unwrap_err();
        assert!(
            reported.contains("another port") && reported.contains(r#"token_realms: ["r.example:8443"]"#),
            "{reported}"
        );
    }

    const CHALLENGES: &[&str] = &[
        r#"Bearer realm="https://r.example/token",service="r.example",scope="repository:a:pull""#,
        r#"Basic realm="r", Bearer realm="/token", service=s"#,
        r#"Bearer error="invalid_token", Basic realm="a \"b\"""#,
    ];

    proptest::proptest! {
        /// Whatever a challenge says: the credentials go to the registry's own origin alone (F13).
        #[test]
        fn any_challenge_sends_credentials_to_the_registry_alone(text in crate::mangled::mangled(CHALLENGES)) {
            let Ok(value) = header::HeaderValue::from_bytes(&text) else { return Ok(()) };
            let registry = RegistryHost::new(&"https://r.example".parse().unwrap()).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header::WWW_AUTHENTICATE, value);
            if let Ok(Some(Scheme::Bearer { realm, .. })) = offered(registry.url(), &headers)
                && realm_allowed(&registry, &realm, &[]).is_ok()
            {
                proptest::prop_assert_eq!(realm.origin(), registry.url().origin());
            }
        }
    }
}
