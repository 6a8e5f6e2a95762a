//! What proves what (I25): the one table that says which answer of a server is evidence for what.
//!
//! | said | proven by | not by |
//! | --- | --- | --- |
//! | **present** (manifest) | its bytes, fetched by digest, hash to it | HEAD, a list, what a push answered |
//! | **present** (object version) | HEAD by version id | HEAD by key |
//! | **absent** | the server's own "not found" to a direct look-up: a 404 whose error document has codes that say that this is not there, and no other; or, where the server has no such documents, a 404 that looks as it does for what cannot exist, twice, while the same repository is served; and nothing else that it serves or lists says otherwise | a list without it, any other 404 (a gateway that lost its route says it of everything), a 404 of a store behind a redirect, a refusal of what was accepted |
//! | **whole** (part) | a GET that begins, with the manifest's size; where GET tells none, no other size by HEAD; bytes are not hashed | HEAD alone: a cache may answer it (F107, F130) |
//! | **broken** (part) | a size that differs from the manifest's, told by GET; no byte where there should be some (F103); a size of 0 under a digest that is not that of nothing | a size told by HEAD; a connection that breaks |
//! | **listed to the end** | fewer names than were asked for and no next page; or an empty page after the last name | a full page without a next one (F106); a page with a `Link` whose meaning is not known |
//! | **contradiction** | two answers of one server, to the same question, that cannot both be true | two answers with a change in between |
//! | *unknown* | everything else | |
//!
//! A part of the right size may still hold other bytes: only reading all of it tells (F104), and nothing here claims so.

use super::Digest;

/// What a direct look-up asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// A manifest, by tag or by digest.
    Manifest,
    /// A blob.
    Blob,
}

/// What a server's 404 to a direct look-up says, by the codes of its error document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFoundWord {
    /// This is not there.
    Absent,
    /// The repository is not there, which is a word about this only where nothing else there is served either.
    NoRepository,
    /// It says something else: a refusal, or two things at once.
    Otherwise,
    /// Nothing: there are no codes, and anything on the way may have said it.
    Nothing,
}

/// Reads the codes of a 404. Registries say "not found" of a manifest or blob in few words; with any other word beside
/// them it is not known what was meant.
#[must_use]
pub fn judge_not_found(sought: Sought, codes: &[String]) -> NotFoundWord {
    let absent: &[&str] = match sought {
        Sought::Manifest => &["MANIFEST_UNKNOWN", "TAG_UNKNOWN", "NOT_FOUND", "MANIFEST_BLOB_UNKNOWN"],
        Sought::Blob => &["BLOB_UNKNOWN", "NOT_FOUND", "MANIFEST_BLOB_UNKNOWN"],
    };
    let is_absent = |code: &String| absent.contains(&code.as_str());
    let is_repository = |code: &String| code == "NAME_UNKNOWN";
    match codes {
        [] => NotFoundWord::Nothing,
        codes if codes.iter().all(is_absent) => NotFoundWord::Absent,
        codes if codes.iter().all(|code| is_absent(code) || is_repository(code)) => NotFoundWord::NoRepository,
        _ => NotFoundWord::Otherwise,
    }
}

/// Whether a server's refusal says that what was asked for is there, and that a rule keeps it from being handed out. No
/// condition is ever sent along, so a 412 is such a rule's word (J10); a 403 is one only where it names it, for most say
/// that the credentials do not suffice.
#[must_use]
pub fn is_blocked(status: u16, codes: &[String], message: Option<&str>) -> bool {
    let message = message.unwrap_or_default().to_ascii_lowercase();
    let names_rule = ["quarantin", "vulnerab", "malware", "blocking policy", "severity", "content trust"]
        .iter()
        .any(|word| message.contains(word));
    match status {
        // Not acceptable, precondition failed, locked, unavailable for legal reasons.
        406 | 412 | 423 | 451 => true,
        403 | 409 => codes.iter().any(|code| code == "PROJECTPOLICYVIOLATION") || names_rule,
        // It is there, and not in a form that was asked for.
        404 => message.contains("accept header"),
        _ => false,
    }
}

/// What came of asking for the first byte of a part by GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// The first byte came.
    Begun,
    /// A whole answer without a byte.
    Nothing,
    /// A byte was promised, and none came, in several tries.
    BrokeOff,
    /// The server's own "not found".
    NotFound,
    /// The server sends on to a store, and that says "not found".
    NotFoundElsewhere,
}

/// Everything that a server answered about one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartAnswer {
    /// To GET.
    pub served: Served,
    /// The size of the whole part, as GET told it.
    pub size: Option<u64>,
    /// To HEAD, where GET alone did not settle it: whether it is there.
    pub head: Option<bool>,
    /// The size that HEAD told.
    pub head_size: Option<u64>,
}

impl PartAnswer {
    /// What GET alone said.
    #[must_use]
    pub const fn served(served: Served, size: Option<u64>) -> Self {
        Self { served, size, head: None, head_size: None }
    }

    /// Whether HEAD should be asked too: whether the server contradicts itself, or at least a size.
    #[must_use]
    pub const fn wants_head(&self) -> bool {
        match self.served {
            Served::NotFound | Served::BrokeOff => self.head.is_none(),
            Served::Begun => self.size.is_none() && self.head.is_none(),
            Served::Nothing | Served::NotFoundElsewhere => false,
        }
    }
}

