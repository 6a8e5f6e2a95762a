//! What of zot's configuration decides how long artifacts stay (v2.1.20: `pkg/api/config/config.go`, and the defaults of
//! `pkg/cli/server/root.go`). What is not known to be harmless is unknown, and so are all rules with it.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::document::{Node, Table, Unread};
use prodpin_core::decide::lifecycle::zot::duration;
use prodpin_core::model::{RepositoryName, ZotKeep, ZotPolicy, ZotSettings};

/// `gcDelay`, where nothing is said.
const DELAY: SignedDuration = SignedDuration::from_hours(1);

/// What a store may have set. The first ones say what is collected; the others do not bear on it.
const STORE: [&str; 15] = [
    "gc",
    "gcdelay",
    "retention",
    "rootdirectory",
    "storagedriver",
    "cachedriver",
    "commit",
    "dedupe",
    "fastrestart",
    "gcinterval",
    "gcmaxschedulerdelay",
    "gctimewindow",
    "maxrepos",
    "redirectbloburl",
    "remotecache",
];

const KEEP: [&str; 4] = ["pulledwithin", "pushedwithin", "mostrecentlypushedcount", "mostrecentlypulledcount"];

/// The stores of a server, each with settings of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stores {
    main: ZotSettings,
    /// By the first part of a repository's name.
    below: BTreeMap<String, ZotSettings>,
}

impl Stores {
    /// What holds for a repository: its name's first part leads to a store, if there is one of that name
    /// (`pkg/storage/storage_controller.go`).
    pub(super) fn of(&self, repository: &RepositoryName) -> &ZotSettings {
        let store = repository.as_str().split_once('/').and_then(|(first, _)| self.below.get(first));
        store.unwrap_or(&self.main)
    }
}

/// Reads the stores of a configuration.
pub(super) fn stores(configuration: &Node) -> Result<Stores, Unread> {
    let file = Table::any(configuration, "the file")?;
    let storage =
        file.get("storage").ok_or_else(|| Unread::odd("has no `storage`, so it is no configuration of zot"))?;
    let known: Vec<&str> = STORE.into_iter().chain(["subpaths"]).collect();
    let main = Table::of(storage, "storage", &known)?;
    let mut roots = vec![root(&main)?];
    let mut below = BTreeMap::new();
    if let Some(node) = main.get("subpaths") {
        let place = main.place_of("subPaths");
        for (route, node) in Table::any(node, &place)?.entries() {
            let store = Table::of(node, &format!("{place}[{route:.60?}]"), &STORE)?;
            roots.push(root(&store)?);
            let first = route.strip_prefix('/').filter(|first| !first.is_empty() && !first.contains('/'));
            // zot takes any other for a route that no name leads to; the store is collected by its own settings all the same.
            let first = first.ok_or_else(|| {
                Unread::odd(format!("{place} has {route:.60?}, and prodpin knows only what is like \"/team\""))
            })?;
            below.insert(first.to_owned(), settings(&store, false)?);
        }
    }
    must_be_apart(&roots)?;
    let mut stores = Stores { main: settings(&main, true)?, below };
    // One rule by count or time anywhere, and the server keeps its database.
    let has_database = std::iter::once(&stores.main).chain(stores.below.values()).any(has_rules);
    stores.main.has_database = has_database;
    stores.below.values_mut().for_each(|settings| settings.has_database = has_database);
    Ok(stores)
}

/// Where a store lies: a collection walks whatever lies below.
fn root(store: &Table<'_>) -> Result<Vec<String>, Unread> {
    let path = match store.get("storagedriver") {
        Some(driver) => Table::any(driver, &store.place_of("storageDriver"))?.text("rootdirectory")?.unwrap_or("/"),
        None => store.text("rootdirectory")?.unwrap_or(""),
    };
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let steps = path.split('/').filter(|step| !matches!(*step, "" | "."));
    let start = if path.starts_with('/') { "/" } else { "." };
    Ok([start].into_iter().chain(steps).map(str::to_owned).collect())
}

