//! Where the vault is.

use super::LedgerLocation;
use super::check::Checker;
use super::raw::RawPolicy;

impl Checker<'_> {
    /// A place of its own: neither the ledger nor its anchor.
    pub(super) fn vault(&self, raw: &RawPolicy) -> Option<LedgerLocation> {
        let (span, text) = raw.vault.read()?;
        let elsewhere = |spanned: &super::spanned::Spanned<String>| {
            spanned.value().and_then(|text| LedgerLocation::parse(text, self.base).ok())
        };
        let ledger =
            elsewhere(&raw.ledger).unwrap_or_else(|| LedgerLocation::Directory(self.base.join("prodpin-ledger")));
        let read = match text.split_once("://") {
            Some((scheme, _)) if !matches!(scheme, "s3" | "gs" | "az") => Err(format!(
                "a vault cannot be at {}://; write a directory, s3://bucket/prefix, gs://bucket/prefix or \
                 az://container/prefix",
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
        read.map_err(|reason| self.problems.error(span, self.reported(&raw.vault, reason), None)).ok()
    }
}
