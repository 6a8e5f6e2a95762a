//! An estate in which nearly everything that can be the matter is.

use prodpin::model::{ArtifactId, Cause, Code, Digest, Finding, Gap, Obstacle, Scope, Severity};
use prodpin::outcome::report::{PinReport, Reason, Row, TargetReport};

use super::{finding, manifest, service, target, time};

fn object(key: &str, version: &str) -> ArtifactId {
    ArtifactId::ObjectVersion { key: key.parse().unwrap(), version: version.into() }
}

pub(super) fn healthy(source: &str, name: &str, versions: &[&str]) -> Row {
    let targets = versions.iter().zip(1..).map(|(tag, rank)| target(rank, manifest(&format!("{name}{tag}")), tag));
    Row { repository: Some(service(source, name, targets.collect())), findings: vec![] }
}

fn short(id: &ArtifactId) -> String {
    format!("sha256:{}…", id.short())
}

/// Its previous releases are gone or broken, and one release tag was moved.
pub(super) fn checkout() -> Row {
    let [now, gone, broken, archived] =
        ["v4.1.0", "v4.0.3", "v4.0.2", "v4.0.1"].map(|tag| manifest(&format!("checkout{tag}")));
    let part = Digest::sha256(b"arm64");
    let targets = vec![
        target(1, now.clone(), "v4.1.0"),
        TargetReport {
            references: vec![],
            reasons: vec![Reason::ReleasedAs { tag: "v4.0.3".parse().unwrap() }],
            pin: PinReport::Absent,
            restorable: Some(false),
            protected: Some(false),
            obstacles: vec![Obstacle::Missing],
            ..target(2, gone.clone(), "v4.0.3")
        },
        TargetReport {
            pin: PinReport::Absent,
            restorable: Some(false),
            protected: Some(false),
            obstacles: vec![Obstacle::PartMissing { digest: part.clone(), part: None, more: None }, Obstacle::Unpinned],
            ..target(3, broken.clone(), "v4.0.2")
        },
        TargetReport {
            pin: PinReport::Failed,
            restorable: Some(false),
            protected: Some(false),
            obstacles: vec![Obstacle::Archived { class: "archived".into() }],
            ..target(4, archived, "v4.0.1")
        },
    ];
    let repository = service("shop", "shop/checkout", targets);
    let findings = vec![
        Finding {
            reference: Some("v4.0.3".into()),
            artifact: Some(gone.to_string()),
            first_seen: time("2026-11-20T22:00:00Z"),
            ledger_sequence: Some(31),
            ..finding(
                Severity::Critical,
                Code::TargetMissing,
                Some(&repository),
                &format!("{}, released as v4.0.3, does not exist any more", short(&gone)),
                "push the same bytes again from a replica or a backup, then run prodpin enforce so that it is pinned",
            )
        },
        finding(
            Severity::Critical,
            Code::TargetBroken,
            Some(&repository),
            &format!("v4.0.2 lacks the manifest {} of linux/arm64", short(&ArtifactId::Manifest(part))),
            "push the missing platform again by digest",
        ),
        finding(
            Severity::High,
            Code::RollbackDepthShort,
            Some(&repository),
            "0 of 4 earlier releases are restorable",
            "restore or push again at least one earlier release",
        ),
    ];
    Row { repository: Some(repository), findings }
}

/// Nothing could be read but its list of tags.
pub(super) fn ledger_service() -> Row {
    let targets = [("v9.0.0", 1), ("v8.4.1", 2)].map(|(tag, rank)| TargetReport {
        pin: PinReport::Absent,
        restorable: None,
        protected: None,
        obstacles: vec![Obstacle::Unproven {
            detail: "its manifest could not be read: 503 Service Unavailable".into(),
        }],
        ..target(rank, manifest(tag), tag)
    });
    let mut repository = service("payments", "payments/ledger", targets.to_vec());
    repository.complete = false;
    repository.gaps = vec![
        Gap::new(
            Scope::Artifact(manifest("v9.0.0")),
            Cause::Unreachable,
            "registry.example.com answered 503 five times; try again, or look at its status page",
        ),
        Gap::new(Scope::Tag("v8.4.1".parse().unwrap()), Cause::TimedOut, "no answer within 30 s"),
    ];
    let findings = vec![finding(
        Severity::High,
        Code::InventoryIncomplete,
        Some(&repository),
        "2 things in payments/ledger could not be read",
        "run prodpin again when registry.example.com answers",
    )];
    Row { repository: Some(repository), findings }
}

