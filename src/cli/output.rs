//! Where results go: stdout, and report files that are there whole or not at all.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use tempfile::NamedTempFile;

use super::colour;
use super::exit::Misuse;
use super::pasteable::Pasteable;
use crate::ledger::Attester;
use crate::model::{AwsAccount, FailOn};
use crate::policy::{LedgerLocation, Policy};
use crate::report::body::Report;
use crate::report::context::{Context as Terms, Signer};
use crate::report::diff::Diff;
use crate::report::render::{Format, Style, render};

/// `FORMAT=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportTarget {
    format: Format,
    /// None is stdout.
    path: Option<PathBuf>,
}

impl ReportTarget {
    pub(super) fn format(&self) -> Format {
        self.format
    }
}

impl FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text.split_once('=').ok_or("write FORMAT=FILE, such as json=report.json")?;
        if path.is_empty() {
            return Err("write FORMAT=FILE, such as json=report.json".to_owned());
        }
        let format = format.parse::<Format>()?;
        Ok(Self { format, path: (path != "-").then(|| PathBuf::from(path)) })
    }
}

/// Everything a report will be written to, opened before the run, so that a run is not lost to a bad path.
pub(super) struct Outputs {
    /// None shows nothing.
    stdout: Option<Format>,
    files: Vec<(Format, PathBuf, NamedTempFile)>,
    around: Around,
}

/// What outputs must know of the rest: what they must not write over, and what some formats ask for.
pub(super) struct Around {
    /// The policy file; none where repositories were named instead.
    pub(super) policy: Option<PathBuf>,
    /// The ledger.
    pub(super) ledger: LedgerLocation,
    /// The files that hold its keys.
    pub(super) keys: Vec<PathBuf>,
    /// The severity from which findings fail a check.
    pub(super) fail_on: FailOn,
    /// Where Security Hub findings go.
    pub(super) account: Option<AwsAccount>,
    /// The ledger's key.
    pub(super) signer: Option<Box<dyn Signer>>,
}

impl Around {
    /// What a policy and this process's environment say.
    pub(super) fn from_policy(path: Option<&Path>, policy: &Policy, fail_on: Option<FailOn>) -> Self {
        Self {
            policy: path.map(Path::to_owned),
            ledger: policy.ledger.clone(),
            keys: policy.safeguards.key_files(&policy.ledger),
            fail_on: fail_on.unwrap_or(policy.fail_on),
            account: policy.security_hub.clone().or_else(|| account(&|name| std::env::var(name).ok())),
            signer: None,
        }
    }

    /// With the ledger's key, which a first run may make, where something is to be signed with it.
    pub(super) async fn signing(
        mut self,
        policy: &Policy,
        format: Option<Format>,
        reports: &[ReportTarget],
        first: bool,
    ) -> anyhow::Result<Self> {
        let formats = format.into_iter().chain(reports.iter().map(|report| report.format));
        if formats.into_iter().any(|format| format == Format::Attestation) {
            let attester = Attester::load(&policy.safeguards, &policy.ledger, first).await?;
            self.signer = attester.map(|attester| Box::new(LedgerKey(attester)) as Box<dyn Signer>);
        }
        Ok(self)
    }

    fn terms<'a>(&'a self, style: Style, name: Option<&'a str>) -> Terms<'a> {
        Terms {
            style,
            policy: name,
            fail_on: self.fail_on,
            account: self.account.as_ref(),
            signer: self.signer.as_deref(),
        }
    }

    fn policy_name(&self) -> Option<String> {
        Some(self.policy.as_ref()?.file_name()?.to_string_lossy().into_owned())
    }

    /// Refuses a format that cannot be written here.
    fn allow(&self, format: Format) -> anyhow::Result<()> {
        match self.terms(Style::UNBOUNDED, None).lacks(format) {
            Some(why) => Err(Misuse(why.to_owned()).into()),
            None => Ok(()),
        }
    }

