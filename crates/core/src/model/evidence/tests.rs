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
