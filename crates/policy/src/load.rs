//! From a file to a [`Policy`].

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::check::Checker;
use super::problem::{PolicyErrors, Problems};
use super::raw::RawPolicy;
use super::{Policy, reader, tree};
use prodpin_core::model::Digest;

/// No policy written by people comes near this (F67).
const MAX_BYTES: u64 = 1024 * 1024;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no such file.
    #[error("there is no policy at {0}: write one with `prodpin init`, or name repositories: `prodpin audit HOST/REPOSITORY`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is a directory, a socket, a device.
    #[error("{0} is not a file: name the policy file itself with --policy, such as {1}", path.display(), path.join("prodpin.yaml").display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// It is larger than any policy.
    #[error("{0} is larger than 1 MiB, which no policy needs: is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no text.
    #[error("{0} is not UTF-8 text from byte {at} on: save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where it stops being text.
        at: usize,
    },
    /// It could not be read.
    #[error("cannot read {0}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was read, and something is wrong in it.
    #[error("{0}")]
    Invalid(#[from] PolicyErrors),
}

/// Reads a policy file, with the process's environment. What it names by path is relative to its directory.
pub fn load(path: &Path) -> Result<Policy, PolicyError> {
    let text = read(path)?;
    let base = path.parent().unwrap_or(Path::new(""));
    let mut policy = parse_in(&text, &path.display().to_string(), base, &|name| std::env::var(name).ok())?;
    policy.safeguards.policy_file = Some(path.to_owned());
    Ok(policy)
}

/// Reads a policy's text. `origin` is the file's name, for messages and for what the policy names by path.
pub fn parse(text: &str, origin: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Policy, PolicyErrors> {
    parse_in(text, origin, Path::new(origin).parent().unwrap_or(Path::new("")), environment)
}

fn read(path: &Path) -> Result<String, PolicyError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => PolicyError::Missing { path: path.to_owned() },
        io::ErrorKind::IsADirectory => PolicyError::NotAFile { path: path.to_owned() },
        _ => PolicyError::Unreadable { path: path.to_owned(), source },
    };
    // Asked before opening: opening a named pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(PolicyError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PolicyError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes)
        .map_err(|error| PolicyError::NotText { path: path.to_owned(), at: error.utf8_error().valid_up_to() })
}

fn parse_in(
    text: &str,
    origin: &str,
    base: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Policy, PolicyErrors> {
    // The digest is of the file as it is; a byte order mark, which some editors add, is no part of the YAML.
    let digest = Digest::sha256(text.as_bytes());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let problems = Problems::new(origin, text);
    let policy = tree::plant(text, &problems, environment).and_then(|node| {
        let raw = reader::read::<RawPolicy>(&node, &problems);
        Checker { problems: &problems, base }.policy(raw.value()?, digest)
    });
    let warnings = problems.settle()?;
    match policy {
        Some(policy) => {
            let safeguards = policy.safeguards.clone().with_environment(environment);
            Ok(Policy { warnings, safeguards, ..policy })
        }
        None => Err(PolicyErrors::unexplained(origin)),
    }
}
