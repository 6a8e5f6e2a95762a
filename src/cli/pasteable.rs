//! Commands that a page prints are pasted as they stand. Where a policy other than the usual one was named, or another ledger
//! than the policy's, they name it, too: only here is that known, and no finding's text depends on where these lie.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::arguments::DEFAULT_POLICY;

/// Commands that read the policy.
const COMMANDS: [&str; 12] = [
    "audit", "check", "drill", "enforce", "forecast", "history", "ready", "release", "report", "restore", "verify",
    "watch",
];

/// Those of them that take no ledger.
const WITHOUT_LEDGER: &str = "check";

/// The ledger that the command line names. It is the process's, as the command line is.
static LEDGER: Mutex<Option<String>> = Mutex::new(None);

/// Notes what `--ledger` says, for every page and message from here on.
pub(super) fn note_ledger(ledger: Option<&str>) {
    *LEDGER.lock().unwrap_or_else(PoisonError::into_inner) = ledger.map(str::to_owned);
}

/// What every command is to name.
#[derive(Debug, Default)]
struct Flags {
    /// ` --policy FILE`
    policy: Option<String>,
    /// ` --ledger LOCATION`
    ledger: Option<String>,
}

/// Takes a page's lines, and completes the commands in them.
pub(super) struct Pasteable<'a> {
    out: &'a mut dyn Write,
    flags: Flags,
    line: Vec<u8>,
}

impl<'a> Pasteable<'a> {
    /// `policy` is the file as it was named; none where repositories were named instead.
    pub(super) fn new(out: &'a mut dyn Write, policy: Option<&Path>) -> Self {
        let ledger = LEDGER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self::naming(out, policy, ledger.as_deref())
    }

    fn naming(out: &'a mut dyn Write, policy: Option<&Path>, ledger: Option<&str>) -> Self {
        let said = |variable: &str| std::env::var_os(variable);
        // Whoever pastes into the same shell has the variables there.
        let policy =
            policy.filter(|path| *path != Path::new(DEFAULT_POLICY) && Some((*path).into()) != said("PRODPIN_POLICY"));
        let ledger = ledger.filter(|ledger| *ledger != "none" && Some((*ledger).into()) != said("PRODPIN_LEDGER"));
        let flags = Flags {
            policy: policy.and_then(flag),
            ledger: ledger.and_then(word).map(|ledger| format!(" --ledger {ledger}")),
        };
        Self { out, flags, line: Vec::new() }
    }

    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        match std::str::from_utf8(&line) {
            Ok(text) if self.flags.policy.is_some() || self.flags.ledger.is_some() => {
                self.out.write_all(completed(text, &self.flags).as_bytes())
            }
            _ => self.out.write_all(&line),
        }
    }
}

impl Write for Pasteable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.write_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_line()?;
        self.out.flush()
    }
}

/// ` --policy FILE`, quoted for a shell. A name that a terminal would not show as it is makes none.
fn flag(path: &Path) -> Option<String> {
    Some(format!(" --policy {}", word(path.to_str()?)?))
}

/// One word of a command, quoted for a shell. What a terminal would not show as it is makes none.
pub(super) fn word(text: &str) -> Option<String> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@:,".contains(character);
    match text {
        _ if text.is_empty() || !text.chars().all(|character| matches!(character, ' '..='~')) => None,
        _ if text.chars().all(plain) => Some(text.to_owned()),
        _ => Some(format!("'{}'", text.replace('\'', "'\\''"))),
    }
}

