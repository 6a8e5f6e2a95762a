//! `waivers:` and `security_hub:`: what is accepted, by whom and until when; and where AWS findings belong.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::given::Given;
use super::patterns::Confirmation;
use super::problem::Place;
use prodpin_core::model::AwsAccount;
use prodpin_core::model::{Code, NamePatterns, Waived, Waiver};

/// Findings that somebody answers for, for a while. They are shown, and do not count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a waiver")]
#[schemars(rename = "Waiver", default, extend("required" = ["code", "reason", "owner", "expires"]))]
pub(super) struct RawWaiver {
    /// The kind of finding.
    code: Given<Code>,
    /// Only of this source.
    source: Given<String>,
    /// Only about these repositories, by name or glob.
    repositories: Given<Vec<Given<String>>>,
    /// Only about these tags, keys or policy entries, by name or glob.
    references: Given<Vec<Given<String>>>,
    /// Confirms that every finding of this kind is meant.
    all: Given<bool>,
    /// Why it is accepted.
    reason: Given<String>,
    /// Who answers for that.
    owner: Given<String>,
    /// The last day on which it holds, in UTC, such as 2027-01-31.
    expires: Given<String>,
}

/// Where findings in AWS's format belong.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "security_hub")]
#[schemars(rename = "SecurityHub", default, extend("required" = ["account", "region"]))]
pub(super) struct RawSecurityHub {
    /// The account's twelve digits.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    account: Given<String>,
    /// The region.
    region: Given<String>,
}

impl Checker<'_> {
    pub(super) fn waivers(&self, given: &Given<Vec<Given<RawWaiver>>>) -> Vec<Waiver> {
        let entries = given.value().map_or(&[][..], Vec::as_slice);
        entries.iter().filter_map(|entry| entry.read().and_then(|(place, raw)| self.waiver(place, raw))).collect()
    }

    fn waiver(&self, place: Place, raw: &RawWaiver) -> Option<Waiver> {
        if raw.code.place().is_none() {
            let fix = "add code, such as code: tag-moved".to_owned();
            self.problems.error(place, "the waiver does not say which kind of finding it is about", fix);
        }
        let source = raw.source.place().and_then(|_| self.parsed(&raw.source, "a source name"));
        let everything = Given::default();
        let patterns = |given: &Given<Vec<Given<String>>>| -> Option<NamePatterns> {
            given.place().and_then(|_| self.patterns(given, place, &Confirmation { all: &everything, what: "" }))
        };
        let (repositories, references) = (patterns(&raw.repositories), patterns(&raw.references));
        let narrowed =
            [raw.source.place(), raw.repositories.place(), raw.references.place()].iter().any(Option::is_some);
        match (narrowed, raw.all.value().copied().unwrap_or(false)) {
            // What a waiver covers is no more seen to; everything of a kind is waived on purpose only (F68).
            (false, false) => {
                let fix = "name source, repositories or references, or write all: true".to_owned();
                self.problems.error(place, "nothing says which findings are meant", fix);
            }
            (true, true) => {
                let at = raw.all.place().unwrap_or(place);
                let fix = "keep one of the two".to_owned();
                self.problems.error(at, "all: true says every finding of the kind, and the waiver names some", fix);
            }
            _ => {}
        }
        let waived = self.waived(place, raw);
        Some(Waiver { code: *raw.code.value()?, source, repositories, references, waived: waived? })
    }

    fn waived(&self, place: Place, raw: &RawWaiver) -> Option<Waived> {
        let reason = self.wanted(&raw.reason, place, "reason", "say why it is accepted");
        let owner = self.wanted(&raw.owner, place, "owner", "say who answers for it");
        let expires = self.wanted(&raw.expires, place, "expires", "add a last day, such as expires: 2027-01-31")?;
        let expires = expires.parse().map_err(|_| {
            let at = raw.expires.place().unwrap_or(place);
            self.problems.error(at, "this is no date", "write it as 2027-01-31".to_owned());
        });
        Some(Waived { reason: reason?, owner: owner?, expires: expires.ok()? })
    }

    /// Text that a waiver must have.
    fn wanted(&self, given: &Given<String>, around: Place, key: &str, fix: &str) -> Option<String> {
        if given.place().is_none() {
            self.problems.error(around, format!("the waiver has no {key}"), fix.to_owned());
            return None;
        }
        let (place, text) = given.read()?;
        if text.trim().is_empty() {
            self.problems.error(place, format!("the waiver's {key} is empty"), fix.to_owned());
            return None;
        }
        Some(text.trim().to_owned())
    }

    pub(super) fn security_hub(&self, given: &Given<RawSecurityHub>) -> Option<AwsAccount> {
        let (place, raw) = given.read()?;
        for (key, given) in [("account", &raw.account), ("region", &raw.region)] {
            if given.place().is_none() {
                self.problems.error(place, format!("security_hub has no {key}"), None);
            }
        }
        let (at, id) = raw.account.read()?;
        if !(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())) {
            self.problems.error(at, "this is no AWS account", "write its 12 digits".to_owned());
        }
        let (at, region) = raw.region.read()?;
        if !is_region(region) {
            self.problems.error(at, "this is no region", "write it as AWS does, such as eu-west-1".to_owned());
        }
        Some(AwsAccount { id: id.clone(), region: region.clone() })
    }
}

pub(super) fn is_region(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
