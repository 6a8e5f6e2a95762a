//! What an automation provably looks after: that a workload names it is only what somebody wrote there.

use std::collections::BTreeSet;
use std::sync::Arc;

/// An object as its API names it, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its API's group; none of the core has one.
    pub group: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its namespace.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectName {
    /// Whatever case its kind is written in.
    #[must_use]
    pub fn new(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let namespace = namespace.filter(|namespace| !namespace.is_empty()).map(Arc::from);
        Self { group: group.into(), kind: kind.to_lowercase().into(), namespace, name: name.into() }
    }

    /// A Helm release, as if it were an object.
    #[must_use]
    pub fn helm(namespace: Option<&str>, name: &str) -> Self {
        Self::new("helm", "release", namespace, name)
    }
}

/// Where an automation's own object is, and what it applies there by its own status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The cluster of its object.
    pub context: Option<Arc<str>>,
    /// Its object.
    pub itself: ObjectName,
    /// What it applies in the same cluster; nothing where it writes into another one, whose name here is not known.
    pub objects: BTreeSet<ObjectName>,
}
