//! The exact commands that findings offer: what a person pastes into a shell at night has to be right.

use crate::model::{
    ArtifactId, BucketRetention, DeletedManifest, Digest, EcrRepository, Mutability, RepositoryKey, RepositoryName,
    Tag, Undelete,
};

/// The tags that hold every pin, as ECR's filters and lifecycle rules write them.
pub(super) const PIN_PATTERN: &str = "prod-pinned-*";

/// Makes pins immutable and leaves the rest as it is, where the rest is not said otherwise: the mode in which
/// everything works and no pin can be moved (A52).
pub(super) fn tag_mutability(repository: &RepositoryName, ecr: &EcrRepository, mutability: &Mutability) -> String {
    let (mode, filters): (&str, &[String]) = match mutability {
        Mutability::Mutable => ("MUTABLE", &[]),
        Mutability::Immutable => ("IMMUTABLE", &[]),
        Mutability::ImmutableExcept(filters) => ("IMMUTABLE_WITH_EXCLUSION", filters),
        Mutability::MutableExcept(filters) => ("MUTABLE_WITH_EXCLUSION", filters),
    };
    let mut command = ecr_command("put-image-tag-mutability", repository, ecr);
    command.push_str(&format!(" --image-tag-mutability {mode}"));
    if !filters.is_empty() {
        command.push_str(" --image-tag-mutability-exclusion-filters");
    }
    for filter in filters {
        command.push(' ');
        command.push_str(&quoted(&format!("filterType=WILDCARD,filter={filter}")));
    }
    command
}

/// Restores an archived image (A43).
pub(super) fn restore(repository: &RepositoryName, ecr: &EcrRepository, artifact: &ArtifactId) -> String {
    let command = ecr_command("update-image-storage-class", repository, ecr);
    format!("{command} --image-id {} --target-storage-class STANDARD", quoted(&format!("imageDigest={artifact}")))
}

/// Has S3 make a readable copy of an archived version for a month, or, from a tier of Intelligent-Tiering, bring it back
/// for good, for which no number of days may be given (B73). None for what is no object version.
pub(super) fn restore_object(bucket: &BucketRetention, artifact: &ArtifactId, class: &str) -> Option<String> {
    let request = match class.starts_with("INTELLIGENT_TIERING") {
        true => r#"{"GlacierJobParameters":{"Tier":"Standard"}}"#,
        false => r#"{"Days":30,"GlacierJobParameters":{"Tier":"Standard"}}"#,
    };
    let ArtifactId::ObjectVersion { version, .. } = artifact else { return None };
    let command = s3_command("restore-object", bucket, artifact, version)?;
    Some(format!("{command} --restore-request {}", quoted(request)))
}

/// Removes a delete marker, and so brings back what it hides (B60).
pub(super) fn unhide(bucket: &BucketRetention, artifact: &ArtifactId, marker: &str) -> Option<String> {
    s3_command("delete-object", bucket, artifact, marker)
}

/// The null version is asked for as `null`, without the hash that tells its bytes (B57).
fn s3_command(verb: &str, bucket: &BucketRetention, artifact: &ArtifactId, version: &str) -> Option<String> {
    let ArtifactId::ObjectVersion { key, .. } = artifact else { return None };
    let version = version.split_once('@').map_or(version, |(id, _)| id);
    Some(format!(
        "aws s3api {verb} --bucket {} --key {} --version-id {}",
        quoted(&bucket.bucket),
        quoted(key.as_str()),
        quoted(version)
    ))
}

fn ecr_command(verb: &str, repository: &RepositoryName, ecr: &EcrRepository) -> String {
    format!("aws ecr {verb} --registry-id {} --repository-name {}", quoted(&ecr.registry), quoted(repository.as_str()))
}

/// Prints the lifecycle policy with a rule in front that claims every pin.
pub(super) fn recommend(repository: &RepositoryName) -> String {
    format!("prodpin forecast --recommend {}", quoted(repository.as_str()))
}

