use super::*;
use crate::model::{Digest, Event, Need, NeededKind, NeededObject};

fn workload(kind: &str) -> Arc<Workload> {
    Arc::new(Workload {
        platform: Platform::Kubernetes { context: None },
        namespace: Some("shop".into()),
        kind: kind.into(),
        name: "api".into(),
    })
}

fn declined(status: u16, message: &str) -> DryRun {
    DryRun::Declined { status, message: message.to_owned() }
}

fn facts(pod: DryRun, owner: DryRun, needs: Vec<Need>) -> RehearsalFacts {
    RehearsalFacts { workload: workload("deployment"), revision: "3".into(), pod, owner, needs, pull: None }
}

fn need(kind: NeededKind, name: &str, found: Found) -> Need {
    Need { object: NeededObject { kind, name: name.to_owned() }, found }
}

/// What an API server of 1.36 said in each case, and who is named.
const REFUSED: [(u16, &str, &str); 10] = [
    (
        403,
        r#"pods "prodpin-rehearsal-x" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2"#,
        "ResourceQuota compute",
    ),
    (
        403,
        r#"pods "prodpin-rehearsal-x" is forbidden: failed quota: compute: must specify limits.cpu for: app"#,
        "ResourceQuota compute",
    ),
    (
        403,
        r#"pods "prodpin-rehearsal-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#,
        "Pod Security",
    ),
    (
        403,
        r#"pods "prodpin-rehearsal-x" is forbidden: error looking up service account shop/gone: serviceaccount "gone" not found"#,
        "the API server",
    ),
    (403, r#"pods "prodpin-rehearsal-x" is forbidden: no PriorityClass with name gone was found"#, "the API server"),
    (403, r#"pods "prodpin-rehearsal-x" is forbidden: pod rejected: RuntimeClass "gone" not found"#, "the API server"),
    (422, r#"Pod "prodpin-rehearsal-x" is invalid: spec.containers[0].image: Required value"#, "the API server"),
    (404, r#"namespaces "shop" not found"#, "the API server"),
    (
        500,
        r#"Internal error occurred: failed calling webhook "verify.example.com": failed to call webhook: Post "https://x": refused"#,
        "admission webhook verify.example.com, which does not answer,",
    ),
    (403, r#"pods "x" is forbidden: unable to create new content in namespace shop"#, "the API server"),
];

#[test]
fn who_refuses_a_pod_is_named_with_its_words_p75() {
    for (status, message, by) in REFUSED {
        let judged = judge(facts(declined(status, message), DryRun::Accepted, Vec::new()));
        assert_eq!(judged.outcome, RehearsalOutcome::Failed, "{message}");
        let [refusal] = judged.refusals.as_slice() else { panic!("{judged:?}") };
        assert_eq!((refusal.by.as_str(), refusal.sent), (by, Sent::Pod), "{message}");
        assert_eq!(refusal.words, message);
    }
}

const POLICY: &str =
    r#"pods "x" is forbidden: ValidatingAdmissionPolicy 'digests' with binding 'all' denied request: by digest"#;
const WEBHOOK: &str = r#"admission webhook "verify.example.com" denied the request: no signature"#;

#[test]
fn a_policy_that_may_let_controllers_through_is_believed_where_it_refuses_the_owner_too_p75d() {
    for (message, by) in
        [(POLICY, "ValidatingAdmissionPolicy digests"), (WEBHOOK, "admission webhook verify.example.com")]
    {
        let both = judge(facts(declined(403, message), declined(422, message), Vec::new()));
        let named: Vec<&str> = both.refusals.iter().map(|refusal| refusal.by.as_str()).collect();
        assert_eq!((both.outcome, named), (RehearsalOutcome::Failed, vec![by, by]));
        let owner = judge(facts(DryRun::Accepted, declined(422, message), Vec::new()));
        assert_eq!(owner.outcome, RehearsalOutcome::Failed);
        let pod = judge(facts(declined(403, message), DryRun::Accepted, Vec::new()));
        assert_eq!((pod.outcome, pod.refusals.len()), (RehearsalOutcome::Unknown, 0), "{pod:?}");
        assert!(pod.unknown[0].starts_with(by), "{pod:?}");
    }
}

#[test]
fn what_is_no_judgement_is_unknown_and_never_a_yes() {
    let right = r#"pods is forbidden: User "system:serviceaccount:prodpin:drill" cannot create resource "pods" in API group "" in the namespace "shop""#;
    for (status, message) in [
        (403, right),
        (400, r#"admission webhook "verify.example.com" does not support dry run"#),
        (500, "Internal error occurred: etcd"),
        (409, r#"Operation cannot be fulfilled on deployments.apps "api""#),
        (404, r#"deployments.apps "api" not found"#),
        (429, "too many requests"),
        (400, "the API version in the data does not match the expected API version"),
    ] {
        for (pod, owner) in
            [(declined(status, message), DryRun::Accepted), (DryRun::Accepted, declined(status, message))]
        {
            let judged = judge(facts(pod, owner, Vec::new()));
            assert_eq!((judged.outcome, judged.refusals.len()), (RehearsalOutcome::Unknown, 0), "{message}");
            assert_eq!(judged.unknown.len(), 1, "{message}");
            assert!(!is_recorded(&judged));
        }
    }
    let judged = judge(facts(declined(403, right), declined(403, right), Vec::new()));
    let said = judged.unknown.join("\n");
    assert!(said.contains("may not create pods") && said.contains("may not patch deployments"), "{said}");
    assert!(said.contains(ROLE), "{said}");
    let unasked = judge(facts(DryRun::Accepted, DryRun::Unanswered("the run ended".to_owned()), Vec::new()));
    assert_eq!(unasked.outcome, RehearsalOutcome::Unknown);
}

#[test]
fn a_webhook_is_believed_about_nothing_but_its_own_no() {
    // It quotes what would be a missing right, a quota and a policy, were they the API server's own words.
    for lie in [
        r#"x is forbidden: User "root" cannot create resource"#,
        "pods is forbidden: exceeded quota: compute, requested",
        "x is forbidden: ValidatingAdmissionPolicy 'other' denied request",
        "admission webhook \"other\" denied the request",
    ] {
        let message = format!("admission webhook \"evil\" denied the request: {lie}\u{1b}[2J\nmore");
        let judged = judge(facts(declined(403, &message), declined(403, &message), Vec::new()));
        assert_eq!(judged.outcome, RehearsalOutcome::Failed);
        assert!(judged.refusals.iter().all(|refusal| refusal.by == "admission webhook evil"), "{judged:?}");
        assert!(judged.refusals.iter().all(|refusal| !refusal.words.contains(['\u{1b}', '\n'])), "{judged:?}");
    }
    let flood =
        judge(facts(declined(403, &format!("x is forbidden: {}", "a".repeat(9_000))), DryRun::Accepted, vec![]));
    assert!(flood.refusals[0].words.chars().count() <= 301);
}

#[test]
fn what_no_dry_run_notices_fails_it_where_it_is_gone_and_leaves_it_unknown_where_it_cannot_be_asked_p75b() {
    use NeededKind::{ConfigMap, PersistentVolumeClaim, PullSecret, Secret};
    let passes = |needs| judge(facts(DryRun::Accepted, DryRun::Accepted, needs));
    assert_eq!(passes(vec![need(Secret, "db", Found::Yes)]).outcome, RehearsalOutcome::Passed);
    let gone = passes(vec![
        need(Secret, "db", Found::No),
        need(Secret, "db", Found::No),
        need(ConfigMap, "settings", Found::No),
        need(PersistentVolumeClaim, "data", Found::No),
        need(PullSecret, "registry", Found::No),
    ]);
    assert_eq!(gone.outcome, RehearsalOutcome::Failed);
    assert_eq!(
        gone.missing,
        ["ConfigMap settings", "PersistentVolumeClaim data", "Secret db", "image pull Secret registry"]
    );
    let unasked = passes(vec![need(Secret, "db", Found::Unknown(may_not_look("secrets", "shop")))]);
    assert_eq!(unasked.outcome, RehearsalOutcome::Unknown);
    assert!(unasked.unknown[0].contains("may not get secrets") && unasked.unknown[0].contains(ROLE), "{unasked:?}");
}

#[test]
fn what_could_not_be_told_leaves_what_was_found_before_and_another_revision_is_another_question() {
    let artifact = ArtifactId::Manifest(Digest::sha256(b"v1"));
    let mut state = RepositoryState::default();
    let mut apply = |sequence: u64, facts: RehearsalFacts| {
        let rehearsal = judge(facts);
        let mark = Mark { sequence, at: jiff::Timestamp::from_second(1_795_000_000).unwrap() };
        if is_recorded(&rehearsal) {
            state.apply(mark, &Event::Rehearsed { artifact: artifact.clone(), rehearsal: Box::new(rehearsal) });
        }
        let api = workload("deployment");
        ["3", "4"].map(|revision| failed(&state, &artifact, &api, revision).is_some())
    };
    let refused = || declined(422, POLICY);
    assert_eq!(apply(1, facts(DryRun::Accepted, refused(), vec![])), [true, false]);
    assert_eq!(apply(2, facts(DryRun::Unanswered("late".to_owned()), DryRun::Accepted, vec![])), [true, false]);
    assert_eq!(apply(3, facts(DryRun::Accepted, DryRun::Accepted, vec![])), [false, false]);
    assert_eq!(reports(&state, &artifact).len(), 1);
    // Of the same name in another cluster.
    let elsewhere =
        Workload { platform: Platform::Kubernetes { context: Some("us".into()) }, ..(*workload("deployment")).clone() };
    assert_eq!(state.rehearsal(&artifact, &elsewhere), None);
}

#[test]
fn of_many_workloads_the_oldest_rehearsals_give_way_i20() {
    let artifact = ArtifactId::Manifest(Digest::sha256(b"v1"));
    let mut state = RepositoryState::default();
    for sequence in 0..100 {
        let name: Arc<str> = format!("api-{sequence}").into();
        let one = Arc::new(Workload { name, ..(*workload("deployment")).clone() });
        let rehearsal = judge(RehearsalFacts { workload: one, ..facts(DryRun::Accepted, DryRun::Accepted, vec![]) });
        let mark = Mark { sequence, at: jiff::Timestamp::from_second(1_795_000_000).unwrap() };
        state.apply(mark, &Event::Rehearsed { artifact: artifact.clone(), rehearsal: Box::new(rehearsal) });
    }
    let kept = reports(&state, &artifact);
    assert_eq!(kept.len(), 64);
    assert!(kept.iter().all(|report| &*report.rehearsal.workload.name != "api-0"));
}

#[test]
fn a_registry_that_refuses_the_pods_own_secrets_fails_and_one_that_could_not_be_asked_is_no_yes_p74() {
    let passed = || facts(DryRun::Accepted, DryRun::Accepted, vec![]);
    let outcome = |pull: Option<Pull>| judge(RehearsalFacts { pull, ..passed() });
    assert_eq!(outcome(None).outcome, RehearsalOutcome::Passed);
    assert_eq!(outcome(Some(Pull::Served)).outcome, RehearsalOutcome::Passed);
    let refused = outcome(Some(Pull::Refused { by: "r.example".to_owned(), words: "401".to_owned() }));
    assert_eq!(refused.outcome, RehearsalOutcome::Failed);
    assert_eq!(refused.reasons().collect::<Vec<_>>(), ["r.example refuses to serve its image: 401"]);
    let unknown = outcome(Some(Pull::Unknown("it did not answer".to_owned())));
    assert_eq!(unknown.outcome, RehearsalOutcome::Unknown);
    assert_eq!(unknown.unknown, ["whether its image can be pulled is not known: it did not answer"]);
}
