//! The files of one side: a commit of the local repository, or a folder.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use prodpin_schema::layout::File;

use super::links::{Listing, follow};
use super::{SchemaChangeError, git};

/// A longer file is no migration that anybody wrote: 256 MiB.
pub(super) const LONGEST: u64 = 256 << 20;

/// Folders that hold no migrations of one's own.
const SKIPPED: &[&str] = &[".git", "node_modules", "target", ".venv"];

/// How deep folders are read.
const DEEPEST: usize = 32;

/// What `--from` and `--to` name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// A folder.
    Folder(PathBuf),
    /// A revision of the repository at hand.
    Revision(String),
}

impl Side {
    /// A folder where there is one of this name and no such revision, or where it is written as a path: whoever adds a
    /// folder `HEAD` must not take the place of the revision.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let is_path = text.starts_with(['.', '/']) || text.ends_with('/');
        match Path::new(text).is_dir() && (is_path || !git::is_revision(text)) {
            true => Self::Folder(PathBuf::from(text)),
            false => Self::Revision(text.to_owned()),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(out, "{}", path.display()),
            Self::Revision(revision) => out.write_str(revision),
        }
    }
}

/// What a side holds, and by which name reports call it.
pub(super) struct Read {
    pub(super) named: String,
    pub(super) files: Vec<File>,
}

pub(super) fn read(side: &Side) -> Result<Read, SchemaChangeError> {
    match side {
        Side::Revision(revision) => git::read(revision),
        Side::Folder(path) => {
            let top = fs::canonicalize(path).map_err(|error| failed(path, &error))?;
            let mut listing = Listing { files: BTreeMap::new(), links: BTreeMap::new(), modules: BTreeMap::new() };
            walk(&top, &top, 0, &mut listing)?;
            let wanted = follow(&listing)?;
            let mut files = wanted.unread;
            for (name, place) in wanted.files {
                files.push(File { path: name, text: text(&place)?, doubt: None });
            }
            files.sort_by(|left, right| left.path.cmp(&right.path));
            Ok(Read { named: path.display().to_string(), files })
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> SchemaChangeError {
    SchemaChangeError::Reading(format!("{}: {error}", path.display()))
}

fn walk(top: &Path, folder: &Path, depth: usize, listing: &mut Listing<PathBuf>) -> Result<(), SchemaChangeError> {
    if depth > DEEPEST {
        return Err(SchemaChangeError::Reading(format!("{}: folders are nested too deep", folder.display())));
    }
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let entry = entry.map_err(|error| failed(folder, &error))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(|error| failed(&entry.path(), &error))?);
        let named = |path: &Path| path.strip_prefix(top).ok().map(|name| name.to_string_lossy().replace('\\', "/"));
        let Some(name) = named(&path) else { continue };
        if kind.is_symlink() {
            // What it leads to is read only where it is a part of the folder.
            let target = fs::canonicalize(&path).ok().and_then(|target| named(&target));
            listing.links.insert(name, target);
        } else if kind.is_dir() {
            if !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                walk(top, &path, depth + 1, listing)?;
            }
        } else if kind.is_file() {
            listing.files.insert(name, path);
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, SchemaChangeError> {
    let long = fs::metadata(path).map_err(|error| failed(path, &error))?.len() > LONGEST;
    if long {
        return Err(SchemaChangeError::Reading(format!("{}: the file is too long to be a migration", path.display())));
    }
    let bytes = fs::read(path).map_err(|error| failed(path, &error))?;
    decoded(bytes).map_err(|why| SchemaChangeError::Reading(format!("{}: {why}", path.display())))
}

/// UTF-8; UTF-16 with its mark, as SQL Server's tools write it. Anything else keeps what ASCII it has: a name that
/// cannot be read is at worst not found.
pub(super) fn decoded(bytes: Vec<u8>) -> Result<String, &'static str> {
    let wide = |little: bool| {
        let pairs = bytes[2..].chunks_exact(2).map(|pair| [pair[0], pair[1]]);
        let units: Vec<u16> =
            pairs.map(|pair| if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }).collect();
        String::from_utf16(&units).map_err(|_| "the file is no valid UTF-16")
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => wide(true),
        [0xfe, 0xff, ..] => wide(false),
        _ => {
            Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
        }
    }
}
