//! What is not there, and what only seems so (I4, I25): a 404 is the registry's word, or it is nobody's.

use prodpin::model::{Closure, Digest, Mode, Order, Pin, PinState, Presence, Recognised, RegistryKind, Resolution};
use prodpin::outcome::report::PinReport;
use prodpin::sources::Source;

use super::content::{Opening, artifact, repository, tag};
use super::server::{CONFIG, IMAGE, LAYER, Lie, Server};
use crate::estate::{Estate, RunResult, tags};
use crate::support::each;

/// What servers that are no registry say of a path that they do not know.
const OTHERS: [(&str, &str); 5] = [
    ("text/plain; charset=utf-8", "404 page not found\n"),
    ("text/plain", ""),
    ("text/plain", "default backend - 404"),
    ("application/json", r#"{"message":"no Route matched with those values"}"#),
    ("text/html", "<html>404</html>"),
];

/// Three releases, the first of which is looked at closely.
async fn shop(lies: impl IntoIterator<Item = Lie>) -> (Server, Vec<Digest>) {
    let server = Server::start(lies).await;
    let images = server.store(|store| {
        (0..3)
            .map(|number| {
                let image = store.image(&format!("release {number}"));
                store.tag("shop/api", &format!("v1.{number}.0"), &image);
                image
            })
            .collect()
    });
    (server, images)
}

fn source(server: &Server) -> Source {
    Opening::at(server).writing().open()
}

async fn run(estate: &Estate, server: &Server) -> RunResult {
    estate.run_on(Mode::Enforce, source(server)).await
}

fn estate() -> Estate {
    Estate::new(vec![tags(&["v*"], Order::Semver)])
}

/// Takes a release away as a deletion in the registry does.
fn delete(server: &Server, image: &Digest) {
    server.store(|store| {
        store.manifests.remove(&image.to_string());
        let tags = store.tags.get_mut("shop/api").unwrap();
        tags.retain(|_, named| *named != image.to_string());
    });
}

fn says_missing(reported: &RunResult) -> bool {
    const GONE: [&str; 5] = ["target-missing", "target-broken", "tag-deleted", "pin-missing", "attestation-missing"];
    reported.codes().iter().any(|code| GONE.iter().any(|gone| code.contains(gone)))
}

#[tokio::test]
async fn a_gateway_s_404_is_no_word_of_the_registry_i4_i25() {
    for (media_type, body) in OTHERS {
        for part in ["/manifests/", "/manifests/sha256:", "/manifests/v1.1.0", "/manifests/prod-pinned-", "/blobs/"] {
            let (server, _) = shop([]).await;
            let estate = estate();
            assert!(run(&estate, &server).await.complete);
            server.lie(Lie::GoneSaying(part.to_owned(), media_type, body));
            for _ in 0..2 {
                let reported = run(&estate, &server).await;
                assert!(!says_missing(&reported), "{part} {body:?}: {:?}", reported.codes());
                // A digest that is refused while its tag is served is reported as what it is.
                let is_reported =
                    !reported.complete || reported.codes().iter().any(|code| code.contains("registry-contradiction"));
                assert!(is_reported, "{part} {body:?}: {:?}", reported.codes());
                assert!(each(reported.targets().iter(), |target| target.restorable != Some(false)), "{part} {body:?}");
            }
            server.be_honest();
            let reported = run(&estate, &server).await;
            assert!(reported.complete && !says_missing(&reported), "{part} {body:?}: {:?}", reported.codes());
        }
    }
}

#[tokio::test]
async fn a_route_that_is_lost_in_mid_run_takes_nothing_away_i4_i25() {
    let (media_type, body) = OTHERS[0];
    for has_documents in [true, false] {
        let (server, _) = shop([]).await;
        let estate = estate();
        run(&estate, &server).await;
        let before = server.seen().len();
        run(&estate, &server).await;
        for after in (0..server.seen().len() - before).step_by(3) {
            server.be_honest();
            let lost = Server::start([Lie::RouteLost { after, media_type, body }]).await;
            let (tags, manifests, blobs) =
                server.store(|store| (store.tags.clone(), store.manifests.clone(), store.blobs.clone()));
            lost.store(|store| (store.tags, store.manifests, store.blobs) = (tags, manifests, blobs));
            if !has_documents {
                lost.lie(Lie::OwnManner(media_type, body));
            }
            let reported = estate.run_on(Mode::Audit, source(&lost)).await;
            assert!(!says_missing(&reported), "after {after}: {:?}", reported.codes());
        }
    }
}

#[tokio::test]
async fn a_registry_without_error_documents_is_believed_in_its_own_manner_i4() {
    for (media_type, body) in &OTHERS[..3] {
        let (server, images) = shop([Lie::OwnManner(media_type, body)]).await;
        let estate = estate();
        let reported = run(&estate, &server).await;
        assert!(
            reported.complete && reported.targets().iter().all(|target| target.protected == Some(true)),
            "{body:?}"
        );
        delete(&server, &images[1]);
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&images[1])).await;
        assert_eq!((seen.presence, seen.pin, seen.gaps), (Presence::NotFound, PinState::Absent, vec![]), "{body:?}");
        let (found, gap) = source(&server).inventory.look_up(&repository(), &tag("v1.1.0")).await;
        assert_eq!((found, gap), (Resolution::NotFound, None), "{body:?}");
        let reported = run(&estate, &server).await;
        assert!(reported.codes().contains(&"critical target-missing".to_owned()), "{body:?}: {:?}", reported.codes());
        // Another manner is somebody else's.
        server.lie(Lie::GoneSaying(format!("/manifests/{}", images[2]), "application/json", "{}"));
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&images[2])).await;
        assert_eq!(seen.presence, Presence::Unknown, "{body:?}");
    }
}

