//! Where the archive of a version may still be that no index names any more: an index is cut to what is recent, or says
//! another digest of it, and the archives stay. Addresses are guessed from those of the other versions, and from how Helm
//! names archives.

use super::index::{Chart, Listed};
use prodpin_core::model::{RepositoryName, Tag};

/// So many addresses are tried.
const MOST_TRIED: usize = 3;

/// Addresses at which a version's archive may be, the likeliest first.
pub(super) fn addresses(chart: Option<&Chart>, name: &RepositoryName, version: &Tag) -> Vec<Box<str>> {
    let mut found: Vec<Box<str>> = Vec::new();
    let mut add = |url: String| {
        if found.len() < MOST_TRIED && !found.iter().any(|known| **known == *url) {
            found.push(url.into());
        }
    };
    if let Some(Listed::Archive(entry)) = chart.and_then(|chart| chart.versions.get(version)) {
        entry.url.iter().for_each(|url| add(url.to_string()));
    }
    for (other, listed) in chart.into_iter().flat_map(|chart| chart.versions.iter().rev()) {
        let Listed::Archive(entry) = listed else { continue };
        let Some(url) = entry.url.as_deref().filter(|url| url.contains(other.as_str())) else { continue };
        add(url.replace(other.as_str(), version.as_str()));
    }
    add(format!("{}-{version}.tgz", name.as_str()));
    found
}

#[cfg(test)]
mod tests {
    use super::super::index::Index;
    use super::*;

    #[test]
    fn an_archive_is_looked_for_where_the_others_are_i4() {
        let index = "apiVersion: v1\nentries:\n  shop:\n\
                     \x20 - {name: shop, version: 1.2.0, urls: [\"https://h.example/1.2.0/shop-1.2.0.tgz\"]}\n\
                     \x20 - {name: shop, version: 1.1.0, urls: [\"https://h.example/1.1.0/shop-1.1.0.tgz\"]}\n\
                     \x20 - {name: shop, version: 1.0.0, urls: [\"blobs/abc\"]}\n";
        let index = Index::read(index.as_bytes(), 1 << 20).unwrap();
        let (name, version) = ("shop".parse().unwrap(), "0.9.0".parse().unwrap());
        let found = addresses(index.charts.get(&name), &name, &version);
        let found: Vec<&str> = found.iter().map(|url| &**url).collect();
        assert_eq!(found, ["https://h.example/0.9.0/shop-0.9.0.tgz", "shop-0.9.0.tgz"]);
        let found = addresses(index.charts.get(&name), &name, &"1.0.0".parse().unwrap());
        assert_eq!(&*found[0], "blobs/abc", "what the index says of it comes first");
        let found = addresses(None, &name, &version);
        assert_eq!(found.iter().map(|url| &**url).collect::<Vec<_>>(), ["shop-0.9.0.tgz"]);
    }
}
