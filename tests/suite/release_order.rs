//! Which releases are the most recent where names tell, where only their arrival does, and where nobody knows (I25).

use std::collections::BTreeSet;

use prodpin::model::{Mode, Order, ProductionRule, Severity};
use prodpin::outcome::ready::Verdict;
use prodpin::sources::memory::index;
use proptest::prelude::*;

use crate::estate::{Estate, REPOSITORY, RunResult, tags};

const DOUBT: &str = "release-order-doubtful";

fn kept(reported: &RunResult) -> Vec<&str> {
    reported.targets().iter().filter_map(|target| Some(target.references.first()?.as_str())).collect()
}

fn doubt(reported: &RunResult) -> Option<&prodpin::model::Finding> {
    reported.findings.iter().find(|finding| finding.code.as_str() == DOUBT)
}

async fn estate(rules: Vec<ProductionRule>, keep: u32, pushed: &[&str]) -> (Estate, RunResult) {
    let mut estate = Estate::new(rules);
    estate.policy.keep = keep;
    for tag in pushed {
        estate.push(tag, tag);
    }
    let reported = estate.enforce().await;
    (estate, reported)
}

fn semver(pattern: &str) -> Vec<ProductionRule> {
    vec![tags(&[pattern], Order::Semver)]
}

#[tokio::test]
async fn numbers_in_words_count_i25() {
    for pushed in [
        ["v1.0.1-rc9", "v1.0.1-rc10"],
        ["1.25.3-debian-11-r9", "1.25.3-debian-11-r10"],
        ["4.2.0-build9", "4.2.0-build10"],
        ["2026.1.5-hotfix9", "2026.1.5-hotfix10"],
        ["1.0.0+b9", "1.0.0+b10"].map(|tag| tag.replace('+', "_").leak() as &str),
    ] {
        let (_, reported) = estate(semver("*"), 1, &pushed).await;
        assert_eq!(kept(&reported), [pushed[1]]);
        assert_eq!(doubt(&reported), None, "{pushed:?}");
    }
}

#[tokio::test]
async fn builds_of_one_version_go_by_first_sight_i25() {
    let (mut estate, reported) = estate(semver("5.*"), 2, &["5.4.0-ffff001", "5.4.0-eeee002", "5.4.0-1234567"]).await;
    let found = doubt(&reported).expect("nothing orders what was first seen at once");
    assert_eq!(found.severity, Severity::Medium);
    assert!(found.message.contains("5.4.0-ffff001") && found.message.contains("5.4.0-eeee002"), "{}", found.message);
    assert_eq!(kept(&reported).len(), 3, "both are kept, and the third, which may be as recent");
    let rollback = &reported.repositories[0].rollback;
    assert_eq!((rollback.intact, &rollback.current, &rollback.to), (None, &None, &None));
    assert!(rollback.unknown.as_ref().unwrap().contains("moving_tag"), "{:?}", rollback.unknown);
    estate.push("5.4.0-00000aa", "new");
    let reported = estate.enforce().await;
    assert_eq!(kept(&reported)[0], "5.4.0-00000aa");
    let rollback = &reported.repositories[0].rollback;
    assert!(rollback.current.is_some(), "the newest one is known by now");
    assert_eq!(rollback.intact, None, "what came before it is not");
    estate.push("5.4.0-00000ab", "newer");
    let reported = estate.enforce().await;
    assert_eq!(kept(&reported)[..2], ["5.4.0-00000ab", "5.4.0-00000aa"]);
    assert_eq!(reported.repositories[0].rollback.intact, Some(true));
}

#[tokio::test]
async fn a_year_and_a_version_do_not_compare_i25() {
    let years = ["2021.8.1", "2021.9.2", "2021.10.4", "2021.11.9", "2021.12.14", "2021.12.16", "2021.12.20"];
    let pushed: Vec<&str> = years.into_iter().chain(["0.6.16", "0.6.17"]).collect();
    let (mut estate, reported) = estate(semver("[0-9]*"), 5, &pushed).await;
    assert!(kept(&reported).contains(&"0.6.17") && kept(&reported).contains(&"2021.12.20"), "{:?}", kept(&reported));
    assert!(doubt(&reported).is_some());
    estate.push("0.6.18", "new");
    let reported = estate.enforce().await;
    assert_eq!(kept(&reported)[0], "0.6.18", "it was first seen in a later run");
}

#[tokio::test]
async fn what_arrives_below_all_that_are_kept_is_kept_and_told_i25() {
    // Years of two digits look like versions.
    let (mut estate, reported) = estate(semver("[0-9]*"), 2, &["21.10.4", "21.11.9", "21.12.20"]).await;
    assert_eq!(doubt(&reported), None);
    estate.push("0.6.18", "new");
    let reported = estate.enforce().await;
    assert_eq!(kept(&reported), ["21.12.20", "21.11.9", "0.6.18"]);
    assert_eq!(doubt(&reported).map(|found| found.severity), Some(Severity::Medium));
    assert_eq!(reported.repositories[0].rollback.intact, None, "which of the two lines goes on is unknown");
    // A line that was there before is a line that is maintained.
    let (mut estate, _) = self::estate(semver("v*"), 2, &["v1.8.0", "v1.9.0", "v2.0.0", "v2.1.0"]).await;
    estate.push("v1.9.1", "backport");
    let reported = estate.enforce().await;
    assert_eq!(kept(&reported), ["v2.1.0", "v2.0.0", "v1.9.1"]);
    assert_eq!(doubt(&reported).map(|found| found.severity), Some(Severity::Info));
    assert_eq!(reported.repositories[0].rollback.intact, Some(true));
}

