//! What brings a target back that is lost or damaged, in order: what must be deleted by hand before, and the commands (I27).

use super::commands;
use super::evidence::why_hollow;
use crate::model::{ArtifactId, Code, Digest, Finding, Obstacle, RepositoryKey, Tag};
use crate::outcome::report::TargetReport;

/// What mends a target that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mending {
    /// Its bytes, pushed again.
    Push,
    /// The same, once what lies under its digests is deleted: a registry skips a push of a digest that it has.
    DeleteFirst,
    /// Nothing: it never was one.
    Nothing,
}

pub(super) fn mending(target: &TargetReport) -> Mending {
    let damaged = |obstacle: &Obstacle| matches!(obstacle, Obstacle::PartDamaged { .. } | Obstacle::WrongBytes { .. });
    match () {
        () if why_hollow(target).is_some() => Mending::Nothing,
        () if target.obstacles.iter().any(damaged) => Mending::DeleteFirst,
        () => Mending::Push,
    }
}

/// What comes before the bytes of a target are put back where wrong ones lie in their place.
pub(super) fn make_room(artifact: &ArtifactId) -> String {
    match artifact {
        ArtifactId::ObjectVersion { key, .. } => format!("first {}", hide(key)),
        ArtifactId::Manifest(_) => {
            "first delete these blobs from the registry's storage: it skips a push of a digest that it has, and a restore's \
             too"
                .to_owned()
        }
    }
}

/// The command that puts a target back from the vault.
#[must_use]
pub fn restore_command(repository: &RepositoryKey, artifact: &ArtifactId) -> String {
    commands::restore_from_vault(repository, artifact)
}

/// What brings a target back from a vault, in order: what must be done by hand before, and the commands.
#[must_use]
pub fn way_back(repository: &RepositoryKey, target: &TargetReport) -> (Option<String>, Vec<String>) {
    let restore = restore_command(repository, &target.artifact);
    match mending(target) {
        Mending::Nothing => (None, Vec::new()),
        Mending::Push => (None, vec![restore]),
        Mending::DeleteFirst => {
            let damaged: Vec<String> =
                target.obstacles.iter().filter_map(lies_under).map(ToString::to_string).collect();
            let what = match damaged.is_empty() {
                true => target.artifact.to_string(),
                false => damaged.join(", "),
            };
            let first = match &target.artifact {
                ArtifactId::ObjectVersion { key, .. } => {
                    format!(
                        "{} is damaged: first {}; then restore it, and prove it",
                        target.artifact.short(),
                        hide(key)
                    )
                }
                ArtifactId::Manifest(_) => format!(
                    "{} is damaged: first delete {what} from the registry's storage, since it skips a push of a digest that \
                     it has; then restore it, and prove it",
                    target.artifact.short()
                ),
            };
            (Some(first), vec![restore, commands::drill(&repository.name)])
        }
    }
}

/// A restore writes over nothing: what stands at the key has to make room, and stays in the bucket behind a delete marker.
#[must_use]
pub fn hide(key: &Tag) -> String {
    let key = commands::quoted(key.as_str());
    format!(
        "put a delete marker in front of it, since a restore writes over nothing: `aws s3api delete-object --bucket BUCKET \
         --key {key}` without a version id"
    )
}

fn lies_under(obstacle: &Obstacle) -> Option<&Digest> {
    match obstacle {
        Obstacle::PartDamaged { digest, .. } => Some(digest),
        _ => None,
    }
}

