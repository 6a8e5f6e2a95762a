//! Which files a side has once its links are followed. A link that leads nowhere known, and a repository within the
//! repository, may hold migrations that are not read: that is said, never passed over.

use std::collections::BTreeMap;

use prodpin_schema::layout::{File, may_be_migration, may_hold_migrations};

use super::SchemaChangeError;

/// More steps from link to link than anybody makes.
const MOST_STEPS: usize = 16;

/// Everything that a side lists, by its path from the top.
#[derive(Debug)]
pub(super) struct Listing<T> {
    /// Files, and how each is read.
    pub(super) files: BTreeMap<String, T>,
    /// Links, and the path from the top that they lead to. None: out of what is listed.
    pub(super) links: BTreeMap<String, Option<String>>,
    /// Repositories within the repository, and their commits.
    pub(super) modules: BTreeMap<String, String>,
}

/// What is to be read, under which path, and what cannot be.
pub(super) struct Wanted<T> {
    pub(super) files: Vec<(String, T)>,
    pub(super) unread: Vec<File>,
}

/// Follows the links of a listing.
pub(super) fn follow<T: Clone>(listing: &Listing<T>) -> Result<Wanted<T>, SchemaChangeError> {
    let mut files: BTreeMap<String, T> = listing
        .files
        .iter()
        .filter(|(path, _)| may_be_migration(path))
        .map(|(path, it)| (path.clone(), it.clone()))
        .collect();
    let mut unread = Vec::new();
    for (link, target) in &listing.links {
        let end = target.as_deref().and_then(|target| listing.end_of(target));
        let Some(end) = end else {
            unread.extend(unreadable(link));
            continue;
        };
        if let Some(file) = listing.files.get(&end) {
            if may_be_migration(link) {
                files.insert(link.clone(), file.clone());
            }
            continue;
        }
        for (inside, file) in listing.below(&end) {
            let path = format!("{link}/{inside}");
            if may_be_migration(&path) {
                files.insert(path, file.clone());
            }
        }
        listing.refuse_links_below(link, &end)?;
    }
    for (path, commit) in listing.modules.iter().filter(|(path, _)| may_hold_migrations(path)) {
        unread.push(placeholder(path, commit, "a repository within this one, whose files are not read"));
    }
    Ok(Wanted { files: files.into_iter().collect(), unread })
}

/// Where migrations would be found, if the link led to some.
fn unreadable(link: &str) -> Option<File> {
    const WHY: &str = "a link that leads out of what is compared, so that nobody knows what it holds";
    if may_be_migration(link) {
        return Some(File { path: link.to_owned(), text: String::new(), doubt: Some(WHY) });
    }
    may_hold_migrations(link).then(|| placeholder(link, "", WHY))
}

/// A step that stands for a folder of which nothing is read.
fn placeholder(folder: &str, text: &str, why: &'static str) -> File {
    File { path: format!("{folder}/0.sql"), text: text.to_owned(), doubt: Some(why) }
}

impl<T> Listing<T> {
    /// The path that is meant in the end, every link on the way followed. None: nothing is there.
    fn end_of(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..MOST_STEPS {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            let link = ends.map(|end| &path[..end]).find(|start| self.links.contains_key(*start)).map(str::to_owned);
            let Some(link) = link else {
                let there = path.is_empty() || self.files.contains_key(&path) || self.below(&path).next().is_some();
                return there.then_some(path);
            };
            let rest = path[link.len()..].to_owned();
            let target = self.links.get(&link)?.as_deref()?;
            path = format!("{target}{rest}").trim_start_matches('/').to_owned();
        }
        None
    }

    /// What lies in a folder, by its path from there.
    fn below<'l>(&'l self, folder: &str) -> impl Iterator<Item = (&'l str, &'l T)> {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let length = start.len();
        let from = self.files.range(start.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&start)).map(move |(path, it)| (&path[length..], it))
    }

    /// Links behind links could go round in circles: where they lead to migrations, nothing is said.
    fn refuse_links_below(&self, link: &str, folder: &str) -> Result<(), SchemaChangeError> {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let inner = self.links.iter().filter(|(path, _)| path.starts_with(&start) && *path != link);
        for (path, target) in inner {
            let end = target.as_deref().and_then(|target| self.end_of(target));
            let leads = end.is_none_or(|end| {
                self.files.contains_key(&end) && may_be_migration(path)
                    || self.below(&end).any(|(name, _)| may_be_migration(name))
            });
            if leads && (may_be_migration(path) || may_hold_migrations(path) || may_hold_migrations(link)) {
                return Err(SchemaChangeError::Reading(format!(
                    "{link} is a link to a folder that holds another link, {path}: name the folder of the migrations itself \
                     with --from DIR and --to DIR"
                )));
            }
        }
        Ok(())
    }
}

/// The path from the top that a link means, written beside `link`. None: it leads out.
pub(super) fn target_of(link: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let folder = link.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: &[&str], links: &[(&str, &str)]) -> Listing<String> {
        Listing {
            files: files.iter().map(|path| ((*path).to_owned(), (*path).to_owned())).collect(),
            links: links.iter().map(|(link, target)| ((*link).to_owned(), target_of(link, target))).collect(),
            modules: BTreeMap::new(),
        }
    }

    fn read(files: &[&str], links: &[(&str, &str)]) -> Vec<String> {
        let wanted = follow(&listing(files, links)).expect("followed");
        let read = wanted.files.iter().map(|(path, from)| format!("{path} < {from}"));
        read.chain(wanted.unread.iter().map(|file| format!("{} ?", file.path))).collect()
    }

    #[test]
    fn links_are_followed_to_files_and_folders() {
        assert_eq!(read(&["odd/x.txt"], &[("m/2_b.sql", "../odd/x.txt")]), ["m/2_b.sql < odd/x.txt"]);
        assert_eq!(
            read(&["odd/up.sql"], &[("m/2_b", "../odd")]),
            ["m/2_b/up.sql < odd/up.sql", "odd/up.sql < odd/up.sql"]
        );
        assert_eq!(read(&["a/1.txt"], &[("m/1.sql", "../b/1.txt"), ("b", "a")]), ["m/1.sql < a/1.txt"]);
    }

    #[test]
    fn what_no_link_leads_to_is_said() {
        assert_eq!(read(&[], &[("m/2_b.sql", "/etc/passwd")]), ["m/2_b.sql ?"]);
        assert_eq!(read(&[], &[("m/2_b.sql", "../../x.sql")]), ["m/2_b.sql ?"]);
        assert_eq!(read(&[], &[("db/migrations", "../../x")]), ["db/migrations/0.sql ?"]);
        assert_eq!(read(&[], &[("m/1.sql", "2.sql"), ("m/2.sql", "1.sql")]), ["m/1.sql ?", "m/2.sql ?"]);
        assert!(read(&[], &[("readme", "/usr/share/doc")]).is_empty());
    }

    #[test]
    fn links_within_links_are_refused() {
        let circle = listing(&["db/1.sql"], &[("db/migrations", ".."), ("migrations", "db")]);
        assert!(follow(&circle).is_err());
    }
}
