//! What the registry can be made to do wrong, and what it asks for before it answers.

use prodpin::model::Digest;

/// What a registry does where a tag is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Deleting {
    /// 429, this many times, and nothing is done.
    PutsOff(usize),
    /// It is done, and 429 is said.
    DoneAndPutOff,
    /// It is done, and the connection says 500.
    DoneAndFails,
    /// This status, and nothing is done.
    Refuses(u16),
    /// What the tag names goes, with every tag on it.
    TakesManifest,
    /// The tag goes, and every manifest that an index under it lists.
    TakesChildren,
}

/// One lie or refusal. A registry without any is honest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Lie {
    /// F35: what becomes of a tag that is to be removed, in place of that.
    Deletes(Deleting),
    /// F3: lists of tags are reset in mid-body, this many times.
    ResetLists(usize),
    /// F4: lists of tags end short of their Content-Length, this many times.
    CutLists(usize),
    /// F5: lists of tags trickle.
    Drip,
    /// F5: manifests trickle.
    DripManifests,
    /// F7, F8, F9, F11, F15: a blob is somewhere else.
    BlobsAt(String),
    /// F7: a manifest is somewhere else.
    ManifestsAt(String),
    /// F12: a proxy's page instead of the answer to such paths.
    Html(&'static str),
    /// F13, F14: tokens come from there.
    Realm(String),
    /// F13: the token server sends elsewhere.
    TokensAt(String),
    /// F15: the next page is elsewhere.
    NextPageAt(String),
    /// F16: no page has more names than this, whatever `n` says.
    PageOf(usize),
    /// F18: the second page leads back to itself.
    CursorRepeats,
    /// F18: after the last page comes another, with a cursor of its own and nothing new on it, so many times.
    MorePages(usize),
    /// F18: there is always another page, with a name that was never there before.
    NewNamesForEver,
    /// F19: names of one page come again on the next.
    PagesOverlap,
    /// F19: whoever asks for this tag gets these manifests in turn, the last for ever.
    InTurn(&'static str, Vec<Digest>),
    /// F20: no tags are `null`.
    NullTags,
    /// Lists lack their field.
    NoTagsField,
    /// F21: `Docker-Content-Digest` of a GET names other bytes.
    HeaderDiffers,
    /// F21: a HEAD names these bytes, and a GET serves others and says so.
    HeadMakesUp(Digest),
    /// F22: a manifest's bytes are others.
    WrongBytes,
    /// F24: every manifest is served as this.
    ServedAs(&'static str),
    /// F25: `Docker-Content-Digest` is this.
    DigestHeader(&'static str),
    /// C87: no `Docker-Content-Digest` at all.
    NoDigestHeader,
    /// F26: a manifest announces, or sends, 500 MB.
    Huge { announced: bool },
    /// F28: these paths are gone, in the registry's own words.
    Gone(String),
    /// A 404 page of a proxy for these paths.
    GonePage(String),
    /// From this many requests on, everything is 404 in these words: a gateway that lost its route.
    RouteLost { after: usize, media_type: &'static str, body: &'static str },
    /// These paths are 404 in these words, and not the registry's.
    GoneSaying(String, &'static str, &'static str),
    /// The registry's own 404s have no error document: they are these words.
    OwnManner(&'static str, &'static str),
    /// These paths are 404 with these error codes.
    GoneCodes(String, &'static [&'static str]),
    /// Lists of tags call themselves those of this repository.
    ListOf(&'static str),
    /// No page of tags has more than two names, and this is the Link to the next; `{}` is its address.
    LinkIs(&'static str),
    /// GET of a blob is a success of this type and body.
    BlobSays(&'static str, &'static str),
    /// A part of a blob is another one than was asked for.
    OtherPart,
    /// Answers to such paths have this header.
    InPassing(&'static str, &'static str, &'static str),
    /// F29: from this many authorized requests on, tokens so far are void; renewed ones work or do not.
    Revoked { after: usize, for_good: bool },
    /// F30: this repository is forbidden.
    Forbidden(&'static str),
    /// F32: this many requests are too many, with this `Retry-After`.
    Throttle(usize, &'static str),
    /// F113: of so many requests one is too many, with this `Retry-After`.
    ThrottleSome(usize, &'static str),
    /// F113: so many questions for a token are too many.
    ThrottleTokens(usize),
    /// HEAD is answered with this status.
    Head(u16),
    /// The catalog is answered with this status.
    Catalog(u16),
    /// Everything fails with this status, this many times.
    Fails(u16, usize),
    /// PUT is answered with this status.
    Put(u16),
    /// PUT is sent elsewhere.
    PutAt(String),
    /// PUT is carried out and not answered.
    PutSilent,
    /// PUT answers with another digest.
    PutDigest,
    /// Repositories in the catalog that are no names.
    OddNames,
    /// F106: lists have no Link. No page has more names than `most`; what follows `last` is given or is not.
    NoLinks { most: usize, last: bool },
    /// F106: the same with `last` unknown, and the names in another order each time.
    Shuffled,
    /// F106: pages of more than this are refused.
    LargestPage(usize),
    /// F107: GET of these paths says that they are gone, and HEAD that they are there.
    GoneToGet(String),
    /// F105: GET of this reference serves the manifest with this digest.
    GetServes(String, Digest),
    /// This tag's manifest is there, and not in a form that the client takes.
    NotAcceptable(&'static str),
    /// F119: such paths are refused with this status, code and message, by a rule and not for lack of credentials.
    Blocked(String, u16, &'static str, &'static str),
    /// HEAD of a blob is answered with this status.
    BlobHead(u16),
    /// HEAD of a blob tells this length, or none.
    BlobHeadLength(Option<u64>),
    /// F130: GET of this blob announces it, and sends nothing.
    BlobBreaksOff(String),
    /// GET takes no notice of ranges.
    NoRanges,
    /// GET with a range is answered with this status.
    RangeRefused(u16),
    /// F123: what this path shows to everyone: status, headers, body.
    Shows(&'static str, u16, &'static [(&'static str, &'static str)], &'static str),
}

/// How clients prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guard {
    Open,
    Basic(&'static str),
    /// Tokens; given to everyone, or to this `Authorization`, or for this identity token.
    Token {
        to: Option<&'static str>,
        identity: Option<&'static str>,
    },
}
