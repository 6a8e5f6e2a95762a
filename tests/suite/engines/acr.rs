//! `acr purge` on one registry (K47-K49).

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{Dialect, Regex};

#[derive(Debug, Clone, Default)]
pub(crate) struct Purge {
    pub(crate) filters: Vec<String>,
    /// What `--ago` was read as; less than nothing is in the past.
    pub(crate) ago: i64,
    pub(crate) keep: usize,
    pub(crate) untagged: bool,
    pub(crate) untagged_only: bool,
    pub(crate) include_locked: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Manifest {
    pub(crate) id: String,
    pub(crate) media_type: Option<String>,
    /// Seconds since it was changed last.
    pub(crate) age: Option<i64>,
    pub(crate) locked: bool,
    pub(crate) children: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) age: i64,
    pub(crate) locked: bool,
}

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

impl Manifest {
    fn is_list(&self) -> bool {
        self.media_type.as_deref().is_some_and(|kind| kind == INDEX || kind == LIST)
    }
}

impl Purge {
    /// Carries it out; none where the command ends with an error before it deletes anything.
    pub(crate) fn run(&self, repositories: &mut BTreeMap<String, Vec<Manifest>>) -> Option<()> {
        for (name, filter) in self.chosen(repositories)? {
            let manifests = repositories.get_mut(&name)?;
            if !self.untagged_only {
                self.purge_tags(&filter, manifests)?;
            }
            if self.untagged || self.untagged_only {
                self.purge_untagged(manifests);
            }
        }
        Some(())
    }

    /// The repositories that a filter's first part matches, each with the second parts joined.
    pub(crate) fn chosen<T>(&self, repositories: &BTreeMap<String, T>) -> Option<BTreeMap<String, String>> {
        if self.untagged_only && self.filters.is_empty() {
            return Some(repositories.keys().map(|name| (name.clone(), String::new())).collect());
        }
        let mut chosen: BTreeMap<String, String> = BTreeMap::new();
        for filter in &self.filters {
            let (repository, tags) = split(filter)?;
            let regex = Regex::new(&format!("^{repository}$"), Dialect::Go)?;
            for name in repositories.keys().filter(|name| regex.finds(name)) {
                chosen.entry(name.clone()).and_modify(|all| *all = format!("{all}|{tags}")).or_insert(tags.clone());
            }
        }
        Some(chosen)
    }

    fn purge_tags(&self, filter: &str, manifests: &mut [Manifest]) -> Option<()> {
        let regex = Regex::new(filter, Dialect::Go)?;
        let tags = manifests.iter().flat_map(|manifest| &manifest.tags);
        let mut eligible: Vec<&Tag> = tags
            .filter(|tag| regex.finds(&tag.name) && tag.age > -self.ago && (self.include_locked || !tag.locked))
            .collect();
        // What is kept is the newest of what would go (K49).
        eligible.sort_by_key(|tag| tag.age);
        let gone: BTreeSet<String> = eligible.into_iter().skip(self.keep).map(|tag| tag.name.clone()).collect();
        for manifest in manifests {
            manifest.tags.retain(|tag| !gone.contains(&tag.name));
        }
        Some(())
    }

    fn purge_untagged(&self, manifests: &mut Vec<Manifest>) {
        let mut spared: BTreeSet<String> = BTreeSet::new();
        let mut candidates: Vec<&Manifest> = Vec::new();
        for manifest in manifests.iter() {
            // A locked one is skipped before anybody looks at its children (K47).
            if manifest.locked && !self.include_locked {
                continue;
            }
            let is_old = manifest.age.is_some_and(|age| age >= -self.ago);
            if !manifest.tags.is_empty() || !is_old {
                if manifest.media_type.is_none() || manifest.is_list() {
                    spare(manifests, &manifest.children, &mut spared);
                }
                continue;
            }
            match manifest.media_type.as_deref() {
                None => {
                    spared.insert(manifest.id.clone());
                }
                // A referrer stays, but for an index with children, of which only those do.
                Some(INDEX) if manifest.subject.is_some() && !manifest.children.is_empty() => {
                    spare(manifests, &manifest.children, &mut spared);
                }
                Some(IMAGE | INDEX | ARTIFACT) if manifest.subject.is_some() => {
                    spared.insert(manifest.id.clone());
                }
                Some(_) => {}
            }
            candidates.push(manifest);
        }
        let mut going: Vec<&Manifest> = candidates.into_iter().filter(|one| !spared.contains(&one.id)).collect();
        going.sort_by_key(|manifest| manifest.age.unwrap_or(i64::MAX));
        let gone: BTreeSet<String> = going.into_iter().skip(self.keep).map(|manifest| manifest.id.clone()).collect();
        manifests.retain(|manifest| !gone.contains(&manifest.id));
    }
}

/// Spares what an index names, through nested ones.
fn spare(manifests: &[Manifest], children: &[String], spared: &mut BTreeSet<String>) {
    for child in children {
        let is_new = spared.insert(child.clone());
        let nested = manifests.iter().find(|manifest| manifest.id == *child && manifest.is_list());
        if let Some(nested) = nested.filter(|_| is_new) {
            spare(manifests, &nested.children, spared);
        }
    }
}

/// A filter's two parts: at the colon that belongs to no group and no class.
fn split(filter: &str) -> Option<(String, String)> {
    let is_of_pattern = |at: usize| {
        let before = filter[..at].trim_end_matches(['i', 'm', 's', 'U', '-']);
        before.ends_with("(?") || filter[..at].ends_with('[') || filter[at + 1..].starts_with(']')
    };
    let colons: Vec<usize> = filter.match_indices(':').map(|(at, _)| at).filter(|at| !is_of_pattern(*at)).collect();
    let [colon] = colons[..] else { return None };
    let (repository, tags) = (&filter[..colon], &filter[colon + 1..]);
    (!repository.is_empty() && !tags.is_empty()).then(|| (repository.to_owned(), tags.to_owned()))
}
