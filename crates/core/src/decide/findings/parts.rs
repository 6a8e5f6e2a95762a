//! Manifests below targets that a cleanup of untagged manifests would take, and signatures that are gone (I26).

use crate::decide::commands;
use crate::decide::cover::{self, Keeping, Unpinned, Why};
use crate::decide::draft::{Draft, name_of};
use crate::decide::input::Input;
use crate::model::{
    ArtifactId, Attached, Code, Finding, LostAttachment, Mode, Obstacle, PinState, RepositoryName, Severity,
};
use crate::outcome::report::{PinReport, RepositoryReport, TargetReport};

use super::gap::next_step;

/// One finding for all targets of a repository that are pinned and stand on manifests which are not. Where a target itself
/// is still to be pinned, that is reported with it.
pub(super) fn unprotected(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let keeping = cover::keeping(input.snapshot, input.pins);
    let concerned: Vec<(&TargetReport, Unpinned<'_>)> = report
        .targets
        .iter()
        .filter(|target| matches!(target.pin, PinReport::Present | PinReport::Created))
        .filter(|target| target.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::PartsUnpinned { .. })))
        .filter_map(|target| {
            let seen = input.inspections.get(&target.artifact)?;
            Some((target, cover::unpinned(keeping, seen, input.attempts)?))
        })
        .collect();
    let (first, unpinned) = concerned.first()?;
    let count = match unpinned.parts.len() {
        1 => "1 manifest below it has".to_owned(),
        more => format!("{more} manifests below it have"),
    };
    let more = match concerned.len() {
        1 => String::new(),
        2 => ", and so it is with 1 more target".to_owned(),
        more => format!(", and so it is with {} more targets", more - 1),
    };
    let part = unpinned.parts.first().map_or_else(String::new, |part| cover::named(part));
    let (severity, why, remedy) = reported(&unpinned.why, input.mode);
    let message = format!(
        "{} is pinned, and {count} no pin ({part}){more}: a cleanup of untagged manifests takes these, and leaves nothing \
         that could be started{why}",
        name_of(first),
    );
    Some(draft.finding(Code::PinChildrenUnprotected, severity, message, remedy))
}

fn reported(why: &Why, mode: Mode) -> (Severity, String, String) {
    match why {
        Why::Open if mode == Mode::Enforce => (
            Severity::Medium,
            String::new(),
            "the next run pins them once all that they are made of could be read".to_owned(),
        ),
        Why::Open | Why::Keeping(Keeping::Pins | Keeping::Locks | Keeping::References) => {
            (Severity::Medium, String::new(), "run `prodpin enforce`: it pins each of them".to_owned())
        }
        Why::Keeping(Keeping::NothingByPolicy) => (
            Severity::High,
            "; the policy says `cover: index`".to_owned(),
            "leave `cover: index` out of `pins:` (or write `cover: closure`), and run `prodpin enforce`".to_owned(),
        ),
        Why::Keeping(Keeping::NothingWhereTagsCount(kind)) => (
            Severity::High,
            format!("; this registry ({kind}) may count tags, so only targets are pinned"),
            "see that its rules neither take nor count tags prod-pinned-*, state `cleanup: untagged` or `cleanup: none` on the \
             source (or `pins: { cover: closure }`), and run `prodpin enforce`"
                .to_owned(),
        ),
        Why::Failed(failure) => (Severity::High, format!("; {failure}"), next_step(failure.cause).to_owned()),
        Why::Vanished => (
            Severity::High,
            "; their pins were accepted, and reading them back does not find them".to_owned(),
            "check for a rule or a job that removes tags as soon as they appear".to_owned(),
        ),
        Why::Moved => (
            Severity::High,
            "; a pin of theirs names something else".to_owned(),
            "find out who moved it; prodpin never moves a tag that it did not make".to_owned(),
        ),
    }
}

