//! The battery: an estate of every kind of release is pinned and kept in a vault, then ordinary cleanups run, one for each
//! repository, and at last the registry's own collection, without and with the deletion of what has no tag. After each: what was
//! said to survive it is pulled by a client, digest for digest; what is lost was not said to (I7, I26, I27).

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use prodpin::model::{ArtifactId, Digest};
use prodpin::sources::memory::image;
use serde_json::{Value, json};

use crate::closure::{artifact, lost, stock, tags};
use crate::evidence::{CONFIGURATION, configuration, free_port, sealed};
use crate::servers::open_registry;
use crate::support::left_out::left_out;
use crate::support::push::Pusher;

/// What an ordinary tool does to one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cleanup {
    /// Nothing but what the registry collects.
    Nothing,
    /// Every tag but pins is removed.
    TagsRemoved,
    /// The same where tags cannot be removed: a dummy is pushed in their place, and deleted by its digest.
    DummyUntagging,
    /// Whatever no tag names is deleted, manifest by manifest: "delete untagged" as a job does it.
    UntaggedDeleted,
    /// Every release tag, and `latest`, names another build.
    Overwritten,
    /// Every release is deleted by its digest.
    DeletedByDigest,
    /// All that the registry knows of the repository is gone.
    Removed,
}

/// Each with the repository that it runs in, and the kind of loss that it is, as reports name it.
const CLEANUPS: [(&str, Cleanup, &str); 7] = [
    ("shop/nothing", Cleanup::Nothing, "untagged_cleanup"),
    ("shop/tags", Cleanup::TagsRemoved, "tag_cleanup"),
    ("shop/dummy", Cleanup::DummyUntagging, "tag_cleanup"),
    ("shop/untagged", Cleanup::UntaggedDeleted, "untagged_cleanup"),
    ("shop/latest", Cleanup::Overwritten, "tag_cleanup"),
    ("shop/digest", Cleanup::DeletedByDigest, "deletion_by_digest"),
    ("shop/removed", Cleanup::Removed, "loss_of_registry"),
];

/// How a registry is run.
#[derive(Debug, Clone)]
enum Kind {
    /// With its storage in a directory, and a collector.
    Distribution(String),
    /// In memory.
    Crane(String),
    /// It answers who refers to an artifact, and collects nothing. No tag is removed there but with what it names.
    Ferro(String),
}

