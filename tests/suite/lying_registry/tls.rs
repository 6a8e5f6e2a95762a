//! TLS: whom to believe, and that neither a certificate nor a registry talks anyone down to plain HTTP.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prodpin::model::{Cause, Closure, Scope};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::content::{Opening, artifact, repository};
use super::reported;
use super::server::{Guard, Lie, Server};

const BASIC: &str = "Basic dXNlcjpodW50ZXIy";
const USER: Guard = Guard::Token { to: Some(BASIC), identity: None };
const NAME: &str = "registry.example";

/// An authority that only its `ca_file` makes trusted.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(certificate.pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(parameters, key), file }
    }

    /// A server's certificate for this name, which ends so long after now, or before.
    fn certify(&self, name: &str, days: i64) -> TlsAcceptor {
        let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let now = SystemTime::now();
        let end = if days < 0 { now - day } else { now + day * u32::try_from(days).unwrap() };
        parameters.not_before = (now - day * 30).into();
        parameters.not_after = end.into();
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        acceptor(certificate.der().clone(), key)
    }
}

fn self_signed(name: &str) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    acceptor(certificate.der().clone(), key)
}

fn acceptor(certificate: CertificateDer<'static>, key: KeyPair) -> TlsAcceptor {
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key.into());
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

/// The source at this server under its name, with credentials that must not go astray.
fn opening(server: &Server, authority: Option<&Authority>) -> Opening {
    let mut opening = Opening::for_url(&format!("https://{NAME}:{}", server.address.port())).user("user", "hunter2");
    opening.config.private = true;
    opening.config.ca_file = authority.map(|authority| authority.file.path().to_owned());
    opening.environment.names.insert(NAME.to_owned(), vec![server.address.ip()]);
    // A debug build takes its time over a handshake on a busy machine.
    opening.environment.timing.request = Duration::from_secs(10);
    opening
}

fn stock(server: &Server) -> prodpin::model::Digest {
    server.store(|store| {
        let digest = store.image("one");
        store.tag("shop/api", "1.0", &digest);
        digest
    })
}

#[tokio::test]
async fn a_certificate_of_the_policy_s_authority_is_believed_f6() {
    let authority = Authority::new("own");
    let realm = |port: u16| Lie::Realm(format!("https://{NAME}:{port}/token"));
    let server = Server::with_tls(authority.certify(NAME, 30), USER, []).await;
    server.lie(realm(server.address.port()));
    let digest = stock(&server);
    let source = opening(&server, Some(&authority)).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (1, vec![]));
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.closure, seen.gaps), (Closure::Complete, vec![]));
    assert!(server.credentials().contains(&BASIC.to_owned()), "the token server was told, over TLS");
}

#[tokio::test]
async fn any_other_certificate_ends_the_call_before_a_byte_is_sent_f6() {
    let (authority, stranger, namesake) = (Authority::new("own"), Authority::new("other"), Authority::new("own"));
    let cases = [
        ("expired", authority.certify(NAME, -1), Some(&authority), "has expired; have it renewed"),
        ("another name", authority.certify("other.example", 30), Some(&authority), "is for another name; use a name"),
        ("another authority", stranger.certify(NAME, 30), Some(&authority), "set `ca_file` on the source"),
        ("one of its name", namesake.certify(NAME, 30), Some(&authority), "set `ca_file` on the source"),
        ("no authority given", authority.certify(NAME, 30), None, "set `ca_file` on the source"),
        ("its own authority", self_signed(NAME), Some(&authority), "set `ca_file` on the source"),
    ];
    for (case, tls, trusted, next_step) in cases {
        let server = Server::with_tls(tls, Guard::Basic(BASIC), []).await;
        let digest = stock(&server);
        let source = opening(&server, trusted).writing().open();
        let snapshot = source.inventory.observe(&repository()).await;
        assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unreachable)], "{case}");
        let detail = &snapshot.gaps[0].detail;
        assert!(detail.contains(NAME) && detail.contains(next_step), "{case}: {detail}");
        assert!(!snapshot.listing_is_complete(), "{case}");
        let failure = source.protector.unwrap().pin(&repository(), &artifact(&digest)).await.unwrap_err();
        assert_eq!(failure.cause, Cause::Unreachable, "{case}");
        assert!(server.seen().is_empty(), "{case}: {:?}", server.seen());
    }
}

#[tokio::test]
async fn a_registry_without_tls_is_not_spoken_to_in_plain_f6() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut opening = opening(&Server::start([]).await, None);
    opening.config.url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let length = stream.read(&mut heard).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        heard.truncate(length);
        heard
    });
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unreachable)]);
    assert!(snapshot.gaps[0].detail.contains("does not speak TLS"), "{:?}", snapshot.gaps);
    let heard = heard.await.unwrap();
    assert_eq!(heard[0], 0x16, "a TLS handshake, and no request");
}

#[tokio::test]
async fn nobody_is_sent_from_https_to_http_f8() {
    let authority = Authority::new("own");
    let plain = Server::start([]).await;
    let location = format!("http://{}", plain.address);
    for lie in [Lie::BlobsAt(format!("{location}/x")), Lie::ManifestsAt(format!("{location}/x"))] {
        let moves_manifests = matches!(lie, Lie::ManifestsAt(_));
        let server = Server::with_tls(authority.certify(NAME, 30), Guard::Basic(BASIC), [lie]).await;
        let digest = stock(&server);
        let source = opening(&server, Some(&authority)).open();
        let snapshot = source.inventory.observe(&repository()).await;
        assert_eq!(snapshot.gaps.len(), usize::from(moves_manifests), "{:?}", snapshot.gaps);
        let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!(seen.closure, Closure::Unknown);
        for gap in seen.gaps.iter().chain(&snapshot.gaps) {
            assert_eq!(gap.cause, Cause::Refused, "{gap:?}");
            assert!(gap.detail.contains("have the server send to an https address"), "{gap:?}");
        }
        assert!(plain.seen().is_empty());
    }
}

#[tokio::test]
async fn an_https_registry_names_no_http_realm_f14() {
    let authority = Authority::new("own");
    let plain = Server::guarded(USER, []).await;
    for host in ["127.0.0.1", NAME] {
        let realm = Lie::Realm(format!("http://{host}:{}/token", plain.address.port()));
        let server = Server::with_tls(authority.certify(NAME, 30), USER, [realm]).await;
        stock(&server);
        let mut opening = opening(&server, Some(&authority));
        // Not even where the policy allows the host: it says who may see the credentials, not that everyone may.
        opening.config.token_realms = vec![host.to_owned()];
        let snapshot = opening.open().inventory.observe(&repository()).await;
        assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Refused)], "{:?}", snapshot.gaps);
        assert!(snapshot.gaps[0].detail.contains("have its realm set to an https address"), "{:?}", snapshot.gaps);
        assert!(plain.seen().is_empty() && server.credentials().is_empty());
    }
}
