//! A registry over plain sockets that lies on request: one switch for each lie.

mod answering;
mod connection;
mod contents;
mod lies;
mod lists;
mod removing;
mod reply;
mod tokens;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use self::connection::{Line, read_request};
use self::reply::{Reply, Trick};

pub(super) use self::lies::{Deleting, Guard, Lie};

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Store {
    /// Repository → tag → digest.
    pub(super) tags: BTreeMap<String, BTreeMap<String, String>>,
    /// Digest → media type and bytes.
    pub(super) manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Digest → bytes.
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
}

struct State {
    store: Store,
    lies: HashSet<Lie>,
    counts: BTreeMap<&'static str, usize>,
    seen: Vec<Seen>,
    guard: Guard,
    void: HashSet<String>,
    issued: usize,
}

/// A running registry.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(super) async fn start(lies: impl IntoIterator<Item = Lie>) -> Self {
        Self::start_at("127.0.0.1", Guard::Open, lies).await
    }

    pub(super) async fn guarded(guard: Guard, lies: impl IntoIterator<Item = Lie>) -> Self {
        Self::start_at("127.0.0.1", guard, lies).await
    }

    /// All of 127/8 is this machine: another address is another host.
    pub(super) async fn start_at(host: &str, guard: Guard, lies: impl IntoIterator<Item = Lie>) -> Self {
        Self::listen(host, guard, lies, None).await
    }

    /// Behind TLS.
    pub(super) async fn with_tls(tls: TlsAcceptor, guard: Guard, lies: impl IntoIterator<Item = Lie>) -> Self {
        Self::listen("127.0.0.1", guard, lies, Some(tls)).await
    }

    async fn listen(host: &str, guard: Guard, lies: impl IntoIterator<Item = Lie>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            store: Store::default(),
            lies: lies.into_iter().collect(),
            counts: BTreeMap::new(),
            seen: Vec::new(),
            guard,
            void: HashSet::new(),
            issued: 0,
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = Self { address, scheme, state: Arc::new(Mutex::new(state)) };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    stream.set_nodelay(true)?;
                    match tls {
                        None => server.serve(stream).await,
                        Some(tls) => server.serve(tls.accept(stream).await?).await,
                    }
                });
            }
        });
        server
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Changes what is stored, or looks at it.
    pub(super) fn store<T>(&self, act: impl FnOnce(&mut Store) -> T) -> T {
        act(&mut self.state.lock().unwrap().store)
    }

    pub(super) fn lie(&self, lie: Lie) {
        self.state.lock().unwrap().lies.insert(lie);
    }

    /// No lie any more.
    pub(super) fn be_honest(&self) {
        self.state.lock().unwrap().lies.clear();
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// How many requests of this method have this in their path.
    pub(super) fn count(&self, method: &str, part: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method == method && seen.path.contains(part)).count()
    }

    /// The methods that arrived and are no reading.
    pub(super) fn writes(&self) -> Vec<String> {
        let reads = |seen: &Seen| matches!(seen.method.as_str(), "GET" | "HEAD");
        self.seen()
            .into_iter()
            .filter(|seen| !reads(seen))
            .map(|seen| format!("{} {}", seen.method, seen.path))
            .collect()
    }

    /// Every `Authorization` that arrived.
    pub(super) fn credentials(&self) -> Vec<String> {
        self.seen().iter().filter_map(|seen| seen.headers.get("authorization").cloned()).collect()
    }

    async fn serve(&self, mut stream: impl Line) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        while let Some(request) = read_request(&mut stream, &mut buffer).await? {
            let head = request.method == "HEAD";
            let reply = self.answer(request);
            if reply.trick == Trick::Silence {
                tokio::time::sleep(Duration::from_secs(30)).await;
                return Ok(());
            }
            let mut text = format!("HTTP/1.1 {} X\r\n", reply.status);
            for (name, value) in &reply.headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            match reply.trick {
                Trick::Flood { announced: true } => text.push_str("Content-Length: 500000000\r\n\r\n"),
                Trick::Flood { announced: false } => text.push_str("Transfer-Encoding: chunked\r\n\r\n"),
                _ => match reply.length.unwrap_or(Some(reply.body.len() as u64)) {
                    Some(length) => text.push_str(&format!("Content-Length: {length}\r\n\r\n")),
                    None => text.push_str("\r\n"),
                },
            }
            stream.write_all(text.as_bytes()).await?;
            if head {
                continue;
            }
            match reply.trick {
                Trick::None | Trick::Silence => stream.write_all(&reply.body).await?,
                Trick::Cut => {
                    stream.write_all(&reply.body[..reply.body.len() / 2]).await?;
                    return Ok(());
                }
                Trick::Reset => {
                    stream.write_all(&reply.body[..reply.body.len() / 2]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    stream.tcp().set_zero_linger()?;
                    return Ok(());
                }
                Trick::Drip => {
                    for byte in reply.body {
                        stream.write_all(&[byte]).await?;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
                Trick::Flood { announced } => {
                    let chunk = vec![b' '; 64 << 10];
                    for _ in 0..8_000 {
                        if !announced {
                            stream.write_all(b"10000\r\n").await?;
                        }
                        stream.write_all(&chunk).await?;
                        if !announced {
                            stream.write_all(b"\r\n").await?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&self, request: Seen) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.seen.push(request.clone());
        state.answer(&request, &self.url())
    }
}
