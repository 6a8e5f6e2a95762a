//! Docker Hub's own interface: its login, its pages, and what its refusals mean.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::oci::Beside;
use prodpin_core::model::Cause;
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;

/// The most that Docker Hub takes.
const PAGE: &str = "100";

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 50_000;

/// What to do where the credentials do not reach.
const LACKS: &str = "use a personal or organization access token that may read the repository";

/// The calls of Docker Hub.
#[derive(Debug)]
pub(super) struct Api {
    beside: Beside,
    login: Mutex<Login>,
}

/// What came of the login.
#[derive(Debug, Default)]
struct Login {
    /// What it gave; none before, and for whoever has no credentials.
    token: Option<HeaderValue>,
    /// That it was refused: whoever tries again and again is locked out.
    refused: Option<Fault>,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<T> {
    /// How many rows there are on all pages.
    #[serde(default)]
    count: Option<usize>,
    #[serde(default)]
    next: Option<String>,
    #[serde(default = "Vec::new")]
    results: Vec<T>,
}

impl Api {
    pub(super) fn new(beside: Beside) -> Self {
        Self { beside, login: Mutex::default() }
    }

    pub(super) fn host(&self) -> &str {
        self.beside.shown()
    }

    pub(super) async fn has_login(&self) -> Result<bool, Fault> {
        self.beside.has_password().await
    }

    /// A document.
    pub(super) async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let answer = self.success(path, &[]).await?;
        self.beside.parsed(path, &answer)
    }

    /// Every row of a list, a page at a time, and how many the list says that there are. `take` may end it.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        take: impl FnMut(Vec<T>) -> Result<(), Fault> + Send,
    ) -> Result<Option<usize>, Fault> {
        let longest = self.beside.longest_list();
        let late = || {
            let seconds = longest.as_secs();
            Fault::new(Cause::TimedOut, format!("{}: the list did not end within {seconds} s", self.beside.what(path)))
        };
        tokio::time::timeout(longest, self.walk(path, take)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn walk<T: DeserializeOwned>(
        &self,
        path: &str,
        mut take: impl FnMut(Vec<T>) -> Result<(), Fault> + Send,
    ) -> Result<Option<usize>, Fault> {
        for number in 1..=MOST_PAGES {
            let number = number.to_string();
            let answer = self.success(path, &[("page_size", PAGE), ("page", &number)]).await?;
            let Page { count, next, results } = self.beside.parsed::<Page<T>>(path, &answer)?;
            let is_last = next.is_none_or(|next| next.is_empty()) || results.is_empty();
            take(results)?;
            if is_last {
                return Ok(count);
            }
        }
        Err(Fault::malformed(format!("{}: no end after {MOST_PAGES} pages", self.beside.what(path))))
    }

    /// A token that ran out is renewed once.
    async fn success(&self, path: &str, query: &[(&str, &str)]) -> Result<HttpAnswer, Fault> {
        let mut token = self.token(None).await?;
        for is_first in [true, false] {
            let sent = ("application/json", HeaderMap::new());
            let answer = self.beside.read(path, query, sent, token.clone()).await?;
            match answer.status {
                StatusCode::OK => return Ok(answer),
                StatusCode::UNAUTHORIZED if is_first && token.is_some() => token = self.token(token.as_ref()).await?,
                _ => return Err(self.beside.refusal(&answer, path, LACKS)),
            }
        }
        Err(Fault::new(Cause::Denied, format!("{}: no login is taken", self.beside.what(path))))
    }

    /// What proves who asks; nothing for whoever has no credentials. One call logs in for all that wait.
    async fn token(&self, stale: Option<&HeaderValue>) -> Result<Option<HeaderValue>, Fault> {
        let mut login = self.login.lock().await;
        if let Some(refused) = &login.refused {
            return Err(refused.clone());
        }
        if let Some(known) = login.token.as_ref().filter(|known| Some(*known) != stale) {
            return Ok(Some(known.clone()));
        }
        if !self.has_login().await? {
            return Ok(None);
        }
        let answer = self.beside.log_in("v2/auth/token", LACKS).await;
        login.refused = answer.as_ref().err().filter(|fault| fault.cause == Cause::Denied).cloned();
        login.token = answer?;
        Ok(login.token.clone())
    }
}
