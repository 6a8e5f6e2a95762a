//! The proxy that leads to a cluster: the one that its kubeconfig names, else the environment's, by the rules of Go, which
//! `kubectl` goes by.

use std::net::IpAddr;

use http::Uri;

/// The variables of the environment.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

const SUPPORTED: &str = "http://, https:// and socks5:// are supported";

/// The variables of this process. One that is no text is not passed over: nothing in it can be a proxy.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// A proxy as somebody wrote it. What is wrong with it is reported without a word of it: it may hold a password (I18).
pub(super) fn read(url: &str) -> Result<Uri, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("is no URL of a proxy; {SUPPORTED}"));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => "http",
        "https" => "https",
        // Names are looked up by the proxy in both.
        "socks5" | "socks5h" => "socks5",
        other if !other.is_empty() && other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            return Err(format!("is a proxy of the kind {other}://; {SUPPORTED}"));
        }
        _ => return Err(format!("is no URL of a proxy; {SUPPORTED}")),
    };
    if scheme == "socks5" && rest.contains('@') {
        return Err(
            "is a SOCKS5 proxy with a user and password, and prodpin sends none to such a proxy; name one that lets \
                    this machine in without, or an http:// proxy"
                .to_owned(),
        );
    }
    let url = format!("{scheme}://{rest}").parse::<Uri>().ok();
    url.filter(names_a_place).ok_or_else(|| {
        "cannot be read as the URL of a proxy; write http://HOST:PORT, and of a user and password percent-encode what is \
         neither a letter nor a digit"
            .to_owned()
    })
}

/// Whether it names a host, and a port or none. What is no port would be passed over, for the usual one.
fn names_a_place(url: &Uri) -> bool {
    let Some(authority) = url.authority() else { return false };
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let is_port =
        |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    !bare(authority.host()).is_empty() && place.strip_prefix(authority.host()).is_some_and(is_port)
}

/// The environment's proxy for this API server, unless `NO_PROXY` names the server or it runs on this machine. One that
/// cannot be read is an error: going without it would be another way than the one that was asked for.
pub(super) fn of_environment(server: &Uri, variables: Variables<'_>) -> Result<Option<Uri>, String> {
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, variables(name).filter(|value| !value.is_empty())?)))
    };
    let proxy = match server.scheme_str() {
        Some("http") => first(["HTTP_PROXY", "http_proxy"]),
        _ => first(["HTTPS_PROXY", "https_proxy"]),
    };
    let Some((name, value)) = proxy else { return Ok(None) };
    let no_proxy = first(["NO_PROXY", "no_proxy"]).map(|(_, value)| value).unwrap_or_default();
    if Server::of(server).is_some_and(|server| server.is_reached_directly(&no_proxy)) {
        return Ok(None);
    }
    let whole = if value.contains("://") { value } else { format!("http://{value}") };
    read(&whole).map(Some).map_err(|why| format!("the environment's {name} {why}"))
}

/// What `NO_PROXY` is compared with.
struct Server {
    host: String,
    address: Option<IpAddr>,
    port: u16,
}

impl Server {
    fn of(server: &Uri) -> Option<Self> {
        let host = bare(server.host()?).to_ascii_lowercase();
        let usual = if server.scheme_str() == Some("http") { 80 } else { 443 };
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        Some(Self { host, address, port: server.port_u16().unwrap_or(usual) })
    }

    fn is_reached_directly(&self, no_proxy: &str) -> bool {
        let is_this_machine = self.host == "localhost" || self.address.is_some_and(|address| address.is_loopback());
        is_this_machine || no_proxy.split(',').any(|entry| self.is_named_by(&entry.trim().to_ascii_lowercase()))
    }

    /// By one entry: `*`, a network, or an address or domain, with a port or without.
    fn is_named_by(&self, entry: &str) -> bool {
        if entry == "*" {
            return true;
        }
        if let Some(contains) = self.address.and_then(|address| contains(entry, address)) {
            return contains;
        }
        let (name, port) = match entry.rsplit_once(':') {
            // The colons of an address are no port.
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
            _ => (entry, None),
        };
        if port.is_some_and(|port| port.parse() != Ok(self.port)) {
            return false;
        }
        let name = bare(name);
        if let Ok(named) = name.parse::<IpAddr>() {
            return self.address == Some(named.to_canonical());
        }
        // `example.com` is itself and all below it; `.example.com` and `*.example.com` are what is below it.
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
        let below = |domain: &str| self.host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        match name.strip_prefix('.') {
            Some(domain) => !domain.is_empty() && below(domain),
            None => !name.is_empty() && (self.host == name || below(name)),
        }
    }
}

