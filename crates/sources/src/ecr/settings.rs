//! What the whole registry has: pull-through cache rules, replication, creation templates. None of it changes what
//! protects an image that is there, so whoever may not read it runs complete all the same (A46–A48).

use prodpin_core::model::{Cause, Digest, Gap, RepositoryName, Scope, SettingFacts};

use super::Registry;
use super::failure::EcrFailure;
use super::transport::Call;
use prodpin_net::cursor::Cursor;

/// Prefixes of repositories with the upstream that they cache.
pub(super) type CacheRules = Vec<(String, String)>;

/// Entries of one of these lists at most: AWS allows 50 rules, and as many templates.
const MOST: usize = 10_000;

/// The prefix that stands for every repository that no other rule covers.
const ROOT: &str = "ROOT";

pub(super) async fn settings(registry: &Registry) -> (SettingFacts, Vec<Gap>) {
    let (cache, replication, templates) =
        tokio::join!(cache_rules(registry), replication(registry), templates(registry));
    let mut gaps = Vec::new();
    let cache = optional(cache);
    // What the first run of a process reads, its repositories are judged by.
    let _ = registry.cache.set(cache.clone());
    if registry.transport.account().is_none() {
        let detail = "whose registry this is could not be told, so references that name its account lead nowhere; write \
                      registry: under ecr: in the policy";
        gaps.push(Gap::new(Scope::Source, Cause::Denied, detail));
    }
    let hash = |lines: Vec<String>| Digest::sha256(lines.join("\n").as_bytes());
    let facts = SettingFacts::EcrRegistry {
        registry: registry.transport.account().unwrap_or_default().to_owned(),
        region: registry.transport.region().to_owned(),
        cache: cache.map(|rules| hash(rules.into_iter().map(|(prefix, from)| format!("{prefix} {from}")).collect())),
        replication: optional(replication).flatten().map(hash),
        templates: optional(templates).flatten().map(hash),
    };
    (facts, gaps)
}

/// The upstream that a repository caches. Where the rules could not be read it counts as none, and then its tags'
/// moves are reported rather than excused.
pub(super) async fn cached_from(registry: &Registry, name: &RepositoryName) -> Option<Box<str>> {
    let rules = registry.cache.get_or_init(|| async { optional(cache_rules(registry).await) }).await;
    upstream(rules.as_deref()?, name.as_str()).map(Box::from)
}

/// The longest prefix decides.
fn upstream<'r>(rules: &'r [(String, String)], name: &str) -> Option<&'r str> {
    let covers = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    let named = rules.iter().filter(|(prefix, _)| covers(prefix)).max_by_key(|(prefix, _)| prefix.len());
    named.or_else(|| rules.iter().find(|(prefix, _)| prefix == ROOT)).map(|(_, from)| from.as_str())
}

/// What is lacking here is no gap, whatever the reason: it changes no verdict.
fn optional<T>(read: Result<T, EcrFailure>) -> Option<T> {
    read.map_err(|failure| match failure.cause {
        Cause::Denied | Cause::Unsupported => {
            tracing::info!("{}; nothing that is judged depends on it", failure.detail)
        }
        _ => tracing::warn!("{}; nothing that is judged depends on it", failure.detail),
    })
    .ok()
}

async fn cache_rules(registry: &Registry) -> Result<CacheRules, EcrFailure> {
    let (transport, call) = (&registry.transport, Call::registry("DescribePullThroughCacheRules"));
    let (mut rules, mut cursor) = (Vec::new(), Cursor::default());
    loop {
        let (id, token) = (registry.id(), cursor.token());
        let page = transport.call(call, |client| {
            let request = client.describe_pull_through_cache_rules().set_registry_id(id.clone());
            request.max_results(registry.page_size).set_next_token(token.clone()).send()
        });
        let page = page.await?;
        let Some(found) = page.pull_through_cache_rules else {
            return Err(transport.malformed(&call, "a page without a list of rules"));
        };
        let is_empty = found.is_empty();
        for rule in found {
            let (Some(prefix), Some(url)) = (rule.ecr_repository_prefix, rule.upstream_registry_url) else {
                return Err(transport.malformed(&call, "a rule without prefix or upstream"));
            };
            let below = rule.upstream_repository_prefix.filter(|below| !below.is_empty() && below != ROOT);
            let from = below.map_or_else(|| url.clone(), |below| format!("{url}/{below}"));
            rules.push((prefix, from));
        }
        if rules.len() > MOST {
            return Err(transport.malformed(&call, "a list without an end"));
        }
        if !cursor.advance(page.next_token, is_empty).map_err(|why| transport.malformed(&call, why))? {
            rules.sort();
            return Ok(rules);
        }
    }
}

