//! Whether a repository's own protection settings are what they were (F37).

use crate::model::{
    Code, Digest, Event, Finding, LifecycleChange, Mutability, RepositorySettings, RepositoryState, Retention, Setting,
    SettingDigest, Severity, Snapshot,
};

use super::commands;
use super::draft::Draft;
use super::spelling;

/// The event that leads from the settings that were known to those that were read. What could not be read now keeps
/// what was known (F48); where nothing could be read at all, there is nothing to say.
pub(super) fn change(snapshot: &Snapshot, state: &RepositoryState) -> Option<Event> {
    let before = state.settings.as_ref().map(|(_, before)| before.clone());
    let read = RepositorySettings::from_retention(&snapshot.retention, before.as_ref())?;
    let facts = match &before {
        Some(before) => read.or_before(before),
        None => read,
    };
    (facts.is_known() && before.as_ref() != Some(&facts))
        .then(|| Event::RepositorySettings { facts: Box::new(facts), before: before.map(Box::new) })
}

/// Takes the policy that was put in the place of another one for the repository's own, and says what to record: that it
/// was, and the settings as they are now.
#[must_use]
pub fn claimed(change: &LifecycleChange, after: &str, snapshot: &mut Snapshot, state: &RepositoryState) -> Vec<Event> {
    if let Retention::Ecr(ecr) = &mut snapshot.retention {
        ecr.lifecycle = Setting::Text(after.into());
    }
    let digest = |text: &str| Digest::sha256(text.as_bytes());
    let claimed = Event::LifecycleClaimed { before: digest(&change.from), after: digest(after) };
    std::iter::once(claimed).chain(self::change(snapshot, state)).collect()
}

/// Takes the rules that were found when others were to be put in their place, and says what to record if they are not those
/// that were read before: somebody wrote them meanwhile.
#[must_use]
pub fn found_instead(live: &Setting, snapshot: &mut Snapshot, state: &RepositoryState) -> Option<Event> {
    if let Retention::Ecr(ecr) = &mut snapshot.retention {
        ecr.lifecycle = live.clone();
    }
    self::change(snapshot, state)
}

/// What a person should know of such events. The first sight of settings is none, nor is reading for the first time
/// what could not be read before.
pub(super) fn findings(draft: Draft<'_>, state: &RepositoryState, events: &[Event]) -> Vec<Finding> {
    let changes = events.iter().filter_map(|event| match event {
        Event::RepositorySettings { facts, before: Some(before) } => Some((&**facts, &**before)),
        _ => None,
    });
    let finding = |(facts, before): (&RepositorySettings, &RepositorySettings)| {
        let differences = facts.differences(before);
        if differences.is_empty() {
            return None;
        }
        let weaker = differences.iter().any(|difference| difference.weaker);
        let reported: Vec<&str> = differences.iter().map(|difference| difference.reported.as_str()).collect();
        let message = format!("protection settings changed: {}", reported.join("; "));
        let severity = if weaker { Severity::High } else { Severity::Medium };
        let remedy = match differences.iter().any(|difference| difference.of_rules) {
            true => format!(
                "make sure that somebody meant it; `{}` shows what the rules will do",
                commands::forecast(draft.repository())
            ),
            false => "make sure that somebody meant it".to_owned(),
        };
        let mut finding = draft.finding(Code::SettingsChanged, severity, message, remedy);
        // From when it was recorded, which may have been by a run that did not live to tell.
        finding.first_seen = state.settings.as_ref().map_or(finding.first_seen, |(mark, _)| mark.at);
        Some(finding)
    };
    let claims = events.iter().any(|event| matches!(event, Event::LifecycleClaimed { .. })).then(|| {
        let message = "prodpin put a rule in front of the lifecycle policy that keeps `prod-pinned-*`";
        let remedy = "nothing to do: `lifecycle: manage` on the source asks for it; the other rules are unchanged";
        draft.finding(Code::SettingsChanged, Severity::Info, message, remedy)
    });
    changes.filter_map(finding).chain(claims).collect()
}

/// One thing that is not what it was.
struct Difference {
    reported: String,
    /// Whether less is protected than before, or may be.
    weaker: bool,
    /// Whether it is about lifecycle rules.
    of_rules: bool,
}

impl RepositorySettings {
    /// What the ledger keeps of a repository's settings; none where there are none to read.
    fn from_retention(retention: &Retention, before: Option<&Self>) -> Option<Self> {
        let (lifecycle, access) = match before {
            Some(Self::Ecr { lifecycle, access, .. }) => (lifecycle.as_ref(), access.as_ref()),
            None => (None, None),
        };
        match retention {
            // A bucket's are those of its source.
            Retention::Unruled | Retention::Bucket(_) => None,
            // A project's are not kept yet.
            Retention::Harbor(_) | Retention::GitLab(_) => None,
            // The policy itself names what is run there.
            Retention::Acr(_) => None,
            // Its policies are read and simulated in each run.
            Retention::Gar(_) => None,
            // Policies of an organization are not kept yet.
            Retention::Quay(_) => None,
            // Its settings stand in a file of whoever runs it.
            Retention::Zot(_) => None,
            Retention::Ecr(ecr) => Some(Self::Ecr {
                mutability: ecr.mutability.clone(),
                lifecycle: spelling::digest(&ecr.lifecycle, lifecycle),
                access: spelling::digest(&ecr.access, access),
            }),
        }
    }

    fn is_known(&self) -> bool {
        let Self::Ecr { mutability, lifecycle, access } = self;
        mutability.is_some() || lifecycle.is_some() || access.is_some()
    }

