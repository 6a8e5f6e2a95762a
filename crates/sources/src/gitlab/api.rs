//! The calls of GitLab's REST API and of GraphQL: paths, pages, and what refusals mean.
//!
//! GraphQL is asked by `GET`, in which GitLab itself takes no mutation.

use std::collections::HashSet;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::documents::{Answered, RepositoryRow};
use crate::oci::Beside;
use prodpin_core::model::Cause;
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;

/// The most that GitLab gives.
const PAGE: usize = 100;

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 20_000;

/// So many pages in a row without a row that is new, and the list only repeats itself.
const MOST_STALE_PAGES: usize = 3;

/// What to do where the token does not reach.
pub(super) const LACKS: &str = "use a token with the scope read_api whose user has at least the role Reporter there (`token` on the source, or \
                                PRODPIN_<SOURCE>_TOKEN)";

/// What is sent and asked for.
const JSON: &str = "application/json";

/// The calls of one GitLab.
#[derive(Debug)]
pub(super) struct Api {
    beside: Beside,
}

impl Api {
    pub(super) fn new(beside: Beside) -> Self {
        Self { beside }
    }

    pub(super) fn host(&self) -> &str {
        self.beside.shown()
    }

    /// How long all pages of one list may take together.
    pub(super) fn longest_list(&self) -> std::time::Duration {
        self.beside.longest_list()
    }

    /// The call for messages.
    pub(super) fn what(&self, path: &str) -> String {
        self.beside.what(path)
    }

    /// A document; none where GitLab itself says that there is none, which it also says of what the token may not see.
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Fault> {
        let answer = self.ask(path, &[]).await?;
        match answer.status {
            StatusCode::OK => self.beside.parsed(path, &answer).map(Some),
            StatusCode::NOT_FOUND if is_own_word(&answer) => Ok(None),
            StatusCode::NOT_FOUND => Err(Fault::new(
                Cause::Unsupported,
                format!("{}: the server answered 404, and not in GitLab's words; is this a GitLab?", self.what(path)),
            )),
            _ => Err(self.beside.refusal(&answer, path, LACKS)),
        }
    }

