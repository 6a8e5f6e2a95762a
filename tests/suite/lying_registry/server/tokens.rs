//! Who may ask: tokens and passwords.

use super::lies::{Guard, Lie};
use super::reply::Reply;
use super::{Seen, State};

impl State {
    pub(super) fn authorize(&mut self, request: &Seen, own: &str) -> Option<Reply> {
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
                let name = name.split("/referrers/").next().unwrap_or_default();
                let scope = if name.starts_with("_catalog") {
                    "registry:catalog:*".to_owned()
                } else {
                    format!(
                        "repository:{name}:{}",
                        match request.method.as_str() {
                            "PUT" => "pull,push",
                            "DELETE" => "pull,push,delete",
                            _ => "pull",
                        }
                    )
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

    pub(super) fn token(&mut self, request: &Seen) -> Reply {
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
}
