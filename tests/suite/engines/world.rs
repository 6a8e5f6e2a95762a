//! A repository in a registry that cleans up by itself, whichever of the engines does it.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::model::{Digest, Pin, RegistryKind};

use super::{acr, gitlab, google, harbor, quay, zot};

/// One manifest. All times are seconds from the start; less than nothing is before it.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    /// Each with the moment of its push.
    pub(crate) tags: Vec<(String, i64)>,
    pub(crate) pushed: i64,
    pub(crate) pulled: Option<i64>,
    pub(crate) is_index: bool,
    /// Of an index.
    pub(crate) children: Vec<String>,
    pub(crate) subject: Option<String>,
}

/// What cleans up.
#[derive(Debug, Clone)]
pub(crate) enum Rules {
    /// Retention, immutable tags, and whether the collection deletes what has no tag.
    Harbor {
        retention: Vec<harbor::Rule>,
        immutable: Vec<harbor::Rule>,
        collects: bool,
    },
    Zot(zot::Zot),
    /// Auto-prune, and whether an immutability policy covers pins.
    Quay {
        policies: Vec<quay::Policy>,
        immutable_pins: bool,
    },
    /// Purges, one after the other.
    Acr(Vec<acr::Purge>),
    Google(Vec<google::Policy>),
    /// A policy, if there is one.
    GitLab(Option<gitlab::Policy>),
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) items: Vec<Item>,
    pub(crate) rules: Rules,
    /// The pins made so far: each is a push, and comes a second after the one before.
    pub(crate) pins: i64,
}

pub(crate) const DAY: i64 = 86_400;

impl Item {
    pub(crate) fn new(name: &str, tags: &[&str], pushed: i64) -> Self {
        Self {
            name: name.to_owned(),
            digest: Digest::sha256(name.as_bytes()),
            tags: tags.iter().map(|tag| ((*tag).to_owned(), pushed)).collect(),
            pushed,
            pulled: None,
            is_index: false,
            children: Vec::new(),
            subject: None,
        }
    }

    /// An artifact's push is the latest of its own and its tags' (J12).
    fn changed(&self) -> i64 {
        self.tags.iter().map(|(_, pushed)| *pushed).fold(self.pushed, i64::max)
    }
}

impl World {
    pub(crate) fn kind(&self) -> RegistryKind {
        match self.rules {
            Rules::Harbor { .. } => RegistryKind::Harbor,
            Rules::Zot(_) => RegistryKind::Zot,
            Rules::Quay { .. } => RegistryKind::Quay,
            Rules::Acr(_) => RegistryKind::Azure,
            Rules::Google(_) => RegistryKind::Google,
            Rules::GitLab(_) => RegistryKind::GitLab,
        }
    }