    /// Every repository of a group or project, a page at a time; none where GitLab says that there is no such thing. `take`
    /// may end it.
    pub(super) async fn repositories(
        &self,
        of: &str,
        take: impl FnMut(Vec<RepositoryRow>) -> Result<(), Fault> + Send,
    ) -> Result<Option<usize>, Fault> {
        let (path, longest) = (format!("v4/{of}/registry/repositories"), self.beside.longest_list());
        let late = || {
            let seconds = longest.as_secs();
            Fault::new(Cause::TimedOut, format!("{}: the list did not end within {seconds} s", self.what(&path)))
        };
        tokio::time::timeout(longest, self.walk(&path, take)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn walk(
        &self,
        path: &str,
        mut take: impl FnMut(Vec<RepositoryRow>) -> Result<(), Fault> + Send,
    ) -> Result<Option<usize>, Fault> {
        let (mut seen, mut stale, mut promised) = (HashSet::new(), 0, Promised::default());
        for number in 1..=MOST_PAGES {
            let (size, number) = (PAGE.to_string(), number.to_string());
            let answer = self.ask(path, &[("per_page", size.as_str()), ("page", number.as_str())]).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if is_own_word(&answer) && seen.is_empty() => return Ok(None),
                _ => return Err(self.beside.refusal(&answer, path, LACKS)),
            }
            let rows: Vec<RepositoryRow> = self.beside.parsed(path, &answer)?;
            let (count, before) = (rows.len(), seen.len());
            if count == 0 && promised.more {
                let detail = format!("{}: page {number} is empty, and the one before it named it", self.what(path));
                return Err(Fault::malformed(detail));
            }
            promised.read(&answer);
            if promised.changed {
                // What was on a page that is read already may have made room on it, and something stepped over the border.
                let detail =
                    format!("{}: repositories came or went while they were listed; run again", self.what(path));
                return Err(Fault::malformed(detail));
            }
            seen.extend(rows.iter().map(|row| row.id));
            stale = if seen.len() == before { stale + 1 } else { 0 };
            take(rows)?;
            // A full page may be followed by others, whatever its header says (F106).
            if count == 0 || (count < PAGE && !promised.more) {
                return self.must_be_all(path, promised.total, seen.len()).map(Some);
            }
            if stale >= MOST_STALE_PAGES {
                return Err(Fault::malformed(format!("{}: the list only repeats itself", self.what(path))));
            }
        }
        Err(Fault::malformed(format!("{}: no end after {MOST_PAGES} pages", self.what(path))))
    }

    /// GitLab says how many rows there are, up to ten thousand of them. An empty list is believed only with that word.
    fn must_be_all(&self, path: &str, total: Option<usize>, count: usize) -> Result<usize, Fault> {
        match total {
            Some(total) if total == count => Ok(count),
            None if count > 0 => Ok(count),
            Some(total) => {
                let detail = format!("{}: the list has {count} repositories and says {total}", self.what(path));
                Err(Fault::malformed(detail))
            }
            None => {
                let detail =
                    format!("{}: the list is empty, and does not say that there are none; {LACKS}", self.what(path));
                Err(Fault::new(Cause::Denied, detail))
            }
        }
    }

    /// What GraphQL gives for a query. An answer with errors is none, unless one of them is of a field that this release does
    /// not have: then there is nothing of the kind.
    pub(super) async fn graphql<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: &serde_json::Value,
    ) -> Result<Option<T>, Fault> {
        let (path, variables) = ("graphql", variables.to_string());
        let answer = self.ask(path, &[("query", query), ("variables", variables.as_str())]).await?;
        if answer.status != StatusCode::OK {
            return Err(self.beside.refusal(&answer, path, LACKS));
        }
        let Answered { data, errors } = self.beside.parsed::<Answered<T>>(path, &answer)?;
        if errors.iter().any(|error| error.message.contains("doesn't exist on type")) {
            return Ok(None);
        }
        match (data, errors.is_empty()) {
            (Some(data), true) => Ok(Some(data)),
            // What stands in the errors is not quoted, for a server chooses it (I18).
            _ => Err(Fault::malformed(format!("{}: GraphQL answered with errors", self.what(path)))),
        }
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<HttpAnswer, Fault> {
        let Some(secret) = self.beside.secret().await? else {
            let detail = format!("there is no token for {}, which shows no rules without; {LACKS}", self.host());
            return Err(Fault::new(Cause::Denied, detail));
        };
        let headers = HeaderMap::from_iter([(HeaderName::from_static("private-token"), secret)]);
        self.beside.read(path, query, (JSON, headers), None).await
    }
}

/// What pages said of a list: a repository may come while it is read, and a page that is lost says nothing.
#[derive(Default)]
struct Promised {
    /// How many rows there are, as the last one said that said it.
    total: Option<usize>,
    /// Whether the last one named another.
    more: bool,
    /// Whether one said another number than the one before.
    changed: bool,
}

impl Promised {
    fn read(&mut self, answer: &HttpAnswer) {
        let total = answer.headers.get("x-total").and_then(|total| total.to_str().ok()?.parse().ok());
        self.changed = self.total.is_some() && total.is_some() && total != self.total;
        self.total = total.or(self.total);
        self.more = has_next(answer);
    }
}

/// Whether an answer is GitLab's own word, and not that of something in front of it.
fn is_own_word(answer: &HttpAnswer) -> bool {
    #[derive(Deserialize)]
    struct Said {
        #[serde(alias = "error")]
        message: String,
    }
    serde_json::from_slice::<Said>(&answer.body).is_ok_and(|said| said.message.starts_with("404"))
}

fn has_next(answer: &HttpAnswer) -> bool {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    answer.headers.get_all(LINK).iter().any(|links| text(links).contains("rel=\"next\""))
        || answer.headers.get("x-next-page").is_some_and(|next| !text(next).trim().is_empty())
}

/// A path as one part of an address.
pub(super) fn encoded(path: &str) -> String {
    path.replace('/', "%2F")
}
