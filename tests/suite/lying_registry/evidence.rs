//! What proves what (I25): parts by their first byte, manifests by their bytes, lists to their end. One lie each, and what a
//! whole run says of it.

use prodpin::model::{Closure, Digest, Mode, Obstacle, Order, Pin, PinState, Presence};
use prodpin::sources::Source;

use super::content::{Opening, artifact, repository};
use super::server::{Lie, Server};
use crate::estate::{Estate, RunResult, tags};

/// A registry with one image of two layers under `v1.0.0`, and the layer that is its own.
pub(super) async fn with_image(lies: impl IntoIterator<Item = Lie>) -> (Server, Digest, Digest) {
    let server = Server::start(lies).await;
    let image = server.store(|store| {
        let image = store.image("one");
        store.tag("shop/api", "v1.0.0", &image);
        image
    });
    (server, image, Digest::sha256(b"one"))
}

pub(super) fn source(server: &Server) -> Source {
    Opening::at(server).writing().open()
}

pub(super) fn estate() -> Estate {
    Estate::new(vec![tags(&["v*"], Order::Semver)])
}

/// What a run says of the registry; each time it is opened anew, as by another run of the program.
pub(super) async fn run(estate: &Estate, server: &Server) -> RunResult {
    estate.run_on(Mode::Enforce, source(server)).await
}

pub(super) fn protected(reported: &RunResult) -> Vec<Option<bool>> {
    reported.targets().iter().map(|target| target.protected).collect()
}

#[tokio::test]
async fn a_whole_layer_is_proven_by_its_first_byte_whatever_head_says_f107() {
    for lies in [
        vec![],
        vec![Lie::NoRanges],
        vec![Lie::RangeRefused(400)],
        vec![Lie::RangeRefused(416)],
        vec![Lie::RangeRefused(501)],
        vec![Lie::BlobHead(401)],
        vec![Lie::BlobHead(403)],
        vec![Lie::BlobHead(404)],
        vec![Lie::BlobHead(405)],
        vec![Lie::BlobHeadLength(Some(0))],
        vec![Lie::BlobHeadLength(None)],
        vec![Lie::BlobHeadLength(Some(1))],
    ] {
        let (server, image, _) = with_image(lies.clone()).await;
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
        assert_eq!((seen.closure, seen.gaps, seen.obstacles), (Closure::Complete, vec![], vec![]), "{lies:?}");
        assert_eq!(server.count("HEAD", "/blobs/"), 0, "HEAD proves nothing, so it is not asked: {lies:?}");
    }
}

