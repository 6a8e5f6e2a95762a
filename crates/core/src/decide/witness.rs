//! The registries as witnesses of the ledger: pins where it knows nothing mean that a history is missing (I24); one that it
//! does not know beside a history that it knows is only worth a word.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{ArtifactId, Cause, Code, Finding, Gap, Pin, RepositoryKey, RepositoryName, Severity, SourceName};
use crate::outcome::report::RepositoryReport;

use super::draft::Draft;
use super::findings::next_step;
use super::input::Input;
use super::rules::is_watched;

/// Pins in a source of which the ledger has no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingHistory {
    /// The source.
    pub source: SourceName,
    /// A repository that has a pin.
    pub repository: RepositoryName,
    /// The pin, as the source names it.
    pub pin: String,
    /// A source that the policy no longer names, and of which the ledger knows a repository of that name.
    pub renamed_from: Option<SourceName>,
    /// Whether the ledger knows other repositories of the source, so that it is this one alone whose history is missing.
    pub alone: bool,
    /// The ledger.
    pub ledger: String,
    /// Whether it was said that the history is given up.
    pub adopted: bool,
}

/// A repository of which nothing is on record, and which could not be asked for pins when its history was to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnaskedRepository {
    /// The repository.
    pub key: RepositoryKey,
    /// What was asked and answered.
    pub gap: Gap,
    /// Whether it was said that its history is given up.
    pub adopted: bool,
}

/// A source without history in which no pin was found, and not every object version was asked for a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialLook {
    source: SourceName,
    /// The first such repository by name.
    repository: RepositoryName,
    repositories: usize,
    unasked: usize,
}

impl PartialLook {
    /// None of its repositories is counted yet.
    #[must_use]
    pub fn new(source: &SourceName, repository: &RepositoryName) -> Self {
        Self { source: source.clone(), repository: repository.clone(), repositories: 0, unasked: 0 }
    }

    /// Counts a repository with object versions that were not asked.
    pub fn note(&mut self, repository: &RepositoryName, unasked: usize) {
        if *repository < self.repository {
            self.repository = repository.clone();
        }
        self.repositories += 1;
        self.unasked += unasked;
    }
}

/// What to say of a look that was partial.
#[must_use]
pub fn partial_look(look: &PartialLook, now: Timestamp) -> Finding {
    let PartialLook { source, repository, repositories, unasked } = look;
    let message = format!(
        "the ledger has no record of source {source}; no legal hold was found there, but {unasked} older object versions in \
         {repositories} repositories (first: {repository}) were not asked for one: whether an earlier history is missing \
         is unknown"
    );
    let remedy = "if prodpin ran here before, mount or restore its ledger now; else no action is needed".to_owned();
    Finding::at_large(Code::LedgerHistoryMissing, Severity::Info, Some(source), message, remedy, now)
}

/// What to say of it: once for each source, or for the one repository of it.
#[must_use]
pub fn missing_history(missing: &MissingHistory, now: Timestamp) -> Finding {
    let MissingHistory { source, repository, pin, renamed_from, alone, ledger, adopted } = missing;
    let whose = if *alone { repository.as_str() } else { source.as_str() };
    let seen =
        format!("{repository} in source {source} has the pin {pin}, and ledger {ledger} has no record of {whose}");
    let (severity, message, remedy) = if *adopted {
        let message = format!("{seen}: its history begins with this run, because --adopt was given");
        (Severity::Info, message, "no action is needed if that was intended".to_owned())
    } else {
        let message = format!("{seen}: its history is missing; nothing of {whose} was recorded or pinned");
        let known = renamed_from.as_ref().map(|old| {
            format!("the ledger knows {repository} in source {old}, which the policy does not name: name the source {old} again; ")
        });
        let remedy = format!(
            "{}mount or restore the ledger that recorded these pins, or correct `ledger:`; to start a new history on \
             purpose, run once: `prodpin audit --source {source} --adopt`",
            known.unwrap_or_default()
        );
        (Severity::Critical, message, remedy)
    };
    let reference = alone.then(|| repository.to_string());
    let found = Finding::at_large(Code::LedgerHistoryMissing, severity, Some(source), message, remedy, now);
    Finding { reference, ..found }
}

/// What to say of a repository that could not be asked for pins: as long as it is open, the next runs ask again.
#[must_use]
pub fn unasked(unasked: &UnaskedRepository, now: Timestamp) -> Finding {
    let UnaskedRepository { key: RepositoryKey { source, name }, gap, adopted } = unasked;
    let detail = &gap.detail;
    let seen = format!("{name} could not be asked for pins: {detail}; the ledger has no record of it");
    let (severity, message, remedy) = if *adopted {
        let message = format!("{seen}, and its history begins all the same, because --adopt was given");
        (Severity::Info, message, "no action is needed if that was intended".to_owned())
    } else {
        let message =
            format!("{seen}, so whether its history is missing is unknown, and nothing of it was recorded or pinned");
        let remedy = format!(
            "{}, and run again; or leave {name} out in `repositories:` of source {source}; or, if nobody can have pinned \
             there, run once: `prodpin audit --source {source} --adopt`",
            next_step(gap.cause)
        );
        // A repository that is not there yet answers so too.
        let severity = if gap.cause == Cause::NotFound { Severity::Low } else { Severity::High };
        (severity, message, remedy)
    };
    let found = Finding::at_large(Code::LedgerHistoryMissing, severity, Some(source), message, remedy, now);
    // Kept with the source: of the repository itself nothing is to be on record.
    Finding { reference: Some(name.to_string()), ..found }
}

