//! The exact commands that findings offer: what a person pastes into a shell at night has to be right.

use crate::model::{ArtifactId, EcrRepository, Mutability, RepositoryName};

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

fn ecr_command(verb: &str, repository: &RepositoryName, ecr: &EcrRepository) -> String {
    format!("aws ecr {verb} --registry-id {} --repository-name {}", quoted(&ecr.registry), quoted(repository.as_str()))
}

/// Prints the lifecycle policy with a rule in front that claims every pin.
pub(super) fn recommend(repository: &RepositoryName) -> String {
    format!("prodpin forecast --recommend {}", quoted(repository.as_str()))
}

/// Shows what the live rules will do to a repository.
pub(super) fn forecast(repository: &RepositoryName) -> String {
    format!("prodpin forecast {}", quoted(repository.as_str()))
}

/// An argument as a POSIX shell reads it: names come from outside.
fn quoted(argument: &str) -> String {
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
}
