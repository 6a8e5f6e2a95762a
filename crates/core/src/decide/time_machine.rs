//! What Quay's time machine still has of what was deleted, and the call that brings it back (K54).

use jiff::{SignedDuration, Timestamp};

use crate::model::{DeletedManifest, Digest, Pin, QuayRepository, Retention, Undelete};

/// A manifest that no tag names any more, where Quay has it still. A tag that names something else by now is not moved: then
/// it comes back under its pin's name; where that is taken as well, there is no call to offer.
pub(super) fn kept(retention: &Retention, digest: &Digest, now: Timestamp) -> Option<DeletedManifest> {
    let Retention::Quay(repository) = retention else { return None };
    let window = SignedDuration::from_secs(repository.time_machine?);
    let living = repository.living(now);
    if living.iter().any(|row| row.digest == *digest) {
        return None;
    }
    let ended = repository.ended(now).filter(|row| row.digest == *digest);
    let until = |end: Timestamp| end.checked_add(window).ok();
    let (row, end, until) = ended
        .filter_map(|row| row.end.and_then(|end| Some((row, end, until(end)?))))
        .filter(|(_, _, until)| *until > now)
        .max_by_key(|(_, _, until)| *until)?;
    let is_taken = |name: &str| living.iter().any(|other| other.name.as_str() == name);
    let pin = Pin::for_digest(digest).to_string();
    let tag = [row.name.to_string(), pin].into_iter().find(|name| !is_taken(name))?;
    let QuayRepository { address, namespace, name, .. } = &**repository;
    let url = format!("{}/api/v1/repository/{namespace}/{name}/tag/{tag}/restore", address.trim_end_matches('/'));
    let by = Undelete::Quay { url: url.into(), until };
    Some(DeletedManifest { digest: digest.clone(), deleted: Some(end), by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{QuayCache, QuayPolicies, QuayRow, QuayState};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn row(name: &str, text: &str, end: Option<i64>) -> QuayRow {
        QuayRow {
            name: name.parse().unwrap(),
            digest: Digest::sha256(text.as_bytes()),
            start: at(0),
            end: end.map(at),
            immutable: false,
        }
    }

    fn repository(rows: Vec<QuayRow>) -> QuayRepository {
        QuayRepository {
            address: "https://quay.example.com/".into(),
            namespace: "acme".into(),
            name: "team/shop".into(),
            rows,
            read: at(0),
            disputed: Vec::new(),
            server: None,
            of_namespace: QuayPolicies::Known(Vec::new()),
            own: QuayPolicies::Known(Vec::new()),
            state: Some(QuayState::Normal),
            immutability: Vec::new(),
            cache: QuayCache::None,
            time_machine: Some(100),
            locks_pins: false,
        }
    }

    #[test]
    fn what_ended_within_the_window_comes_back_under_its_tag_and_moves_none_k54() {
        let digest = Digest::sha256(b"old");
        let gone = || row("v1.0.0", "old", Some(1_000));
        let found = |repository: QuayRepository, now| kept(&Retention::Quay(Box::new(repository)), &digest, at(now));
        let url =
            |tag: &str| format!("https://quay.example.com/api/v1/repository/acme/team/shop/tag/{tag}/restore").into();
        let told = found(repository(vec![gone()]), 1_050).unwrap();
        assert_eq!(told.by, Undelete::Quay { url: url("v1.0.0"), until: at(1_100) });
        assert_eq!((told.digest, told.deleted), (digest.clone(), Some(at(1_000))));
        assert_eq!(found(repository(vec![gone()]), 1_100), None, "the window is over");
        assert_eq!(found(repository(vec![row("v1.0.0", "old", None)]), 1_050), None, "it is there");
        assert_eq!(found(repository(vec![row("stable", "old", None), gone()]), 1_050), None, "another tag has it");
        let moved = found(repository(vec![row("v1.0.0", "new", None), gone()]), 1_050).unwrap();
        let pin = Pin::for_digest(&digest).to_string();
        assert_eq!(moved.by, Undelete::Quay { url: url(&pin), until: at(1_100) });
        let both = vec![row("v1.0.0", "new", None), row(&pin, "new", None), gone()];
        assert_eq!(found(repository(both), 1_050), None, "the call would move a tag that is there");
        let unread = QuayRepository { time_machine: None, ..repository(vec![gone()]) };
        assert_eq!(found(unread, 1_050), None, "for how long is not known");
        assert_eq!(kept(&Retention::Unruled, &digest, at(0)), None);
    }

    #[test]
    fn what_was_over_when_the_rows_were_read_is_over() {
        let of_run = QuayRepository { read: at(2_000), ..repository(vec![row("v1", "old", Some(1_500))]) };
        assert!(of_run.living(at(1_000)).is_empty(), "it went while the run went on");
        assert_eq!(of_run.ended(at(1_000)).count(), 1);
        let expires = QuayRepository { read: at(900), ..of_run };
        assert_eq!(expires.living(at(1_000)).len(), 1);
        let moved = repository(vec![row("v1", "new", None), row("v1", "old", Some(9_999))]);
        assert_eq!(moved.living(at(0)).len(), 1, "of one name the last row alone is a tag");
    }
}
