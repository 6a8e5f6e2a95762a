//! How to bring back what a registry keeps of what was deleted in it: the command, and until when it works (K58).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::commands;
use crate::model::{ArtifactId, Closure, DeletedManifest, Digest, Inspection, Presence, Undelete};

/// GitHub keeps deleted versions for so long.
const GITHUB_KEEPS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// So many commands stand in one sentence.
const NAMED: usize = 5;

/// Until when it is kept, where that is known.
fn until(deleted: &DeletedManifest) -> Option<Timestamp> {
    match deleted.by {
        Undelete::GitHub { .. } => deleted.deleted?.checked_add(GITHUB_KEEPS).ok(),
    }
}

/// What is still kept of what is gone of an artifact.
fn kept(seen: &Inspection, now: Timestamp) -> impl Iterator<Item = &DeletedManifest> {
    let kept = seen.undeletable.iter().flat_map(|undeletable| &undeletable.kept);
    kept.filter(move |deleted| until(deleted).is_none_or(|until| until > now))
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
fn amount(seen: &Inspection, now: Timestamp) -> (String, &'static str) {
    let all = gone(seen);
    let still: BTreeSet<&Digest> = kept(seen, now).map(|deleted| &deleted.digest).collect();
    match (all.intersection(&still).count(), all.len()) {
        (count, all) if count < all => (format!("{count} of the {all} that are gone"), "that much"),
        _ => ("it".to_owned(), "it"),
    }
}

/// The commands that put back what is gone of an artifact, as far as its registry keeps that.
pub(super) fn restore(seen: &Inspection, now: Timestamp) -> impl Iterator<Item = String> {
    kept(seen, now).map(|deleted| commands::undelete(&deleted.by))
}

/// The same for a remedy, with until when they work; none where the registry keeps nothing that was deleted, or nothing of this.
pub(super) fn remedy(seen: Option<&Inspection>, now: Timestamp) -> Option<String> {
    let seen = seen?;
    let undeletable = seen.undeletable.as_ref()?;
    let mut calls: Vec<String> = restore(seen, now).map(|command| format!("`{command}`")).collect();
    let soonest = kept(seen, now).filter_map(until).min();
    if calls.is_empty() {
        let unread = undeletable.unread.as_ref()?;
        return Some(format!("whether GitHub still keeps it is unknown: {unread}"));
    }
    let more = calls.len().saturating_sub(NAMED);
    calls.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more (`prodpin ready` lists them)") } else { String::new() };
    let when = soonest.map_or_else(
        || "for 30 days after it was deleted".to_owned(),
        |until| format!("until {}", until.round(jiff::Unit::Second).unwrap_or(until)),
    );
    let (what, restored) = amount(seen, now);
    Some(format!(
        "GitHub keeps {what} {when}; an administrator of the package restores {restored}: {}{more}; then run `prodpin enforce`",
        calls.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Undeletable;

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
        let said = remedy(Some(&both), now).unwrap();
        assert!(said.contains("GitHub keeps it until 2026-07-01T10:00:00Z"), "{said}");
        let command = "`gh api --method POST '/orgs/acme/packages/container/team%2Fapi/versions/1/restore'`";
        assert!(said.contains(command), "{said}");
        assert_eq!(restore(&both, now).count(), 2);

        let undated = remedy(Some(&seen(vec![deleted("1", None)], None)), now).unwrap();
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
            let remedy = remedy(Some(&seen), now).unwrap();
            assert!(remedy.starts_with(said), "{remedy}");
        }
    }

    #[test]
    fn what_is_over_is_offered_no_more_and_what_was_not_read_is_said_to_be_unknown_k58() {
        let now: Timestamp = "2026-07-01T10:00:00Z".parse().unwrap();
        let over = seen(vec![deleted("1", Some("2026-06-01T10:00:00Z"))], None);
        assert_eq!((remedy(Some(&over), now), restore(&over, now).count()), (None, 0));
        let unread = seen(Vec::new(), Some("HTTP status 403"));
        let said = remedy(Some(&unread), now).unwrap();
        assert!(said.contains("is unknown: HTTP status 403"), "{said}");
        assert_eq!(remedy(Some(&seen(Vec::new(), None)), now), None);
        assert_eq!(remedy(Some(&Inspection::unread(Digest::sha256(b"x").into())), now), None);
        assert_eq!(remedy(None, now), None);
    }

    #[test]
    fn many_are_named_in_part_and_listed_whole() {
        let now: Timestamp = "2026-06-20T00:00:00Z".parse().unwrap();
        let many = seen((0..8).map(|number| deleted(&number.to_string(), None)).collect(), None);
        let said = remedy(Some(&many), now).unwrap();
        assert_eq!(said.matches("gh api").count(), NAMED);
        assert!(said.contains("and 3 more"), "{said}");
        assert_eq!(restore(&many, now).count(), 8);
    }
}