#[tokio::test]
async fn dates_and_numbers_count_among_themselves_i25() {
    let days = ["20210801", "20210902", "20211004", "20211109", "20211214", "20211216"];
    let (mut estate, reported) = estate(semver("[0-9]*"), 3, &days).await;
    assert_eq!((kept(&reported), doubt(&reported)), (vec!["20211216", "20211214", "20211109"], None));
    estate.push("0.6.18", "new");
    let reported = estate.enforce().await;
    assert_eq!((kept(&reported), doubt(&reported)), (vec!["0.6.18", "20211216", "20211214"], None));
    // Under a pattern that means everything, what names no version comes after all that do.
    let (_, reported) = self::estate(semver("*"), 2, &["v1.0.0", "v1.1.0", "latest", "main", "dev-12", "dev-13"]).await;
    assert_eq!((kept(&reported), doubt(&reported)), (vec!["v1.1.0", "v1.0.0"], None));
}

#[tokio::test]
async fn an_index_and_its_platforms_are_one_release_i25() {
    for order in [Order::Semver, Order::Name] {
        let mut estate = Estate::new(vec![tags(&["v*"], order)]);
        let releases = ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0"];
        for release in releases {
            let content = index(release);
            for (platform, child) in ["amd64", "arm64"].into_iter().zip(content.children()) {
                estate.push_content(&format!("{release}-{platform}"), platform, child.clone());
            }
            estate.push_content(release, release, content);
        }
        let reported = estate.enforce().await;
        assert_eq!(kept(&reported), ["v1.5.0", "v1.4.0", "v1.3.0", "v1.2.0", "v1.1.0"], "{order:?}");
        let rollback = &reported.repositories[0].rollback;
        assert_eq!((rollback.intact, rollback.depth), (Some(true), 4), "{order:?}");
        assert_eq!(doubt(&reported), None, "{order:?}");
        // A platform's tag is a release tag all the same.
        estate.push("v1.5.0-amd64", "implant");
        let reported = estate.enforce().await;
        assert!(reported.codes().contains(&"critical tag-moved".to_owned()), "{:?}", reported.codes());
    }
}

#[tokio::test]
async fn platforms_without_an_index_are_kept_and_counted_once_i25() {
    let pushed: Vec<String> =
        (0..4).flat_map(|minor| ["amd64", "arm64"].map(|platform| format!("v1.{minor}.0-{platform}"))).collect();
    let pushed: Vec<&str> = pushed.iter().map(String::as_str).collect();
    let (_, reported) = estate(semver("v*"), 2, &pushed).await;
    let mut kept = kept(&reported);
    kept.sort_unstable();
    assert_eq!(kept, ["v1.2.0-amd64", "v1.2.0-arm64", "v1.3.0-amd64", "v1.3.0-arm64"]);
    assert_eq!(doubt(&reported), None);
    let rollback = &reported.repositories[0].rollback;
    let to = reported.targets().iter().find(|target| Some(&target.artifact) == rollback.to.as_ref()).unwrap();
    assert_eq!(rollback.intact, Some(true));
    assert!(to.references[0].as_str().starts_with("v1.2.0"), "one goes back to a release, not to another platform");
}

#[tokio::test]
async fn two_tag_rules_are_ordered_by_evidence_alone_i25() {
    let rules = vec![tags(&["v*"], Order::Semver), tags(&["hotfix-*"], Order::Semver)];
    let (mut estate, reported) = estate(rules, 5, &["hotfix-1", "v1.5.0", "v1.6.0", "v1.7.0"]).await;
    let rollback = &reported.repositories[0].rollback;
    assert_eq!((rollback.intact, &rollback.current, &rollback.to), (None, &None, &None));
    let unknown = rollback.unknown.as_ref().unwrap();
    assert!(unknown.contains("v1.7.0") && unknown.contains("hotfix-1"), "{unknown}");
    assert!(doubt(&reported).is_some_and(|found| found.message.contains("two tag rules")));
    let page = estate.ready().await.report.rows().next().unwrap().unwrap();
    assert_eq!((page.verdict, page.why.as_str()), (Verdict::Unknown, unknown.as_str()));
    assert!(page.find_out.iter().any(|step| step.contains("moving_tag")), "{:?}", page.find_out);
    // What is pushed later is newer, whichever rule names it.
    let newest = estate.push("v1.8.0", "newest");
    let reported = estate.enforce().await;
    assert_eq!(reported.repositories[0].rollback.current, Some(newest));
    let fix = estate.push("hotfix-2", "fix");
    let reported = estate.enforce().await;
    let rollback = &reported.repositories[0].rollback;
    assert_eq!(rollback.current, Some(fix));
    assert_eq!(kept(&reported)[..2], ["hotfix-2", "v1.8.0"]);
    assert_eq!(rollback.intact, Some(true));
}

