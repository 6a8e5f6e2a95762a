//! Lists, page by page to their end: what is read is handed on, what is lacking is reported (F16–F20, F93).

use std::collections::HashSet;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use url::Url;

use super::answer::HttpAnswer;
use super::fault::Fault;
use super::link::next_page;
use super::page::{Names, Text, fingerprint, hash};
use super::registry::{Registry, Repository};
use prodpin_core::model::{Cause, Digest, ListStep, PageFacts, judge_page};

/// A list of more pages than this has no end. At 1,000 names each it would hold 20 million.
const MOST_PAGES: usize = 20_000;

/// So many pages in a row without a name that is new, and the list is taken to have no end. Some registries leave out
/// what the user may not see only after paging, so a few empty pages are no sign of anything.
const MOST_STALE_PAGES: usize = 100;

/// How many names a page is asked to hold.
pub(super) const PAGE: usize = 1_000;

/// Which list.
#[derive(Debug, Clone, Copy)]
pub(super) enum List<'a> {
    Catalog,
    Tags(&'a Repository),
}

/// How a list is asked for that comes without a next page.
#[derive(Default)]
struct Unlinked {
    /// Whether the server has named a next page before: then its silence is the end.
    linked: bool,
    asking: Asking,
    /// Whether the server refused the size that was asked for, and gives pages of its own.
    any_size: bool,
    most: usize,
    /// Hashes of the names so far, of which the first page is enough to notice that a list starts anew.
    first: HashSet<u64>,
    /// Why it may be cut off, told after what came.
    cut_off: Option<Fault>,
}

/// What the page that is asked for was asked by.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Asking {
    #[default]
    FirstPage,
    LastName,
    Whole(usize),
}

/// A walk along a list. `P` is the document of one page.
pub(super) struct Pages<'a, P> {
    registry: &'a Registry,
    list: List<'a>,
    next: Option<Url>,
    started: bool,
    /// Hashes of every page's address so far: one that comes back would go on for ever (F18), and the addresses themselves
    /// are as long as a server likes (I20).
    visited: HashSet<Digest>,
    /// What each page held, as one number each, and how many in a row held nothing else.
    held: HashSet<u64>,
    stale: usize,
    /// How long pages were waited for, without what was done with them.
    waited: Duration,
    /// What is known of a server that names no next page, and may have cut the list off all the same (F106).
    unlinked: Unlinked,
    page: PhantomData<fn() -> P>,
}

impl<'a, P: DeserializeOwned + Names> Pages<'a, P> {
    pub(super) fn new(registry: &'a Registry, list: List<'a>) -> Self {
        Self {
            registry,
            list,
            next: None,
            started: false,
            visited: HashSet::new(),
            held: HashSet::new(),
            stale: 0,
            waited: Duration::ZERO,
            unlinked: Unlinked::default(),
            page: PhantomData,
        }
    }

    /// The next page; none after the last. After a fault there is no next page.
    pub(super) async fn next(&mut self) -> Option<Result<P, Fault>> {
        if let Some(fault) = self.unlinked.cut_off.take() {
            return Some(Err(fault));
        }
        if self.started && self.next.is_none() {
            return None;
        }
        self.started = true;
        let asked = self.next.take();
        let began = Instant::now();
        let page = self.fetch(asked).await;
        self.waited += began.elapsed();
        match page {
            Err(fault) if self.unlinked.was_whole() && is_refusal(&fault) => None,
            page => Some(page),
        }
    }

    async fn fetch(&mut self, asked: Option<Url>) -> Result<P, Fault> {
        let (url, answer) = self.ask(asked).await?;
        let what = self.what();
        let page = self.read(&answer, &what)?;
        // What came is looked at, whatever it says of more.
        let next = next_page(&url, &answer.headers).unwrap_or_else(|fault| {
            self.unlinked.cut_off = Some(fault);
            None
        });
        self.visited.insert(Digest::sha256(url.as_str().as_bytes()));
        self.stale = if self.held.insert(fingerprint(page.names())) { 0 } else { self.stale + 1 };
        let next = match next {
            Some(next) => {
                self.unlinked.linked = true;
                Some(next)
            }
            None if self.unlinked.cut_off.is_some() => None,
            None => self.on_without_link(page.names(), &what),
        };
        if let Some(next) = next {
            self.go_on(next, &what)?;
        }
        Ok(page)
    }

    /// The answer, and what was asked in the end: some registries refuse a page that is larger than they allow, and some a
    /// page without a size.
    async fn ask(&mut self, asked: Option<Url>) -> Result<(Url, HttpAnswer), Fault> {
        let is_first = asked.is_none();
        let (url, answer) = self.registry.page(self.list, asked).await?;
        if is_first && is_size_refused(&answer) {
            self.unlinked.any_size = true;
            let smaller = [None, Some(100), Some(10)].map(|size| size.map(|names: usize| ("n", names.to_string())));
            for size in smaller {
                let page = self.registry.list_url(self.list, size);
                let (asked, smaller) = self.registry.page(self.list, Some(page)).await?;
                if smaller.status == StatusCode::OK {
                    return Ok((asked, smaller));
                }
            }
        }
        Ok((url, answer))
    }

