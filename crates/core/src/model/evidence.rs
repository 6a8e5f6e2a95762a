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
mod tests {
    use super::*;

    #[test]
    fn what_proves_a_part_i25_f103_f107_f130() {
        use Served::{Begun, BrokeOff, NotFound, NotFoundElsewhere, Nothing};
        let word = |proof: &PartProof| match proof {
            PartProof::Whole => "whole",
            PartProof::Absent => "absent",
            PartProof::Broken(_) => "broken",
            PartProof::Unknown(_) => "unknown",
        };
        // What the manifest says; what GET brought and said; what HEAD said; what that proves; whether it contradicts.
        for (expected, served, size, head, head_size, proof, contradicts) in [
            (7, Begun, Some(7), None, None, "whole", false),
            (7, Begun, Some(7), Some(false), Some(0), "whole", false),
            (7, Begun, Some(6), Some(true), Some(7), "broken", false),
            (7, Begun, Some(14), None, None, "broken", false),
            (7, Begun, Some(0), None, None, "broken", false),
            (0, Begun, Some(1), None, None, "broken", false),
            (0, Begun, None, None, None, "broken", false),
            (7, Begun, None, Some(true), Some(7), "whole", false),
            (7, Begun, None, Some(true), Some(6), "unknown", false),
            (7, Begun, None, Some(true), Some(0), "whole", false),
            (7, Begun, None, Some(true), None, "whole", false),
            (7, Begun, None, None, None, "whole", false),
            (7, Nothing, Some(0), Some(true), Some(7), "broken", false),
            (7, Nothing, None, None, None, "broken", false),
            (0, Nothing, None, None, None, "whole", false),
            (7, NotFound, None, Some(false), None, "absent", false),
            (7, NotFound, None, None, None, "absent", false),
            (7, NotFound, None, Some(true), Some(7), "absent", true),
            (7, BrokeOff, Some(7), Some(true), Some(7), "unknown", true),
            (7, BrokeOff, None, None, None, "unknown", true),
            (7, NotFoundElsewhere, None, None, None, "unknown", true),
        ] {
            let answer = PartAnswer { served, size, head, head_size };
            let digest = Digest::sha256(if expected == 0 { b"" } else { b"seven !" });
            let (judged, disagreement) = judge_part(&digest, expected, &answer);
            assert_eq!((word(&judged), disagreement.is_some()), (proof, contradicts), "{expected} {answer:?}");
        }
    }

    #[test]
    fn a_size_of_nothing_needs_the_digest_of_nothing_i25_f103() {
        let of_nothing = [
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
            format!(
                "sha512:{}{}",
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce",
                "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
            ),
        ];
        for served in [Served::Nothing, Served::Begun] {
            for size in [None, Some(0)] {
                let answer = PartAnswer::served(served, size);
                for text in &of_nothing {
                    let whole = served == Served::Nothing || size == Some(0);
                    let judged = judge_part(&text.parse().unwrap(), 0, &answer).0;
                    assert_eq!(judged == PartProof::Whole, whole, "{text} {answer:?}");
                }
                let other = judge_part(&Digest::sha256(b"a layer"), 0, &answer).0;
                assert!(matches!(other, PartProof::Broken(_)), "{answer:?}: {other:?}");
            }
        }
        let gone = PartAnswer::served(Served::NotFound, None);
        assert_eq!(judge_part(&Digest::sha256(b"a layer"), 0, &gone).0, PartProof::Absent);
    }

    #[test]
    fn what_is_there_and_blocked_is_told_from_what_is_denied_or_absent_j10_f119() {
        let gate = "current image with 1 vulnerability cannot be pulled due to configured policy";
        for (status, code, message, blocked) in [
            (412, Some("PROJECTPOLICYVIOLATION"), Some(gate), true),
            (412, Some("PRECONDITION"), None, true),
            (412, None, None, true),
            (406, None, None, true),
            (423, None, None, true),
            (451, Some("DENIED"), None, true),
            (403, Some("DENIED"), Some("requested access to the resource is denied"), false),
            (403, Some("DENIED"), Some("User is not authorized by any identity-based policy"), false),
            (403, None, None, false),
            (403, Some("DENIED"), Some("The requested item is QUARANTINED"), true),
            (403, Some("UNKNOWN"), Some("download blocked: blocking policy configured in Xray"), true),
            (401, Some("UNAUTHORIZED"), Some("quarantined"), false),
            (404, Some("MANIFEST_UNKNOWN"), Some("OCI artifact found, but accept header does not support it"), true),
            (404, Some("MANIFEST_UNKNOWN"), Some("manifest unknown"), false),
            (429, None, Some("severity"), false),
            (500, None, Some("quarantine database is down"), false),
        ] {
            let codes: Vec<String> = code.map(str::to_owned).into_iter().collect();
            assert_eq!(is_blocked(status, &codes, message), blocked, "{status} {code:?} {message:?}");
        }
    }

