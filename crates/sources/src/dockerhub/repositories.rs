//! Which repositories a namespace has, and which tags of one are immutable (K59).

use async_trait::async_trait;
use serde::Deserialize;

use super::api::Api;
use crate::owners::{ListsOwners, MOST_OF_AN_OWNER};
use prodpin_core::model::{Cause, RepositoryName};
use prodpin_net::http::fault::Fault;

#[derive(Deserialize)]
struct RepositoryRow {
    name: Box<str>,
}

#[async_trait]
impl ListsOwners for Api {
    async fn list(&self, namespace: &str, take: &mut (dyn for<'n> FnMut(&'n str) + Send)) -> Result<(), Fault> {
        let path = format!("v2/namespaces/{namespace}/repositories");
        let mut count = 0;
        let each = |rows: Vec<RepositoryRow>| {
            count += rows.len();
            rows.iter().for_each(|row| take(&format!("{namespace}/{}", row.name)));
            match count > MOST_OF_AN_OWNER {
                true => Err(Fault::refused(format!("{path}: more than {MOST_OF_AN_OWNER} repositories"))),
                false => Ok(()),
            }
        };
        let said = self.pages(&path, each).await?;
        if said.is_some_and(|said| said != count) || (said.is_none() && count == 0) {
            let said = said.map_or_else(|| "does not say how many there are".to_owned(), |said| format!("says {said}"));
            let detail = format!("GET /{path} at {}: the list has {count} repositories and {said}", self.host());
            return Err(Fault::malformed(detail));
        }
        match self.has_login().await? {
            true if count > 0 => Ok(()),
            // A login proves nothing about a namespace: what it may not see is left out of the list (F129).
            true => Err(Fault::new(
                Cause::Denied,
                format!(
                    "{} lists no repository of {namespace}: there is none, or the login may not see them; use one that may \
                     read the namespace",
                    self.host()
                ),
            )),
            // A stranger is shown what is public (F129).
            false => Err(Fault::new(
                Cause::Denied,
                format!(
                    "there are no credentials for {}, which lists public repositories to everybody: set `username` and \
                     `password` on the source",
                    self.host()
                ),
            )),
        }
    }
}

/// Which tags of a repository are immutable.
#[derive(Debug, Clone, Default)]
pub(super) struct Immutability(Vec<String>);

#[derive(Deserialize)]
struct RepositoryDocument {
    #[serde(default)]
    immutable_tags_settings: Option<Settings>,
}

#[derive(Deserialize)]
struct Settings {
    enabled: bool,
    #[serde(default)]
    rules: Vec<String>,
}

/// Asks for it.
pub(super) async fn immutability(api: &Api, repository: &RepositoryName) -> Result<Immutability, Fault> {
    let path = super::tags::path_of(repository)?;
    let document: RepositoryDocument = api.document(&path).await?;
    let settings = document.immutable_tags_settings.ok_or_else(|| {
        Fault::malformed(format!("GET /{path} at {}: it does not say which tags are immutable", api.host()))
    })?;
    Ok(Immutability(if settings.enabled { settings.rules } else { Vec::new() }))
}

impl Immutability {
    /// Whether a tag of this name is immutable; none where that depends on what an expression means to Docker Hub.
    pub(super) fn covers(&self, name: &str) -> Option<bool> {
        let verdicts: Vec<Option<bool>> = self.0.iter().map(|rule| covers(rule, name)).collect();
        match () {
            () if verdicts.contains(&Some(true)) => Some(true),
            () if verdicts.contains(&None) => None,
            () => Some(false),
        }
    }
}

/// Whether an expression covers a name. Whether Docker Hub looks for the whole name or for a part of it is not documented, so
/// that only what holds either way is known; and of expressions only letters with `.*` behind them are read.
fn covers(rule: &str, name: &str) -> Option<bool> {
    let (is_anchored, rest) = rule.strip_prefix('^').map_or((false, rule), |rest| (true, rest));
    let (ends, rest) = rest.strip_suffix('$').map_or((false, rest), |rest| (true, rest));
    let (goes_on, letters) = rest.strip_suffix(".*").map_or((false, rest), |rest| (true, rest));
    if !letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return None;
    }
    let whole = if goes_on { name.starts_with(letters) } else { name == letters };
    let part = match (is_anchored, ends && !goes_on) {
        (true, true) => name == letters,
        (true, false) => name.starts_with(letters),
        (false, true) => name.ends_with(letters),
        (false, false) => name.contains(letters),
    };
    (whole == part).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_pins_surely_surely_not_or_perhaps_k59() {
        let pin = "prod-pinned-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for (rules, expected) in [
            (&[][..], Some(false)),
            (&[".*"], Some(true)),
            (&["prod-pinned-.*"], Some(true)),
            (&["^prod-pinned-.*$"], Some(true)),
            (&["^prod-.*", "v.*"], Some(true)),
            (&["v.*"], Some(false)),
            (&["^v.*$", "latest"], Some(false)),
            // A part of the name, and not all of it.
            (&["pinned"], None),
            (&["^prod-pinned-"], None),
            (&["[a-z]+.*"], None),
            (&["(?i)prod.*", "v.*"], None),
            (&["[a-z]+", ".*"], Some(true)),
        ] {
            let rules = Immutability(rules.iter().map(|rule| (*rule).to_owned()).collect());
            assert_eq!(rules.covers(pin), expected, "{rules:?}");
        }
    }
}
