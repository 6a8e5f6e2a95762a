//! `events:`: whose push events `watch` takes, and how a sender proves that it is one. Secrets come from the environment
//! only (I18).

use std::collections::BTreeMap;

use prodpin_core::model::SourceName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::problem::Span;
use super::spanned::{Entries, Spanned};
use super::{Secret, SourceConfig};

/// What proves that an event comes from the registry of a source. An event is a hint all the same: what it says is looked
/// up, and never believed.
#[derive(Debug, Clone)]
pub enum SenderProof {
    /// The `Authorization` header holds this: by itself, after `Bearer`, or as the password of `Basic`.
    Bearer(Secret),
    /// `X-Hub-Signature-256` is the HMAC-SHA256 of the body under this, as GitHub signs.
    Signature(Secret),
    /// The address ends in this: for senders that can neither sign nor set a header.
    Path(Secret),
}

/// How the sender of a source's push events proves that it is one: exactly one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "events")]
#[schemars(rename = "Events", default)]
pub(super) struct RawEvents {
    /// What its `Authorization` header holds, as `${NAME}` from the environment.
    bearer: Spanned<String>,
    /// What it signs `X-Hub-Signature-256` with, as `${NAME}` from the environment: GitHub.
    signature: Spanned<String>,
    /// The last part of the address that it posts to, `/events/SOURCE/PATH`, as `${NAME}` from the environment: for
    /// senders that can neither sign nor set a header.
    path: Spanned<String>,
}

/// Shorter secrets can be tried out.
const SHORTEST: usize = 16;

impl Checker<'_> {
    pub(super) fn events(
        &self,
        spanned: &Spanned<Entries<RawEvents>>,
        sources: &BTreeMap<SourceName, SourceConfig>,
    ) -> BTreeMap<SourceName, SenderProof> {
        let entries = spanned.value().map_or(&[][..], |entries| &entries.0);
        let read = entries.iter().filter_map(|(key, value)| {
            let name: SourceName = self.parsed(key, "a source name")?;
            let (span, raw) = value.read()?;
            self.sends_events(key.span().unwrap_or(span), &name, sources)?;
            Some((name, self.sender_proof(span, raw)?))
        });
        read.collect()
    }

    /// Whether such a source is there, and one whose registry posts events.
    fn sends_events(&self, span: Span, name: &SourceName, sources: &BTreeMap<SourceName, SourceConfig>) -> Option<()> {
        let (message, fix) = match sources.get(name) {
            Some(SourceConfig::Oci(_)) => return Some(()),
            Some(SourceConfig::Ecr(_) | SourceConfig::S3(_) | SourceConfig::Helm(_)) => (
                format!("{:?} sends no events by HTTP", name.as_str()),
                "take them by EventBridge in the Lambda function, or leave them out".to_owned(),
            ),
            None => {
                let known: Vec<&str> = sources.keys().map(SourceName::as_str).collect();
                let fix = format!("name one of the sources: {}", known.join(", "));
                (format!("there is no source {:?}", name.as_str()), fix)
            }
        };
        self.problems.error(span, message, fix);
        None
    }

    fn sender_proof(&self, span: Span, raw: &RawEvents) -> Option<SenderProof> {
        type Make = fn(Secret) -> SenderProof;
        let all: [(&Spanned<String>, &str, Make); 3] = [
            (&raw.bearer, "bearer", SenderProof::Bearer),
            (&raw.signature, "signature", SenderProof::Signature),
            (&raw.path, "path", SenderProof::Path),
        ];
        let mut given = all.into_iter().filter(|(spanned, ..)| spanned.span().is_some());
        let Some((spanned, key, make)) = given.next() else {
            let fix = "add bearer: ${NAME}, signature: ${NAME} or path: ${NAME}".to_owned();
            self.problems.error(span, "anybody could send these events", fix);
            return None;
        };
        if let Some((second, other, _)) = given.next() {
            let fix = format!("keep {key} or {other}");
            self.problems.error(second.span().unwrap_or(span), "a sender proves itself in one way", fix);
            return None;
        }
        let secret = self.secret(spanned, key)?;
        let at = spanned.span().unwrap_or(span);
        if secret.expose().len() < SHORTEST {
            let fix = format!("use at least {SHORTEST} random characters");
            self.problems.error(at, "this secret is so short that it can be guessed", fix);
            return None;
        }
        let is_plain = secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if key == "path" && !is_plain {
            self.problems.error(at, "this cannot stand in an address", "use letters, digits, - and _".to_owned());
            return None;
        }
        Some(make(secret))
    }
}