/// None where the answer is about another registry than ours: this call always is about the caller's own.
async fn replication(registry: &Registry) -> Result<Option<Vec<String>>, EcrFailure> {
    let call = Call::registry("DescribeRegistry");
    let answer = registry.transport.call(call, |client| async move { client.describe_registry().send().await }).await?;
    if answer.registry_id() != registry.transport.account() {
        return Ok(None);
    }
    let mut lines: Vec<String> = Vec::new();
    for rule in answer.replication_configuration().map(|configuration| configuration.rules()).unwrap_or_default() {
        let to = rule.destinations().iter().map(|to| format!("to {} {}", to.region(), to.registry_id()));
        let of = rule.repository_filters().iter().map(|of| format!("of {} {}", of.filter_type(), of.filter()));
        let mut parts: Vec<String> = to.chain(of).collect();
        parts.sort();
        lines.push(parts.join(", "));
    }
    lines.sort();
    Ok(Some(lines))
}

async fn templates(registry: &Registry) -> Result<Option<Vec<String>>, EcrFailure> {
    let (transport, call) = (&registry.transport, Call::registry("DescribeRepositoryCreationTemplates"));
    let (mut lines, mut cursor) = (Vec::new(), Cursor::default());
    loop {
        let token = cursor.token();
        let page = transport.call(call, |client| {
            let request = client.describe_repository_creation_templates().max_results(registry.page_size);
            request.set_next_token(token.clone()).send()
        });
        let page = page.await?;
        if page.registry_id().is_some_and(|id| Some(id) != transport.account()) {
            return Ok(None);
        }
        let Some(found) = page.repository_creation_templates else {
            return Err(transport.malformed(&call, "a page without a list of templates"));
        };
        let is_empty = found.is_empty();
        for template in &found {
            let mut filters: Vec<String> = template
                .image_tag_mutability_exclusion_filters()
                .iter()
                .map(|filter| filter.filter().to_owned())
                .collect();
            filters.sort();
            let mut applied: Vec<&str> = template.applied_for().iter().map(|kind| kind.as_str()).collect();
            applied.sort_unstable();
            // What decides how long images stay in repositories that come to be by it (A48).
            lines.push(format!(
                "{:?} {applied:?} {:?} {filters:?} {:?} {:?}",
                template.prefix(),
                template.image_tag_mutability().map(|mode| mode.as_str()),
                template.lifecycle_policy(),
                template.repository_policy(),
            ));
        }
        if lines.len() > MOST {
            return Err(transport.malformed(&call, "a list without an end"));
        }
        if !cursor.advance(page.next_token, is_empty).map_err(|why| transport.malformed(&call, why))? {
            lines.sort();
            return Ok(Some(lines));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_says_what_is_cached_a46() {
        let rule = |prefix: &str, from: &str| (prefix.to_owned(), from.to_owned());
        let rules = [rule("hub", "docker.io"), rule("hub/quay", "quay.io"), rule("k8s", "registry.k8s.io")];
        for (name, expected) in [
            ("hub/library/nginx", Some("docker.io")),
            ("hub/quay/x", Some("quay.io")),
            ("hubris/x", None),
            ("hub", None),
            ("shop/api", None),
        ] {
            assert_eq!(upstream(&rules, name), expected, "{name}");
        }
        let rooted = [rules[0].clone(), rule(ROOT, "ghcr.io")];
        assert_eq!(upstream(&rooted, "shop/api"), Some("ghcr.io"));
        assert_eq!(upstream(&rooted, "hub/x"), Some("docker.io"));
    }
}
