//! Putting the rule in front that claims pins, where the policy says that prodpin may (`lifecycle: manage`).
//!
//! ECR has no way to say "only if it is still what I read". So the policy is read right before it is written, and once
//! more afterwards; what somebody writes between the first two is lost, which is a matter of milliseconds.

use prodpin_core::decide::forecast::ecr::Lifecycle;
use prodpin_core::model::{Cause, LifecycleChange, PinFailure, RepositoryName, Setting};

use super::Registry;
use super::failure::Failure;
use super::gate::PUT_LIFECYCLE;
use super::observe::lifecycle;
use super::wire::Call;

/// Puts the policy there, and says what is there then, as it was read back.
pub(super) async fn put(
    registry: &Registry,
    name: &RepositoryName,
    change: &LifecycleChange,
) -> Result<Box<str>, PinFailure> {
    let refuse = |cause, detail: String| Err(PinFailure { cause, detail: format!("{name}: {detail}") });
    match read(registry, name).await? {
        Setting::Text(text) if is_same(&text, &change.to) => return Ok(text),
        Setting::Text(text) if is_unchanged(&text, &change.from) => {}
        _ => {
            return refuse(
                Cause::Refused,
                "the lifecycle policy changed since it was read, and was left as it is; run again".to_owned(),
            );
        }
    }
    let call = Call::on(PUT_LIFECYCLE, name);
    let written = registry.wire.write_once(call, |client| {
        let request = client.put_lifecycle_policy().repository_name(name.as_str()).set_registry_id(registry.id());
        request.lifecycle_policy_text(&*change.to).send()
    });
    // What was answered proves nothing, good or bad: what is there does.
    let written = written.await;
    match read(registry, name).await? {
        Setting::Text(text) if is_same(&text, &change.to) => Ok(text),
        _ => match written {
            Err(failure) => Err(Failure::pin_failure(failure)),
            Ok(_) => refuse(
                Cause::Malformed,
                "PutLifecyclePolicy was accepted, and another policy is there; find out who else writes it".to_owned(),
            ),
        },
    }
}

async fn read(registry: &Registry, name: &RepositoryName) -> Result<Setting, PinFailure> {
    lifecycle(registry, name).await.map_err(Failure::pin_failure)
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