    /// Refuses a path at which something lies that a report must not replace (F80).
    fn spare(&self, path: &Path) -> anyhow::Result<()> {
        let refuse = |why: &str| Err(Misuse(format!("report path {}: {why}", path.display())).into());
        // The file itself may not exist yet, so its directory is what is compared.
        let Ok(directory) = parent(path).canonicalize() else { return Ok(()) };
        let real = path.file_name().map_or_else(|| directory.clone(), |name| directory.join(name));
        if self.policy.as_ref().and_then(|policy| policy.canonicalize().ok()).is_some_and(|policy| policy == real) {
            return refuse("this is the policy; write the report elsewhere");
        }
        // One that does not exist yet would be taken for a key by the next run.
        let same = |key: &PathBuf| match parent(key).canonicalize() {
            Ok(folder) => key.file_name().is_some_and(|name| folder.join(name) == real),
            Err(_) => false,
        };
        if self.keys.iter().any(same) {
            return refuse("this is the ledger's signing key; write the report elsewhere");
        }
        if let LedgerLocation::Directory(ledger) = &self.ledger
            && ledger.canonicalize().is_ok_and(|ledger| real.starts_with(ledger))
        {
            return refuse(
                "this lies in the ledger, which holds nothing but what prodpin records; write the report elsewhere",
            );
        }
        Ok(())
    }
}

/// The ledger's key, as reports are signed with it.
struct LedgerKey(Attester);

impl Signer for LedgerKey {
    fn key_id(&self) -> String {
        self.0.key_id()
    }

    fn sign(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.0.sign(message)
    }
}

/// The account and region that AWS's own tools would use, where both are said.
fn account(environment: &dyn Fn(&str) -> Option<String>) -> Option<AwsAccount> {
    let said = |name| environment(name).filter(|value| !value.is_empty());
    let id = said("AWS_ACCOUNT_ID").filter(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(AwsAccount { id, region: said("AWS_REGION").or_else(|| said("AWS_DEFAULT_REGION"))? })
}

impl Outputs {
    /// Opens what was asked for. With `-` among the reports, stdout shows that and no table.
    pub(super) fn open(format: Option<Format>, reports: &[ReportTarget], around: Around) -> anyhow::Result<Self> {
        let mut outputs = Self::open_asked(format, reports, around)?;
        outputs.stdout = outputs.stdout.or(Some(Format::Table));
        Ok(outputs)
    }

    /// Opens what was asked for, and nothing else.
    pub(super) fn open_asked(format: Option<Format>, reports: &[ReportTarget], around: Around) -> anyhow::Result<Self> {
        let mut on_stdout = format.into_iter().chain(reports.iter().filter(|r| r.path.is_none()).map(|r| r.format));
        let stdout = on_stdout.next();
        if on_stdout.next().is_some() {
            return Err(
                Misuse("stdout takes one report: give one --format, or one --report FORMAT=-".to_owned()).into()
            );
        }
        if let Some(format) = stdout {
            around.allow(format)?;
        }
        let mut files = Vec::new();
        let mut named = BTreeSet::new();
        for target in reports {
            let Some(path) = &target.path else { continue };
            if !named.insert(path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>()) {
                return Err(Misuse(format!("{} is given to two reports", path.display())).into());
            }
            around.allow(target.format)?;
            refuse_detours(path)?;
            around.spare(path)?;
            files.push((target.format, path.clone(), beside(path)?));
        }
        Ok(Self { stdout, files, around })
    }

    /// Writes the report everywhere it can, then tells what could not be written. A reader of stdout that goes away
    /// takes nothing from the files (F82).
    pub(super) fn write(self, report: &Report) -> anyhow::Result<()> {
        self.write_by(|format, terms, out| render(format, report, terms, out))
    }

    /// The same for what changed between two runs.
    pub(super) fn write_diff(self, diff: &Diff<'_>) -> anyhow::Result<()> {
        self.write_by(|format, _, out| diff.write(format, out))
    }

    /// Refuses formats that a diff has no form for.
    pub(super) fn for_diff(self) -> anyhow::Result<Self> {
        let mut asked = self.files.iter().map(|(format, ..)| *format).chain(self.stdout);
        match asked.find(|format| !Diff::FORMATS.contains(format)) {
            Some(format) => {
                let has = Diff::FORMATS.map(Format::as_str).join(", ");
                Err(Misuse(format!("--since has no {format}; use one of {has}")).into())
            }
            None => Ok(self),
        }
    }

    fn write_by(self, render: impl Fn(Format, &Terms<'_>, &mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
        let name = self.around.policy_name();
        let terms = |style| self.around.terms(style, name.as_deref());
        let mut failures = place(self.files, |format, file| render(format, &terms(Style::UNBOUNDED), file));
        if let Some(format) = self.stdout {
            let write = |out: &mut dyn Write| render(format, &terms(style()), out);
            let shown = match format {
                Format::Table | Format::Markdown => to_reader(self.around.policy.as_deref(), write),
                _ => to_stdout(write),
            };
            failures.extend(shown.err());
        }
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else { return Ok(()) };
        // The first one ends the command; the others are not to go unnoticed.
        failures.for_each(|failure| tracing::error!("{failure:#}"));
        // Whatever it was, the run has taken place: this is no misuse any more.
        Err(anyhow::anyhow!("{first:#}"))
    }
}

/// Writes and places each file, whatever becomes of the others.
fn place(
    files: Vec<(Format, PathBuf, NamedTempFile)>,
    write: impl Fn(Format, &mut File) -> io::Result<()>,
) -> Vec<anyhow::Error> {
    let place = |(format, path, mut file): (Format, PathBuf, NamedTempFile)| {
        let cannot = || format!("cannot write the report to {}", path.display());
        write(format, file.as_file_mut()).and_then(|()| file.as_file().sync_all()).with_context(cannot)?;
        // Looked at again: the run may have taken an hour. The rename itself follows no link.
        refuse_detours(&path)?;
        file.persist(&path).with_context(cannot)?;
        Ok(())
    };
    files.into_iter().filter_map(|target| place(target).err()).collect()
}

/// A file that takes its place once it is whole.
pub(super) struct OneFile<'p> {
    path: &'p Path,
    file: NamedTempFile,
}

/// A file to write beside its place, with the same care as a report's.
pub(super) fn one_file<'p>(path: &'p Path, around: &Around) -> anyhow::Result<OneFile<'p>> {
    refuse_detours(path)?;
    around.spare(path)?;
    Ok(OneFile { path, file: beside(path)? })
}

