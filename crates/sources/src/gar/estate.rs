//! Which images there are: of the repositories that the policy names, or of all that a project has in the location.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::Gar;
use super::documents::{RepositoryDocument, RepositoryPage};
use super::place::Shelf;
use crate::owners::{ListsOwners, MOST_OF_AN_OWNER};
use prodpin_core::model::{Cause, NamePatterns};
use prodpin_net::http::fault::Fault;

#[async_trait]
impl ListsOwners for Gar {
    /// One repository that may not be read keeps no other from being listed.
    async fn list(&self, project: &str, take: &mut (dyn for<'n> FnMut(&'n str) + Send)) -> Result<(), Fault> {
        let named = named(&self.patterns, project);
        let is_named = named.is_some();
        let (shelves, mut first) = match named {
            Some(names) => (names, None),
            None => self.of_project(project).await,
        };
        for repository in shelves {
            let shelf = Shelf { project: project.into(), location: self.location.clone(), repository };
            match self.images.paths(&self.api, &shelf).await {
                Ok(paths) => {
                    paths.iter().for_each(|path| take(&format!("{project}/{}/{path}", shelf.repository)));
                }
                // A repository that was listed a moment ago is gone; one that a pattern names is a word that was misspelt, or is in
                // another location, and no place without images.
                Err(fault) if fault.cause == Cause::NotFound => {
                    first = first.or(is_named.then(|| misnamed(&fault, "repository")));
                }
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        first.map_or(Ok(()), Err)
    }
}

impl Gar {
    /// The repositories of a project that hold images, and why these are not all.
    async fn of_project(&self, project: &str) -> (BTreeSet<Box<str>>, Option<Fault>) {
        let path = format!("v1/projects/{project}/locations/{}/repositories", self.location);
        let mut found: BTreeSet<Box<str>> = BTreeSet::new();
        let take = |rows: Vec<RepositoryDocument>| {
            let docker = rows.iter().filter(|row| row.format.as_deref() == Some("DOCKER"));
            found.extend(docker.filter_map(|row| row.name.rsplit('/').next()).map(Box::from));
            match found.len() > MOST_OF_AN_OWNER {
                true => Err(Fault::refused(format!("{path}: more than {MOST_OF_AN_OWNER} repositories"))),
                false => Ok(()),
            }
        };
        let end = self.api.list::<RepositoryPage>(&path, take).await.err();
        let end = end.map(|fault| match fault.cause {
            Cause::NotFound => misnamed(&fault, "project"),
            _ => fault,
        });
        (found, end)
    }
}

fn misnamed(fault: &Fault, what: &str) -> Fault {
    Fault::new(Cause::Denied, format!("{}; name the {what} as it is", fault.detail))
}

/// The repositories of a project that patterns with globs name, if each of them names one.
fn named(patterns: &NamePatterns, project: &str) -> Option<BTreeSet<Box<str>>> {
    let explicit: BTreeSet<&str> = patterns.explicit_names().collect();
    let globs = patterns.included().filter(|entry| !explicit.contains(entry));
    let of_project = globs.filter_map(|entry| entry.strip_prefix(project)?.strip_prefix('/'));
    of_project
        .map(|rest| rest.split_once('/').map(|(repository, _)| repository).filter(|it| is_plain(it)).map(Box::from))
        .collect()
}

fn is_plain(repository: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !repository.is_empty() && repository.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_that_are_named_need_not_be_listed() {
        let named = |entries: &[&str]| {
            let found = named(&NamePatterns::new(entries).unwrap(), "acme")?;
            Some(found.into_iter().map(String::from).collect::<Vec<_>>())
        };
        assert_eq!(
            named(&["acme/shop/*", "acme/pay/**", "!acme/pay/x", "other/*/x"]),
            Some(vec!["pay".into(), "shop".into()])
        );
        assert_eq!(named(&["acme/shop/api", "acme/pay/*"]), Some(vec!["pay".into()]));
        for all in [&["acme/**"][..], &["acme/*/api"], &["acme/shop/*", "acme/sh*/x"], &["acme/{shop,pay}/*"]] {
            assert_eq!(named(all), None, "{all:?}");
        }
    }
}
