//! What repositories of one Quay share: the server's configuration, and the policies of their organization. Each is asked once.

use serde::Deserialize;
use tokio::sync::OnceCell;

use super::api::{Api, Place};
use super::documents::{Cache, Configuration, Immutability, Policies, View};
use crate::vendor::Once;
use prodpin_core::model::{Cause, QuayCache, QuayImmutability, QuayPolicy, QuayServer, QuayState, RepositoryName};
use prodpin_net::http::fault::Fault;

pub(super) struct Estate {
    pub(super) api: Api,
    /// The server's address, for commands.
    pub(super) address: Box<str>,
    server: OnceCell<Result<QuayServer, Fault>>,
    namespaces: Once<Result<Vec<QuayPolicy>, Fault>, Box<str>>,
    caches: Once<Result<QuayCache, Fault>, Box<str>>,
    immutability: Once<Result<Vec<QuayImmutability>, Fault>, Box<str>>,
    rights: Once<Result<(), Fault>>,
}

#[derive(Deserialize)]
struct User {
    username: Box<str>,
}

impl Estate {
    pub(super) fn new(api: Api, address: &str) -> Self {
        Self {
            api,
            address: address.into(),
            server: OnceCell::new(),
            namespaces: Once::default(),
            caches: Once::default(),
            immutability: Once::default(),
            rights: Once::default(),
        }
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

    /// What Quay says of a repository as a whole.
    pub(super) async fn view(&self, place: &Place) -> Result<View, Fault> {
        self.api.document(&place.path(), Some("includeTags=false")).await
    }

    /// Whether the token may make tags immutable there.
    pub(super) async fn may_lock(&self, repository: &RepositoryName, place: &Place) -> Result<(), Fault> {
        let ask = async {
            match self.view(place).await? {
                View { can_write: false, .. } => Err(Fault::new(
                    Cause::Denied,
                    "the source's token may not write there: give it the scope repo:write, of a user who may write to the \
                     repository",
                )),
                view if view.state() != QuayState::Normal => {
                    let state = view.state;
                    Err(Fault::refused(format!("the repository takes no changes, because its state is {state:.40}")))
                }
                _ => Ok(()),
            }
        };
        self.rights.get(repository, ask).await
    }

    /// The policies of an organization or user.
    pub(super) async fn of_namespace(&self, namespace: &str, is_organization: bool) -> Result<Vec<QuayPolicy>, Fault> {
        self.namespaces.get(&namespace.into(), self.ask(namespace, is_organization)).await
    }

    async fn ask(&self, namespace: &str, is_organization: bool) -> Result<Vec<QuayPolicy>, Fault> {
        if is_organization {
            let grant = format!("grant org:admin to the source's token, of an owner of organization {namespace}");
            return self.policies(&format!("/api/v1/organization/{namespace}/autoprunepolicy/"), &grant).await;
        }
        let grant =
            format!("only user {namespace} may read them: give the source a token of that user, with user:admin");
        let user = self.api.document::<User>("/api/v1/user/", None).await.map_err(|fault| granted(fault, &grant))?;
        if *user.username != *namespace {
            return Err(Fault::new(Cause::Denied, format!("the auto-prune policies of user {namespace}: {grant}")));
        }
        self.policies("/api/v1/user/autoprunepolicy/", &grant).await
    }

    /// Whether an organization caches another registry; where the server has no such ones, or it is a user's, nothing is asked.
    pub(super) async fn cache(&self, namespace: &str, is_organization: bool) -> Result<QuayCache, Fault> {
        let may_be = self.server().await.as_ref().map_or(true, |server| server.caches);
        if !is_organization || !may_be {
            return Ok(QuayCache::None);
        }
        let ask = async {
            let grant = format!("grant org:admin to the source's token, of a member of organization {namespace}");
            let path = format!("/api/v1/organization/{namespace}/proxycache");
            let read: Cache = self.api.document(&path, None).await.map_err(|fault| granted(fault, &grant))?;
            Ok::<_, Fault>(match &*read.upstream_registry {
                "" => QuayCache::None,
                _ => QuayCache::Of(read.upstream_registry),
            })
        };
        self.caches.get(&namespace.into(), ask).await
    }

    /// The policies that make tags of a repository immutable as they are pushed.
    pub(super) async fn immutability(
        &self,
        place: &Place,
        is_organization: bool,
    ) -> Result<Vec<QuayImmutability>, Fault> {
        let own = self.ask_immutability(format!("{}/immutabilitypolicy/", place.path())).await?;
        if !is_organization {
            return Ok(own);
        }
        let path = format!("/api/v1/organization/{}/immutabilitypolicy/", place.namespace);
        let of_namespace = self.immutability.get(&place.namespace, self.ask_immutability(path)).await?;
        Ok(own.into_iter().chain(of_namespace).collect())
    }

    async fn ask_immutability(&self, path: String) -> Result<Vec<QuayImmutability>, Fault> {
        let read: Immutability = self.api.document(&path, None).await?;
        Ok(read.policies.into_iter().map(QuayImmutability::from).collect())
    }

    /// A repository's own.
    pub(super) async fn own(&self, place: &Place) -> Result<Vec<QuayPolicy>, Fault> {
        let grant = "grant repo:admin to the source's token, of an administrator of the repository";
        self.policies(&format!("{}/autoprunepolicy/", place.path()), grant).await
    }

    async fn policies(&self, path: &str, grant: &str) -> Result<Vec<QuayPolicy>, Fault> {
        let read: Result<Policies, Fault> = self.api.document(path, None).await;
        let read = read.map_err(|fault| granted(fault, grant))?;
        Ok(read.policies.into_iter().map(QuayPolicy::from).collect())
    }
}

/// Of what is not allowed: what would allow it.
fn granted(fault: Fault, grant: &str) -> Fault {
    match fault.cause {
        Cause::Denied => Fault { detail: format!("{}; {grant}", fault.detail), ..fault },
        _ => fault,
    }
}