/// What is proven of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartProof {
    /// It is there, and has its size.
    Whole,
    /// It is not there.
    Absent,
    /// It is there, and is not what the manifest names.
    Broken(String),
    /// Neither.
    Unknown(String),
}

/// Two answers that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement {
    /// One, as a clause: "HEAD says that it is there".
    pub said: String,
    /// The other one.
    pub but: String,
}

/// Judges the answers about a part that has this digest and size by its manifest.
#[must_use]
pub fn judge_part(digest: &Digest, expected: u64, answer: &PartAnswer) -> (PartProof, Option<Disagreement>) {
    let differs = |size: u64| PartProof::Broken(format!("it has {size} bytes, and its manifest says {expected}"));
    let disagree = |said: &str, but: &str| Some(Disagreement { said: said.to_owned(), but: but.to_owned() });
    let is_there = matches!(answer.served, Served::Begun | Served::Nothing);
    if is_there && expected == 0 && !digest.matches(b"") {
        let detail = "its manifest says 0 bytes, and its digest is not that of nothing";
        return (PartProof::Broken(detail.to_owned()), None);
    }
    match (answer.served, answer.size) {
        (Served::Begun, Some(size)) if size == expected => (PartProof::Whole, None),
        (Served::Begun, Some(size)) => (differs(size), None),
        (Served::Begun, None) if expected == 0 => {
            (PartProof::Broken("it has bytes, and its manifest says 0".to_owned()), None)
        }
        // HEAD is a weak word: it may raise a doubt, and its silence, or the 0 that some proxies say of everything, none.
        (Served::Begun, None) => match answer.head_size.filter(|size| *size > 0) {
            Some(size) if size != expected => {
                let doubt =
                    format!("HEAD says that it has {size} bytes, its manifest says {expected}, and GET tells no size");
                (PartProof::Unknown(doubt), None)
            }
            _ => (PartProof::Whole, None),
        },
        (Served::Nothing, _) if expected == 0 => (PartProof::Whole, None),
        (Served::Nothing, _) => (differs(0), None),
        (Served::NotFound, _) if answer.head == Some(true) => {
            (PartProof::Absent, disagree("HEAD says that it is there", "GET answers 404"))
        }
        (Served::NotFound, _) => (PartProof::Absent, None),
        (Served::BrokeOff, _) => {
            let said = if answer.head == Some(true) { "HEAD says that it is there" } else { "GET announces it" };
            let unknown = PartProof::Unknown("it was announced, and none of its bytes came".to_owned());
            (unknown, disagree(said, "GET breaks off before the first byte, each time"))
        }
        (Served::NotFoundElsewhere, _) => {
            let unknown = PartProof::Unknown("the store that the registry sends to does not have it".to_owned());
            (unknown, disagree("the registry sends to its store for it", "the store answers 404"))
        }
    }
}

/// How a list that comes in pages stands after one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFacts {
    /// How many names were asked for; none where the server decides.
    pub asked: Option<usize>,
    /// How many came.
    pub came: usize,
    /// How many came on the largest page before it, those left out that were asked for as a whole.
    pub most_before: usize,
    /// Whether the page was asked for by the last name of the one before, without the server having offered that.
    pub by_last_name: bool,
    /// Whether any of its names had come before.
    pub repeats: bool,
    /// Whether its names come in an order, so that there is a last one.
    pub ordered: bool,
    /// Whether it was asked for as a whole, because asking by last name led back.
    pub enlarged: bool,
}

/// What to do after a page that names no next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListStep {
    /// It was the last.
    End,
    /// Ask for what comes after its last name.
    AskOn,
    /// Ask for everything at once, with room for this many names.
    Enlarge(usize),
    /// It may have been cut off, and there is no way to tell.
    CutOff,
}

/// Page sizes that servers have of their own: a list of just that many names may be the first page of more.
const USUAL_PAGES: [usize; 6] = [50, 100, 200, 250, 500, 1_000];

/// More names than this are not asked for at once.
const MOST_AT_ONCE: usize = 1 << 20;

/// Judges a page without a next one (F106): some servers cut a list at `n` and say nothing.
#[must_use]
pub fn judge_page(page: &PageFacts) -> ListStep {
    let full = page.asked.is_none_or(|asked| page.came >= asked);
    // More than were asked for: the server does not know of pages, and gave all there are.
    let is_all = page.asked.is_some_and(|asked| page.came > asked);
    let enlarge = |names: usize| match names.saturating_mul(2).saturating_add(1) {
        room if room > MOST_AT_ONCE => ListStep::CutOff,
        room => ListStep::Enlarge(room),
    };
    if page.came == 0 || is_all {
        return ListStep::End;
    }
    if page.enlarged {
        return match (full, page.came > page.most_before) {
            (false, true) => ListStep::End,
            (true, true) => enlarge(page.came),
            // No more came, although there was room: that is all, or all that the server ever gives.
            (_, false) => ListStep::CutOff,
        };
    }
    if page.by_last_name && page.repeats {
        // It does not know `last`. What was not full was whole; what was full may go on.
        return match page.asked {
            Some(asked) if page.most_before >= asked => enlarge(page.most_before.max(page.came)),
            _ => ListStep::End,
        };
    }
    match full || USUAL_PAGES.contains(&page.came) {
        false => ListStep::End,
        true if page.ordered => ListStep::AskOn,
        true if full && page.asked.is_some() => enlarge(page.came),
        true => ListStep::End,
    }
}

#[cfg(test)]
mod tests;
