//! Verdicts withheld because something that decides them could not be read.

use std::collections::BTreeSet;

use crate::model::{Gap, ObservedTag, Resolution, Scope, Tag};
use crate::outcome::report::RepositoryReport;

use super::input::Input;
use super::readiness::{self, Readiness};
use super::rules::is_watched;

/// "Not ready" is withdrawn where what was not read may hold the release to go back to, and "ready" where it may be what
/// runs.
pub(super) fn withhold(
    input: &Input<'_>,
    listed: &[&ObservedTag],
    report: &RepositoryReport,
    readiness: &mut Readiness,
) {
    let unread = releases(input, listed);
    let may_be_elsewhere = |gap: &Gap| match &gap.scope {
        Scope::Source | Scope::Repository | Scope::Signal(_) => true,
        Scope::Tag(tag) => unread.contains(tag),
        Scope::Setting | Scope::Artifact(_) => false,
    };
    let works = input.snapshot.listing_is_complete();
    let runs = readiness::says_what_runs(&report.targets);
    let failing =
        readiness.ready == Some(false) && (!works || !unread.is_empty() || report.gaps.iter().any(may_be_elsewhere));
    // It may be what runs, and what is offered one release too far back.
    if failing || (!runs && !unread.is_empty()) {
        readiness.ready = None;
    }
    if readiness.ready.is_none() && !unread.is_empty() {
        readiness.unknown = Some(reported(input, listed, &unread, &report.gaps));
    }
}

/// Release tags that are there and whose bytes are not known, now or from before.
pub(super) fn releases<'a>(input: &Input<'_>, listed: &[&'a ObservedTag]) -> BTreeSet<&'a Tag> {
    let unread = listed.iter().filter(|tag| {
        tag.target == Resolution::Unknown
            && is_watched(&tag.name)
            && input.rules.is_release(tag.label())
            && input.state.tags.get(&tag.name).is_none_or(|history| history.latest().is_none())
    });
    unread.map(|tag| &tag.name).collect()
}

/// `8 release tags exist, none could be read (the server answered 500)`.
fn reported(input: &Input<'_>, listed: &[&ObservedTag], unread: &BTreeSet<&Tag>, gaps: &[Gap]) -> String {
    let releases = listed.iter().filter(|tag| is_watched(&tag.name) && input.rules.is_release(tag.label())).count();
    let tags = if releases == 1 { "release tag exists" } else { "release tags exist" };
    let read = match releases - unread.len() {
        0 => "none could be read".to_owned(),
        _ => format!("{} could not be read", unread.len()),
    };
    let of_tag = gaps.iter().find(|gap| matches!(&gap.scope, Scope::Tag(tag) if unread.contains(tag)));
    // The address in front differs from tag to tag; what was answered is the same.
    let cause = of_tag.or(gaps.first()).map(|gap| gap.detail.rsplit(": ").next().unwrap_or(&gap.detail));
    match cause {
        Some(cause) => format!("{releases} {tags}, {read} ({cause})"),
        None => format!("{releases} {tags}, {read} before the run ended"),
    }
}
