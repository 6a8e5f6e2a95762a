//! What keeps a ledger honest: the key that signs its checkpoints, and the second place that remembers them.

use std::path::{Path, PathBuf};

use super::check::Checker;
use super::raw::{RawLedgerKey, RawPolicy};
use super::spanned::Spanned;
use super::{LedgerLocation, Secret};
use prodpin_core::model::Digest;

/// What keeps a ledger honest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Safeguards {
    /// Where the key is that signs checkpoints.
    pub key: KeyLocation,
    /// Where the key was that signed before: it hands over to the new one, and nothing else (F65).
    pub previous_key: Option<KeyLocation>,
    /// The verifier key of one that nobody has any more, so that it cannot hand over: another one is put in force
    /// without it, on record.
    pub lost_key: Option<String>,
    /// Where every checkpoint is copied, to be compared at the start of every run (I11, I12).
    pub anchor: Option<LedgerLocation>,
    /// The policy's file: beside it is a place that remembers the ledger's last commit, if it is in another folder than
    /// the ledger or its key (I24).
    pub policy_file: Option<PathBuf>,
    /// Nothing outside the ledger is to remember its last commit.
    pub forgets: bool,
    /// Whether the ledger is one that was named beside the policy, for once: then the policy's own memory of the ledger
    /// that it used last does not speak of it.
    pub named_apart: bool,
    /// Whether a history that is missing is given up on purpose, for one run. Never from the policy.
    pub adopt: bool,
}

/// Where a signing key is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeyLocation {
    /// Beside a local directory, as `DIRECTORY.key`, made at the first use. A ledger elsewhere is not signed: a key in
    /// the same bucket would prove nothing.
    #[default]
    Usual,
    /// In a file.
    File(PathBuf),
    /// The key itself, from the environment.
    Text(Secret),
    /// An Ed25519 key of AWS KMS, by alias, id or ARN. It never leaves KMS.
    Kms(String),
    /// Nowhere: checkpoints are not signed.
    None,
}

impl KeyLocation {
    /// `DIRECTORY.key`: where the usual key of a ledger in this directory is. Beside the directory itself, not beside a
    /// link to it.
    #[must_use]
    pub fn beside(directory: &Path) -> Option<PathBuf> {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let mut name = directory.file_name()?.to_owned();
        name.push(".key");
        Some(directory.with_file_name(name))
    }
}

/// The variable that may hold a key's text.
const VARIABLE: &str = "PRODPIN_LEDGER_KEY";

impl Safeguards {
    /// Neither signature nor anchor, and nothing that remembers.
    #[must_use]
    pub fn none() -> Self {
        Self { key: KeyLocation::None, forgets: true, ..Self::default() }
    }

    /// The files that remember the last commit of the ledger at this place, or will: `DIRECTORY.head` beside a directory,
    /// by the name it is given and by its real one; and, for a ledger at this place, one beside a key that the policy
    /// names and one beside the policy, if those are in other folders. A volume that is gone takes with it what lies on it.
    #[must_use]
    pub fn head_files(&self, ledger: &LedgerLocation) -> Vec<PathBuf> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let beside = |path: &Path, middle: &str| {
            let mut name = path.file_name()?.to_owned();
            name.push(format!("{middle}.head"));
            Some(path.with_file_name(name))
        };
        let (mut files, span): (Vec<PathBuf>, String) = match ledger {
            LedgerLocation::None => return Vec::new(),
            LedgerLocation::Directory(directory) => {
                let spanned = absolute(directory);
                let real = directory.canonicalize().unwrap_or_else(|_| spanned.clone());
                let files = [beside(&spanned, ""), beside(&real, "")].into_iter().flatten().collect();
                (files, spanned.display().to_string())
            }
            LedgerLocation::Store(url) => (Vec::new(), url.to_string()),
        };
        let key = match &self.key {
            KeyLocation::File(path) => Some(absolute(path)),
            KeyLocation::Usual | KeyLocation::Text(_) | KeyLocation::Kms(_) | KeyLocation::None => None,
        };
        // One key signs several ledgers, and one policy is used with several.
        let middle = format!(".{}", &Digest::sha256(span.as_bytes()).hex()[..12]);
        for path in key.into_iter().chain(self.policy_file.as_deref().map(absolute)) {
            if files.iter().all(|file| file.parent() != path.parent()) {
                files.extend(beside(&path, &middle));
            }
        }
        files.dedup();
        files
    }

    /// The file beside the policy that remembers which ledger it used last, so that a location that is mistyped or lost is
    /// no beginning.
    #[must_use]
    pub fn policy_head_file(&self) -> Option<PathBuf> {
        let policy = self.policy_file.as_deref().filter(|_| !self.named_apart && !self.forgets)?;
        let policy = std::path::absolute(policy).unwrap_or_else(|_| policy.to_owned());
        let mut name = policy.file_name()?.to_owned();
        name.push(".head");
        Some(policy.with_file_name(name))
    }

    /// The files in which its keys are, or will be.
    #[must_use]
    pub fn key_files(&self, ledger: &LedgerLocation) -> Vec<PathBuf> {
        let beside = match (&self.key, ledger) {
            (KeyLocation::Usual, LedgerLocation::Directory(directory)) => KeyLocation::beside(directory),
            _ => None,
        };
        let named = [Some(&self.key), self.previous_key.as_ref()].into_iter().flatten().filter_map(|span| match span {
            KeyLocation::File(path) => Some(path.clone()),
            KeyLocation::Usual | KeyLocation::Text(_) | KeyLocation::Kms(_) | KeyLocation::None => None,
        });
        beside.into_iter().chain(named).collect()
    }

    /// With the key that the environment holds, if the policy names none.
    #[must_use]
    pub fn with_environment(self, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        match environment(VARIABLE).filter(|text| !text.trim().is_empty()) {
            Some(text) if self.key == KeyLocation::Usual => {
                let name = text.trim();
                let in_kms = name.starts_with("alias/") || name.starts_with("arn:");
                let key = if in_kms { KeyLocation::Kms(name.to_owned()) } else { KeyLocation::Text(Secret::new(text)) };
                Self { key, ..self }
            }
            _ => self,
        }
    }
}