    #[test]
    fn what_a_404_says_i4_i25() {
        use NotFoundWord::{Absent, NoRepository, Nothing, Otherwise};
        for (codes, manifest, blob) in [
            (&[][..], Nothing, Nothing),
            (&["MANIFEST_UNKNOWN"], Absent, Otherwise),
            (&["TAG_UNKNOWN"], Absent, Otherwise),
            (&["BLOB_UNKNOWN"], Otherwise, Absent),
            (&["NOT_FOUND"], Absent, Absent),
            (&["MANIFEST_BLOB_UNKNOWN"], Absent, Absent),
            (&["NAME_UNKNOWN"], NoRepository, NoRepository),
            (&["NAME_UNKNOWN", "NOT_FOUND"], NoRepository, NoRepository),
            (&["MANIFEST_UNKNOWN", "DENIED"], Otherwise, Otherwise),
            (&["DENIED", "NOT_FOUND"], Otherwise, Otherwise),
            (&["DENIED"], Otherwise, Otherwise),
            (&["UNAUTHORIZED"], Otherwise, Otherwise),
            (&["TOOMANYREQUESTS"], Otherwise, Otherwise),
            (&["UNSUPPORTED"], Otherwise, Otherwise),
            (&["NAME_UNKNOWN", "DENIED"], Otherwise, Otherwise),
        ] {
            let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
            assert_eq!(judge_not_found(Sought::Manifest, &codes), manifest, "{codes:?}");
            assert_eq!(judge_not_found(Sought::Blob, &codes), blob, "{codes:?}");
        }
    }

    #[test]
    fn head_alone_makes_nothing_whole_i25() {
        use Served::{Begun, BrokeOff, NotFound, NotFoundElsewhere, Nothing};
        for served in [BrokeOff, NotFound, NotFoundElsewhere, Nothing] {
            for head in [None, Some(false), Some(true)] {
                let answer = PartAnswer { served, size: None, head, head_size: head.map(|_| 7) };
                assert_ne!(judge_part(&Digest::sha256(b"seven !"), 7, &answer).0, PartProof::Whole, "{answer:?}");
            }
        }
        assert!(PartAnswer::served(Begun, None).wants_head() && PartAnswer::served(NotFound, None).wants_head());
        assert!(!PartAnswer::served(Begun, Some(7)).wants_head(), "one call for each part that is as it should be");
    }

    #[test]
    fn what_proves_that_a_list_is_whole_f106() {
        let page = |came: usize| PageFacts {
            asked: Some(1_000),
            came,
            most_before: 0,
            by_last_name: false,
            repeats: false,
            ordered: true,
            enlarged: false,
        };
        let on = |came: usize| PageFacts { by_last_name: true, most_before: 1_000, ..page(came) };
        let back = |came: usize| PageFacts { repeats: true, ..on(came) };
        let large = |came: usize, room: usize| PageFacts {
            asked: Some(room),
            enlarged: true,
            repeats: true,
            most_before: 1_000,
            ..page(came)
        };
        for (facts, step) in [
            (page(0), ListStep::End),
            (page(999), ListStep::End),
            (page(1_000), ListStep::AskOn),
            (page(1_001), ListStep::End),
            // A server that caps pages of its own and does not say so.
            (page(100), ListStep::AskOn),
            // A server that takes no size is asked what follows; if it starts anew, that was all it has.
            (PageFacts { asked: None, ..page(7) }, ListStep::AskOn),
            (PageFacts { asked: None, most_before: 7, ..back(7) }, ListStep::End),
            (PageFacts { most_before: 100, came: 100, ..back(0) }, ListStep::End),
            (PageFacts { ordered: false, ..page(1_000) }, ListStep::Enlarge(2_001)),
            (PageFacts { ordered: false, ..page(100) }, ListStep::End),
            (on(0), ListStep::End),
            (on(6), ListStep::End),
            (on(1_000), ListStep::AskOn),
            // It starts again from the beginning: `last` is not known there.
            (back(1_000), ListStep::Enlarge(2_001)),
            (large(1_500, 2_000), ListStep::End),
            (large(2_001, 2_001), ListStep::Enlarge(4_003)),
            (large(2_001, 4_003), ListStep::End),
            (large(1_000, 2_000), ListStep::CutOff),
            (large(400_000, 400_000), ListStep::Enlarge(800_001)),
            (large(800_000, 800_000), ListStep::CutOff),
        ] {
            assert_eq!(judge_page(&facts), step, "{facts:?}");
        }
    }
}
