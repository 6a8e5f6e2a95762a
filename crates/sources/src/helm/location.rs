//! Where an archive is, and whether it may be fetched from there. The index is written by whoever may publish a chart,
//! and a URL in it is a wish, not an instruction (F7–F10, F15, I18).

use url::Url;

use prodpin_core::model::Cause;
use prodpin_net::http::fault::Fault;
use prodpin_net::http::place::{is_loopback, redacted};

/// Longer than any address that a server takes.
const MOST_URL: usize = 4096;

/// What the policy says of hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    /// The repository's address, ending in `/`.
    pub(super) home: Url,
    /// Hosts beside it from which archives are fetched.
    pub(super) foreign: Vec<String>,
    /// Those of them that may see the credentials.
    pub(super) trusted: Vec<String>,
}

/// An archive's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArchiveLocation {
    pub(super) url: Url,
    /// Whether the credentials may be sent there.
    pub(super) trusted: bool,
}

impl Hosts {
    /// The place that a URL of the index names.
    pub(super) fn place(&self, text: &str) -> Result<ArchiveLocation, Fault> {
        if text.len() > MOST_URL {
            return Err(Fault::malformed("the index names an archive by an address that is too long"));
        }
        let Ok(url) = self.home.join(text) else {
            return Err(Fault::malformed("the index names an archive by something that is no address"));
        };
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" | "http" if !host.is_empty() => {}
            "oci" => {
                let detail = format!(
                    "the index says that the archive is in the registry {host:.200}; add that registry as an `oci` source"
                );
                return Err(Fault::new(Cause::Unsupported, detail));
            }
            scheme => {
                let detail =
                    format!("the index names an archive by a {scheme:.20} address; only https and http are fetched");
                return Err(Fault::refused(detail));
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::refused(format!(
                "the index names an archive at {host} with a user name in its address"
            )));
        }
        if self.home.scheme() == "https" && url.scheme() == "http" {
            let detail =
                format!("the index names an archive without TLS, {}; have it name an https address", redacted(&url));
            return Err(Fault::refused(detail));
        }
        if url.origin() == self.home.origin() {
            return Ok(ArchiveLocation { url, trusted: true });
        }
        if !named(&self.foreign, &url) {
            let detail = format!(
                "the index says that the archive is at {}; add {} to `foreign_hosts` on the source if that is meant",
                redacted(&url),
                written(&url)
            );
            return Err(Fault::refused(detail));
        }
        let private_way = url.scheme() == "https" || is_loopback(&url);
        let trusted = private_way && named(&self.trusted, &url);
        Ok(ArchiveLocation { url, trusted })
    }
}

/// Host and port as the policy would name them.
fn written(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn named(hosts: &[String], url: &Url) -> bool {
    let name = written(url);
    hosts.iter().any(|host| {
        // Parsed as a URL, so that the default port and brackets read as they do in the address.
        host.eq_ignore_ascii_case(&name)
            || Url::parse(&format!("{}://{host}/", url.scheme())).is_ok_and(|host| host.origin() == url.origin())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(home: &str) -> Hosts {
        Hosts {
            home: home.parse().unwrap(),
            foreign: vec![
                "cdn.example.com".to_owned(),
                "cdn.example.com:8443".to_owned(),
                "safe.example.com".to_owned(),
            ],
            trusted: vec!["safe.example.com".to_owned()],
        }
    }

    #[test]
    fn relative_addresses_start_at_the_repository_and_credentials_stay_home_f15_i18() {
        let hosts = hosts("https://charts.example.com/stable/");
        for (text, url, trusted) in [
            ("shop-1.2.3.tgz", "https://charts.example.com/stable/shop-1.2.3.tgz", true),
            ("charts/shop-1.2.3+b.tgz", "https://charts.example.com/stable/charts/shop-1.2.3+b.tgz", true),
            ("../../../../etc/passwd", "https://charts.example.com/etc/passwd", true),
            ("/other/shop.tgz", "https://charts.example.com/other/shop.tgz", true),
            ("https://charts.example.com:443/a.tgz", "https://charts.example.com/a.tgz", true),
            ("https://cdn.example.com/a.tgz?sig=1", "https://cdn.example.com/a.tgz?sig=1", false),
            ("https://CDN.example.com:8443/a.tgz", "https://cdn.example.com:8443/a.tgz", false),
            ("//safe.example.com/a.tgz", "https://safe.example.com/a.tgz", true),
        ] {
            assert_eq!(hosts.place(text), Ok(ArchiveLocation { url: url.parse().unwrap(), trusted }), "{text}");
        }
    }

    #[test]
    fn addresses_that_lead_astray_are_refused_f7_f8() {
        let hosts = hosts("https://charts.example.com/stable/");
        for (text, cause) in [
            ("https://evil.example.com/a.tgz", Cause::Refused),
            ("https://charts.example.com:444/a.tgz", Cause::Refused),
            ("https://charts.example.com.evil.example/a.tgz", Cause::Refused),
            ("http://charts.example.com/a.tgz", Cause::Refused),
            ("http://safe.example.com/a.tgz", Cause::Refused),
            ("https://user:hunter2@charts.example.com/a.tgz", Cause::Refused),
            ("javascript:alert(1)", Cause::Refused),
            ("file:///etc/passwd", Cause::Refused),
            ("data:application/gzip;base64,AA", Cause::Refused),
            ("oci://registry.example.com/charts/a:1", Cause::Unsupported),
            ("https://[", Cause::Malformed),
        ] {
            let fault = hosts.place(text).unwrap_err();
            assert_eq!(fault.cause, cause, "{text}");
            assert!(!fault.detail.contains("hunter2"), "{}", fault.detail);
        }
        assert_eq!(hosts.place(&"a".repeat(5000)).unwrap_err().cause, Cause::Malformed);
    }

    #[test]
    fn credentials_cross_no_plain_network_i18() {
        let hosts = hosts("http://127.0.0.1:8080/");
        assert!(!hosts.place("http://safe.example.com/a.tgz").unwrap().trusted);
    }
}