impl Checker<'_> {
    pub(super) fn safeguards(&self, raw: &RawPolicy) -> Safeguards {
        let anchor = raw.anchor.read().and_then(|(span, text)| {
            let read = LedgerLocation::parse(text, self.base).and_then(|anchor| match anchor {
                LedgerLocation::None => Err("an anchor is a place; leave the key out to have none".to_owned()),
                _ if self.location(&raw.ledger) == Some(LedgerLocation::None) => {
                    Err("there is no ledger to anchor: `ledger` is none; give it a place, or leave the anchor out"
                        .to_owned())
                }
                anchor if Some(&anchor) == self.location(&raw.ledger).as_ref() => {
                    Err("the anchor is the ledger itself, and would prove nothing; name another place".to_owned())
                }
                anchor => Ok(anchor),
            });
            read.map_err(|reason| self.problems.error(span, self.reported(&raw.anchor, reason), None)).ok()
        });
        Safeguards { anchor, ..self.ledger_key(&raw.ledger_key) }
    }

    fn location(&self, spanned: &Spanned<String>) -> Option<LedgerLocation> {
        match spanned.value() {
            Some(text) => LedgerLocation::parse(text, self.base).ok(),
            None => Some(LedgerLocation::Directory(self.base.join("prodpin-ledger"))),
        }
    }

    fn ledger_key(&self, spanned: &Spanned<RawLedgerKey>) -> Safeguards {
        let Some((span, raw)) = spanned.read() else { return Safeguards::default() };
        let previous_key = raw.previous.value().map(|text| self.key_place(text));
        let key = match (raw.file.value(), raw.kms.value()) {
            (Some(file), None) => KeyLocation::File(self.base.join(file)),
            (None, Some(name)) => KeyLocation::Kms(name.clone()),
            // The one that takes its place may be the usual one.
            (None, None) if raw.lost.value().is_some() => KeyLocation::Usual,
            _ => {
                let fix = "write { file: PATH } or { kms: alias/NAME }".to_owned();
                self.problems.error(span, "ledger_key names no key, or two", fix);
                KeyLocation::None
            }
        };
        let lost_key = raw.lost.read().map(|(span, text)| {
            if !is_verifier_key(text) {
                let fix = "write it as `prodpin verify` prints it: NAME+ID+KEY".to_owned();
                self.problems.error(span, "this is no verifier key", fix);
            }
            text.clone()
        });
        Safeguards { key, previous_key, lost_key, ..Safeguards::default() }
    }

    fn key_place(&self, text: &str) -> KeyLocation {
        if text.starts_with("alias/") || text.starts_with("arn:") {
            KeyLocation::Kms(text.to_owned())
        } else {
            KeyLocation::File(self.base.join(text))
        }
    }
}

/// `NAME+ID+KEY`, as far as its form goes; the ledger reads it.
fn is_verifier_key(text: &str) -> bool {
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next(), parts.next(), parts.next());
    let hex = |id: &str| id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.is_some_and(|name| !name.is_empty()) && id.is_some_and(hex) && key.is_some_and(|key| !key.is_empty())
}
