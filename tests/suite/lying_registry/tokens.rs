//! Who is reported a secret, and who is not.

use std::io;
use std::sync::{Arc, Mutex};

use prodpin::model::{Cause, Closure, Digest, Scope};

use super::content::{Opening, artifact, listed, repository, tag};
use super::reported;
use super::server::{Guard, Lie, Server};
use crate::support::each;

const BASIC: &str = "Basic dXNlcjpodW50ZXIy";
const OPEN: Guard = Guard::Token { to: None, identity: None };
const USER: Guard = Guard::Token { to: Some(BASIC), identity: None };

async fn with_image(guard: Guard, lies: impl IntoIterator<Item = Lie>) -> (Server, Digest) {
    let server = Server::guarded(guard, lies).await;
    let digest = server.store(|store| {
        let digest = store.image("one");
        for number in 0..20 {
            store.tag("shop/api", &format!("1.{number}"), &digest);
        }
        digest
    });
    (server, digest)
}

#[tokio::test]
async fn one_token_for_each_scope_however_many_ask_c93() {
    for (guard, user) in [(OPEN, false), (USER, true)] {
        let (server, digest) = with_image(guard, []).await;
        let opening = Opening::at(&server).repositories(&["shop/*"]);
        let source = if user { opening.user("user", "hunter2") } else { opening }.open();
        assert_eq!(listed(&source).await, (vec!["shop/api".to_owned()], vec![]));
        let snapshot = source.inventory.observe(&repository()).await;
        assert_eq!((snapshot.tags.len(), snapshot.gaps), (20, vec![]));
        let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!(seen.closure, Closure::Complete);
        assert_eq!(server.count("GET", "/token?service=reg&scope=registry%3Acatalog%3A*"), 1);
        assert_eq!(server.count("GET", "/token?service=reg&scope=repository%3Ashop%2Fapi%3Apull"), 1);
        // The third is for learning what the registry is.
        assert_eq!(server.count("GET", "/token"), 3);
        let passwords = server.credentials().iter().filter(|sent| sent.starts_with("Basic")).count();
        assert_eq!(passwords, if user { 3 } else { 0 }, "the password goes to the token server only");
    }
}

#[tokio::test]
async fn a_token_server_that_refuses_some_requests_is_asked_again_f113() {
    let (server, _) = with_image(OPEN, [Lie::ThrottleTokens(2)]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (20, vec![]));
    assert_eq!(server.count("GET", "/token"), 3, "two answers were refusals");
}

#[tokio::test]
async fn basic_is_sent_once_it_is_asked_for() {
    let (server, _) = with_image(Guard::Basic(BASIC), []).await;
    let snapshot = Opening::at(&server).user("user", "hunter2").open().inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (20, vec![]));
    assert_eq!(server.seen().len(), 1 + 1 + 20, "one challenge, then the list and each tag");
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Denied)]);
    let snapshot = Opening::at(&server).user("user", "wrong").open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Denied)]);
}

#[tokio::test]
async fn refused_credentials_are_a_gap_and_never_nobody() {
    let (server, _) = with_image(USER, []).await;
    let source = Opening::at(&server).user("user", "wrong").open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Denied)]);
    let asked = server.count("GET", "/token");
    source.inventory.look_up(&repository(), &tag("1.0")).await;
    assert_eq!((asked, server.count("GET", "/token")), (1, 1), "a refusal is remembered for a while");
    let sent: Vec<_> = server.seen().into_iter().filter(|seen| seen.path.starts_with("/token")).collect();
    assert!(each(sent.iter(), |seen| seen.headers.contains_key("authorization")), "no second try as nobody");
}

#[tokio::test]
async fn an_identity_token_is_posted_and_stands_in_no_url_i18() {
    let (server, _) = with_image(Guard::Token { to: None, identity: Some("long-lived") }, []).await;
    let source = Opening::at(&server).user("<token>", "long-lived").open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (20, vec![]));
    assert_eq!(server.writes(), ["POST /token"]);
    assert!(!server.seen().iter().any(|seen| seen.path.contains("long-lived")));
}

#[tokio::test]
async fn a_realm_on_a_foreign_host_is_refused_f13() {
    let foreign = Server::start_at("127.0.0.2", USER, []).await;
    let lie = Lie::Realm(format!("{}/token", foreign.url()));
    let (server, _) = with_image(USER, [lie]).await;
    let opening = Opening::at(&server).user("user", "hunter2");
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Refused)]);
    assert!(snapshot.gaps[0].detail.contains("token_realms: [127.0.0.2]"), "{}", snapshot.gaps[0].detail);
    assert!(foreign.seen().is_empty(), "nothing arrived there");
    assert!(server.credentials().is_empty());

    let mut opening = opening;
    opening.config.token_realms = vec!["127.0.0.2".to_owned()];
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (20, vec![]));
    assert_eq!(foreign.credentials(), [BASIC]);
    assert!(each(server.credentials().iter(), |sent| sent.starts_with("Bearer ")));
}

#[tokio::test]
async fn a_token_server_s_redirect_is_not_followed_f13() {
    let foreign = Server::start_at("127.0.0.2", OPEN, []).await;
    let (server, _) = with_image(USER, [Lie::TokensAt(format!("{}/token", foreign.url()))]).await;
    let snapshot = Opening::at(&server).user("user", "hunter2").open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Refused)]);
    assert!(foreign.seen().is_empty());
}