/// What is attached to a target and is not pinned with it.
pub(super) fn attached(input: &Input<'_>, draft: Draft<'_>, target: &TargetReport) -> Option<Finding> {
    let pinned = matches!(target.pin, PinReport::Present | PinReport::Created);
    let seen = input.inspections.get(&target.artifact).filter(|seen| seen.parts.asked && pinned)?;
    if cover::keeping(input.snapshot, input.pins) != Keeping::Pins || input.snapshot.cleanup.withholds_pins() {
        return None;
    }
    let open: Vec<&Attached> =
        seen.parts.attached.iter().filter(|attached| attached.part.pin == PinState::Absent).collect();
    let name = name_of(target);
    let (message, remedy) = match (open.first(), seen.parts.beyond) {
        (Some(first), _) => {
            let tried = open.iter().find_map(|attached| {
                input.attempts.get(&ArtifactId::Manifest(attached.part.digest.clone()))?.as_ref().err()
            });
            let (why, remedy) = match tried {
                Some(failure) => (format!(": {failure}"), next_step(failure.cause).to_owned()),
                None => (String::new(), "run `prodpin enforce`: it pins them with what they are about".to_owned()),
            };
            let what = match open.len() {
                1 => format!("what is attached to {name} is not pinned ({})", first.by),
                more => format!("of what is attached to {name}, {more} are not pinned (first: {})", first.by),
            };
            (format!("{what}{why}"), remedy)
        }
        (None, 0) => return None,
        (None, beyond) => (
            format!("{beyond} more are attached to {name} than are pinned with it: the newest of each type are"),
            "remove what nobody needs of them; a cleanup of untagged manifests takes the others".to_owned(),
        ),
    };
    Some(draft.of_target(target, Code::PinChildrenUnprotected, Severity::Low, message, remedy))
}

/// What is attached to targets could not be asked for: once for the repository, for it is the registry's way.
pub(super) fn unread(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let pinned = report.targets.iter().filter(|target| matches!(target.pin, PinReport::Present | PinReport::Created));
    let seen = pinned.filter_map(|target| input.inspections.get(&target.artifact)).filter(|seen| seen.parts.asked);
    let detail = seen.filter_map(|seen| seen.parts.unread.as_ref()).next()?;
    let message =
        format!("what is attached to releases is not known, so only what has a tag of theirs is pinned: {detail}");
    let remedy = "let the credentials of prodpin read the registry's referrers, or see what answers in its place";
    Some(draft.finding(Code::PinChildrenUnprotected, Severity::Low, message, remedy).naming("referrers"))
}

/// A signature, an attestation or a bill of materials that was attached and is gone (I6): told for as long as it is.
pub(super) fn signatures(
    input: &Input<'_>,
    draft: Draft<'_>,
    target: &TargetReport,
    report: &RepositoryReport,
) -> Option<Finding> {
    let seen = input.inspections.get(&target.artifact)?;
    let kinds = || seen.parts.lost.iter().map(|lost| (kind_of(&lost.by), lost));
    let (kind, lost) = kinds().min_by_key(|(kind, _)| *kind)?;
    let counts = target.running || report.rollback.to.as_ref() == Some(&target.artifact);
    let severity = match (kind, counts) {
        (Kind::Other, _) => Severity::Low,
        (_, true) => Severity::High,
        (_, false) => Severity::Medium,
    };
    let more = match seen.parts.lost.len() {
        1 => String::new(),
        more => format!(" (and {} more that was attached)", more - 1),
    };
    let whose = match target.artifact.digest() == Some(&lost.subject) {
        true => String::new(),
        false => format!(" of {} below it", ArtifactId::Manifest(lost.subject.clone()).short()),
    };
    let how = match (&lost.instead, lost.by.contains('/')) {
        (Some(other), _) => {
            let other = ArtifactId::Manifest(other.clone());
            format!("tag {} names {}, which does not have what was there", lost.by, other.short())
        }
        (None, true) => format!("nothing of type {} is attached any more", lost.by),
        (None, false) => format!("tag {} is gone", lost.by),
    };
    let message = format!("{} lost its {}{whose}{more}: {how}", name_of(target), kind.word());
    let remedy = remedy(&input.key.name, kind, lost);
    Some(draft.of_target(target, Code::SignatureMissing, severity, message, remedy))
}

