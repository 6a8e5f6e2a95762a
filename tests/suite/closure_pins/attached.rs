//! Signatures and other things that are attached to releases, by tag and by subject: pinned with them, and missed (C91).

use prodpin::model::{ArtifactId, Code, Digest, Event, Severity};
use prodpin::sources::Source;
use prodpin::sources::memory::image;
use prodpin::sources::oci::{HttpEnvironment, open_in};
use serde_json::{Value, json};

use super::{asked, estate, of, pin_tag};
use crate::estate::{Estate, REPOSITORY, RunResult};
use crate::support::push::Pusher;
use crate::support::registry::{Options, Registry};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

fn attaching(artifact: &ArtifactId, kind: &str) -> String {
    format!("sha256-{}{kind}", artifact.digest().unwrap().hex())
}

#[tokio::test]
async fn a_signature_by_tag_is_pinned_and_missed_when_it_is_gone_c91_i4() {
    for kind in [".sig", ".att", ".sbom"] {
        let estate = estate(&[("v1.0.0", image("one")), ("v1.1.0", image("two"))]);
        let release = image("one").id();
        let signature = estate.memory.push(REPOSITORY, &attaching(&release, kind), image("signed"));
        let reported = estate.enforce().await;
        assert!(asked(&estate).contains(&signature), "{kind}: {:?}", asked(&estate));
        assert_eq!(reported.targets().len(), 2, "what is attached is no release");
        assert!(of(&reported, Code::SignatureMissing).is_empty());
        let events = estate.events().await;
        assert!(events.iter().any(|event| matches!(event, Event::Attached { .. })));
        estate.enforce().await;
        assert_eq!(estate.events().await, events, "{kind}: once (I13)");

        // The tag goes, and the pin keeps the bytes.
        estate.memory.delete_tag(REPOSITORY, &attaching(&release, kind));
        for _ in 0..2 {
            let reported = estate.enforce().await;
            let [found] = of(&reported, Code::SignatureMissing)[..] else {
                panic!("{kind}: {}", estate.story(&reported))
            };
            assert_eq!(found.severity, Severity::High, "it is the way back");
            assert!(found.message.contains(&format!("{kind} is gone")), "{}", found.message);
            assert!(found.remedy.contains(&signature.to_string()), "{}", found.remedy);
            assert!(reported.targets().iter().all(|target| target.protected == Some(true)), "its release is whole");
        }
        // Everything of it goes.
        estate.memory.delete_manifest(REPOSITORY, &signature);
        let reported = estate.enforce().await;
        let [found] = of(&reported, Code::SignatureMissing)[..] else { panic!("{}", estate.story(&reported)) };
        assert!(!found.remedy.contains("its pin keeps"), "{}", found.remedy);
        // It is signed again.
        estate.memory.push(REPOSITORY, &attaching(&release, kind), image("signed"));
        let reported = estate.enforce().await;
        assert!(of(&reported, Code::SignatureMissing).is_empty(), "{}", estate.story(&reported));
    }
}

#[tokio::test]
async fn a_signature_that_the_list_leaves_out_is_not_gone_i4() {
    let estate = estate(&[("v1.0.0", image("one")), ("v1.1.0", image("two"))]);
    let tag = attaching(&image("one").id(), ".sig");
    estate.memory.push(REPOSITORY, &tag, image("signed"));
    estate.enforce().await;
    estate.memory.hide_tag(REPOSITORY, &tag);
    let reported = estate.enforce().await;
    assert!(of(&reported, Code::SignatureMissing).is_empty(), "{}", estate.story(&reported));
}

/// A registry over HTTP with two releases, and whoever signs in it.
struct Shop {
    registry: Registry,
    pusher: Pusher,
    estate: Estate,
    api: bool,
}

impl Shop {
    async fn start(api: bool) -> Self {
        let registry = Registry::start_with(Options { referrers: api, ..Options::default() }).await;
        let pusher = Pusher::new(&registry.url());
        for (tag, text) in [("v1.0.0", "one"), ("v1.1.0", "two")] {
            pusher.push(REPOSITORY, tag, &image(text)).await;
        }
        Self { pusher, estate: estate(&[]), registry, api }
    }

    fn source(&self) -> Source {
        let config = prodpin::policy::OciConfig {
            url: self.registry.url().parse().unwrap(),
            repositories: prodpin::model::NamePatterns::new(["shop/*"]).unwrap(),
            username: None,
            password: None,
            token_realms: Vec::new(),
            private: true,
            ca_file: None,
            max_concurrency: None,
            cleanup: None,
            interface: prodpin::policy::RegistryInterface::None,
        };
        let options = prodpin::sources::OpenOptions {
            write: true,
            rehearse: false,
            tried: false,
            concurrency: 4,
            deadline: None,
        };
        open_in(&"shop".parse().unwrap(), &config, &options, &HttpEnvironment::default()).unwrap()
    }

    async fn enforce(&self) -> RunResult {
        self.estate.run_on(prodpin::model::Mode::Enforce, self.source()).await
    }

