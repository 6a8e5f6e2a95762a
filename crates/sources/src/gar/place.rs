//! Where an image is: projects have repositories in a location, and repositories have images (K43).

use prodpin_core::model::RepositoryName;
use prodpin_net::http::fault::Fault;

/// A repository of Artifact Registry, which holds images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shelf {
    pub(super) project: Box<str>,
    pub(super) location: Box<str>,
    pub(super) repository: Box<str>,
}

/// An image in one: what the registry protocol calls a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shelf: Shelf,
    /// Its path, which may have slashes.
    pub(super) package: Box<str>,
}

impl Shelf {
    /// As the API names it.
    pub(super) fn name(&self) -> String {
        format!("projects/{}/locations/{}/repositories/{}", self.project, self.location, self.repository)
    }

    /// As what holds images is remembered here.
    pub(super) fn key(&self) -> Option<RepositoryName> {
        format!("{}/{}", self.project, self.repository).parse().ok()
    }
}

impl Place {
    /// Where an image of this name is.
    pub(super) fn of(name: &RepositoryName, location: &str) -> Result<Self, Fault> {
        let mut parts = name.as_str().splitn(3, '/');
        let (project, repository, package) = (parts.next(), parts.next(), parts.next());
        match (name.is_oci(), project, repository, package) {
            (true, Some(project), Some(repository), Some(package)) => {
                let shelf = Shelf { project: project.into(), location: location.into(), repository: repository.into() };
                Ok(Self { shelf, package: package.into() })
            }
            _ => Err(Fault::malformed(format!(
                "{:?} is no image of Artifact Registry's: each has its project and its repository in front",
                name.as_str()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_may_lie_deep_and_has_its_repository_in_front_k43() {
        let place = |name: &str| Place::of(&name.parse().unwrap(), "europe-west1");
        let deep = place("acme-prod/shop/team/api").unwrap();
        assert_eq!(deep.shelf.name(), "projects/acme-prod/locations/europe-west1/repositories/shop");
        assert_eq!((&*deep.package, deep.shelf.key().unwrap().as_str()), ("team/api", "acme-prod/shop"));
        assert!(place("acme-prod/shop").is_err() && place("api").is_err());
    }
}
