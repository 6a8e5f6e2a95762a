//! Cases of zot's garbage collection: a repository as a line describes it, read into the model's facts, and the answer
//! written as the cases write it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use prodpin_core::decide::lifecycle::zot::{Collected, Fate, collect};
use prodpin_core::model::{
    Digest, RepositoryName, Tag, ZotKeep, ZotManifest, ZotPolicy, ZotRepository, ZotSettings, ZotUse,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Times in cases are seconds before now; which now, does not matter.
const NOW: i64 = 1_790_000_000;

#[derive(Deserialize)]
struct Case {
    id: Value,
    repository: String,
    metadb: bool,
    dry_run: bool,
    gc_delay: String,
    retention_delay: String,
    policies: Vec<Policy>,
    manifests: Vec<Manifest>,
    tags_only_in_metadb: BTreeMap<String, String>,
    tags_missing_in_metadb: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    repositories: Option<Vec<String>>,
    #[serde(default)]
    delete_referrers: bool,
    delete_untagged: Option<bool>,
    keep_tags: Option<Vec<Keep>>,
    keep_untagged: Option<Keep>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keep {
    patterns: Option<Vec<String>>,
    pulled_within: Option<String>,
    pushed_within: Option<String>,
    #[serde(default)]
    most_recently_pushed_count: i64,
    #[serde(default)]
    most_recently_pulled_count: i64,
}

#[derive(Deserialize)]
struct Manifest {
    id: String,
    children: Vec<String>,
    subject: Option<String>,
    tags: Vec<String>,
    listed: bool,
    age_s: i64,
    stats: bool,
    pushed_ago_s: Option<i64>,
    pulled_ago_s: Option<i64>,
}

/// What the simulator makes of one line.
pub(crate) fn answer(line: &str) -> Result<Value, String> {
    let case: Case = serde_json::from_str(line).map_err(|error| format!("this is no case: {error}"))?;
    let repository = case.repository()?;
    let collected = collect(&repository, at(0)?).map_err(|unclear| unclear.to_string())?;
    Ok(json!({ "id": case.id, "expect": case.expect(&collected)? }))
}

impl Case {
    fn repository(&self) -> Result<ZotRepository, String> {
        let tags_only = self.tags_only_in_metadb.iter().map(|(text, id)| Ok((tag(text)?, digest(id))));
        Ok(ZotRepository {
            name: self.repository.parse::<RepositoryName>().map_err(|error| error.to_string())?,
            settings: ZotSettings {
                collects: true,
                has_database: self.metadb,
                dry_run: self.dry_run,
                delay: duration(&self.gc_delay)?,
                retention_delay: duration(&self.retention_delay)?,
                policies: self.policies.iter().map(Policy::read).collect::<Result<_, String>>()?,
            },
            manifests: self.manifests.iter().map(Manifest::read).collect::<Result<_, String>>()?,
            tags_only_in_database: tags_only.collect::<Result<_, String>>()?,
            tags_missing_in_database: self
                .tags_missing_in_metadb
                .iter()
                .map(|text| tag(text))
                .collect::<Result<_, _>>()?,
            unresolved: BTreeSet::new(),
            knows_use: true,
        })
    }

    fn expect(&self, collected: &Collected) -> Result<Value, String> {
        let mut tags: BTreeMap<&str, Fate> = BTreeMap::new();
        for text in self.manifests.iter().flat_map(|manifest| &manifest.tags) {
            tags.insert(text, *collected.tags.get(&tag(text)?).ok_or("a tag without a fate")?);
        }
        let mut manifests = Vec::new();
        for Manifest { id, .. } in &self.manifests {
            manifests.push((id.as_str(), *collected.manifests.get(&digest(id)).ok_or("a manifest without a fate")?));
        }
        let tags =
            |of: Fate| tags.iter().filter(move |(_, fate)| **fate == of).map(|(text, _)| *text).collect::<Vec<_>>();
        let manifests =
            |of: Fate| manifests.iter().filter(|(_, fate)| *fate == of).map(|(id, _)| *id).collect::<Vec<_>>();
        let mut expect = json!({
            "policy": collected.policy.map_or(-1, |place| i64::try_from(place).unwrap_or(i64::MAX)),
            "tag_retention": collected.takes_tags,
            "delete_untagged": collected.deletes_untagged,
            "delete_referrers": collected.deletes_referrers,
            "tags_left": tags(Fate::Stays),
            "tags_gone": tags(Fate::Goes),
            "manifests_left": manifests(Fate::Stays),
            "manifests_gone": manifests(Fate::Goes),
            "tags_undetermined": tags(Fate::Open),
            "manifests_undetermined": manifests(Fate::Open),
        });
        if let Some(panic) = collected.panic {
            expect["panic"] = panic.to_string().into();
        }
        Ok(expect)
    }
}

impl Policy {
    fn read(&self) -> Result<ZotPolicy, String> {
        let keep_tags = self.keep_tags.iter().flatten().map(Keep::read);
        Ok(ZotPolicy {
            repositories: self.repositories.clone().unwrap_or_default(),
            delete_referrers: self.delete_referrers,
            delete_untagged: self.delete_untagged,
            keep_tags: keep_tags.collect::<Result<_, String>>()?,
            keep_untagged: self.keep_untagged.as_ref().map(Keep::read).transpose()?,
        })
    }
}

impl Keep {
    fn read(&self) -> Result<ZotKeep, String> {
        let within = |text: &Option<String>| text.as_deref().map(duration).transpose();
        Ok(ZotKeep {
            patterns: self.patterns.clone().unwrap_or_default(),
            pulled_within: within(&self.pulled_within)?,
            pushed_within: within(&self.pushed_within)?,
            pushed_count: self.most_recently_pushed_count,
            pulled_count: self.most_recently_pulled_count,
        })
    }
}

impl Manifest {
    fn read(&self) -> Result<ZotManifest, String> {
        let used =
            ZotUse { pushed: self.pushed_ago_s.map(at).transpose()?, pulled: self.pulled_ago_s.map(at).transpose()? };
        Ok(ZotManifest {
            digest: digest(&self.id),
            children: self.children.iter().map(|id| digest(id)).collect(),
            subject: self.subject.as_deref().map(digest),
            tags: self.tags.iter().map(|text| tag(text)).collect::<Result<_, _>>()?,
            is_listed: self.listed,
            written: at(self.age_s)?,
            used: self.stats.then_some(used),
        })
    }
}

fn at(ago: i64) -> Result<Timestamp, String> {
    Timestamp::from_second(NOW.saturating_sub(ago)).map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    prodpin_core::decide::lifecycle::zot::duration(text)
}

/// An id stands for a digest.
fn digest(id: &str) -> Digest {
    Digest::sha256(id.as_bytes())
}

/// In a tag `<id>` stands for the hexadecimal digits of that digest.
fn tag(text: &str) -> Result<Tag, String> {
    let written = match text.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?))) {
        Some((before, (id, after))) => format!("{before}{}{after}", digest(id).hex()),
        None => text.to_owned(),
    };
    written.parse().map_err(|error: prodpin_core::model::NameError| error.to_string())
}
