//! Where alerts may be delivered: names are resolved here, and addresses that the policy did not mean are refused before
//! a connection is made (F9, F10).

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::Undelivered;
use prodpin_net::http::may_be_dialled;

/// The resolver of one alert.
#[derive(Debug)]
pub(super) struct Dialer {
    private: bool,
    /// Proxies that the environment names: they are the operator's own, wherever they are.
    proxies: Vec<String>,
}

impl Dialer {
    pub(super) fn new(private: bool) -> Self {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let proxies = names.iter().filter_map(|name| std::env::var(name).ok());
        let hosts = proxies.filter_map(|proxy| {
            let address = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
            Url::parse(&address).ok()?.host_str().map(str::to_ascii_lowercase)
        });
        Self { private, proxies: hosts.collect() }
    }

    /// Judges a host that is an address: no resolver sees it.
    pub(super) fn check(&self, url: &Url) -> Result<(), Undelivered> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Undelivered::final_("its address names no host")),
        };
        if may_be_dialled(address, self.private) { Ok(()) } else { Err(Undelivered::final_(refused(address))) }
    }
}

fn refused(address: IpAddr) -> String {
    format!("its host leads to {address}, which is no public address; write private: true if that is meant")
}

impl Resolve for Dialer {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let private = self.private || self.proxies.contains(&host);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let (good, bad): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| may_be_dialled(address.ip(), private));
            match bad.first() {
                Some(address) if good.is_empty() => Err(refused(address.ip()).into()),
                _ => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_metadata_addresses_are_refused_f9_f10() {
        let reported = |url: &str, private| {
            let dialer = Dialer { private, proxies: Vec::new() };
            dialer.check(&url.parse().unwrap()).map_err(|undelivered| undelivered.reason)
        };
        assert_eq!(reported("https://8.8.8.8/x", false), Ok(()));
        assert_eq!(reported("https://hooks.example.com/x", false), Ok(()));
        assert!(reported("https://10.0.0.1/x", false).unwrap_err().contains("private: true"));
        assert!(reported("https://127.0.0.1/x", false).is_err());
        assert_eq!(reported("https://10.0.0.1/x", true), Ok(()));
        assert!(reported("https://169.254.169.254/x", true).is_err(), "metadata is never an alert's receiver");
        assert!(reported("https://[::ffff:169.254.169.254]/x", true).is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_unless_meant_f10() {
        let resolve = async |private| {
            let dialer = Dialer { private, proxies: Vec::new() };
            dialer
                .resolve("localhost".parse().unwrap())
                .await
                .map(|found| found.count())
                .map_err(|error| error.to_string())
        };
        assert!(resolve(false).await.unwrap_err().contains("no public address"));
        assert!(resolve(true).await.unwrap() > 0);
    }
}
