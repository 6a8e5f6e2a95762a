//! zot sources: an OCI registry whose rules stand in its own configuration file, which it serves nowhere (K55).

use std::path::PathBuf;

use super::check::Checker;
use super::pins::RawPins;
use super::problem::Span;
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface};
use prodpin_core::model::{RegistryKind, StatedCleanup};

registry_source! {
    /// A zot. Its garbage collection and retention are simulated by its configuration file, where `config` names that.
    RawZot as "a zot source" in "ZotSource",
    /// zot's address, such as `https://zot.example.com`.
    zot "zot",
    {
        /// The configuration file that the server runs with, JSON or YAML; relative to this file. prodpin reads `storage` in it
        /// and nothing else.
        config: Spanned<String>,
        /// What removes artifacts there, where `config` is not given: `none`, `untagged` or `unknown`.
        cleanup: Spanned<StatedCleanup>,
    }
}

impl Checker<'_> {
    pub(super) fn zot(&self, raw: &RawZot, span: Span) -> Option<OciConfig> {
        let oci = self.registry(&raw.terms(), span);
        let config: Option<PathBuf> = self.path(&raw.config);
        if let (Some(_), Some(at)) = (raw.config.span(), raw.cleanup.span()) {
            let fix = "take cleanup out, or config".to_owned();
            self.problems.error(at, "the rules of this source are read from its configuration file", fix);
        }
        let cleanup = raw.cleanup.value().copied();
        let oci = oci?;
        self.may_be_there(&raw.zot, &oci, RegistryKind::Zot, "the address of your zot");
        Some(OciConfig { cleanup, interface: RegistryInterface::Zot { config }, ..oci })
    }
}
