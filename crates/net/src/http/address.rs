//! Which addresses may be dialled: the last word before a connection is made, after every name is resolved (F9, F10).
//!
//! Behind a proxy only the proxy is dialled from here, and the names of registries are the proxy's to resolve and judge.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::fault::Fault;
use crate::blocking;

/// The dialer of one source.
#[derive(Debug, Default)]
pub struct Dialer {
    /// The source itself is private, so what stands beside it may be too: its token server, its blob store.
    private: bool,
    /// Further names that may resolve to private addresses: proxies and token servers that the operator named.
    private_names: HashSet<String>,
    /// Names with addresses fixed by hand, for tests and split horizons.
    fixed: HashMap<String, Vec<IpAddr>>,
}

/// An address that is not dialled. It travels through reqwest as an error's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRefused {
    host: String,
    address: IpAddr,
    class: Class,
}

/// What an address is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Public,
    Private,
    /// Link-local, cloud metadata, multicast, unspecified: never a registry.
    Never,
}

impl Dialer {
    /// Whether private addresses may be dialled, and names with fixed addresses.
    pub fn new(private: bool, fixed: HashMap<String, Vec<IpAddr>>) -> Self {
        Self { private, private_names: HashSet::new(), fixed }
    }

    /// Lets this name resolve to private addresses.
    pub fn allow_private(&mut self, host: &str) {
        self.private_names.insert(host.to_ascii_lowercase());
    }

    /// Checks a URL whose host is an address: no resolver sees it.
    pub fn check(&self, url: &Url) -> Result<(), Fault> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        let host = url.host_str().unwrap_or_default();
        self.judge(host, address).map_err(|refused| Fault::refused(refused.to_string()))
    }

    fn judge(&self, host: &str, address: IpAddr) -> Result<(), AddressRefused> {
        judge(host, address, self.private || self.private_names.contains(host))
    }
}

fn judge(host: &str, address: IpAddr, private_allowed: bool) -> Result<(), AddressRefused> {
    match classify(address) {
        Class::Public => Ok(()),
        Class::Private if private_allowed => Ok(()),
        class => Err(AddressRefused { host: host.to_owned(), address, class }),
    }
}

impl Resolve for Dialer {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let private_allowed = self.private || self.private_names.contains(&host);
        let fixed = self.fixed.get(&host).cloned();
        Box::pin(async move {
            let addresses = match fixed {
                Some(addresses) => addresses,
                None => look_up(host.clone()).await?,
            };
            let (mut good, mut refused) = (Vec::new(), None);
            for address in addresses {
                match judge(&host, address, private_allowed) {
                    Ok(()) => good.push(SocketAddr::new(address, 0)),
                    Err(error) => refused = Some(error),
                }
            }
            match refused {
                Some(error) if good.is_empty() => Err(error.into()),
                _ => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}

/// A look-up that has not ended by then is one whose name server is gone: whoever waits has given up long before.
const LOOK_UP: Duration = Duration::from_secs(60);

/// So many look-ups of one name at once.
const LOOK_UPS: usize = 8;

async fn look_up(host: String) -> std::io::Result<Vec<IpAddr>> {
    let what = format!("the name {host}");
    let resolve = move || Ok((host.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect());
    match blocking::some(&what, LOOK_UPS, Instant::now() + LOOK_UP, resolve).await {
        Ok(addresses) => addresses,
        Err(blocking::Unread::Broke(error)) => Err(std::io::Error::other(error)),
        Err(blocking::Unread::Late) => {
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("looking up {what} did not end")))
        }
    }
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, address, class } = self;
        match class {
            Class::Private => write!(
                f,
                "{host} leads to the private address {address}, and the policy does not say that this source is \
                 private; set `private: true` on the source if that is meant"
            ),
            _ => write!(f, "{host} leads to {address}, a link-local, metadata or other address that is never dialled"),
        }
    }
}

impl std::error::Error for AddressRefused {}

/// Whether an address is anyone's to reach.
pub fn is_public(address: IpAddr) -> bool {
    classify(address) == Class::Public
}

/// Whether an address may be dialled at all, private ones only where they are meant.
pub fn may_be_dialled(address: IpAddr, private: bool) -> bool {
    judge("", address, private).is_ok()
}

fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    let [a, b, c, d] = address.octets();
    match (a, b) {
        (169, 254) | (0, _) | (224.., _) => Class::Never,
        // Metadata of Alibaba Cloud and of Oracle Cloud, and Azure's wire server.
        _ if matches!([a, b, c, d], [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16]) => Class::Never,
        (10 | 127, _) | (172, 16..=31) | (192, 168) | (100, 64..=127) | (198, 18..=19) => Class::Private,
        (192, 0) if c == 0 => Class::Private,
        _ => Class::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    let segments = address.segments();
    // An IPv4 address in IPv6 clothes is what it wears underneath: mapped, compatible, NAT64, 6to4.
    let embedded = match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if high != 0 || low > 1 => Some((high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded {
        return classify_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    match segments {
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Class::Never,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Private,
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Never,
        [first, ..] if first & 0xffc0 == 0xfe80 || first & 0xff00 == 0xff00 => Class::Never,
        [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 => Class::Private,
        _ => Class::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_f9_f10() {
        for (address, class) in [
            ("169.254.169.254", Class::Never),
            ("::ffff:169.254.169.254", Class::Never),
            ("64:ff9b::a9fe:a9fe", Class::Never),
            ("2002:a9fe:a9fe::1", Class::Never),
            ("fe80::1", Class::Never),
            ("febf::1", Class::Never),
            ("fd00:ec2::254", Class::Never),
            ("100.100.100.200", Class::Never),
            ("0.0.0.0", Class::Never),
            ("::", Class::Never),
            ("ff02::1", Class::Never),
            ("255.255.255.255", Class::Never),
            ("127.0.0.1", Class::Private),
            ("::1", Class::Private),
            ("::ffff:10.0.0.1", Class::Private),
            ("10.1.2.3", Class::Private),
            ("172.31.0.1", Class::Private),
            ("172.32.0.1", Class::Public),
            ("192.168.1.1", Class::Private),
            ("100.64.0.1", Class::Private),
            ("fd12::1", Class::Private),
            ("8.8.8.8", Class::Public),
            ("2606:4700::1", Class::Public),
        ] {
            assert_eq!(classify(address.parse().unwrap()), class, "{address}");
        }
    }

    #[tokio::test]
    async fn a_public_name_with_a_private_address_is_not_dialled_f10() {
        let fixed = HashMap::from([
            ("mixed.example".to_owned(), vec!["10.0.0.1".parse().unwrap(), "8.8.8.8".parse().unwrap()]),
            ("inside.example".to_owned(), vec!["10.0.0.1".parse().unwrap()]),
            ("metadata.example".to_owned(), vec!["169.254.169.254".parse().unwrap()]),
        ]);
        let mut dialer = Dialer::new(false, fixed.clone());
        let resolve = async |dialer: &Dialer, name: &str| match dialer.resolve(name.parse().unwrap()).await {
            Ok(addresses) => addresses.map(|address| address.ip().to_string()).collect::<Vec<_>>().join(","),
            Err(error) => error.downcast_ref::<AddressRefused>().unwrap().to_string(),
        };
        assert_eq!(resolve(&dialer, "mixed.example").await, "8.8.8.8");
        assert!(resolve(&dialer, "inside.example").await.contains("`private: true`"));
        dialer.allow_private("inside.example");
        assert_eq!(resolve(&dialer, "inside.example").await, "10.0.0.1");
        assert!(resolve(&Dialer::new(true, fixed), "metadata.example").await.contains("never dialled"));
    }
}