/// Where a target is lost or broken and there is a vault: what the vault may have, and the command that puts it back.
pub fn name_vault(findings: &mut [Finding], targets: &[TargetReport]) {
    for finding in findings {
        if !matches!(finding.code, Code::TargetMissing | Code::TargetBroken) {
            continue;
        }
        let artifact = finding.artifact.as_deref().and_then(|artifact| artifact.parse::<ArtifactId>().ok());
        let (Some(artifact), Some(source), Some(name)) = (artifact, finding.source.clone(), finding.repository.clone())
        else {
            continue;
        };
        let key = RepositoryKey { source, name };
        let command = restore_command(&key, &artifact);
        let target = targets.iter().find(|target| target.artifact == artifact);
        let first = make_room(&artifact);
        finding.remedy = match target.map_or(Mending::Push, mending) {
            Mending::Nothing => continue,
            Mending::Push => format!("if the vault has it: `{command}`; else {}", finding.remedy),
            Mending::DeleteFirst => format!(
                "{first}; then, if the vault has it: `{command}`, else put the same bytes there again from a replica or a \
                 backup; then prove it: `{}`",
                commands::drill(&key.name)
            ),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;
    use crate::outcome::report::PinReport;
    use jiff::Timestamp;

    fn target(artifact: &Digest, obstacles: Vec<Obstacle>) -> TargetReport {
        TargetReport {
            artifact: artifact.clone().into(),
            rank: None,
            references: vec![],
            reasons: vec![],
            running: false,
            pin: PinReport::Present,
            restorable: Some(false),
            protected: Some(false),
            obstacles,
            survives: None,
            parts: None,
            vault: None,
            drills: vec![],
        }
    }

    #[test]
    fn a_lost_target_names_the_command_that_brings_it_back() {
        let key = RepositoryKey { source: "shop".parse().unwrap(), name: "shop/api".parse().unwrap() };
        let artifact = ArtifactId::Manifest(Digest::sha256(b"x"));
        let of = |code| {
            let finding = Finding::new(code, Severity::Critical, "gone", "push it again", Timestamp::UNIX_EPOCH);
            Finding { artifact: Some(artifact.to_string()), ..finding.of_repository(&key) }
        };
        let mut findings = vec![of(Code::TargetMissing), of(Code::TargetBroken), of(Code::PinMoved)];
        name_vault(&mut findings, &[]);
        let command = format!("prodpin restore --source shop shop/api@{artifact} --apply");
        assert!(findings[0].remedy.contains(&command) && findings[1].remedy.contains(&command));
        assert_eq!(findings[2].remedy, "push it again");
    }

    /// A registry skips a push of a digest that it has: whatever is pushed before the deletion changes nothing.
    #[test]
    fn wrong_bytes_are_deleted_before_anything_is_restored_f104() {
        let key = RepositoryKey { source: "shop".parse().unwrap(), name: "api".parse().unwrap() };
        let (artifact, part) = (Digest::sha256(b"image"), Digest::sha256(b"layer"));
        let lost = || Obstacle::PartMissing { digest: part.clone(), part: None, more: None };
        let damaged = |digest: &Digest| Obstacle::PartDamaged { digest: digest.clone(), detail: "size".to_owned() };
        let served = || Obstacle::WrongBytes { detail: "it hashes to something else".to_owned() };
        for (obstacles, expected) in [
            (vec![Obstacle::Missing], Mending::Push),
            (vec![lost()], Mending::Push),
            (vec![damaged(&part)], Mending::DeleteFirst),
            (vec![lost(), damaged(&part)], Mending::DeleteFirst),
            (vec![served()], Mending::DeleteFirst),
            (vec![damaged(&artifact)], Mending::Nothing),
        ] {
            let target = target(&artifact, obstacles);
            let finding = Finding::new(Code::TargetBroken, Severity::Critical, "broken", "mend", Timestamp::UNIX_EPOCH);
            let finding = Finding { artifact: Some(artifact.to_string()), ..finding.of_repository(&key) };
            let mut findings = vec![finding];
            name_vault(&mut findings, std::slice::from_ref(&target));
            let remedy = &findings[0].remedy;
            let at = |what: &str| remedy.find(what);
            let (first, commands) = way_back(&key, &target);
            assert_eq!(mending(&target), expected, "{:?}", target.obstacles);
            match expected {
                Mending::Push => assert!(at("delete").is_none() && at("prodpin restore").is_some(), "{remedy}"),
                Mending::Nothing => assert_eq!(remedy, "mend"),
                Mending::DeleteFirst => {
                    assert!(
                        at("delete") < at("prodpin restore") && at("prodpin restore") < at("prodpin drill"),
                        "{remedy}"
                    );
                    assert!(at("delete").is_some());
                }
            }
            assert_eq!(first.is_some(), expected == Mending::DeleteFirst);
            let commands = commands.iter().map(|command| command.split(' ').nth(1).unwrap()).collect::<Vec<_>>();
            let known: &[&str] = match expected {
                Mending::Push => &["restore"],
                Mending::DeleteFirst => &["restore", "drill"],
                Mending::Nothing => &[],
            };
            assert_eq!(commands, known);
        }
    }
}
