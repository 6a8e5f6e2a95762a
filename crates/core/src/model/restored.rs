//! What `restore` put back from the vault: on record, so that the next run takes it for nobody else's doing.

use serde::{Deserialize, Serialize};

use super::{ArtifactId, Digest, Tag};

/// What was pushed for one artifact, as it was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// Tags that named nothing and were put to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Blobs that the registry lacked.
    pub blobs: u64,
    /// Manifests that it lacked.
    pub manifests: u64,
    /// The bytes of both.
    pub bytes: u64,
    /// Those of them under whose digests a drill had read wrong bytes: the registry had them no more, and took these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Digest>,
    /// The artifact whose bytes came back under another name, where its own is gone for good: an object's next version. What is
    /// known of the one is known of the other from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<ArtifactId>,
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{DeploymentState, Event, Mark, RepositoryState, TagStatus};

    /// An object that came back has another version id, and is the same release: nothing moved, and nothing is missing.
    #[test]
    fn the_same_bytes_under_their_next_name_are_the_same_release_i27() {
        let version = |id: &str| format!("api/1.zip?versionId={id}").parse::<ArtifactId>().unwrap();
        let (old, new, tag) = (version("a"), version("b"), "api/1.zip".parse::<Tag>().unwrap());
        let ran = |artifact: &ArtifactId| Event::DeploymentStarted {
            artifact: artifact.clone(),
            via: "file".into(),
            tag: Some(tag.clone()),
            state: DeploymentState::Running,
        };
        let put_back = |of: Option<ArtifactId>| {
            let pushed = PutBack { tags: vec![tag.clone()], blobs: 1, bytes: 9, of, ..PutBack::default() };
            Event::Restored { artifact: new.clone(), pushed: Box::new(pushed) }
        };
        let after = |events: Vec<Event>| {
            let mut state = RepositoryState::default();
            for (sequence, event) in (1..).zip(&events) {
                state.apply(Mark { sequence, at: Timestamp::UNIX_EPOCH }, event);
            }
            state
        };
        let seen = || Event::TagSeen { tag: tag.clone(), artifact: old.clone(), created: None };
        let lost = || Event::TargetMissing { artifact: old.clone() };
        let named = |state: &RepositoryState| -> Vec<ArtifactId> {
            state.tags[&tag].sightings().iter().map(|sighting| sighting.artifact.clone()).collect()
        };
        let state = after(vec![seen(), ran(&old), lost(), put_back(Some(old.clone()))]);
        assert_eq!((named(&state), state.tags[&tag].status()), (vec![new.clone()], TagStatus::Present));
        assert!(state.missing.is_empty() && state.restored.contains_key(&new));
        assert!(state.deployments.contains_key(&new) && !state.deployments.contains_key(&old));
        // A version that is still there keeps its own name.
        assert_eq!(named(&after(vec![seen(), put_back(None)])), [old, new]);
    }
}
