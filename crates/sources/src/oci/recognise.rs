//! Which kind of registry this is: its marks collected, once in a run. What they mean is decided elsewhere
//! (`model::Marks`).
//!
//! The base address is asked first, without credentials, because its challenge tells most kinds apart; paths that only
//! one kind answers come after it, where that showed nothing. A question that is answered with "no such thing" shows no
//! mark. One that is not answered leaves the kind unknown: a registry behind a gateway that is down is not plain.

use futures::future::join_all;

use super::challenge::note_challenge;
use super::fault::Fault;
use super::registry::Registry;
use super::wire::Answer;
use prodpin_core::model::{Cause, Marks, Recognised, RegistryKind, WellKnown};

/// Headers that are kept of each answer: a server may send any number.
const MOST_HEADERS: usize = 64;

impl Registry {
    /// What this registry is, asked once.
    pub(super) async fn kind(&self) -> &Recognised {
        self.recognised.get_or_init(|| self.recognise()).await
    }

    /// Whether looking by GET leaves a trace here that rules go by: then tags and pins are read by HEAD alone, and only
    /// targets by their bytes, each digest once (I30).
    pub(super) async fn counts_pulls(&self) -> bool {
        match self.kind().await {
            Recognised::Kind(kind) => kind.counts_pulls(),
            // Nobody said that it does not.
            Recognised::Unknown { .. } | Recognised::Before(_) => true,
            Recognised::NotAsked | Recognised::Plain => false,
        }
    }

    /// What this registry is, by everything that it shows.
    async fn recognise(&self) -> Recognised {
        if self.host.is_ecr() {
            return Recognised::Kind(RegistryKind::Ecr);
        }
        let mut marks = Marks { host: self.host.host().to_ascii_lowercase(), ..Marks::default() };
        if marks.is_known_without_rules() {
            return Recognised::Plain;
        }
        if let Some(kind) = marks.kind() {
            return Recognised::Kind(kind);
        }
        let base = self.base().await;
        if let Ok(answer) = &base {
            note_challenge(&answer.headers, &mut marks);
            note_headers(answer, &mut marks);
            if let Some(kind) = marks.kind() {
                return Recognised::Kind(kind);
            }
        }
        let mut unanswered = base.err().filter(is_open);
        let asked = WellKnown::ALL.map(|path| async move { (path, self.well_known(path).await) });
        for (path, answer) in join_all(asked).await {
            match answer {
                Ok(answer) => {
                    note_headers(&answer, &mut marks);
                    note_answer(path, &answer, &mut marks);
                }
                Err(fault) if is_open(&fault) => unanswered = unanswered.or(Some(fault)),
                Err(_) => {}
            }
        }
        marks.token_issuer = self.token_issuer().map(str::to_owned);
        match (marks.kind(), unanswered) {
            (Some(kind), _) => Recognised::Kind(kind),
            (None, Some(fault)) => Recognised::Unknown { detail: fault.detail },
            (None, None) => Recognised::Plain,
        }
    }
}

/// Whether a fault leaves open what the answer would have been. A refused login, a redirect that is not followed and a
/// page that is too large are answers of something else than what was asked for.
fn is_open(fault: &Fault) -> bool {
    matches!(fault.cause, Cause::Unreachable | Cause::TimedOut | Cause::Throttled | Cause::Interrupted)
}

fn note_headers(answer: &Answer, marks: &mut Marks) {
    let headers = answer.headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok().filter(|value| value.len() <= 1024)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    marks.headers.extend(headers.take(MOST_HEADERS));
}

fn note_answer(path: WellKnown, answer: &Answer, marks: &mut Marks) {
    let is_page = answer.media_type().is_some_and(|media_type| media_type.contains("html"));
    if !answer.status.is_success() || answer.elsewhere || is_page {
        return;
    }
    if let Ok(body) = std::str::from_utf8(&answer.body) {
        marks.answers.push((path, body.to_owned()));
    }
}