#[tokio::test]
async fn a_pattern_whose_tags_are_no_versions_is_not_kept_for_nothing_i25() {
    let pushed = ["v1.0.0", "v1.1.0", "v1.2.0", "prod-alpha", "prod-7", "prod-8"];
    let (_, reported) = estate(vec![tags(&["v*", "prod-*"], Order::Semver)], 2, &pushed).await;
    assert!(doubt(&reported).is_some());
    let kept = kept(&reported);
    assert!(kept.contains(&"v1.2.0") && kept.contains(&"v1.1.0"), "{kept:?}");
    assert!(kept.iter().any(|tag| tag.starts_with("prod-")), "{kept:?}");
}

#[tokio::test]
async fn tags_that_could_not_be_read_make_no_verdict_f73() {
    let mut estate =
        Estate::new(vec![tags(&["v*"], Order::Semver), ProductionRule::MovingTag("prod".parse().unwrap())]);
    estate.push("prod", "v1.0.0");
    for minor in 0..8 {
        estate.push(&format!("v1.{minor}.0"), &format!("release-{minor}"));
        estate.memory.make_unreadable(REPOSITORY, &format!("v1.{minor}.0"));
    }
    let reported = estate.run(Mode::Audit).await;
    let rollback = &reported.repositories[0].rollback;
    assert_eq!(rollback.intact, None);
    let unknown = rollback.unknown.as_ref().unwrap();
    assert!(unknown.starts_with("8 release tags exist, none could be read ("), "{unknown}");
}

#[tokio::test]
async fn rules_that_match_nothing_are_high_with_the_tags_that_are_there_f73() {
    let (estate, reported) = estate(semver("release-*"), 5, &["v1.7.0", "latest", "dev-abc"]).await;
    let idle = reported.findings.iter().find(|finding| finding.severity == Severity::High).unwrap();
    assert_eq!(idle.code.as_str(), "policy-unmatched");
    for part in ["\"release-*\"", "nothing is protected", "\"v1.7.0\"", "\"latest\"", "\"dev-abc\""] {
        assert!(idle.message.contains(part), "{part}: {}", idle.message);
    }
    // A part of the estate proves nothing of the rest.
    let part = estate.report(Mode::Audit, &[REPOSITORY]).await.unwrap();
    assert_eq!(part.summary.findings.high, 0);
}

#[tokio::test]
async fn a_pattern_beside_one_that_matches_stays_low_f73() {
    let rules = vec![tags(&["v*", "prod-*"], Order::Semver)];
    let (_, reported) = estate(rules, 5, &["v1.7.0"]).await;
    assert!(reported.codes().contains(&"low policy-unmatched".to_owned()), "{:?}", reported.codes());
    assert!(!reported.codes().contains(&"high policy-unmatched".to_owned()), "{:?}", reported.codes());
}

#[tokio::test]
async fn what_runs_is_called_as_its_workload_calls_it_i31() {
    let mut estate = Estate::new(Vec::new());
    for tag in ["latest", "stable-7", "v1.2.0"] {
        estate.push(tag, "the same bytes");
    }
    for (named, expected) in [("stable-7", "stable-7"), ("v1.2.0", "v1.2.0")] {
        estate.in_use(&[format!("registry.example.com/{REPOSITORY}:{named}")]);
        let reported = estate.run(Mode::Audit).await;
        assert_eq!(kept(&reported), [expected]);
    }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "v[0-9]\\.[0-9](-(amd64|arm64|rc[0-9]{1,2}|alpine|r[0-9]{1,2}|[0-9a-f]{7}))?",
        "(2021|2022)\\.[0-9]{1,2}\\.[0-9]",
        "(prod|hotfix)-[0-9]{1,2}",
        "(main|dev)-[0-9a-f]{7}",
        "[a-z]{1,5}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Whatever the order in which tags are listed, the answer is the same.
    #[test]
    fn any_order_of_the_same_tags_gives_the_same_answer_i25(
        names in proptest::collection::btree_set(names(), 1..24),
        order in prop_oneof![Just(Order::Semver), Just(Order::Name), Just(Order::Pushed)],
        turn in any::<prop::sample::Index>(),
        keep in 1..6_u32,
    ) {
        let tags: Vec<(String, u8)> = names.into_iter().zip(0..).collect();
        let mut other = tags.clone();
        other.reverse();
        let middle = turn.index(other.len());
        other.rotate_left(middle);
        let rules = crate::properties::rules_of(keep, &["*"], order);
        let (one, other) = (crate::properties::decided(&tags, &rules), crate::properties::decided(&other, &rules));
        prop_assert_eq!(&one, &other);
        // All of one run: what is not distinguished by names is in doubt, and named if it is not kept.
        let kept: BTreeSet<_> = one.report.targets.iter().map(|target| &target.artifact).collect();
        prop_assert!(kept.len() >= tags.len().min(keep as usize).min(1));
        prop_assert!(kept.len() <= 2 * keep as usize * 16);
    }
}
