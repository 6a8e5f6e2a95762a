//! ListObjectVersions to its end. The SDK has no paginator for it, and a page goes on by two markers (B58).

use std::borrow::Cow;
use std::collections::HashSet;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion};

use prodpin_core::model::Cause;

use super::Bucket;
use super::failure::S3Failure;

/// The permission that listing versions needs, which is also how gaps name the call.
pub(super) const LIST: &str = "s3:ListBucketVersions";

/// Pages without any entry in a row after which a listing is given up: each had new markers, and none led anywhere.
const MAX_EMPTY_PAGES: u32 = 16;

/// What to list.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) prefix: String,
    /// Whether to fold everything behind the next `/` into one prefix.
    pub(super) folders: bool,
    pub(super) page_size: i32,
    /// Only keys that come after this one.
    pub(super) after: Option<String>,
    /// Only keys up to this one, itself included.
    pub(super) until: Option<String>,
}

impl Query {
    /// Everything that starts with this.
    pub(super) fn with_prefix(prefix: String, folders: bool, page_size: i32) -> Self {
        Self { prefix, folders, page_size, after: None, until: None }
    }

    fn holds(&self, key: &str) -> bool {
        self.after.as_deref().is_none_or(|after| key > after) && self.until.as_deref().is_none_or(|until| key <= until)
    }
}

/// A listing in progress.
#[derive(Debug)]
pub(super) struct Listing<'b> {
    bucket: &'b Bucket,
    query: Query,
    at: Option<Markers>,
    seen: HashSet<Markers>,
    empty_pages: u32,
    /// The last version's key, as long as keys come in the order of their bytes. A server that orders them otherwise
    /// cannot be listed in parts.
    ordered: Option<String>,
    done: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Markers {
    key: String,
    version: Option<String>,
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) versions: Vec<ObjectVersion>,
    pub(super) markers: Vec<DeleteMarkerEntry>,
    pub(super) prefixes: Vec<String>,
    encoded: bool,
}

impl Page {
    /// What another kind of list says, whose keys are as they are.
    pub(super) fn plain_of(versions: Vec<ObjectVersion>, markers: Vec<DeleteMarkerEntry>) -> Self {
        Self { versions, markers, prefixes: Vec::new(), encoded: false }
    }

    /// How many entries there are on it.
    pub(super) fn len(&self) -> usize {
        self.versions.len() + self.markers.len()
    }

    /// A key or prefix as it really is. Servers that do not know `EncodingType` leave it out, and their keys plain.
    pub(super) fn plain<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        if self.encoded { decode(text) } else { Some(Cow::Borrowed(text)) }
    }

    /// The next key marker as it really is. S3 encodes it as it does keys; Ceph and LocalStack encode the keys, say so, and
    /// give the marker plain: read as S3's, a marker with a `%` in it would skip what lies between the two.
    fn marker<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        if !self.encoded {
            return Some(Cow::Borrowed(text));
        }
        let sent = [
            self.versions.last().and_then(ObjectVersion::key),
            self.markers.last().and_then(DeleteMarkerEntry::key),
            self.prefixes.last().map(String::as_str),
        ];
        // A page ends with the greatest of these, and goes on from there.
        let last = sent.into_iter().flatten().filter_map(|sent| Some((decode(sent)?, sent))).max();
        match last {
            Some((plain, sent)) if plain == text && sent != text => Some(Cow::Borrowed(text)),
            _ => decode(text),
        }
    }

    /// The keys of the last version and of the last marker.
    pub(super) fn last_keys(&self) -> [Option<Cow<'_, str>>; 2] {
        let version = self.versions.last().and_then(ObjectVersion::key);
        let marker = self.markers.last().and_then(DeleteMarkerEntry::key);
        [version, marker].map(|key| key.and_then(|key| self.plain(key)))
    }
}

impl<'b> Listing<'b> {
    pub(super) fn new(bucket: &'b Bucket, query: Query) -> Self {
        let at = query.after.clone().map(|key| Markers { key, version: None });
        Self { bucket, query, at, seen: HashSet::new(), empty_pages: 0, ordered: Some(String::new()), done: false }
    }

    /// Gives the second half of what is still to be listed away, if there is a key in between that halves it. Where
    /// keys really are, nobody knows before they are listed: a half that turns out empty costs one call.
    pub(super) fn split(&mut self) -> Option<Self> {
        let at = self.at.as_ref().filter(|_| !self.done && !self.query.folders)?;
        self.ordered.as_ref().filter(|last| !last.is_empty())?;
        let middle = between(&at.key, self.query.until.as_deref(), self.query.prefix.len())?;
        let rest = Query { after: Some(middle.clone()), until: self.query.until.take(), ..self.query.clone() };
        self.query.until = Some(middle);
        Some(Self::new(self.bucket, rest))
    }

    /// The next page; none after the last. After an error there is no way on: where the next page starts is unknown.
    pub(super) async fn next(&mut self) -> Option<Result<Page, S3Failure>> {
        if self.done {
            return None;
        }
        let page = self.fetch().await;
        self.done |= page.is_err();
        Some(page)
    }

    async fn fetch(&mut self) -> Result<Page, S3Failure> {
        let bucket = self.bucket;
        let request = bucket
            .client
            .list_object_versions()
            .bucket(bucket.name())
            .set_expected_bucket_owner(bucket.owner())
            .encoding_type(EncodingType::Url)
            .set_prefix(Some(self.query.prefix.clone()).filter(|prefix| !prefix.is_empty()))
            .set_delimiter(self.query.folders.then(|| "/".to_owned()))
            .max_keys(self.query.page_size)
            .set_key_marker(self.at.as_ref().map(|at| at.key.clone()))
            .set_version_id_marker(self.at.as_ref().and_then(|at| at.version.clone()));
        let mut output = bucket.budget.call(LIST, request.send()).await?;
        let page = Page {
            encoded: output.encoding_type().is_some_and(|encoding| encoding.as_str() == "url"),
            versions: output.versions.take().unwrap_or_default(),
            markers: output.delete_markers.take().unwrap_or_default(),
            prefixes: output.common_prefixes.take().unwrap_or_default().into_iter().filter_map(|p| p.prefix).collect(),
        };
        self.note_order(&page);
        self.advance(&page, &output)?;
        Ok(self.within(page))
    }