#[tokio::test]
async fn a_token_revoked_in_mid_run_is_renewed_once_f29() {
    let (server, _) = with_image(USER, [Lie::Revoked { after: 8, for_good: false }]).await;
    let snapshot = Opening::at(&server).user("user", "hunter2").open().inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (20, vec![]));
    assert_eq!(server.count("GET", "/token"), 2);
}

#[tokio::test]
async fn a_token_revoked_for_good_is_a_gap_after_one_renewal_f29() {
    let (server, _) = with_image(USER, [Lie::Revoked { after: 8, for_good: true }]).await;
    let mut opening = Opening::at(&server).user("user", "hunter2");
    opening.config.max_concurrency = Some(1);
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert!(snapshot.listing_is_complete(), "the list itself was whole");
    assert_eq!(snapshot.tags.len(), 20);
    assert!(each(snapshot.gaps.iter(), |gap| gap.cause == Cause::Denied && matches!(gap.scope, Scope::Tag(_))));
    assert!((10..20).contains(&snapshot.gaps.len()), "{}", snapshot.gaps.len());
    assert_eq!(server.count("GET", "/token"), 2, "one renewal, not one for each tag");
}

/// Everything that tracing was reported, as text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_reaches_logs_gaps_or_errors_i18() {
    // With a single subscriber in the process, what another test's thread meets first counts as switched off.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let store = Server::start_at("127.0.0.2", Guard::Open, []).await;
    let mut reported = Vec::new();
    for lies in [
        vec![],
        vec![Lie::BlobsAt(format!("{}/gone?X-Signature=presigned", store.url()))],
        vec![Lie::Revoked { after: 3, for_good: true }],
        vec![Lie::TokensAt(format!("{}/token?t=presigned", store.url()))],
        vec![Lie::Fails(500, 99)],
        vec![Lie::ResetLists(99)],
    ] {
        let (server, digest) = with_image(USER, lies).await;
        let source = Opening::at(&server).user("user", "hunter2").open();
        let snapshot = source.inventory.observe(&repository()).await;
        let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
        reported.push(format!("{snapshot:?} {seen:?}"));
    }
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let own: Vec<&str> = logged.lines().filter(|line| line.contains("prodpin")).collect();
    assert!(own.len() > 20, "something was logged: {logged}");
    let secrets = ["hunter2", "dXNlcjpodW50ZXIy", "presigned", "1:repository", "2:repository"];
    for secret in secrets {
        for text in reported.iter().map(String::as_str).chain(own.iter().copied()) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test]
async fn every_request_names_this_program() {
    let (server, digest) = with_image(USER, []).await;
    let source = Opening::at(&server).repositories(&["shop/*"]).user("user", "hunter2").open();
    listed(&source).await;
    source.inventory.observe(&repository()).await;
    source.inventory.inspect(&repository(), &artifact(&digest)).await;
    let agent = concat!("prodpin/", env!("CARGO_PKG_VERSION"));
    let seen = server.seen();
    assert!(seen.iter().any(|request| request.path.starts_with("/token")));
    assert!(each(seen.iter(), |request| request.headers.get("user-agent").is_some_and(|sent| sent == agent)));
}

#[tokio::test]
async fn a_helper_that_hangs_is_asked_by_its_own_registry_alone_and_only_when_that_wants_to_know_f108() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let helper = folder.path().join("docker-credential-slow");
    let asked = folder.path().join("asked");
    std::fs::write(&helper, format!("#!/bin/sh\necho asked >> {}\nexec /bin/sleep 60\n", asked.display())).unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"credsStore": "slow"}"#).unwrap();
    let folder = folder.path().display().to_string();
    let at = |server: &Server| {
        let mut opening = Opening::at(server);
        let variables = [("DOCKER_CONFIG", folder.as_str()), ("PATH", folder.as_str())];
        opening.environment.variables = prodpin::sources::oci::Variables::from_pairs(variables);
        opening
    };
    let (open, _) = with_image(Guard::Open, []).await;
    let (first, _) = with_image(Guard::Basic(BASIC), []).await;
    let (second, _) = with_image(OPEN, []).await;
    let sources = [at(&open).open(), at(&first).open(), at(&second).open()];
    assert!(!asked.exists(), "nobody wanted to know yet");
    let began = std::time::Instant::now();
    let repository = repository();
    let looks = sources.iter().map(|source| source.inventory.observe(&repository));
    let looks = futures::future::join_all(looks).await;
    // The helper has a second in these tests, and would hang for a minute.
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(std::fs::read_to_string(&asked).unwrap().lines().count(), 2, "once by each that wants to know");
    assert_eq!((looks[0].tags.len(), looks[0].gaps.as_slice()), (20, &[][..]), "a registry that asks for nothing");
    for look in &looks[1..] {
        assert_eq!(reported(&look.gaps), [(Scope::Repository, Cause::Denied)]);
        let detail = &look.gaps[0].detail;
        assert!(detail.contains("docker-credential-slow") && detail.contains("config.json"), "{detail}");
    }
    // Within a deadline it has half of the time at most, whatever else it would have.
    let mut opening = at(&first);
    opening.environment.timing.helper = std::time::Duration::from_secs(30);
    let (time, began) = (std::time::Duration::from_secs(4), std::time::Instant::now());
    let source = opening.within(time).open();
    assert_eq!(reported(&source.inventory.observe(&repository).await.gaps), [(Scope::Repository, Cause::Denied)]);
    assert!(began.elapsed() < time, "{:?}", began.elapsed());
}
