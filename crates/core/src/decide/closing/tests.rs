//! How runs end, case by case.

use super::*;
use crate::decide::Rules;
use crate::model::{FindingKey, Mark, NamePatterns, ProductionRule, Waived};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Everything that a run may owe to the world, to be set by cases.
#[derive(Default)]
struct World {
    gaps: Vec<Gap>,
    uncovered: Vec<String>,
    elsewhere: BTreeMap<String, BTreeSet<String>>,
    uses: Uses,
    open: OpenFindings,
    waivers: Vec<Waiver>,
    unmatched: Vec<String>,
    source_gaps: Vec<Gap>,
}

fn shop() -> SourceName {
    "shop".parse().unwrap()
}

fn gap() -> Gap {
    Gap::new(Scope::Source, Cause::Unreachable, "no answer")
}

fn counts(repositories: u64, tags: u64) -> Counts {
    Counts { repositories, tags, artifacts: tags, targets: tags, ..Counts::default() }
}

fn end(world: &World, change: impl FnOnce(&mut RunFacts<'_>)) -> Closing {
    let name = shop();
    let source = SourceFacts {
        name: &name,
        counts: counts(2, 10),
        seen: Digest::sha256(b"seen"),
        gaps: &world.source_gaps,
        incomplete: false,
        unmatched: &world.unmatched,
        cleanup: None,
        is_bucket: false,
        withheld: false,
    };
    let mut facts = RunFacts {
        started: NOW,
        now: NOW,
        about_all: true,
        opened_all: true,
        found: Vec::new(),
        production: ProductionFacts {
            gaps: &world.gaps,
            uncovered: &world.uncovered,
            elsewhere: &world.elsewhere,
            findings: &[],
        },
        sources: vec![source],
        uses: &world.uses,
        ledger: LedgerFacts { location: "file:///ledger".to_owned(), ..LedgerFacts::default() },
        waivers: &world.waivers,
        waivers_used: BTreeSet::new(),
        open: &world.open,
    };
    change(&mut facts);
    closing(facts)
}

fn reported(closing: &Closing) -> Vec<(Code, Severity, Option<&str>)> {
    closing.findings.iter().map(|finding| (finding.code, finding.severity, finding.reference.as_deref())).collect()
}

fn waiver(code: Code, expires: &str) -> Waiver {
    let waived = Waived { reason: "known".into(), owner: "shop team".into(), expires: expires.parse().unwrap() };
    Waiver { code, source: None, repositories: None, references: None, waived }
}

/// A production rule that nothing matched.
fn idle_uses() -> Uses {
    let patterns = NamePatterns::new(["v*"]).unwrap();
    let production = vec![ProductionRule::MovingTag("prod".parse().unwrap())];
    Uses::from_rules(&Rules { keep: 5, production, may_move: patterns }, &[])
}

/// An open condition, and how the run's findings bear on it.
fn opened(finding: &Finding) -> OpenFindings {
    let mut open = OpenFindings::default();
    let mark = Mark { sequence: 7, at: "1969-12-31T00:00:00Z".parse().unwrap() };
    open.apply(mark, &Event::FindingOpened(FindingKey::from_finding(finding)));
    open
}

fn clock() -> Finding {
    Finding::new(Code::ClockSkew, Severity::Medium, "behind", "correct it", NOW)
}

#[test]
fn only_a_whole_run_about_everything_says_what_matched_nothing_f73() {
    let world = World { unmatched: vec!["x*".into()], uses: idle_uses(), ..World::default() };
    let policy = [Code::PolicyUnmatched; 3];
    type Change = fn(&mut RunFacts<'_>);
    let cases: [(&str, Change, &[Code], bool); 6] = [
        ("whole", |_| {}, &policy, true),
        ("about a part", |facts| facts.about_all = false, &[], true),
        ("a repository was not read whole", |facts| facts.sources[0].incomplete = true, &[], false),
        // The entries of a source are its own affair; those of the policy may match in what was not opened.
        ("a source was not opened", |facts| facts.opened_all = false, &policy, true),
        (
            "the anchor is out of reach",
            |facts| facts.ledger.unanchored = Some("no answer".into()),
            &[Code::PolicyUnmatched, Code::PolicyUnmatched, Code::PolicyUnmatched, Code::InventoryIncomplete],
            false,
        ),
        ("its history is missing", |facts| facts.sources[0].withheld = true, &policy, true),
    ];
    for (case, change, expected, complete) in cases {
        let closing = end(&world, change);
        let codes: Vec<Code> = closing.findings.iter().map(|finding| finding.code).collect();
        assert_eq!((codes.as_slice(), closing.complete), (expected, complete), "{case}");
    }
    let signals = World { gaps: vec![gap()], unmatched: vec!["x*".into()], uses: idle_uses(), ..World::default() };
    let closing = end(&signals, |_| {});
    let expected =
        [(Code::InventoryIncomplete, Severity::Medium, None), (Code::PolicyUnmatched, Severity::Medium, Some("x*"))];
    assert_eq!(
        reported(&closing),
        expected,
        "a signal was not read: the source's own entries are told, the policy's not"
    );
    assert!(!closing.complete);
}

#[test]
fn a_source_with_nothing_in_it_is_worse_than_one_entry_too_many() {
    let world = World { unmatched: vec!["x*".into()], ..World::default() };
    for (held, expected) in [
        (counts(2, 10), vec![(Code::PolicyUnmatched, Severity::Medium, Some("x*"))]),
        (counts(0, 0), vec![(Code::PolicyUnmatched, Severity::High, Some("x*"))]),
        (
            counts(2, 0),
            vec![
                (Code::PolicyUnmatched, Severity::Medium, Some("x*")),
                (Code::PolicyUnmatched, Severity::High, Some("source shop")),
            ],
        ),
    ] {
        assert_eq!(reported(&end(&world, |facts| facts.sources[0].counts = held)), expected, "{held:?}");
    }
}

#[test]
fn what_runs_elsewhere_is_told_unless_a_source_that_was_not_opened_may_cover_it() {
    let elsewhere = BTreeMap::from([("r.example".to_owned(), BTreeSet::from(["a/b".to_owned()]))]);
    let world = World { uncovered: vec!["entry".into()], elsewhere, source_gaps: vec![gap()], ..World::default() };
    for (about_all, opened_all, expected) in
        [(true, true, vec![Some("entry"), Some("r.example")]), (true, false, vec![]), (false, true, vec![])]
    {
        let closing = end(&world, |facts| (facts.about_all, facts.opened_all) = (about_all, opened_all));
        let named: Vec<Option<&str>> = reported(&closing)
            .into_iter()
            .filter(|(code, ..)| *code == Code::PolicyUnmatched)
            .map(|(.., name)| name)
            .collect();
        assert_eq!(named, expected, "{about_all} {opened_all}");
        assert!(!closing.complete, "a gap of a source is one of the run");
    }
}

#[test]
fn waivers_cover_the_run_s_own_findings_and_none_about_waivers() {
    let waivers = vec![
        waiver(Code::LedgerKeyReplaced, "2027-01-01"),
        waiver(Code::WaiverExpired, "2027-01-01"),
        waiver(Code::PolicyUnmatched, "2027-01-01"),
        waiver(Code::TagMoved, "2027-01-01"),
        waiver(Code::PinMissing, "1969-01-01"),
    ];
    let world = World { waivers, ..World::default() };
    let reported = |closing: &Closing| -> Vec<(Code, bool)> {
        closing.findings.iter().map(|finding| (finding.code, finding.waived.is_some())).collect()
    };
    let used_in_a_repository = BTreeSet::from([3]);
    let closing = end(&world, |facts| {
        facts.ledger.lost_key = Some("given up".to_owned());
        facts.waivers_used = used_in_a_repository.clone();
    });
    let idle = (Code::PolicyUnmatched, false);
    let expected = [(Code::LedgerKeyReplaced, true), (Code::WaiverExpired, false), idle, idle];
    assert_eq!(reported(&closing), expected, "two waivers hold and cover nothing; one has run out");
    let part = end(&world, |facts| {
        facts.ledger.lost_key = Some("given up".to_owned());
        facts.about_all = false;
    });
    assert_eq!(reported(&part), expected[..2], "what a part does not show may be elsewhere");
}

#[test]
fn conditions_are_dated_opened_and_resolved_and_events_are_not_i4() {
    let open = opened(&clock());
    let world = World { open, ..World::default() };
    let changed = Finding::at_large(Code::SettingsChanged, Severity::High, Some(&shop()), "changed", "look", NOW);
    let closing = end(&world, |facts| facts.found = vec![changed.clone(), clock()]);
    assert_eq!(closing.happened, std::slice::from_ref(&changed));
    assert_eq!(reported(&closing)[0].0, Code::ClockSkew, "conditions first");
    assert_eq!(closing.findings[0].ledger_sequence, Some(7), "dated from when it was opened");
    assert_eq!(closing.findings[1], changed, "an event has its own date");
    let records = |closing: &Closing| closing.events.iter().filter(|event| matches!(event, Event::Source(_))).count();
    assert_eq!((records(&closing), closing.events.len()), (1, 1), "open already, and nothing to resolve");
    for (case, about_all, gaps, resolved) in
        [("whole", true, vec![], true), ("a part", false, vec![], false), ("a gap", true, vec![gap()], false)]
    {
        let world = World { open: opened(&clock()), gaps, ..World::default() };
        let closing = end(&world, |facts| facts.about_all = about_all);
        let is_resolved = closing.events.iter().any(|event| matches!(event, Event::FindingResolved(_)));
        assert_eq!(is_resolved, resolved, "{case}");
    }
    let unanchored = end(&world, |facts| facts.ledger.unanchored = Some("no answer".to_owned()));
    assert!(unanchored.events.iter().any(|event| matches!(event, Event::FindingResolved(_))));
    assert!(!unanchored.complete, "and yet what was looked at is settled");
}

#[test]
fn a_source_s_record_says_whether_all_of_it_was_seen_and_counts_i24() {
    for (case, incomplete, withheld, expected) in [
        ("whole", false, false, true),
        ("a repository was not read whole", true, false, false),
        ("its history is missing", false, true, false),
    ] {
        let closing = end(&World::default(), |facts| {
            facts.sources[0].incomplete = incomplete;
            facts.sources[0].withheld = withheld;
        });
        let Some(Event::Source(record)) = closing.events.first() else { panic!("{case}: {:?}", closing.events) };
        assert_eq!((record.complete, record.counts), (expected, counts(2, 10)), "{case}");
        assert_eq!(closing.counts, counts(2, 10));
    }
}

#[test]
fn what_is_wrong_with_the_ledger_is_told_beside_everything_else_i23_i24() {
    let closing = end(&World::default(), |facts| {
        facts.ledger = LedgerFacts {
            location: "file:///ledger".to_owned(),
            unanchored: Some("no answer".to_owned()),
            lost_key: Some("given up".to_owned()),
            distrusted: Some("a view".to_owned()),
            strays: Some("a file".to_owned()),
        };
    });
    let expected = [
        (Code::InventoryIncomplete, Severity::Medium, None),
        (Code::LedgerKeyReplaced, Severity::Medium, None),
        (Code::LedgerStateDamaged, Severity::High, None),
        (Code::LedgerForeignFiles, Severity::Medium, None),
    ];
    assert_eq!(reported(&closing), expected);
    assert_eq!(closing.findings[3].message, "ledger file:///ledger: a file; not commits of this ledger, ignored");
}
