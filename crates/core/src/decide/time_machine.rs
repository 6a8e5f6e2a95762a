//! What Quay's time machine still has of what was deleted, and the call that brings it back (K54).

use jiff::{SignedDuration, Timestamp};

use super::commands;
use crate::model::{ArtifactId, Pin, QuayRepository, Retention};

/// How a manifest that no tag names any more is brought back, where Quay has it still. A tag that names something else by now
/// is not moved: then it comes back under its pin's name.
pub(super) fn bring_back(retention: &Retention, artifact: &ArtifactId, now: Timestamp) -> Option<String> {
    let Retention::Quay(repository) = retention else { return None };
    let digest = artifact.digest()?;
    let window = SignedDuration::from_secs(repository.time_machine?);
    let ended = repository.rows.iter().filter(|row| row.digest == *digest && !row.is_alive(now));
    let (row, until) = ended
        .filter_map(|row| Some((row, row.end?.checked_add(window).ok()?)))
        .filter(|(_, until)| *until > now)
        .max_by_key(|(_, until)| *until)?;
    let is_taken = repository.rows.iter().any(|other| other.name == row.name && other.is_alive(now));
    let tag = if is_taken { Pin::for_digest(digest).to_string() } else { row.name.to_string() };
    Some(format!("Quay's time machine has it until {until}: `{}`", command(repository, &tag, &digest.to_string())))
}

fn command(repository: &QuayRepository, tag: &str, digest: &str) -> String {
    let QuayRepository { address, namespace, name, .. } = repository;
    let url = format!("{}/api/v1/repository/{namespace}/{name}/tag/{tag}/restore", address.trim_end_matches('/'));
    format!(
        "curl -fsS -X POST -H \"Authorization: Bearer $QUAY_TOKEN\" -H \"Content-Type: application/json\" -d {} {}",
        commands::quoted(&format!("{{\"manifest_digest\":\"{digest}\"}}")),
        commands::quoted(&url)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, QuayPolicies, QuayRow};

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

    fn repository(rows: Vec<QuayRow>) -> Retention {
        Retention::Quay(Box::new(QuayRepository {
            address: "https://quay.example.com/".into(),
            namespace: "acme".into(),
            name: "team/shop".into(),
            rows,
            unlisted: Vec::new(),
            server: None,
            of_namespace: QuayPolicies::Known(Vec::new()),
            own: QuayPolicies::Known(Vec::new()),
            is_normal: Some(true),
            time_machine: Some(100),
            locks_pins: false,
        }))
    }

    #[test]
    fn what_ended_within_the_window_comes_back_under_its_tag_and_moves_none_k54() {
        let artifact = ArtifactId::Manifest(Digest::sha256(b"old"));
        let digest = Digest::sha256(b"old");
        let gone = || row("v1.0.0", "old", Some(1_000));
        let found = |rows: Vec<QuayRow>, now| bring_back(&repository(rows), &artifact, at(now));
        let told = found(vec![gone()], 1_050).unwrap();
        assert!(told.contains("until 1970-01-01T00:18:20Z"), "{told}");
        assert!(
            told.contains("https://quay.example.com/api/v1/repository/acme/team/shop/tag/v1.0.0/restore"),
            "{told}"
        );
        assert!(told.contains(&format!("{{\"manifest_digest\":\"{digest}\"}}")), "{told}");
        assert_eq!(found(vec![gone()], 1_100), None, "the window is over");
        assert_eq!(found(vec![row("v1.0.0", "old", None)], 1_050), None, "it is there");
        let moved = found(vec![row("v1.0.0", "new", None), gone()], 1_050).unwrap();
        assert!(moved.contains(&format!("/tag/prod-pinned-{}/restore", digest.hex())), "{moved}");
        assert_eq!(bring_back(&Retention::Unruled, &artifact, at(0)), None);
    }
}
