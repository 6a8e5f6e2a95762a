//! Rules of registries that clean up by themselves: random ones of each kind.

use prodpin::model::RegistryKind;
use proptest::prelude::*;
use serde_json::json;

use crate::engines::world::{DAY, Rules};
use crate::engines::{acr, gitlab, google, harbor, quay, zot};

pub(super) fn selector(decoration: &str, pattern: &str, untagged: bool) -> harbor::Selector {
    harbor::Selector {
        kind: "doublestar".to_owned(),
        decoration: decoration.to_owned(),
        pattern: pattern.to_owned(),
        extras: json!({ "untagged": untagged }).to_string(),
    }
}

pub(super) fn retain(template: &str, number: u64, tags: harbor::Selector) -> harbor::Rule {
    harbor::Rule {
        action: "retain".to_owned(),
        template: template.to_owned(),
        params: json!({ template: number }),
        tags: vec![tags],
        repositories: vec![selector("repoMatches", "**", true)],
        ..harbor::Rule::default()
    }
}

fn template() -> impl Strategy<Value = (&'static str, u64)> {
    let counts = prop::sample::select(&["latestPushedK", "latestPulledN", "latestActiveK"][..]);
    let days = prop::sample::select(&["lastXDays", "nDaysSinceLastPush", "nDaysSinceLastPull"][..]);
    prop_oneof![3 => (counts, 0_u64..5), 2 => (days, 0_u64..40)]
}

fn keep(patterns: &'static [&'static [&'static str]]) -> impl Strategy<Value = zot::Keep> {
    let within = || prop::option::weighted(0.25, (0_i64..40).prop_map(|days| days * DAY));
    (prop::sample::select(patterns), within(), within(), 0_usize..4, 0_usize..3).prop_map(
        |(patterns, pulled_within, pushed_within, most_recently_pushed, most_recently_pulled)| zot::Keep {
            patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
            pulled_within,
            pushed_within,
            most_recently_pushed,
            most_recently_pulled,
        },
    )
}

pub(super) fn zot_rules(keep_tags: Vec<zot::Keep>, delete_untagged: Option<bool>) -> zot::Policy {
    zot::Policy { repositories: vec!["**".to_owned()], keep_tags, delete_untagged, ..zot::Policy::default() }
}

fn google_rule(prefixes: &'static [&'static str]) -> impl Strategy<Value = google::Rule> {
    let states = &[google::State::Any, google::State::Tagged, google::State::Untagged][..];
    let days = || prop::option::of((0_i64..60).prop_map(|days| days * DAY));
    (prop::sample::select(states), prop::sample::select(prefixes), days(), days()).prop_map(
        |(state, prefix, older_than, newer_than)| google::Rule::Condition {
            state,
            prefixes: [prefix].into_iter().filter(|prefix| !prefix.is_empty()).map(str::to_owned).collect(),
            older_than,
            newer_than,
        },
    )
}

