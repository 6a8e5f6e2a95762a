//! Whose packages these are: those of an organisation, of a user, and of the user whose token it is are in different places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tokio::sync::OnceCell;

use super::api::Api;
use prodpin_core::model::Cause;
use prodpin_net::http::fault::Fault;

/// Where an owner's packages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// Without a `/` at either end: `orgs/acme`, `users/octocat`, `user`.
    pub(super) prefix: Box<str>,
    /// Whether versions that were deleted can be listed: of a user's packages that user alone may.
    pub(super) lists_deleted: bool,
}

/// What an owner is, asked once.
type Asked = Arc<OnceCell<Result<Owner, Fault>>>;

/// Owners that were asked about.
pub(super) struct Owners {
    pub(super) api: Api,
    known: Mutex<HashMap<Box<str>, Asked>>,
    me: OnceCell<Option<Box<str>>>,
}

/// A user or organisation.
#[derive(Deserialize)]
struct Account {
    login: Box<str>,
    #[serde(rename = "type", default)]
    kind: Box<str>,
}

impl Owners {
    pub(super) fn new(api: Api) -> Self {
        Self { api, known: Mutex::default(), me: OnceCell::new() }
    }

    /// Where an owner's packages are, asked once.
    pub(super) async fn find(&self, name: &str) -> Result<Owner, Fault> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(name.into()).or_default())
        };
        cell.get_or_init(|| self.ask(name)).await.clone()
    }

    async fn ask(&self, name: &str) -> Result<Owner, Fault> {
        let path = format!("users/{name}");
        let account: Account = self.api.document(&path).await?;
        match &*account.kind {
            "Organization" => Ok(Owner { prefix: format!("orgs/{name}").into(), lists_deleted: true }),
            "User" => Ok(match self.me().await? {
                Some(me) if me.eq_ignore_ascii_case(name) => Owner { prefix: "user".into(), lists_deleted: true },
                _ => Owner { prefix: path.into(), lists_deleted: false },
            }),
            _ => Err(Fault::new(
                Cause::Malformed,
                format!("GET {path} at {}: neither an organization nor a user", self.api.host()),
            )),
        }
    }

    /// Whose token it is. That of a workflow or an app is nobody's, which is a refusal, and then no owner is the same.
    async fn me(&self) -> Result<Option<&str>, Fault> {
        let ask = async {
            match self.api.document::<Account>("user").await {
                Ok(account) => Ok(Some(account.login)),
                Err(fault) if fault.cause == Cause::Denied => Ok(None),
                Err(fault) => Err(fault),
            }
        };
        self.me.get_or_try_init(|| ask).await.map(Option::as_deref)
    }
}
