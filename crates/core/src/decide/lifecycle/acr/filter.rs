//! `--filter`: an expression of repositories and one of tags, parted by a colon.

use std::collections::BTreeMap;

use super::regexp2::{Regexp, RegexpError};
use super::{Ended, Unclear};
use crate::model::AcrRepository;

/// The repositories that the command looks at, each with its filters of tags as one expression.
pub(super) fn collect<'r>(
    filters: &[String],
    repositories: &'r [AcrRepository],
) -> Result<BTreeMap<&'r str, String>, FilterError> {
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    for filter in filters {
        let (of_repositories, of_tags) = split(filter)?;
        // Without a group: of alternatives only the first is held to the start and the last to the end.
        let anchored = format!("^{of_repositories}$");
        let expression = Regexp::parse(&anchored).map_err(|error| refused(error, of_repositories))?;
        for repository in repositories {
            let name = repository.name.as_str();
            if expression.is_match(name).map_err(|error| refused(error, of_repositories))? {
                found
                    .entry(name)
                    .and_modify(|known| {
                        known.push('|');
                        known.push_str(of_tags);
                    })
                    .or_insert_with(|| of_tags.to_owned());
            }
        }
    }
    Ok(found)
}

/// Why the filters are not what a command can go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FilterError {
    Ended(Ended),
    Unclear(Unclear),
}

fn refused(error: RegexpError, expression: &str) -> FilterError {
    match error {
        RegexpError::Refused => FilterError::Ended(Ended::Expression(expression.to_owned())),
        RegexpError::Unsure => FilterError::Unclear(Unclear(expression.to_owned())),
    }
}

/// Parts a filter at its one colon. Those of `(?i:…)` and of `[[:alpha:]]` do not count.
fn split(filter: &str) -> Result<(&str, &str), FilterError> {
    // A colon is made a line's end first, so that a line's end parts as well.
    let mut parts: Vec<&str> = Vec::new();
    let mut start = 0;
    for (at, _) in filter.match_indices(':').filter(|(at, _)| parts_at(filter, *at)) {
        parts.extend(filter[start..at].split("\r\n"));
        start = at + 1;
    }
    parts.extend(filter[start..].split("\r\n"));
    match parts.as_slice() {
        ["", _] => Err(FilterError::Ended(Ended::Filter("missing repository name/expression"))),
        [_, ""] => Err(FilterError::Ended(Ended::Filter("missing tag name/expression"))),
        [repositories, tags] => Ok((repositories, tags)),
        _ => Err(FilterError::Ended(Ended::Filter("unable to correctly parse filter flag"))),
    }
}

/// Whether the colon there parts a filter: it stands neither behind `(?` and up to five flags, nor behind a bracket that
/// at most carets follow, nor before a closing bracket.
fn parts_at(filter: &str, at: usize) -> bool {
    let before = &filter[..at];
    let without_flags = before.trim_end_matches(['i', 'm', 's', 'U', '-']);
    let of_flags = without_flags.ends_with("(?") && before.len() - without_flags.len() <= 5;
    let of_class = before.trim_end_matches('^').ends_with('[');
    !of_flags && !of_class && !filter[at + 1..].starts_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `repository.GetRepositoryAndTagRegex` made of each.
    #[test]
    fn a_filter_has_one_colon_beside_those_of_groups_and_classes() {
        for (filter, parts) in [
            ("shop/api:^v.*", ("shop/api", "^v.*")),
            ("(?i:SHOP/api):.*", ("(?i:SHOP/api)", ".*")),
            ("shop/api:v(?:1|2)", ("shop/api", "v(?:1|2)")),
            ("shop/api:[[:alpha:]]+", ("shop/api", "[[:alpha:]]+")),
            ("shop/api:[[:^alpha:]]", ("shop/api", "[[:^alpha:]]")),
            ("shop/api:(?ims-U:v)", ("shop/api", "(?ims-U:v)")),
            ("shop/api\r\nv1", ("shop/api", "v1")),
        ] {
            assert_eq!(split(filter), Ok(parts), "{filter:?}");
        }
        for filter in ["shop/api", "", ":", ":.*", "shop/api:", "a:b:c", "a:b\r\nc", "a:[x:]", "a:(?imsimsU:b)"] {
            let parted = split(filter);
            // In the last two a colon is taken for a class's, or not for a group's.
            let expected = filter != "a:[x:]";
            assert_eq!(parted.is_err(), expected, "{filter:?}: {parted:?}");
        }
    }
}
