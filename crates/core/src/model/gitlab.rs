//! A repository of GitLab's container registry as the cleanup policy of its project sees it (K57): the project's rules, and the
//! tags with what GitLab says of when they were published.

use jiff::Timestamp;

use super::{Digest, Setting, Tag};

/// Everything that a cleanup policy's run depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct GitLabRepository {
    /// The project's full path, as GitLab writes it.
    pub project: Box<str>,
    /// The project's `container_expiration_policy`.
    pub policy: Setting,
    /// Its tag rules that say who may push and delete, as the REST API lists them.
    pub protected: Setting,
    /// Its immutable tag rules, in the same form. The REST API leaves them out.
    pub immutable: Setting,
    /// Every tag that was listed, pins among them.
    pub tags: Vec<GitLabTag>,
    /// Manifests that are known to have no tag. The registry lists none; a repository that is thought of without some tags has
    /// those that lost their last one.
    pub untagged: Vec<Digest>,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitLabTag {
    /// Its name.
    pub name: Tag,
    /// What it names; none where that is not known. It takes a place all the same.
    pub digest: Option<Digest>,
    /// When it was pushed or moved last. A registry without a metadata database does not know that, and a cleanup goes by when
    /// the image was built there.
    pub published: Option<Timestamp>,
}
