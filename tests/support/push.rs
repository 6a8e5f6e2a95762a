//! A small client that pushes and deletes as a build pipeline and a cleanup job do. It is separate from the program's
//! own client, so that the program is never tested against itself.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

use std::sync::Mutex;

use prodpin::model::{ArtifactId, Digest};
use prodpin::sources::memory::Content;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};

const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// A client of one registry.
pub(crate) struct Pusher {
    base: Url,
    http: Client,
    credentials: Option<(String, String)>,
    token: Mutex<Option<String>>,
}

impl Pusher {
    /// An anonymous client.
    pub(crate) fn new(base: &str) -> Self {
        let http = Client::builder().no_proxy().build().expect("a client without options");
        let base = base.parse().expect("the registry's URL");
        Self { base, http, credentials: None, token: Mutex::default() }
    }

    /// A client with user and password, for Basic authentication and for token servers.
    pub(crate) fn with_credentials(base: &str, user: &str, password: &str) -> Self {
        Self { credentials: Some((user.to_owned(), password.to_owned())), ..Self::new(base) }
    }

    /// Pushes an image or an index with everything below it, under a tag.
    pub(crate) async fn push(&self, repository: &str, tag: &str, content: &Content) -> ArtifactId {
        for child in content.children() {
            Box::pin(self.push(repository, &child.digest().to_string(), child)).await;
        }
        for (digest, blob) in content.blobs() {
            self.upload(repository, &digest, blob.to_vec()).await;
        }
        self.put_manifest(repository, tag, content.media_type(), content.bytes().to_vec()).await;
        content.id()
    }

    /// Points a tag at what the registry holds already.
    pub(crate) async fn move_tag(&self, repository: &str, tag: &str, artifact: &ArtifactId) {
        let found = self.manifest(repository, &artifact.to_string()).await;
        let (media_type, bytes) = found.unwrap_or_else(|| panic!("{repository}@{artifact} is not there"));
        self.put_manifest(repository, tag, &media_type, bytes).await;
    }

    /// Media type and bytes of a manifest by tag or digest, if it is there.
    pub(crate) async fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let response = self.send(repository, |http| http.get(self.url(&path)).header(ACCEPT, ACCEPTED)).await;
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        let response = response.error_for_status().expect("a manifest or 404");
        let media_type = response.headers()[CONTENT_TYPE].to_str().expect("ascii").to_owned();
        Some((media_type, response.bytes().await.expect("the manifest's bytes").to_vec()))
    }

    /// The body of a plain GET of something that is there.
    pub(crate) async fn get(&self, repository: &str, path: &str) -> Vec<u8> {
        let response = self.send(repository, |http| http.get(self.url(path))).await;
        let response = response.error_for_status().expect("what is there");
        response.bytes().await.expect("its bytes").to_vec()
    }

    /// Deletes a manifest by digest, as cleanup jobs do; its tags go along (C90).
    pub(crate) async fn delete_manifest(&self, repository: &str, artifact: &ArtifactId) {
        self.delete(repository, &format!("/v2/{repository}/manifests/{artifact}")).await;
    }

    /// Asks for a manifest to be deleted: what the registry answers.
    pub(crate) async fn try_delete(&self, repository: &str, digest: &str) -> u16 {
        let path = format!("/v2/{repository}/manifests/{digest}");
        self.send(repository, |http| http.request(Method::DELETE, self.url(&path))).await.status().as_u16()
    }

    /// Deletes a tag alone, where the registry can: whether it did.
    pub(crate) async fn delete_tag(&self, repository: &str, tag: &str) -> bool {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let response = self.send(repository, |http| http.request(Method::DELETE, self.url(&path))).await;
        response.status() == StatusCode::ACCEPTED
    }

    /// Deletes a blob.
    pub(crate) async fn delete_blob(&self, repository: &str, digest: &Digest) {
        self.delete(repository, &format!("/v2/{repository}/blobs/{digest}")).await;
    }

    async fn delete(&self, repository: &str, path: &str) {
        let response = self.send(repository, |http| http.request(Method::DELETE, self.url(path))).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "DELETE {path}");
    }

    /// Pushes a manifest as it is, under a tag or its digest.
    pub(crate) async fn put_manifest(&self, repository: &str, reference: &str, media_type: &str, bytes: Vec<u8>) {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let response = self
            .send(repository, |http| http.put(self.url(&path)).header(CONTENT_TYPE, media_type).body(bytes.clone()))
            .await;
        created(response, &path).await;
    }

    /// Pushes a blob.
    pub(crate) async fn upload(&self, repository: &str, digest: &Digest, blob: Vec<u8>) {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let opened = self.send(repository, |http| http.post(self.url(&path))).await;
        assert_eq!(opened.status(), StatusCode::ACCEPTED, "POST {path}");
        let location = opened.headers()[LOCATION].to_str().expect("ascii");
        let mut target = self.base.join(location).expect("where to upload");
        target.query_pairs_mut().append_pair("digest", &digest.to_string());
        let stored = self.send(repository, |http| http.put(target.clone()).body(blob.clone())).await;
        created(stored, &path).await;
    }

    fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("a path of the registry")
    }

    /// Sends, and once more with a new token if the registry asks for one.
    async fn send(&self, repository: &str, request: impl Fn(&Client) -> RequestBuilder) -> Response {
        let response = self.authorized(request(&self.http)).send().await.expect("the registry answers");
        if response.status() != StatusCode::UNAUTHORIZED || self.credentials.is_none() {
            return response;
        }
        let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let Some(realm) = challenge.filter(|text| text.starts_with("Bearer ")).and_then(|text| part(text, "realm"))
        else {
            return response;
        };
        let service = challenge.and_then(|text| part(text, "service")).unwrap_or_default();
        *self.token.lock().expect("no panic while held") = Some(self.fetch_token(&realm, &service, repository).await);
        self.authorized(request(&self.http)).send().await.expect("the registry answers")
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match (&*self.token.lock().expect("no panic while held"), &self.credentials) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Some((user, password))) => request.basic_auth(user, Some(password)),
            (None, None) => request,
        }
    }

    async fn fetch_token(&self, realm: &str, service: &str, repository: &str) -> String {
        let mut url: Url = realm.parse().expect("the realm is a URL");
        let scope = format!("repository:{repository}:pull,push,delete");
        url.query_pairs_mut().append_pair("service", service).append_pair("scope", &scope);
        let (user, password) = self.credentials.as_ref().expect("credentials for a token");
        let response =
            self.http.get(url).basic_auth(user, Some(password)).send().await.expect("the token server answers");
        let body = response.error_for_status().expect("a token").bytes().await.expect("the token's bytes");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON with a token");
        // Azure's has the other name alone.
        body["token"].as_str().or(body["access_token"].as_str()).expect("a token").to_owned()
    }
}

async fn created(response: Response, path: &str) {
    let status = response.status();
    if status != StatusCode::CREATED {
        panic!("PUT {path}: {status}: {}", response.text().await.unwrap_or_default());
    }
}

/// One quoted parameter of a challenge.
fn part(challenge: &str, name: &str) -> Option<String> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}