    pub(crate) fn item(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.name == name)
    }

    /// Pins as prodpin does: the manifest is read by GET, which is a pull, and put under one more tag, which is a push.
    pub(crate) fn pin(&mut self, digest: &Digest) {
        self.pins += 1;
        let now = self.pins;
        let item = self.items.iter_mut().find(|item| item.digest == *digest).unwrap();
        item.tags.push((Pin::for_digest(digest).to_string(), now));
        item.pulled = Some(now);
    }

    /// A push of a new image: its tags move to it.
    pub(crate) fn push(&mut self, name: &str, tag: &str, at: i64) {
        for item in &mut self.items {
            item.tags.retain(|(other, _)| other != tag);
        }
        self.items.push(Item::new(name, &[tag], at));
    }

    fn is_child(&self, name: &str) -> bool {
        self.items.iter().any(|item| item.children.iter().any(|child| child == name))
    }

    /// Cleans up at that moment.
    pub(crate) fn clean(&mut self, at: i64) {
        match self.rules.clone() {
            Rules::Harbor { retention, immutable, collects } => {
                if !retention.is_empty() {
                    self.retain_in_harbor(retention, immutable, at);
                }
                if collects {
                    self.collect_in_harbor();
                }
            }
            Rules::Zot(rules) => self.collect_in_zot(&rules, at),
            Rules::Quay { policies, immutable_pins } => self.prune_in_quay(policies, immutable_pins, at),
            Rules::Acr(purges) => purges.iter().for_each(|purge| self.purge_in_acr(purge, at)),
            Rules::Google(policies) => self.clean_in_google(&policies, at),
            Rules::GitLab(policy) => self.clean_in_gitlab(policy.as_ref(), at),
        }
    }

    /// Without what the listing leaves out: children without a tag, and accessories (J5).
    fn retain_in_harbor(&mut self, rules: Vec<harbor::Rule>, immutable: Vec<harbor::Rule>, at: i64) {
        let listed = |item: &&Item| item.subject.is_none() && !(item.tags.is_empty() && self.is_child(&item.name));
        let mut items: Vec<&Item> = self.items.iter().filter(listed).collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.pushed));
        let artifact = |item: &Item| harbor::Artifact {
            digest: item.name.clone(),
            pushed: item.changed() - at,
            pulled: item.pulled.map_or(harbor::NEVER, |pulled| pulled - at),
            tags: item
                .tags
                .iter()
                .map(|(name, pushed)| harbor::Tag { name: name.clone(), pushed: pushed - at, pulled: harbor::NEVER })
                .collect(),
            referenced: self.is_child(&item.name),
        };
        let harbor = harbor::Harbor {
            project: "shop".to_owned(),
            repository: "api".to_owned(),
            now: (0, 0),
            algorithm: "or".to_owned(),
            rules,
            immutable,
            artifacts: items.into_iter().map(artifact).collect(),
            strips: true,
        };
        let harbor::Outcome::Rows(verdicts) = harbor.retain(false) else { return };
        let going = verdicts.iter().zip(&harbor.artifacts);
        let going = going.filter(|(verdict, _)| **verdict == harbor::Verdict::Deleted);
        for (_, artifact) in going {
            self.delete_in_harbor(&artifact.digest);
        }
    }

    /// With its accessories, and with those of its children that have no tag and no other index (J24).
    fn delete_in_harbor(&mut self, name: &str) {
        let Some(at) = self.items.iter().position(|item| item.name == name) else { return };
        let item = self.items.remove(at);
        for child in item.children {
            if self.item(&child).is_some_and(|child| child.tags.is_empty()) && !self.is_child(&child) {
                self.delete_in_harbor(&child);
            }
        }
        while let Some(accessory) = self.items.iter().find(|item| item.subject.as_deref() == Some(name)) {
            let accessory = accessory.name.clone();
            self.delete_in_harbor(&accessory);
        }
    }

    fn collect_in_harbor(&mut self) {
        let is_gone = |item: &&Item| item.tags.is_empty() && item.subject.is_none() && !self.is_child(&item.name);
        let going: Vec<String> = self.items.iter().filter(is_gone).map(|item| item.name.clone()).collect();
        going.iter().for_each(|name| self.delete_in_harbor(name));
        // What only an index that went had named is without one now.
        if !going.is_empty() {
            self.collect_in_harbor();
        }
    }

    fn collect_in_zot(&mut self, rules: &zot::Zot, at: i64) {
        let manifest = |item: &Item| zot::Manifest {
            id: item.name.clone(),
            is_index: item.is_index,
            children: item.children.clone(),
            subject: item.subject.clone(),
            tags: item.tags.iter().map(|(tag, _)| tag.clone()).collect(),
            listed: true,
            age: at - item.pushed,
            // One more tag leaves the push where it was (K55).
            statistics: Some((Some(at - item.pushed), item.pulled.map(|pulled| at - pulled))),
        };
        let manifests = self.items.iter().map(manifest).collect();
        let mut zot = zot::Zot { repository: "shop/api".to_owned(), database: true, manifests, ..rules.clone() };
        // What an index left behind may stay until the next collection, which is no fate of its own.
        loop {
            let before = zot.manifests.len();
            zot.collect();
            if zot.manifests.len() == before {
                break;
            }
        }
        let left: BTreeMap<String, BTreeSet<String>> =
            zot.manifests.into_iter().map(|manifest| (manifest.id, manifest.tags.into_iter().collect())).collect();
        self.items.retain_mut(|item| {
            let tags = left.get(&item.name);
            item.tags.retain(|(tag, _)| tags.is_some_and(|tags| tags.contains(tag)));
            tags.is_some()
        });
    }

    /// Tags are pruned; a manifest is collected once no tag, no index and no subject holds it (K54).
    fn prune_in_quay(&mut self, policies: Vec<quay::Policy>, immutable_pins: bool, at: i64) {
        let row = |item: &Item, (tag, start): &(String, i64)| quay::Row {
            id: tag.clone(),
            name: tag.clone(),
            digest: item.name.clone(),
            start: start * 1_000,
            immutable: immutable_pins && tag.starts_with("prod-pinned-"),
            ..quay::Row::default()
        };
        let rows = self.items.iter().flat_map(|item| item.tags.iter().map(|tag| row(item, tag))).collect();
        let mut quay = quay::Quay {
            now: at * 1_000,
            enabled: true,
            policies,
            repositories: vec![quay::Repository { is_normal: true, rows, ..quay::Repository::default() }],
            ..quay::Quay::default()
        };
        quay.prune();
        let rows = &quay.repositories[0].rows;
        let alive: BTreeSet<&String> = rows.iter().filter(|row| row.is_alive(quay.now)).map(|row| &row.name).collect();
        self.items.iter_mut().for_each(|item| item.tags.retain(|(tag, _)| alive.contains(tag)));
        self.collect_what_nothing_holds();
    }

    /// No tag, no index and no subject.
    fn collect_what_nothing_holds(&mut self) {
        loop {
            let held = |item: &Item| {
                let subject = item.subject.as_deref().is_some_and(|subject| self.item(subject).is_some());
                !item.tags.is_empty() || subject || self.is_child(&item.name)
            };
            let left: Vec<Item> = self.items.iter().filter(|item| held(item)).cloned().collect();
            if left.len() == self.items.len() {
                return;
            }
            self.items = left;
        }
    }

    fn clean_in_google(&mut self, policies: &[google::Policy], at: i64) {
        let version = |item: &Item| google::Version {
            name: item.name.clone(),
            age: at - item.pushed,
            tags: item.tags.iter().map(|(tag, _)| tag.clone()).collect(),
        };
        let versions: Vec<google::Version> = self.items.iter().map(version).collect();
        let left = google::clean(policies, &versions);
        self.items.retain(|item| left.contains(&item.name));
    }

    fn clean_in_gitlab(&mut self, policy: Option<&gitlab::Policy>, at: i64) {
        let tags = self.items.iter().flat_map(|item| {
            let age = at - item.pushed;
            item.tags.iter().map(move |(name, _)| gitlab::Tag { name: name.clone(), age })
        });
        let going = policy.map(|policy| policy.going(&tags.collect::<Vec<_>>())).unwrap_or_default();
        self.items.iter_mut().for_each(|item| item.tags.retain(|(tag, _)| !going.contains(tag)));
        self.collect_what_nothing_holds();
    }

    fn purge_in_acr(&mut self, purge: &acr::Purge, at: i64) {
        let manifest = |item: &Item| acr::Manifest {
            id: item.name.clone(),
            media_type: Some(if item.is_index { acr::INDEX } else { acr::IMAGE }.to_owned()),
            age: Some(at - item.changed()),
            locked: false,
            children: item.children.clone(),
            subject: item.subject.clone(),
            tags: item
                .tags
                .iter()
                .map(|(name, pushed)| acr::Tag { name: name.clone(), age: at - pushed, locked: false })
                .collect(),
        };
        let mut repositories = BTreeMap::from([("shop/api".to_owned(), self.items.iter().map(manifest).collect())]);
        purge.run(&mut repositories).unwrap();
        let left: BTreeMap<String, BTreeSet<String>> = repositories["shop/api"]
            .iter()
            .map(|manifest| (manifest.id.clone(), manifest.tags.iter().map(|tag| tag.name.clone()).collect()))
            .collect();
        self.items.retain_mut(|item| {
            let tags = left.get(&item.name);
            item.tags.retain(|(tag, _)| tags.is_some_and(|tags| tags.contains(tag)));
            tags.is_some()
        });
    }
}