#[tokio::test]
async fn other_words_than_not_found_are_no_absence_i4() {
    for codes in [
        &["NAME_UNKNOWN"][..],
        &["MANIFEST_UNKNOWN", "DENIED"],
        &["DENIED"],
        &["denied", "MANIFEST_UNKNOWN"],
        &["UNAUTHORIZED"],
        &["TOOMANYREQUESTS"],
        &["BLOB_UNKNOWN"],
    ] {
        let (server, images) = shop([Lie::GoneCodes("/manifests/".to_owned(), codes)]).await;
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&images[0])).await;
        assert_eq!((seen.presence, seen.pin), (Presence::Unknown, PinState::Unknown), "{codes:?}");
        let (found, gap) = source(&server).inventory.look_up(&repository(), &tag("v1.0.0")).await;
        assert_eq!((found, gap.is_some()), (Resolution::Unknown, true), "{codes:?}");
    }
    // A repository that is gone says so of its list as well.
    let (server, images) = shop([Lie::GoneCodes("/v2/shop/api/".to_owned(), &["NAME_UNKNOWN"])]).await;
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&images[0])).await;
    assert_eq!(seen.presence, Presence::NotFound);
    for codes in [&["MANIFEST_UNKNOWN"][..], &["NOT_FOUND"], &["TAG_UNKNOWN"]] {
        let (server, images) = shop([Lie::GoneCodes("/manifests/".to_owned(), codes)]).await;
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&images[0])).await;
        assert_eq!((seen.presence, seen.pin), (Presence::NotFound, PinState::Absent), "{codes:?}");
    }
}

#[tokio::test]
async fn what_a_list_names_is_not_gone_i4_i25() {
    for (keeps_tag, keeps_pin) in [(true, true), (true, false), (false, true)] {
        let (server, images) = shop([]).await;
        let estate = estate();
        run(&estate, &server).await;
        let pin = Pin::for_digest(&images[1]).to_string();
        for part in [images[1].to_string(), "v1.1.0".to_owned(), pin.clone()] {
            server.lie(Lie::Gone(format!("/manifests/{part}")));
        }
        server.store(|store| {
            let tags = store.tags.get_mut("shop/api").unwrap();
            tags.retain(|name, _| (keeps_tag || name != "v1.1.0") && (keeps_pin || *name != pin));
        });
        for _ in 0..3 {
            let reported = run(&estate, &server).await;
            let codes = reported.codes();
            assert!(!codes.iter().any(|code| code.contains("target-missing")), "{keeps_tag} {keeps_pin}: {codes:?}");
            assert!(codes.iter().any(|code| code.contains("registry-contradiction")), "{codes:?}");
            let about = reported.targets().iter().find(|target| target.artifact == artifact(&images[1])).unwrap();
            assert_ne!(about.protected, Some(true), "{keeps_tag} {keeps_pin}");
            assert!(!reported.complete, "{keeps_tag} {keeps_pin}");
        }
    }
}

#[tokio::test]
async fn a_layer_of_no_size_needs_the_digest_of_nothing_i25_f103() {
    for (layer, closure) in
        [(Digest::sha256(b""), Closure::Complete), (Digest::sha256(b"full"), Closure::Broken(vec![]))]
    {
        let server = Server::start([]).await;
        let image = server.store(|store| {
            let config = store.blob(b"{}");
            store.blobs.insert(layer.to_string(), Vec::new());
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{{"mediaType":"{CONFIG}","digest":"{config}","size":2}},
                "layers":[{{"mediaType":"{LAYER}","digest":"{layer}","size":0}}]}}"#
            );
            let image = store.manifest(IMAGE, &text);
            store.tag("shop/api", "v1.0.0", &image);
            image
        });
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
        assert_eq!(seen.closure, closure, "{layer}");
    }
}