impl OneFile<'_> {
    pub(super) fn as_file(&self) -> &File {
        self.file.as_file()
    }

    pub(super) fn keep(self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.path.display());
        self.file.as_file().sync_all().with_context(cannot)?;
        refuse_detours(self.path)?;
        self.file.persist(self.path).with_context(cannot)?;
        Ok(())
    }
}

/// Refuses a path that may lead elsewhere than it says: through `..` or a symbolic link (F80).
fn refuse_detours(path: &Path) -> anyhow::Result<()> {
    let refuse = |why: &str| Err(Misuse(format!("report path {}: {why}", path.display())).into());
    if path.components().any(|part| part == Component::ParentDir) {
        return refuse("it must not contain '..'");
    }
    let mut walked = PathBuf::new();
    for part in path.components() {
        walked.push(part);
        match walked.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                return refuse(&format!("{} is a symbolic link; write the real path", walked.display()));
            }
            Ok(found) if walked == path && !found.is_file() => return refuse("it is there already and is no file"),
            Ok(_) => {}
            // The file itself may not exist yet; a missing directory is reported when the file is made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return refuse(&error.to_string()),
        }
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A new file in the same directory, which takes the path's place once it is whole.
fn beside(path: &Path) -> anyhow::Result<NamedTempFile> {
    let directory = parent(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".prodpin-report-");
    #[cfg(unix)]
    {
        // As any file that a program writes: the process's umask decides who may read it.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory).map_err(|error| {
        let next = if error.kind() == io::ErrorKind::NotFound { "; create the directory first" } else { "" };
        Misuse(format!("cannot write a report in {}: {error}{next}", directory.display())).into()
    })
}

pub(super) fn style() -> Style {
    if !io::stdout().is_terminal() {
        return Style::UNBOUNDED;
    }
    // A terminal that tells no width is taken for a classic one.
    let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
    Style { colour: !colour::is_refused(), width }
}

/// Writes to stdout. A reader that went away has seen what it wanted (F82).
pub(super) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// The same for a page that people read: its commands can be pasted.
pub(super) fn to_reader(
    policy: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    to_stdout(|out| {
        let mut out = Pasteable::new(out, policy);
        write(&mut out)?;
        out.flush()
    })
}
