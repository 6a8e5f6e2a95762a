//! The vault as a user has it: a registry, a directory, the program.

use std::path::Path;
use std::process::Stdio;

use prodpin::model::Digest;
use prodpin::sources::memory::{Content, image, index};
use serde_json::Value;

use crate::support::push::Pusher;
use crate::support::registry::Registry;

/// A registry with two releases, and a policy beside it.
pub(crate) struct Shop {
    pub(crate) registry: Registry,
    pub(crate) pusher: Pusher,
    pub(crate) here: tempfile::TempDir,
    pub(crate) releases: Vec<(&'static str, Content)>,
}

pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}\n{}", self.stdout, self.stderr))
    }
}

impl Shop {
    async fn open() -> Self {
        Self::open_on(Registry::start().await).await
    }

    pub(crate) async fn open_on(registry: Registry) -> Self {
        let pusher = Pusher::new(&registry.url());
        let releases = vec![("v1.0.0", image("one")), ("v1.1.0", index("two")), ("v1.2.0", image("three"))];
        for (tag, content) in &releases {
            pusher.push("shop/api", tag, content).await;
        }
        let here = tempfile::tempdir().unwrap();
        let shop = Self { registry, pusher, here, releases };
        shop.write_policy("vault: ./vault");
        shop
    }

    pub(crate) fn write_policy(&self, vault: &str) {
        let policy = format!(
            "version: 1\nledger: ./ledger\n{vault}\nsources:\n  r: {{ oci: \"{}\", repositories: [\"shop/*\"], cleanup: none }}\n\
             production:\n  - {{ tags: [\"v*\"], order: semver }}\n",
            self.registry.url()
        );
        std::fs::write(self.here.path().join("prodpin.yaml"), policy).unwrap();
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.here.path()).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Everything below a release, as it is served.
    async fn served(&self, content: &Content) -> Vec<Option<Vec<u8>>> {
        let mut all = Vec::new();
        for one in content.children().iter().chain([content]) {
            let found = self.pusher.manifest("shop/api", &one.digest().to_string()).await;
            all.push(found.map(|(_, bytes)| bytes));
        }
        all
    }

    /// Deletes a release with everything below it, as whoever cleans up by digest does.
    pub(crate) async fn lose(&self, content: &Content) {
        for one in content.children().iter().chain([content]) {
            self.pusher.delete_manifest("shop/api", &one.id()).await;
            for (digest, _) in one.blobs() {
                self.pusher.delete_blob("shop/api", &digest).await;
            }
        }
    }

    fn writes(&self) -> usize {
        let requests = self.registry.requests();
        requests.iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD")).count()
    }
}

fn states(report: &Value) -> Vec<String> {
    let targets = report["repositories"][0]["targets"].as_array().expect("targets");
    targets.iter().map(|target| target["vault"].as_str().unwrap_or("none").to_owned()).collect()
}

fn of_vault(report: &Value) -> Vec<(String, String)> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let of_vault = findings.filter(|finding| finding["code"] == "vault-incomplete");
    of_vault
        .map(|one| (one["severity"].as_str().unwrap().to_owned(), one["message"].as_str().unwrap().to_owned()))
        .collect()
}

