//! ECR on a stand-in that others wrote, by the source and by whole runs of the program: what is pinned stays pinned in
//! every mutability mode, a role leads into its own account, and many repositories are many.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_ecr::primitives::Blob;
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier, ImageTagMutability, ImageTagMutabilityExclusionFilter};
use futures::StreamExt as _;
use prodpin::model::{Digest, NamePatterns, Pin};
use prodpin::policy::EcrConfig;
use prodpin::sources::ecr::{Tuning, open_tuned};
use prodpin::sources::memory::{Content, image};
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source};
use serde_json::Value;
use tempfile::TempDir;

use crate::estate::{Ran, pins};
use crate::proxy::Proxy;
use crate::servers;
use crate::support::each;

pub(crate) const REGION: &str = "eu-west-1";

/// The account of everyone who brings no role.
const OWN: &str = "123456789012";
/// Another, which a role leads into.
const OTHER: &str = "444455556666";

/// A corner of the stand-in.
pub(crate) struct Moto {
    pub(crate) client: Client,
    pub(crate) account: &'static str,
    url: String,
    corner: String,
}

fn credentials(key: &str, secret: &str, token: Option<String>) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(key, secret, token, None, "tests"))
}

fn client(url: &str, credentials: SharedCredentialsProvider) -> Client {
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .endpoint_url(url);
    Client::from_conf(config.build())
}

impl Moto {
    pub(crate) async fn new(name: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // One server plays all of AWS.
        let url = servers::s3()?.url;
        let corner = format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let client = client(&url, credentials("testing", "testing", None));
        Some(Self { client, account: OWN, url, corner })
    }

    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.corner)
    }

    pub(crate) async fn source(&self, patterns: &[&str], write: bool) -> Source {
        let config = EcrConfig {
            manages_lifecycle: false,
            asks_cloudtrail: false,
            region: Some(REGION.to_owned()),
            assume_role: None,
            external_id: None,
            registry: Some(self.account.to_owned()),
            endpoint: Some(self.url.parse().expect("a URL")),
            may_delete: Arc::default(),
            repositories: NamePatterns::new(patterns).expect("patterns"),
            max_concurrency: None,
        };
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
        let credentials = Some(credentials("testing", "testing", None));
        let tuning = Tuning { credentials, ..Tuning::default() };
        let name = "payments".parse().expect("a name");
        open_tuned(&name, &config, &options, &HttpEnvironment::default(), tuning).await.expect("a source")
    }

    pub(crate) async fn create(&self, name: &str, mode: ImageTagMutability, filters: &[&str]) {
        let filters = filters.iter().map(|filter| {
            let filter = ImageTagMutabilityExclusionFilter::builder().filter_type("WILDCARD".into()).filter(*filter);
            filter.build().expect("a filter")
        });
        let filters: Vec<_> = filters.collect();
        let create = self.client.create_repository().repository_name(name).image_tag_mutability(mode);
        let create = create.set_image_tag_mutability_exclusion_filters((!filters.is_empty()).then_some(filters));
        create.send().await.expect("a repository");
    }

    /// Pushes as a client does: layers, then children, then the manifest.
    pub(crate) async fn push_to(&self, repository: &str, tag: &str, content: &Content) -> Digest {
        // It may be there already.
        let _ = self.client.create_repository().repository_name(repository).send().await;
        for child in content.children() {
            Box::pin(self.put(repository, None, child)).await;
        }
        // It makes the old image vanish when its only tag moves, which ECR does not.
        self.hold_what_moves(repository, tag, &content.digest()).await;
        self.put(repository, Some(tag), content).await;
        content.digest()
    }

    /// Layers, and then the manifest, without a tag or with one.
    async fn put(&self, repository: &str, tag: Option<&str>, content: &Content) {
        for (digest, blob) in content.blobs() {
            self.upload(repository, &digest, &blob).await;
        }
        let text = String::from_utf8(content.bytes().to_vec()).expect("manifests are text");
        let put = self.client.put_image().repository_name(repository).image_manifest(text);
        let put = put.set_image_tag(tag.map(str::to_owned)).image_digest(content.digest().to_string());
        if let Err(error) = put.image_manifest_media_type(content.media_type()).send().await {
            let code = aws_sdk_ecr::error::ProvideErrorMetadata::code(&error);
            assert_eq!(code, Some("ImageAlreadyExistsException"), "{error:?}");
        }
    }

    async fn hold_what_moves(&self, repository: &str, tag: &str, to: &Digest) {
        let held = self.images(repository).await.into_iter().find(|image| {
            let tags = image.image_tags();
            tags == [tag] && image.image_digest() != Some(to.to_string().as_str())
        });
        let Some(digest) = held.and_then(|image| image.image_digest) else { return };
        let id = ImageIdentifier::builder().image_digest(&digest).build();
        let found = self.client.batch_get_image().repository_name(repository).image_ids(id).send().await;
        let image = found.expect("an answer").images.and_then(|images| images.into_iter().next()).expect("the image");
        let put = self.client.put_image().repository_name(repository).image_digest(&digest);
        let put = put.image_tag(format!("held-{}", &digest[7..19])).image_manifest(image.image_manifest.expect("text"));
        put.set_image_manifest_media_type(image.image_manifest_media_type).send().await.expect("held");
    }

    async fn upload(&self, repository: &str, digest: &Digest, blob: &[u8]) {
        let started = self.client.initiate_layer_upload().repository_name(repository).send().await.expect("an upload");
        let id = started.upload_id().expect("an id");
        let part =
            self.client.upload_layer_part().repository_name(repository).upload_id(id).layer_part_blob(Blob::new(blob));
        let last = i64::try_from(blob.len()).expect("small") - 1;
        part.part_first_byte(0).part_last_byte(last).send().await.expect("uploaded");
        let done = self.client.complete_layer_upload().repository_name(repository).upload_id(id);
        // A layer that is there already is there.
        let _ = done.layer_digests(digest.to_string()).send().await;
    }

    pub(crate) async fn delete(&self, repository: &str, id: ImageIdentifier) {
        self.client.batch_delete_image().repository_name(repository).image_ids(id).send().await.expect("deleted");
    }

    async fn images(&self, repository: &str) -> Vec<ImageDetail> {
        let found = self.client.describe_images().repository_name(repository).send().await;
        found.expect("images").image_details.unwrap_or_default()
    }

    /// The tags and what each names.
    async fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        let images = self.images(repository).await;
        let rows = images.iter().flat_map(|image| {
            image.image_tags().iter().map(|tag| (tag.clone(), image.image_digest().unwrap_or_default().to_owned()))
        });
        rows.collect()
    }
}