/// A registry with an estate.
struct Place {
    here: tempfile::TempDir,
    kind: Kind,
    port: u16,
    server: Option<Child>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Place {
    fn new(kind: Kind) -> Self {
        let mut place = Self { here: tempfile::tempdir().unwrap(), kind, port: free_port(), server: None };
        let policy = format!(
            "version: 1\nkeep: 9\nledger: ./ledger\nvault: ./vault\nsources:\n  shop: {{ oci: \"{}\", repositories: \
             [\"shop/*\"], cleanup: untagged }}\nproduction:\n  - {{ tags: [\"v*\"], order: semver }}\n",
            place.url()
        );
        std::fs::write(place.here.path().join("prodpin.yaml"), policy).unwrap();
        place.start();
        place
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn pusher(&self) -> Pusher {
        Pusher::new(&self.url())
    }

    fn start(&mut self) {
        let mut serve = match &self.kind {
            Kind::Distribution(program) => {
                let mut serve = Command::new(program);
                serve.args(["serve", &configuration(self.here.path(), self.port)]);
                sealed(serve)
            }
            Kind::Crane(program) => {
                let mut serve = Command::new(program);
                serve.args(["registry", "serve", "--address", &format!("127.0.0.1:{}", self.port)]);
                serve
            }
            Kind::Ferro(program) => {
                let mut serve = Command::new(program);
                serve.env("FERRO_OCI_LISTEN", format!("127.0.0.1:{}", self.port));
                serve.env("FERRO_OCI_STORAGE_DIR", self.here.path().join("data"));
                serve
            }
        };
        self.server = Some(serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        for _ in 0..1_200 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{:?} does not listen", self.kind);
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// What the registry's manual describes, with its server stopped.
    fn collect(&mut self, flags: &[&str]) -> bool {
        let Kind::Distribution(program) = self.kind.clone() else { return false };
        self.stop();
        let mut collect = Command::new(program);
        collect.arg("garbage-collect").args(flags).arg(self.here.path().join(CONFIGURATION));
        let collected = sealed(collect).output().unwrap();
        assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
        self.start();
        true
    }

    fn stored(&self, repository: &str) -> std::path::PathBuf {
        self.here.path().join("data/docker/registry/v2/repositories").join(repository)
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.here.path()).env_clear().env("HOME", self.here.path());
        tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap()).await.unwrap()
    }

    async fn enforce(&self) -> Value {
        let ran = self.run(&["enforce", "--format", "json", "--quiet"]).await;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

/// One repository's part of the estate.
struct Shelf {
    repository: &'static str,
    cleanup: Cleanup,
    loss: &'static str,
    /// Releases with what is attached to them.
    releases: Vec<(ArtifactId, Vec<Digest>)>,
    /// A build that nobody released: what no cleanup takes of it, no cleanup is.
    beside: ArtifactId,
}

async fn estate(place: &Place) -> Vec<Shelf> {
    let pusher = place.pusher();
    let mut shelves = Vec::new();
    for (repository, cleanup, loss) in CLEANUPS {
        let mut releases = stock(&pusher, repository).await;
        releases.push((artifact(&pusher, repository, "v1.5.0").await, Vec::new()));
        pusher.move_tag(repository, "latest", &releases[0].0).await;
        let beside = pusher.push(repository, "dev-1", &image(&format!("a branch of {repository}"))).await;
        shelves.push(Shelf { repository, cleanup, loss, releases, beside });
    }
    shelves
}

async fn clean(place: &Place, shelf: &Shelf) {
    let (pusher, repository) = (place.pusher(), shelf.repository);
    let named = tags(&pusher, repository).await;
    let others: Vec<&String> = named.iter().filter(|tag| !tag.starts_with("prod-pinned-")).collect();
    match shelf.cleanup {
        Cleanup::Nothing => {}
        Cleanup::TagsRemoved | Cleanup::DummyUntagging if matches!(place.kind, Kind::Ferro(_)) => {
            untag_by_dummies(place, shelf, &others).await;
        }
        Cleanup::TagsRemoved => {
            for tag in others {
                if pusher.delete_tag(repository, tag).await {
                    continue;
                }
                // An old registry takes no deletion of tags; who has access to its storage removes them there.
                let folder = place.stored(repository).join("_manifests/tags").join(tag);
                std::fs::remove_dir_all(folder).unwrap();
            }
        }
        Cleanup::DummyUntagging => {
            untag_by_dummies(place, shelf, &others).await;
        }
        Cleanup::UntaggedDeleted => {
            let mut tagged = BTreeSet::new();
            for tag in &named {
                let bytes = pusher.manifest(repository, tag).await.unwrap().1;
                tagged.insert(Digest::sha256(&bytes));
            }
            for digest in manifests(&pusher, shelf).await.difference(&tagged) {
                pusher.delete_manifest(repository, &digest.clone().into()).await;
            }
        }
        Cleanup::Overwritten => {
            for (number, tag) in others.into_iter().enumerate() {
                pusher.push(repository, tag, &image(&format!("newer {number} of {repository}"))).await;
            }
        }
        Cleanup::DeletedByDigest => {
            for (release, _) in &shelf.releases {
                pusher.delete_manifest(repository, release).await;
            }
        }
        Cleanup::Removed if !matches!(place.kind, Kind::Distribution(_)) => {
            let all = manifests(&pusher, shelf).await;
            for tag in &named {
                pusher.delete_tag(repository, tag).await;
            }
            for digest in all {
                pusher.delete_manifest(repository, &digest.into()).await;
            }
        }
        Cleanup::Removed => std::fs::remove_dir_all(place.stored(repository)).unwrap(),
    }
}

/// A dummy is pushed in the place of each tag, and deleted by its digest.
async fn untag_by_dummies(place: &Place, shelf: &Shelf, tags: &[&String]) {
    let (pusher, repository) = (place.pusher(), shelf.repository);
    for (number, tag) in tags.iter().enumerate() {
        let dummy = pusher.push(repository, tag, &image(&format!("dummy {number} of {repository}"))).await;
        pusher.delete_manifest(repository, &dummy).await;
        if matches!(place.kind, Kind::Crane(_)) {
            // It keeps a name of what was deleted by digest.
            pusher.delete_tag(repository, tag).await;
        }
    }
}

/// Every manifest of a repository, tagged or not, as its owner lists them.
async fn manifests(pusher: &Pusher, shelf: &Shelf) -> BTreeSet<Digest> {
    let releases = shelf.releases.iter().flat_map(|(release, attached)| release.digest().into_iter().chain(attached));
    let mut left: Vec<Digest> = releases.chain(shelf.beside.digest()).cloned().collect();
    let mut found = BTreeSet::new();
    while let Some(digest) = left.pop() {
        let Some((_, bytes)) = pusher.manifest(shelf.repository, &digest.to_string()).await else { continue };
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let children = document["manifests"].as_array().into_iter().flatten();
        left.extend(children.map(|child| child["digest"].as_str().unwrap().parse::<Digest>().unwrap()));
        found.insert(digest);
    }
    found
}

fn row<'r>(report: &'r Value, repository: &str) -> &'r Value {
    let rows = report["repositories"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == repository).unwrap_or_else(|| panic!("{repository} is not in {report:#}"))
}

/// What was said of a release before anything was cleaned.
fn said<'r>(report: &'r Value, shelf: &Shelf, release: &ArtifactId) -> &'r Value {
    let targets = row(report, shelf.repository)["targets"].as_array().unwrap();
    targets.iter().find(|target| target["artifact"] == release.to_string()).unwrap()
}

