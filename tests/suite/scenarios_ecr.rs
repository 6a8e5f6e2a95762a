//! What a user of ECR lives through: lifecycle rules against pins, archived releases, settings that change.

use prodpin::model::{ArtifactId, Code, Finding, Mode, Mutability, Obstacle, Setting, Severity};
use prodpin::outcome::report::PinReport;
use prodpin::sources::memory::{EcrTerms, index};

use crate::estate::{Estate, REPOSITORY, RunResult};
use crate::support::each;

macro_rules! golden {
    ($estate:expr, $($reported:expr),+ $(,)?) => {{
        let stories: Vec<String> = vec![$(dateless(&$estate.story(&$reported))),+];
        insta::assert_snapshot!(stories.join("--- next run\n"));
    }};
}

/// The story without the dates that depend on the day on which it is reported.
pub(crate) fn dateless(story: &str) -> String {
    let mut reported = story.to_owned();
    for before in ["about ", "\"around\":\""] {
        let parts: Vec<&str> = reported.split(before).collect();
        let (first, rest) = parts.split_first().unwrap();
        let rest = rest.iter().map(|part| {
            let dated = part.starts_with("20") && part.is_char_boundary(10);
            if dated { format!("{before}DATE{}", &part[10..]) } else { format!("{before}{part}") }
        });
        reported = std::iter::once((*first).to_owned()).chain(rest).collect();
    }
    reported
}