/// What a person calls it, the gravest to lose first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Signature,
    Attestation,
    Materials,
    Other,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Materials => "bill of materials",
            Self::Other => "attachment",
        }
    }
}

fn kind_of(by: &str) -> Kind {
    let by = by.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| by.contains(word));
    // The words of cosign, Notation and Sigstore bundles; `.sig` and its brothers end a tag.
    if by.ends_with(".sig") || has(&["signature", "sigstore", "notary", "cosign.artifact.sig"]) {
        Kind::Signature
    } else if by.ends_with(".att") || has(&["in-toto", "attestation", "provenance", "slsa"]) {
        Kind::Attestation
    } else if by.ends_with(".sbom") || has(&["sbom", "spdx", "cyclonedx"]) {
        Kind::Materials
    } else {
        Kind::Other
    }
}

fn remedy(repository: &RepositoryName, kind: Kind, lost: &LostAttachment) -> String {
    let again = match kind {
        Kind::Signature => "sign the release again, by its digest",
        _ => "attach it again, by the digest of the release",
    };
    // Moving a tag is nothing to advise: what it names now may be wanted.
    match lost.kept && lost.instead.is_none() && !lost.by.contains('/') {
        true => {
            let (place, host) = match &lost.place {
                Some(place) => (place.to_string(), ""),
                None => (format!("HOST/{repository}"), " (HOST is the registry's)"),
            };
            let command = commands::tag_again(&place, &lost.digest, &lost.by);
            format!("its pin keeps the bytes: tag them again, `{command}`{host}; and find out what removes tags here")
        }
        false => format!("{again}, before an admission policy refuses it in a rollback; and find out what removed it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    #[test]
    fn a_tag_that_is_gone_is_put_back_by_a_command_that_can_be_pasted_i6_i19() {
        let (digest, subject) = (Digest::sha256(b"signature"), Digest::sha256(b"release"));
        let repository = "shop/api".parse().unwrap();
        let lost = |by: &str, place: Option<&str>| LostAttachment {
            digest: digest.clone(),
            subject: subject.clone(),
            by: by.into(),
            instead: None,
            kept: true,
            place: place.map(Into::into),
        };
        for (place, expected) in [
            (
                Some("registry.example.com/shop/api"),
                format!("`crane tag registry.example.com/shop/api@{digest} x.sig`;"),
            ),
            (Some("[::1]:5000/shop/api"), format!("`crane tag '[::1]:5000/shop/api@{digest}' x.sig`;")),
            (None, format!("`crane tag HOST/shop/api@{digest} x.sig` (HOST is the registry's);")),
        ] {
            let advised = remedy(&repository, Kind::Signature, &lost("x.sig", place));
            assert!(advised.contains(&expected), "{advised}");
        }
        let moved = LostAttachment { instead: Some(subject.clone()), ..lost("x.sig", None) };
        for lost in [LostAttachment { kept: false, ..lost("x.sig", None) }, moved, lost("application/x", None)] {
            assert!(!remedy(&repository, Kind::Signature, &lost).contains("crane"), "{lost:?}");
        }
    }

    #[test]
    fn what_is_gone_is_called_by_its_name() {
        let tag = |kind: &str| format!("sha256-{}.{kind}", "0".repeat(64));
        for (by, kind) in [
            (tag("sig"), Kind::Signature),
            (tag("att"), Kind::Attestation),
            (tag("sbom"), Kind::Materials),
            (tag("cve"), Kind::Other),
            ("application/vnd.cncf.notary.signature".to_owned(), Kind::Signature),
            ("application/vnd.dev.sigstore.bundle.v0.3+json".to_owned(), Kind::Signature),
            ("application/vnd.in-toto+json".to_owned(), Kind::Attestation),
            ("application/spdx+json".to_owned(), Kind::Materials),
            ("application/vnd.security.report".to_owned(), Kind::Other),
        ] {
            assert_eq!(kind_of(&by), kind, "{by}");
        }
    }
}