/// Pulls every release as far as it was said to survive all of these, and says how many were lost that nobody promised.
async fn promises_hold(place: &Place, report: &Value, shelf: &Shelf, losses: &[&str], after: &str) -> usize {
    let (pusher, mut unpromised) = (place.pusher(), 0);
    for (release, attached) in &shelf.releases {
        let target = said(report, shelf, release);
        let promised = losses.iter().all(|loss| target["survives"][loss]["answer"] == "yes");
        // What is attached is promised with it where it is pinned: there is a finding where it is not.
        let roots = release.digest().into_iter().chain(attached).cloned().collect();
        let gone = lost(&pusher, &place.url(), shelf.repository, roots).await;
        match promised {
            true => assert_eq!(gone, BTreeSet::new(), "{after}, {}: {target:#}", shelf.repository),
            false => unpromised += usize::from(!gone.is_empty()),
        }
    }
    unpromised
}

/// A client that people use pulls a release, and finds all of it.
fn pulls(reference: &str, into: &Path) -> bool {
    let Ok(program) = std::env::var("PRODPIN_TEST_CRANE") else { return true };
    let mut pull = Command::new(program);
    let pulled = pull.args(["pull", "--insecure", "--format", "oci", reference]).arg(into).output().unwrap();
    pulled.status.success()
}