/// What to say of a source whose repositories could not be listed, or many not asked, when its history was to begin.
#[must_use]
pub fn unlisted_source(source: &SourceName, gap: &Gap, now: Timestamp) -> Finding {
    let message = format!(
        "not all repositories of source {source} could be asked for pins: {}; the ledger has no record of {source}, so \
         whether an earlier history is missing is unknown, and nothing of {source} was recorded or pinned",
        gap.detail
    );
    let remedy = format!(
        "{}, and run again; or, if nobody can have pinned there, run once: `prodpin audit --source {source} --adopt`",
        next_step(gap.cause)
    );
    Finding::at_large(Code::LedgerHistoryMissing, Severity::High, Some(source), message, remedy, now)
}

/// The same of a source of which the run could read nothing at all: that is what a person has to look at, and nothing is known
/// of a history.
#[must_use]
pub fn unread_source(source: &SourceName, gap: &Gap, now: Timestamp) -> Finding {
    let message = format!(
        "nothing of source {source} could be read: {}; nothing of it was recorded or pinned, and the ledger has no record \
         of it",
        gap.detail
    );
    Finding::at_large(Code::InventoryIncomplete, Severity::High, Some(source), message, next_step(gap.cause), now)
}

/// Pins of tagged artifacts that are no rollback targets, and that the ledger never saw pinned: a run that was killed, a
/// replication, a second prodpin, or someone who pushed such a tag. They stay, and stop nothing.
pub(super) fn unknown_pins(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let tagged = |pin: bool| {
        let tags = input.snapshot.tags.iter().filter(move |tag| Pin::read(&tag.name).is_some() == pin);
        tags.filter_map(|tag| Some((&tag.name, tag.target.artifact()?)))
    };
    let mut unknown: BTreeSet<&ArtifactId> = tagged(true)
        .filter(|(name, artifact)| {
            artifact.digest().is_some_and(|digest| Pin::read(name).is_some_and(|pin| pin.names(digest)))
        })
        .map(|(_, artifact)| artifact)
        .filter(|artifact| !input.state.was_pinned(artifact))
        .filter(|artifact| report.targets.iter().all(|target| target.artifact != **artifact))
        .filter(|artifact| input.inspections.values().all(|seen| seen.parts.find(artifact).is_none()))
        .collect();
    if unknown.is_empty() {
        return None;
    }
    let named: BTreeSet<&ArtifactId> =
        tagged(false).filter(|(name, _)| is_watched(name)).map(|(_, artifact)| artifact).collect();
    unknown.retain(|artifact| named.contains(*artifact));
    let first = unknown.first()?;
    let message = match unknown.len() {
        1 => format!("1 pin is not on record, and its artifact is no rollback target: {first}"),
        more => {
            format!("{more} pins are not on record, and their artifacts are no rollback targets: {first} and others")
        }
    };
    let remedy =
        "no action is needed: they stay in place; another prodpin, a replication or a person may have made them";
    Some(draft.finding(Code::PinUnknown, Severity::Info, message, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    #[test]
    fn the_cause_comes_first_where_a_history_is_only_not_known_i24() {
        let gap = Gap::new(Scope::Source, Cause::Denied, "r.example: no credentials");
        let source: SourceName = "shop".parse().unwrap();
        let unread = unread_source(&source, &gap, Timestamp::UNIX_EPOCH);
        assert_eq!((unread.code, unread.severity), (Code::InventoryIncomplete, Severity::High));
        assert!(unread.message.starts_with("nothing of source shop could be read: r.example: no credentials"));
        assert!(unread.remedy.contains("credentials"), "{unread:?}");
        let unlisted = unlisted_source(&source, &gap, Timestamp::UNIX_EPOCH);
        assert_eq!((unlisted.code, unlisted.severity), (Code::LedgerHistoryMissing, Severity::High));
        let key = RepositoryKey { source, name: "shop/api".parse().unwrap() };
        let unasked = unasked(&UnaskedRepository { key, gap, adopted: false }, Timestamp::UNIX_EPOCH);
        for found in [unlisted, unasked] {
            let (cause, history) = (found.message.find("no credentials"), found.message.find("history"));
            assert!(cause.is_some() && cause < history, "{found:?}");
            assert!(found.remedy.starts_with("give the credentials access"), "{found:?}");
        }
    }

    #[test]
    fn a_missing_history_is_critical_until_it_is_given_up_i24() {
        let missing = MissingHistory {
            source: "shop".parse().unwrap(),
            repository: "shop/api".parse().unwrap(),
            pin: "prod-pinned-ab".to_owned(),
            renamed_from: None,
            alone: false,
            ledger: "ledger".to_owned(),
            adopted: false,
        };
        let found = missing_history(&missing, Timestamp::UNIX_EPOCH);
        assert_eq!((found.code, found.severity), (Code::LedgerHistoryMissing, Severity::Critical));
        assert!(found.message.contains("prod-pinned-ab") && found.remedy.contains("--adopt"), "{found:?}");
        let renamed = MissingHistory { renamed_from: Some("old".parse().unwrap()), ..missing.clone() };
        let found = missing_history(&renamed, Timestamp::UNIX_EPOCH);
        assert!(found.remedy.contains("name the source old again"), "{found:?}");
        let mut look = PartialLook::new(&"bundles".parse().unwrap(), &"web".parse().unwrap());
        look.note(&"web".parse().unwrap(), 900);
        look.note(&"api".parse().unwrap(), 36);
        let found = partial_look(&look, Timestamp::UNIX_EPOCH);
        assert_eq!(found.severity, Severity::Info);
        assert!(found.message.contains("936 older object versions in 2 repositories (first: api)"), "{found:?}");
        let adopted = missing_history(&MissingHistory { adopted: true, ..missing }, Timestamp::UNIX_EPOCH);
        assert_eq!(adopted.severity, Severity::Info);
    }
}
