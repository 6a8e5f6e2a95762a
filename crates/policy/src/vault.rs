//! Where the vault is.

use url::Url;

use super::LedgerLocation;
use super::ad_hoc::address;
use super::check::Checker;
use super::raw::RawPolicy;

use prodpin_core::model::RepositoryName;

/// Where copies of rollback targets are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLocation {
    /// A directory, or a bucket.
    Store(LedgerLocation),
    /// A repository of a registry.
    Registry(VaultRegistry),
}

/// A repository of a registry that is a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRegistry {
    /// Scheme, host and port.
    pub url: Url,
    /// The repository, which nothing else writes to.
    pub repository: RepositoryName,
}

impl VaultRegistry {
    /// Reads `HOST/REPOSITORY`. The error is for a person.
    fn read(text: &str) -> Result<Self, String> {
        if text.contains(['@', '?', '#']) {
            return Err("a vault's address is oci://HOST/REPOSITORY, without user, tag or digest".to_owned());
        }
        let (host, repository) = text
            .split_once('/')
            .ok_or_else(|| "write oci://HOST/REPOSITORY: the vault has one repository".to_owned())?;
        let named = repository.parse::<RepositoryName>().ok().filter(RepositoryName::is_oci);
        let repository = named.ok_or_else(|| {
            "a repository has lowercase path parts of letters, digits, '.', '_' and '-': oci://HOST/REPOSITORY"
                .to_owned()
        })?;
        Ok(Self { url: address(None, host)?, repository })
    }

    /// As the policy writes it.
    #[must_use]
    pub fn shown(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("oci://{}{port}/{}", self.url.host_str().unwrap_or_default(), self.repository)
    }
}

impl Checker<'_> {
    /// A place of its own: neither the ledger nor its anchor.
    pub(super) fn vault(&self, raw: &RawPolicy) -> Option<VaultLocation> {
        let (span, text) = raw.vault.read()?;
        if let Some(registry) = text.strip_prefix("oci://") {
            let read = VaultRegistry::read(registry).map(VaultLocation::Registry);
            return read.map_err(|reason| self.problems.error(span, self.reported(&raw.vault, reason), None)).ok();
        }
        let elsewhere = |spanned: &super::spanned::Spanned<String>| {
            spanned.value().and_then(|text| LedgerLocation::parse(text, self.base).ok())
        };
        let ledger =
            elsewhere(&raw.ledger).unwrap_or_else(|| LedgerLocation::Directory(self.base.join("prodpin-ledger")));
        let read = match text.split_once("://") {
            Some((scheme, _)) if !matches!(scheme, "s3" | "gs" | "az") => Err(format!(
                "a vault cannot be at {}://; write a directory, s3://bucket/prefix, gs://bucket/prefix, \
                 az://container/prefix or oci://host/repository",
                scheme.chars().take(20).collect::<String>()
            )),
            _ => LedgerLocation::parse(text, self.base)
                .map_err(|reason| reason.replace("the ledger", "the vault").replace("a ledger", "a vault")),
        };
        let read = read.and_then(|vault| match vault {
            LedgerLocation::None => Err("a vault is a place; leave the key out to have none".to_owned()),
            vault if vault == ledger || Some(&vault) == elsewhere(&raw.anchor).as_ref() => {
                Err("the vault is where the ledger or its anchor is; give it a place of its own".to_owned())
            }
            vault => Ok(vault),
        });
        let read = read.map(VaultLocation::Store);
        read.map_err(|reason| self.problems.error(span, self.reported(&raw.vault, reason), None)).ok()
    }
}
