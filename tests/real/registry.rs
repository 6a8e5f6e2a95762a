//! Real Docker registries: the contract with each way to sign in, and content that real clients build, push and pull.

pub(crate) mod contract {
    use crate::servers::{self, Server};
    use crate::support::contract::{Ability, contract_tests};
    use crate::support::oci::OciServer;

    mod open {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<OciServer> {
            servers::open_registry().map(|server| fixture(&server))
        }
    }

    mod basic {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<OciServer> {
            servers::basic_registry().map(|server| fixture(&server))
        }
    }

    mod token {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<OciServer> {
            servers::token_registry().map(|server| fixture(&server))
        }
    }

    mod current {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<OciServer> {
            servers::another_registry("distribution 3").map(|server| fixture(&server).deleting_tags())
        }
    }

    /// It cuts lists without a word, and a tag goes on serving what was deleted by its digest.
    mod crane {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<OciServer> {
            let server = servers::another_registry("crane's registry");
            server.map(|server| fixture(&server).deleting_tags().lacking(&[Ability::TagsGoAlong]))
        }
    }

    /// It answers who refers to an artifact. A repository that never was is one without tags to it.
    mod ferro {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<OciServer> {
            let server = servers::another_registry("ferro");
            server.map(|server| fixture(&server).lacking(&[Ability::NamesRepositories]))
        }
    }

    pub(crate) fn fixture(server: &Server) -> OciServer {
        match &server.user {
            None => OciServer::anonymous(server.name, &server.url),
            Some(user) => OciServer::with_user(
                server.name,
                &server.url,
                (&user.name, &user.password),
                (&user.stranger, &user.password),
            ),
        }
    }
}

use std::collections::BTreeMap;

use prodpin::model::{ArtifactId, Closure, Digest, Pin, PinState, Presence, RepositoryName, Resolution};
use prodpin::sources::Source;

use crate::layout::{Layout, delete, pull};
use crate::servers::{Server, basic_registry, open_registry, token_registry};
use crate::support::contract::Fixture as _;
use crate::support::oci::OciServer;

/// A corner of a registry with a plain image and an index for two platforms, built and pushed by real clients.
struct Shop {
    server: Server,
    fixture: OciServer,
    layout: Layout,
    repository: RepositoryName,
    image: Digest,
    index: Digest,
    platforms: [Digest; 2],
}

impl Shop {
    fn stock(server: Server) -> Self {
        let fixture = contract::fixture(&server);
        let repository = fixture.repository("shop/api");
        let layout = Layout::new();
        let image = layout.image("v1.0.0", "one", "amd64");
        let platforms = [layout.image("amd64", "two", "amd64"), layout.image("arm64", "two", "arm64")];
        let index = layout.index("v2.0.0", &[&platforms[0], &platforms[1]]);
        for tag in ["v1.0.0", "v2.0.0"] {
            layout.push(tag, &server, &format!("{repository}:{tag}"));
        }
        let platforms = platforms.map(|one| one.digest);
        Self { server, fixture, layout, repository, image: image.digest, index, platforms }
    }

    async fn source(&self) -> Source {
        self.fixture.open(&[self.repository.as_str()], true).await
    }

    async fn pin(&self, source: &Source, digest: &Digest) {
        let protector = source.protector.as_ref().expect("opened to write");
        protector.pin(&self.repository, &digest.clone().into()).await.expect("pinned");
    }

    fn reference(&self, name: impl std::fmt::Display) -> String {
        format!("{}:{name}", self.repository)
    }
}

async fn tags(source: &Source, repository: &RepositoryName) -> BTreeMap<String, Option<ArtifactId>> {
    let snapshot = source.inventory.observe(repository).await;
    assert_eq!(snapshot.gaps, []);
    let tags = snapshot.tags.into_iter();
    tags.map(|tag| (tag.name.to_string(), tag.target.artifact().cloned())).collect()
}

