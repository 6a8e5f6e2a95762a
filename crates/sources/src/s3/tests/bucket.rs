//! A stand-in for S3 that answers as each test says, and the words that it answers in.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::s3::*;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    query: String,
    pub(super) headers: String,
    as_sent: String,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn asks(&self, name: &str) -> bool {
        self.query.split('&').any(|pair| pair == name || pair.starts_with(&format!("{name}=")))
    }

    /// A header's value as it was sent.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.as_sent.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// A whole HTTP answer, byte for byte.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// What HEAD says of an object of seven bytes, as every version here is listed.
pub(super) fn seven_bytes(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}Content-Length: 7\r\n\r\n")
}

pub(super) fn xml(root: &str, inside: &str) -> String {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root}>{inside}</{root}>");
    answer("200 OK", "Content-Type: application/xml\r\n", &body)
}

pub(super) fn error(status: &str, code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>words</Message></Error>");
    answer(status, "Content-Type: application/xml\r\n", &body)
}

pub(super) fn not_found() -> String {
    answer("404 Not Found", "", "")
}

/// A listing page: its entries, and where the next one starts.
pub(super) fn page(inside: &str, next: Option<(&str, &str)>) -> String {
    let tail = next.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |(key, version)| {
        format!(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
             <NextVersionIdMarker>{version}</NextVersionIdMarker>"
        )
    });
    xml("ListVersionsResult", &format!("<Name>b</Name><EncodingType>url</EncodingType>{tail}{inside}"))
}

pub(super) fn version(key: &str, id: &str, latest: bool) -> String {
    format!(
        "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e{id}&quot;</ETag><Size>7</Size>\
         <StorageClass>STANDARD</StorageClass></Version>"
    )
}

pub(super) fn marker(key: &str, id: &str, latest: bool) -> String {
    format!(
        "<DeleteMarker><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>2026-01-03T03:04:05.000Z</LastModified></DeleteMarker>"
    )
}

pub(super) struct Server {
    pub(super) url: String,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(super) async fn start(respond: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, respond) = (Arc::clone(&seen), Arc::new(respond));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, respond) = (Arc::clone(&log), Arc::clone(&respond));
                tokio::spawn(async move {
                    let mut stream = stream;
                    if let Some(request) = receive(&mut stream).await {
                        let answer = respond(&request);
                        log.lock().unwrap().push(request);
                        let _ = stream.write_all(answer.as_bytes()).await;
                        let _ = stream.shutdown().await;
                    }
                });
            }
        });
        Self { url, seen }
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) async fn open(&self, write: bool) -> Source {
        self.open_with(write, None, Some(Instant::now() + Duration::from_secs(30)), |_| {}).await
    }

    pub(super) async fn open_with(
        &self,
        write: bool,
        page_size: Option<i32>,
        deadline: Option<Instant>,
        change: impl FnOnce(&mut S3Config),
    ) -> Source {
        let mut config = config();
        config.endpoint = Some(self.url.parse().unwrap());
        change(&mut config);
        let tuning = Tuning { page_size: page_size.unwrap_or(1000), credentials: Some(credentials()) };
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline };
        open_tuned(&"bundles".parse().unwrap(), &config, &options, tuning).await.unwrap()
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>()))
        .map_or(0, |length| length.unwrap());
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let (line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = String::from_utf8_lossy(&bytes[head_end + 4..]).into_owned();
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Seen { method, path, query, headers: headers.to_ascii_lowercase(), as_sent: headers.to_owned(), body })
}

pub(super) fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("AKIATEST", "very-secret-key", None, None, "test"))
}

pub(super) fn config() -> S3Config {
    S3Config {
        bucket: "b".to_owned(),
        layout: "{repository}/{version}/x.zip".parse().unwrap(),
        repositories: prodpin_core::model::NamePatterns::new(["**"]).unwrap(),
        region: Some("eu-west-1".to_owned()),
        endpoint: None,
        path_style: true,
        owner: None,
        inventory: None,
    }
}

/// Answers for a versioned, lockable bucket without lifecycle rules, whose one version is locked or not.
pub(super) fn lockable(request: &Seen, hold: &str) -> String {
    match () {
        () if request.asks("versioning") => xml("VersioningConfiguration", "<Status>Enabled</Status>"),
        () if request.asks("object-lock") => {
            xml("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>")
        }
        () if request.asks("lifecycle") => error("404 Not Found", "NoSuchLifecycleConfiguration"),
        () if request.asks("versions") => page(&version("a/1/x.zip", "v1", true), None),
        () if request.asks("legal-hold") && request.method == "GET" => {
            xml("LegalHold", &format!("<Status>{hold}</Status>"))
        }
        () if request.method == "HEAD" => seven_bytes("ETag: \"ev1\"\r\nx-amz-version-id: v1\r\n"),
        () => answer("200 OK", "ETag: \"ev1\"\r\nx-amz-version-id: v1\r\n", ""),
    }
}
