//! Removing a tag, and what else may come of that.

use super::State;
use super::lies::{Deleting, Lie};
use super::reply::Reply;

impl State {
    pub(super) fn untag(&mut self, name: &str, reference: &str) -> Reply {
        let deleting = self.find(|lie| match lie {
            Lie::Deletes(deleting) => Some(*deleting),
            _ => None,
        });
        let put_off = || Reply::error(429, "TOOMANYREQUESTS").with("Retry-After", "0");
        match deleting {
            Some(Deleting::Refuses(status)) => return Reply::error(status, "UNSUPPORTED"),
            Some(Deleting::PutsOff(most)) if self.times("put off", most) => return put_off(),
            _ => {}
        }
        let tags = self.store.tags.entry(name.to_owned()).or_default();
        let Some(digest) = tags.remove(reference) else { return Reply::error(404, "MANIFEST_UNKNOWN") };
        match deleting {
            Some(Deleting::TakesManifest) => {
                tags.retain(|_, named| *named != digest);
                self.store.manifests.remove(&digest);
            }
            Some(Deleting::TakesChildren) => {
                let bytes = self.store.manifests.get(&digest).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
                let index: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                for child in index["manifests"].as_array().into_iter().flatten() {
                    self.store.manifests.remove(child["digest"].as_str().unwrap());
                }
            }
            Some(Deleting::DoneAndPutOff) => return put_off(),
            Some(Deleting::DoneAndFails) => return Reply::error(500, "UNKNOWN"),
            _ => {}
        }
        Reply::new(202, "text/plain", "")
    }
}
