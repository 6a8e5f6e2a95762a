//! What an address says by itself, and how it is written in messages.

use url::{Host, Url};

use super::address::is_public;

/// Whether a name says by itself that it is private: a private address, or a name without a public suffix.
pub fn names_private(host: &str) -> bool {
    const SUFFIXES: [&str; 7] = [".local", ".internal", ".svc", ".localhost", ".lan", ".home.arpa", ".test"];
    let host = host.trim_end_matches('.');
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(address) => !is_public(address),
        Err(_) => !host.contains('.') || SUFFIXES.iter().any(|suffix| host.ends_with(suffix)),
    }
}

/// Whether a URL leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A URL for messages: no user, no password, no query (F71, I18).
pub fn redacted(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}://{}:{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path()),
        None => format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_names_are_private_by_themselves_f10() {
        for name in ["localhost", "registry", "10.0.0.1", "[::1]", "r.internal", "r.ns.svc", "r.ns.svc.cluster.local"] {
            assert!(names_private(name), "{name}");
        }
        for name in ["r.example.com", "internal.example.com", "localhost.example.com", "8.8.8.8", "[2606:4700::1]"] {
            assert!(!names_private(name), "{name}");
        }
    }
}
