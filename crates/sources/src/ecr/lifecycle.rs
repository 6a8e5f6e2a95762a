//! Putting the rule in front that claims pins, where the policy says that prodpin may (`lifecycle: manage`).
//!
//! ECR has no way to say "only if it is still what I read". So the policy is read right before it is written, and once
//! more afterwards; what somebody writes between the first two is lost, which is a matter of milliseconds.

use std::time::Duration;

use prodpin_core::decide::lifecycle::ecr::{Lifecycle, only_claims};
use prodpin_core::model::{Cause, LifecycleChange, PinFailure, RepositoryName, Setting, Unclaimed};

use super::Registry;
use super::failure::EcrFailure;
use super::gate::PUT_LIFECYCLE;
use super::observe::lifecycle;
use super::transport::Call;

/// What was throttled was not done: it is tried again so often, each time after another look.
const WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Puts the policy there, and says what is there then, as it was read back.
pub(super) async fn put(
    registry: &Registry,
    name: &RepositoryName,
    change: &LifecycleChange,
) -> Result<Box<str>, Unclaimed> {
    let mut waits = WAITS.iter();
    loop {
        let before = may_write(name, change, read(registry, name).await?)?;
        if let Some(there) = before {
            return Ok(there);
        }
        let call = Call::on(PUT_LIFECYCLE, name);
        let written = registry.transport.write_once(call, |client| {
            let request = client.put_lifecycle_policy().repository_name(name.as_str()).set_registry_id(registry.id());
            request.lifecycle_policy_text(&*change.to).send()
        });
        // What was answered proves nothing, good or bad: what is there does.
        let written = written.await;
        let live = read(registry, name).await?;
        match (&live, written) {
            (Setting::Text(text), _) if is_same(text, &change.to) => return Ok(text.clone()),
            (_, Err(failure)) => match waits.next() {
                Some(wait) if failure.cause == Cause::Throttled => tokio::time::sleep(*wait).await,
                _ => return Err(Unclaimed { failure: failure.pin_failure(), live }),
            },
            (_, Ok(_)) => {
                let what = match &live {
                    Setting::Text(text) if is_unchanged(text, &change.from) => "the policy from before is there still",
                    _ => "another policy is there; find out who else writes it",
                };
                return refuse(name, Cause::Refused, format!("PutLifecyclePolicy was accepted, and {what}"), live);
            }
        }
    }
}

/// Whether it may be written over what is there, and nothing is lost by it. What is there already needs no writing.
fn may_write(name: &RepositoryName, change: &LifecycleChange, live: Setting) -> Result<Option<Box<str>>, Unclaimed> {
    let why = match &live {
        Setting::Text(text) if is_same(text, &change.to) => return Ok(Some(text.clone())),
        Setting::Text(text) if is_unchanged(text, &change.from) => match only_claims(text, &change.to) {
            Ok(()) => return Ok(None),
            Err(why) => why,
        },
        _ => "the lifecycle policy changed since it was read, and was left as it is; run again".to_owned(),
    };
    refuse(name, Cause::Refused, why, live)
}

fn refuse<T>(name: &RepositoryName, cause: Cause, detail: String, live: Setting) -> Result<T, Unclaimed> {
    Err(Unclaimed { failure: PinFailure { cause, detail: format!("{name}: {detail}") }, live })
}

async fn read(registry: &Registry, name: &RepositoryName) -> Result<Setting, Unclaimed> {
    let unread = |failure| Unclaimed { failure: EcrFailure::pin_failure(failure), live: Setting::Unknown };
    lifecycle(registry, name).await.map_err(unread)
}

/// Whether two texts are one policy: the service may write it otherwise than it was sent.
fn is_same(one: &str, other: &str) -> bool {
    one == other
        || matches!((Lifecycle::parse(one), Lifecycle::parse(other)), (Ok(one), Ok(other)) if one.rules() == other.rules())
}

/// Whether nobody wrote the policy since: what only a person reads in it, a description, is theirs as well, and would be
/// lost with what is written over it.
fn is_unchanged(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|document| Some(document) == read(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_rules_written_otherwise_are_the_same_policy() {
        let rule = |keep: u32| {
            format!(
                r#"{{"rulePriority": 1, "selection": {{"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": {keep}}}, "action": {{"type": "expire"}}}}"#
            )
        };
        let spread = format!("{{ \"rules\" :\n [ {} ] }}", rule(5));
        assert!(is_same(&format!(r#"{{"rules": [{}]}}"#, rule(5)), &spread));
        assert!(!is_same(&format!(r#"{{"rules": [{}]}}"#, rule(6)), &spread));
        assert!(!is_same("{", "{ "));
    }
}
