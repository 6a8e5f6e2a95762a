//! An `acr purge` command line, read as the command reads it.

use super::{AcrCommand, AcrPurge};

/// Flags that say where and how, and not what goes. Their values are read over.
const ELSEWHERE: [&str; 7] = [
    "registry",
    "username",
    "config",
    "concurrency",
    "repository-page-size",
    "filter-timeout",
    "filter-timeout-seconds",
];

/// The flags that say what goes, and have a value. The line is shown in reports, so that a password in it is refused (I18).
const VALUED: [&str; 4] = ["filter", "ago", "keep", "password"];

/// The flags that switch something on.
const SWITCHES: [&str; 4] = ["untagged", "untagged-only", "include-locked", "dry-run"];

impl AcrCommand {
    /// Reads a command line, with or without `acr purge` in front. The error is a clause for a person.
    pub fn parse(line: &str) -> Result<Self, String> {
        let words = words(line)?;
        if words.first().is_some_and(|word| word == "az") && words.iter().any(|word| word.starts_with("--cmd")) {
            return Err(format!("write only what stands in --cmd, such as acr purge {FILTER} --ago 30d"));
        }
        let mut words = words.into_iter().peekable();
        if words.next_if(|word| word == "acr").is_some() && words.next_if(|word| word == "purge").is_none() {
            return Err("only `acr purge` is simulated".to_owned());
        }
        let mut purge = AcrPurge::default();
        while let Some(word) = words.next() {
            let (name, mut value) = flag(&word)?;
            let is_switch = SWITCHES.contains(&name.as_str());
            if !is_switch && !VALUED.contains(&name.as_str()) && !ELSEWHERE.contains(&name.as_str()) {
                return Err(format!("--{name} is no flag of acr purge that prodpin knows, and may delete more"));
            }
            if value.is_none() && !is_switch {
                value = Some(words.next().ok_or_else(|| format!("--{name} has no value"))?);
            }
            set(&mut purge, &name, value)?;
        }
        check(&purge)?;
        Ok(Self { line: line.trim().into(), purge })
    }
}

/// What the command refuses to start with.
fn check(purge: &AcrPurge) -> Result<(), String> {
    match purge {
        AcrPurge { untagged: true, untagged_only: true, .. } => {
            Err("--untagged and --untagged-only exclude each other".to_owned())
        }
        AcrPurge { untagged_only: false, filters, .. } if filters.is_empty() => {
            Err("--filter is required without --untagged-only".to_owned())
        }
        AcrPurge { untagged_only: false, ago: None, .. } => Err("--ago is required without --untagged-only".to_owned()),
        _ => Ok(()),
    }
}

fn flag(word: &str) -> Result<(String, Option<String>), String> {
    let Some(rest) = word.strip_prefix('-') else { return Err(format!("{word:?} is no flag of acr purge")) };
    if let Some(long) = rest.strip_prefix('-') {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        return Ok((name.to_owned(), value.map(str::to_owned)));
    }
    let mut letters = rest.chars();
    let name = match letters.next() {
        Some('f') => "filter",
        Some('r') => "registry",
        Some('u') => "username",
        Some('p') => "password",
        Some('c') => "config",
        _ => return Err(format!("{word:?} is no flag of acr purge")),
    };
    let value = letters.as_str();
    let value = value.strip_prefix('=').unwrap_or(value);
    Ok((name.to_owned(), Some(value).filter(|value| !value.is_empty()).map(str::to_owned)))
}

/// What cannot be meant as it stands. The command takes some of it all the same, for something else.
fn check_value(name: &str, value: &str) -> Result<(), String> {
    let is_read = matches!(name, "filter" | "ago" | "keep");
    let wrong = match name {
        _ if is_read && value.contains("{{") => "holds {{, which a task fills in: write what it comes to",
        "filter" if !value.contains(':') => "has no colon: write which repositories, a colon, and which tags",
        "ago" if !is_ago(value) => "is no duration: write days, and hours or minutes behind them",
        "keep" if value.starts_with('-') => "is negative: write how many tags stay",
        _ => return Ok(()),
    };
    Err(format!("--{name} {value} {wrong}, such as {}", right(name)))
}

/// A filter as it is meant.
const FILTER: &str = "--filter 'shop/api:^dev-'";

/// How a flag is written.
fn right(name: &str) -> &'static str {
    match name {
        "ago" => "--ago 30d",
        "keep" => "--keep 5",
        _ => FILTER,
    }
}