/// A rule, as ECR takes it.
pub(crate) fn rule(priority: u32, tags: &str, count: &str, number: u64) -> String {
    let tags = match tags {
        "untagged" | "any" => format!(r#""tagStatus": "{tags}""#),
        pattern => format!(r#""tagStatus": "tagged", "tagPatternList": ["{pattern}"]"#),
    };
    let unit = if count == "imageCountMoreThan" { "" } else { r#""countUnit": "days", "# };
    format!(
        r#"{{"rulePriority": {priority}, "description": "rule {priority}", "selection": {{{tags}, "countType": "{count}", {unit}"countNumber": {number}}}, "action": {{"type": "expire"}}}}"#
    )
}

pub(crate) fn lifecycle(rules: &[String]) -> EcrTerms {
    EcrTerms { mutability: held(), ..EcrTerms::with_lifecycle(&format!(r#"{{"rules": [{}]}}"#, rules.join(", "))) }
}

/// Nothing about tags to complain of.
fn held() -> Option<Mutability> {
    Some(Mutability::Immutable)
}

fn claim(priority: u32, count: u64) -> String {
    rule(priority, "prod-pinned-*", "imageCountMoreThan", count)
}

fn quiet() -> EcrTerms {
    EcrTerms { mutability: held(), ..EcrTerms::default() }
}

fn findings_with(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

fn severities(reported: &RunResult, code: Code) -> Vec<Severity> {
    findings_with(reported, code).into_iter().map(|finding| finding.severity).collect()
}

#[tokio::test]
async fn without_a_lifecycle_policy_a_pin_protects_and_a_second_run_does_nothing_i13() {
    let estate = Estate::in_ecr(6, "2026-01-01", quiet());
    let first = estate.enforce().await;
    assert!(each(first.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&first));
    let (events, calls) = (estate.events().await, estate.memory.calls().len());
    let second = estate.enforce().await;
    assert_eq!((estate.events().await, estate.memory.calls().len()), (events, calls));
    assert_eq!(second.codes(), Vec::<String>::new());
}

#[tokio::test]
async fn an_age_rule_that_nothing_shields_from_reaches_pinned_targets_i7_f44() {
    let estate = Estate::in_ecr(2, "2026-01-01", lifecycle(&[rule(1, "v*", "sinceImagePushed", 36_500)]));
    let audit = estate.run(Mode::Audit).await;
    let enforced = estate.enforce().await;
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(false)));
    assert_eq!(severities(&enforced, Code::LifecycleCollision), [Severity::High; 2]);
    assert_eq!(severities(&enforced, Code::PinIneffective), [Severity::High]);
    golden!(estate, audit, enforced);
}

#[tokio::test]
async fn what_is_due_now_or_within_a_week_is_critical() {
    let estate = Estate::in_ecr(2, "2020-01-01", lifecycle(&[rule(1, "v*", "sinceImagePushed", 30)]));
    let reported = estate.enforce().await;
    assert_eq!(severities(&reported, Code::LifecycleCollision), [Severity::Critical; 2]);
    golden!(estate, reported);
    let today = jiff::Timestamp::now();
    let estate = Estate::in_ecr(1, "2020-01-01", lifecycle(&[rule(1, "v*", "sinceImagePushed", 30)]));
    let artifact = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    for (age, expected) in [(27, Severity::Critical), (20, Severity::High)] {
        estate.memory.set_pushed(REPOSITORY, &artifact, today - jiff::SignedDuration::from_hours(24 * age));
        assert_eq!(severities(&estate.enforce().await, Code::LifecycleCollision), [expected], "{age} days old");
    }
}

#[tokio::test]
async fn a_claim_rule_in_front_makes_pins_hold() {
    let rules = [claim(1, 9_999), rule(2, "v*", "sinceImagePushed", 30), rule(9, "any", "imageCountMoreThan", 1)];
    let estate = Estate::in_ecr(7, "2020-01-01", lifecycle(&rules));
    let audit = estate.run(Mode::Audit).await;
    assert_eq!(severities(&audit, Code::LifecycleCollision), [], "a pin would shield them");
    assert_eq!(severities(&audit, Code::PinMissing), [Severity::High; 5], "without one they are lost");
    let enforced = estate.enforce().await;
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&enforced));
    assert_eq!(enforced.codes(), Vec::<String>::new());
    golden!(estate, audit, enforced);
}

#[tokio::test]
async fn a_claim_rule_behind_another_shields_from_nothing_before_it_f44() {
    let rules = [rule(1, "v*", "imageCountMoreThan", 2), claim(2, 9_999)];
    let estate = Estate::in_ecr(5, "2026-01-01", lifecycle(&rules));
    let reported = estate.enforce().await;
    let protected: Vec<Option<bool>> = reported.targets().iter().map(|target| target.protected).collect();
    assert!(each(protected.iter(), |protected| *protected == Some(false)), "{protected:?}");
    golden!(estate, reported);
}

#[tokio::test]
async fn a_claim_rule_that_counts_too_few_deletes_pins_itself_f44() {
    let estate = Estate::in_ecr(5, "2026-01-01", lifecycle(&[claim(1, 3)]));
    let reported = estate.enforce().await;
    let lost = reported
        .targets()
        .iter()
        .filter(|target| target.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Lifecycle { .. })));
    assert!(lost.count() >= 2, "{}", estate.story(&reported));
    assert_eq!(severities(&reported, Code::PinIneffective), [Severity::High]);
    golden!(estate, reported);
}

#[tokio::test]
async fn an_index_s_parts_are_held_by_the_pinned_index_a33() {
    let rules = [claim(1, 9_999), rule(2, "untagged", "sinceImagePushed", 1)];
    let mut estate = Estate::in_ecr(1, "2020-01-01", lifecycle(&rules));
    let artifact = estate.push_content("v2.0.0", "index", index("two platforms"));
    let reported = estate.enforce().await;
    let target = reported.targets().iter().find(|target| target.artifact == artifact).unwrap();
    assert_eq!(target.protected, Some(true), "{}", estate.story(&reported));
}

#[tokio::test]
async fn a_rule_for_untagged_images_leaves_pins_alone_and_is_no_alarm() {
    let estate = Estate::in_ecr(5, "2026-01-01", lifecycle(&[rule(1, "untagged", "sinceImagePushed", 1)]));
    let reported = estate.enforce().await;
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)));
    assert!(reported.findings.iter().all(|finding| finding.severity <= Severity::Low), "{}", estate.story(&reported));
    golden!(estate, reported);
}

