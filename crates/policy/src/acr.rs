//! Sources in Azure: an OCI registry whose own interface is read as well, and the purges that are run on it.

use std::sync::Arc;

use super::check::Checker;
use super::pins::RawPins;
use super::problem::Span;
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface};
use prodpin_core::model::{AcrCommand, AcrPurges, RegistryKind};

registry_source! {
    /// An Azure container registry, read by its own interface: manifests, tags, and the locks of both. Pins are locked.
    RawAcr as "an acr source" in "AcrSource",
    /// The registry's address, such as `https://NAME.azurecr.io`.
    acr "acr",
    {
        /// Every `acr purge` command that is run on the registry, each as one line: by its tasks, by pipelines, by hand. The
        /// registry has no list of them. `[]` says that none is; `unknown` as an entry says that there may be more: then pins
        /// are made, and nothing is called protected. Without it no new pin is made.
        purge: Spanned<Vec<Spanned<String>>>,
    }
}

/// The entry that stands for commands which nobody can name.
const OTHERS: &str = "unknown";

impl Checker<'_> {
    pub(super) fn acr(&self, raw: &RawAcr, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span);
        if let Some(config) = &config {
            self.may_be_there(&raw.acr, config, RegistryKind::Azure, "https://NAME.azurecr.io");
        }
        let purges = self.purges(&raw.purge);
        Some(OciConfig { interface: RegistryInterface::Acr { purges: purges? }, ..config? })
    }

    /// None if an entry cannot be read: what it would delete is not known then.
    fn purges(&self, raw: &Spanned<Vec<Spanned<String>>>) -> Option<AcrPurges> {
        let Some((_, entries)) = raw.read() else {
            return raw.span().is_none().then_some(AcrPurges::Unknown);
        };
        let (mut commands, mut others, mut whole) = (Vec::new(), false, true);
        for entry in entries {
            let Some((at, _)) = entry.read() else {
                whole = false;
                continue;
            };
            let Some(line) = self.filled(entry) else {
                whole = false;
                continue;
            };
            if line == OTHERS {
                others = true;
                continue;
            }
            match AcrCommand::parse(&line) {
                Ok(command) => commands.push(command),
                Err(reason) => {
                    whole = false;
                    let fix = "write the whole command line, such as: acr purge --filter 'shop/api:^dev-' --ago 30d --untagged";
                    self.problems.error(at, self.reported(entry, reason), fix.to_owned());
                }
            }
        }
        whole.then(|| AcrPurges::Stated { commands: Arc::from(commands), others })
    }
}
