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
    /// Why nothing can be pinned there, if nothing can.
    pub(super) no_pins: Option<&'static str>,
}

/// Asks for them.
pub(super) async fn read(api: &Api, shelf: &Shelf) -> Result<Settings, Fault> {
    let path = format!("v1/{}", shelf.name());
    let document: RepositoryDocument = api.document(&path).await?;
    checked(document, shelf).map_err(|wrong| Fault::malformed(format!("{}: {wrong}", api.what(&path))))
}

/// What the document says, if it is of this repository. The project may be named by its number.
fn checked(document: RepositoryDocument, shelf: &Shelf) -> Result<Settings, String> {
    let parts: Vec<&str> = document.name.split('/').collect();
    match parts[..] {
        ["projects", _, "locations", location, "repositories", repository]
            if location == &*shelf.location && repository == &*shelf.repository => {}
        _ => return Err("it tells of another repository".to_owned()),
    }
    match document.format.as_deref() {
        Some("DOCKER") => Ok(Settings::of(document)),
        Some(format) => Err(format!("it holds packages of the format {format:.40?}, and no images")),
        None => Err("it does not say that it holds images".to_owned()),
    }
}

impl Settings {
    fn of(document: RepositoryDocument) -> Self {
        let policies = document.cleanup_policies.filter(|policies| !policies.is_empty());
        let policies = policies
            .map_or(Setting::Unset, |policies| Setting::Text(serde_json::Value::Object(policies).to_string().into()));
        let (cached_from, elsewhere, no_pins) = match document.mode.as_deref() {
            None | Some("STANDARD_REPOSITORY" | "MODE_UNSPECIFIED") => (None, None, None),
            Some("REMOTE_REPOSITORY") => {
                let no_pins = "a remote repository caches what an upstream has, and takes no tags";
                (Some("the upstream of this remote repository".into()), None, Some(no_pins))
            }
            Some("VIRTUAL_REPOSITORY") => {
                let why = "this is a virtual repository, which shows images of others under their own cleanup policies: name those \
                           repositories in the policy";
                (None, Some(why.into()), Some("a virtual repository shows what others hold, and takes no tags"))
            }
            // What deletes from it is not known (F53).
            Some(mode) => {
                let why = format!(
                    "this is a repository of the mode {mode:.40?}, which is not known: take a prodpin that knows it"
                );
                (None, Some(why.into()), None)
            }
        };
        Self {
            policies,
            on_trial: document.cleanup_policy_dry_run,
            immutable_tags: document.docker_config.is_some_and(|config| config.immutable_tags),
            cached_from,
            elsewhere,
            no_pins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, rest: &str) -> Result<Settings, String> {
        let document = serde_json::from_str(&format!(r#"{{"name":"{name}"{rest}}}"#)).unwrap();
        let shelf = Shelf { project: "acme".into(), location: "europe".into(), repository: "shop".into() };
        checked(document, &shelf)
    }

    #[test]
    fn a_mode_that_is_not_known_is_no_standard_repository_f53() {
        let of =
            |mode: &str| read("projects/7/locations/europe/repositories/shop", &format!(r#","format":"DOCKER"{mode}"#));
        for mode in ["", r#","mode":"STANDARD_REPOSITORY""#, r#","mode":"MODE_UNSPECIFIED""#] {
            let read = of(mode).unwrap();
            assert!(read.elsewhere.is_none() && read.no_pins.is_none() && read.cached_from.is_none(), "{mode}");
        }
        for mode in ["AOT_REPOSITORY", "ASSURED_REPOSITORY"] {
            let read = of(&format!(r#","mode":"{mode}""#)).unwrap();
            assert!(read.elsewhere.is_some_and(|why| why.contains(mode)), "{mode}");
        }
    }

    #[test]
    fn what_is_of_another_place_or_another_kind_is_not_read() {
        let docker = r#","format":"DOCKER""#;
        for (name, rest) in [
            ("projects/acme/locations/us/repositories/shop", docker),
            ("projects/acme/locations/europe/repositories/other", docker),
            ("shop", docker),
            ("projects/acme/locations/europe/repositories/shop", r#","format":"MAVEN""#),
            ("projects/acme/locations/europe/repositories/shop", ""),
        ] {
            assert!(read(name, rest).is_err(), "{name} {rest}");
        }
    }
}