/// A directory with a policy, and a proxy that sees what the program sends.
struct Site {
    directory: TempDir,
    proxy: Proxy,
}

impl Site {
    async fn new(moto: &Moto, ecr: &str, patterns: &str) -> Self {
        let site = Self {
            directory: tempfile::tempdir().expect("a directory"),
            proxy: Proxy::start(&moto.url, std::time::Duration::ZERO).await,
        };
        let text = format!(
            "version: 1\nledger: ledger\nsources:\n  payments:\n    ecr: {ecr}\n    repositories: {patterns}\n\
             production:\n  - {{ tags: [\"v*\"], order: semver }}\n"
        );
        std::fs::write(site.directory.path().join("prodpin.yaml"), text).expect("a policy");
        site
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.directory.path()).env_clear().stdin(Stdio::null());
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        command.env("AWS_ENDPOINT_URL", self.proxy.url()).env("AWS_REGION", REGION).env("NO_PROXY", "127.0.0.1");
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        Ran::from_output(output.expect("the program runs"))
    }

    async fn report(&self, mode: &str, status: i32) -> Value {
        self.run(&[mode, "--format", "json", "--quiet", "--fail-on", "critical"]).await.report(status)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enforce_pins_in_all_four_mutability_modes_and_once_more_does_nothing_a18_i13() {
    let Some(moto) = Moto::new("modes").await else { return };
    for (name, mode, filters) in [
        ("mutable", ImageTagMutability::Mutable, &[][..]),
        ("immutable", ImageTagMutability::Immutable, &[]),
        ("mutable-except", ImageTagMutability::MutableWithExclusion, &["prod-pinned-*"]),
        ("immutable-except", ImageTagMutability::ImmutableWithExclusion, &["dev-*"]),
    ] {
        let repository = moto.name(name);
        moto.create(&repository, mode, filters).await;
        for version in 1..=3 {
            moto.push_to(&repository, &format!("v1.{version}.0"), &image(&format!("{name} {version}"))).await;
        }
    }
    let pattern = format!("[\"{}\"]", moto.name("*"));
    let site = Site::new(&moto, "{ region: eu-west-1 }", &pattern).await;

    let audit = site.report("audit", 0).await;
    assert_eq!(audit["run"]["complete"], true, "{audit:#}");
    assert!(each(pins(&audit).iter(), |(.., pin)| pin == "planned"), "{:?}", pins(&audit));
    for name in ["mutable", "immutable", "mutable-except", "immutable-except"] {
        assert_eq!(moto.tags(&moto.name(name)).await.len(), 3, "an audit wrote");
    }

    let enforce = site.report("enforce", 0).await;
    assert_eq!(enforce["run"]["complete"], true);
    assert_eq!(pins(&enforce).len(), 12);
    assert!(each(pins(&enforce).iter(), |(.., pin)| pin == "created"), "{:?}", pins(&enforce));
    let mut everything = Vec::new();
    for name in ["mutable", "immutable", "mutable-except", "immutable-except"] {
        let tags = moto.tags(&moto.name(name)).await;
        for version in 1..=3 {
            let digest = &tags[&format!("v1.{version}.0")];
            let pin = Pin::for_digest(&digest.parse().unwrap()).to_string();
            assert_eq!(tags.get(&pin), Some(digest), "{name}");
        }
        assert_eq!(tags.len(), 6, "{name}: {tags:?}");
        everything.push(tags);
    }

    let again = site.report("enforce", 0).await;
    assert!(each(pins(&again).iter(), |(.., pin)| pin == "present"), "{:?}", pins(&again));
    for (tags, name) in everything.iter().zip(["mutable", "immutable", "mutable-except", "immutable-except"]) {
        assert_eq!(moto.tags(&moto.name(name)).await, *tags);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_leads_into_its_own_account() {
    let Some(moto) = Moto::new("role").await else { return };
    let repository = moto.name("api");
    moto.push_to(&repository, "v1.0.0", &image("in our own account")).await;
    // What the role gives is another account's: its registry has a repository of the same name.
    let there = Moto { client: assumed(&moto.url).await, account: OTHER, ..Moto::new("role").await.unwrap() };
    let theirs = there.push_to(&repository, "v2.0.0", &image("in the other account")).await;

    let ecr = format!("{{ region: eu-west-1, assume_role: \"arn:aws:iam::{OTHER}:role/prodpin\", external_id: e }}");
    let site = Site::new(&moto, &ecr, &format!("[\"{repository}\"]")).await;
    let report = site.report("enforce", 0).await;
    let seen: Vec<(String, String)> = pins(&report).into_iter().map(|(.., artifact, pin)| (artifact, pin)).collect();
    assert_eq!(seen, [(theirs.to_string(), "created".to_owned())], "{report:#}");
    assert!(there.tags(&repository).await.contains_key(&Pin::for_digest(&theirs).to_string()));
    assert_eq!(moto.tags(&repository).await.len(), 1, "the other account's, not ours, is meant");
}

/// A client in the other account: its credentials by plain HTTP, as STS has no client here.
async fn assumed(url: &str) -> Client {
    let query =
        format!("Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::{OTHER}:role/tester&RoleSessionName=tester");
    let signed =
        "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = http
        .post(url)
        .header("authorization", signed)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("host", "sts.us-east-1.amazonaws.com")
        .body(query);
    let text = answer.send().await.expect("an answer").text().await.expect("text");
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {text}"));
        rest.split_once('<').expect("an end").0.to_owned()
    };
    let credentials = credentials(&part("AccessKeyId"), &part("SecretAccessKey"), Some(part("SessionToken")));
    client(url, credentials)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_repositories_are_seen_each_once() {
    let Some(moto) = Moto::new("many").await else { return };
    for number in 0..250 {
        let repository = moto.name(&format!("r{number:03}"));
        moto.push_to(&repository, "v1.0.0", &image(&format!("repository {number}"))).await;
    }
    let source = moto.source(&[&moto.name("*")], false).await;
    let names: Vec<_> = source.inventory.repositories().map(|name| name.unwrap().to_string()).collect().await;
    assert_eq!(names.len(), 250);
    let site = Site::new(&moto, "{ region: eu-west-1 }", &format!("[\"{}\"]", moto.name("*"))).await;
    let report = site.report("audit", 0).await;
    assert_eq!(report["run"]["complete"], true);
    assert_eq!((&report["summary"]["repositories"], &report["summary"]["tags"]), (&250.into(), &250.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_that_would_do_harm_is_refused_until_the_rule_in_front_is_there_i22_f116() {
    let Some(moto) = Moto::new("harm").await else { return };
    let repository = moto.name("api");
    let digests = push_releases(&moto, &repository).await;
    let live = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}},{"rulePriority":2,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}"#;
    let put = moto.client.put_lifecycle_policy().repository_name(&repository).lifecycle_policy_text(live);
    put.send().await.expect("a lifecycle policy");
    let pattern = format!("[\"{repository}\"]");
    let site = Site::new(&moto, "{ region: eu-west-1 }", &pattern).await;
    let ran = site.run(&["enforce", "--format", "json", "--quiet"]).await;
    let report = ran.report(3);
    assert!(each(pins(&report).iter(), |(.., pin)| pin == "refused"), "{:?}", pins(&report));
    assert_eq!(moto.tags(&repository).await.len(), 6, "nothing was pinned");
    assert_eq!(policy(&moto, &repository).await, live, "the policy does not let prodpin change it");

    // The same source, where the policy lets prodpin put the rule there.
    let managed = Site::new(&moto, "{ region: eu-west-1 }", &format!("{pattern}\n    lifecycle: manage")).await;
    let audit = managed.report("audit", 0).await;
    assert!(each(pins(&audit).iter(), |(.., pin)| pin == "planned"), "{:?}", pins(&audit));
    assert_eq!(policy(&moto, &repository).await, live, "an audit wrote");
    let shown = managed.run(&["forecast", "--recommend", &repository]).await;
    let enforce = managed.report("enforce", 0).await;
    assert!(each(pins(&enforce).iter(), |(.., pin)| pin == "created"), "{:?}", pins(&enforce));
    assert_eq!(policy(&moto, &repository).await, shown.stdout.trim_end(), "what was shown is what was put");
    assert_eq!(enforce["summary"]["protected"], 5, "{enforce:#}");
    let rules: Value = serde_json::from_str(&policy(&moto, &repository).await).expect("JSON");
    let rules = rules["rules"].as_array().expect("rules");
    assert_eq!(rules[0]["selection"]["tagPatternList"][0], "prod-pinned-*");
    let own: Value = serde_json::from_str(live).expect("JSON");
    for (was, is) in own["rules"].as_array().expect("rules").iter().zip(&rules[1..]) {
        assert_eq!(
            (&was["selection"], &was["action"]),
            (&is["selection"], &is["action"]),
            "theirs, but for the number"
        );
    }
    let tags = moto.tags(&repository).await;
    assert!(each(digests[1..].iter(), |digest| tags.contains_key(&Pin::for_digest(digest).to_string())), "{tags:?}");
    let again = managed.report("enforce", 0).await;
    assert!(each(pins(&again).iter(), |(.., pin)| pin == "present"), "{:?}", pins(&again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_somebody_wrote_for_pins_is_not_taken_out_i8_i22() {
    let Some(moto) = Moto::new("theirs").await else { return };
    let repository = moto.name("api");
    push_releases(&moto, &repository).await;
    let managed =
        Site::new(&moto, "{ region: eu-west-1 }", &format!("[\"{repository}\"]\n    lifecycle: manage")).await;
    let any = r#"{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}}"#;
    let theirs = |count: &str| {
        format!(
            r#"{{"rules":[{{"rulePriority":1,"description":"Ann\u2019s \u00fcber","selection":{{"tagStatus":"tagged","tagPatternList":["prod-pinned-*"],{count}}},"action":{{"type":"expire"}}}},{any}]}}"#
        )
    };
    let put = async |text: &str| {
        let put = moto.client.put_lifecycle_policy().repository_name(&repository).lifecycle_policy_text(text);
        put.send().await.expect("a lifecycle policy");
    };
    // One that takes pins by their age is left, and told.
    let by_age = theirs(r#""countType":"sinceImagePushed","countUnit":"days","countNumber":30"#);
    put(&by_age).await;
    let reported = managed.run(&["enforce", "--format", "json", "--quiet"]).await;
    assert!(reported.stdout.contains("rule 1 of the live policy would be lost"), "{}", reported.stdout);
    assert_eq!(policy(&moto, &repository).await, by_age);
    // One that keeps too few keeps more, and says what it said.
    put(&theirs(r#""countType":"imageCountMoreThan","countNumber":5"#)).await;
    managed.report("enforce", 0).await;
    let rules: Value = serde_json::from_str(&policy(&moto, &repository).await).expect("JSON");
    assert_eq!(rules["rules"].as_array().map(Vec::len), Some(2), "{rules}");
    assert_eq!(rules["rules"][0]["description"], "Ann\u{2019}s \u{fc}ber");
    assert_eq!(rules["rules"][0]["selection"]["countNumber"], 9_999);
    let any: Value = serde_json::from_str(any).expect("JSON");
    assert_eq!(rules["rules"][1], any);
}

/// v1.0.0 to v1.5.0, the oldest first.
async fn push_releases(moto: &Moto, repository: &str) -> Vec<Digest> {
    let mut digests = Vec::new();
    for minor in 0..6 {
        digests.push(moto.push_to(repository, &format!("v1.{minor}.0"), &image(&format!("release {minor}"))).await);
        // Push times are whole seconds here.
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    }
    digests
}

async fn policy(moto: &Moto, repository: &str) -> String {
    let answer = moto.client.get_lifecycle_policy().repository_name(repository).send().await;
    answer.expect("an answer").lifecycle_policy_text.expect("a policy")
}
