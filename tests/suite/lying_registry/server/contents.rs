//! Blobs and manifests, and what is put.

use prodpin::model::Digest;

use super::lies::Lie;
use super::reply::{Reply, Trick};
use super::{Seen, State};

impl State {
    pub(super) fn blob(&self, request: &Seen, digest: &str) -> Reply {
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

    pub(super) fn manifest(&mut self, request: &Seen, name: &str, reference: &str) -> Reply {
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
            return Reply::to(&location.replace("{reference}", reference));
        }
        let elsewhere = self.find(|lie| match lie {
            Lie::GetServes(named, served) if named == reference && !head => Some(served.to_string()),
            _ => None,
        });
        let elsewhere = elsewhere.or_else(|| self.in_turn(reference));
        let Some(tags) = self.store.tags.get(name) else { return Reply::error(404, "NAME_UNKNOWN") };
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
            None if self.lies(&Lie::HeaderDiffers) && !head => Digest::sha256(b"other").to_string(),
            None => digest,
        };
        if self.lies(&Lie::NoDigestHeader) || (self.lies(&Lie::HeaderDiffers) && head) {
            return reply;
        }
        reply.with("Docker-Content-Digest", header)
    }

    /// What whoever asks for this tag gets now.
    fn in_turn(&mut self, reference: &str) -> Option<String> {
        let served = self.find(|lie| match lie {
            Lie::InTurn(tag, served) if *tag == reference => Some(served.clone()),
            _ => None,
        })?;
        let turn = self.counts.entry("in turn").or_default();
        *turn += 1;
        served.get(*turn - 1).or(served.last()).map(Digest::to_string)
    }

    fn made_up(&self) -> Option<String> {
        self.find(|lie| if let Lie::HeadMakesUp(digest) = lie { Some(digest.to_string()) } else { None })
    }

    pub(super) fn put(&mut self, request: &Seen, name: &str, reference: &str) -> Reply {
        if let Some(status) = self.find(|lie| if let Lie::Put(status) = lie { Some(*status) } else { None }) {
            return Reply::error(status, "DENIED");
        }
        if let Some(location) = self.find(|lie| if let Lie::PutAt(at) = lie { Some(at.clone()) } else { None }) {
            return Reply::to(&location);
        }
        let digest = Digest::sha256(&request.body).to_string();
        let media_type = request.headers.get("content-type").cloned().unwrap_or_default();
        self.store.manifests.insert(digest.clone(), (media_type, request.body.clone()));
        self.store.tags.entry(name.to_owned()).or_default().insert(reference.to_owned(), digest.clone());
        if self.lies(&Lie::PutSilent) {
            let mut reply = Reply::new(201, "text/plain", "never");
            reply.trick = Trick::Silence;
            return reply;
        }
        let reported = if self.lies(&Lie::PutDigest) { Digest::sha256(b"other").to_string() } else { digest };
        Reply::new(201, "text/plain", "").with("Docker-Content-Digest", reported)
    }
}
