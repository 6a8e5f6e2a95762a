//! Lists of repositories and tags, page by page.

use prodpin::model::{ArtifactId, Cause, Digest, PinState, Resolution, Scope, Snapshot};

use crate::lying_registry::content::{Opening, artifact, listed, repository};
use crate::lying_registry::reported;
use crate::lying_registry::server::{Lie, Server};

/// A registry with ten tags.
pub(super) async fn with_tags(lies: impl IntoIterator<Item = Lie>) -> Server {
    let server = Server::start(lies).await;
    server.store(|store| {
        for number in 0..10 {
            let digest = store.image(&format!("image {number}"));
            store.tag("shop/api", &format!("1.{number}"), &digest);
        }
    });
    server
}

#[tokio::test]
async fn every_page_is_followed_however_small_and_opaque_f16_f17() {
    let server = with_tags([Lie::PageOf(3)]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (10, vec![]));
    let asked: Vec<String> =
        server.seen().into_iter().map(|seen| seen.path).filter(|path| path.contains("/tags/list")).collect();
    assert_eq!(asked[0], "/v2/shop/api/tags/list?n=1000");
    assert_eq!(asked[1], "/v2/shop/api/tags/list?cursor=%7E+3%252F&n=1", "the cursor is sent back as it came");
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn a_cursor_that_repeats_ends_the_list_with_a_gap_f18() {
    let server = with_tags([Lie::PageOf(3), Lie::CursorRepeats]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Malformed)], "{:?}", snapshot.gaps);
    assert!(!snapshot.listing_is_complete());
    assert!(server.count("GET", "/tags/list") <= 3);
}

#[tokio::test]
async fn a_list_that_always_goes_on_is_left_f18() {
    let server = with_tags([Lie::PageOf(3), Lie::MorePages(usize::MAX)]).await;
    let source = Opening::at(&server).repositories(&["shop/*"]).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Malformed)], "{:?}", snapshot.gaps);
    assert!(snapshot.gaps[0].detail.contains("brought no new name"), "{:?}", snapshot.gaps);
    assert_eq!(snapshot.tags.len(), 10, "what was listed is looked at all the same");
    assert!((100..110).contains(&server.count("GET", "/tags/list")), "{}", server.count("GET", "/tags/list"));
    let (names, gaps) = listed(&source).await;
    assert_eq!((names, reported(&gaps)), (vec!["shop/api".to_owned()], vec![(Scope::Source, Cause::Malformed)]));

    // Some registries leave names out after paging: a few pages with nothing on them are no lie.
    let server = with_tags([Lie::PageOf(3), Lie::MorePages(30)]).await;
    let source = Opening::at(&server).repositories(&["shop/*"]).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (10, vec![]));
    assert_eq!(listed(&source).await, (vec!["shop/api".to_owned()], vec![]));
}

#[tokio::test]
async fn a_list_that_takes_all_the_time_there_is_is_left_f5() {
    let server = with_tags([Lie::NewNamesForEver]).await;
    let mut opening = Opening::at(&server);
    opening.environment.timing.list = std::time::Duration::from_millis(300);
    let began = std::time::Instant::now();
    let snapshot = opening.open().inventory.observe(&repository()).await;
    let end = snapshot.gaps.iter().find(|gap| gap.scope == Scope::Repository).expect("the list has no end");
    assert_eq!(end.cause, Cause::TimedOut, "{end:?}");
    assert!(end.detail.contains("no end within 0.3 s"), "{end:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for_f15() {
    let other = Server::start_at("127.0.0.2", super::server::Guard::Open, []).await;
    let server = with_tags([Lie::PageOf(3), Lie::NextPageAt(other.url())]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Refused)], "{:?}", snapshot.gaps);
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn tags_that_come_twice_count_once_and_the_pin_is_looked_at_again_f19() {
    let server = with_tags([Lie::PageOf(3), Lie::PagesOverlap]).await;
    let source = Opening::at(&server).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), &snapshot.gaps), (10, &vec![]));
    // The pin appears after the list was read: the inspection sees it all the same.
    let digest = snapshot.tags[0].target.artifact().unwrap().digest().unwrap().clone();
    let pin = prodpin::model::Pin::for_digest(&digest).to_string();
    server.store(|store| store.tag("shop/api", &pin, &digest));
    assert_eq!(source.inventory.inspect(&repository(), &artifact(&digest)).await.pin, PinState::Present);
    let other = server.store(|store| store.image("other"));
    server.store(|store| store.tag("shop/api", &pin, &other));
    let moved = PinState::Moved(ArtifactId::Manifest(other));
    assert_eq!(source.inventory.inspect(&repository(), &artifact(&digest)).await.pin, moved);
}