/// Puts that policy in the place of the live one.
pub(super) fn put_recommended(repository: &RepositoryName, ecr: &EcrRepository) -> String {
    let put = ecr_command("put-lifecycle-policy", repository, ecr);
    format!("{} > policy.json && {put} --lifecycle-policy-text file://policy.json", recommend(repository))
}

/// Puts back a target from the vault. The source stands apart: `shop/api` may be a repository, or one called `api` in `shop`.
pub(super) fn restore_from_vault(repository: &RepositoryKey, artifact: &ArtifactId) -> String {
    let name = quoted(&format!("{}@{artifact}", repository.name));
    format!("prodpin restore --source {} {name} --apply", repository.source)
}

/// Has a registry put back what was deleted in it.
pub(super) fn undelete(deleted: &DeletedManifest) -> String {
    match &deleted.by {
        Undelete::GitHub { server, path } => {
            let server = server.as_ref().map_or_else(String::new, |server| format!(" --hostname {}", quoted(server)));
            format!("gh api --method POST{server} {}", quoted(path))
        }
        Undelete::Quay { url, .. } => format!(
            "curl -fsS -X POST -H \"Authorization: Bearer $QUAY_TOKEN\" -H 'Content-Type: application/json' -d {} {}",
            quoted(&format!("{{\"manifest_digest\":\"{}\"}}", deleted.digest)),
            quoted(url)
        ),
    }
}

/// Gives a manifest a tag. `repository` has the registry's host in front, as clients write it.
pub(super) fn tag_again(repository: &str, digest: &Digest, tag: &str) -> String {
    format!("crane tag {} {}", quoted(&format!("{repository}@{digest}")), quoted(tag))
}

/// Shows what a tag named, and since when.
pub(super) fn history(repository: &RepositoryName, tag: &Tag) -> String {
    format!("prodpin history {}", quoted(&format!("{repository}:{tag}")))
}

/// Reads and hashes every byte of a repository's rollback targets.
pub(super) fn drill(repository: &RepositoryName) -> String {
    format!("prodpin drill {}", quoted(repository.as_str()))
}

/// Shows what the live rules will do to a repository.
pub(super) fn forecast(repository: &RepositoryName) -> String {
    format!("prodpin forecast {}", quoted(repository.as_str()))
}

/// An argument as a POSIX shell reads it: names come from outside.
pub(super) fn quoted(argument: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'@' | b'=');
    if !argument.is_empty() && argument.bytes().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pin;

    #[test]
    fn a_name_cannot_end_its_quotes_i19() {
        assert_eq!(quoted("shop/api"), "shop/api");
        assert_eq!(quoted("a'; rm -rf /"), r"'a'\''; rm -rf /'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn the_pin_pattern_is_that_of_pins() {
        assert_eq!(PIN_PATTERN.strip_suffix('*'), Some(Pin::PREFIX));
    }

    #[test]
    fn commands_for_versions_name_them_as_s3_does_b57_b73() {
        let bucket = BucketRetention {
            bucket: "acme".into(),
            versioning: None,
            object_lock: None,
            lifecycle: None,
            layout: "{repository}/{version}".parse().expect("a layout"),
        };
        let of = |text: &str| text.parse::<ArtifactId>().expect("an artifact");
        assert_eq!(
            unhide(&bucket, &of("api/1 0.zip?versionId=v1"), "m1").as_deref(),
            Some("aws s3api delete-object --bucket acme --key 'api/1 0.zip' --version-id m1")
        );
        let restore = |artifact, class| restore_object(&bucket, &of(artifact), class).expect("an object version");
        let frozen = restore("api/1.zip?versionId=null@ee", "DEEP_ARCHIVE");
        assert!(frozen.contains("--version-id null --restore-request") && frozen.contains("\"Days\":30"), "{frozen}");
        assert!(!restore("api/1.zip?versionId=v1", "INTELLIGENT_TIERING ARCHIVE_ACCESS").contains("Days"));
    }
}