#[tokio::test]
async fn little_of_a_layer_is_read_where_ranges_are_unknown_i20() {
    let (server, image, _) = with_image([Lie::NoRanges]).await;
    let large = vec![7_u8; 64 << 20];
    let digest = Digest::sha256(&large);
    let image = server.store(|store| {
        let layer = store.blob(&large);
        let (_, text) = store.manifests[&image.to_string()].clone();
        let text = String::from_utf8(text).unwrap();
        let own = format!(r#""digest":"{}","size":3"#, Digest::sha256(b"one"));
        let text = text.replace(&own, &format!(r#""digest":"{layer}","size":{}"#, large.len()));
        let image = store.manifest(super::server::IMAGE, &text);
        store.tag("shop/api", "v1.0.0", &image);
        image
    });
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
    assert_eq!((seen.closure, seen.gaps), (Closure::Complete, vec![]));
    assert_eq!(server.count("GET", &format!("/blobs/{digest}")), 1);
}

#[tokio::test]
async fn a_layer_of_another_size_is_broken_f103() {
    for (bytes, lies) in [
        (b"".as_slice(), vec![]),
        (b"", vec![Lie::BlobHeadLength(Some(3))]),
        (b"", vec![Lie::NoRanges]),
        (b"on", vec![]),
        (b"on", vec![Lie::BlobHeadLength(Some(3)), Lie::NoRanges]),
        (b"oneone", vec![]),
    ] {
        let (server, image, layer) = with_image(lies).await;
        server.store(|store| store.blobs.insert(layer.to_string(), bytes.to_vec()));
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
        assert_eq!(seen.closure, Closure::Broken(vec![]), "{bytes:?}");
        let [Obstacle::PartDamaged { digest, detail }] = &seen.obstacles[..] else { panic!("{:?}", seen.obstacles) };
        assert_eq!(*digest, layer);
        assert!(detail.contains(&format!("{} bytes, and its manifest says 3", bytes.len())), "{detail}");
        let reported = run(&estate(), &server).await;
        assert_eq!((protected(&reported), reported.targets()[0].restorable), (vec![Some(false)], Some(false)));
        assert!(reported.codes().contains(&"critical target-broken".to_owned()), "{:?}", reported.codes());
        assert_eq!(server.writes(), Vec::<String>::new(), "what is broken is not pinned");
    }
}

/// Only reading all of a layer would find it; until something does, nobody is reported more than was proven.
#[tokio::test]
async fn a_layer_of_the_same_size_with_other_bytes_is_said_to_have_its_size_and_no_more_f104() {
    let (server, _, layer) = with_image([]).await;
    server.store(|store| store.blobs.insert(layer.to_string(), b"eno".to_vec()));
    let estate = estate();
    let reported = run(&estate, &server).await;
    assert_eq!(protected(&reported), [Some(true)]);
    assert!(reported.codes().iter().all(|code| code.ends_with("rollback-depth-short")), "{:?}", reported.codes());
    server.store(|store| {
        let newer = store.image("newer");
        store.tag("shop/api", "v1.1.0", &newer);
    });
    run(&estate, &server).await;
    let ready = estate.ready_on(source(&server)).await;
    let page = crate::ready::shown(&ready.report, 200);
    assert!(page.contains("intact? yes: every part is there with its size"), "{page}");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(readme.contains("the bytes of layers are not read"), "README says what is not proven");
}

#[tokio::test]
async fn a_layer_of_no_bytes_that_should_have_none_is_whole() {
    let (server, image, _) = with_image([]).await;
    let image = server.store(|store| {
        let layer = store.blob(b"");
        let (_, text) = store.manifests[&image.to_string()].clone();
        let own = format!(r#""digest":"{}","size":3"#, Digest::sha256(b"one"));
        let text = String::from_utf8(text).unwrap().replace(&own, &format!(r#""digest":"{layer}","size":0"#));
        store.manifest(super::server::IMAGE, &text)
    });
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
    assert_eq!((seen.closure, seen.gaps), (Closure::Complete, vec![]));
}

#[tokio::test]
async fn a_layer_that_only_a_memory_knows_is_not_whole_f107_f130() {
    for breaks_off in [false, true] {
        let (server, image, layer) = with_image([]).await;
        server.lie(match breaks_off {
            true => Lie::BlobBreaksOff(layer.to_string()),
            false => Lie::GoneToGet(format!("/blobs/{layer}")),
        });
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
        let expected = if breaks_off { Closure::Unknown } else { Closure::Broken(vec![layer.clone()]) };
        assert_eq!(seen.closure, expected);
        let contradicts = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Contradiction { about, .. } if about.contains(&layer.hex()));
        assert!(seen.obstacles.iter().any(contradicts), "{:?}", seen.obstacles);
        let reported = run(&estate(), &server).await;
        assert_ne!(reported.targets()[0].restorable, Some(true));
        assert_ne!(protected(&reported), [Some(true)]);
        assert!(reported.codes().contains(&"high registry-contradiction".to_owned()), "{:?}", reported.codes());
        server.be_honest();
        let reported = run(&estate(), &server).await;
        assert_eq!((protected(&reported), reported.complete), (vec![Some(true)], true));
    }
}

#[tokio::test]
async fn a_store_that_lost_what_the_registry_sends_to_is_a_contradiction_f107() {
    let (server, image, _) = with_image([]).await;
    let store = Server::start_at("127.0.0.2", super::server::Guard::Open, []).await;
    server.lie(Lie::BlobsAt(format!("{}/v2/x/blobs/{{digest}}", store.url())));
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
    assert_eq!(seen.closure, Closure::Unknown, "a store behind a redirect is not the registry's word (I4)");
    let [Obstacle::Contradiction { but, .. }, ..] = &seen.obstacles[..] else { panic!("{:?}", seen.obstacles) };
    assert!(but.contains("store answers 404"), "{but}");
    assert!(store.credentials().is_empty() && store.seen().iter().all(|seen| seen.headers.contains_key("range")));
}

#[tokio::test]
async fn a_tag_or_pin_that_serves_other_bytes_than_head_says_is_a_contradiction_f36_f105() {
    for of_pin in [false, true] {
        let (server, image, _) = with_image([]).await;
        let estate = estate();
        assert_eq!(protected(&run(&estate, &server).await), [Some(true)]);
        let other = server.store(|store| store.image("what an attacker built"));
        let name = if of_pin { Pin::for_digest(&image).to_string() } else { "v1.0.0".to_owned() };
        server.lie(Lie::GetServes(name.clone(), other.clone()));
        // Another ledger knows nothing of the pins: it is a beginning on purpose.
        let mut another = self::estate();
        another.policy.safeguards.adopt = true;
        for estate in [&estate, &another] {
            let reported = run(estate, &server).await;
            assert!(
                reported.codes().contains(&"high registry-contradiction".to_owned()),
                "{name}: {:?}",
                reported.codes()
            );
            assert!(!protected(&reported).contains(&Some(true)), "{name}: {:?}", reported.targets());
            let named =
                reported.findings.iter().find(|finding| finding.code.as_str() == "registry-contradiction").unwrap();
            for answer in [image.to_string(), other.to_string(), name.clone()] {
                assert!(named.message.contains(&answer), "both answers are told: {}", named.message);
            }
        }
        server.be_honest();
        let reported = run(&estate, &server).await;
        assert_eq!((protected(&reported), reported.complete), (vec![Some(true)], true), "and it ends with the lie");
    }
}

#[tokio::test]
async fn what_moved_between_two_calls_is_no_contradiction_f105() {
    let (server, image, _) = with_image([]).await;
    let estate = estate();
    run(&estate, &server).await;
    let other = server.store(|store| {
        let other = store.image("two");
        store.tag("shop/api", "v1.0.0", &other);
        other
    });
    let reported = run(&estate, &server).await;
    assert!(!reported.codes().iter().any(|code| code.contains("registry-contradiction")), "{:?}", reported.codes());
    assert!(reported.codes().contains(&"critical tag-moved".to_owned()), "{image} {other}: {:?}", reported.codes());
}

#[tokio::test]
async fn a_tag_that_serves_while_its_digest_is_404_is_not_missing_i4() {
    let (server, image, _) = with_image([]).await;
    let estate = estate();
    run(&estate, &server).await;
    server.lie(Lie::Gone(format!("/manifests/{image}")));
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
    assert_eq!(seen.presence, Presence::Unknown, "its pin serves it");
    for _ in 0..2 {
        let reported = run(&estate, &server).await;
        assert!(!reported.codes().iter().any(|code| code.contains("target-missing")), "{:?}", reported.codes());
        assert!(reported.codes().contains(&"high registry-contradiction".to_owned()), "{:?}", reported.codes());
        assert_eq!(protected(&reported), [None]);
    }
}

#[tokio::test]
async fn a_manifest_that_head_has_and_get_has_not_is_not_missing_i4_f107() {
    let (server, image, _) = with_image([]).await;
    server.lie(Lie::GoneToGet("/manifests/".to_owned()));
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
    assert_eq!(seen.presence, Presence::Unknown);
    assert!(matches!(seen.obstacles[..], [Obstacle::Contradiction { .. }]), "{:?}", seen.obstacles);
}

#[tokio::test]
async fn a_listed_tag_that_is_not_served_is_unknown_and_said_in_the_registry_s_words_i4() {
    for (lie, words) in [
        (Lie::NotAcceptable("v1.0.0"), "accept header does not support it"),
        (Lie::Gone("/manifests/v1.0.0".to_owned()), "404 MANIFEST_UNKNOWN (no)"),
    ] {
        let (server, image, _) = with_image([]).await;
        let estate = estate();
        run(&estate, &server).await;
        server.lie(lie);
        for _ in 0..3 {
            let reported = run(&estate, &server).await;
            let about: Vec<&String> = reported.repositories[0].gaps.iter().map(|gap| &gap.detail).collect();
            assert!(about.iter().any(|detail| detail.contains(words)), "{about:?}");
            assert!(!reported.complete);
            let codes = reported.codes();
            assert!(
                !codes.iter().any(|code| code.contains("tag-deleted") || code.contains("target-missing")),
                "{codes:?}"
            );
            assert_eq!(
                (reported.targets()[0].restorable, &reported.targets()[0].artifact),
                (Some(true), &artifact(&image))
            );
        }
    }
}

#[tokio::test]
async fn a_listed_tag_that_nothing_depends_on_keeps_no_run_from_being_whole() {
    let (server, image, _) = with_image([]).await;
    server.store(|store| store.tag("shop/api", "dev-1", &Digest::sha256(b"cleaned away")));
    let estate = estate();
    for _ in 0..3 {
        let reported = run(&estate, &server).await;
        assert!(reported.complete, "{:?}", reported.repositories[0].gaps);
        assert!(reported.codes().contains(&"low registry-contradiction".to_owned()), "{:?}", reported.codes());
        assert!(!reported.codes().iter().any(|code| code.contains("tag-deleted")));
    }
    assert_eq!(server.count("PUT", &Pin::for_digest(&image).to_string()), 1);
}

#[tokio::test]
async fn an_attestation_that_is_gone_keeps_nobody_from_going_back_i6() {
    let server = Server::start([]).await;
    let (platforms, attestation) = server.store(|store| {
        let platforms = [store.image("amd64"), store.image("arm64")];
        let attestation = store.image("an attestation");
        let index = store.index_with_attestation(&[("amd64", &platforms[0]), ("arm64", &platforms[1])], &attestation);
        store.tag("shop/api", "v1.0.0", &index);
        (platforms, attestation)
    });
    let estate = estate();
    server.lie(Lie::Gone(format!("/manifests/{attestation}")));
    let reported = run(&estate, &server).await;
    assert_eq!((protected(&reported), reported.complete), (vec![Some(true)], true));
    assert!(reported.codes().contains(&"medium attestation-missing".to_owned()), "{:?}", reported.codes());

    // A part of it is no more needed than the whole.
    server.be_honest();
    server.lie(Lie::Gone(format!("/blobs/{}", Digest::sha256(b"an attestation"))));
    let reported = run(&estate, &server).await;
    assert_eq!(protected(&reported), [Some(true)]);
    assert!(reported.codes().contains(&"medium attestation-missing".to_owned()), "{:?}", reported.codes());

    // A platform is, and the sentence says which.
    server.be_honest();
    server.lie(Lie::Gone(format!("/manifests/{}", platforms[1])));
    let reported = run(&estate, &server).await;
    assert_eq!(protected(&reported), [Some(false)]);
    let broken = reported.findings.iter().find(|finding| finding.code.as_str() == "target-broken").unwrap();
    assert!(broken.message.contains("lacks platform linux/arm64"), "{}", broken.message);
}

#[tokio::test]
async fn many_lost_layers_are_one_finding() {
    let server = Server::start([Lie::Gone("/blobs/".to_owned())]).await;
    server.store(|store| {
        let children: Vec<Digest> = (0..40).map(|number| store.image(&format!("image {number}"))).collect();
        let index = store.index(&children.iter().collect::<Vec<_>>());
        store.tag("shop/api", "v1.0.0", &index);
    });
    let reported = run(&estate(), &server).await;
    let broken: Vec<_> = reported.findings.iter().filter(|finding| finding.code.as_str() == "target-broken").collect();
    assert_eq!(broken.len(), 1);
    assert!(broken[0].message.contains("lacks 81 parts") && broken[0].message.len() < 800, "{}", broken[0].message);
}

#[tokio::test]
async fn a_pin_that_head_alone_has_is_not_there_f105() {
    let (server, image, _) = with_image([]).await;
    let source = source(&server);
    source.protector.as_ref().unwrap().pin(&repository(), &artifact(&image)).await.unwrap();
    let pin = Pin::for_digest(&image).to_string();
    assert_eq!(source.inventory.inspect(&repository(), &artifact(&image)).await.pin, PinState::Present);
    server.lie(Lie::GoneToGet(format!("/manifests/{pin}")));
    let seen = source.inventory.inspect(&repository(), &artifact(&image)).await;
    assert_eq!((seen.pin, seen.presence), (PinState::Unknown, Presence::Present));
    assert!(matches!(seen.obstacles[..], [Obstacle::Contradiction { .. }]), "{:?}", seen.obstacles);
}
