//! GitLab's steps, each taken as its sources have it, over lists with every date given: what the engine must say where all is
//! known, and must leave room for where it is not.

use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::decide::lifecycle::gitlab::Fate;

/// A project's settings.
#[derive(Debug, Clone)]
struct Settings {
    delete: &'static str,
    keep: Option<&'static str>,
    keep_number: Option<usize>,
    older_than: Option<i64>,
    protected: Option<&'static str>,
}

impl Settings {
    fn rules(&self) -> Rules {
        let text = |value: Option<&str>| value.map_or("null".to_owned(), |value| format!("{value:?}"));
        let number = self.keep_number.map_or("null".to_owned(), |number| number.to_string());
        let older = self.older_than.map(|days| format!("{days}d"));
        let policy = format!(
            r#"{{"enabled":true,"name_regex":{},"name_regex_keep":{},"keep_n":{number},"older_than":{}}}"#,
            text(Some(self.delete)),
            text(self.keep),
            text(older.as_deref())
        );
        let protection = self.protected.map(|pattern| format!(r#"{{"tag_name_pattern":{pattern:?}}}"#));
        rules(&policy, &format!("[{}]", protection.unwrap_or_default()))
    }

    /// Which of these tags, each with the days since its date, a run takes.
    fn taken(&self, tags: &[(String, i64)], newest_first_of_equals: bool) -> Vec<String> {
        let whole = |pattern: &str| Regex::new(&format!(r"\A{pattern}\z")).unwrap();
        let (delete, keep) = (whole(self.delete), whole(self.keep.unwrap_or_default()));
        let mut left: Vec<&(String, i64)> = tags.iter().filter(|(name, _)| name != "latest").collect();
        left.retain(|(name, _)| delete.is_match(name) && !keep.is_match(name));
        if let Some(number) = self.keep_number {
            left.sort_by(|(a, _), (b, _)| if newest_first_of_equals { a.cmp(b) } else { b.cmp(a) });
            left.sort_by_key(|(_, days)| *days);
            left.drain(..number.min(left.len()));
        }
        if let Some(older) = self.older_than {
            left.retain(|(_, days)| *days > older);
        }
        let protected = self.protected.map(|pattern| Regex::new(pattern).unwrap());
        left.retain(|(name, _)| !protected.as_ref().is_some_and(|protected| protected.is_match(name)));
        left.into_iter().map(|(name, _)| name.clone()).collect()
    }
}

const NAMES: [&str; 9] = ["latest", "v1", "v2", "v3", "v10", "dev", "dev-1", "main", "prod-pinned-x"];

fn settings() -> impl Strategy<Value = Settings> {
    let delete = prop::sample::select(vec![".*", "v.*", "dev|main", "(dev|main)", "v[12]", "", "latest"]);
    let keep = prop::option::of(prop::sample::select(vec!["v1", "prod-pinned-.*", "dev|v2", "main"]));
    let protected = prop::option::of(prop::sample::select(vec!["^prod-pinned-", "v1", "^dev$"]));
    (delete, keep, prop::option::of(0_usize..5), prop::option::of(0_i64..12), protected).prop_map(
        |(delete, keep, keep_number, older_than, protected)| Settings {
            delete,
            keep,
            keep_number,
            older_than,
            protected,
        },
    )
}

/// Tags with dates, of which some are not told.
fn tags() -> impl Strategy<Value = Vec<(String, i64, bool)>> {
    prop::collection::btree_map(prop::sample::select(NAMES.to_vec()), (0_i64..14, any::<bool>()), 0..NAMES.len())
        .prop_map(|tags| tags.into_iter().map(|(name, (days, told))| (name.to_owned(), days, told)).collect())
}

proptest! {
    #[test]
    fn where_everything_is_told_it_is_what_the_steps_come_to(settings in settings(), tags in tags()) {
        let dated: Vec<DatedTag> = tags.iter().map(|(name, days, _)| tag(name, *days)).collect();
        let plain: Vec<(String, i64)> = tags.iter().map(|(name, days, _)| (name.clone(), *days)).collect();
        let judged = settings.rules().judge(&dated, now(), 0);
        let (one, other) = (settings.taken(&plain, true), settings.taken(&plain, false));
        for (name, _, _) in &tags {
            let fate = judged[name.as_str()];
            match (one.contains(name), other.contains(name)) {
                (true, true) => prop_assert!(fate != Fate::Stays, "{name}: {settings:?}"),
                (false, false) => prop_assert!(fate != Fate::Goes, "{name}: {settings:?}"),
                _ => prop_assert_eq!(fate, Fate::Open, "{}: {:?}", name, settings),
            }
            // Only equals are open.
            let days = tags.iter().find(|(other, ..)| other == name).map(|(_, days, _)| *days);
            let equals = tags.iter().filter(|(_, other, _)| Some(*other) == days).count();
            prop_assert!(fate != Fate::Open || equals > 1, "{name}: {settings:?}");
        }
    }

    #[test]
    fn what_is_not_told_leaves_room_for_whatever_it_is(settings in settings(), tags in tags(), guesses in prop::collection::vec(0_i64..14, NAMES.len())) {
        let dated: Vec<DatedTag> = tags.iter().map(|(name, days, told)| match told {
            true => tag(name, *days),
            false => DatedTag { pushed: When::Unknown, built: When::Unknown, ..tag(name, *days) },
        }).collect();
        let guessed: Vec<(String, i64)> = tags.iter().zip(&guesses)
            .map(|((name, days, told), guess)| (name.clone(), if *told { *days } else { *guess })).collect();
        let judged = settings.rules().judge(&dated, now(), 0);
        let taken = settings.taken(&guessed, true);
        for (name, ..) in &tags {
            match taken.contains(name) {
                true => prop_assert!(judged[name.as_str()] != Fate::Stays, "{name} was said to stay: {settings:?}"),
                false => prop_assert!(judged[name.as_str()] != Fate::Goes, "{name} was said to go: {settings:?}"),
            }
        }
    }

    #[test]
    fn more_pushes_spare_nobody_and_later_runs_neither(settings in settings(), tags in tags(), pushes in 0_usize..4, days in 0_i64..10) {
        let dated: Vec<DatedTag> = tags.iter().map(|(name, days, _)| tag(name, *days)).collect();
        let rules = settings.rules();
        let later = now().checked_add(SignedDuration::from_secs(days * DAY)).unwrap();
        let (before, after) = (rules.judge(&dated, now(), 0), rules.judge(&dated, later, pushes));
        for (tag, fate) in before {
            prop_assert!(after[tag.as_str()] >= fate, "{tag}: {settings:?}");
        }
    }
}
