//! What the policy requires rollback targets to survive, beyond what protected means (`require`), and what falls short.

use crate::model::{Answer, Code, Finding, Loss, PinTerms, Retention, Severity, Survival};
use crate::outcome::report::{RepositoryReport, TargetReport};

use super::commands::{self, PIN_PATTERN};
use super::draft::{Draft, name_of};
use super::place::Place;

/// One finding for each loss that is required to be survived and is not, whatever the number of targets. Unknown falls
/// short too. Where there is a vault, what it does not hold is reported by itself, once the run has looked.
pub(super) fn findings(draft: Draft<'_>, terms: PinTerms, report: &RepositoryReport) -> Vec<Finding> {
    let judged = terms.require.iter().filter(|loss| !(terms.has_vault && *loss == Loss::LossOfRegistry));
    judged.filter_map(|loss| finding(draft, loss, report)).collect()
}

fn finding(draft: Draft<'_>, loss: Loss, report: &RepositoryReport) -> Option<Finding> {
    let all = report.targets.iter().filter_map(|target| Some((target, target.survives.as_ref()?.of(loss))));
    let (short, unknown): (Vec<Short<'_>>, Vec<Short<'_>>) = all
        .filter(|(_, survival)| survival.answer != Answer::Yes)
        .partition(|(_, survival)| survival.answer == Answer::No);
    let count = report.targets.len();
    let reported =
        [reported(&short, count, "not survived by"), reported(&unknown, count, "not known to be survived by")];
    let reported: Vec<String> = reported.into_iter().flatten().collect();
    if reported.is_empty() {
        return None;
    }
    let message = format!("the policy requires {loss}: it is {}", reported.join("; and "));
    let finding =
        draft.finding(Code::RequirementUnmet, Severity::Medium, message, remedy(loss, draft.place(), || locked(draft)));
    Some(finding.naming(loss.as_str()))
}

type Short<'t> = (&'t TargetReport, &'t Survival);

/// `not survived by 2 of 5 rollback targets, v1.0 first: why`.
fn reported(short: &[Short<'_>], of: usize, what: &str) -> Option<String> {
    let (first, survival) = short.first()?;
    Some(format!("{what} {} of {of} rollback targets, {} first: {}", short.len(), name_of(first), survival.why))
}

/// In a bucket legal holds are pins, and nothing is there without a key. What keeps an image from being deleted by its digest is
/// each registry's own.
fn remedy(loss: Loss, place: Place, locked: impl Fn() -> String) -> String {
    let remedy = match loss {
        Loss::TagCleanup | Loss::UntaggedCleanup if place.is_bucket() => {
            "enable versioning and Object Lock on the bucket, and run `prodpin enforce`, which places a legal hold on each target"
        }
        Loss::TagCleanup => "run `prodpin enforce`, so that each target has a pin",
        Loss::UntaggedCleanup => {
            "run `prodpin enforce`, and keep cleanups of untagged manifests from this repository where images below an \
             index have no tag of their own"
        }
        Loss::LifecycleRules if place.is_bucket() => {
            "narrow the rule's filter so that it spares releases; `prodpin forecast` shows which rule reaches what, and when"
        }
        Loss::LifecycleRules => {
            "exempt tags prod-pinned-* from the rule; `prodpin forecast` shows which rule reaches what, and when"
        }
        Loss::DeletionByDigest => return format!("{}; or take deletion-by-digest out of `require`", locked()),
        Loss::LossOfRegistry => {
            return format!(
                "keep a copy of each release outside this {}, by `vault:` in the policy; or take loss-of-registry out of \
                 `require`",
                place.noun()
            );
        }
    };
    remedy.to_owned()
}

/// What refuses a deletion by digest, by what the place has for that.
fn locked(draft: Draft<'_>) -> String {
    match draft.retention() {
        Retention::Harbor(_) => {
            format!(
                "add the immutability rule for `{PIN_PATTERN}` that `{}` prints",
                commands::recommend(draft.repository())
            )
        }
        Retention::Acr(_) => "run `prodpin enforce`: it locks each target with the manifests below it".to_owned(),
        Retention::Bucket(_) => {
            "turn on Object Lock for the bucket and run `prodpin enforce`: it places legal holds".to_owned()
        }
        _ => format!(
            "keep releases where a lock holds them: legal holds in a bucket with Object Lock, an immutability rule for \
             `{PIN_PATTERN}` in Harbor (`harbor:`) or Docker Hub (`dockerhub:`), or the locks of Azure (`acr:`)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_of_the_place_that_the_target_is_in() {
        let registries = [Loss::TagCleanup, Loss::UntaggedCleanup, Loss::LifecycleRules, Loss::LossOfRegistry];
        for loss in registries {
            let registry = remedy(loss, Place::Registry, String::new);
            assert!(!registry.contains("bucket") && !registry.contains("Object Lock"), "{loss}: {registry}");
            let bucket = remedy(loss, Place::Bucket, String::new);
            assert!(!bucket.contains("prod-pinned") && !bucket.contains("manifest"), "{loss}: {bucket}");
        }
        let outside = |place| remedy(Loss::LossOfRegistry, place, String::new);
        assert!(outside(Place::Bucket).contains("outside this bucket"));
        assert!(outside(Place::ChartServer).contains("outside this chart repository"));
    }
}
