//! Which kind of registry this is: its marks collected, once in a run. What they mean is decided elsewhere
//! (`model::Marks`).
//!
//! The base address is asked first, without credentials, because its challenge tells most kinds apart; paths that only
//! one kind answers come after it, where that showed nothing. A question that is answered with "no such thing" shows no
//! mark. One that is not answered, or by somebody who forbids it, leaves the kind unknown: a registry behind a gateway is
//! not plain. And whatever is asked of it for other reasons is looked at in passing: a proxy may answer the questions and
//! hand everything else on.

use futures::future::join_all;
use reqwest::StatusCode;
use reqwest::header::CONTENT_ENCODING;

use super::challenge::note_challenge;
use super::fault::Fault;
use super::registry::Registry;
use super::transport::HttpAnswer;
use prodpin_core::model::{Cause, Marks, Recognised, RegistryKind, WellKnown};

/// Headers that are kept of each answer: a server may send any number.
const MOST_HEADERS: usize = 64;

impl Registry {
    /// What this registry is, asked once.
    pub(super) async fn kind(&self) -> Recognised {
        let asked = self.recognised.get_or_init(|| self.recognise()).await;
        match asked {
            Recognised::Plain | Recognised::Unknown { .. } => {
                self.shown_since().map_or_else(|| asked.clone(), Recognised::Kind)
            }
            _ => asked.clone(),
        }
    }

    /// The kind that any answer so far, or the issuer of a token, has shown.
    fn shown_since(&self) -> Option<RegistryKind> {
        let marks = self.marks_of_host();
        if marks.is_known_without_rules() {
            return None;
        }
        let issuer = || Marks { token_issuer: self.token_issuer().map(str::to_owned), ..marks }.kind();
        self.passing.get().copied().or_else(issuer)
    }

    fn marks_of_host(&self) -> Marks {
        Marks { host: self.host.host().to_ascii_lowercase(), ..Marks::default() }
    }

    /// Looks at an answer to whatever was asked.
    pub(super) fn note_passing(&self, answer: &HttpAnswer) {
        if answer.elsewhere || self.passing.get().is_some() {
            return;
        }
        let mut named = answer.headers.iter().take(MOST_HEADERS);
        let by_header = named.find_map(|(name, value)| Marks::kind_by_header(name.as_str(), value.as_bytes()));
        let by_challenge = || {
            let mut marks = self.marks_of_host();
            note_challenge(&answer.headers, &mut marks);
            marks.kind()
        };
        if let Some(kind) =
            by_header.or_else(|| (answer.status == StatusCode::UNAUTHORIZED).then(by_challenge).flatten())
        {
            self.passing.get_or_init(|| kind);
        }
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
        let mut marks = self.marks_of_host();
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
        let mut unanswered = match base {
            Ok(answer) => open_base(&answer),
            Err(fault) => Some(fault),
        };
        let asked = WellKnown::ALL.map(|path| async move { (path, self.well_known(path).await) });
        for (path, answer) in join_all(asked).await {
            match answer {
                Ok(answer) => {
                    note_challenge_of(&answer, &mut marks);
                    note_headers(&answer, &mut marks);
                    note_answer(path, &answer, &mut marks);
                    unanswered = unanswered.or_else(|| open_answer(path, &answer));
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

/// Whether a fault leaves open what the answer would have been. A redirect that is not followed is an answer of something
/// else than what was asked for.
fn is_open(fault: &Fault) -> bool {
    matches!(
        fault.cause,
        Cause::Unreachable
            | Cause::ServerError
            | Cause::TimedOut
            | Cause::Throttled
            | Cause::Interrupted
            | Cause::Denied
            | Cause::Malformed
    )
}

/// Why the base's answer leaves open what it is: a registry answers there with success, or asks who is there.
fn open_base(answer: &HttpAnswer) -> Option<Fault> {
    let is_page = answer.media_type().is_some_and(|media_type| media_type.contains("html"));
    let is_answered = match answer.status {
        StatusCode::UNAUTHORIZED => true,
        status => status.is_success() && !is_page && !answer.elsewhere,
    };
    let what = "GET /v2/, which tells what a registry is";
    match (is_answered, is_page && answer.status.is_success()) {
        (true, _) => None,
        (false, true) => Some(Fault::malformed(format!("{what}: answered with a web page"))),
        (false, false) => Some(Fault::from_answer(answer, what)),
    }
}

/// Why an answer at a well-known path leaves open whether the path is there: what is forbidden may be.
fn open_answer(path: WellKnown, answer: &HttpAnswer) -> Option<Fault> {
    let is_answered = answer.status.is_success()
        || answer.status.is_redirection()
        || matches!(answer.status.as_u16(), 400 | 401 | 404 | 405 | 406 | 410 | 415 | 501);
    let what = || format!("GET /{}, which tells what a registry is", path.path());
    let is_packed =
        answer.headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_packed && answer.status.is_success() {
        return Some(Fault::malformed(format!("{}: the answer is packed, which was not asked for", what())));
    }
    (!is_answered).then(|| Fault::from_answer(answer, &what()))
}

/// The challenge of a path beside the registry's own, where there is none known yet.
fn note_challenge_of(answer: &HttpAnswer, marks: &mut Marks) {
    let mut own = Marks { host: marks.host.clone(), ..Marks::default() };
    note_challenge(&answer.headers, &mut own);
    if own.kind().is_some() {
        (marks.token_realm, marks.token_service, marks.basic_realm) =
            (own.token_realm, own.token_service, own.basic_realm);
    }
}

fn note_headers(answer: &HttpAnswer, marks: &mut Marks) {
    let headers = answer.headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok().filter(|value| value.len() <= 1024)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    marks.headers.extend(headers.take(MOST_HEADERS));
}

fn note_answer(path: WellKnown, answer: &HttpAnswer, marks: &mut Marks) {
    let is_page = answer.media_type().is_some_and(|media_type| media_type.contains("html"));
    if !answer.status.is_success() || answer.elsewhere || is_page {
        return;
    }
    if let Ok(body) = std::str::from_utf8(&answer.body) {
        marks.answers.push((path, body.to_owned()));
    }
}
