//! What keeps a ledger honest: the key that signs its checkpoints, and the second place that remembers them.

use std::path::PathBuf;

use super::check::Checker;
use super::given::Given;
use super::raw::{RawLedgerKey, RawPolicy};
use super::{LedgerLocation, Secret};

/// What keeps a ledger honest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Safeguards {
    /// Where the key is that signs checkpoints.
    pub key: KeyPlace,
    /// Where the key was that signed before: it hands over to the new one, and nothing else (F65).
    pub previous_key: Option<KeyPlace>,
    /// Where every checkpoint is copied, to be compared at the start of every run (I11, I12).
    pub anchor: Option<LedgerLocation>,
}

/// Where a signing key is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeyPlace {
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

/// The variable that may hold a key's text.
const VARIABLE: &str = "PRODPIN_LEDGER_KEY";

impl Safeguards {
    /// Neither signature nor anchor.
    #[must_use]
    pub fn none() -> Self {
        Self { key: KeyPlace::None, ..Self::default() }
    }

    /// The files in which its keys are, or will be.
    #[must_use]
    pub fn key_files(&self, ledger: &LedgerLocation) -> Vec<PathBuf> {
        let beside = match (&self.key, ledger) {
            (KeyPlace::Usual, LedgerLocation::Directory(directory)) => directory.file_name().map(|name| {
                let mut name = name.to_owned();
                name.push(".key");
                directory.with_file_name(name)
            }),
            _ => None,
        };
        let named =
            [Some(&self.key), self.previous_key.as_ref()].into_iter().flatten().filter_map(|place| match place {
                KeyPlace::File(path) => Some(path.clone()),
                KeyPlace::Usual | KeyPlace::Text(_) | KeyPlace::Kms(_) | KeyPlace::None => None,
            });
        beside.into_iter().chain(named).collect()
    }

    /// With the key that the environment holds, if the policy names none.
    pub(super) fn with_environment(self, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        match environment(VARIABLE).filter(|text| !text.trim().is_empty()) {
            Some(text) if self.key == KeyPlace::Usual => Self { key: KeyPlace::Text(Secret::new(text)), ..self },
            _ => self,
        }
    }
}

impl Checker<'_> {
    pub(super) fn safeguards(&self, raw: &RawPolicy) -> Safeguards {
        let anchor = raw.anchor.read().and_then(|(place, text)| {
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
            read.map_err(|reason| self.problems.error(place, self.told(&raw.anchor, reason), None)).ok()
        });
        let (key, previous_key) = self.ledger_key(&raw.ledger_key);
        Safeguards { key, previous_key, anchor }
    }

    fn location(&self, given: &Given<String>) -> Option<LedgerLocation> {
        match given.value() {
            Some(text) => LedgerLocation::parse(text, self.base).ok(),
            None => Some(LedgerLocation::Directory(self.base.join("prodpin-ledger"))),
        }
    }

    fn ledger_key(&self, given: &Given<RawLedgerKey>) -> (KeyPlace, Option<KeyPlace>) {
        let Some((place, raw)) = given.read() else { return (KeyPlace::Usual, None) };
        let previous = raw.previous.value().map(|text| self.key_place(text));
        let key = match (raw.file.value(), raw.kms.value()) {
            (Some(file), None) => KeyPlace::File(self.base.join(file)),
            (None, Some(name)) => KeyPlace::Kms(name.clone()),
            _ => {
                let fix = "write { file: PATH } or { kms: alias/NAME }".to_owned();
                self.problems.error(place, "ledger_key names no key, or two", fix);
                KeyPlace::None
            }
        };
        (key, previous)
    }

    fn key_place(&self, text: &str) -> KeyPlace {
        if text.starts_with("alias/") || text.starts_with("arn:") {
            KeyPlace::Kms(text.to_owned())
        } else {
            KeyPlace::File(self.base.join(text))
        }
    }
}
