//! ListObjectVersions to its end. The SDK has no paginator for it, and a page goes on by two markers (B58).

use std::borrow::Cow;
use std::collections::HashSet;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion};

use crate::model::Cause;

use super::Bucket;
use super::failure::Failure;

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
}

/// A listing in progress.
#[derive(Debug)]
pub(super) struct Listing<'b> {
    bucket: &'b Bucket,
    query: Query,
    at: Option<Markers>,
    seen: HashSet<Markers>,
    empty_pages: u32,
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
    /// A key or prefix as it really is. Servers that do not know `EncodingType` leave it out, and their keys plain.
    pub(super) fn plain<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        if self.encoded { decode(text) } else { Some(Cow::Borrowed(text)) }
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
        Self { bucket, query, at: None, seen: HashSet::new(), empty_pages: 0, done: false }
    }

    /// The next page; none after the last. After an error there is no way on: where the next page starts is unknown.
    pub(super) async fn next(&mut self) -> Option<Result<Page, Failure>> {
        if self.done {
            return None;
        }
        let page = self.fetch().await;
        self.done |= page.is_err();
        Some(page)
    }

    async fn fetch(&mut self) -> Result<Page, Failure> {
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
        self.advance(&page, &output)?;
        Ok(page)
    }

    fn advance(&mut self, page: &Page, output: &ListObjectVersionsOutput) -> Result<(), Failure> {
        let malformed = |reason: &str| Err(Failure::new(Cause::Malformed, LIST, reason));
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
        let Some(key) = page.plain(key) else { return malformed("the next key marker is not valid UTF-8") };
        let version = output.next_version_id_marker().filter(|version| !version.is_empty()).map(str::to_owned);
        let next = Markers { key: key.into_owned(), version };
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

/// Reads S3's URL encoding: `%XX`, and `+` for a space. None if the bytes are not UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
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