#[tokio::test]
async fn a_link_in_any_spelling_leads_on_and_one_that_is_not_understood_is_no_end_f16_f106() {
    for (link, is_read) in [
        ("<{}>; rel=\"next\"", true),
        ("<{}>;rel=next", true),
        ("<{}>; rel='next'", true),
        ("<{}>; REL=\"last NEXT\"; title=\"a;,b\"", true),
        ("<{}>", false),
        ("<{}>; title=next", false),
        ("<{}>; rel=\"http://x/next\"", false),
        ("<{}>; rel=more", false),
        ("<{}; rel=next", false),
    ] {
        let (server, _) = shop([Lie::LinkIs(link)]).await;
        let snapshot = source(&server).inventory.observe(&repository()).await;
        assert_eq!(snapshot.listing_is_complete(), is_read, "{link}: {:?}", snapshot.gaps);
        assert_eq!(snapshot.tags.len(), if is_read { 3 } else { 2 }, "{link}: what came is looked at");
        let reported = run(&estate(), &server).await;
        assert_eq!(reported.complete, is_read, "{link}");
    }
}

#[tokio::test]
async fn the_list_of_another_repository_is_none_f12() {
    for (named, is_read) in [
        ("shop/api", true),
        ("acme/shop/api", true),
        ("api", true),
        ("", true),
        ("other/repo", false),
        ("shop/web", false),
    ] {
        let (server, _) = shop([Lie::ListOf(named)]).await;
        let snapshot = source(&server).inventory.observe(&repository()).await;
        assert_eq!(snapshot.listing_is_complete(), is_read, "{named}: {:?}", snapshot.gaps);
    }
}

#[tokio::test]
async fn an_error_or_another_part_in_place_of_a_blob_says_nothing_of_it_i25() {
    for (media_type, body) in [
        ("application/json", r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#),
        ("application/json; charset=utf-8", r#"{"message":"upstream failed"}"#),
        ("application/xml", "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>"),
        ("text/plain", "<Error/>"),
        ("text/html", "<html>log in</html>"),
    ] {
        let (server, images) = shop([Lie::BlobSays(media_type, body)]).await;
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&images[0])).await;
        assert_eq!((seen.closure, seen.gaps.is_empty()), (Closure::Unknown, false), "{media_type} {body}");
    }
    // Asked for the whole, it tells the truth.
    let (server, images) = shop([Lie::OtherPart]).await;
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&images[0])).await;
    assert_eq!(seen.closure, Closure::Complete);
    assert!(server.seen().iter().any(|seen| seen.path.contains("/blobs/") && !seen.headers.contains_key("range")));
}

#[tokio::test]
async fn a_mark_in_any_answer_is_noticed_before_a_pin_is_made_i22_f123() {
    for (part, name, value, kind) in [
        ("/tags/list", "Access-Control-Allow-Headers", "Authorization,X-ZOT-API-CLIENT", RegistryKind::Zot),
        ("/manifests/v1", "X-Harbor-CSRF-Token", "abc", RegistryKind::Harbor),
        ("/blobs/", "Gitlab-Container-Registry-Version", "4", RegistryKind::GitLab),
        ("/manifests/sha256:", "Server", "Nexus/3.82.0-08", RegistryKind::Nexus),
    ] {
        let (server, _) = shop([Lie::InPassing(part, name, value)]).await;
        let reported = run(&estate(), &server).await;
        assert_eq!(server.writes(), Vec::<String>::new(), "{part} {name}");
        assert!(each(reported.targets().iter(), |target| target.pin == PinReport::Withheld), "{part} {name}");
        let finding = reported.findings.iter().find(|finding| finding.code.as_str() == "cleanup-unknown");
        assert!(finding.is_some_and(|finding| finding.message.contains(kind.name())), "{part}: {:?}", reported.codes());
    }
}

#[tokio::test]
async fn a_question_that_is_forbidden_leaves_the_kind_unknown_i22_f123() {
    for lie in [
        Lie::Shows("/v2/", 403, &[], ""),
        Lie::Shows("/v2/", 404, &[], ""),
        Lie::Html("/v2/"),
        Lie::Shows("/api/v2.0/systeminfo", 403, &[], ""),
        Lie::Shows("/config", 200, &[("Content-Encoding", "gzip")], "no gzip"),
    ] {
        let (server, _) = shop([lie.clone()]).await;
        let known = source(&server).inventory.cleanup().await.registry;
        assert!(matches!(known, Recognised::Unknown { .. }), "{lie:?}: {known:?}");
        let reported = run(&estate(), &server).await;
        assert_eq!(server.writes(), Vec::<String>::new(), "{lie:?}");
        assert!(!reported.complete, "{lie:?}");
    }
}