#[tokio::test]
async fn rules_that_cannot_be_read_or_understood_are_never_safe_a54_f53() {
    let unread = Estate::in_ecr(2, "2026-01-01", EcrTerms { lifecycle: Setting::Unknown, ..quiet() });
    let strange = Estate::in_ecr(
        2,
        "2026-01-01",
        lifecycle(&[rule(1, "v*", "sinceImagePushed", 30).replace("\"expire\"", "\"compress\"")]),
    );
    let cut = Estate::in_ecr(2, "2026-01-01", lifecycle(&[claim(1, 9_999)]));
    cut.run(Mode::Audit).await;
    cut.memory.stop_list_after(REPOSITORY, 2);
    let mut reported = Vec::new();
    for estate in [&unread, &strange, &cut] {
        let run = estate.enforce().await;
        assert!(each(run.targets().iter(), |target| target.protected.is_none()), "{}", estate.story(&run));
        reported.push(run);
    }
    golden!(unread, reported[0], reported[1], reported[2]);
}

#[tokio::test]
async fn an_archived_release_is_no_target_to_roll_back_to_f43() {
    let estate = Estate::in_ecr(3, "2026-01-01", quiet());
    let artifact = estate.memory.tag(REPOSITORY, "v1.1.0").unwrap();
    estate.memory.archive(REPOSITORY, &artifact, "2026-02-01T00:00:00Z".parse().unwrap());
    let reported = estate.enforce().await;
    let target = reported.targets().iter().find(|target| target.artifact == artifact).unwrap();
    assert_eq!((target.restorable, target.pin), (Some(false), PinReport::Absent));
    let remedy = &findings_with(&reported, Code::TargetArchived)[0].remedy;
    assert!(
        remedy.contains(&format!(
            "aws ecr update-image-storage-class --registry-id 111122223333 --repository-name shop/api --image-id \
             imageDigest={artifact} --target-storage-class STANDARD"
        )),
        "{remedy}"
    );
    assert_eq!(estate.memory.calls().len(), 2, "an archived image takes no tag, so none is tried");
    golden!(estate, reported);
}

#[tokio::test]
async fn mutability_is_judged_by_its_filters_a18_a52() {
    let filters = |filters: &[&str]| filters.iter().map(|filter| (*filter).to_owned()).collect::<Vec<_>>();
    let mut stories = Vec::new();
    for (mutability, expected) in [
        (Mutability::Mutable, Some(Severity::Medium)),
        (Mutability::Immutable, None),
        (Mutability::MutableExcept(filters(&["prod-pinned-*"])), Some(Severity::Medium)),
        (Mutability::MutableExcept(filters(&["prod-pinned-*", "v*"])), None),
        (Mutability::MutableExcept(filters(&["v*"])), Some(Severity::High)),
        (Mutability::ImmutableExcept(filters(&["dev-*"])), None),
        (Mutability::ImmutableExcept(filters(&["dev-*", "v1*"])), Some(Severity::Medium)),
        (Mutability::ImmutableExcept(filters(&["dev-*", "*-pinned-*"])), Some(Severity::High)),
    ] {
        let terms = EcrTerms { mutability: Some(mutability.clone()), ..EcrTerms::default() };
        let estate = Estate::in_ecr(5, "2026-01-01", terms);
        let reported = estate.enforce().await;
        assert_eq!(severities(&reported, Code::TagsMutable), Vec::from_iter(expected), "{mutability:?}");
        stories.extend(
            findings_with(&reported, Code::TagsMutable).iter().map(|finding| {
                format!("{mutability}: {} {} → {}\n", finding.severity, finding.message, finding.remedy)
            }),
        );
    }
    insta::assert_snapshot!(stories.concat());
}

