//! Raw policy → [`Policy`]: what is missing, what cannot be meant, what must be confirmed. Every problem is reported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::tz::TimeZone;
use url::Url;

use super::patterns::{self, Confirmation};
use super::problem::{Problems, Span, mask_line, quote};
use super::raw::{RawPolicy, RawSource};
use super::raw_production::RawProduction;
use super::spanned::{Entries, Spanned};
use super::{LedgerLocation, Policy, SignalConfig, SourceConfig, place_of_source};
use prodpin_core::model::{Digest, NamePatterns, Order, ProductionRule, SourceName, Tag};
use prodpin_core::schedule::Schedule;

/// What checks share: where to tell problems, and what paths are relative to.
pub(super) struct Checker<'t> {
    pub(super) problems: &'t Problems<'t>,
    /// The policy file's directory.
    pub(super) base: &'t Path,
}

const START: Span = Span { line: 1, column: 1, width: 1 };
const MAX_KEEP: u32 = 100;
const MAX_SOURCES: usize = 1_000;

impl Checker<'_> {
    /// The policy, which is whole only if no problem was reported.
    pub(super) fn policy(&self, raw: &RawPolicy, digest: Digest) -> Option<Policy> {
        if !self.version(raw) {
            return None;
        }
        let Production { rules: production, in_use_files, signals } = self.production(&raw.production);
        let ledger = self.ledger(&raw.ledger);
        let vault = self.vault(raw);
        let sources = self.sources(&raw.sources);
        Some(Policy {
            keep: self.keep(&raw.keep),
            alerts: self.alerts(&raw.alerts, &ledger),
            ledger,
            safeguards: self.safeguards(raw),
            schedule: self.schedule(&raw.schedule, &raw.time_zone),
            events: self.events(&raw.events, &sources),
            sources,
            production,
            in_use_files,
            signals,
            database: self.database(&raw.database),
            may_move: self.may_move(raw),
            pins: self.pins(&raw.pins, &raw.require, &raw.sources, vault.is_some()),
            vault,
            drill: self.drill(raw),
            fail_on: raw.fail_on.value().copied().unwrap_or_default(),
            waivers: self.waivers(&raw.waivers),
            security_hub: self.security_hub(&raw.security_hub),
            digest,
            warnings: Vec::new(),
        })
    }

    /// Whether this version of prodpin understands the file at all; if not, nothing else in it is judged.
    fn version(&self, raw: &RawPolicy) -> bool {
        match raw.version.read() {
            Some((_, 1)) => return true,
            Some((span, 0)) => self.problems.error(span, "there is no version 0", "write version: 1".to_owned()),
            Some((span, newer)) => {
                let fix = "use a newer prodpin, or write version: 1".to_owned();
                self.problems.error(
                    span,
                    format!("version {newer} is newer than this prodpin, which reads version 1"),
                    fix,
                );
            }
            None if raw.version.span().is_some() => {}
            None => {
                let fix = "write version: 1 as its first line".to_owned();
                self.problems.error(START, "the policy does not say its version", fix);
                return true;
            }
        }
        false
    }

    fn keep(&self, spanned: &Spanned<u32>) -> u32 {
        match spanned.read() {
            Some((span, 0)) => {
                // Nothing to keep is never a wish to keep nothing (F69).
                let fix = "write 1 or more; pins are only ever removed by a command of their own".to_owned();
                self.problems.error(span, "keep: 0 would leave nothing to roll back to", fix);
                0
            }
            Some((span, keep)) if *keep > MAX_KEEP => {
                self.problems.error(span, format!("keep: {keep} is more than {MAX_KEEP}"), None);
                *keep
            }
            Some((_, keep)) => *keep,
            None => 5,
        }
    }

    fn ledger(&self, spanned: &Spanned<String>) -> LedgerLocation {
        match spanned.read() {
            None => LedgerLocation::Directory(self.base.join("prodpin-ledger")),
            Some((span, text)) => LedgerLocation::parse(text, self.base).unwrap_or_else(|reason| {
                self.problems.error(span, self.reported(spanned, reason), None);
                LedgerLocation::None
            }),
        }
    }

    pub(super) fn schedule(&self, spanned: &Spanned<String>, zone: &Spanned<String>) -> Option<Schedule> {
        let zone = match zone.read() {
            None => TimeZone::UTC,
            Some((span, name)) => TimeZone::get(name).unwrap_or_else(|_| {
                let reason = format!("there is no time zone {}", quote(name));
                let fix = "write it as in the IANA database, such as Europe/Berlin".to_owned();
                self.problems.error(span, self.reported(zone, reason), fix);
                TimeZone::UTC
            }),
        };
        let (span, text) = spanned.read()?;
        Schedule::parse(text, zone)
            .map_err(|reason| {
                let fix = "write five fields such as \"*/15 * * * *\", or AWS's rate(15 minutes)".to_owned();
                self.problems.error(span, self.reported(spanned, reason), fix);
            })
            .ok()
    }

    fn sources(&self, spanned: &Spanned<Entries<RawSource>>) -> BTreeMap<SourceName, SourceConfig> {
        let mut sources: BTreeMap<SourceName, SourceConfig> = BTreeMap::new();
        let entries = spanned.value().map_or(&[][..], |entries| &entries.0);
        if entries.is_empty() && spanned.value().is_some() == spanned.span().is_some() {
            let fix =
                "add one, such as: shop: { oci: https://registry.example.com, repositories: [\"shop/*\"] }".to_owned();
            self.problems.error(spanned.span().unwrap_or(START), "the policy names no sources", fix);
        }
        if entries.len() > MAX_SOURCES {
            let message = format!("the policy names {} sources, and {MAX_SOURCES} is the most", entries.len());
            let fix = "write several policies".to_owned();
            self.problems.error(spanned.span().unwrap_or(START), message, fix);
            return sources;
        }
        for (key, value) in entries {
            let name: Option<SourceName> = self.parsed(key, "a source name");
            let config = value.value().and_then(|raw| match raw {
                RawSource::Oci(raw) => self.oci(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::Acr(raw) => self.acr(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::DockerHub(raw) => self.dockerhub(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::Gar(raw) => self.gar(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::Ghcr(raw) => self.ghcr(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::GitLab(raw) => self.gitlab(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::Harbor(raw) => self.harbor(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::S3(raw) => self.s3(raw, value.span().unwrap_or(START)).map(SourceConfig::S3),
                RawSource::Ecr(raw) => self.ecr(raw, value.span().unwrap_or(START)).map(SourceConfig::Ecr),
                RawSource::Helm(raw) => self.helm(raw).map(SourceConfig::Helm),
                RawSource::Quay(raw) => self.quay(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
                RawSource::Zot(raw) => self.zot(raw, value.span().unwrap_or(START)).map(SourceConfig::Oci),
            });
            let (Some(name), Some(config), Some(span)) = (name, config, key.span()) else { continue };
            self.tell_overlap(span, &name, &config, &sources);
            sources.insert(name, config);
        }
        sources
    }

    /// Two sources that look at the same thing do everything twice (F72).
    fn tell_overlap(
        &self,
        span: Span,
        name: &SourceName,
        config: &SourceConfig,
        before: &BTreeMap<SourceName, SourceConfig>,
    ) {
        for (other, known) in before {
            if place_of_source(config) != place_of_source(known) {
                continue;
            }
            let (ours, theirs) = (config.repositories(), known.repositories());
            if patterns::same(ours, theirs) {
                let fix = "remove one of them".to_owned();
                self.problems.error(span, format!("{name:?} is the same source as {:?}", other.as_str()), fix);
            } else if let Some(entry) = patterns::overlap(ours, theirs) {
                let message = format!(
                    "{:?} and {:?} are the same place, and both select {entry:?}",
                    other.as_str(),
                    name.as_str()
                );
                self.problems.warn(span, message);
            }
        }
    }

    fn production(&self, spanned: &Spanned<Vec<Spanned<RawProduction>>>) -> Production {
        let Production { mut rules, in_use_files: mut files, mut signals } = Production::default();
        let entries = spanned.value().map_or(&[][..], Vec::as_slice);
        if entries.is_empty() && spanned.value().is_some() == spanned.span().is_some() {
            let fix = "say how to tell a release, such as: production: [{ tags: [\"v*\"], order: semver }]".to_owned();
            self.problems.error(spanned.span().unwrap_or(START), "the policy does not say what production is", fix);
        }
        for entry in entries {
            let Some((span, rule)) = entry.read() else { continue };
            match rule {
                RawProduction::Tags(raw) => {
                    let confirmation = Confirmation { all: &raw.all, what: "tag" };
                    if let Some(patterns) = self.patterns(&raw.tags, span, &confirmation) {
                        let order = raw.order.value().copied().unwrap_or(Order::default());
                        self.add(&mut rules, span, ProductionRule::Tags { patterns, order });
                    }
                }
                RawProduction::MovingTag(raw) => {
                    if let Some(tag) = self.moving_tag(&raw.moving_tag) {
                        self.add(&mut rules, span, ProductionRule::MovingTag(tag));
                    }
                }
                RawProduction::File(raw) => {
                    let Some(path) = self.path(&raw.file) else { continue };
                    if files.contains(&path) {
                        self.problems.warn(span, "the same file is given twice; it is read once");
                    } else {
                        files.push(path);
                    }
                    in_use(&mut rules);
                }
                other => {
                    let Some(signal) = self.signal(other, span) else { continue };
                    if signals.contains(&signal) {
                        self.problems.warn(span, "the same rule is given twice; it counts once");
                    } else {
                        signals.push(signal);
                    }
                    in_use(&mut rules);
                }
            }
        }
        Production { rules, in_use_files: files, signals }
    }

    fn add(&self, rules: &mut Vec<ProductionRule>, span: Span, rule: ProductionRule) {
        if rules.contains(&rule) {
            self.problems.warn(span, "the same rule is given twice; it counts once");
        } else {
            rules.push(rule);
        }
    }

    fn moving_tag(&self, spanned: &Spanned<String>) -> Option<Tag> {
        let (span, text) = spanned.read()?;
        if text.contains(['*', '?', '[', '{']) {
            let fix = "for a pattern, write tags: […]".to_owned();
            self.problems.error(span, "moving_tag names one tag and takes no pattern", fix);
            return None;
        }
        let tag: Tag = self.parsed(spanned, "a tag")?;
        if !tag.is_oci() {
            self.problems.error(span, "no registry takes this tag", "use letters, digits, '.', '_' and '-'".to_owned());
        }
        Some(tag)
    }

    fn may_move(&self, raw: &RawPolicy) -> NamePatterns {
        let Some((span, tags)) = raw.tags.read() else { return NamePatterns::none() };
        let empty = tags.may_move.value().is_some_and(Vec::is_empty);
        if tags.may_move.span().is_none() || empty {
            // Unlike everywhere else, nothing is a clear wish here: no tag may move.
            return NamePatterns::none();
        }
        let confirmation = Confirmation { all: &tags.all, what: "tag" };
        self.patterns(&tags.may_move, span, &confirmation).unwrap_or_else(NamePatterns::none)
    }

    /// A path, relative to the policy's directory.
    pub(super) fn path(&self, spanned: &Spanned<String>) -> Option<PathBuf> {
        let (span, text) = spanned.read()?;
        if text.is_empty() || text.contains('\0') {
            self.problems.error(span, "this is no path", None);
            return None;
        }
        Some(self.base.join(text))
    }

    /// Reads a value as something stricter.
    pub(super) fn parsed<T>(&self, spanned: &Spanned<String>, kind: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let (span, text) = spanned.read()?;
        text.parse()
            .map_err(|error: T::Err| {
                let message = self.reported(spanned, error.to_string());
                let message = if spanned.from_environment { format!("{message}: it is not {kind}") } else { message };
                self.problems.error(span, message, None);
            })
            .ok()
    }

    /// A reason as it may be shown: what came from the environment may be a secret, and reasons quote values.
    pub(super) fn reported(&self, spanned: &Spanned<String>, reason: String) -> String {
        if spanned.from_environment {
            "what the environment puts in here cannot be used".to_owned()
        } else {
            mask_line(&reason).0
        }
    }
}

/// What the policy's `production` comes to.
#[derive(Default)]
struct Production {
    rules: Vec<ProductionRule>,
    in_use_files: Vec<PathBuf>,
    signals: Vec<SignalConfig>,
}

fn in_use(rules: &mut Vec<ProductionRule>) {
    if !rules.contains(&ProductionRule::InUse) {
        rules.push(ProductionRule::InUse);
    }
}

impl LedgerLocation {
    /// Reads a location as the policy and `--ledger` write it; a directory is relative to `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self, String> {
        match text.split_once("://") {
            None if text.is_empty() => {
                Err("the ledger's location is empty; write a directory, s3://bucket/prefix or none".to_owned())
            }
            None if text == "none" => Ok(Self::None),
            None if text.contains('\0') => Err("this is no path".to_owned()),
            None => Ok(Self::Directory(base.join(text))),
            Some(("s3" | "gs" | "az", rest)) => {
                if rest.contains('@') {
                    return Err(
                        "a ledger's location holds no credentials; they come from the cloud's own configuration"
                            .to_owned(),
                    );
                }
                let url = Url::parse(text).map_err(|error| format!("this is no URL: {error}"))?;
                if url.host_str().unwrap_or_default().is_empty() || url.query().is_some() || url.fragment().is_some() {
                    return Err("write s3://bucket/prefix, gs://bucket/prefix or az://container/prefix".to_owned());
                }
                Ok(Self::Store(url))
            }
            Some(("gcs", _)) => Err("write gs:// instead of gcs://".to_owned()),
            Some(("azure", _)) => Err("write az:// instead of azure://".to_owned()),
            Some(("file", path)) => Err(format!("write a directory without file://, such as {}", quote(path))),
            Some((scheme, _)) => {
                let scheme: String = scheme.chars().take(20).collect();
                Err(format!(
                    "a ledger cannot be kept at {scheme}://; write a directory, s3://bucket/prefix, gs://…, az://… or none"
                ))
            }
        }
    }
}
