//! What a registry keeps for a while of what was deleted in it, and puts back when it is asked to (K54, K58).

use jiff::Timestamp;

use super::Digest;

/// Of what is gone of an artifact: what the registry still keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undeletable {
    /// The manifests that it keeps, the artifact itself among them where it is gone.
    pub kept: Vec<DeletedManifest>,
    /// Why that is not known, or not all of it.
    pub unread: Option<String>,
}

/// A manifest that was deleted, and that the registry keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedManifest {
    /// Which.
    pub digest: Digest,
    /// When it was deleted, where the registry says so.
    pub deleted: Option<Timestamp>,
    /// What puts it back.
    pub by: Undelete,
}

/// A call that puts back what was deleted. prodpin sends none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelete {
    /// GitHub's Packages API.
    GitHub {
        /// The server, where it is not github.com.
        server: Option<Box<str>>,
        /// The path of the call.
        path: Box<str>,
    },
    /// Quay's time machine.
    Quay {
        /// The address of the call.
        url: Box<str>,
        /// Until when it has the manifest.
        until: Timestamp,
    },
}
