//! What a repository says of all images in it: cleanup policies, whether they are on trial, and whether tags are immutable (K41,
//! K44).

use super::api::Api;
use super::documents::RepositoryDocument;
use super::place::Shelf;
use prodpin_core::model::Setting;
use prodpin_net::http::fault::Fault;

/// What was read of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) policies: Setting,
    pub(super) on_trial: bool,
    pub(super) immutable_tags: bool,
    /// The upstream that it caches, if it does.
    pub(super) cached_from: Option<Box<str>>,
    /// Why its policies are not those of what it shows, if they are not.
    pub(super) elsewhere: Option<Box<str>>,
}

/// Asks for them.
pub(super) async fn read(api: &Api, shelf: &Shelf) -> Result<Settings, Fault> {
    let path = format!("v1/{}", shelf.name());
    let document: RepositoryDocument = api.document(&path).await?;
    match document.name.rsplit('/').next() == Some(&*shelf.repository) {
        true => Ok(Settings::of(document)),
        false => Err(Fault::malformed(format!("{}: it tells of another repository", api.what(&path)))),
    }
}

impl Settings {
    /// Why nothing can be pinned there, if nothing can.
    pub(super) fn no_pins(&self) -> Option<&'static str> {
        match (&self.cached_from, &self.elsewhere) {
            (Some(_), _) => Some("a remote repository caches what an upstream has, and takes no tags"),
            (None, Some(_)) => Some("a virtual repository shows what others hold, and takes no tags"),
            (None, None) => None,
        }
    }

    fn of(document: RepositoryDocument) -> Self {
        let policies = document.cleanup_policies.filter(|policies| !policies.is_empty());
        let policies = policies
            .map_or(Setting::Unset, |policies| Setting::Text(serde_json::Value::Object(policies).to_string().into()));
        let (cached_from, elsewhere) = match document.mode.as_deref() {
            Some("REMOTE_REPOSITORY") => (Some("the upstream of this remote repository".into()), None),
            Some("VIRTUAL_REPOSITORY") => {
                let why = "this is a virtual repository, which shows images of others under their own cleanup policies: name those \
                           repositories in the policy";
                (None, Some(why.into()))
            }
            _ => (None, None),
        };
        Self {
            policies,
            on_trial: document.cleanup_policy_dry_run,
            immutable_tags: document.docker_config.is_some_and(|config| config.immutable_tags),
            cached_from,
            elsewhere,
        }
    }
}
