//! What the policy requires rollback targets to survive, beyond what protected means (`require`), and what falls short.

use crate::model::{Answer, Code, Finding, Loss, PinTerms, Retention, Severity, Survival};
use crate::outcome::report::{RepositoryReport, TargetReport};

use super::commands::{self, PIN_PATTERN};
use super::draft::{Draft, name_of};

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
    let finding = draft.finding(Code::RequirementUnmet, Severity::Medium, message, remedy(draft, loss));
    Some(finding.naming(loss.as_str()))
}

type Short<'t> = (&'t TargetReport, &'t Survival);

/// `not survived by 2 of 5 rollback targets, v1.0 first: why`.
fn reported(short: &[Short<'_>], of: usize, what: &str) -> Option<String> {
    let (first, survival) = short.first()?;
    Some(format!("{what} {} of {of} rollback targets, {} first: {}", short.len(), name_of(first), survival.why))
}

fn remedy(draft: Draft<'_>, loss: Loss) -> String {
    let remedy = match loss {
        Loss::TagCleanup => "run `prodpin enforce`, so that each target has a pin",
        Loss::UntaggedCleanup => {
            "run `prodpin enforce`, and keep cleanups of untagged manifests from this repository where images below an \
             index have no tag of their own"
        }
        Loss::LifecycleRules => {
            "exempt tags prod-pinned-* from the rule; `prodpin forecast` shows which rule reaches what, and when"
        }
        Loss::DeletionByDigest => return format!("{}; or take deletion-by-digest out of `require`", locked(draft)),
        Loss::LossOfRegistry => {
            "keep a copy of each release outside this registry, by `vault:` in the policy; or take loss-of-registry out of \
             `require`"
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
