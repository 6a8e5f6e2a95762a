//! `prodpin enforce`: pin every rollback target.

use std::path::Path;

use super::arguments::EnforceArguments;
use super::exit::{Ending, Misuse};
use super::outcome::outcome;
use super::progress::Bar;
use crate::model::{Mode, RepositoryKey, SourceName};
use crate::policy::load;

pub(super) async fn enforce(path: &Path, arguments: &EnforceArguments, bar: &Bar) -> anyhow::Result<Ending> {
    let mode = if arguments.dry_run { Mode::EnforceDryRun } else { Mode::Enforce };
    let policy = load(path)?;
    let sources = match &arguments.run.sources[..] {
        [] => policy.sources.keys().cloned().collect(),
        some => some.to_vec(),
    };
    let only = arguments.repositories.iter().map(|text| named(text, &sources)).collect::<Result<_, _>>()?;
    outcome(mode, Some(path), policy, &arguments.run, only, bar).await
}

/// The repository that is meant: by its source's name in front, or by its own where there is one source alone.
fn named(text: &str, sources: &[SourceName]) -> Result<RepositoryKey, Misuse> {
    if text.contains(['*', '?', '[', '!']) {
        return Err(Misuse(format!(
            "{text}: enforce takes names, and no patterns; what the policy names in all needs no name"
        )));
    }
    let key = |source: &SourceName, name: &str| {
        let name = name.parse().map_err(|error| Misuse(format!("{text}: {error}")))?;
        Ok(RepositoryKey { source: source.clone(), name })
    };
    let with_source =
        sources.iter().find_map(|source| Some((source, text.strip_prefix(source.as_str())?.strip_prefix('/')?)));
    match (with_source, sources) {
        (Some((source, name)), _) => key(source, name),
        (None, [one]) => key(one, text),
        (None, _) => {
            let each: Vec<String> = sources.iter().map(|source| format!("{source}/{text}")).collect();
            Err(Misuse(format!("{text}: the policy has several sources; write {}", each.join(" or "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_by_its_own_name_only_where_there_is_one_source() {
        let told = |text: &str, sources: &[&str]| {
            let sources: Vec<SourceName> = sources.iter().map(|source| source.parse().unwrap()).collect();
            named(text, &sources).map(|key| key.to_string()).map_err(|error| error.0)
        };
        assert_eq!(told("shop/api", &["eu"]), Ok("eu/shop/api".to_owned()));
        assert_eq!(told("eu/shop/api", &["eu"]), Ok("eu/shop/api".to_owned()));
        assert_eq!(told("us/shop/api", &["eu", "us"]), Ok("us/shop/api".to_owned()));
        assert_eq!(told("eu", &["eu"]), Ok("eu/eu".to_owned()), "a repository may be named as its source");
        let several = told("shop/api", &["eu", "us"]).unwrap_err();
        assert!(several.ends_with("write eu/shop/api or us/shop/api"), "{several}");
        assert!(told("shop/*", &["eu"]).unwrap_err().contains("no patterns"));
        assert!(told("shop//api", &["eu"]).is_err());
    }
}
