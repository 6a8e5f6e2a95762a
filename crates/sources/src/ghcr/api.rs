//! GitHub's REST API: its pages, and what its refusals mean.

use std::collections::HashSet;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use serde::de::DeserializeOwned;

use crate::oci::Beside;
use prodpin_core::model::Cause;
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;

/// The most that GitHub takes.
const PAGE: usize = 100;

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 20_000;

/// So many pages in a row without a row that is new, and the list only repeats itself.
const MOST_STALE_PAGES: usize = 3;

/// What to do where the token does not reach.
const LACKS: &str = "use a token with read:packages whose user may read the package (a classic personal access token, or GITHUB_TOKEN of a \
                     workflow with `packages: read`)";

/// The calls of one GitHub.
#[derive(Debug)]
pub(super) struct Api {
    beside: Beside,
}

/// A row of a list, and what makes it another one than those before.
pub(super) trait Row: DeserializeOwned + Send {
    fn id(&self) -> u64;
}

impl Api {
    pub(super) fn new(beside: Beside) -> Self {
        Self { beside }
    }

    pub(super) fn host(&self) -> &str {
        self.beside.shown()
    }

    /// The server as `gh` calls it, where it is not github.com.
    pub(super) fn server(&self) -> Option<Box<str>> {
        let host = self.beside.base().host_str()?;
        (host != "api.github.com").then(|| host.strip_prefix("api.").unwrap_or(host).into())
    }

    /// A document.
    pub(super) async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let answer = self.success(path, &[]).await?;
        self.beside.parsed(path, &answer)
    }

    /// Every row of a list, a page at a time. `take` may end it.
    pub(super) async fn list<T: Row>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        take: impl FnMut(Vec<T>) -> Result<(), Fault> + Send,
    ) -> Result<(), Fault> {
        let longest = self.beside.longest_list();
        let late = || {
            let seconds = longest.as_secs();
            Fault::new(Cause::TimedOut, format!("{}: the list did not end within {seconds} s", self.beside.what(path)))
        };
        tokio::time::timeout(longest, self.walk(path, query, take)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn walk<T: Row>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        mut take: impl FnMut(Vec<T>) -> Result<(), Fault> + Send,
    ) -> Result<(), Fault> {
        let (mut seen, mut stale) = (HashSet::new(), 0);
        for number in 1..=MOST_PAGES {
            let (size, number) = (PAGE.to_string(), number.to_string());
            let mut asked = query.to_vec();
            asked.extend([("per_page", size.as_str()), ("page", number.as_str())]);
            let answer = self.success(path, &asked).await?;
            let rows: Vec<T> = self.beside.parsed(path, &answer)?;
            let (count, before) = (rows.len(), seen.len());
            seen.extend(rows.iter().map(Row::id));
            stale = if seen.len() == before { stale + 1 } else { 0 };
            take(rows)?;
            // A full page may be followed by others, whatever its header says (F106).
            if count == 0 || (count < PAGE && !has_next(&answer)) {
                return Ok(());
            }
            if stale >= MOST_STALE_PAGES {
                return Err(Fault::malformed(format!("{}: the list only repeats itself", self.beside.what(path))));
            }
        }
        Err(Fault::malformed(format!("{}: no end after {MOST_PAGES} pages", self.beside.what(path))))
    }

    async fn success(&self, path: &str, query: &[(&str, &str)]) -> Result<HttpAnswer, Fault> {
        let Some(token) = self.beside.bearer().await? else {
            let detail = format!(
                "there is no token for {}, which shows no packages without: set `username` and `password` on the source, or \
                 GITHUB_TOKEN",
                self.host()
            );
            return Err(Fault::new(Cause::Denied, detail));
        };
        let answer = self.beside.read(path, query, ("application/vnd.github+json", headers()), Some(token)).await?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            _ => Err(self.beside.refusal(&answer, path, LACKS)),
        }
    }
}

fn headers() -> HeaderMap {
    let version = (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));
    HeaderMap::from_iter([version])
}

fn has_next(answer: &HttpAnswer) -> bool {
    let links = answer.headers.get_all(LINK).iter().filter_map(|links| links.to_str().ok());
    links.into_iter().any(|links| links.contains("rel=\"next\""))
}
