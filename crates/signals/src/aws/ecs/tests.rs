//! What ECS says of deployments, read without a server.

use std::collections::BTreeSet;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{
    Deployment, DeploymentRolloutState, Service, ServiceDeploymentBrief, ServiceDeploymentStatus,
};
use jiff::Timestamp;
use prodpin_core::model::{Tenure, Waiting};

use super::definitions::{family, number};
use super::services::{tenures, waiting};

fn deployment(revision: &str, minute: i64, status: ServiceDeploymentStatus) -> ServiceDeploymentBrief {
    ServiceDeploymentBrief::builder()
        .target_service_revision_arn(revision)
        .finished_at(DateTime::from_secs(minute * 60))
        .status(status)
        .build()
}

fn minute(minute: i64) -> Option<Timestamp> {
    Timestamp::new(minute * 60, 0).ok()
}

#[test]
fn a_revision_was_in_production_until_the_next_one_was_e132() {
    use ServiceDeploymentStatus::{InProgress, Successful};
    let newest_first =
        [deployment("d", 40, InProgress), deployment("c", 30, Successful), deployment("b", 20, Successful)];
    let reported = tenures(&newest_first, &BTreeSet::from(["c", "d"]));
    assert_eq!(reported["d"], Tenure::Now { since: minute(40) });
    assert_eq!(reported["c"], Tenure::Now { since: minute(30) });
    assert_eq!(reported["b"], Tenure::Before { last: minute(30) });
}

#[test]
fn a_rollback_makes_an_old_revision_current_again_e132() {
    use ServiceDeploymentStatus::Successful;
    let newest_first =
        [deployment("a", 30, Successful), deployment("b", 20, Successful), deployment("a", 10, Successful)];
    for current in [BTreeSet::from(["a"]), BTreeSet::new()] {
        let reported = tenures(&newest_first, &current);
        assert_eq!(reported["a"], Tenure::Now { since: minute(30) });
        assert_eq!(reported["b"], Tenure::Before { last: minute(30) });
    }
}

/// A deployment under a service: its definition, tasks that run and that failed, and how it goes.
type Part<'a> = (&'a str, i32, i32, Option<DeploymentRolloutState>);

#[test]
fn i31_f133_what_has_no_task_is_wanted_only_where_ecs_says_that_none_runs() {
    use DeploymentRolloutState::{Completed, Failed, InProgress};
    let starting = Some(Waiting::Starting);
    let zero = Some(Waiting::NoReplicas);
    type Case<'a> = (&'a str, i32, &'a [Part<'a>], [Option<Waiting>; 2]);
    let cases: &[Case<'_>] = &[
        ("it runs", 2, &[("new", 2, 0, Some(Completed))], [None, None]),
        ("both sides of a rollout", 2, &[("new", 1, 0, Some(InProgress)), ("old", 2, 0, Some(Completed))], [None; 2]),
        (
            "just begun: none failed yet",
            2,
            &[("new", 0, 0, Some(InProgress)), ("old", 2, 0, Some(Completed))],
            [None; 2],
        ),
        (
            "tasks do not come up",
            2,
            &[("new", 0, 3, Some(InProgress)), ("old", 2, 0, Some(Completed))],
            [starting, None],
        ),
        (
            "the circuit breaker ended it",
            2,
            &[("new", 0, 0, Some(Failed)), ("old", 2, 0, Some(InProgress))],
            [starting, None],
        ),
        ("some tasks failed, and one runs", 2, &[("new", 1, 3, Some(InProgress))], [None, None]),
        (
            "the same definition again, and that one runs",
            2,
            &[("new", 0, 3, Some(Failed)), ("new", 2, 0, Some(Completed))],
            [None; 2],
        ),
        ("scaled to nothing", 0, &[("new", 0, 0, Some(Completed))], [zero, zero]),
        ("who does not tell how it goes may not tell counts", 0, &[("new", 0, 0, None)], [None, None]),
        ("CodeDeploy tells nothing here", 2, &[], [None, None]),
    ];
    for (what, desired, parts, expected) in cases {
        let part = |(definition, running, failed, state): &Part<'_>| {
            let made = Deployment::builder().task_definition(*definition).running_count(*running);
            made.failed_tasks(*failed).set_rollout_state(state.clone()).build()
        };
        let running = parts.iter().map(|part| part.1).sum();
        let service = Service::builder().desired_count(*desired).running_count(running);
        let service = service.set_deployments(Some(parts.iter().map(part).collect())).build();
        assert_eq!(["new", "old"].map(|definition| waiting(&service, definition)), *expected, "{what}");
    }
}

#[test]
fn what_is_current_runs_though_no_deployment_is_left_of_it() {
    assert_eq!(tenures(&[], &BTreeSet::from(["a"]))["a"], Tenure::Now { since: None });
}

#[test]
fn task_definitions_have_a_family_and_a_number() {
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop-api:42";
    assert_eq!((family(arn), number(arn)), ("shop-api", Some(42)));
    assert_eq!((family("shop-api"), number("shop-api")), ("shop-api", None));
}
