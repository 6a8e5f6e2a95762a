//! Tokens that are exchanged for others, by POST: what stands in a form, stands in no URL.

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use super::auth::MOST_BYTES;
use super::fault::Fault;
use super::host::redacted;
use super::redirect::Redirects;
use super::transport::{Call, Purpose, Transport};
use prodpin_core::model::Cause;
use prodpin_policy::Secret;

/// An identity token is exchanged by POST, so that it stands in no URL.
pub(super) fn exchange_call(realm: &Url, service: Option<&str>, scope: &str, token: &Secret) -> Call {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("service", service.unwrap_or_default())
        .append_pair("client_id", "prodpin")
        .append_pair("scope", scope)
        .append_pair("refresh_token", token.expose())
        .finish();
    posted(realm.clone(), form)
}

/// Azure's registries give an identity token for an access token of Microsoft Entra, beside where they give tokens (K46).
pub(super) async fn exchanged(
    transport: &Transport,
    realm: &Url,
    service: Option<&str>,
    token: &Secret,
) -> Result<Secret, Fault> {
    #[derive(Deserialize)]
    struct Exchanged {
        refresh_token: String,
    }
    let Some(front) = realm.path().strip_suffix("/oauth2/token") else {
        let detail = format!("{} takes no access tokens of Microsoft Entra: is it Azure's?", redacted(realm));
        return Err(Fault::new(Cause::Denied, detail));
    };
    let mut url = realm.clone();
    url.set_path(&format!("{front}/oauth2/exchange"));
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "access_token")
        .append_pair("service", service.unwrap_or_default())
        .append_pair("access_token", token.expose())
        .finish();
    let what = format!("the exchange of the access token at {}", redacted(&url));
    let answer = transport.send(&posted(url, form)).await?;
    if !answer.status.is_success() {
        return Err(match answer.status.as_u16() {
            401 | 403 => Fault::from_answer(&answer, &what),
            status => Fault::new(Cause::Denied, format!("{what}: answered {status}")),
        });
    }
    let read = serde_json::from_slice::<Exchanged>(&answer.body).map(|document| document.refresh_token);
    match read {
        Ok(token) if !token.is_empty() => Ok(Secret::new(token)),
        _ => Err(Fault::malformed(format!("{what}: no refresh_token"))),
    }
}

/// A form for a token server: what stands in it, stands in no URL.
fn posted(url: Url, form: String) -> Call {
    Call {
        purpose: Purpose::Token,
        method: Method::POST,
        url,
        accept: None,
        authorization: None,
        content: Some((HeaderValue::from_static("application/x-www-form-urlencoded"), form.into())),
        redirects: Redirects::None,
        cap: MOST_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_token_stands_in_no_url_i18() {
        let call = exchange_call(
            &"https://a.example/t".parse().unwrap(),
            Some("s"),
            "repository:a:pull",
            &Secret::new("id/1"),
        );
        assert_eq!(call.url.as_str(), "https://a.example/t");
        let body = call.content.unwrap().1;
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.ends_with("scope=repository%3Aa%3Apull&refresh_token=id%2F1"), "{body}");
    }
}
