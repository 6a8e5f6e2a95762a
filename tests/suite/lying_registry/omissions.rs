//! Lists that leave out what is there, and tags that come back.

use prodpin::model::Resolution;

use super::evidence::{estate, protected, run, source, with_image};
use crate::lying_registry::content::{Opening, artifact, listed, repository, tag};
use crate::lying_registry::server::{Lie, Server};

/// A registry with so many tags that are nothing and one release that comes last.
async fn with_many_tags(count: usize, lies: impl IntoIterator<Item = Lie>) -> Server {
    let server = Server::start(lies).await;
    server.store(|store| {
        let image = store.image("one");
        for number in 1..count {
            store.tag("shop/api", &format!("build-{number:05}"), &image);
        }
        store.tag("shop/api", "v1.0.0", &image);
    });
    server
}

#[tokio::test]
async fn a_full_page_without_link_is_asked_on_f106() {
    for (count, lie, calls) in [
        (1_006, Lie::NoLinks { most: usize::MAX, last: true }, 2),
        (2_000, Lie::NoLinks { most: usize::MAX, last: true }, 3),
        (230, Lie::NoLinks { most: 100, last: true }, 3),
        (1_006, Lie::NoLinks { most: usize::MAX, last: false }, 3),
        (1_006, Lie::Shuffled, 2),
        (2_500, Lie::Shuffled, 3),
        (999, Lie::NoLinks { most: usize::MAX, last: false }, 1),
        (100, Lie::NoLinks { most: usize::MAX, last: false }, 2),
        (30, Lie::LargestPage(500), 3),
    ] {
        let server = with_many_tags(count, [lie.clone()]).await;
        let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
        assert_eq!((snapshot.tags.len(), &snapshot.gaps), (count, &vec![]), "{count} {lie:?}");
        assert!(snapshot.tags.iter().any(|seen| seen.name == tag("v1.0.0")));
        assert_eq!(server.count("GET", "/tags/list"), calls, "{count} {lie:?}");
    }
}

#[tokio::test]
async fn a_list_that_may_be_cut_off_is_called_incomplete_f106() {
    let server = with_many_tags(1_006, [Lie::NoLinks { most: 1_000, last: false }]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert!(!snapshot.listing_is_complete());
    assert!(snapshot.gaps.iter().any(|gap| gap.detail.contains("no Link")), "{:?}", snapshot.gaps);
    assert_eq!(snapshot.tags.len(), 1_000, "what was listed is looked at all the same");
}

#[tokio::test]
async fn the_catalog_is_asked_on_as_well_f106() {
    for lie in [Lie::NoLinks { most: usize::MAX, last: true }, Lie::Shuffled, Lie::LargestPage(50)] {
        let server = Server::start([lie.clone()]).await;
        server.store(|store| {
            let image = store.image("one");
            for number in 0..1_300 {
                store.tag(&format!("shop/s{number:04}"), "v1", &image);
            }
        });
        let source = Opening::at(&server).repositories(&["shop/*"]).open();
        let (names, gaps) = listed(&source).await;
        assert_eq!((names.len(), gaps), (1_300, vec![]), "{lie:?}");
    }
}

#[tokio::test]
async fn an_empty_list_where_pins_are_known_is_no_deletion_f129() {
    let (server, image, _) = with_image([]).await;
    let estate = estate();
    assert_eq!(protected(&run(&estate, &server).await), [Some(true)]);
    server.lie(Lie::NullTags);
    server.lie(Lie::Gone("/manifests/".to_owned()));
    for _ in 0..3 {
        let reported = run(&estate, &server).await;
        assert!(!reported.complete);
        let codes = reported.codes();
        assert!(!codes.iter().any(|code| code.contains("tag-deleted") || code.contains("target-missing")), "{codes:?}");
    }
    server.be_honest();
    let (found, _) = source(&server).inventory.look_up(&repository(), &tag("v1.0.0")).await;
    assert_eq!(found, Resolution::Artifact(artifact(&image)));
}

#[tokio::test]
async fn a_list_that_leaves_out_what_is_served_is_a_finding_f106() {
    let (server, _, _) = with_image([]).await;
    server.store(|store| {
        let image = store.image("two");
        store.tag("shop/api", "v1.1.0", &image);
    });
    let estate = estate();
    run(&estate, &server).await;
    server.lie(Lie::PageOf(1));
    server.lie(Lie::NoLinks { most: 1, last: false });
    run(&estate, &server).await;
    let reported = run(&estate, &server).await;
    assert!(reported.codes().contains(&"high listing-cut".to_owned()), "{:?}", reported.codes());
    assert_eq!(reported.targets().len(), 2, "what the list leaves out keeps its place");
}

#[tokio::test]
async fn a_registry_that_replays_old_tags_is_found_f33() {
    let (server, image, _) = with_image([]).await;
    let estate = estate();
    let later = server.store(|store| {
        store.tag("shop/api", "stable", &image);
        let later = store.image("later");
        store.tag("shop/api", "v1.1.0", &later);
        later
    });
    run(&estate, &server).await;
    server.store(|store| store.tag("shop/api", "stable", &later));
    run(&estate, &server).await;
    // A backup from before the second run is put back: a tag names what it named, and one is not there yet.
    server.store(|store| {
        store.tag("shop/api", "stable", &image);
        store.tags.get_mut("shop/api").unwrap().remove("v1.1.0");
    });
    let reported = run(&estate, &server).await;
    assert!(reported.codes().contains(&"medium tag-flapped".to_owned()), "{:?}", reported.codes());
    let reported = run(&estate, &server).await;
    assert!(reported.codes().iter().any(|code| code.contains("tag-deleted")), "{:?}", reported.codes());
}