/// The line with the flags in every command of ours that is there to be pasted.
fn completed(line: &str, flags: &Flags) -> String {
    const OURS: &str = "prodpin ";
    let (mut done, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(at) = rest.find(OURS) {
        let (before, after) = (&rest[..at], &rest[at + OURS.len()..]);
        done.push_str(before);
        done.push_str(OURS);
        rest = after;
        let command = COMMANDS.iter().find(|command| {
            let tail = after.strip_prefix(**command);
            tail.is_some_and(|tail| !tail.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-'))
        });
        // A command on a line of its own stands in from the margin; what begins a page's head line does not.
        let alone = before.len() >= 4 && before.trim().is_empty();
        let told = [": ", "run ", "with ", "then "].into_iter().any(|word| before.ends_with(word));
        let pasted = alone || told || before.ends_with(['`', '(']);
        if let (Some(command), true) = (command, pasted) {
            done.push_str(command);
            rest = &after[command.len()..];
            let given = rest.split(['`', '\n']).next().unwrap_or_default();
            let ledger = flags.ledger.as_deref().filter(|_| *command != WITHOUT_LEDGER);
            let missing = [(flags.policy.as_deref(), " --policy "), (ledger, " --ledger ")];
            let missing = missing.into_iter().filter(|(_, name)| !given.contains(name));
            missing.filter_map(|(flag, _)| flag).for_each(|flag| done.push_str(flag));
        }
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_policy_and_nothing_else_changes() {
        let flags = Flags { policy: flag(Path::new("team a/prod.yaml")), ledger: None };
        for (line, expected) in [
            ("run `prodpin enforce`, then `x`", "run `prodpin enforce --policy 'team a/prod.yaml'`, then `x`"),
            (
                "`prodpin forecast --recommend shop/api > p.json`",
                "`prodpin forecast --policy 'team a/prod.yaml' --recommend shop/api > p.json`",
            ),
            (
                "The page of one of them: prodpin ready REPOSITORY",
                "The page of one of them: prodpin ready --policy 'team a/prod.yaml' REPOSITORY",
            ),
            (
                "        prodpin restore --source shop api@sha256:0 --apply",
                "        prodpin restore --policy 'team a/prod.yaml' --source shop api@sha256:0 --apply",
            ),
            ("    prodpin drill shop/api", "    prodpin drill --policy 'team a/prod.yaml' shop/api"),
            ("then run prodpin enforce once", "then run prodpin enforce --policy 'team a/prod.yaml' once"),
            ("prodpin audit · 2026-11-29", "prodpin audit · 2026-11-29"),
            ("`prodpin readyness`, `prodpin explain CODE`", "`prodpin readyness`, `prodpin explain CODE`"),
        ] {
            assert_eq!(completed(line, &flags), expected);
        }
    }

    #[test]
    fn commands_name_the_ledger_that_was_given_once_and_only_where_they_take_one() {
        let flags = Flags { policy: flag(Path::new("b.yaml")), ledger: Some(" --ledger s3://audit/x".to_owned()) };
        for (line, expected) in [
            ("run `prodpin enforce`", "run `prodpin enforce --policy b.yaml --ledger s3://audit/x`"),
            ("`prodpin check`", "`prodpin check --policy b.yaml`"),
            ("`prodpin explain CODE`", "`prodpin explain CODE`"),
            (
                "To remove it: prodpin release --ledger s3://audit/x --apply",
                "To remove it: prodpin release --policy b.yaml --ledger s3://audit/x --apply",
            ),
            (
                "run once: `prodpin audit --source shop --adopt`",
                "run once: `prodpin audit --policy b.yaml --ledger s3://audit/x --source shop --adopt`",
            ),
        ] {
            assert_eq!(completed(line, &flags), expected);
        }
        let mut out = Vec::new();
        let mut pasteable = Pasteable::naming(&mut out, None, Some("team a/ledger"));
        pasteable.write_all(b"    prodpin verify").unwrap();
        pasteable.flush().unwrap();
        assert_eq!(out, b"    prodpin verify --ledger 'team a/ledger'");
        assert!(COMMANDS.contains(&WITHOUT_LEDGER));
    }

    #[test]
    fn names_that_no_shell_or_terminal_takes_as_they_are_make_no_command() {
        let of = |name: &str| flag(Path::new(name));
        assert_eq!(of("a.yaml").as_deref(), Some(" --policy a.yaml"));
        assert_eq!(of("it's;rm.yaml").as_deref(), Some(" --policy 'it'\\''s;rm.yaml'"));
        assert_eq!(of("a\u{1b}[2J.yaml"), None);
    }

    #[test]
    fn the_usual_policy_is_not_named_and_a_line_cut_in_pieces_is_one_line() {
        let (mut usual, mut other) = (Vec::new(), Vec::new());
        for (out, policy) in [(&mut usual, DEFAULT_POLICY), (&mut other, "b.yaml")] {
            let mut pasteable = Pasteable::naming(out, Some(Path::new(policy)), None);
            for part in ["run `prod", "pin enf", "orce`\nlast: prodpin verify"] {
                pasteable.write_all(part.as_bytes()).unwrap();
            }
            pasteable.flush().unwrap();
        }
        assert_eq!(usual, b"run `prodpin enforce`\nlast: prodpin verify");
        assert_eq!(other, b"run `prodpin enforce --policy b.yaml`\nlast: prodpin verify --policy b.yaml");
    }
}