/// Rules that take only what has no tag, of each kind.
pub(super) fn only_untagged(kind: RegistryKind) -> BoxedStrategy<Rules> {
    match kind {
        RegistryKind::Harbor => (any::<bool>(), prop::option::of(prop::option::of(template())))
            .prop_map(|(collects, retention)| {
                let mut rules = Vec::new();
                if let Some(bare) = retention {
                    rules.push(retain("always", 0, selector("matches", "**", false)));
                    rules.extend(bare.map(|(name, number)| retain(name, number, selector("excludes", "**", false))));
                }
                Rules::Harbor { retention: rules, immutable: Vec::new(), collects }
            })
            .boxed(),
        RegistryKind::Zot => {
            let policy =
                (any::<bool>(), any::<bool>(), prop::option::of(keep(&[&[]])), prop::option::of(any::<bool>()));
            (prop::option::of(policy), 0_i64..3, 0_i64..20)
                .prop_map(|(policy, gc, retention)| {
                    let policies = policy.map(|(delete_referrers, all, keep_untagged, delete_untagged)| {
                        let tags = if all { vec![zot::Keep::default()] } else { Vec::new() };
                        zot::Policy { delete_referrers, keep_untagged, ..zot_rules(tags, delete_untagged) }
                    });
                    Rules::Zot(zot::Zot {
                        gc_delay: gc * 3_600,
                        retention_delay: retention * DAY,
                        policies: policies.into_iter().collect(),
                        ..zot::Zot::default()
                    })
                })
                .boxed()
        }
        RegistryKind::Quay => Just(Rules::Quay { policies: Vec::new(), immutable_pins: false }).boxed(),
        RegistryKind::Google => prop::collection::vec((any::<bool>(), google_rule(&[""]), 0_usize..4), 0..3)
            .prop_map(|policies| {
                let policy = |(keeps, rule, count): (bool, google::Rule, usize)| match rule {
                    _ if count == 0 => google::Policy { keeps: true, rule: google::Rule::MostRecent(2) },
                    google::Rule::Condition { prefixes, older_than, newer_than, .. } => {
                        let state = google::State::Untagged;
                        let rule = google::Rule::Condition { state, prefixes, older_than, newer_than };
                        google::Policy { keeps, rule }
                    }
                    rule => google::Policy { keeps: true, rule },
                };
                Rules::Google(policies.into_iter().map(policy).collect())
            })
            .boxed(),
        RegistryKind::GitLab => Just(Rules::GitLab(None)).boxed(),
        _ => (any::<bool>(), 0_i64..20, 0_usize..4)
            .prop_map(|(only, days, keep)| {
                let filters = if only { Vec::new() } else { vec![".*:^nothing$".to_owned()] };
                let ago = -days * DAY;
                Rules::Acr(vec![acr::Purge {
                    filters,
                    ago,
                    keep,
                    untagged: !only,
                    untagged_only: only,
                    ..acr::Purge::default()
                }])
            })
            .boxed(),
    }
}

/// Rules that take nothing.
pub(super) fn none(kind: RegistryKind) -> Rules {
    match kind {
        RegistryKind::Harbor => Rules::Harbor { retention: Vec::new(), immutable: Vec::new(), collects: false },
        RegistryKind::Zot => {
            Rules::Zot(zot::Zot { policies: vec![zot_rules(Vec::new(), Some(false))], ..zot::Zot::default() })
        }
        RegistryKind::Google => Rules::Google(Vec::new()),
        RegistryKind::GitLab => Rules::GitLab(None),
        // It collects what has no tag whatever is set.
        RegistryKind::Quay => Rules::Quay { policies: Vec::new(), immutable_pins: false },
        _ => Rules::Acr(Vec::new()),
    }
}

const TAGS: [&str; 7] = ["**", "v*", "v1.*", "dev-*", "prod-pinned-*", "latest", "*0"];

