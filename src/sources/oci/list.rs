//! Lists, page by page to their end: what is read is handed on, what is lacking is told (F16–F20, F93).

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use url::Url;

use super::answer::Answer;
use super::fault::Fault;
use super::link::next_page;
use super::registry::{Registry, Repository};
use crate::model::Cause;

/// A list of more pages than this has no end. At 1,000 names each it would hold 20 million.
const MOST_PAGES: usize = 20_000;

/// Which list.
#[derive(Debug, Clone, Copy)]
pub(super) enum List<'a> {
    Catalog,
    Tags(&'a Repository),
}

/// A walk along a list. `P` is the document of one page.
pub(super) struct Pages<'a, P> {
    registry: &'a Registry,
    list: List<'a>,
    next: Option<Url>,
    started: bool,
    /// Every page's address so far: one that comes back would go on for ever (F18).
    visited: HashSet<String>,
    page: PhantomData<fn() -> P>,
}

impl<'a, P: DeserializeOwned> Pages<'a, P> {
    pub(super) fn new(registry: &'a Registry, list: List<'a>) -> Self {
        Self { registry, list, next: None, started: false, visited: HashSet::new(), page: PhantomData }
    }

    /// The next page; none after the last. After a fault there is no next page.
    pub(super) async fn next(&mut self) -> Option<Result<P, Fault>> {
        if self.started && self.next.is_none() {
            return None;
        }
        self.started = true;
        let asked = self.next.take();
        Some(self.fetch(asked).await)
    }

    async fn fetch(&mut self, asked: Option<Url>) -> Result<P, Fault> {
        let (url, answer) = match self.list {
            List::Catalog => self.registry.catalog_page(asked).await?,
            List::Tags(repository) => self.registry.tag_page(repository, asked).await?,
        };
        let what = self.what();
        if answer.status != StatusCode::OK {
            return Err(self.refusal(&answer, &what));
        }
        // Some registries call their lists plain text; what they are is decided by the strict reading below.
        answer.must_be(&what, |media_type| media_type.contains("json") || media_type == "text/plain")?;
        let page = serde_json::from_slice(&answer.body)
            .map_err(|_| Fault::malformed(format!("{what}: a page that is no such list")))?;
        let next = next_page(&url, &answer.headers)?;
        self.visited.insert(url.into());
        if let Some(next) = next {
            if self.visited.contains(next.as_str()) {
                return Err(Fault::malformed(format!("{what}: the list leads back to a page already read")));
            }
            if self.visited.len() >= MOST_PAGES {
                return Err(Fault::malformed(format!("{what}: no end after {MOST_PAGES} pages")));
            }
            self.next = Some(next);
        }
        Ok(page)
    }

    fn what(&self) -> String {
        match self.list {
            List::Catalog => format!("list of repositories of {}", self.registry.host.shown()),
            List::Tags(repository) => format!("tags of {}/{}", self.registry.host.shown(), repository.name),
        }
    }

    /// A list that is refused is not empty. Only the registry's own `NAME_UNKNOWN` says that a repository is gone.
    fn refusal(&self, answer: &Answer, what: &str) -> Fault {
        let named = |code: &String| matches!(code.as_str(), "NAME_UNKNOWN" | "NOT_FOUND");
        let fault = Fault::of(answer, what);
        if answer.status == StatusCode::NOT_FOUND
            && matches!(self.list, List::Tags(_))
            && fault.cause == Cause::NotFound
            && !answer.error_codes().iter().any(named)
        {
            let detail =
                format!("{}, without saying that the repository is unknown; is this a registry?", fault.detail);
            return Fault::new(Cause::Unsupported, detail);
        }
        fault
    }
}

/// A page of tags; `null` is an empty one (F20), and a document without the field is none.
#[derive(Deserialize)]
pub(super) struct TagPage {
    // Read by hand, because a plain `Option` may also be absent.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) tags: Option<Vec<Text>>,
}

/// A page of the catalog.
#[derive(Deserialize)]
pub(super) struct CatalogPage {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) repositories: Option<Vec<Text>>,
}

/// A name as it came, not judged yet.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_empty_and_absent_is_malformed_f20() {
        let tags = |text: &str| {
            let page = serde_json::from_str::<TagPage>(text).ok()?;
            Some(page.tags.unwrap_or_default().into_iter().map(|text| text.0).collect::<Vec<_>>())
        };
        assert_eq!(tags(r#"{"name":"a","tags":["1","a\u0062"]}"#), Some(vec!["1".to_owned(), "ab".to_owned()]));
        assert_eq!(tags(r#"{"name":"a","tags":null}"#), Some(vec![]));
        assert_eq!(tags(r#"{"name":"a","tags":[]}"#), Some(vec![]));
        assert_eq!(tags(r#"{"name":"a"}"#), None);
        assert_eq!(tags(r#"{"tags":[1]}"#), None);
        assert_eq!(tags(r#"{"errors":[]}"#), None);
    }
}
