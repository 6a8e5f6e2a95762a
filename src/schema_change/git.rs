//! The files of a commit, by the `git` program and the local repository alone: nothing is fetched.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::process::{Command, Stdio};

use prodpin_schema::layout::File;

use super::SchemaChangeError;
use super::files::{LONGEST, Read, decoded};
use super::links::{Listing, follow, target_of};

/// `git` without what a repository or a user could have it run, and without asking a server for what is missing.
fn git(arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(["--no-pager", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false"]).args(arguments);
    git.env("GIT_NO_LAZY_FETCH", "1").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    git.stdin(Stdio::null());
    git
}

fn not_run(error: &io::Error) -> SchemaChangeError {
    SchemaChangeError::Reading(format!(
        "git cannot be run: {error}; install it, or name folders with --from DIR and --to DIR"
    ))
}

fn output(arguments: &[&str]) -> Result<Vec<u8>, SchemaChangeError> {
    let done = git(arguments).output().map_err(|error| not_run(&error))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let line = said.lines().next().unwrap_or("no reason given");
    Err(SchemaChangeError::Reading(format!("git {}: {line}", arguments[0])))
}

pub(super) fn read(revision: &str) -> Result<Read, SchemaChangeError> {
    let commit = commit(revision)?;
    // From the top, wherever in the repository one stands.
    let listed = output(&["ls-tree", "-r", "-z", "--full-tree", &commit])?;
    let mut listing = Listing { files: BTreeMap::new(), links: BTreeMap::new(), modules: BTreeMap::new() };
    let mut links = Vec::new();
    for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let entry = String::from_utf8_lossy(entry);
        let Some((about, path)) = entry.split_once('\t') else { continue };
        let mut about = about.split(' ');
        match (about.next(), about.next(), about.next()) {
            (Some("120000"), _, Some(object)) => links.push((path.to_owned(), object.to_owned())),
            (_, Some("commit"), Some(object)) => {
                listing.modules.insert(path.to_owned(), object.to_owned());
            }
            (_, Some("blob"), Some(object)) => {
                listing.files.insert(path.to_owned(), object.to_owned());
            }
            _ => {}
        }
    }
    for File { path, text, .. } in blobs(&links)? {
        let target = target_of(&path, text.trim_end());
        listing.links.insert(path, target);
    }
    let wanted = follow(&listing)?;
    let mut files = blobs(&wanted.files)?;
    files.extend(wanted.unread);
    Ok(Read { files, named: commit })
}

/// Whether the repository here knows it.
pub(super) fn is_revision(text: &str) -> bool {
    commit(text).is_ok()
}

fn commit(revision: &str) -> Result<String, SchemaChangeError> {
    let wanted = format!("{revision}^{{commit}}");
    let found = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).output();
    let found = found.map_err(|error| not_run(&error))?;
    let commit = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    if found.status.success() && !commit.is_empty() {
        return Ok(commit);
    }
    let said = String::from_utf8_lossy(&found.stderr);
    let why = said.lines().next().map(|line| format!(" (git: {line})")).unwrap_or_default();
    Err(SchemaChangeError::Asked(format!(
        "{revision} is neither a folder nor a commit of the repository here{why}; in a shallow clone, fetch it first: git fetch --unshallow"
    )))
}

/// Many blobs by one process.
fn blobs(wanted: &[(String, String)]) -> Result<Vec<File>, SchemaChangeError> {
    let mut process = git(&["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| not_run(&error))?;
    let (Some(mut asks), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
        return Err(SchemaChangeError::Reading("git cat-file gave no pipes".to_owned()));
    };
    let mut answers = BufReader::new(answers);
    let mut files = Vec::with_capacity(wanted.len());
    for (path, object) in wanted {
        let failed = |why: &str| SchemaChangeError::Reading(format!("git cat-file: {path}: {why}"));
        writeln!(asks, "{object}").and_then(|()| asks.flush()).map_err(|error| failed(&error.to_string()))?;
        let bytes = answer(&mut answers).map_err(|error| failed(&error.to_string()))?;
        let text = decoded(bytes).map_err(failed)?;
        files.push(File { path: path.clone(), text, doubt: None });
    }
    drop(asks);
    let _ = process.wait();
    Ok(files)
}

/// One answer of `cat-file --batch`: `object type size`, the bytes, a line end.
fn answer(answers: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = String::new();
    answers.read_line(&mut head)?;
    let size = head.trim_end().rsplit_once(' ').and_then(|(_, size)| size.parse::<u64>().ok());
    let Some(size) = size.filter(|size| *size <= LONGEST) else {
        return Err(io::Error::other("the object is missing or too long to be a migration"));
    };
    let mut bytes = Vec::new();
    answers.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    answers.read_exact(&mut [0])?;
    Ok(bytes)
}
