//! Which rules reach a repository's job (J11).

use super::failure::Failure;
use super::policy::{RetentionPolicy, RetentionRule, SelectorText, of_repositories};
use super::selector::{Candidate, Selector};

/// What becomes of one repository when a policy is executed.
#[derive(Debug, Clone, PartialEq)]
pub enum Launch<'p> {
    /// No enabled rule takes it: nothing of it is looked at.
    Untouched,
    /// A job of its own, with these rules.
    Job(Vec<&'p RetentionRule>),
    /// The whole execution fails, for every repository of the project.
    Failed(Failure),
}

/// Executes the policy over a project with these repositories, for one of them. A pattern that is malformed for any of
/// them fails all.
#[must_use]
pub fn launch<'p>(policy: &'p RetentionPolicy, project: &str, repositories: &[&str], repository: &str) -> Launch<'p> {
    let mut rules = Vec::new();
    for rule in policy.rules.iter().filter(|rule| !rule.disabled) {
        let taken = in_project(policy, rule, project).and_then(|is_in| match is_in {
            true => taken(of_repositories(&rule.scope_selectors), project, repositories.to_vec()),
            false => taken(of_repositories(&rule.scope_selectors), project, Vec::new()),
        });
        match taken {
            Ok(taken) if taken.contains(&repository) => rules.push(rule),
            Ok(_) => {}
            Err(failure) => return Launch::Failed(failure),
        }
    }
    if rules.is_empty() { Launch::Untouched } else { Launch::Job(rules) }
}

/// Whether the rule is about the project at all. Only policies of a system choose; the API takes none.
fn in_project(policy: &RetentionPolicy, rule: &RetentionRule, project: &str) -> Result<bool, Failure> {
    match policy.scope.level.as_str() {
        "project" => Ok(true),
        "system" => {
            for text in rule.scope_selectors.get("project").into_iter().flatten() {
                let candidate = Candidate { project, repository: "", tags: &[] };
                if !Selector::build_without_extras(text)?.takes(&candidate)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Those of the repositories that every selector takes. Selectors of tags find none, so that their extras decide.
fn taken<'r>(selectors: &[SelectorText], project: &str, mut left: Vec<&'r str>) -> Result<Vec<&'r str>, Failure> {
    for text in selectors {
        let selector = Selector::build(text)?;
        let mut next = Vec::new();
        for repository in left {
            if selector.takes(&Candidate { project, repository, tags: &[] })? {
                next.push(repository);
            }
        }
        left = next;
    }
    Ok(left)
}
