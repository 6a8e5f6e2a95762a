//! What a registry is called: where to connect, which references mean it, what its name alone says.

use url::Url;

use super::OciError;
pub(super) use super::place::{is_loopback, names_private, redacted};
use prodpin_core::model::{DeployedReference, EcrHost, Reference, RepositoryName};

/// The API host of Docker Hub; its other names only redirect people there.
const HUB: &str = "registry-1.docker.io";

/// One registry's identity.
#[derive(Debug, Clone)]
pub(super) struct RegistryHost {
    /// Scheme, host and port, ending in `/`.
    url: Url,
    /// Where the policy says so, the name users write.
    shown: String,
}

impl RegistryHost {
    /// Checks the URL as the policy gives it.
    pub(super) fn new(configured: &Url) -> Result<Self, OciError> {
        let fail = |reason: &str| OciError::Url { url: redacted(configured), reason: reason.to_owned() };
        if !matches!(configured.scheme(), "https" | "http") {
            return Err(fail("the scheme must be https, or http for a registry without TLS"));
        }
        if !configured.username().is_empty() || configured.password().is_some() {
            return Err(fail("leave user and password out of the URL; use `username` and `password`"));
        }
        if !matches!(configured.path(), "" | "/") || configured.query().is_some() || configured.fragment().is_some() {
            return Err(fail("write scheme, host and port only; repositories go into `repositories`"));
        }
        let Some(host) = configured.host_str() else { return Err(fail("it names no host")) };
        let mut url = configured.clone();
        let shown = match configured.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        if is_hub(host) && url.port().is_none() {
            url.set_host(Some(HUB)).map_err(|_| fail("it names no host"))?;
        }
        url.set_path("/");
        Ok(Self { url, shown })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The host, for messages and for the keys of Docker's configuration.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn is_hub(&self) -> bool {
        is_hub(self.host())
    }

    pub(super) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Whether what is sent here stays on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Whether the host is private by its name alone, as the policy documents it (F10).
    pub(super) fn is_private_by_name(&self) -> bool {
        names_private(self.host())
    }

    /// Whether this is a private registry of Amazon ECR, whose lifecycle policy only ECR's own API shows.
    pub(super) fn is_ecr(&self) -> bool {
        let host = self.host();
        if EcrHost::read(host).is_some() {
            return true;
        }
        // The endpoints of private networks have names of their own in front of the same domain.
        let aws = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"));
        aws.is_some_and(|rest| rest.split('.').any(|part| part == "ecr" || part == "ecr-fips"))
    }

    /// Where in this registry a reference points.
    pub(super) fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        let Reference::Image { host, repository, .. } = reference else { return None };
        let is_here = self.is_named(host) && repository.is_oci();
        is_here.then(|| Some((repository.clone(), reference.running()?))).flatten()
    }

    /// Whether `host[:port]` in a reference means this registry.
    fn is_named(&self, host: &str) -> bool {
        // Parsed as a URL, so that case, brackets and the default port read as they do in the policy.
        let Ok(named) = Url::parse(&format!("{}://{host}/", self.url.scheme())) else { return false };
        if named.port_or_known_default() != self.url.port_or_known_default() {
            return false;
        }
        let Some(name) = named.host_str() else { return false };
        name == self.host() || (is_hub(name) && self.is_hub())
    }
}

/// All names of Docker Hub.
pub(super) fn is_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "index.docker.io" | HUB | "registry.hub.docker.com")
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::Digest;

    fn host(url: &str) -> RegistryHost {
        RegistryHost::new(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn references_are_located_by_host_and_port() {
        let digest = Digest::sha256(b"x");
        let pinned = format!("r.example/shop/api:1@{digest}");
        for (registry, reference, expected) in [
            ("https://r.example", "r.example/shop/api:1", Some("shop/api:1".to_owned())),
            ("https://r.example", "r.example:443/shop/api", Some("shop/api:latest".to_owned())),
            ("https://R.example:443", "r.example/shop/api:1", Some("shop/api:1".to_owned())),
            ("https://r.example", pinned.as_str(), Some(format!("shop/api@{digest}"))),
            ("https://r.example", "r.example:80/shop/api:1", None),
            ("http://r.example", "r.example:80/shop/api:1", Some("shop/api:1".to_owned())),
            ("http://127.0.0.1:5000", "127.0.0.1:5000/a:1", Some("a:1".to_owned())),
            ("http://127.0.0.1:5000", "127.0.0.1:5001/a:1", None),
            ("https://registry-1.docker.io", "nginx", Some("library/nginx:latest".to_owned())),
            ("https://docker.io", "index.docker.io/bitnami/nginx:1", Some("bitnami/nginx:1".to_owned())),
            ("https://r.example", "s3://r.example/k", None),
        ] {
            let found = host(registry).locate(&reference.parse().unwrap()).map(|(name, running)| match running {
                DeployedReference::Artifact(artifact) => format!("{name}@{artifact}"),
                DeployedReference::Tag(tag) => format!("{name}:{tag}"),
            });
            assert_eq!(found, expected, "{reference} in {registry}");
        }
    }

    #[test]
    fn urls_name_a_registry_and_nothing_else_f71() {
        assert_eq!(host("https://docker.io").url().as_str(), "https://registry-1.docker.io/");
        for bad in ["ftp://r.example", "https://u:secret@r.example", "https://r.example/v2/x", "https://r.example/?a=b"]
        {
            let error = RegistryHost::new(&bad.parse().unwrap()).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn ecr_is_recognised_by_its_host() {
        assert!(host("https://111122223333.dkr.ecr.eu-west-1.amazonaws.com").is_ecr());
        assert!(host("https://111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn").is_ecr());
        assert!(host("https://111122223333.dkr-ecr.eu-west-1.on.aws").is_ecr(), "dual-stack");
        assert!(host("https://vpce-0a1b.dkr.ecr.eu-west-1.vpce.amazonaws.com").is_ecr(), "a private endpoint");
        assert!(!host("https://ecr.example.com").is_ecr());
    }
}
