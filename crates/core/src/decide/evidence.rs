//! What a person should know about the evidence itself: parts that are gone or damaged, attestations that are gone, answers
//! that cannot all be true. What proves what is in `model::evidence` (I25).

use crate::model::{
    ArtifactId, Cause, Code, Digest, Finding, Gap, Inspection, ObservedTag, Obstacle, Pin, RepositoryKind, Scope,
    Severity,
};
use crate::outcome::report::TargetReport;

use super::bring_back::{Mending, make_room, mending};
use super::commands;
use super::draft::Draft;
use super::drilled;
use super::input::Input;
use super::place::Place;

/// So many parts are named; the others are a number.
const NAMED: usize = 5;

/// Findings about one target's evidence. `name` is how the target is called in a sentence, and `kept` says what its registry
/// still keeps of what is gone.
pub(super) fn findings(
    draft: Draft<'_>,
    name: &str,
    target: &TargetReport,
    inspection: Option<&Inspection>,
    kept: Option<&str>,
) -> Vec<Finding> {
    let lost = inspection.map_or(&[][..], |inspection| &inspection.lost_attestations);
    [broken(draft, name, target, kept), contradiction(draft, name, target), attestations(draft, name, lost, kept)]
        .into_iter()
        .flatten()
        .collect()
}

fn short(digest: &Digest) -> String {
    ArtifactId::Manifest(digest.clone()).short()
}

/// The first few, and how many more there are.
fn some(texts: Vec<String>) -> String {
    some_of(texts, 0)
}

/// The same where `further` ones are only counted.
fn some_of(mut texts: Vec<String>, further: usize) -> String {
    let more = texts.len().saturating_sub(NAMED) + further;
    texts.truncate(NAMED);
    let named = texts.join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

/// Why a manifest never was a way back, as it was pushed. One that a drill read other bytes of is damaged, and no such thing.
pub(super) fn why_hollow(target: &TargetReport) -> Option<&str> {
    let own = target.artifact.digest()?;
    target.obstacles.iter().find_map(|obstacle| match obstacle {
        Obstacle::PartDamaged { digest, detail } if digest == own => {
            drilled::wrong_bytes(target).all(|digest| digest != own).then_some(detail.as_str())
        }
        _ => None,
    })
}

/// What is wrong with a manifest as it was pushed: nothing was lost, and nobody can bring it back.
fn hollow(draft: Draft<'_>, name: &str, target: &TargetReport) -> Option<Finding> {
    let detail = why_hollow(target)?;
    let remedy = "give the tag an image again, or name it in no production rule; what was pushed under it never held one, and \
                  no cleanup did this";
    Some(draft.finding(Code::TargetBroken, Severity::Critical, format!("{name} is no way back: {detail}"), remedy))
}

/// One finding for all parts that are gone or damaged (F28, F103): a cleanup takes many at once.
fn broken(draft: Draft<'_>, name: &str, target: &TargetReport, kept: Option<&str>) -> Option<Finding> {
    if let Some(hollow) = hollow(draft, name, target) {
        return Some(hollow);
    }
    let (mut missing, mut damaged, mut further) = (Vec::new(), Vec::new(), 0);
    for obstacle in &target.obstacles {
        match obstacle {
            Obstacle::PartMissing { digest, part, more } => {
                further += more.and_then(|more| usize::try_from(more).ok()).unwrap_or_default();
                missing.push(part.as_ref().map_or(digest.to_string(), |part| format!("{part} ({digest})")));
            }
            Obstacle::PartDamaged { detail, .. } => damaged.push(detail.clone()),
            _ => {}
        }
    }
    let clauses = [("lacks", missing), ("has a damaged", damaged)];
    let clauses: Vec<String> = clauses
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(verb, parts)| match (verb, parts.len()) {
            ("lacks", 2..) => format!("lacks {} parts: {}", parts.len() + further, some_of(parts, further)),
            (_, 2..) => format!("has {} damaged parts: {}", parts.len(), some(parts)),
            _ => format!("{verb} {}", some(parts)),
        })
        .collect();
    (!clauses.is_empty()).then(|| {
        let message = format!("{name} {}", clauses.join("; it "));
        let remedy = match mending(target) {
            Mending::DeleteFirst => format!(
                "{}; then put the same bytes there again from a replica or a backup; then prove it: `{}`",
                make_room(&target.artifact),
                commands::drill(draft.repository())
            ),
            Mending::Push | Mending::Nothing if draft.place().is_bucket() => draft.place().bring_back().to_owned(),
            Mending::Push | Mending::Nothing => or_push(
                kept,
                "push the same bytes again from a replica, another registry or a backup that kept the digest; a cleanup \
                 that removes untagged manifests or layers did this, or damaged storage",
            ),
        };
        draft.finding(Code::TargetBroken, Severity::Critical, message, remedy)
    })
}

/// What the registry still keeps comes first.
fn or_push(kept: Option<&str>, push: &str) -> String {
    kept.map_or_else(|| push.to_owned(), |kept| format!("{kept}; else {push}"))
}