/// Any rules, of each kind. `exempt`: pins are left alone by the registry's own means, as `cleanup-unknown` advises.
pub(super) fn any_rules(kind: RegistryKind, exempt: bool) -> BoxedStrategy<Rules> {
    match kind {
        RegistryKind::Harbor => {
            let selected =
                (prop::sample::select(&["matches", "excludes"][..]), prop::sample::select(&TAGS[..]), any::<bool>());
            // A pin is a push and a pull there: rules that count those are none that leave pins alone.
            let template = template().prop_filter("counts", move |(name, _)| !exempt || !name.starts_with("latest"));
            let rule = (template, selected).prop_map(|((name, number), (decoration, pattern, bare))| {
                retain(name, number, selector(decoration, pattern, bare))
            });
            (prop::collection::vec(rule, 1..4), any::<bool>())
                .prop_map(move |(mut retention, collects)| {
                    let pins = || selector("matches", "prod-pinned-*", false);
                    let mut immutable = Vec::new();
                    if exempt {
                        retention.push(retain("always", 0, pins()));
                        immutable.push(retain("immutable_template", 0, pins()));
                    }
                    Rules::Harbor { retention, immutable, collects }
                })
                .boxed()
        }
        RegistryKind::Zot => {
            let entries = keep(&[&[], &["^v"], &["^v1"], &["dev", "latest"], &["-"], &["0$"]]);
            (prop::collection::vec(entries, 1..4), any::<bool>(), prop::option::of(any::<bool>()), 0_i64..20)
                .prop_map(move |(mut entries, delete_referrers, delete_untagged, retention)| {
                    if exempt {
                        // A pull is not undone: what counts pulls sees that the pin was read.
                        entries.iter_mut().for_each(|entry| entry.most_recently_pulled = 0);
                        entries.insert(
                            0,
                            zot::Keep { patterns: vec!["^prod-pinned-".to_owned()], ..zot::Keep::default() },
                        );
                    }
                    let policy = zot::Policy { delete_referrers, ..zot_rules(entries, delete_untagged) };
                    Rules::Zot(zot::Zot {
                        retention_delay: retention * DAY,
                        policies: vec![policy],
                        ..zot::Zot::default()
                    })
                })
                .boxed()
        }
        RegistryKind::Quay => {
            // Where no policy of immutability covers pins, no policy that prunes may match them.
            let patterns: &[&str] = if exempt {
                &["^(?!prod-pinned-)", "^v", "dev|latest"]
            } else {
                &["^v", "dev|latest", "0$", "prod", "."]
            };
            let pattern = prop::option::of(prop::sample::select(patterns));
            let rule = prop_oneof![
                3 => (0_usize..6).prop_map(quay::Rule::Count),
                2 => (0_i64..40).prop_map(|days| quay::Rule::Age(days * DAY * 1_000)),
            ];
            let policy = (rule, pattern, any::<bool>());
            let policy = policy.prop_map(|(rule, pattern, matches)| quay::Policy {
                rule,
                matches: matches || pattern.is_none(),
                pattern: pattern.map(str::to_owned),
            });
            (prop::collection::vec(policy, 1..4), any::<bool>())
                .prop_map(move |(mut policies, immutable)| {
                    if exempt && !immutable {
                        policies.retain(|policy| policy.pattern.is_some());
                        policies.iter_mut().for_each(|policy| policy.matches = true);
                    }
                    Rules::Quay { policies, immutable_pins: exempt && immutable }
                })
                .boxed()
        }
        RegistryKind::Google => {
            let policy = (any::<bool>(), google_rule(&["", "v", "v1.0", "dev", "prod", "latest"]), 0_usize..8);
            prop::collection::vec(policy, 1..5)
                .prop_map(move |policies| {
                    let policy = |(keeps, rule, count)| match count {
                        1..4 => google::Policy { keeps: true, rule: google::Rule::MostRecent(count) },
                        _ => google::Policy { keeps, rule },
                    };
                    let mut policies: Vec<google::Policy> = policies.into_iter().map(policy).collect();
                    if exempt {
                        let prefixes = vec!["prod-pinned-".to_owned()];
                        let (state, older_than, newer_than) = (google::State::Any, None, None);
                        let rule = google::Rule::Condition { state, prefixes, older_than, newer_than };
                        policies.push(google::Policy { keeps: true, rule });
                    }
                    Rules::Google(policies)
                })
                .boxed()
        }
        RegistryKind::GitLab => {
            let delete = prop::sample::select(&[".*", "v.*", "dev.*|main", ".*0"][..]);
            let keep = prop::option::of(prop::sample::select(&["v1\\.0.*", ".*-1", "main"][..]));
            (delete, keep, 0_usize..6, 0_i64..40)
                .prop_map(move |(delete, keep, keep_number, days)| {
                    Rules::GitLab(Some(gitlab::Policy {
                        delete: delete.to_owned(),
                        keep: match (keep, exempt) {
                            (Some(keep), true) => Some(format!("({keep}|prod-pinned-.*)")),
                            (None, true) => Some("prod-pinned-.*".to_owned()),
                            (keep, false) => keep.map(str::to_owned),
                        },
                        keep_number,
                        older_than: days * DAY,
                        protects_pins: false,
                    }))
                })
                .boxed()
        }
        _ => {
            let filters: &[&str] = match exempt {
                true => &["^(?!prod-pinned-).*", "^v", "^dev", "^(?!prod-pinned-|v).*"],
                false => &[".*", "^v", "dev", "^(?!v).*", "prod"],
            };
            (prop::collection::vec(prop::sample::select(filters), 1..3), 0_i64..30, 0_usize..4, any::<bool>())
                .prop_map(|(filters, days, keep, untagged)| {
                    let filters = filters.into_iter().map(|filter| format!("shop/api:{filter}")).collect();
                    Rules::Acr(vec![acr::Purge { filters, ago: -days * DAY, keep, untagged, ..acr::Purge::default() }])
                })
                .boxed()
        }
    }
}
