//! The API `artifactregistry.googleapis.com/v1`: its pages, and what its refusals mean (K45).

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::caller::Caller;
use super::documents::Page;
use crate::oci::Beside;
use prodpin_core::model::Cause;
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;

/// The most that the API gives at once.
const PAGE: &str = "1000";

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 50_000;

/// So many pages in a row without a row, and the list has no end. A page may be empty, and others follow it.
const MOST_EMPTY_PAGES: usize = 100;

/// What to do where the identity does not reach.
const LACKS: &str = "grant roles/artifactregistry.reader on the repository to the identity that prodpin asks with";

/// The calls of one API.
#[derive(Debug)]
pub(super) struct Api {
    beside: Beside,
    caller: Caller,
}

/// An error document of Google's, as far as it says of what kind it is.
#[derive(Deserialize)]
struct Refused {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: String,
}

impl Api {
    pub(super) fn new(beside: Beside, caller: Caller) -> Self {
        Self { beside, caller }
    }

    /// The call, for messages.
    pub(super) fn what(&self, path: &str) -> String {
        self.beside.what(path)
    }

    /// A document.
    pub(super) async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let answer = self.success(path, &[]).await?;
        self.beside.parsed(path, &answer)
    }

    /// Every row of a list, a page at a time. `take` may end it.
    pub(super) async fn list<P: Page>(
        &self,
        path: &str,
        take: impl FnMut(Vec<P::Row>) -> Result<(), Fault> + Send,
    ) -> Result<(), Fault> {
        let longest = self.beside.longest_list();
        let late = || {
            let seconds = longest.as_secs();
            Fault::new(Cause::TimedOut, format!("{}: the list did not end within {seconds} s", self.what(path)))
        };
        tokio::time::timeout(longest, self.walk::<P>(path, take)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn walk<P: Page>(
        &self,
        path: &str,
        mut take: impl FnMut(Vec<P::Row>) -> Result<(), Fault> + Send,
    ) -> Result<(), Fault> {
        let mut next: Option<String> = None;
        // As numbers: tokens are as long as a server likes (I20).
        let (mut visited, mut empty) = (HashSet::new(), 0);
        for _ in 0..MOST_PAGES {
            let mut query = vec![("pageSize", PAGE)];
            query.extend(next.as_deref().map(|token| ("pageToken", token)));
            let answer = self.success(path, &query).await?;
            let (rows, token) = self.beside.parsed::<P>(path, &answer)?.into_rows();
            empty = if rows.is_empty() { empty + 1 } else { 0 };
            take(rows)?;
            let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(()) };
            let mut hasher = DefaultHasher::new();
            token.hash(&mut hasher);
            if !visited.insert(hasher.finish()) || empty >= MOST_EMPTY_PAGES {
                return Err(Fault::malformed(format!("{}: the list goes on without an end", self.what(path))));
            }
            next = Some(token);
        }
        Err(Fault::malformed(format!("{}: no end after {MOST_PAGES} pages", self.what(path))))
    }

    async fn success(&self, path: &str, query: &[(&str, &str)]) -> Result<HttpAnswer, Fault> {
        let token = self.caller.header(&self.beside).await?;
        let sent = ("application/json", HeaderMap::new());
        let answer = self.beside.read(path, query, sent, Some(token.clone())).await?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            // Whoever may not see is told 403: what is said to be missing in these words is.
            StatusCode::NOT_FOUND if is_missing(&answer) => {
                Err(Fault::new(Cause::NotFound, format!("{}: it does not exist", self.what(path))))
            }
            _ => Err(self.refusal(&answer, path, &token)),
        }
    }

    /// In the API's own words, unless they hold the token (I18).
    fn refusal(&self, answer: &HttpAnswer, path: &str, token: &HeaderValue) -> Fault {
        let fault = self.beside.refusal(answer, path, LACKS);
        let token = token.to_str().ok().and_then(|sent| sent.strip_prefix("Bearer ")).unwrap_or_default();
        match fault.detail.contains(token) {
            true => Fault::from_answer(answer, &self.what(path)),
            false => fault,
        }
    }
}

fn is_missing(answer: &HttpAnswer) -> bool {
    serde_json::from_slice::<Refused>(&answer.body).is_ok_and(|refused| refused.error.status == "NOT_FOUND")
}
