//! ECR sources: an account and a region that AWS could have, and principals by ARN.

use std::sync::Arc;

use super::check::Checker;
use super::patterns::Confirmation;
use super::pins::RawLifecycle;
use super::problem::Span;
use super::raw::{RawEcr, RawEcrRegistry};
use super::spanned::Spanned;
use super::{EcrConfig, Secret};
use prodpin_core::model::{is_account, is_region};

impl Checker<'_> {
    pub(super) fn ecr(&self, raw: &RawEcr, span: Span) -> Option<EcrConfig> {
        let confirmation = Confirmation { all: &raw.all, what: "repository" };
        let repositories = self.patterns(&raw.repositories, span, &confirmation);
        if let Some(patterns) = &repositories {
            self.repository_names(&raw.repositories, patterns);
        }
        let (_, registry) = raw.ecr.read()?;
        let endpoint = registry.endpoint.span().and_then(|_| self.server(&registry.endpoint));
        let assume_role = self.role(&registry.assume_role);
        let external_id = self.filled(&registry.external_id).map(Secret::new);
        if let (Some(at), None) = (registry.external_id.span(), registry.assume_role.span()) {
            self.problems.error(at, "external_id without assume_role", "add assume_role".to_owned());
        }
        let account = self.account(&registry.registry);
        self.tell_other_account(registry, account.as_deref(), assume_role.as_deref());
        Some(EcrConfig {
            region: self.region(&registry.region),
            assume_role,
            external_id,
            registry: account,
            endpoint,
            may_delete: self.principals(&registry.may_delete),
            manages_lifecycle: raw.lifecycle.value() == Some(&RawLifecycle::Manage),
            asks_cloudtrail: raw.who.value() == Some(&true),
            repositories: repositories?,
            max_concurrency: self.concurrency(&registry.max_concurrency),
        })
    }

    pub(super) fn region(&self, spanned: &Spanned<String>) -> Option<String> {
        let region = self.filled(spanned)?;
        let (at, _) = spanned.read()?;
        if !is_region(&region) {
            self.problems.error(at, "this is no region", "write it as AWS does, such as eu-west-1".to_owned());
        }
        Some(region)
    }

    pub(super) fn account(&self, spanned: &Spanned<String>) -> Option<String> {
        let account = self.filled(spanned)?;
        let (at, _) = spanned.read()?;
        if !is_account(&account) {
            self.problems.error(at, "this is no AWS account", "write its 12 digits".to_owned());
        }
        Some(account)
    }

    pub(super) fn role(&self, spanned: &Spanned<String>) -> Option<String> {
        let role = self.filled(spanned)?;
        let (at, _) = spanned.read()?;
        let parts: Vec<&str> = role.splitn(6, ':').collect();
        let valid = match parts[..] {
            ["arn", partition, "iam", "", account, name] => {
                is_partition(partition) && is_account(account) && name.strip_prefix("role/").is_some_and(is_path)
            }
            _ => false,
        };
        if !valid {
            let fix = "write it as arn:aws:iam::111122223333:role/NAME".to_owned();
            self.problems.error(at, "this is no ARN of a role", fix);
        }
        Some(role)
    }

    /// A role of one account can look into another's registry, and rarely is meant to.
    fn tell_other_account(&self, registry: &RawEcrRegistry, account: Option<&str>, role: Option<&str>) {
        let theirs = role.and_then(|role| role.split(':').nth(4));
        if let (Some(at), Some(ours), Some(theirs)) = (registry.registry.span(), account, theirs)
            && ours != theirs
            && is_account(theirs)
            && !registry.registry.from_environment
            && !registry.assume_role.from_environment
        {
            let message = format!(
                "the role is of account {theirs}, and the registry of {ours}: every repository's own policy must let it in"
            );
            self.problems.warn(at, message);
        }
    }

    fn principals(&self, spanned: &Spanned<Vec<Spanned<String>>>) -> Arc<[Box<str>]> {
        let mut principals: Vec<Box<str>> = Vec::new();
        for entry in spanned.value().into_iter().flatten() {
            let Some((span, text)) = entry.read() else { continue };
            if is_principal(text) {
                principals.push(text.as_str().into());
            } else if text == "*" {
                let fix = "name those who clean up, by ARN".to_owned();
                self.problems.error(span, "this lets everybody delete", fix);
            } else {
                let fix = "write it as arn:aws:iam::111122223333:role/NAME; * stands for anything".to_owned();
                self.problems.error(span, "this is no ARN of a principal", fix);
            }
        }
        principals.into()
    }
}

fn is_partition(text: &str) -> bool {
    text == "aws" || text.strip_prefix("aws-").is_some_and(|rest| !rest.is_empty() && is_path(rest))
}

/// What may stand in a role's path and name.
fn is_path(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&byte);
    !text.is_empty() && text.len() <= 576 && text.bytes().all(allowed)
}

/// `arn:PARTITION:iam|sts::ACCOUNT:…`, where the account and what follows may hold `*`.
fn is_principal(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "iam" | "sts", "", account, name] => {
            is_partition(partition)
                && (is_account(account) || account == "*")
                && !name.is_empty()
                && (account, name) != ("*", "*")
                && is_path(&name.replace(['*', '?'], "x"))
        }
        _ => false,
    }
}
