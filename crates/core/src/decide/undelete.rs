//! How to bring back what a registry keeps of what was deleted in it: the command, and until when it works (K54, K58).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{commands, time_machine};
use crate::model::{ArtifactId, Closure, DeletedManifest, Digest, Inspection, Presence, Retention, Undelete};

/// GitHub keeps deleted versions for so long.
const GITHUB_KEEPS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// So many commands stand in one sentence.
const NAMED: usize = 5;

/// Until when it is kept, where that is known.
fn until(deleted: &DeletedManifest) -> Option<Timestamp> {
    match deleted.by {
        Undelete::GitHub { .. } => deleted.deleted?.checked_add(GITHUB_KEEPS).ok(),
        Undelete::Quay { until, .. } => Some(until),
    }
}

/// Who keeps it, and who may have it put back.
fn keeper(by: &Undelete) -> (&'static str, &'static str) {
    match by {
        Undelete::GitHub { .. } => ("GitHub", "an administrator of the package"),
        Undelete::Quay { .. } => {
            ("Quay's time machine", "a user who may write to the repository, with a token of the scope repo:write,")
        }
    }
}

/// What is still kept of what is gone of an artifact: as the registry said when it was looked at, and as the rows of its tags say.
fn kept(seen: &Inspection, retention: &Retention, now: Timestamp) -> Vec<DeletedManifest> {
    let told = seen.undeletable.iter().flat_map(|undeletable| undeletable.kept.iter().cloned());
    let of_rows = gone(seen).into_iter().filter_map(|digest| time_machine::kept(retention, digest, now));
    told.chain(of_rows).filter(|deleted| until(deleted).is_none_or(|until| until > now)).collect()
}

/// What is gone of an artifact, itself among it.
fn gone(seen: &Inspection) -> BTreeSet<&Digest> {
    let own = match (&seen.artifact, seen.presence) {
        (ArtifactId::Manifest(digest), Presence::NotFound) => Some(digest),
        _ => None,
    };
    let parts = match &seen.closure {
        Closure::Broken(parts) => parts.as_slice(),
        Closure::Complete | Closure::Unknown => &[],
    };
    own.into_iter().chain(parts).chain(&seen.lost_attestations).collect()
}

/// In a sentence: what is kept, and what restoring that comes to. A part is not called the whole.
fn amount(seen: &Inspection, kept: &[DeletedManifest]) -> (String, &'static str) {
    let all = gone(seen);
    let still: BTreeSet<&Digest> = kept.iter().map(|deleted| &deleted.digest).collect();
    match (all.intersection(&still).count(), all.len()) {
        (count, all) if count < all => (format!("{count} of the {all} that are gone"), "that much"),
        _ => ("it".to_owned(), "it"),
    }
}

/// The commands that put back what is gone of an artifact, as far as its registry keeps that.
pub(super) fn restore(seen: &Inspection, retention: &Retention, now: Timestamp) -> Vec<String> {
    kept(seen, retention, now).iter().map(commands::undelete).collect()
}