    /// Pushes what names a release as its subject, and lists it under the tag where the registry does not.
    async fn attach(&self, release: &ArtifactId, seed: &str, listed: bool) -> Digest {
        let document = self.manifest(seed, Some(release)).await;
        let bytes = document.to_string().into_bytes();
        let digest = Digest::sha256(&bytes);
        let size = bytes.len();
        self.pusher.put_manifest(REPOSITORY, &digest.to_string(), MANIFEST, bytes).await;
        if !self.api {
            let entry =
                json!({ "mediaType": MANIFEST, "digest": digest.to_string(), "size": size, "artifactType": SIGNATURE });
            let entries = if listed { vec![entry] } else { Vec::new() };
            let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
            let list = list.to_string().into_bytes();
            self.pusher.put_manifest(REPOSITORY, &attaching(release, ""), INDEX, list).await;
        }
        digest
    }

    async fn manifest(&self, seed: &str, subject: Option<&ArtifactId>) -> Value {
        self.signed(&[seed], subject).await
    }

    /// A manifest with a layer for each signature.
    async fn signed(&self, seeds: &[&str], subject: Option<&ArtifactId>) -> Value {
        self.pusher.upload(REPOSITORY, &Digest::sha256(b"{}"), b"{}".to_vec()).await;
        let mut layers = Vec::new();
        for seed in seeds {
            self.pusher.upload(REPOSITORY, &Digest::sha256(seed.as_bytes()), seed.as_bytes().to_vec()).await;
            let layer = json!({
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
                "digest": Digest::sha256(seed.as_bytes()).to_string(), "size": seed.len(),
            });
            layers.push(layer);
        }
        let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::sha256(b"{}").to_string(), "size": 2 });
        let mut document = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": SIGNATURE, "config": config, "layers": layers,
        });
        if let Some(subject) = subject {
            document["subject"] = json!({ "mediaType": MANIFEST, "digest": subject.to_string(), "size": 1 });
        }
        document
    }
}

#[tokio::test]
async fn a_signature_by_subject_is_pinned_and_missed_by_interface_and_by_tag_c91() {
    for api in [true, false] {
        let shop = Shop::start(api).await;
        let release: ArtifactId = image("one").id();
        let signature = shop.attach(&release, "signature", true).await;
        let reported = shop.enforce().await;
        let pin = pin_tag(&signature.clone().into());
        assert!(shop.pusher.manifest(REPOSITORY, &pin).await.is_some(), "api {api}: {}", shop.estate.story(&reported));
        assert!(reported.complete, "api {api}: {}", shop.estate.story(&reported));
        assert_eq!(reported.targets().len(), 2);
        let events = shop.estate.events().await;
        let puts = |shop: &Shop| shop.registry.requests().iter().filter(|request| request.method == "PUT").count();
        let before = puts(&shop);
        shop.enforce().await;
        assert_eq!((puts(&shop), shop.estate.events().await), (before, events), "api {api}: once (I13)");

        shop.pusher.delete_manifest(REPOSITORY, &signature.into()).await;
        if !api {
            let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }).to_string();
            shop.pusher.put_manifest(REPOSITORY, &attaching(&release, ""), INDEX, list.into_bytes()).await;
        }
        for _ in 0..2 {
            let reported = shop.enforce().await;
            let [found] = of(&reported, Code::SignatureMissing)[..] else { panic!("{}", shop.estate.story(&reported)) };
            assert!(found.message.contains(SIGNATURE), "{}", found.message);
        }
        // Another one takes its place.
        shop.attach(&release, "another signature", true).await;
        let reported = shop.enforce().await;
        assert!(of(&reported, Code::SignatureMissing).is_empty(), "{}", shop.estate.story(&reported));
    }
}

#[tokio::test]
async fn a_signature_tag_may_grow_and_may_not_lose_what_it_had_c91() {
    let shop = Shop::start(false).await;
    let release: ArtifactId = image("one").id();
    let tag = attaching(&release, ".sig");
    let sign = async |seeds: &[&str]| {
        let document = shop.signed(seeds, None).await.to_string().into_bytes();
        shop.pusher.put_manifest(REPOSITORY, &tag, MANIFEST, document).await;
    };
    sign(&["a"]).await;
    shop.enforce().await;
    sign(&["a", "b"]).await;
    for _ in 0..2 {
        let reported = shop.enforce().await;
        assert!(of(&reported, Code::SignatureMissing).is_empty(), "{}", shop.estate.story(&reported));
    }
    sign(&["b"]).await;
    for _ in 0..2 {
        let reported = shop.enforce().await;
        let [found] = of(&reported, Code::SignatureMissing)[..] else { panic!("{}", shop.estate.story(&reported)) };
        assert!(found.message.contains("does not have what was there"), "{}", found.message);
    }
    sign(&["a", "b", "c"]).await;
    let reported = shop.enforce().await;
    assert!(of(&reported, Code::SignatureMissing).is_empty(), "{}", shop.estate.story(&reported));
}

#[tokio::test]
async fn more_referrers_than_are_pinned_are_told_i20() {
    let shop = Shop::start(true).await;
    let release: ArtifactId = image("one").id();
    for n in 0..7 {
        shop.attach(&release, &format!("signature {n}"), true).await;
    }
    let reported = shop.enforce().await;
    let [found] = of(&reported, Code::PinChildrenUnprotected)[..] else { panic!("{}", shop.estate.story(&reported)) };
    assert_eq!(found.severity, Severity::Low);
    assert!(found.message.starts_with("3 more are attached"), "{}", found.message);
    assert!(reported.targets().iter().all(|target| target.protected == Some(true)));
}
