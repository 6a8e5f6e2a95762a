//! What is said differently of charts: a version that moves was published again, an archive can disagree with its index,
//! and a version that vanished may quietly become another one (F139, F140).

use super::place::Place;
use crate::model::{ArtifactId, ArtifactKind, ChartVersion, Code, Inspection, Obstacle, Severity};
use crate::outcome::report::{PinReport, RepositoryReport};

/// Whether what an artifact was looked at for is a chart, in a registry too (F142).
pub(super) fn is_chart(inspection: Option<&Inspection>) -> bool {
    inspection.is_some_and(|inspection| inspection.kind == Some(ArtifactKind::Chart))
}

/// How a tag's move is reported: its code, and what the tag did.
pub(super) fn moved(chart: bool, to: &ArtifactId) -> (Code, &'static str) {
    match (chart, to) {
        (true, _) => (Code::ChartRepublished, "was published again: it went"),
        (false, ArtifactId::ObjectVersion { .. }) => (Code::ObjectOverwritten, "was overwritten"),
        (false, ArtifactId::Manifest(_)) => (Code::TagMoved, "moved"),
    }
}

/// What to do about a move that nobody allowed; none where what is done about tags fits.
pub(super) fn after_move(chart: bool, severity: Severity, from: &ArtifactId) -> Option<String> {
    (chart && severity > Severity::Info).then(|| {
        format!(
            "publish changes under a new version and have the repository refuse to overwrite one; compare what is there now \
             with {from} before anything is installed from it"
        )
    })
}

/// The version that Helm would install in place of one that is gone: of those that stand for it, the highest (F140).
pub(super) fn stand_in<'v>(gone: &str, present: impl Iterator<Item = &'v str>) -> Option<&'v str> {
    let wanted = ChartVersion::read(gone)?;
    let read = present.filter(|version| *version != gone).filter_map(|text| Some((ChartVersion::read(text)?, text)));
    let fitting = read.filter(|(version, _)| wanted.stands_for(version));
    // Of equals the first by name, so that the answer does not depend on the order of the index.
    let best = fitting.max_by(|(a, left), (b, right)| a.precedence(b).then_with(|| right.cmp(left)));
    best.map(|(_, text)| text)
}

/// What follows the sentence that a version is gone.
pub(super) fn after_loss(stand_in: Option<&str>) -> String {
    stand_in.map(|other| format!("; Helm would install {other} for it without an error")).unwrap_or_default()
}

/// How wrong bytes of a target are reported.
pub(super) fn wrong_bytes(place: Place, name: &str, detail: &str) -> (Code, String, String) {
    match place {
        Place::ChartBucket | Place::ChartServer => (
            Code::ChartDigestMismatch,
            format!("{name}: index and archive do not agree: {detail}"),
            "do not install it; find out which of the two was changed, and have the index written anew from archives that \
             are known to be good"
                .to_owned(),
        ),
        Place::Registry => (
            Code::TargetBroken,
            format!("{name}: the registry serves other bytes than the digest names: {detail}"),
            "do not deploy it; ask the registry without whatever stands between; where its storage is damaged, delete the \
             manifest there, and push the same bytes again from a replica or a backup"
                .to_owned(),
        ),
        Place::Bucket => (
            Code::TargetBroken,
            format!("{name}: the bucket serves other bytes than are on record: {detail}"),
            "do not deploy it; ask the bucket without whatever stands between; where this version is damaged, upload the \
             same bytes again from a replica or a backup, which makes a new version of the key"
                .to_owned(),
        ),
    }
}

/// What to say where targets can only be marked, or not even that.
pub(super) fn unsupported(report: &RepositoryReport) -> Option<(Severity, String, &'static str)> {
    let unpinnable = report.targets.iter().filter(|target| target.pin == PinReport::Unsupported);
    let (count, of) = (unpinnable.count(), report.targets.len());
    let no_pins = report.targets.iter().flat_map(|target| &target.obstacles).find_map(|obstacle| match obstacle {
        Obstacle::NoPins { detail } => Some(detail),
        _ => None,
    });
    match (count, no_pins) {
        (0, _) => None,
        (_, Some(detail)) => Some((
            Severity::Medium,
            format!("{count} of {of} rollback targets are watched and cannot be pinned: {detail}"),
            "keep a copy of every release where it can be pinned, and roll back from there",
        )),
        (_, None) => Some((
            Severity::High,
            format!("{count} of {of} rollback targets can only be marked, and a mark protects nothing"),
            "enable Object Lock on the bucket; the next run then places legal holds",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_helm_falls_back_to_f140() {
        let there = ["1.3.0", "1.2.9-rc.1", "1.2.4", "1.2.3+b", "1.2.3+a", "2.0.0", "no version"];
        for (gone, expected) in [
            ("1.2.3", Some("1.2.3+a")),
            ("v1.2.3", Some("1.2.3+a")),
            ("1.2.3+c", Some("1.2.3+a")),
            ("1.2", Some("1.2.4")),
            ("1", Some("1.3.0")),
            ("1.2.5", None),
            ("1.2.9", None),
            ("1.2.9-rc.1", None),
            ("latest", None),
        ] {
            assert_eq!(stand_in(gone, there.into_iter()), expected, "{gone}");
        }
    }
}