/// Ready; a release tag moved, and so did `latest`.
fn cart() -> Row {
    let tags = ["v2.1.0", "v2.0.9", "v2.0.8"];
    let mut targets: Vec<_> = tags.iter().zip(1..).map(|(tag, rank)| target(rank, manifest(tag), tag)).collect();
    targets.push(TargetReport {
        rank: None,
        references: vec!["v2.0.7".parse().unwrap()],
        reasons: vec![
            Reason::MovedIn { tag: "v2.0.7".parse().unwrap() },
            Reason::Running { via: "file in-use.json".into() },
        ],
        running: true,
        pin: PinReport::Created,
        ..target(4, manifest("moved in"), "v2.0.7")
    });
    let repository = service("shop", "shop/cart", targets);
    let moved = |severity, tag: &str| Finding {
        reference: Some(tag.to_owned()),
        artifact: Some(manifest("moved in").to_string()),
        previous: Some(manifest("v2.0.7").to_string()),
        ..finding(
            severity,
            Code::TagMoved,
            Some(&repository),
            &format!("{tag} moved from {} to {}", short(&manifest("v2.0.7")), short(&manifest("moved in"))),
            "find out who pushed it; deploy by digest, and release under a new tag",
        )
    };
    let findings =
        vec![moved(Severity::Medium, "latest"), moved(Severity::Critical, "v2.0.7"), moved(Severity::Info, "dev-1")];
    Row { repository: Some(repository), findings }
}

/// Objects in a bucket without Object Lock, one of them behind a delete marker, one reached by a lifecycle rule.
fn bundles() -> Row {
    let key = |version: &str| format!("web/{version}/bundle.zip");
    let target = |rank, version: &str, obstacles: Vec<Obstacle>| TargetReport {
        pin: PinReport::Unsupported,
        protected: Some(false),
        obstacles,
        ..target(rank, object(&key(version), "3sL4kqtJlcpXroDTDmJ"), &key(version))
    };
    let lifecycle =
        Obstacle::Lifecycle { rule: "expire-old".into(), effect: "expires it after 30 days".into(), due: None };
    let hidden = Obstacle::Hidden { marker: "Qm9ndXNNYXJrZXI".into() };
    let repository = service(
        "bundles",
        "web",
        vec![
            target(1, "2.2.0", vec![Obstacle::NoObjectLock]),
            target(2, "2.1.0", vec![Obstacle::NoObjectLock, lifecycle]),
            target(3, "2.0.0", vec![Obstacle::NoObjectLock, hidden]),
        ],
    );
    let findings = vec![finding(
        Severity::High,
        Code::LifecycleCollision,
        Some(&repository),
        "lifecycle rule expire-old expires web/2.1.0/bundle.zip after 30 days",
        "exclude objects tagged prod-pinned=true from the rule, or turn on Object Lock",
    )];
    Row { repository: Some(repository), findings }
}

/// Only one release is known.
fn newcomer() -> Row {
    let repository = service("shop", "shop/newcomer", vec![target(1, manifest("n1"), "v0.1.0")]);
    let findings = vec![finding(
        Severity::Medium,
        Code::RollbackDepthShort,
        Some(&repository),
        "no earlier release is known",
        "nothing, if it was released only once; else check the production rules of the policy",
    )];
    Row { repository: Some(repository), findings }
}

fn loose() -> Row {
    let mut bucket = finding(
        Severity::High,
        Code::ObjectLockOff,
        None,
        "bucket acme-deployments has no Object Lock, so nothing in it can be pinned",
        "turn on Object Lock for the bucket",
    );
    bucket.source = Some("bundles".parse().unwrap());
    let mut unmatched = finding(
        Severity::Low,
        Code::PolicyUnmatched,
        None,
        "pattern \"shop/legacy-*\" matches no repository",
        "remove it from the policy, or correct it",
    );
    unmatched.source = Some("shop".parse().unwrap());
    Row { repository: None, findings: vec![unmatched, bucket] }
}

/// What an enforce run on a troubled estate looks like.
pub(super) fn rich() -> Vec<Row> {
    vec![
        healthy("shop", "shop/api", &["v2.3.1", "v2.3.0", "v2.2.9", "v2.2.8", "v2.2.7"]),
        healthy("shop", "shop/search", &["v1.9.0", "v1.8.11"]),
        cart(),
        checkout(),
        bundles(),
        ledger_service(),
        newcomer(),
        loose(),
    ]
}

/// An audit before anything was pinned.
pub(super) fn planned() -> Vec<Row> {
    let mut row = healthy("shop", "shop/api", &["v2.3.1", "v2.3.0"]);
    let repository = row.repository.as_mut().unwrap();
    for target in &mut repository.targets {
        target.pin = PinReport::Planned;
        target.protected = Some(false);
        target.obstacles = vec![Obstacle::Unpinned];
    }
    repository.counts.pinned = 0;
    repository.counts.protected = 0;
    row.findings = vec![finding(
        Severity::High,
        Code::PinMissing,
        Some(repository),
        "2 of 2 rollback targets have no pin",
        "run prodpin enforce",
    )];
    vec![row]
}
