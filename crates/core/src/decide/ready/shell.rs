//! Words of a command line. Names come from clusters, accounts and registries, and what a person pastes at night runs
//! with that person's rights: a name that cannot be written safely is refused, and no command is made of it (I19).

use std::fmt;

/// Longer names than any platform takes.
const LONGEST: usize = 1_024;

/// A word that any shell reads as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShellWord(String);

/// A name that no command is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsafe;

impl ShellWord {
    /// Quotes a name where it needs to be. Refused: what an option looks like, quotes and backslashes, and everything
    /// that is not printable ASCII, which a terminal could show as something else.
    pub(super) fn read(name: &str) -> Result<Self, Unsafe> {
        Self::behind("", name)
    }

    /// The same with words of our own right before the name: `--to-revision=3`.
    fn behind(before: &str, name: &str) -> Result<Self, Unsafe> {
        let safe = |byte: u8| (0x20..0x7f).contains(&byte) && !matches!(byte, b'\'' | b'\\' | b'`');
        if name.is_empty() || name.len() > LONGEST || name.starts_with('-') || !name.bytes().all(safe) {
            return Err(Unsafe);
        }
        let name = format!("{before}{name}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@=,+%".contains(&byte);
        Ok(Self(match name.bytes().all(plain) {
            true => name,
            false => format!("'{name}'"),
        }))
    }
}

impl fmt::Display for ShellWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command in the making.
#[derive(Debug, Clone)]
pub(super) struct Command(Result<String, Unsafe>);

impl Command {
    /// Starts with words of our own.
    pub(super) fn new(words: &'static str) -> Self {
        Self(Ok(words.to_owned()))
    }

    /// Adds words of our own.
    pub(super) fn say(mut self, words: &'static str) -> Self {
        if let Ok(line) = &mut self.0 {
            line.push(' ');
            line.push_str(words);
        }
        self
    }

    /// Adds a name.
    pub(super) fn name(self, name: &str) -> Self {
        self.glued("", name)
    }

    /// Adds a name right behind words of our own: `deployment/NAME`.
    pub(super) fn glued(self, before: &str, name: &str) -> Self {
        self.word(ShellWord::behind(before, name))
    }

    /// Adds an option with a name, if there is one: `--context NAME`.
    pub(super) fn option(self, option: &'static str, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.say(option).name(name),
            None => self,
        }
    }

    /// A command of a cluster's client, with the options that say where. A plugin's name comes before all options: the client
    /// refuses any that stands in front of it.
    pub(super) fn in_cluster(
        program: &'static str,
        verb: &'static str,
        context: Option<&str>,
        namespace: Option<&str>,
    ) -> Self {
        let place = |command: Self| command.option("--context", context).option("--namespace", namespace);
        match verb.starts_with("argo rollouts ") {
            true => place(Self::new(program).say(verb)),
            false => place(Self::new(program)).say(verb),
        }
    }

    fn word(mut self, word: Result<ShellWord, Unsafe>) -> Self {
        match (&mut self.0, word) {
            (Ok(line), Ok(word)) => {
                line.push(' ');
                line.push_str(&word.0);
            }
            (_, Err(refused)) => self.0 = Err(refused),
            (Err(_), _) => {}
        }
        self
    }

    /// The line, unless a name in it was refused.
    pub(super) fn line(self) -> Result<String, Unsafe> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_refused_i19() {
        for (name, expected) in [
            ("api", Some("api")),
            ("arn:aws:eks:eu-west-1:1:cluster/x", Some("arn:aws:eks:eu-west-1:1:cluster/x")),
            ("a b", Some("'a b'")),
            ("a;rm -rf $HOME", Some("'a;rm -rf $HOME'")),
            ("$(id)", Some("'$(id)'")),
            ("", None),
            ("--kubeconfig=/tmp/x", None),
            ("a'b", None),
            ("a\\b", None),
            ("a`id`", None),
            ("a\nb", None),
            ("a\u{1b}[2J", None),
            ("a\u{202e}b", None),
            ("\u{430}pi", None),
        ] {
            assert_eq!(ShellWord::read(name).ok().map(|word| word.to_string()).as_deref(), expected, "{name:?}");
        }
        assert!(ShellWord::read(&"a".repeat(2_000)).is_err());
    }

    #[test]
    fn no_option_stands_before_a_plugin_s_name() {
        let line = |verb| Command::in_cluster("kubectl", verb, Some("eu"), Some("shop")).name("api").line().unwrap();
        assert_eq!(line("argo rollouts abort"), "kubectl argo rollouts abort --context eu --namespace shop api");
        assert_eq!(line("annotate"), "kubectl --context eu --namespace shop annotate api");
    }

    #[test]
    fn one_bad_name_spoils_the_command() {
        let command = || Command::new("kubectl").option("--context", Some("prod")).say("rollout undo");
        let line = command().glued("deployment/", "api").glued("--to-revision=", "3").line();
        assert_eq!(line.unwrap(), "kubectl --context prod rollout undo deployment/api --to-revision=3");
        assert!(command().glued("deployment/", "a'b").say("--wait").line().is_err());
        assert!(command().glued("deployment/", "--all").line().is_err());
    }
}