    fn or_before(self, before: &Self) -> Self {
        let Self::Ecr { mutability, lifecycle, access } = self;
        let Self::Ecr { mutability: mutability_before, lifecycle: lifecycle_before, access: access_before } = before;
        Self::Ecr {
            mutability: mutability.or_else(|| mutability_before.clone()),
            lifecycle: lifecycle.or_else(|| lifecycle_before.clone()),
            access: access.or_else(|| access_before.clone()),
        }
    }

    fn differences(&self, before: &Self) -> Vec<Difference> {
        let Self::Ecr { mutability, lifecycle, access } = self;
        let Self::Ecr { mutability: mutability_before, lifecycle: lifecycle_before, access: access_before } = before;
        let mut found = Vec::new();
        if let (Some(now), Some(before)) = (mutability, mutability_before)
            && now != before
        {
            let reported = format!("tags are {now}, and were {before}");
            found.push(Difference { reported, weaker: now.is_weaker_than(before), of_rules: false });
        }
        if let (Some(now), Some(before)) = (lifecycle, lifecycle_before)
            && now != before
        {
            let reported = match (now, before) {
                (SettingDigest::Unset, _) => "the lifecycle policy was removed",
                (SettingDigest::Set(_), SettingDigest::Unset) => "a lifecycle policy was set",
                (SettingDigest::Set(_), SettingDigest::Set(_)) => "the lifecycle policy is another one",
            };
            // What the rules do now to rollback targets are findings of their own, and often there are none: putting a
            // claim rule in front is such a change.
            found.push(Difference { reported: reported.to_owned(), weaker: false, of_rules: true });
        }
        if let (Some(now), Some(before)) = (access, access_before)
            && now != before
        {
            let reported = match (now, before) {
                (SettingDigest::Unset, _) => "the repository policy was removed",
                (SettingDigest::Set(_), SettingDigest::Unset) => "a repository policy was set",
                (SettingDigest::Set(_), SettingDigest::Set(_)) => "the repository policy is another one",
            };
            // Whom it lets delete is a finding of its own.
            found.push(Difference { reported: reported.to_owned(), weaker: false, of_rules: false });
        }
        found
    }
}

impl Mutability {
    /// Whether some tag may be overwritten that could not be before, as far as the filters' texts tell.
    fn is_weaker_than(&self, before: &Self) -> bool {
        let holds = |these: &[String], those: &[String]| those.iter().all(|filter| these.contains(filter));
        match (before, self) {
            (Self::Mutable, _) | (_, Self::Immutable) => false,
            (Self::Immutable, _) | (_, Self::Mutable) => true,
            (Self::MutableExcept(before), Self::MutableExcept(now)) => !holds(now, before),
            (Self::ImmutableExcept(before), Self::ImmutableExcept(now)) => !holds(before, now),
            (Self::ImmutableExcept(_), Self::MutableExcept(_)) => true,
            // Tags that were held by name may be among those that are now let go by name.
            (Self::MutableExcept(held), Self::ImmutableExcept(freed)) => {
                held.iter().any(|filter| freed.contains(filter) || freed.iter().any(|freed| freed == "*"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EcrRepository, Mark};

    fn repository(mutability: Option<Mutability>, lifecycle: Setting) -> Snapshot {
        let ecr = EcrRepository {
            registry: "111122223333".into(),
            images: Vec::new(),
            mutability,
            lifecycle,
            access: Setting::Unset,
            cached_from: None,
            manages_lifecycle: false,
            may_delete: [].into(),
        };
        Snapshot { retention: Retention::Ecr(Box::new(ecr)), ..Snapshot::default() }
    }

    fn text(text: &str) -> Setting {
        Setting::Text(text.into())
    }

    #[test]
    fn what_could_not_be_read_keeps_what_was_known_f48() {
        let mut state = RepositoryState::default();
        let mark = Mark { sequence: 1, at: jiff::Timestamp::UNIX_EPOCH };
        let first = change(&repository(Some(Mutability::Immutable), text("a")), &state).expect("first sight");
        assert!(matches!(&first, Event::RepositorySettings { before: None, .. }));
        state.apply(mark, &first);
        assert_eq!(change(&repository(Some(Mutability::Immutable), text("a")), &state), None, "I13");
        assert_eq!(change(&repository(None, Setting::Unknown), &state), None);
        let changed = change(&repository(None, text("b")), &state).expect("another policy");
        let Event::RepositorySettings { facts, .. } = &changed else { panic!("{changed:?}") };
        let RepositorySettings::Ecr { mutability, .. } = &**facts;
        assert_eq!(*mutability, Some(Mutability::Immutable));
    }

    #[test]
    fn weaker_is_what_frees_a_tag() {
        let filters = |filters: &[&str]| filters.iter().map(|filter| (*filter).to_owned()).collect::<Vec<_>>();
        use Mutability::{Immutable, ImmutableExcept, Mutable, MutableExcept};
        for (before, now, weaker) in [
            (Immutable, Mutable, true),
            (Mutable, Immutable, false),
            (Immutable, ImmutableExcept(filters(&["dev-*"])), true),
            (ImmutableExcept(filters(&["dev-*"])), ImmutableExcept(filters(&["dev-*", "v*"])), true),
            (ImmutableExcept(filters(&["dev-*", "v*"])), ImmutableExcept(filters(&["dev-*"])), false),
            (MutableExcept(filters(&["v*"])), MutableExcept(filters(&["prod-pinned-*", "v*"])), false),
            (MutableExcept(filters(&["v*"])), MutableExcept(filters(&["w*"])), true),
            (MutableExcept(filters(&["v*"])), Mutable, true),
            (MutableExcept(filters(&["v*"])), ImmutableExcept(filters(&["dev-*"])), false),
            (MutableExcept(filters(&["v*"])), ImmutableExcept(filters(&["v*"])), true),
        ] {
            assert_eq!(now.is_weaker_than(&before), weaker, "{before:?} → {now:?}");
        }
    }
}
