//! zot's retention and garbage collection of one repository, as the guide has it (K55): tags first, then referrers without
//! a subject and manifests without a tag, until nothing more goes, then bytes that nothing names.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{Dialect, Regex, glob};

#[derive(Debug, Clone, Default)]
pub(crate) struct Zot {
    pub(crate) repository: String,
    /// Whether the database with pushes and pulls is there.
    pub(crate) database: bool,
    pub(crate) gc_delay: i64,
    pub(crate) retention_delay: i64,
    pub(crate) policies: Vec<Policy>,
    pub(crate) manifests: Vec<Manifest>,
    /// Tags that only the database knows, with what they name.
    pub(crate) only_in_database: Vec<(String, String)>,
    pub(crate) not_in_database: BTreeSet<String>,
    /// Decides between equal times, which the engine leaves open.
    pub(crate) ties: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    pub(crate) repositories: Vec<String>,
    pub(crate) delete_referrers: bool,
    pub(crate) delete_untagged: Option<bool>,
    pub(crate) keep_tags: Vec<Keep>,
    pub(crate) keep_untagged: Option<Keep>,
}

/// What is kept: what meets any of the rules; without a rule, everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keep {
    pub(crate) patterns: Vec<String>,
    pub(crate) pulled_within: Option<i64>,
    pub(crate) pushed_within: Option<i64>,
    pub(crate) most_recently_pushed: usize,
    pub(crate) most_recently_pulled: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Manifest {
    pub(crate) id: String,
    pub(crate) is_index: bool,
    pub(crate) children: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) listed: bool,
    pub(crate) age: i64,
    /// When it was pushed and pulled last, in seconds before now, where the database has statistics of it.
    pub(crate) statistics: Option<(Option<i64>, Option<i64>)>,
}

/// A line of the repository's `index.json`.
type Row = (String, Option<String>);

impl Keep {
    fn has_rules(&self) -> bool {
        let counts = self.most_recently_pulled > 0 || self.most_recently_pushed > 0;
        counts || self.pulled_within.is_some() || self.pushed_within.is_some()
    }
}

