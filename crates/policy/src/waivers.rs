//! `waivers:` and `security_hub:`: what is accepted, by whom and until when; and where AWS findings belong.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::patterns::Confirmation;
use super::problem::Span;
use super::spanned::Spanned;
use prodpin_core::model::AwsAccount;
use prodpin_core::model::{Code, NamePatterns, Waived, Waiver};

/// Findings that somebody answers for, for a while. They are shown, and do not count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a waiver")]
#[schemars(rename = "Waiver", default, extend("required" = ["code", "reason", "owner", "expires"]))]
pub(super) struct RawWaiver {
    /// The kind of finding.
    code: Spanned<Code>,
    /// Only of this source.
    source: Spanned<String>,
    /// Only about these repositories, by name or glob.
    repositories: Spanned<Vec<Spanned<String>>>,
    /// Only about these tags, keys or policy entries, by name or glob.
    references: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every finding of this kind is meant.
    all: Spanned<bool>,
    /// Why it is accepted.
    reason: Spanned<String>,
    /// Who answers for that.
    owner: Spanned<String>,
    /// The last day on which it holds, in UTC, such as 2027-01-31.
    expires: Spanned<String>,
}

/// Where findings in AWS's format belong.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "security_hub")]
#[schemars(rename = "SecurityHub", default, extend("required" = ["account", "region"]))]
pub(super) struct RawSecurityHub {
    /// The account's twelve digits.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    account: Spanned<String>,
    /// The region.
    region: Spanned<String>,
}

impl Checker<'_> {
    pub(super) fn waivers(&self, spanned: &Spanned<Vec<Spanned<RawWaiver>>>) -> Vec<Waiver> {
        let entries = spanned.value().map_or(&[][..], Vec::as_slice);
        entries.iter().filter_map(|entry| entry.read().and_then(|(span, raw)| self.waiver(span, raw))).collect()
    }

    fn waiver(&self, span: Span, raw: &RawWaiver) -> Option<Waiver> {
        if raw.code.span().is_none() {
            let fix = "add code, such as code: tag-moved".to_owned();
            self.problems.error(span, "the waiver does not say which kind of finding it is about", fix);
        }
        let source = raw.source.span().and_then(|_| self.parsed(&raw.source, "a source name"));
        let everything = Spanned::default();
        let patterns = |spanned: &Spanned<Vec<Spanned<String>>>| -> Option<NamePatterns> {
            spanned.span().and_then(|_| self.patterns(spanned, span, &Confirmation { all: &everything, what: "" }))
        };
        let (repositories, references) = (patterns(&raw.repositories), patterns(&raw.references));
        let narrowed = [raw.source.span(), raw.repositories.span(), raw.references.span()].iter().any(Option::is_some);
        match (narrowed, raw.all.value().copied().unwrap_or(false)) {
            // What a waiver covers is no more seen to; everything of a kind is waived on purpose only (F68).
            (false, false) => {
                let fix = "name source, repositories or references, or write all: true".to_owned();
                self.problems.error(span, "nothing says which findings are meant", fix);
            }
            (true, true) => {
                let at = raw.all.span().unwrap_or(span);
                let fix = "keep one of the two".to_owned();
                self.problems.error(at, "all: true says every finding of the kind, and the waiver names some", fix);
            }
            _ => {}
        }
        let waived = self.waived(span, raw);
        Some(Waiver { code: *raw.code.value()?, source, repositories, references, waived: waived? })
    }

    fn waived(&self, span: Span, raw: &RawWaiver) -> Option<Waived> {
        let reason = self.wanted(&raw.reason, span, "reason", "say why it is accepted");
        let owner = self.wanted(&raw.owner, span, "owner", "say who answers for it");
        let expires = self.wanted(&raw.expires, span, "expires", "add a last day, such as expires: 2027-01-31")?;
        let expires = expires.parse().map_err(|_| {
            let at = raw.expires.span().unwrap_or(span);
            self.problems.error(at, "this is no date", "write it as 2027-01-31".to_owned());
        });
        Some(Waived { reason: reason?, owner: owner?, expires: expires.ok()? })
    }

    /// Text that a waiver must have.
    fn wanted(&self, spanned: &Spanned<String>, around: Span, key: &str, fix: &str) -> Option<String> {
        if spanned.span().is_none() {
            self.problems.error(around, format!("the waiver has no {key}"), fix.to_owned());
            return None;
        }
        let (span, text) = spanned.read()?;
        if text.trim().is_empty() {
            self.problems.error(span, format!("the waiver's {key} is empty"), fix.to_owned());
            return None;
        }
        Some(text.trim().to_owned())
    }

    pub(super) fn security_hub(&self, spanned: &Spanned<RawSecurityHub>) -> Option<AwsAccount> {
        let (span, raw) = spanned.read()?;
        for (key, spanned) in [("account", &raw.account), ("region", &raw.region)] {
            if spanned.span().is_none() {
                self.problems.error(span, format!("security_hub has no {key}"), None);
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