/// One finding for all contradictions about a target. Neither answer is believed, so nothing is called protected by it.
fn contradiction(draft: Draft<'_>, name: &str, target: &TargetReport) -> Option<Finding> {
    let reported: Vec<String> = target
        .obstacles
        .iter()
        .filter_map(|obstacle| match obstacle {
            Obstacle::Contradiction { about, said, but } => Some(format!("{about}: {said}, but {but}")),
            _ => None,
        })
        .collect();
    let server = match draft.place() {
        Place::ChartBucket | Place::ChartServer => "the chart repository",
        Place::Registry => "the registry",
        Place::Bucket => "the bucket",
    };
    (!reported.is_empty()).then(|| {
        draft.finding(
            Code::RegistryContradiction,
            Severity::High,
            format!("{server} contradicts itself about {name}: {}", some(reported)),
            "do not deploy it before this is explained: compare the two answers without any proxy or cache in between, and \
             restart or clear the cache that is wrong",
        )
    })
}

/// Nobody needs an attestation to go back; who verifies provenance before deploying does (I6).
fn attestations(draft: Draft<'_>, name: &str, lost: &[Digest], kept: Option<&str>) -> Option<Finding> {
    (!lost.is_empty()).then(|| {
        let which = some(lost.iter().map(short).collect());
        draft.finding(
            Code::AttestationMissing,
            Severity::Medium,
            format!("{name} lost its attestation ({which}); all of its platforms are intact"),
            or_push(
                kept,
                "where deployments verify provenance, push the same attestation again from a replica, another registry or a \
                 backup; keep cleanups of untagged manifests from this repository",
            ),
        )
    })
}

/// Gaps about tags that matter and are listed but not served (I4): what a release tag names is unknown then.
pub(super) fn gaps(input: &Input<'_>) -> Vec<Gap> {
    let unserved = unserved(input).filter(|(tag, _)| matters(input, tag));
    unserved
        .map(|(tag, why)| {
            let said = if why.is_empty() { String::new() } else { format!(": it answered {why}") };
            let detail = format!("tag {} is listed, and the registry does not serve it{said}", tag.name);
            Gap::new(Scope::Tag(tag.name.clone()), Cause::NotFound, detail)
        })
        .take(GAPS)
        .collect()
}

/// So many are reported one by one.
const GAPS: usize = 20;

fn unserved<'a>(input: &'a Input<'_>) -> impl Iterator<Item = (&'a ObservedTag, &'a String)> {
    let listed = input.snapshot.tags.iter().filter(|_| !input.snapshot.unserved.is_empty());
    listed.filter_map(|tag| Some((tag, input.snapshot.unserved.get(&tag.name)?)))
}

/// Whether production may depend on what a tag names.
fn matters(input: &Input<'_>, tag: &ObservedTag) -> bool {
    input.rules.names(&tag.name, tag.label())
        || Pin::read(&tag.name).is_some()
        || input.running.iter().any(|running| running.tag() == Some(&tag.name))
}

/// One finding for all tags that are listed and not served.
pub(super) fn unserved_tags(input: &Input<'_>, draft: Draft<'_>) -> Option<Finding> {
    let (mut names, mut severity) = (Vec::new(), Severity::Low);
    for (tag, why) in unserved(input) {
        if matters(input, tag) {
            severity = Severity::Medium;
        }
        names.push(if why.is_empty() { tag.name.to_string() } else { format!("{} ({why})", tag.name) });
    }
    names.sort();
    let count = names.len();
    (count > 0).then(|| {
        let are = if count == 1 { "tag is" } else { "tags are" };
        let message = format!("{count} {are} listed, and the registry does not serve what they name: {}", some(names));
        let remedy = "delete these tags where they are not needed, else push what they named again from a replica, another \
                      registry or a backup; `crane manifest` with the tag \
                      shows what the registry answers";
        draft.finding(Code::RegistryContradiction, severity, message, remedy)
    })
}

/// One finding for all versions that a list or index leaves out and that are served all the same.
pub(super) fn left_out(input: &Input<'_>, draft: Draft<'_>) -> Option<Finding> {
    // Pages that shift while they are read leave a tag out once. What is left out again hides new releases as well.
    let again = input.state.findings.keys().any(|key| key.code == Code::ListingCut);
    let mut names: Vec<String> = input.snapshot.left_out.iter().map(ToString::to_string).collect();
    names.reverse();
    let count = names.len();
    (count > 0).then(|| match input.snapshot.kind {
        RepositoryKind::Charts => draft.finding(
            Code::ListingCut,
            Severity::Medium,
            format!(
                "the index was cut: {count} known versions are in no index any more, and their archives are still there: {}",
                some(names)
            ),
            "publish an index that names them (`helm repo index` over all archives), or install them by their address",
        ),
        RepositoryKind::Artifacts => draft.finding(
            Code::ListingCut,
            if again { Severity::High } else { Severity::Medium },
            format!("the list of tags leaves out {count} known tags that the registry serves: {}", some(names)),
            "the list may leave out new releases as well: look at what stands between prodpin and the registry, and list \
             past any cache",
        ),
    })
}
