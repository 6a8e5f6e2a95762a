//! A registry over plain sockets that lies on request: one switch for each lie.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use prodpin::model::Digest;

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// One lie or refusal. A registry without any is honest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Lie {
    /// F3: lists of tags are reset in mid-body, this many times.
    ResetLists(usize),
    /// F4: lists of tags end short of their Content-Length, this many times.
    CutLists(usize),
    /// F5: lists of tags trickle.
    Drip,
    /// F5: manifests trickle.
    DripManifests,
    /// F7, F8, F9, F11, F15: a blob is somewhere else.
    BlobsAt(String),
    /// F7: a manifest is somewhere else.
    ManifestsAt(String),
    /// F12: a proxy's page instead of the answer to such paths.
    Html(&'static str),
    /// F13, F14: tokens come from there.
    Realm(String),
    /// F13: the token server sends elsewhere.
    TokensAt(String),
    /// F15: the next page is elsewhere.
    NextPageAt(String),
    /// F16: no page has more names than this, whatever `n` says.
    PageOf(usize),
    /// F18: the second page leads back to itself.
    CursorRepeats,
    /// F18: after the last page comes another, with a cursor of its own and nothing new on it, so many times.
    MorePages(usize),
    /// F18: there is always another page, with a name that was never there before.
    NewNamesForEver,
    /// F19: names of one page come again on the next.
    PagesOverlap,
    /// F20: no tags are `null`.
    NullTags,
    /// Lists lack their field.
    NoTagsField,
    /// F21: `Docker-Content-Digest` of a GET names other bytes.
    HeaderDiffers,
    /// F21: a HEAD names these bytes, and a GET serves others and says so.
    HeadMakesUp(Digest),
    /// F22: a manifest's bytes are others.
    WrongBytes,
    /// F24: every manifest is served as this.
    ServedAs(&'static str),
    /// F25: `Docker-Content-Digest` is this.
    DigestHeader(&'static str),
    /// C87: no `Docker-Content-Digest` at all.
    NoDigestHeader,
    /// F26: a manifest announces, or sends, 500 MB.
    Huge { announced: bool },
    /// F28: these paths are gone, in the registry's own words.
    Gone(String),
    /// A 404 page of a proxy for these paths.
    GonePage(String),
    /// From this many requests on, everything is 404 in these words: a gateway that lost its route.
    RouteLost { after: usize, media_type: &'static str, body: &'static str },
    /// These paths are 404 in these words, and not the registry's.
    GoneSaying(String, &'static str, &'static str),
    /// The registry's own 404s have no error document: they are these words.
    OwnManner(&'static str, &'static str),
    /// These paths are 404 with these error codes.
    GoneCodes(String, &'static [&'static str]),
    /// Lists of tags call themselves those of this repository.
    ListOf(&'static str),
    /// No page of tags has more than two names, and this is the Link to the next; `{}` is its address.
    LinkIs(&'static str),
    /// GET of a blob is a success of this type and body.
    BlobSays(&'static str, &'static str),
    /// A part of a blob is another one than was asked for.
    OtherPart,
    /// Answers to such paths have this header.
    InPassing(&'static str, &'static str, &'static str),
    /// F29: from this many authorized requests on, tokens so far are void; renewed ones work or do not.
    Revoked { after: usize, for_good: bool },
    /// F30: this repository is forbidden.
    Forbidden(&'static str),
    /// F32: this many requests are too many, with this `Retry-After`.
    Throttle(usize, &'static str),
    /// F113: of so many requests one is too many, with this `Retry-After`.
    ThrottleSome(usize, &'static str),
    /// HEAD is answered with this status.
    Head(u16),
    /// The catalog is answered with this status.
    Catalog(u16),
    /// Everything fails with this status, this many times.
    Fails(u16, usize),
    /// PUT is answered with this status.
    Put(u16),
    /// PUT is sent elsewhere.
    PutAt(String),
    /// PUT is carried out and not answered.
    PutSilent,
    /// PUT answers with another digest.
    PutDigest,
    /// Repositories in the catalog that are no names.
    OddNames,
    /// F106: lists have no Link. No page has more names than `most`; what follows `last` is given or is not.
    NoLinks { most: usize, last: bool },
    /// F106: the same with `last` unknown, and the names in another order each time.
    Shuffled,
    /// F106: pages of more than this are refused.
    LargestPage(usize),
    /// F107: GET of these paths says that they are gone, and HEAD that they are there.
    GoneToGet(String),
    /// F105: GET of this reference serves the manifest with this digest.
    GetServes(String, Digest),
    /// This tag's manifest is there, and not in a form that the client takes.
    NotAcceptable(&'static str),
    /// HEAD of a blob is answered with this status.
    BlobHead(u16),
    /// HEAD of a blob tells this length, or none.
    BlobHeadLength(Option<u64>),
    /// F130: GET of this blob announces it, and sends nothing.
    BlobBreaksOff(String),
    /// GET takes no notice of ranges.
    NoRanges,
    /// GET with a range is answered with this status.
    RangeRefused(u16),
    /// F123: what this path shows to everyone: status, headers, body.
    Shows(&'static str, u16, &'static [(&'static str, &'static str)], &'static str),
}

/// How clients prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guard {
    Open,
    Basic(&'static str),
    /// Tokens; given to everyone, or to this `Authorization`, or for this identity token.
    Token {
        to: Option<&'static str>,
        identity: Option<&'static str>,
    },
}

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

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trick: Trick,
    /// What `Content-Length` says, where it is not the truth; inner none: nothing.
    length: Option<Option<u64>>,
}

#[derive(PartialEq)]
enum Trick {
    None,
    /// Sends half of the body and resets the connection.
    Reset,
    /// Sends half of the body and closes.
    Cut,
    /// Sends nothing at all.
    Silence,
    /// Sends one byte at a time.
    Drip,
    /// Announces half a gigabyte, or sends it in chunks, until the client has enough.
    Flood {
        announced: bool,
    },
}

impl Reply {
    fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), media_type.to_owned())];
        Self { status, headers, body: body.into(), trick: Trick::None, length: None }
    }

    fn error(status: u16, code: &str) -> Self {
        Self::new(status, "application/json", format!(r#"{{"errors":[{{"code":"{code}","message":"no"}}]}}"#))
    }

    fn to(location: &str) -> Self {
        Self::new(307, "text/plain", "").with("Location", location)
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
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

impl State {
    fn lies(&self, lie: &Lie) -> bool {
        self.lies.contains(lie)
    }

    fn find<T>(&self, pick: impl Fn(&Lie) -> Option<T>) -> Option<T> {
        self.lies.iter().find_map(pick)
    }

    /// Whether this still happens, out of so many times.
    fn times(&mut self, what: &'static str, most: usize) -> bool {
        let count = self.counts.entry(what).or_default();
        *count += 1;
        *count <= most
    }

    fn answer(&mut self, request: &Seen, own: &str) -> Reply {
        let reply = self.answer_honestly(request, own);
        let manner = self.find(|lie| if let Lie::OwnManner(kind, body) = lie { Some((*kind, *body)) } else { None });
        let reply = match manner {
            Some((kind, body)) if reply.status == 404 && reply.body.starts_with(b"{\"errors\"") => {
                Reply::new(404, kind, body)
            }
            _ => reply,
        };
        let shown = self.find(|lie| match lie {
            Lie::InPassing(part, name, value) if request.path.contains(part) => Some((*name, *value)),
            _ => None,
        });
        match shown {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        }
    }

    /// What somebody on the way says in the registry's place.
    fn on_the_way(&mut self, path: &str) -> Option<Reply> {
        if let Some((after, kind, body)) = self.find(|lie| match lie {
            Lie::RouteLost { after, media_type, body } => Some((*after, *media_type, *body)),
            _ => None,
        }) && !self.times("route", after)
        {
            return Some(Reply::new(404, kind, body));
        }
        self.find(|lie| match lie {
            Lie::GoneSaying(part, kind, body) if path.contains(part.as_str()) => Some(Reply::new(404, kind, *body)),
            Lie::GoneCodes(part, codes) if path.contains(part.as_str()) => {
                let codes: Vec<String> = codes.iter().map(|code| format!(r#"{{"code":"{code}"}}"#)).collect();
                Some(Reply::new(404, "application/json", format!(r#"{{"errors":[{}]}}"#, codes.join(","))))
            }
            Lie::BlobSays(kind, body) if path.contains("/blobs/") => Some(Reply::new(200, kind, *body)),
            _ => None,
        })
    }

    fn answer_honestly(&mut self, request: &Seen, own: &str) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if path == "/token" {
            return self.token(request);
        }
        if let Some(reply) = self.on_the_way(path) {
            return reply;
        }
        if let Some(shown) = self.find(|lie| match lie {
            Lie::Shows(at, status, headers, body) if *at == path => Some((*status, *headers, *body)),
            _ => None,
        }) {
            let (status, headers, body) = shown;
            let reply = Reply::new(status, "application/json", body);
            return headers.iter().fold(reply, |reply, (name, value)| reply.with(name, *value));
        }
        if let Some(refused) = self.authorize(request, own) {
            return refused;
        }
        if let Some((status, most)) = self.find(|lie| match lie {
            Lie::Fails(status, most) => Some((*status, *most)),
            _ => None,
        }) && self.times("fails", most)
        {
            return Reply::error(status, "UNKNOWN");
        }
        if let Some((most, wait)) = self.find(|lie| match lie {
            Lie::Throttle(most, wait) => Some((*most, *wait)),
            _ => None,
        }) && self.times("throttle", most)
        {
            return Reply::error(429, "TOOMANYREQUESTS").with("Retry-After", wait);
        }
        if let Some((every, wait)) = self.find(|lie| match lie {
            Lie::ThrottleSome(every, wait) => Some((*every, *wait)),
            _ => None,
        }) {
            let count = self.counts.entry("throttle some").or_default();
            *count += 1;
            if count.is_multiple_of(every) {
                return Reply::error(429, "TOOMANYREQUESTS").with("Retry-After", wait);
            }
        }
        if self.find(|lie| matches!(lie, Lie::Html(part) if path.contains(part)).then_some(())).is_some() {
            return Reply::new(200, "text/html", "<html>log in</html>");
        }
        if self.find(|lie| matches!(lie, Lie::Gone(part) if path.contains(part)).then_some(())).is_some() {
            let code = if path.contains("/blobs/") { "BLOB_UNKNOWN" } else { "MANIFEST_UNKNOWN" };
            return Reply::error(404, if path.ends_with("/tags/list") { "NAME_UNKNOWN" } else { code });
        }
        if self.find(|lie| matches!(lie, Lie::GonePage(part) if path.contains(part)).then_some(())).is_some() {
            return Reply::new(404, "text/html", "<html>not here</html>");
        }
        let gone_to_get = |lie: &Lie| matches!(lie, Lie::GoneToGet(part) if path.contains(part.as_str())).then_some(());
        if request.method == "GET" && self.find(gone_to_get).is_some() {
            return Reply::error(404, if path.contains("/blobs/") { "BLOB_UNKNOWN" } else { "MANIFEST_UNKNOWN" });
        }
        let not_acceptable = |lie: &Lie| {
            matches!(lie, Lie::NotAcceptable(tag) if path.ends_with(&format!("/manifests/{tag}"))).then_some(())
        };
        if self.find(not_acceptable).is_some() {
            let message = "artifact found, but accept header does not support it";
            let body = format!(r#"{{"errors":[{{"code":"MANIFEST_UNKNOWN","message":"{message}"}}]}}"#);
            return Reply::new(404, "application/json", body);
        }
        self.route(request, path, query, own)
    }

    fn route(&mut self, request: &Seen, path: &str, query: &str, own: &str) -> Reply {
        let Some(rest) = path.strip_prefix("/v2/") else { return Reply::new(404, "text/plain", "no") };
        if rest.is_empty() {
            return Reply::new(200, "application/json", "{}");
        }
        if rest == "_catalog" {
            return self.catalog(query);
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return self.tag_list(name, path, query);
        }
        if let Some((name, reference)) = rest.split_once("/manifests/") {
            return match request.method.as_str() {
                "PUT" => self.put(request, name, reference),
                _ => self.manifest(request, name, reference),
            };
        }
        if let Some((_, digest)) = rest.split_once("/blobs/") {
            if let Some(location) = self.find(|lie| match lie {
                Lie::BlobsAt(location) => Some(location.clone()),
                _ => None,
            }) {
                return Reply::to(&location.replace("{own}", own).replace("{digest}", digest));
            }
            return self.blob(request, digest);
        }
        Reply::new(404, "text/plain", "no")
    }

    fn blob(&self, request: &Seen, digest: &str) -> Reply {
        let head = request.method == "HEAD";
        if let Some(status) = self.find(|lie| if let Lie::BlobHead(status) = lie { Some(*status) } else { None })
            && head
        {
            return Reply::error(status, "DENIED");
        }
        let Some(bytes) = self.store.blobs.get(digest).cloned() else { return Reply::error(404, "BLOB_UNKNOWN") };
        if head {
            let length = self.find(|lie| if let Lie::BlobHeadLength(length) = lie { Some(*length) } else { None });
            return Reply { length, ..Reply::new(200, "application/octet-stream", bytes) };
        }
        let breaks = |lie: &Lie| matches!(lie, Lie::BlobBreaksOff(broken) if broken == digest).then_some(());
        let trick = if self.find(breaks).is_some() { Trick::Cut } else { Trick::None };
        let ranged = request.headers.contains_key("range");
        let refused = self.find(|lie| if let Lie::RangeRefused(status) = lie { Some(*status) } else { None });
        match refused {
            Some(status) if ranged => return Reply::error(status, "UNSUPPORTED"),
            _ => {}
        }
        let whole = bytes.len();
        if !ranged || self.lies(&Lie::NoRanges) {
            return Reply { trick, ..Reply::new(200, "application/octet-stream", bytes) };
        }
        match bytes.first() {
            None => Reply::new(416, "text/plain", "").with("Content-Range", "bytes */0"),
            Some(first) => {
                let reply = Reply::new(206, "application/octet-stream", vec![*first]);
                let part = if self.lies(&Lie::OtherPart) { "5-5" } else { "0-0" };
                Reply { trick, ..reply }.with("Content-Range", format!("bytes {part}/{whole}"))
            }
        }
    }

    fn authorize(&mut self, request: &Seen, own: &str) -> Option<Reply> {
        let sent = request.headers.get("authorization").cloned().unwrap_or_default();
        let forbidden = |name: &&'static str| request.path.starts_with(&format!("/v2/{name}/"));
        if self.find(|lie| matches!(lie, Lie::Forbidden(name) if forbidden(name)).then_some(())).is_some() {
            return Some(Reply::error(403, "DENIED"));
        }
        match &self.guard {
            Guard::Open => None,
            Guard::Basic(expected) if sent == *expected => None,
            Guard::Basic(_) => Some(Reply::error(401, "UNAUTHORIZED").with("WWW-Authenticate", "Basic realm=\"r\"")),
            Guard::Token { .. } => {
                let realm = self.find(|lie| match lie {
                    Lie::Realm(realm) => Some(realm.clone()),
                    _ => None,
                });
                let realm = realm.unwrap_or_else(|| format!("{own}/token"));
                let name = request.path.trim_start_matches("/v2/").split("/manifests/").next().unwrap_or_default();
                let name = name.split("/blobs/").next().unwrap_or_default().split("/tags/").next().unwrap_or_default();
                let scope = if name.starts_with("_catalog") {
                    "registry:catalog:*".to_owned()
                } else {
                    format!("repository:{name}:{}", if request.method == "PUT" { "pull,push" } else { "pull" })
                };
                if let Some((after, for_good)) = self.find(|lie| match lie {
                    Lie::Revoked { after, for_good } => Some((*after, *for_good)),
                    _ => None,
                }) {
                    let before = self.times("revoked", after);
                    if !before && (for_good || sent.starts_with("Bearer 1:")) {
                        self.void.insert(sent.clone());
                    }
                }
                let good = sent.strip_prefix("Bearer ").and_then(|token| token.split_once(':'));
                if good.is_some_and(|(_, granted)| granted == scope.replace(',', "+")) && !self.void.contains(&sent) {
                    return None;
                }
                let challenge = format!("Bearer realm=\"{realm}\",service=\"reg\",scope=\"{scope}\"");
                Some(Reply::error(401, "UNAUTHORIZED").with("WWW-Authenticate", challenge))
            }
        }
    }

    fn token(&mut self, request: &Seen) -> Reply {
        if let Some(location) = self.find(|lie| match lie {
            Lie::TokensAt(location) => Some(location.clone()),
            _ => None,
        }) {
            return Reply::to(&location);
        }
        let Guard::Token { to, identity } = self.guard.clone() else { return Reply::new(404, "text/plain", "no") };
        let sent = request.headers.get("authorization").cloned().unwrap_or_default();
        let query = request.path.split_once('?').map_or("", |(_, query)| query);
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let asked = if request.method == "POST" { form.as_str() } else { query };
        let parameter = |name: &str| {
            url::form_urlencoded::parse(asked.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let granted = match identity {
            Some(identity) => request.method == "POST" && parameter("refresh_token").as_deref() == Some(identity),
            None => to.is_none_or(|expected| sent == expected),
        };
        if !granted {
            return Reply::error(401, "UNAUTHORIZED");
        }
        self.issued += 1;
        let scope = parameter("scope").unwrap_or_default().replace(',', "+");
        let field = if identity.is_some() { "access_token" } else { "token" };
        Reply::new(200, "application/json", format!(r#"{{"{field}":"{}:{scope}","expires_in":300}}"#, self.issued))
    }

    fn catalog(&mut self, query: &str) -> Reply {
        if let Some(status) = self.find(|lie| match lie {
            Lie::Catalog(status) => Some(*status),
            _ => None,
        }) {
            return Reply::error(status, "UNSUPPORTED");
        }
        let mut names: Vec<String> = self.store.tags.keys().cloned().collect();
        if self.lies(&Lie::OddNames) {
            names.extend(["../../etc/passwd", "shop/UPPER", "shop/\u{1b}[2J", ""].map(str::to_owned));
        }
        self.page("repositories", "/v2/_catalog", query, names)
    }

    fn tag_list(&mut self, name: &str, path: &str, query: &str) -> Reply {
        let Some(tags) = self.store.tags.get(name) else { return Reply::error(404, "NAME_UNKNOWN") };
        let names: Vec<String> = tags.keys().cloned().collect();
        if self.lies(&Lie::NullTags) {
            return Reply::new(200, "application/json", format!(r#"{{"name":"{name}","tags":null}}"#));
        }
        if self.lies(&Lie::NoTagsField) {
            return Reply::new(200, "application/json", format!(r#"{{"name":"{name}"}}"#));
        }
        if let Some(other) = self.find(|lie| if let Lie::ListOf(other) = lie { Some(*other) } else { None }) {
            let names = serde_json::to_string(&names).unwrap();
            return Reply::new(200, "application/json", format!(r#"{{"name":"{other}","tags":{names}}}"#));
        }
        if let Some(link) = self.find(|lie| if let Lie::LinkIs(link) = lie { Some(*link) } else { None }) {
            let start = query.strip_prefix("from=").map_or(0, |from| from.parse().unwrap());
            let page = serde_json::to_string(&names[start..names.len().min(start + 2)]).unwrap();
            let reply = Reply::new(200, "application/json", format!(r#"{{"name":"{name}","tags":{page}}}"#));
            let next = format!("{path}?from={}", start + 2);
            return if start + 2 < names.len() { reply.with("Link", link.replace("{}", &next)) } else { reply };
        }
        let mut reply = self.page("tags", path, query, names);
        let (resets, cuts) = (
            self.find(|lie| if let Lie::ResetLists(most) = lie { Some(*most) } else { None }),
            self.find(|lie| if let Lie::CutLists(most) = lie { Some(*most) } else { None }),
        );
        if resets.is_some_and(|most| self.times("resets", most)) {
            reply.trick = Trick::Reset;
        }
        if cuts.is_some_and(|most| self.times("cuts", most)) {
            reply.trick = Trick::Cut;
        }
        if self.lies(&Lie::Drip) {
            reply.trick = Trick::Drip;
        }
        reply
    }

    /// A page of names. The cursor says nothing to anyone but this server (F17).
    fn page(&mut self, field: &str, path: &str, query: &str, names: Vec<String>) -> Reply {
        let parameter =
            |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned));
        let size = self.find(|lie| if let Lie::PageOf(size) = lie { Some(*size) } else { None });
        let size = size.unwrap_or_else(|| parameter("n").and_then(|n| n.parse().ok()).unwrap_or(100));
        if let Some(reply) = self.page_without_link(field, &parameter, &names) {
            return reply;
        }
        let start = match parameter("cursor") {
            None => 0,
            Some(cursor) => match cursor.strip_prefix("%7E+").and_then(|cursor| cursor.strip_suffix("%252F")) {
                Some(start) => start.parse().unwrap(),
                None => return Reply::error(400, "PAGINATION_NUMBER_INVALID"),
            },
        };
        if self.lies(&Lie::NewNamesForEver) {
            let body = format!(r#"{{"{field}":["n{start}"]}}"#);
            let link = format!("<{path}?cursor=%7E+{}%252F&n=1>; rel=\"next\"", start + 1);
            return Reply::new(200, "application/json", body).with("Link", link);
        }
        let more = self.find(|lie| if let Lie::MorePages(most) = lie { Some(*most) } else { None }).unwrap_or(0);
        if start > names.len() || (start + size >= names.len() && more > 0) {
            let list = serde_json::to_string(names.get(start..).unwrap_or_default()).unwrap();
            let reply = Reply::new(200, "application/json", format!(r#"{{"{field}":{list}}}"#));
            let next = start.max(names.len()) + 1;
            let is_last = next - names.len() > more;
            let link = format!("<{path}?cursor=%7E+{next}%252F&n=1>; rel=\"next\"");
            return if is_last { reply } else { reply.with("Link", link) };
        }
        let end = (start + size).min(names.len());
        let from = if self.lies(&Lie::PagesOverlap) { start.saturating_sub(1) } else { start };
        let list = serde_json::to_string(&names[from..end]).unwrap();
        let reply = Reply::new(200, "application/json", format!(r#"{{"{field}":{list}}}"#));
        if end == names.len() {
            return reply;
        }
        let next = if self.lies(&Lie::CursorRepeats) { size } else { end };
        let host = self.find(|lie| if let Lie::NextPageAt(host) = lie { Some(host.clone()) } else { None });
        reply.with("Link", format!("<{}{path}?cursor=%7E+{next}%252F&n=1>; rel=\"next\"", host.unwrap_or_default()))
    }

    /// Pages of servers that cut a list off and do not say so (F106).
    fn page_without_link(
        &mut self,
        field: &str,
        parameter: &impl Fn(&str) -> Option<String>,
        names: &[String],
    ) -> Option<Reply> {
        let n: Option<usize> = parameter("n").and_then(|n| n.parse().ok());
        let largest = self.find(|lie| if let Lie::LargestPage(most) = lie { Some(*most) } else { None });
        if largest.is_some_and(|most| n.is_some_and(|n| n > most)) {
            return Some(Reply::error(400, "PAGINATION_NUMBER_INVALID"));
        }
        let shuffled = self.lies(&Lie::Shuffled);
        let cut = self.find(|lie| if let Lie::NoLinks { most, last } = lie { Some((*most, *last)) } else { None });
        let (most, knows_last) = cut.or(shuffled.then_some((usize::MAX, false)))?;
        let mut names = names.to_vec();
        if shuffled {
            *self.counts.entry("shuffled").or_default() += 1;
            let turn = self.counts["shuffled"] * 7 % names.len().max(1);
            names.rotate_left(turn);
            names.reverse();
        }
        let last = parameter("last").filter(|_| knows_last);
        names.retain(|name| last.as_ref().is_none_or(|last| name > last));
        names.truncate(n.unwrap_or(usize::MAX).min(most));
        let list = serde_json::to_string(&names).unwrap();
        Some(Reply::new(200, "application/json", format!(r#"{{"{field}":{list}}}"#)))
    }

    fn manifest(&mut self, request: &Seen, name: &str, reference: &str) -> Reply {
        let head = request.method == "HEAD";
        if let Some(status) = self.find(|lie| if let Lie::Head(status) = lie { Some(*status) } else { None })
            && head
        {
            return Reply::error(status, "UNSUPPORTED");
        }
        if let Some(location) = self.find(|lie| match lie {
            Lie::ManifestsAt(location) => Some(location.clone()),
            _ => None,
        }) {
            return Reply::to(&location);
        }
        let Some(tags) = self.store.tags.get(name) else { return Reply::error(404, "NAME_UNKNOWN") };
        let elsewhere = self.find(|lie| match lie {
            Lie::GetServes(named, served) if named == reference && !head => Some(served.to_string()),
            _ => None,
        });
        let digest = elsewhere.unwrap_or_else(|| tags.get(reference).map_or(reference, String::as_str).to_owned());
        let Some((media_type, bytes)) = self.store.manifests.get(&digest).cloned() else {
            return Reply::error(404, "MANIFEST_UNKNOWN");
        };
        let served = self.find(|lie| if let Lie::ServedAs(served) = lie { Some(*served) } else { None });
        let mut reply = Reply::new(200, served.unwrap_or(&media_type), bytes);
        if self.lies(&Lie::WrongBytes) && !head {
            reply.body.push(b' ');
        }
        if self.lies(&Lie::DripManifests) {
            reply.trick = Trick::Drip;
        }
        for announced in [true, false] {
            if self.lies(&Lie::Huge { announced }) && !head {
                reply.trick = Trick::Flood { announced };
            }
        }
        let header =
            self.find(|lie| if let Lie::DigestHeader(header) = lie { Some((*header).to_owned()) } else { None });
        let header = match header {
            Some(header) => header,
            None if head && self.made_up().is_some() => self.made_up().unwrap_or(digest),
            None if self.lies(&Lie::HeaderDiffers) && !head => Digest::of(b"other").to_string(),
            None => digest,
        };
        if self.lies(&Lie::NoDigestHeader) || (self.lies(&Lie::HeaderDiffers) && head) {
            return reply;
        }
        reply.with("Docker-Content-Digest", header)
    }

    fn made_up(&self) -> Option<String> {
        self.find(|lie| if let Lie::HeadMakesUp(digest) = lie { Some(digest.to_string()) } else { None })
    }

    fn put(&mut self, request: &Seen, name: &str, reference: &str) -> Reply {
        if let Some(status) = self.find(|lie| if let Lie::Put(status) = lie { Some(*status) } else { None }) {
            return Reply::error(status, "DENIED");
        }
        if let Some(location) = self.find(|lie| if let Lie::PutAt(at) = lie { Some(at.clone()) } else { None }) {
            return Reply::to(&location);
        }
        let digest = Digest::of(&request.body).to_string();
        let media_type = request.headers.get("content-type").cloned().unwrap_or_default();
        self.store.manifests.insert(digest.clone(), (media_type, request.body.clone()));
        self.store.tags.entry(name.to_owned()).or_default().insert(reference.to_owned(), digest.clone());
        if self.lies(&Lie::PutSilent) {
            let mut reply = Reply::new(201, "text/plain", "never");
            reply.trick = Trick::Silence;
            return reply;
        }
        let told = if self.lies(&Lie::PutDigest) { Digest::of(b"other").to_string() } else { digest };
        Reply::new(201, "text/plain", "").with("Docker-Content-Digest", told)
    }
}

/// A connection, with TLS or without.
trait Line: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Line for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Line for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn read_request(stream: &mut impl Line, buffer: &mut Vec<u8>) -> std::io::Result<Option<Seen>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default().to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer.drain(..length).collect();
    Ok(Some(Seen { method, path, headers, body }))
}