#[tokio::test]
async fn whoever_else_may_delete_is_told_a55() {
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":["ecr:GetDownloadUrlForLayer","ecr:BatchDelete*"]},
        {"Effect":"Allow","Principal":{"AWS":["444455556666","arn:aws:iam::111122223333:role/cleaner"]},"Action":"ecr:*"},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"ecr:DeleteRepository"}]}"#;
    let terms = EcrTerms {
        access: Setting::Text(policy.into()),
        may_delete: vec!["arn:aws:iam::111122223333:role/clean*".into()],
        ..quiet()
    };
    let estate = Estate::in_ecr(5, "2026-01-01", terms);
    let reported = estate.enforce().await;
    assert_eq!(severities(&reported, Code::DeleteAllowed), [Severity::High, Severity::Medium, Severity::Low]);
    let unknown = Estate::in_ecr(5, "2026-01-01", EcrTerms { access: Setting::Text("{".into()), ..quiet() });
    let unknown = unknown.enforce().await;
    assert_eq!(severities(&unknown, Code::DeleteAllowed), [Severity::Medium]);
    golden!(estate, reported, unknown);
}

#[tokio::test]
async fn settings_that_change_between_runs_are_told_once_f37_f48() {
    let estate = Estate::in_ecr(5, "2026-01-01", quiet());
    assert_eq!(severities(&estate.enforce().await, Code::SettingsChanged), []);
    estate.memory.set_ecr(REPOSITORY, lifecycle(&[claim(1, 9_999)]));
    let rules = estate.enforce().await;
    assert_eq!(severities(&rules, Code::SettingsChanged), [Severity::Medium]);
    estate.memory.set_ecr(REPOSITORY, EcrTerms { mutability: None, ..lifecycle(&[claim(1, 9_999)]) });
    assert_eq!(severities(&estate.enforce().await, Code::SettingsChanged), [], "unread is not changed");
    let freed = EcrTerms { mutability: Some(Mutability::Mutable), ..lifecycle(&[claim(1, 9_999)]) };
    estate.memory.set_ecr(REPOSITORY, freed);
    let mutable = estate.enforce().await;
    assert_eq!(severities(&mutable, Code::SettingsChanged), [Severity::High]);
    let events = estate.events().await;
    assert_eq!(severities(&estate.enforce().await, Code::SettingsChanged), []);
    assert_eq!(estate.events().await, events, "I13");
    estate.memory.set_ecr(REPOSITORY, quiet());
    let better = estate.enforce().await;
    assert_eq!(severities(&better, Code::SettingsChanged), [Severity::Medium]);
    golden!(estate, rules, mutable, better);
}

#[tokio::test]
async fn a_cache_s_tags_move_when_upstream_s_do_a46() {
    let terms = EcrTerms { cached_from: Some("registry-1.docker.io".into()), ..EcrTerms::default() };
    let mut estate = Estate::in_ecr(2, "2026-01-01", terms);
    estate.enforce().await;
    estate.push("v1.1.0", "pushed-again-upstream");
    let reported = estate.enforce().await;
    assert_eq!(severities(&reported, Code::TagMoved), [Severity::Low]);
    assert_eq!(severities(&reported, Code::TagsMutable), [Severity::Low]);
    golden!(estate, reported);
}

/// An artifact's own name in what is told of it.
#[tokio::test]
async fn a_target_tells_until_when_its_protection_lasts() {
    let estate = Estate::in_ecr(1, "2026-01-01", lifecycle(&[rule(1, "v*", "sinceImagePushed", 36_500)]));
    let reported = estate.enforce().await;
    let artifact: ArtifactId = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    let target = reported.targets().iter().find(|target| target.artifact == artifact).unwrap();
    let lost: jiff::Timestamp = "2125-12-08T00:00:00Z".parse().unwrap();
    assert_eq!(target.lasts_until(jiff::Timestamp::now()), Some(&prodpin::model::Due::On(lost)));
    let safe = Estate::in_ecr(1, "2026-01-01", quiet()).enforce().await;
    assert_eq!(safe.targets()[0].lasts_until(jiff::Timestamp::now()), None);
}
