//! A bucket of answers that cost little to give, so that what is measured is the client. Keys follow from numbers;
//! nothing is stored.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// S3 gives no larger pages.
const PAGE: usize = 1000;

/// What there is: `r0000/1.00000.0/b.zip`, …, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estate {
    pub(crate) repositories: usize,
    pub(crate) versions: usize,
    /// How long the network seems to be.
    pub(crate) latency: Duration,
}

/// Serves an estate from one thread of its own, for as long as this process lives.
pub(crate) fn serve(estate: Estate) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                // A client that goes away in the middle has got all that it wanted.
                let (stream, _) = listener.accept().await?;
                tokio::spawn(answer_all(stream, estate));
            }
            #[expect(unreachable_code, reason = "this says what kind of error `?` gives")]
            Ok::<(), io::Error>(())
        })
    });
    Ok(address)
}

async fn answer_all(mut stream: TcpStream, estate: Estate) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = Vec::with_capacity(4096);
    loop {
        let Some(end) = asked.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            if stream.read_buf(&mut asked).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let line = String::from_utf8_lossy(asked.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
        asked.drain(..end + 4);
        if !estate.latency.is_zero() {
            tokio::time::sleep(estate.latency).await;
        }
        stream.write_all(estate.answer(&line).as_bytes()).await?;
    }
}

impl Estate {
    fn key(&self, place: usize) -> String {
        format!("r{:04}/1.{:07}.0/b.zip", place / self.versions, place % self.versions)
    }

    fn total(&self) -> usize {
        self.repositories * self.versions
    }

    /// How many keys are not greater.
    fn up_to(&self, key: &str) -> usize {
        let (mut low, mut high) = (0, self.total());
        while low < high {
            let middle = usize::midpoint(low, high);
            if *self.key(middle) <= *key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The answer to a request by its first line.
    fn answer(&self, line: &str) -> String {
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(|v| v.replace("%2F", "/"))
        };
        let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        if asks("versions") {
            let size = value("max-keys").and_then(|size| size.parse().ok()).unwrap_or(PAGE);
            let (prefix, after) = (value("prefix").unwrap_or_default(), value("key-marker"));
            return match asks("delimiter") {
                true => self.folders(),
                false => self.page(&prefix, after.as_deref(), size.min(PAGE)),
            };
        }
        if asks("versioning") {
            return xml("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
        }
        if asks("object-lock") {
            return xml(
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
            );
        }
        if asks("lifecycle") {
            return none("NoSuchLifecycleConfiguration");
        }
        if asks("policy") {
            return none("NoSuchBucketPolicy");
        }
        if asks("legal-hold") || asks("retention") {
            return none("NoSuchObjectLockConfiguration");
        }
        let place = self.up_to(path.trim_start_matches("/bench/")).saturating_sub(1);
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: \"{place:032x}\"\r\nx-amz-version-id: v{place}\r\n\
             Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nx-amz-object-lock-legal-hold: ON\r\n\r\n"
        )
    }

    fn folders(&self) -> String {
        let names =
            (0..self.repositories).map(|n| format!("<CommonPrefixes><Prefix>r{n:04}/</Prefix></CommonPrefixes>"));
        let names: String = names.collect();
        xml(&format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{names}</ListVersionsResult>"))
    }

    fn page(&self, prefix: &str, after: Option<&str>, size: usize) -> String {
        let first = self
            .up_to(prefix)
            .saturating_sub(usize::from(self.up_to(prefix) > 0 && self.key(self.up_to(prefix) - 1) == prefix));
        let from = after.map_or(first, |after| self.up_to(after).max(first));
        let end = self.up_to(&format!("{prefix}\u{7f}"));
        let to = (from + size).min(end);
        let mut body = String::with_capacity(400 * size);
        body.push_str("<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bench</Name>");
        if to < end {
            let last = self.key(to - 1);
            body.push_str("<IsTruncated>true</IsTruncated>");
            body.push_str(&format!(
                "<NextKeyMarker>{last}</NextKeyMarker><NextVersionIdMarker>v{}</NextVersionIdMarker>",
                to - 1
            ));
        } else {
            body.push_str("<IsTruncated>false</IsTruncated>");
        }
        for place in from..to {
            body.push_str(&format!(
                "<Version><Key>{}</Key><VersionId>v{place}</VersionId><IsLatest>true</IsLatest>\
                 <LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;{place:032x}&quot;</ETag>\
                 <Size>7</Size><Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>\
                 <StorageClass>STANDARD</StorageClass></Version>",
                self.key(place)
            ));
        }
        body.push_str("</ListVersionsResult>");
        xml(&body)
    }
}

fn xml(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn none(code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code></Error>");
    format!("HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