    fn is_part(&self) -> bool {
        self.query.after.is_some() || self.query.until.is_some()
    }

    fn note_order(&mut self, page: &Page) {
        for version in &page.versions {
            let key = version.key().and_then(|key| page.plain(key));
            match (&mut self.ordered, key) {
                (Some(last), Some(key)) if *key >= **last => {
                    last.clear();
                    last.push_str(&key);
                }
                _ => {
                    self.ordered = None;
                    return;
                }
            }
        }
    }

    /// What of a page belongs to this part of the listing: a page knows where to begin, and not where to end.
    fn within(&mut self, mut page: Page) -> Page {
        if !self.is_part() {
            return page;
        }
        let encoded = page.encoded;
        // What cannot be read is reported by whoever reads the page.
        let holds = |key: Option<&str>| {
            key.and_then(|key| if encoded { decode(key) } else { Some(Cow::Borrowed(key)) })
                .is_none_or(|key| self.query.holds(&key))
        };
        page.versions.retain(|version| holds(version.key()));
        page.markers.retain(|marker| holds(marker.key()));
        let until = self.query.until.as_deref();
        if self.at.as_ref().zip(until).is_some_and(|(at, until)| *at.key > *until) {
            self.done = true;
        }
        page
    }

    fn advance(&mut self, page: &Page, output: &ListObjectVersionsOutput) -> Result<(), S3Failure> {
        let malformed = |reason: &str| Err(S3Failure::new(Cause::Malformed, LIST, reason));
        match output.is_truncated() {
            Some(false) => {
                self.done = true;
                return Ok(());
            }
            Some(true) => {}
            None => return malformed("a page does not say whether more follow"),
        }
        let Some(key) = output.next_key_marker().filter(|key| !key.is_empty()) else {
            return malformed("a page says that more follow, and not from where on");
        };
        let Some(key) = page.marker(key) else { return malformed("the next key marker is not valid UTF-8") };
        let version = output.next_version_id_marker().filter(|version| !version.is_empty()).map(str::to_owned);
        let next = Markers { key: key.into_owned(), version };
        let back = self.at.as_ref().is_some_and(|at| next.key < at.key);
        if self.is_part() && (back || self.ordered.is_none()) {
            return malformed("keys do not come in the order of their bytes, by which the listing was divided");
        }
        if !self.seen.insert(next.clone()) {
            return malformed("a page points back to where an earlier one began");
        }
        let is_empty = page.versions.is_empty() && page.markers.is_empty() && page.prefixes.is_empty();
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        if self.empty_pages > MAX_EMPTY_PAGES {
            return malformed("page after page is empty, and each says that more follow");
        }
        self.at = Some(next);
        Ok(())
    }
}

/// A key between two, or between one and the end of everything with a prefix of this length. Keys are compared byte by
/// byte, so the first byte that leaves room decides.
fn between(low: &str, high: Option<&str>, prefix: usize) -> Option<String> {
    const LAST: u8 = 0x7f;
    let bytes = low.as_bytes();
    let shared = match high {
        Some(high) => bytes.iter().zip(high.as_bytes()).take_while(|(low, high)| low == high).count(),
        None => prefix,
    };
    let mut ceiling = high.and_then(|high| high.as_bytes().get(shared).copied()).unwrap_or(LAST).min(LAST);
    for (place, byte) in bytes.iter().copied().enumerate().skip(shared) {
        let middle = byte.checked_add(ceiling)? / 2;
        if byte < ceiling && middle > byte {
            let mut key = low.get(..place)?.to_owned();
            key.push(char::from(middle));
            return Some(key);
        }
        ceiling = LAST;
    }
    None
}

/// Reads S3's URL encoding: `%XX`, and `+` for a space. None if the bytes are not UTF-8.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = hex {
            bytes.push(high << 4 | low);
            rest = &after[2..];
        } else {
            bytes.push(if first == b'+' { b' ' } else { first });
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_key_between_two() {
        for (low, high, prefix, expected) in [
            ("api/1.0/x", None, 4, Some("api/X")),
            ("api/1.0/x", Some("api/X"), 4, Some("api/D")),
            ("api/1.0/x", Some("api/2"), 4, Some("api/1V")),
            ("api/1", Some("api/2"), 4, None),
            ("api/~~", None, 4, None),
            ("\u{e9}", None, 0, None),
        ] {
            let found = between(low, high, prefix);
            assert_eq!(found.as_deref(), expected, "{low} {high:?}");
            let Some(found) = found else { continue };
            assert!(*found > *low && high.is_none_or(|high| *found < *high), "{low} {found} {high:?}");
        }
    }

    #[test]
    fn odd_keys_come_back_as_they_are_b58() {
        for (encoded, plain) in [
            ("plain/key", Some("plain/key")),
            ("a+b%2Bc%0Ad", Some("a b+c\nd")),
            ("%E6%97%A5", Some("日")),
            ("100%", Some("100%")),
            ("%zz", Some("%zz")),
            ("%+1", Some("% 1")),
            ("%FF", None),
        ] {
            assert_eq!(decode(encoded).as_deref(), plain, "{encoded}");
        }
    }
}