/// The tag that ends a page of three, and begins the next where pages overlap.
const TWICE: &str = "1.2";

/// Ten tags, of which one is named on two pages and gets these manifests in turn.
async fn named_again(turns: impl Fn(&Digest, &Digest) -> Vec<Digest>) -> (Digest, Digest, Snapshot) {
    let server = with_tags([Lie::PageOf(3), Lie::PagesOverlap]).await;
    let [one, other] = server.store(|store| ["one", "other"].map(|name| store.image(name)));
    server.lie(Lie::InTurn(TWICE, turns(&one, &other)));
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    (one, other, snapshot)
}

#[tokio::test]
async fn a_tag_that_moves_while_the_list_is_read_is_where_it_is_now_f19() {
    for swapped in [false, true] {
        let in_order = |one: &Digest, other: &Digest| match swapped {
            false => vec![one.clone(), other.clone()],
            true => vec![other.clone(), one.clone()],
        };
        let (one, other, snapshot) = named_again(in_order).await;
        let now = if swapped { one } else { other };
        let seen = snapshot.tags.iter().find(|seen| seen.name.as_str() == TWICE).unwrap();
        assert_eq!(seen.target, Resolution::Artifact(artifact(&now)), "swapped: {swapped}");
        assert_eq!((snapshot.tags.len(), &snapshot.gaps), (10, &vec![]));
    }
}

#[tokio::test]
async fn a_tag_that_is_now_here_and_now_there_is_nowhere_f19_f105() {
    let (one, other, snapshot) =
        named_again(|one, other| [one, other, one, other, one, other].map(Digest::clone).into()).await;
    let seen = snapshot.tags.iter().find(|seen| seen.name.as_str() == TWICE).unwrap();
    assert_eq!(seen.target, Resolution::Unknown);
    assert_eq!(
        reported(&snapshot.gaps),
        [(Scope::Tag(TWICE.parse().unwrap()), Cause::Malformed)],
        "{:?}",
        snapshot.gaps
    );
    let detail = &snapshot.gaps[0].detail;
    assert!(detail.contains(&one.to_string()) && detail.contains(&other.to_string()), "{detail}");
}

#[tokio::test]
async fn null_is_no_tags_and_a_missing_field_is_no_list_f20() {
    let server = with_tags([Lie::NullTags]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (0, vec![]));
    let server = with_tags([Lie::NoTagsField]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Malformed)]);
}

#[tokio::test]
async fn repositories_are_named_or_listed_and_each_comes_once() {
    let server = Server::start([Lie::PageOf(2), Lie::PagesOverlap, Lie::OddNames]).await;
    server.store(|store| {
        for name in ["shop/api", "shop/web", "shop/sandbox-1", "other/x", "deep/a/b"] {
            let digest = store.image(name);
            store.tag(name, "1", &digest);
        }
    });
    let patterns = ["shop/web", "shop/*", "!shop/sandbox-*", "deep/**", "nothing/*", "not/listed"];
    let source = Opening::at(&server).repositories(&patterns).open();
    assert_eq!(source.inventory.unmatched_patterns(), Vec::<String>::new(), "not known yet");
    let (mut names, gaps) = listed(&source).await;
    names.sort();
    assert_eq!(names, ["deep/a/b", "not/listed", "shop/api", "shop/web"]);
    assert_eq!(reported(&gaps), vec![(Scope::Source, Cause::Malformed); 2], "{gaps:?}");
    assert_eq!(source.inventory.unmatched_patterns(), ["nothing/*"]);
}

#[tokio::test]
async fn a_refused_catalog_is_one_gap_that_says_what_to_do_c86() {
    for (status, cause) in
        [(401, Cause::Denied), (403, Cause::Denied), (404, Cause::NotFound), (405, Cause::Unsupported)]
    {
        let server = Server::start([Lie::Catalog(status)]).await;
        let source = Opening::at(&server).repositories(&["shop/api", "shop/*"]).open();
        let (names, gaps) = listed(&source).await;
        assert_eq!(names, ["shop/api"]);
        assert_eq!(reported(&gaps), [(Scope::Source, cause)], "{status}");
        assert!(gaps[0].detail.contains("name them one by one"), "{}", gaps[0].detail);
        assert_eq!(source.inventory.unmatched_patterns(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn named_repositories_need_no_catalog() {
    let server = Server::start([Lie::Catalog(403)]).await;
    let source = Opening::at(&server).repositories(&["shop/api", "shop/web"]).open();
    assert_eq!(listed(&source).await, (vec!["shop/api".to_owned(), "shop/web".to_owned()], vec![]));
    assert_eq!(server.count("GET", "_catalog"), 0);
}
