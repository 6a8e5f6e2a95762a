//! Which repositories a bucket holds: every name that some version or delete marker bears, hidden or not.

use std::collections::{HashSet, VecDeque};

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use prodpin_core::model::{Cause, Gap, RepositoryName, Scope};

use super::Bucket;
use super::listing::{Listing, Page, Query};

/// The repositories that the patterns select, each once, as they are found. A name that the policy spells out is
/// given even where nothing bears it any more, so that the loss of everything in it is seen.
pub(super) fn repositories(bucket: &Bucket) -> BoxStream<'_, Result<RepositoryName, Gap>> {
    stream::unfold(Walk::new(bucket), |mut walk| async move {
        loop {
            if let Some(item) = walk.ready.pop_front() {
                return Some((item, walk));
            }
            walk.step().await?;
        }
    })
    .boxed()
}

struct Walk<'b> {
    bucket: &'b Bucket,
    ready: VecDeque<Result<RepositoryName, Gap>>,
    listing: Option<Listing<'b>>,
    /// Whether an inventory is still to be asked.
    inventory: bool,
    /// Names the policy spells out that were not met yet.
    spelled_out: VecDeque<RepositoryName>,
    /// Whether the layout lets folders be listed for repositories.
    folders: bool,
    /// Names already given. With folders the last is enough: the server gives each once, in order.
    given: HashSet<Box<str>>,
    last: Box<str>,
    unnameable: u64,
    example: Option<String>,
}

impl<'b> Walk<'b> {
    fn new(bucket: &'b Bucket) -> Self {
        let config = &bucket.config;
        let patterns = &config.repositories;
        let folders = config.layout.repository_is_a_folder();
        let listed = patterns.has_globs() && config.inventory.is_none();
        let query = Query::with_prefix(config.layout.literal_prefix().to_owned(), folders, bucket.page_size);
        let spelled_out = patterns.explicit_names().filter(|name| patterns.matches(name));
        Self {
            bucket,
            ready: VecDeque::new(),
            listing: listed.then(|| Listing::new(bucket, query)),
            inventory: config.inventory.is_some(),
            spelled_out: spelled_out.filter_map(|name| name.parse().ok()).collect(),
            folders,
            given: HashSet::new(),
            last: Box::default(),
            unnameable: 0,
            example: None,
        }
    }

    /// One page, or one spelled-out name; none when there is nothing left to do.
    async fn step(&mut self) -> Option<()> {
        if let Some(listing) = &mut self.listing {
            match listing.next().await {
                Some(Ok(page)) => self.page(&page),
                Some(Err(failure)) => self.ready.push_back(Err(failure.gap(Scope::Source, &self.bucket.label))),
                None => {
                    self.listing = None;
                    self.tell_unnameable();
                }
            }
            return Some(());
        }
        if std::mem::take(&mut self.inventory) {
            match self.bucket.inventory().await {
                Some(Ok(inventory)) => {
                    inventory.repositories.keys().for_each(|name| self.offer(name));
                    self.tell_unnameable();
                }
                Some(Err(failure)) => self.ready.push_back(Err(failure.gap(Scope::Source, &self.bucket.label))),
                None => {}
            }
            return Some(());
        }
        let name = self.spelled_out.pop_front()?;
        if self.bucket.config.inventory.is_none()
            && !self.bucket.config.repositories.has_globs()
            && self.exists(&name).await
        {
            self.bucket.note_match(name.as_str());
        }
        self.ready.push_back(Ok(name));
        Some(())
    }

    fn page(&mut self, page: &Page) {
        let prefix = self.bucket.config.layout.literal_prefix();
        if self.folders {
            for folder in &page.prefixes {
                let plain = page.plain(folder);
                let name = plain.as_deref().and_then(|folder| folder.strip_prefix(prefix)?.strip_suffix('/'));
                match name {
                    Some("") => {}
                    Some(name) => self.offer(name),
                    None => self.note_unnameable(folder),
                }
            }
            return;
        }
        let layout = &self.bucket.config.layout;
        let versions = page.versions.iter().map(|version| version.key());
        for key in versions.chain(page.markers.iter().map(|marker| marker.key())).flatten() {
            match page.plain(key) {
                Some(plain) => {
                    if let Some((name, _)) = layout.read(&plain) {
                        self.offer(name);
                    }
                }
                None => self.note_unnameable(key),
            }
        }
    }

    fn offer(&mut self, name: &str) {
        if *self.last == *name || self.given.contains(name) {
            return;
        }
        self.last = name.into();
        if !self.folders {
            self.given.insert(name.into());
        }
        match name.parse::<RepositoryName>() {
            Ok(repository) if self.bucket.config.repositories.matches(name) => {
                self.bucket.note_match(name);
                self.spelled_out.retain(|other| *other != repository);
                self.ready.push_back(Ok(repository));
            }
            Ok(_) => {}
            Err(_) => self.note_unnameable(name),
        }
    }

    fn note_unnameable(&mut self, text: &str) {
        self.unnameable += 1;
        self.example.get_or_insert_with(|| text.chars().take(80).collect());
    }

    fn tell_unnameable(&mut self) {
        let Some(example) = self.example.take() else { return };
        let Self { unnameable, bucket, .. } = self;
        let detail = format!(
            "bucket {}: {unnameable} names under the layout, such as {example:?}, cannot be repository names and were \
             left out; rename those keys or narrow the layout",
            bucket.name()
        );
        self.ready.push_back(Err(Gap::new(Scope::Source, Cause::Refused, detail)));
    }

    /// Whether something bears the name. What could not be read is no absence.
    async fn exists(&self, name: &RepositoryName) -> bool {
        let layout = &self.bucket.config.layout;
        let page_size = if self.folders { 1 } else { self.bucket.page_size };
        let query = Query::with_prefix(layout.repository_prefix(name), false, page_size);
        let mut listing = Listing::new(self.bucket, query);
        while let Some(page) = listing.next().await {
            let Ok(page) = page else { return true };
            let versions = page.versions.iter().map(|version| version.key());
            let mut keys = versions.chain(page.markers.iter().map(|marker| marker.key())).flatten();
            if keys.any(|key| {
                let plain = page.plain(key);
                self.folders
                    || plain.is_some_and(|key| layout.read(&key).is_some_and(|(found, _)| found == name.as_str()))
            }) {
                return true;
            }
        }
        false
    }
}