/// Stores within one another are collected by the settings of both. Of a path that does not say where it lies, or goes up, it is
/// not known.
fn must_be_apart(roots: &[Vec<String>]) -> Result<(), Unread> {
    let goes_up = |root: &Vec<String>| root.iter().any(|step| step == "..");
    for (at, one) in roots.iter().enumerate() {
        for other in &roots[at + 1..] {
            let is_odd = goes_up(one) || goes_up(other) || one.first() != other.first();
            if is_odd || one.starts_with(other) || other.starts_with(one) {
                let detail =
                    "storage.subPaths has stores that may lie within one another, which several settings then hold for";
                return Err(Unread::odd(detail));
            }
        }
    }
    Ok(())
}

/// `collects` is what holds where nothing is said of `gc`: for the server itself true, for a store below it false.
fn settings(store: &Table<'_>, collects: bool) -> Result<ZotSettings, Unread> {
    let collects = store.boolean("gc")?.unwrap_or(collects);
    let delay = span(store, "gcdelay")?.unwrap_or(DELAY);
    let nothing = Node::Table(BTreeMap::new());
    let retention = store.get("retention").unwrap_or(&nothing);
    let retention = Table::of(retention, &store.place_of("retention"), &["dryrun", "delay", "policies"])?;
    let mut policies = Vec::new();
    for (at, node) in retention.list("policies")?.iter().enumerate() {
        policies.push(policy(node, &format!("{}[{at}]", retention.place_of("policies")))?);
    }
    Ok(ZotSettings {
        collects,
        has_database: false,
        dry_run: retention.boolean("dryrun")?.unwrap_or(false),
        delay,
        retention_delay: span(&retention, "delay")?.unwrap_or(delay),
        policies,
    })
}

fn policy(node: &Node, place: &str) -> Result<ZotPolicy, Unread> {
    const KNOWN: [&str; 5] = ["repositories", "deletereferrers", "deleteuntagged", "keeptags", "keepuntagged"];
    let policy = Table::of(node, place, &KNOWN)?;
    let mut keep_tags = Vec::new();
    for (at, node) in policy.list("keeptags")?.iter().enumerate() {
        let place = format!("{}[{at}]", policy.place_of("keepTags"));
        let known: Vec<&str> = KEEP.into_iter().chain(["patterns"]).collect();
        let entry = Table::of(node, &place, &known)?;
        keep_tags.push(ZotKeep { patterns: entry.texts("patterns")?, ..rules(&entry)? });
    }
    let keep_untagged = match policy.get("keepuntagged") {
        Some(node) => Some(rules(&Table::of(node, &policy.place_of("keepUntagged"), &KEEP)?)?),
        None => None,
    };
    Ok(ZotPolicy {
        repositories: policy.texts("repositories")?,
        delete_referrers: policy.boolean("deletereferrers")?.unwrap_or(false),
        delete_untagged: policy.boolean("deleteuntagged")?,
        keep_tags,
        keep_untagged,
    })
}

fn rules(keep: &Table<'_>) -> Result<ZotKeep, Unread> {
    Ok(ZotKeep {
        patterns: Vec::new(),
        pulled_within: span(keep, "pulledwithin")?,
        pushed_within: span(keep, "pushedwithin")?,
        pushed_count: keep.number("mostrecentlypushedcount")?.unwrap_or(0),
        pulled_count: keep.number("mostrecentlypulledcount")?.unwrap_or(0),
    })
}

fn span(table: &Table<'_>, key: &str) -> Result<Option<SignedDuration>, Unread> {
    let Some(text) = table.text(key)? else { return Ok(None) };
    duration(text).map(Some).map_err(|_| table.odd(key, "no span of time as zot reads it, such as \"72h\""))
}

/// Whether there is a rule by count or time.
fn has_rules(settings: &ZotSettings) -> bool {
    let by_rule = |keep: &ZotKeep| {
        keep.pulled_count != 0 || keep.pushed_count != 0 || keep.pulled_within.is_some() || keep.pushed_within.is_some()
    };
    let of_untagged = |policy: &ZotPolicy| {
        policy.delete_untagged != Some(false) && policy.keep_untagged.as_ref().is_some_and(by_rule)
    };
    settings.policies.iter().any(|policy| policy.keep_tags.iter().any(by_rule) || of_untagged(policy))
}

#[cfg(test)]
mod tests;