/// An address in a URL without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether `10.0.0.0/8` contains an address; none if it is no network.
fn contains(network: &str, address: IpAddr) -> Option<bool> {
    let (base, length) = network.split_once('/')?;
    let (base, length) = (base.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?);
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((base, width), (address, other)) = (bits(base), bits(address));
    let host_bits = u32::checked_sub(width, length)?;
    Some(width == other && (base ^ address).checked_shr(host_bits).unwrap_or(0) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "http://proxy.corp.example:3128/";

    fn found(server: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variables =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        of_environment(&server.parse().unwrap(), &variables).map(|uri| uri.map(|uri| uri.to_string()))
    }

    #[test]
    fn a_server_is_reached_through_the_proxy_unless_no_proxy_names_it() {
        let past = [
            ("https://127.0.0.1:6443", ""),
            ("https://127.8.8.8:6443", ""),
            ("https://[::1]:6443", ""),
            ("https://localhost:6443", ""),
            ("https://k8s.corp.example", ".corp.example"),
            ("https://k8s.corp.example", "*.corp.example"),
            ("https://k8s.corp.example:6443", "other.example, corp.example"),
            ("https://K8S.corp.example:6443", "CORP.example,"),
            ("https://k8s.corp.example:6443", "k8s.corp.example:6443"),
            ("https://k8s.corp.example", "corp.example:443"),
            ("https://10.1.2.3", "localhost,10.0.0.0/8,"),
            ("https://10.1.2.3:6443", "10.1.2.3"),
            ("https://10.1.2.3:6443", "10.1.2.3:6443"),
            ("https://10.1.2.3", "0.0.0.0/0"),
            ("https://[fd00::12]:6443", "fd00::/8"),
            ("https://[fd00::12]:6443", "fd00::12"),
            ("https://[fd00::12]:6443", "[fd00:0::12]:6443"),
            ("https://[::ffff:10.1.2.3]:6443", "10.1.2.3"),
            ("https://k8s.example", "*"),
            ("https://k8s.example", "corp.example, *"),
        ];
        let through = [
            ("https://k8s.example:6443", ""),
            ("https://k8s.example:6443", ","),
            ("https://k8s.example", "corp.example,10.0.0.0/8"),
            ("https://11.1.2.3", "10.0.0.0/8"),
            ("https://10.1.2.3", "10.0.0.0/33,10.0.0.0/-1,/8,::/0"),
            ("https://corp.example", ".corp.example"),
            ("https://notcorp.example", "corp.example"),
            ("https://k8s.corp.example:6443", "corp.example:443"),
            ("https://10.1.2.3:6443", "10.1.2.3:443"),
            ("https://k8s.example", ".,*.,:443,example:"),
            // The proxy's own name says nothing about the server.
            ("https://k8s.example", "proxy.corp.example"),
        ];
        for (servers, proxy) in [(&past[..], None), (&through[..], Some(PROXY))] {
            for (server, no) in servers {
                let found = found(server, &[("HTTPS_PROXY", PROXY), ("NO_PROXY", no)]);
                assert_eq!(found.unwrap().as_deref(), proxy, "{server} with NO_PROXY={no:?}");
            }
        }
    }

    #[test]
    fn variables_come_in_the_order_of_go_and_the_first_that_is_not_empty_decides() {
        type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], Option<&'c str>);
        let cases: &[Case<'_>] = &[
            ("https://k8s.example", &[("HTTPS_PROXY", "http://a"), ("https_proxy", "http://b")], Some("http://a/")),
            ("https://k8s.example", &[("HTTPS_PROXY", ""), ("https_proxy", "http://b")], Some("http://b/")),
            ("https://k8s.example", &[("HTTP_PROXY", "http://a"), ("ALL_PROXY", "http://b")], None),
            ("http://k8s.example", &[("HTTPS_PROXY", "http://a"), ("http_proxy", "http://b")], Some("http://b/")),
            ("http://k8s.example", &[("HTTP_PROXY", "http://a"), ("http_proxy", "http://b")], Some("http://a/")),
            ("http://k8s.example", &[("all_proxy", "http://a")], None),
            (
                "https://k8s.example",
                &[("HTTPS_PROXY", "http://a"), ("NO_PROXY", ""), ("no_proxy", "k8s.example")],
                None,
            ),
            (
                "https://k8s.example",
                &[("HTTPS_PROXY", "http://a"), ("NO_PROXY", "other"), ("no_proxy", "k8s.example")],
                Some("http://a/"),
            ),
        ];
        for (server, variables, expected) in cases {
            assert_eq!(found(server, variables).unwrap().as_deref(), *expected, "{server} {variables:?}");
        }
    }

    #[test]
    fn a_proxy_may_lack_its_scheme_and_keeps_its_password() {
        for (value, expected) in [
            ("proxy.corp.example:3128", PROXY),
            ("me:secret@proxy.corp.example:3128", "http://me:secret@proxy.corp.example:3128/"),
            ("http://me:secret@proxy.corp.example:3128", "http://me:secret@proxy.corp.example:3128/"),
            ("HTTPS://proxy.corp.example", "https://proxy.corp.example/"),
            ("socks5://proxy.corp.example:1080", "socks5://proxy.corp.example:1080/"),
            ("socks5h://proxy.corp.example:1080", "socks5://proxy.corp.example:1080/"),
        ] {
            let found = found("https://k8s.example", &[("https_proxy", value)]);
            assert_eq!(found.unwrap().as_deref(), Some(expected));
        }
    }

    #[test]
    fn i18_a_proxy_that_cannot_be_read_is_an_error_that_names_the_variable_and_no_password() {
        for value in [
            "ftp://me:hunter2@proxy:1",
            "socks4://me:hunter2@proxy:1",
            "socks5://me:hunter2@proxy:1",
            "socks5h://me:hunter2@proxy:1",
            "http://me:hunter2 x@proxy:1",
            "http://me:hunter2@",
            "http://",
            "me:hunter2@proxy:port",
            "me:hunter2@proxy:70000",
            "hunter2\u{fffd}",
            "://hunter2",
            " ",
        ] {
            let error = found("https://k8s.example", &[("HTTPS_PROXY", ""), ("https_proxy", value)]).unwrap_err();
            assert!(error.contains("https_proxy") && error.contains("http://"), "{value:?}: {error}");
            assert!(!error.contains("hunter2"), "{value:?}: {error}");
            // Where it is not needed it harms nothing.
            let past = [("https_proxy", value), ("no_proxy", "k8s.example")];
            assert_eq!(found("https://k8s.example", &past), Ok(None));
        }
        assert!(read("ftp://me:hunter2@proxy:1").unwrap_err().contains("ftp://"));
    }
}