/// Writes one test for each registry.
macro_rules! on_every_registry {
    ($($scenario:ident),+ $(,)?) => { $(
        mod $scenario {
            use super::*;

            #[tokio::test]
            async fn on_an_open_registry() {
                if let Some(server) = open_registry() {
                    super::scenario::$scenario(Shop::stock(server)).await;
                }
            }

            #[tokio::test]
            async fn with_basic_authentication() {
                if let Some(server) = basic_registry() {
                    super::scenario::$scenario(Shop::stock(server)).await;
                }
            }

            #[tokio::test]
            async fn with_token_authentication() {
                if let Some(server) = token_registry() {
                    super::scenario::$scenario(Shop::stock(server)).await;
                }
            }
        }
    )+ };
}

on_every_registry!(
    what_clients_push_is_read_pinned_and_pulled_i6_i8,
    a_pin_outlives_the_copy_that_moved_its_tag_i1,
    a_collected_platform_breaks_the_index_i6_f28,
    a_cleaned_up_release_is_definitively_gone_i4,
);

mod scenario {
    use super::*;

    /// A rollback pulls by the pin on a machine that has nothing yet, and gets every platform and layer.
    pub(super) async fn what_clients_push_is_read_pinned_and_pulled_i6_i8(shop: Shop) {
        let source = shop.source().await;
        let expected = [("v1.0.0", &shop.image), ("v2.0.0", &shop.index)]
            .map(|(tag, digest)| (tag.to_owned(), Some(ArtifactId::from(digest.clone()))));
        assert_eq!(tags(&source, &shop.repository).await, BTreeMap::from(expected));
        for digest in [&shop.image, &shop.index] {
            shop.pin(&source, digest).await;
            let inspection = source.inventory.inspect(&shop.repository, &digest.clone().into()).await;
            assert_eq!(
                (inspection.presence, inspection.closure, inspection.pin),
                (Presence::Present, Closure::Complete, PinState::Present)
            );
            let pin = Pin::for_digest(digest).to_string();
            let held = shop.fixture.bytes(&shop.repository, &pin.parse().expect("a tag")).await;
            assert_eq!(held, Some(shop.layout.bytes(digest)));
            pull(&shop.server, &shop.reference(pin));
        }
        let created = source.inventory.created(&shop.repository, &shop.image.clone().into()).await;
        assert_eq!(created.map(|at| at.to_string()).as_deref(), Some("2026-03-01T12:00:00Z"));
    }

    pub(super) async fn a_pin_outlives_the_copy_that_moved_its_tag_i1(shop: Shop) {
        let source = shop.source().await;
        shop.pin(&source, &shop.index).await;
        shop.layout.push("v1.0.0", &shop.server, &shop.reference("v2.0.0"));
        let found = tags(&source, &shop.repository).await;
        assert_eq!(found["v2.0.0"], Some(shop.image.clone().into()), "the tag was moved by another copy");
        assert_eq!(found[&Pin::for_digest(&shop.index).to_string()], Some(shop.index.clone().into()));
        pull(&shop.server, &shop.reference(Pin::for_digest(&shop.index)));
    }

    pub(super) async fn a_collected_platform_breaks_the_index_i6_f28(shop: Shop) {
        let source = shop.source().await;
        shop.pin(&source, &shop.index).await;
        let lost = &shop.platforms[1];
        shop.fixture.pusher().delete_manifest(shop.repository.as_str(), &lost.clone().into()).await;
        let inspection = source.inventory.inspect(&shop.repository, &shop.index.clone().into()).await;
        assert_eq!(inspection.presence, Presence::Present);
        assert_eq!(inspection.closure, Closure::Broken(vec![lost.clone()]));
        assert_eq!(inspection.pin, PinState::Present, "a pin is there, and holds half of what it names");
    }

    pub(super) async fn a_cleaned_up_release_is_definitively_gone_i4(shop: Shop) {
        let source = shop.source().await;
        shop.pin(&source, &shop.image).await;
        delete(&shop.server, &shop.reference("v1.0.0"));
        let found = tags(&source, &shop.repository).await;
        assert_eq!(found.keys().collect::<Vec<_>>(), ["v2.0.0"], "deleting a digest takes its pin along (C90)");
        let looked_up = source.inventory.look_up(&shop.repository, &"v1.0.0".parse().expect("a tag")).await;
        assert_eq!(looked_up, (Resolution::NotFound, None));
        let inspection = source.inventory.inspect(&shop.repository, &shop.image.clone().into()).await;
        assert_eq!((inspection.presence, inspection.pin), (Presence::NotFound, PinState::Absent));
    }
}
