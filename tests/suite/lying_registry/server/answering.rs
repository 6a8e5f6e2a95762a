//! Which lie answers a request, before the registry does.

use super::lies::Lie;
use super::reply::Reply;
use super::{Seen, State};

impl State {
    pub(super) fn lies(&self, lie: &Lie) -> bool {
        self.lies.contains(lie)
    }

    pub(super) fn find<T>(&self, pick: impl Fn(&Lie) -> Option<T>) -> Option<T> {
        self.lies.iter().find_map(pick)
    }

    /// Whether this still happens, out of so many times.
    pub(super) fn times(&mut self, what: &'static str, most: usize) -> bool {
        let count = self.counts.entry(what).or_default();
        *count += 1;
        *count <= most
    }

    pub(super) fn answer(&mut self, request: &Seen, own: &str) -> Reply {
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
            let most = self.find(|lie| if let Lie::ThrottleTokens(most) = lie { Some(*most) } else { None });
            if most.is_some_and(|most| self.times("throttle tokens", most)) {
                return Reply::error(429, "TOOMANYREQUESTS").with("Retry-After", "0");
            }
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
        if let Some((status, code, message)) = self.find(|lie| match lie {
            Lie::Blocked(part, status, code, message) if path.contains(part.as_str()) => {
                Some((*status, *code, *message))
            }
            _ => None,
        }) {
            let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
            return Reply::new(status, "application/json", body);
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
                "DELETE" => self.untag(name, reference),
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
}