/// The same for a remedy, with until when they work; none where the registry keeps nothing that was deleted, or nothing of this.
pub(super) fn remedy(seen: Option<&Inspection>, retention: &Retention, now: Timestamp) -> Option<String> {
    let seen = seen?;
    let kept = kept(seen, retention, now);
    let Some(first) = kept.first() else {
        let unread = seen.undeletable.as_ref()?.unread.as_ref()?;
        return Some(format!("whether GitHub still keeps it is unknown: {unread}"));
    };
    let (keeper, who) = keeper(&first.by);
    let mut calls: Vec<String> = kept.iter().map(|deleted| format!("`{}`", commands::undelete(deleted))).collect();
    let soonest = kept.iter().filter_map(until).min();
    let more = calls.len().saturating_sub(NAMED);
    calls.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more (`prodpin ready` lists them)") } else { String::new() };
    let when = soonest.map_or_else(
        || "for 30 days after it was deleted".to_owned(),
        |until| format!("until {}", until.round(jiff::Unit::Second).unwrap_or(until)),
    );
    let (what, restored) = amount(seen, &kept);
    Some(format!(
        "{keeper} keeps {what} {when}; {who} restores {restored}: {}{more}; then run `prodpin enforce`",
        calls.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{QuayCache, QuayPolicies, QuayRepository, QuayRow, QuayState, Undeletable};

    fn deleted(name: &str, at: Option<&str>) -> DeletedManifest {
        let path = format!("/orgs/acme/packages/container/team%2Fapi/versions/{name}/restore").into();
        DeletedManifest {
            digest: Digest::sha256(name.as_bytes()),
            deleted: at.map(|at| at.parse().unwrap()),
            by: Undelete::GitHub { server: None, path },
        }
    }

    fn seen(kept: Vec<DeletedManifest>, unread: Option<&str>) -> Inspection {
        let unread = unread.map(str::to_owned);
        let undeletable = Some(Box::new(Undeletable { kept, unread }));
        Inspection { undeletable, ..Inspection::unread(Digest::sha256(b"index").into()) }
    }

    #[test]
    fn what_is_kept_is_told_with_its_command_and_its_last_day_k58() {
        let now: Timestamp = "2026-06-20T00:00:00Z".parse().unwrap();
        let both =
            seen(vec![deleted("1", Some("2026-06-01T10:00:00Z")), deleted("2", Some("2026-06-02T10:00:00Z"))], None);
        let said = remedy(Some(&both), &Retention::Unruled, now).unwrap();
        assert!(said.contains("GitHub keeps it until 2026-07-01T10:00:00Z"), "{said}");
        let command = "`gh api --method POST '/orgs/acme/packages/container/team%2Fapi/versions/1/restore'`";
        assert!(said.contains(command), "{said}");
        assert_eq!(restore(&both, &Retention::Unruled, now).len(), 2);

        let undated = remedy(Some(&seen(vec![deleted("1", None)], None)), &Retention::Unruled, now).unwrap();
        assert!(undated.contains("for 30 days after it was deleted"), "{undated}");
    }

    #[test]
    fn of_two_that_are_gone_one_is_not_called_the_whole_k58() {
        let now: Timestamp = "2026-06-20T00:00:00Z".parse().unwrap();
        for (also_gone, said) in
            [(None, "GitHub keeps it for"), (Some("2"), "GitHub keeps 1 of the 2 that are gone for")]
        {
            let gone = ["1"].into_iter().chain(also_gone).map(|name| Digest::sha256(name.as_bytes())).collect();
            let seen = Inspection { closure: Closure::Broken(gone), ..seen(vec![deleted("1", None)], None) };
            let remedy = remedy(Some(&seen), &Retention::Unruled, now).unwrap();
            assert!(remedy.starts_with(said), "{remedy}");
        }
    }

    #[test]
    fn what_is_over_is_offered_no_more_and_what_was_not_read_is_said_to_be_unknown_k58() {
        let now: Timestamp = "2026-07-01T10:00:00Z".parse().unwrap();
        let over = seen(vec![deleted("1", Some("2026-06-01T10:00:00Z"))], None);
        let none = Retention::Unruled;
        assert_eq!((remedy(Some(&over), &none, now), restore(&over, &none, now).len()), (None, 0));
        let unread = seen(Vec::new(), Some("HTTP status 403"));
        let said = remedy(Some(&unread), &none, now).unwrap();
        assert!(said.contains("is unknown: HTTP status 403"), "{said}");
        assert_eq!(remedy(Some(&seen(Vec::new(), None)), &none, now), None);
        assert_eq!(remedy(Some(&Inspection::unread(Digest::sha256(b"x").into())), &none, now), None);
        assert_eq!(remedy(None, &none, now), None);
    }

    #[test]
    fn many_are_named_in_part_and_listed_whole() {
        let now: Timestamp = "2026-06-20T00:00:00Z".parse().unwrap();
        let many = seen((0..8).map(|number| deleted(&number.to_string(), None)).collect(), None);
        let said = remedy(Some(&many), &Retention::Unruled, now).unwrap();
        assert_eq!(said.matches("gh api").count(), NAMED);
        assert!(said.contains("and 3 more"), "{said}");
        assert_eq!(restore(&many, &Retention::Unruled, now).len(), 8);
    }

    #[test]
    fn what_quays_time_machine_has_is_told_with_its_call_k54() {
        let now: Timestamp = "2026-06-20T00:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let digest = Digest::sha256(b"index");
        let row = QuayRow {
            name: "v1.0.0".parse().unwrap(),
            digest: digest.clone(),
            start: at("2026-05-01T00:00:00Z"),
            end: Some(at("2026-06-19T00:00:00Z")),
            immutable: false,
        };
        let retention = Retention::Quay(Box::new(QuayRepository {
            address: "https://quay.example.com".into(),
            namespace: "acme".into(),
            name: "shop".into(),
            rows: vec![row],
            read: now,
            disputed: Vec::new(),
            server: None,
            of_namespace: QuayPolicies::Known(Vec::new()),
            own: QuayPolicies::Known(Vec::new()),
            state: Some(QuayState::Normal),
            immutability: Vec::new(),
            cache: QuayCache::None,
            time_machine: Some(14 * 86_400),
            locks_pins: false,
        }));
        let gone = Inspection { presence: Presence::NotFound, ..Inspection::unread(digest.clone().into()) };
        let said = remedy(Some(&gone), &retention, now).unwrap();
        assert!(said.starts_with("Quay's time machine keeps it until 2026-07-03T00:00:00Z; "), "{said}");
        let body = format!("-d '{{\"manifest_digest\":\"{digest}\"}}'");
        assert!(said.contains(&body), "{said}");
        assert!(said.contains(" https://quay.example.com/api/v1/repository/acme/shop/tag/v1.0.0/restore`"), "{said}");
        assert_eq!(restore(&gone, &retention, now).len(), 1);
        // What is there, or was not looked at, is not put back.
        let there = Inspection { presence: Presence::Present, ..gone };
        assert_eq!(remedy(Some(&there), &retention, now), None);
        assert_eq!(remedy(Some(&Inspection::unread(digest.into())), &retention, now), None);
    }
}