async fn battery(kind: Kind) {
    let mut place = Place::new(kind);
    let shelves = estate(&place).await;
    place.enforce().await;
    let report = place.enforce().await;
    for shelf in &shelves {
        let targets = row(&report, shelf.repository)["targets"].as_array().unwrap();
        assert_eq!(targets.len(), shelf.releases.len(), "{:#}", row(&report, shelf.repository));
        for target in targets {
            assert_eq!((&target["protected"], &target["vault"]), (&json!(true), &json!("kept")), "{target:#}");
            assert_ne!(target["survives"]["deletion_by_digest"]["answer"], "yes", "{target:#}");
            assert_eq!(target["survives"]["loss_of_registry"]["answer"], "yes", "{target:#}");
        }
    }

    for shelf in &shelves {
        clean(&place, shelf).await;
    }
    let at_registry = |shelf: &&Shelf| shelf.loss != "loss_of_registry";
    let mut unpromised = 0;
    for shelf in shelves.iter().filter(at_registry) {
        unpromised += promises_hold(&place, &report, shelf, &[shelf.loss], "after the cleanup").await;
    }
    for (flags, also) in [(&[][..], "tag_cleanup"), (&["--delete-untagged"][..], "untagged_cleanup")] {
        if !place.collect(flags) {
            continue;
        }
        for shelf in shelves.iter().filter(at_registry) {
            promises_hold(&place, &report, shelf, &[shelf.loss, also], &format!("after a collection {flags:?}")).await;
        }
    }
    let pusher = place.pusher();
    let deleted = shelves.iter().find(|shelf| shelf.cleanup == Cleanup::DeletedByDigest).unwrap();
    assert_eq!(unpromised, deleted.releases.len(), "else nothing was lost, and this shows nothing");
    let untagged = shelves.iter().find(|shelf| shelf.cleanup == Cleanup::TagsRemoved).unwrap();
    let beside = pusher.manifest(untagged.repository, &untagged.beside.to_string()).await;
    let collects = matches!(place.kind, Kind::Distribution(_));
    assert!(beside.is_none() || !collects, "what nobody released is collected");
    let (release, _) = &untagged.releases[1];
    let reference = format!("127.0.0.1:{}/{}@{release}", place.port, untagged.repository);
    assert!(pulls(&reference, &place.here.path().join("pulled")), "{reference}");
    comes_back(&place, &shelves).await;
}

/// What was deleted by digest, and what of the repository that is gone, is back from the vault, digest for digest.
async fn comes_back(place: &Place, shelves: &[Shelf]) {
    let pusher = place.pusher();
    let gone = [Cleanup::DeletedByDigest, Cleanup::Removed];
    for shelf in shelves.iter().filter(|shelf| gone.contains(&shelf.cleanup)) {
        for (release, _) in &shelf.releases {
            assert_eq!(pusher.manifest(shelf.repository, &release.to_string()).await, None, "else it was not lost");
            let reference = format!("shop/{}@{release}", shelf.repository);
            let restored = place.run(&["restore", &reference, "--apply"]).await;
            let said = String::from_utf8_lossy(&restored.stderr).into_owned();
            assert!(restored.status.success(), "{reference}: {}{said}", String::from_utf8_lossy(&restored.stdout));
            let roots = release.digest().into_iter().cloned().collect();
            assert_eq!(lost(&pusher, &place.url(), shelf.repository, roots).await, BTreeSet::new(), "{reference}");
        }
        let (release, _) = &shelf.releases[2];
        let reference = format!("127.0.0.1:{}/{}@{release}", place.port, shelf.repository);
        assert!(pulls(&reference, &place.here.path().join(format!("{:?}", shelf.cleanup))), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_battery_on_debian_s_registry_i7_i26_i27() {
    if open_registry().is_some() {
        battery(Kind::Distribution("docker-registry".to_owned())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_battery_on_a_current_registry_i7_i26_i27() {
    match std::env::var("PRODPIN_TEST_DISTRIBUTION") {
        Ok(program) => battery(Kind::Distribution(program)).await,
        Err(_) => left_out("the battery on distribution 3", "PRODPIN_TEST_DISTRIBUTION names no program"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_battery_on_crane_s_registry_i7_i26_i27() {
    match std::env::var("PRODPIN_TEST_CRANE") {
        Ok(program) => battery(Kind::Crane(program)).await,
        Err(_) => left_out("the battery on crane's registry", "PRODPIN_TEST_CRANE names no `crane`"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_battery_on_a_registry_with_referrers_i7_i26_i27() {
    match std::env::var("PRODPIN_TEST_FERRO") {
        Ok(program) => battery(Kind::Ferro(program)).await,
        Err(_) => left_out("the battery on ferro", "PRODPIN_TEST_FERRO names no program"),
    }
}
