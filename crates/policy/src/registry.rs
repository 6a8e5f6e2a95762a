//! What every source that speaks the registry protocol has in the policy, whatever else its vendor's own interface adds.

use super::OciConfig;
use super::check::Checker;
use super::problem::quote;
use super::raw::RawOci;
use super::spanned::Spanned;
use prodpin_core::model::{Marks, RegistryKind};

/// What every source that speaks the registry protocol says of it.
pub(super) struct RegistryTerms<'r> {
    pub(super) address: &'r Spanned<String>,
    pub(super) repositories: &'r Spanned<Vec<Spanned<String>>>,
    pub(super) all: &'r Spanned<bool>,
    pub(super) username: &'r Spanned<String>,
    pub(super) password: &'r Spanned<String>,
    pub(super) token_realms: &'r Spanned<Vec<Spanned<String>>>,
    pub(super) private: &'r Spanned<bool>,
    pub(super) ca_file: &'r Spanned<String>,
    pub(super) max_concurrency: &'r Spanned<u32>,
}

/// All kinds have the same keys but for that of the address.
macro_rules! terms {
    ($raw:expr, $address:ident) => {
        RegistryTerms {
            address: &$raw.$address,
            repositories: &$raw.repositories,
            all: &$raw.all,
            username: &$raw.username,
            password: &$raw.password,
            token_realms: &$raw.token_realms,
            private: &$raw.private,
            ca_file: &$raw.ca_file,
            max_concurrency: &$raw.max_concurrency,
        }
    };
}

pub(super) use terms;

impl RawOci {
    pub(super) fn terms(&self) -> RegistryTerms<'_> {
        terms!(self, oci)
    }
}

impl Checker<'_> {
    /// A registry under a host that is known for another kind has no interface of this one. `expects` is the address to write.
    pub(super) fn may_be_there(
        &self,
        address: &Spanned<String>,
        config: &OciConfig,
        kind: RegistryKind,
        expects: &str,
    ) {
        let host = config.url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        if let (Some((at, _)), Some(other)) = (address.read(), Marks::another_at(&host, kind)) {
            let message = format!("{host} is {other}, and not {}", kind.name());
            let fix = format!("write {expects}, or this host under the key of its kind, else `oci:`");
            self.problems.warn(at, format!("{message}: {fix}"));
        }
    }

    /// Where a registry lists what one owner has at a time, every entry must name its owner in full. `lists` says so in front of
    /// an entry that does not.
    pub(super) fn owners_are_named(&self, repositories: &Spanned<Vec<Spanned<String>>>, lists: &str, fix: &str) {
        for entry in repositories.value().into_iter().flatten() {
            let Some((at, text)) = entry.read() else { continue };
            if !entry.from_environment && !text.starts_with('!') && !names_its_owner(text) {
                self.problems.error(at, format!("{lists}, and {} names none", quote(text)), fix.to_owned());
            }
        }
    }
}

/// Whether what stands before the first `/` is one owner, in full.
fn names_its_owner(entry: &str) -> bool {
    let glob = ['*', '?', '[', ']', '{', '}', '\\'];
    entry.split_once('/').is_some_and(|(owner, rest)| !owner.is_empty() && !owner.contains(glob) && !rest.is_empty())
}

/// A kind of registry that is read by its vendor's own interface as well: the keys that all registries have, and its own.
///
/// What is in the policy under the kind's name is the address. `$table` is how messages call it.
macro_rules! registry_source {
    (
        $(#[$doc:meta])*
        $name:ident as $table:tt in $schema:tt,
        $(#[$address_doc:meta])* $address:ident $key:tt,
        { $($(#[$own_doc:meta])* $own:ident : $kind:ty),* $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields, rename = $table)]
        #[schemars(rename = $schema, default, extend("required" = [$key]))]
        pub(super) struct $name {
            $(#[$address_doc])*
            pub(super) $address: Spanned<String>,
            /// Repositories by name or glob. `*` stops at `/`, `**` does not; `!` in front takes away.
            pub(super) repositories: Spanned<Vec<Spanned<String>>>,
            /// Confirms that every repository is meant.
            pub(super) all: Spanned<bool>,
            /// A user, robot account or the like. Default: the environment, then Docker's configuration.
            pub(super) username: Spanned<String>,
            /// Its password or token, as `${NAME}` from the environment.
            pub(super) password: Spanned<String>,
            /// Hosts beside the registry that may be asked for tokens with these credentials.
            pub(super) token_realms: Spanned<Vec<Spanned<String>>>,
            /// Whether the registry's host may have a private address.
            pub(super) private: Spanned<bool>,
            /// PEM certificates to trust beside the system's; relative to this file.
            pub(super) ca_file: Spanned<String>,
            /// The most requests in flight at this registry.
            #[schemars(range(min = 1, max = 1024))]
            pub(super) max_concurrency: Spanned<u32>,
            /// What is allowed about pins here.
            pub(super) pins: Spanned<RawPins>,
            /// What rollback targets are to survive here, in place of what the policy requires of all sources.
            pub(super) require: Spanned<RawRequire>,
            $($(#[$own_doc])* pub(super) $own: $kind,)*
        }

        impl $name {
            pub(super) fn terms(&self) -> RegistryTerms<'_> {
                terms!(self, $address)
            }
        }
    };
}
pub(super) use registry_source;

#[cfg(test)]
mod tests {
    use super::names_its_owner;

    #[test]
    fn a_repository_has_its_owner_in_front() {
        for entry in ["acme/api", "acme/*", "acme/**", "acme/team/api-*", "acme/{api,web}", "library/postgres"] {
            assert!(names_its_owner(entry), "{entry}");
        }
        for entry in ["api", "postgres", "*", "**", "*/api", "{acme,corp}/*", "ac*/api", "/api", "acme/"] {
            assert!(!names_its_owner(entry), "{entry}");
        }
    }
}
