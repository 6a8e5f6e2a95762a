//! What repositories of one Quay share: the server's configuration, and the policies of their organization. Each is asked once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tokio::sync::OnceCell;

use super::api::{Api, Place};
use super::documents::{Configuration, Policies};
use prodpin_core::model::{Cause, QuayPolicies, QuayPolicy, QuayServer};
use prodpin_net::http::fault::Fault;

/// Organizations whose policies are remembered at once (I20).
const NAMESPACES_KEPT: usize = 1_024;

type Asked = Arc<OnceCell<QuayPolicies>>;

pub(super) struct Estate {
    pub(super) api: Api,
    /// The server's address, for commands.
    pub(super) address: Box<str>,
    server: OnceCell<Result<QuayServer, Fault>>,
    namespaces: Mutex<HashMap<Box<str>, Asked>>,
}

#[derive(Deserialize)]
struct User {
    username: Box<str>,
}

impl Estate {
    pub(super) fn new(api: Api, address: &str) -> Self {
        Self { api, address: address.into(), server: OnceCell::new(), namespaces: Mutex::default() }
    }

    /// The server's configuration, which everybody may read.
    pub(super) async fn server(&self) -> &Result<QuayServer, Fault> {
        let read = async { self.api.public::<Configuration>("/config").await?.server() };
        self.server.get_or_init(|| read).await
    }

    /// Whether anything can be pruned; what could not be read, may be.
    pub(super) async fn prunes(&self) -> bool {
        self.server().await.as_ref().map_or(true, |server| server.prunes)
    }

    /// The policies of an organization or user.
    pub(super) async fn of_namespace(&self, namespace: &str, is_organization: bool) -> QuayPolicies {
        let asked = {
            let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
            if namespaces.len() >= NAMESPACES_KEPT {
                namespaces.clear();
            }
            Arc::clone(namespaces.entry(namespace.into()).or_default())
        };
        asked.get_or_init(|| self.ask(namespace, is_organization)).await.clone()
    }

    async fn ask(&self, namespace: &str, is_organization: bool) -> QuayPolicies {
        if is_organization {
            let grant = format!("grant org:admin to the source's token, of an owner of organization {namespace}");
            return self.policies(&format!("/api/v1/organization/{namespace}/autoprunepolicy/"), &grant).await;
        }
        let grant = format!("only user {namespace} may read them: give the source a token of that user");
        match self.api.document::<User>("/api/v1/user/", None).await {
            Ok(user) if *user.username == *namespace => self.policies("/api/v1/user/autoprunepolicy/", &grant).await,
            Ok(_) => QuayPolicies::Unknown { detail: format!("the auto-prune policies of user {namespace}: {grant}") },
            Err(fault) => QuayPolicies::Unknown { detail: format!("{}; {grant}", fault.detail) },
        }
    }

    /// A repository's own.
    pub(super) async fn own(&self, place: &Place) -> QuayPolicies {
        let grant = "grant repo:admin to the source's token, of an administrator of the repository";
        self.policies(&format!("{}/autoprunepolicy/", place.path()), grant).await
    }

    /// What may not be read is unknown, and never none (K54b).
    async fn policies(&self, path: &str, grant: &str) -> QuayPolicies {
        match self.api.document::<Policies>(path, None).await {
            Ok(read) => QuayPolicies::Known(read.policies.into_iter().map(QuayPolicy::from).collect()),
            Err(Fault { cause: Cause::Denied, detail, .. }) => {
                QuayPolicies::Unknown { detail: format!("{detail}; {grant}") }
            }
            Err(fault) => QuayPolicies::Unknown { detail: fault.detail },
        }
    }
}