impl Zot {
    fn policy(&self) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.repositories.iter().any(|name| glob(name, &self.repository)))
    }

    fn manifest(&self, id: &str) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.id == id)
    }

    /// Carries out what is configured.
    pub(crate) fn collect(&mut self) {
        let mut rows = self.rows();
        self.retain_tags(&mut rows);
        self.drop_manifests(&mut rows);
        rows.retain(|(id, _)| {
            let there = |id: &String| self.manifest(id).is_some();
            let emptied = |manifest: &Manifest| {
                manifest.is_index && !manifest.children.is_empty() && !manifest.children.iter().any(there)
            };
            self.manifest(id).is_some_and(|manifest| !emptied(manifest))
        });
        let mut named: BTreeSet<String> = rows.iter().map(|(id, _)| id.clone()).collect();
        self.with_children(&mut named);
        self.manifests.retain(|manifest| named.contains(&manifest.id) || manifest.age < self.gc_delay);
        for manifest in &mut self.manifests {
            let of_it = rows.iter().filter(|(id, _)| *id == manifest.id);
            manifest.listed = of_it.clone().count() > 0;
            manifest.tags = of_it.filter_map(|(_, tag)| tag.clone()).collect();
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for manifest in &self.manifests {
            rows.extend(manifest.tags.iter().map(|tag| (manifest.id.clone(), Some(tag.clone()))));
            if manifest.tags.is_empty() && manifest.listed {
                rows.push((manifest.id.clone(), None));
            }
        }
        rows
    }

    fn with_children(&self, named: &mut BTreeSet<String>) {
        loop {
            let below = named.iter().filter_map(|id| self.manifest(id)).flat_map(|manifest| manifest.children.clone());
            let below: Vec<String> = below.filter(|id| !named.contains(id)).collect();
            if below.is_empty() {
                return;
            }
            named.extend(below);
        }
    }

    /// A tag goes to the first entry one of whose patterns matches; one that matches none goes; without statistics it stays.
    fn retain_tags(&self, rows: &mut Vec<Row>) {
        let Some(policy) = self.policy().filter(|policy| !policy.keep_tags.is_empty()) else { return };
        let entry = |tag: &str| {
            policy.keep_tags.iter().position(|keep| {
                let matches = |pattern: &String| Regex::new(pattern, Dialect::Go).is_some_and(|regex| regex.finds(tag));
                keep.patterns.is_empty() || keep.patterns.iter().any(matches)
            })
        };
        let tags: Vec<(String, String)> =
            rows.iter().filter_map(|(id, tag)| Some((tag.clone()?, id.clone()))).collect();
        let mut kept: BTreeSet<String> = BTreeSet::new();
        let mut groups: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
        if self.database {
            let known = tags.iter().filter(|(tag, _)| !self.not_in_database.contains(tag));
            let known: Vec<&(String, String)> = known
                .chain(&self.only_in_database)
                .filter(|(_, id)| self.manifest(id).is_some_and(|manifest| manifest.statistics.is_some()))
                .collect();
            let unknown = tags.iter().filter(|(tag, _)| !known.iter().any(|(other, _)| other == tag));
            kept.extend(unknown.map(|(tag, _)| tag.clone()));
            for (tag, id) in known {
                if let Some(entry) = entry(tag) {
                    groups.entry(entry).or_default().push((tag.clone(), id.clone()));
                }
            }
        } else {
            kept.extend(tags.iter().filter(|(tag, _)| entry(tag).is_some()).map(|(tag, _)| tag.clone()));
        }
        for (entry, group) in groups {
            kept.extend(self.kept(&policy.keep_tags[entry], group));
        }
        for (id, tag) in rows.clone() {
            if let Some(tag) = tag.filter(|tag| !kept.contains(tag)) {
                remove(rows, &id, Some(&tag));
            }
        }
    }

    /// The names that a rule keeps; all of them where there is none.
    fn kept(&self, keep: &Keep, group: Vec<(String, String)>) -> BTreeSet<String> {
        if !keep.has_rules() {
            return group.into_iter().map(|(name, _)| name).collect();
        }
        let times = |id: &str| self.manifest(id).and_then(|manifest| manifest.statistics).unwrap_or_default();
        let ago = |time: Option<i64>| time.unwrap_or(i64::MAX);
        let mut kept = BTreeSet::new();
        for (count, of_pulls) in [(keep.most_recently_pulled, true), (keep.most_recently_pushed, false)] {
            let mut sorted = group.clone();
            sorted.sort_by_key(|(name, id)| {
                let (pushed, pulled) = times(id);
                (ago(if of_pulls { pulled } else { pushed }), shuffled(self.ties, name))
            });
            kept.extend(sorted.into_iter().take(count).map(|(name, _)| name));
        }
        for (name, id) in group {
            let (pushed, pulled) = times(&id);
            let pull = keep.pulled_within.is_some_and(|within| ago(pulled) < within || ago(pushed) < within);
            let push = keep.pushed_within.is_some_and(|within| ago(pushed) < within);
            if pull || push {
                kept.insert(name);
            }
        }
        kept
    }

    fn drop_manifests(&self, rows: &mut Vec<Row>) {
        let policy = self.policy();
        let referrers = policy.is_some_and(|policy| policy.delete_referrers);
        // Without a policy what has no tag goes (K55).
        let untagged = policy.and_then(|policy| policy.delete_untagged).unwrap_or(true);
        loop {
            let lost = referrers && self.drop_referrers(rows);
            let bare = untagged && self.drop_untagged(rows);
            if !lost && !bare {
                return;
            }
        }
    }

    fn drop_referrers(&self, rows: &mut Vec<Row>) -> bool {
        let mut any = false;
        for (id, tag) in rows.clone() {
            let Some(manifest) = self.manifest(&id) else { continue };
            let is_there = |rows: &Vec<Row>, id: &str| rows.iter().any(|(other, _)| other == id);
            let orphan = manifest.subject.as_ref().is_some_and(|subject| !is_there(rows, subject));
            if orphan && manifest.age >= self.retention_delay && remove(rows, &id, tag.as_ref()) {
                any = true;
                continue;
            }
            let of_image = tag.as_ref().and_then(|tag| signed_image(tag));
            if of_image.is_some_and(|image| !is_there(rows, &image)) && manifest.age >= self.gc_delay {
                any |= remove(rows, &id, tag.as_ref());
            }
        }
        any
    }

    fn drop_untagged(&self, rows: &mut Vec<Row>) -> bool {
        let mut all: BTreeSet<String> = rows.iter().map(|(id, _)| id.clone()).collect();
        self.with_children(&mut all);
        let referenced: BTreeSet<&String> = all
            .iter()
            .filter_map(|id| self.manifest(id))
            .flat_map(|manifest| manifest.children.iter().chain(manifest.subject.is_some().then_some(&manifest.id)))
            .collect();
        let keep = self.policy().and_then(|policy| policy.keep_untagged.as_ref()).filter(|keep| keep.has_rules());
        let bare: Vec<String> = rows.iter().filter(|(_, tag)| tag.is_none()).map(|(id, _)| id.clone()).collect();
        let mut kept: BTreeSet<String> = BTreeSet::new();
        if let Some(keep) = keep.filter(|_| self.database) {
            let has_statistics = |id: &String| self.manifest(id).is_some_and(|manifest| manifest.statistics.is_some());
            let (known, unknown): (Vec<String>, Vec<String>) = bare.iter().cloned().partition(has_statistics);
            kept.extend(unknown);
            kept.extend(self.kept(keep, known.into_iter().map(|id| (id.clone(), id)).collect()));
        }
        // Whether another round is made is what came of the last one looked at: what an index left behind may stay until the
        // next collection.
        let mut last = false;
        for id in bare {
            if !referenced.contains(&id) && !kept.contains(&id) {
                let old = self.manifest(&id).is_some_and(|manifest| manifest.age >= self.retention_delay);
                last = old && remove(rows, &id, None);
            }
        }
        last
    }
}

/// Takes one line out. Of a manifest that loses its last tag the line stays, without one.
fn remove(rows: &mut Vec<Row>, id: &str, tag: Option<&String>) -> bool {
    let of_it = rows.iter().filter(|(other, _)| other == id).count();
    match tag {
        Some(tag) => {
            let Some(at) = rows.iter().position(|(_, other)| other.as_ref() == Some(tag)) else { return false };
            rows.remove(at);
            if of_it == 1 {
                rows.push((id.to_owned(), None));
            }
            true
        }
        None if of_it == 1 => {
            rows.retain(|(other, _)| other != id);
            true
        }
        None => false,
    }
}

/// The image that a signature by tag belongs to, going by the tag's name.
fn signed_image(tag: &str) -> Option<String> {
    let name = tag.strip_prefix("sha256-")?;
    let name = name.strip_suffix(".sig").or_else(|| name.strip_suffix(".sbom"))?;
    (name.len() == 64).then(|| name.to_owned())
}

/// One of the orders in which equals may come.
pub(crate) fn shuffled(ties: u64, name: &str) -> u64 {
    name.bytes().fold(ties.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}