/// Whether it is days in front of one of Go's durations, or one of the two: `30d`, `1d12h`, `1h30m`.
fn is_ago(text: &str) -> bool {
    let unsigned = |text: &str| text.strip_prefix(['-', '+']).unwrap_or(text).to_owned();
    let is_number = |days: &str| days.bytes().all(|byte| byte.is_ascii_digit()) && days.parse::<i64>().is_ok();
    let text = unsigned(text.trim());
    match text.split_once('d') {
        Some((days, rest)) => is_number(days) && (rest.is_empty() || is_duration(&unsigned(rest.trim_start()))),
        None => is_duration(&text),
    }
}

/// Go's units, in seconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("\u{b5}s", 1e-6),
    ("\u{3bc}s", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
];

/// Go counts nanoseconds in 63 bits: a longer time is none there.
const LONGEST: f64 = 9_223_372_036.0;

fn is_duration(text: &str) -> bool {
    text == "0" || (!text.is_empty() && seconds(text).is_some_and(|seconds| seconds <= LONGEST))
}

/// Numbers with their units, one after the other.
fn seconds(text: &str) -> Option<f64> {
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let behind = rest.trim_start_matches(is_of_number);
        let number: f64 = rest[..rest.len() - behind.len()].parse().ok()?;
        let (unit, after) = behind.split_at(behind.find(is_of_number).unwrap_or(behind.len()));
        let &(_, each) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number * each;
        rest = after;
    }
    Some(total)
}

fn set(purge: &mut AcrPurge, name: &str, value: Option<String>) -> Result<(), String> {
    check_value(name, value.as_deref().unwrap_or_default())?;
    let switched = || match value.as_deref() {
        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(format!("--{name}={other} is neither true nor false")),
    };
    match name {
        "untagged" => purge.untagged = switched()?,
        "untagged-only" => purge.untagged_only = switched()?,
        "include-locked" => purge.include_locked = switched()?,
        "dry-run" => purge.dry_run = switched()?,
        "filter" => purge.filters.extend(value),
        "ago" => purge.ago = value,
        "keep" => {
            let text = value.unwrap_or_default();
            purge.keep = text.parse().map_err(|_| format!("--keep {text} is no number, such as {}", right("keep")))?;
        }
        "password" => return Err("it holds a password, and the line stands in reports: take that flag out".to_owned()),
        _ => {}
    }
    Ok(())
}

/// Whether a shell takes a character as it stands. What it would fill in or run is not known here.
fn stands_for_itself(quote: Option<char>, c: char, next: Option<char>) -> bool {
    let begins = |next: char| next.is_ascii_alphabetic() || matches!(next, '_' | '{' | '(');
    match (quote, c) {
        (Some('\''), _) => true,
        (_, '`') | (None, ';' | '&' | '|' | '<' | '>') => false,
        (_, '$') => !next.is_some_and(begins),
        _ => true,
    }
}

/// Says that a character is the shell's, and at which flag it stands.
fn shells(c: char, words: &[String], word: Option<&str>) -> String {
    let mut read = word.into_iter().chain(words.iter().rev().map(String::as_str));
    let flag = read.find(|word| word.starts_with('-')).and_then(|word| word.split('=').next());
    let place = flag.map_or_else(|| "in it".to_owned(), |flag| format!("behind {flag}"));
    let example = right(flag.unwrap_or_default().trim_start_matches('-'));
    format!(
        "{c:?} {place} is the shell's: write each command as an entry of its own, what a variable comes to in its place, \
         and an expression in single quotes, such as {example}"
    )
}