    fn read(&self, answer: &HttpAnswer, what: &str) -> Result<P, Fault> {
        if answer.status != StatusCode::OK {
            return Err(self.refusal(answer, what));
        }
        // Some registries call their lists plain text; what they are is decided by the strict reading below.
        answer.must_be(what, |media_type| media_type.contains("json") || media_type == "text/plain")?;
        let body = answer.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&answer.body);
        let page: P = serde_json::from_slice(body)
            .map_err(|_| Fault::malformed(format!("{what}: a page that is no such list")))?;
        page.belongs_to(self.list).map_err(|reason| Fault::malformed(format!("{what}: {reason}")))?;
        Ok(page)
    }

    /// Takes the next page's address, unless the list has no end.
    fn go_on(&mut self, next: Url, what: &str) -> Result<(), Fault> {
        if self.visited.contains(&Digest::sha256(next.as_str().as_bytes())) {
            return Err(Fault::malformed(format!("{what}: the list leads back to a page already read")));
        }
        if self.visited.len() >= MOST_PAGES {
            return Err(Fault::malformed(format!("{what}: no end after {MOST_PAGES} pages")));
        }
        // A new cursor every time leads on for ever just as well (F18).
        if self.stale >= MOST_STALE_PAGES {
            return Err(Fault::malformed(format!(
                "{what}: no end, {MOST_STALE_PAGES} pages in a row brought no new name"
            )));
        }
        let longest = self.registry.longest_list();
        if self.waited > longest {
            let detail = format!("{what}: no end within {} s of waiting for its pages", longest.as_secs_f64());
            return Err(Fault::new(Cause::TimedOut, detail));
        }
        self.next = Some(next);
        Ok(())
    }

    /// Where to go on after a page that names no next one, by the table of proofs.
    fn on_without_link(&mut self, names: &[Text], what: &str) -> Option<Url> {
        if self.unlinked.linked {
            return None;
        }
        let asking = self.unlinked.asking;
        let step = judge_page(&self.unlinked.facts(names));
        self.unlinked.note(names);
        let size = |names: usize| ("n", names.to_string());
        match step {
            ListStep::End => None,
            ListStep::AskOn => {
                self.unlinked.asking = Asking::LastName;
                let last = names.last().map(|Text(name)| ("last", name.clone()));
                let page = (!self.unlinked.any_size).then(|| size(PAGE));
                Some(self.registry.list_url(self.list, page.into_iter().chain(last)))
            }
            ListStep::Enlarge(room) => {
                self.unlinked.asking = Asking::Whole(room);
                Some(self.registry.list_url(self.list, [size(room)]))
            }
            ListStep::CutOff => {
                let asked = match asking {
                    Asking::Whole(room) => room,
                    Asking::FirstPage | Asking::LastName => PAGE,
                };
                self.unlinked.cut_off = Some(Fault::malformed(format!(
                    "{what}: asked for {asked} names, got {} and no Link to more, and asking for what follows the last one \
                     leads back to the first: the list may be cut off; have the registry send Link headers, or list fewer \
                     names per repository",
                    names.len()
                )));
                None
            }
        }
    }

    fn what(&self) -> String {
        match self.list {
            List::Catalog => format!("list of repositories of {}", self.registry.host.shown()),
            List::Tags(repository) => format!("tags of {}/{}", self.registry.host.shown(), repository.name),
        }
    }

    /// A list that is refused is not empty. Only the registry's own `NAME_UNKNOWN` says that a repository is gone.
    fn refusal(&self, answer: &HttpAnswer, what: &str) -> Fault {
        let named = |code: &String| matches!(code.as_str(), "NAME_UNKNOWN" | "NOT_FOUND");
        let fault = self.registry.explain(Fault::from_answer(answer, what));
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

/// Whether an answer to a list's first page may be about its size: too many, too large, not to be had. What is denied or
/// not there is so whatever the size, unless the server itself names the size.
fn is_size_refused(answer: &HttpAnswer) -> bool {
    matches!(answer.status.as_u16(), 400 | 406 | 413 | 414 | 416 | 422)
        || (answer.status.is_client_error() && answer.error_codes().iter().any(|code| code.starts_with("PAGINATION")))
}

/// Whether the server answered, and would not.
fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.cause, Cause::Unsupported | Cause::Malformed | Cause::NotFound)
}

impl Unlinked {
    /// Whether the pages so far were not full, so that asking on was more than the list calls for.
    fn was_whole(&self) -> bool {
        self.asking == Asking::LastName && !self.any_size && self.most < PAGE
    }

    fn facts(&self, names: &[Text]) -> PageFacts {
        PageFacts {
            asked: match self.asking {
                Asking::Whole(room) => Some(room),
                Asking::FirstPage | Asking::LastName => (!self.any_size).then_some(PAGE),
            },
            came: names.len(),
            most_before: self.most,
            by_last_name: self.asking == Asking::LastName,
            repeats: names.iter().any(|name| self.first.contains(&hash(name))),
            ordered: names.is_sorted_by(|Text(a), Text(b)| in_order(a, b)),
            enlarged: matches!(self.asking, Asking::Whole(_)),
        }
    }

    fn note(&mut self, names: &[Text]) {
        if self.asking == Asking::FirstPage {
            self.first = names.iter().map(hash).collect();
        }
        if !matches!(self.asking, Asking::Whole(_)) {
            self.most = self.most.max(names.len());
        }
    }
}

/// Whether two names of a list come in an order: of their bytes, or of their letters whatever the case (C85).
fn in_order(a: &str, b: &str) -> bool {
    a < b || a.to_lowercase() < b.to_lowercase()
}
