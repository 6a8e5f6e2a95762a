//! Commands that a page prints are pasted as they stand. Where a policy other than the usual one was named, they name it,
//! too: only here is that known, and no finding's text depends on where a policy lies.

use std::io::{self, Write};
use std::path::Path;

use super::arguments::DEFAULT_POLICY;

/// Commands that read the policy.
const COMMANDS: [&str; 12] = [
    "audit", "check", "drill", "enforce", "forecast", "history", "ready", "release", "report", "restore", "verify",
    "watch",
];

/// Takes a page's lines, and completes the commands in them.
pub(super) struct Pasteable<'a> {
    out: &'a mut dyn Write,
    flag: Option<String>,
    line: Vec<u8>,
}

impl<'a> Pasteable<'a> {
    /// `policy` is the file as it was named; none where repositories were named instead.
    pub(super) fn new(out: &'a mut dyn Write, policy: Option<&Path>) -> Self {
        let said = std::env::var_os("PRODPIN_POLICY");
        // Whoever pastes into the same shell has the variable there.
        let named =
            policy.filter(|path| *path != Path::new(DEFAULT_POLICY) && Some(path.as_os_str()) != said.as_deref());
        Self { out, flag: named.and_then(flag), line: Vec::new() }
    }

    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        match (&self.flag, std::str::from_utf8(&line)) {
            (Some(flag), Ok(text)) => self.out.write_all(completed(text, flag).as_bytes()),
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

/// The line with the flag in every command of ours that is there to be pasted.
fn completed(line: &str, flag: &str) -> String {
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
        let pasted = alone || before.ends_with(['`', '(']) || before.ends_with(": ");
        if let (Some(command), true) = (command, pasted) {
            done.push_str(command);
            done.push_str(flag);
            rest = &after[command.len()..];
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
        let flag = flag(Path::new("team a/prod.yaml")).unwrap();
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
            ("prodpin audit · 2026-11-29", "prodpin audit · 2026-11-29"),
            ("`prodpin readyness`, `prodpin explain CODE`", "`prodpin readyness`, `prodpin explain CODE`"),
        ] {
            assert_eq!(completed(line, &flag), expected);
        }
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
            let mut pasteable = Pasteable::new(out, Some(Path::new(policy)));
            for part in ["run `prod", "pin enf", "orce`\nlast: prodpin verify"] {
                pasteable.write_all(part.as_bytes()).unwrap();
            }
            pasteable.flush().unwrap();
        }
        assert_eq!(usual, b"run `prodpin enforce`\nlast: prodpin verify");
        assert_eq!(other, b"run `prodpin enforce --policy b.yaml`\nlast: prodpin verify --policy b.yaml");
    }
}
