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
        let mut words = words(line)?.into_iter().peekable();
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

fn set(purge: &mut AcrPurge, name: &str, value: Option<String>) -> Result<(), String> {
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
            purge.keep = text.parse().map_err(|_| format!("--keep {text} is no number"))?;
        }
        "password" => return Err("take --password out of it: the line stands in reports".to_owned()),
        _ => {}
    }
    Ok(())
}

/// The words of a command line, as a shell parts them.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
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
            ("--filter x:y --ago 1d -p secret", "take --password out"),
        ] {
            let refused = AcrCommand::parse(line).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
    }
}
