//! GitLab's cleanup policy of one project (K57), over tags.

use super::pattern::{Dialect, Regex};

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) delete: String,
    pub(crate) keep: Option<String>,
    pub(crate) keep_number: usize,
    pub(crate) older_than: i64,
    /// A rule of protected or immutable tags covers pins: those stay, and are counted all the same.
    pub(crate) protects_pins: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) name: String,
    /// Seconds since the image was made, which is all the same to its tags.
    pub(crate) age: i64,
}

impl Policy {
    /// What goes: not `latest`; what matches the one and not the other; of that not the newest, only what is old, and nothing
    /// that is protected. Expressions stand between anchors as they are, so that each alternative is anchored at one end.
    pub(crate) fn going(&self, tags: &[Tag]) -> Vec<String> {
        let whole = |pattern: &str, name: &str| {
            Regex::new(&format!("^{pattern}$"), Dialect::Go).is_some_and(|regex| regex.finds(name))
        };
        let meant = |tag: &&Tag| {
            let kept = self.keep.as_ref().is_some_and(|keep| whole(keep, &tag.name));
            tag.name != "latest" && whole(&self.delete, &tag.name) && !kept
        };
        let exempt = |tag: &&Tag| self.protects_pins && tag.name.starts_with("prod-pinned-");
        let mut meant: Vec<&Tag> = tags.iter().filter(meant).collect();
        meant.sort_by(|a, b| a.age.cmp(&b.age).then_with(|| a.name.cmp(&b.name)));
        let going = meant.into_iter().skip(self.keep_number).filter(|tag| tag.age > self.older_than && !exempt(tag));
        going.map(|tag| tag.name.clone()).collect()
    }
}