pub(crate) fn blobs(directory: &Path) -> usize {
    std::fs::read_dir(directory.join("vault/blobs/sha256")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_comes_back_byte_for_byte_i27() {
    let shop = Shop::open().await;
    let audit = shop.run(&["audit", "--format", "json"]).await.json();
    assert_eq!(states(&audit), ["missing", "missing", "missing"]);
    assert_eq!(of_vault(&audit)[0].0, "low", "{audit}");
    assert_eq!(blobs(shop.here.path()), 0);

    let first = shop.run(&["enforce", "--format", "json", "-v"]).await;
    assert_eq!(states(&first.json()), ["kept", "kept", "kept"], "{}", first.stderr);
    assert_eq!(of_vault(&first.json()), []);
    // Two images, an index of two: five manifests, and a configuration and a layer for each of the four images.
    assert!(blobs(shop.here.path()) >= 5 + 6, "{}", blobs(shop.here.path()));
    let second = shop.run(&["enforce", "--format", "json", "-v"]).await;
    assert_eq!(states(&second.json()), ["kept", "kept", "kept"]);
    assert!(second.stderr.contains("parts=0 bytes=0"), "{}", second.stderr);

    let (_, lost) = &shop.releases[1];
    let before = shop.served(lost).await;
    shop.lose(lost).await;
    assert!(shop.served(lost).await.iter().all(Option::is_none));
    let ready = shop.run(&["ready", "shop/api"]).await;
    let command = format!("prodpin restore --source r shop/api@{} --apply", lost.digest());
    assert!(ready.stdout.contains(&command), "{}\n{}", ready.stdout, ready.stderr);
    let audit = shop.run(&["audit", "--format", "json"]).await.json();
    assert!(audit["findings"].to_string().contains(&command), "{audit}");

    shop.registry.forget_requests();
    let reference = format!("shop/api@{}", lost.digest());
    let dry = shop.run(&["restore", &reference]).await;
    assert_eq!((dry.status, shop.writes()), (0, 0), "{}{}", dry.stdout, dry.stderr);
    assert!(
        dry.stdout.contains(&command) && dry.stdout.contains("tag v1.1.0: names nothing, and would be put"),
        "{}",
        dry.stdout
    );

    let restored = shop.run(&["restore", "shop/api:v1.1.0", "--apply"]).await;
    assert_eq!(restored.status, 0, "{}{}", restored.stdout, restored.stderr);
    assert!(restored.stdout.contains("read back whole and pinned"), "{}", restored.stdout);
    assert_eq!(shop.served(lost).await, before);
    for child in lost.children() {
        for (digest, bytes) in child.blobs() {
            assert_eq!(shop.pusher.get("shop/api", &format!("/v2/shop/api/blobs/{digest}")).await, bytes.to_vec());
        }
    }
    let tagged = shop.pusher.manifest("shop/api", "v1.1.0").await.expect("its tag is back").1;
    assert_eq!(Digest::sha256(&tagged), lost.digest());

    shop.registry.forget_requests();
    let again = shop.run(&["restore", &reference, "--apply"]).await;
    assert_eq!((again.status, shop.writes()), (0, 0), "{}", again.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_somebody_holds_is_left_to_them_i8_i27() {
    let shop = Shop::open().await;
    assert_eq!(states(&shop.run(&["enforce", "--format", "json"]).await.json()).len(), 3);
    let (tag, lost) = shop.releases[0].clone();
    shop.lose(&lost).await;
    let theirs = shop.pusher.push("shop/api", tag, &image("theirs")).await;
    let restored = shop.run(&["restore", &format!("r/shop/api@{}", lost.digest()), "--apply"]).await;
    assert_eq!(restored.status, 0, "{}{}", restored.stdout, restored.stderr);
    assert!(restored.stdout.contains("tag v1.0.0: left alone"), "{}", restored.stdout);
    let found = shop.pusher.manifest("shop/api", tag).await.unwrap().1;
    assert_eq!(Digest::sha256(&found).to_string(), theirs.to_string());
    assert!(shop.pusher.manifest("shop/api", &lost.digest().to_string()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_down_costs_no_pin_i27() {
    let shop = Shop::open().await;
    std::fs::write(shop.here.path().join("vault"), "in the way").unwrap();
    let ran = shop.run(&["enforce", "--format", "json"]).await;
    let report = ran.json();
    assert_eq!(states(&report), ["unknown", "unknown", "unknown"]);
    assert_eq!(report["summary"]["pinned"], 3);
    let found = of_vault(&report);
    assert_eq!((found.len(), found[0].0.as_str()), (1, "medium"), "{found:?}");
    assert!(!found[0].1.contains("ledger"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_says_what_it_has_and_refuses_what_is_not_whole_i27() {
    let shop = Shop::open().await;
    shop.run(&["enforce", "--format", "json"]).await.json();
    let list = shop.run(&["restore", "shop/api"]).await;
    assert_eq!(list.status, 0);
    assert!(shop.releases.iter().all(|(tag, _)| list.stdout.contains(tag)), "{}", list.stdout);
    let unknown = shop.run(&["restore", "shop/web:v1"]).await;
    assert_eq!(unknown.status, 2);
    assert!(unknown.stderr.contains("has nothing that is called shop/web:v1"), "{}", unknown.stderr);

    // A layer of the vault is damaged, at the same size: the registry never gets it.
    let (_, content) = &shop.releases[0];
    let layer = content.blobs()[1].0.clone();
    let file = shop.here.path().join("vault/blobs/sha256").join(layer.hex());
    std::fs::write(&file, "eno").unwrap();
    shop.lose(content).await;
    let refused = shop.run(&["restore", "shop/api:v1.0.0", "--apply"]).await;
    assert_eq!(refused.status, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("damaged") && refused.stderr.contains("out of the vault"), "{}", refused.stderr);
    // At another size that is seen before anything is sent, and not called missing.
    std::fs::write(&file, "x").unwrap();
    let cut = shop.run(&["restore", "shop/api:v1.0.0"]).await;
    assert!(cut.status == 1 && cut.stderr.contains("is damaged"), "{}", cut.stderr);
    assert!(!cut.stderr.contains("does not have"), "{}", cut.stderr);
    assert!(shop.pusher.manifest("shop/api", "v1.0.0").await.is_none());
    std::fs::remove_file(&file).unwrap();
    let refused = shop.run(&["restore", "shop/api:v1.0.0", "--apply"]).await;
    assert!(refused.status == 1 && refused.stderr.contains("the vault does not have"), "{}", refused.stderr);

    shop.write_policy("");
    let none = shop.run(&["restore", "shop/api:v1.0.0"]).await;
    assert!(none.status == 2 && none.stderr.contains("names no vault"), "{}", none.stderr);
}

/// What restore puts back is nobody else's doing: it is on record, and no look after it takes it for a push over a deleted tag.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_restored_is_on_record_and_counts_by_the_next_look_i27() {
    let shop = Shop::open().await;
    shop.run(&["enforce", "--format", "json"]).await.json();
    let (tag, lost) = shop.releases[1].clone();
    shop.lose(&lost).await;
    let broken = shop.run(&["drill", "shop/api"]).await;
    assert!(broken.status == 3 && broken.stdout.contains("BROKEN"), "{}", broken.stdout);
    for _ in 0..2 {
        shop.run(&["audit", "--format", "json"]).await.json();
    }
    let gone = shop.run(&["ready", "shop/api"]).await.stdout;
    assert!(gone.contains("GONE: it does not exist any more") && gone.contains("BROKEN by the drill"), "{gone}");
    assert!(!gone.contains("nothing keeps it"), "{gone}");

    let restored = shop.run(&["restore", &format!("shop/api:{tag}"), "--apply"]).await;
    assert_eq!(restored.status, 0, "{}{}", restored.stdout, restored.stderr);
    assert!(!restored.stdout.contains("not on record"), "{}", restored.stdout);
    let report = shop.run(&["audit", "--format", "json"]).await.json();
    let codes: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert!(codes.iter().all(|code| !code.starts_with("tag-") && !code.starts_with("target-")), "{codes:?}");
    let page = shop.run(&["ready", "shop/api"]).await.stdout;
    assert!(page.contains("from the vault; not drilled since: `prodpin drill shop/api`"), "{page}");
    assert!(!page.contains("BROKEN") && !page.contains("GONE"), "{page}");
    let history = shop.run(&["history", &format!("shop/api:{tag}")]).await.stdout;
    assert!(
        history.contains(&format!("restored from the vault as {tag}")) && history.contains("is there"),
        "{history}"
    );

    assert_eq!(shop.run(&["drill", "shop/api"]).await.status, 0);
    let page = shop.run(&["ready", "shop/api"]).await.stdout;
    assert!(page.contains("drilled just now") && !page.contains("not drilled since"), "{page}");
    // The same again puts nothing back, and has nothing to record.
    let before = shop.run(&["history", "shop/api"]).await.stdout;
    assert_eq!(shop.run(&["restore", &format!("shop/api:{tag}"), "--apply"]).await.status, 0);
    assert_eq!(shop.run(&["history", "shop/api"]).await.stdout, before);
    assert_eq!(shop.run(&["verify"]).await.status, 0);
}

/// The latest that the vault kept under a tag may be what somebody pushed over the release.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_named_several_releases_is_asked_about_i8_i27() {
    let shop = Shop::open().await;
    shop.run(&["enforce", "--format", "json"]).await.json();
    let (tag, release) = shop.releases[0].clone();
    let rogue = image("rogue");
    shop.pusher.push("shop/api", tag, &rogue).await;
    shop.run(&["enforce", "--format", "json"]).await.json();
    shop.lose(&release).await;
    shop.lose(&rogue).await;
    shop.registry.forget_requests();
    let asked = shop.run(&["restore", &format!("shop/api:{tag}"), "--apply"]).await;
    assert_eq!((asked.status, shop.writes()), (2, 0), "{}{}", asked.stdout, asked.stderr);
    assert!(asked.stdout.contains(&format!("the first that {tag} named")), "{}", asked.stdout);
    for digest in [release.digest(), rogue.digest()] {
        let command = format!("prodpin restore --source r shop/api@{digest} --apply");
        assert!(asked.stdout.contains(&command), "{}", asked.stdout);
    }
    let restored = shop.run(&["restore", "--source", "r", &format!("shop/api@{}", release.digest()), "--apply"]).await;
    assert_eq!(restored.status, 0, "{}{}", restored.stdout, restored.stderr);
    let found = shop.pusher.manifest("shop/api", tag).await.expect("its tag is back").1;
    assert_eq!(Digest::sha256(&found), release.digest());
}

/// `shop/api` may be a repository, or one called `api` in the source `shop`.
#[tokio::test(flavor = "multi_thread")]
async fn two_repositories_whose_names_run_together_are_told_apart() {
    let shop = Shop::open().await;
    let (tag, content) = shop.releases[0].clone();
    shop.pusher.push("api", tag, &content).await;
    let policy = format!(
        "version: 1\nledger: ./ledger\nvault: ./vault\nsources:\n  shop: {{ oci: \"{}\", repositories: [\"shop/*\", \"api\"], \
         cleanup: none }}\nproduction:\n  - {{ tags: [\"v*\"], order: semver }}\n",
        shop.registry.url()
    );
    std::fs::write(shop.here.path().join("other.yaml"), policy).unwrap();
    let run = async |arguments: &[&str]| shop.run(&[&["--policy", "other.yaml"], arguments].concat()).await;
    run(&["enforce", "--format", "json"]).await.json();
    let reference = format!("shop/api@{}", content.digest());
    let doubtful = run(&["restore", &reference]).await;
    assert_eq!(doubtful.status, 2, "{}{}", doubtful.stdout, doubtful.stderr);
    for name in ["api", "shop/api"] {
        let command = format!("`prodpin restore --policy other.yaml --source shop {name}@{}`", content.digest());
        assert!(doubtful.stderr.contains(&command), "{}", doubtful.stderr);
        let found = run(&["restore", "--source", "shop", &format!("{name}@{}", content.digest())]).await;
        assert!(found.status == 0 && found.stdout.starts_with(&format!("{name} in shop\n")), "{}", found.stdout);
    }
    let drill = run(&["drill"]).await.stdout;
    assert!(drill.contains("of api in shop: intact") && drill.contains("of shop/api in shop: intact"), "{drill}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_directory_that_is_not_there_is_said_to_be_missing() {
    let shop = Shop::open().await;
    let digest = shop.releases[0].1.digest();
    for arguments in [&["restore", &format!("shop/api@{digest}")][..], &["drill", "--from", "vault"]] {
        let ran = shop.run(arguments).await;
        assert!(ran.status == 1 && ran.stderr.contains("does not exist: mount it"), "{arguments:?}: {}", ran.stderr);
    }
    let audit = shop.run(&["audit", "--format", "json"]).await.json();
    assert!(audit["findings"].to_string().contains("mount the directory, or correct `vault:`"), "{audit}");
    assert!(!shop.here.path().join("vault").exists(), "looking makes none");
}