/// The words of a command line, as a shell parts them.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::<String>::new(), None::<String>, None);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            _ if !stands_for_itself(quote, c, rest.clone().next()) => return Err(shells(c, &words, word.as_deref())),
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => match rest.next() {
                Some('\n') => {}
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("it ends in a backslash".to_owned()),
            },
            (Some('"'), '\\') => match rest.next() {
                Some(next @ ('"' | '\\' | '$' | '`')) => word.get_or_insert_default().push(next),
                Some(next) => word.get_or_insert_default().extend(['\\', next]),
                None => return Err("a quote does not end".to_owned()),
            },
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(_) => Err("a quote does not end".to_owned()),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> AcrPurge {
        AcrCommand::parse(line).unwrap().purge
    }

    #[test]
    fn a_command_line_is_read_as_the_command_reads_it_k49() {
        let full = read(
            "acr purge -r {{.Run.Registry}} --filter 'shop/api:^dev-' -f \"shop/web:v\\d\" --ago=30d --keep 5 --untagged \
             --include-locked=false --concurrency 4 --dry-run",
        );
        let expected = AcrPurge {
            filters: vec!["shop/api:^dev-".to_owned(), r"shop/web:v\d".to_owned()],
            ago: Some("30d".to_owned()),
            keep: 5,
            untagged: true,
            dry_run: true,
            ..AcrPurge::default()
        };
        assert_eq!(full, expected);
        assert!(read("acr purge --untagged-only").untagged_only);
        assert!(
            read("purge-is-optional/x:.* --filter x:y --ago 1d".trim_start_matches("purge-is-optional/x:.* ")).filters
                == ["x:y"]
        );
        assert!(read("--filter x:.* --ago 0d --include-locked").include_locked);
        assert_eq!(read(r"--filter a\ b:c --ago 1d").filters, ["a b:c"]);
    }

    #[test]
    fn what_stands_for_itself_is_taken_as_it_stands_k49() {
        for (line, filter) in [
            ("--filter 'x:`a`;$b|c' --ago 1d", "x:`a`;$b|c"),
            (r#"--filter "x:^(a|b)$" --ago 1d"#, "x:^(a|b)$"),
            (r#"--filter "x:\$a" --ago 1d"#, "x:$a"),
            (r"--filter x:a\|b$ --ago 1d", "x:a|b$"),
        ] {
            assert_eq!(read(line).filters, [filter], "{line}");
        }
        for ago in ["30d", "0d", "1d12h", "'7d 3h'", "1h30m", "1.5h", "0", "-1d", "2d-1h", "90s", "1000000h"] {
            assert_eq!(read(&format!("--filter x:y --ago {ago}")).ago.as_deref(), Some(ago.trim_matches('\'')));
        }
    }

    #[test]
    fn what_may_delete_more_than_is_read_is_refused_k48() {
        for (line, why) in [
            ("acr purge --ago 3d", "--filter is required"),
            ("acr purge --filter x:.*", "--ago is required"),
            ("acr purge --untagged --untagged-only --filter x:y --ago 1d", "exclude each other"),
            ("acr purge --filter x:.* --ago 1d --everything", "--everything is no flag"),
            ("acr purge --filter x:.* --ago 1d --keep many", "no number"),
            ("acr purge --filter x:.* --ago 1d --untagged=perhaps", "neither true nor false"),
            ("acr purge --filter 'x:.* --ago 1d", "quote"),
            ("acr purge --ago 1d --filter", "--filter has no value"),
            ("acr manifest delete", "only `acr purge`"),
            ("az acr repository delete", "\"az\" is no flag"),
            ("--filter x:y --ago 1d --include-locked false", "\"false\" is no flag"),
            (r"--filter x:y --ago 1d \", "backslash"),
            ("--filter x:y --ago 1d -p secret", "it holds a password"),
            ("az acr run --cmd \"acr purge --filter 'x:y' --ago 1d\" /dev/null", "write only what stands in --cmd"),
            ("--filter x:a|b --ago 1d", "'|' behind --filter is the shell's"),
            ("--filter x:y --ago 1d && acr purge", "'&' behind --ago is the shell's"),
            ("--filter x:y --ago 1d; date", "';' behind --ago is the shell's"),
            ("--filter x:y --ago 1d > log", "'>' behind --ago"),
            ("--filter x:y --ago 1d < log", "'<' behind --ago"),
            ("--filter=x:$TAGS --ago 1d", "'$' behind --filter"),
            ("--filter \"x:${TAGS}\" --ago 1d", "such as --filter 'shop/api:^dev-'"),
            ("--filter x:y --ago $(age)", "such as --ago 30d"),
            ("--filter \"x:`date`\" --ago 1d", "'`' behind --filter"),
            ("--filter x:{{.Values.tags}} --ago 1d", "--filter x:{{.Values.tags}} holds {{"),
            ("--filter x:y --ago {{.Values.age}}", "--ago {{.Values.age}} holds {{"),
            ("--filter x:y --ago 1d --keep {{.Values.keep}}", "such as --keep 5"),
            ("--filter x --ago 1d", "--filter x has no colon"),
            ("--filter x:y --ago 30", "--ago 30 is no duration"),
            ("--filter x:y --ago 7dxyz", "--ago 7dxyz is no duration"),
            ("--filter x:y --ago 3h5d", "is no duration"),
            ("--filter x:y --ago 1.5d", "is no duration"),
            ("--filter x:y --ago 1w", "is no duration"),
            ("--filter x:y --ago 99999999999999999999d", "is no duration"),
            ("--filter x:y --ago 99999999h", "is no duration"),
            ("--filter x:y --ago ''", "is no duration"),
            ("--filter x:y --ago 1d --keep -1", "--keep -1 is negative"),
        ] {
            let refused = AcrCommand::parse(line).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
    }
}
