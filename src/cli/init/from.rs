//! `prodpin init --from REGISTRY`: a policy that fits what is there, with what was seen in its comments. Nothing is changed there.

use std::path::Path;

use url::Url;

use super::super::exit::Ending;
use super::super::progress::Bar;
use super::{must_be_free, place};
use crate::decide::propose::{Family, Proposal};
use crate::model::{EcrHost, without_credentials};
use crate::policy::{Policy, parse, registry_at};
use crate::report::escape::terminal;
use crate::run::{LookedAround, look_around};

/// A policy in other words than those that were checked would be a surprise.
const ORIGIN: &str = "the proposed policy";

/// How a registry is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Registry,
    Harbor,
    Ecr,
}

/// Which registry, and what of it.
struct Asked {
    url: Url,
    repositories: Option<String>,
    kind: Kind,
}

pub(in crate::cli) async fn from(path: &Path, registry: &str, bar: &Bar) -> anyhow::Result<Ending> {
    must_be_free(path)?;
    let (url, repositories) = registry_at(registry)?;
    let is_ecr = url.scheme() == "https" && url.port().is_none() && url.host_str().and_then(EcrHost::read).is_some();
    let mut asked = Asked { url, repositories, kind: if is_ecr { Kind::Ecr } else { Kind::Registry } };
    bar.show();
    let mut looked = asked.look().await?;
    if looked.is_harbor {
        asked.kind = Kind::Harbor;
        match asked.look().await? {
            by_its_interface if by_its_interface.listed > 0 => looked = by_its_interface,
            // Its own interface shows these credentials less than the registry does.
            _ => asked.kind = Kind::Registry,
        }
    }
    bar.clear();
    if looked.listed == 0 {
        let why = looked.unread.first().map_or("no repository is listed", String::as_str);
        let host = asked.url.host_str().unwrap_or_default();
        anyhow::bail!(
            "nothing was found at {host}: {why}; name repositories, such as `prodpin init --from {host}/REPOSITORY`, or write a \
             policy with `prodpin init`"
        );
    }
    let text = asked.text(Some(&looked));
    asked.parsed(&text)?;
    place(path, &text, "look through it")
}

impl Asked {
    async fn look(&self) -> anyhow::Result<LookedAround> {
        let policy = self.parsed(&self.text(None))?;
        let (name, config) =
            policy.sources.first_key_value().ok_or_else(|| anyhow::anyhow!("{ORIGIN} has no source"))?;
        look_around(name, config).await.map_err(anyhow::Error::msg)
    }

    fn parsed(&self, text: &str) -> anyhow::Result<Policy> {
        Ok(parse(text, ORIGIN, &|_| None)?)
    }

    /// The policy; before the look, as far as it names the source.
    fn text(&self, looked: Option<&LookedAround>) -> String {
        let none = Proposal::default();
        let proposal = looked.map_or(&none, |looked| &looked.proposal);
        let seen = looked.map(|looked| self.seen(looked)).unwrap_or_default();
        format!(
            "{seen}version: 1\nkeep: 5\nledger: ./prodpin-ledger\n\nsources:\n{}\nproduction:\n{}{}",
            self.source(),
            production(proposal),
            may_move(proposal)
        )
    }

    fn source(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let address = self.url.as_str().trim_end_matches('/');
        let (name, place) = match (self.kind, EcrHost::read(host)) {
            (Kind::Ecr, Some(EcrHost { account, region })) => {
                ("ecr", format!("    ecr: {{ registry: \"{account}\", region: {region} }}\n"))
            }
            (Kind::Harbor, _) => ("harbor", format!("    harbor: {address}\n")),
            _ => ("registry", format!("    oci: {address}\n")),
        };
        let repositories = match &self.repositories {
            None => "    all: true\n".to_owned(),
            Some(pattern) if pattern.contains(['*', '?', '[', '{']) => {
                format!("    repositories: [{}]\n", quoted(pattern))
            }
            // Harbor has no repository without a project in front.
            Some(name) if self.kind == Kind::Harbor && !name.contains('/') => {
                format!("    repositories: [{}]\n", quoted(&format!("{name}/**")))
            }
            Some(name) => format!("    repositories: [{}, {}]\n", quoted(name), quoted(&format!("{name}/**"))),
        };
        format!("  {name}:\n{place}{repositories}")
    }

    /// What was seen, as comments.
    fn seen(&self, looked: &LookedAround) -> String {
        let mut lines = vec![
            format!("A prodpin policy, proposed from what was seen at {}.", without_credentials(self.url.as_str())),
            "Every line is yours to change. `prodpin check` says what it means; `prodpin init` writes one that shows every key."
                .to_owned(),
            String::new(),
        ];
        let more = if looked.has_more { " at least" } else { "" };
        let read: Vec<&str> = looked.read.iter().map(|name| name.as_str()).collect();
        lines.push(format!(
            "Repositories: {}{more}; the tags of {} were read: {}",
            looked.listed,
            read.len(),
            read.join(", ")
        ));
        for Family { pattern, count, example } in &looked.proposal.releases {
            lines.push(format!("Tags like {example}: {count} (`{pattern}`)"));
        }
        if let Some(other) = &looked.proposal.other {
            lines.push(format!("Other tags: {}, such as {other}", looked.proposal.others));
        }
        if !looked.platforms.is_empty() {
            let platforms: Vec<&str> = looked.platforms.iter().map(String::as_str).collect();
            lines.push(format!("Platforms: {}", platforms.join(", ")));
        }
        lines.extend(looked.unread.iter().map(|detail| format!("Not read: {detail}")));
        let comment = |line: &String| match line.is_empty() {
            true => "#\n".to_owned(),
            // One line stays one, whatever a server said.
            false => format!("# {}\n", terminal(line)),
        };
        lines.iter().map(comment).collect::<String>() + "\n"
    }
}

/// One rule for each family: names of two families say nothing about which of them is newer.
fn production(proposal: &Proposal) -> String {
    let rule = |family: &Family| format!("  - {{ tags: [{}], order: semver }}\n", quoted(&family.pattern));
    let mut rules: String = proposal.releases.iter().map(rule).collect();
    if rules.is_empty() {
        rules =
            "  # No tag that was read looks like a release: name yours here.\n  - { tags: [\"v*\"], order: semver }\n"
                .to_owned();
    }
    for pointer in &proposal.pointers {
        rules.push_str(&format!("  # If this tag points at what runs:\n  # - {{ moving_tag: {} }}\n", quoted(pointer)));
    }
    rules.push_str("  # What runs is better evidence than names:\n  # - { kubernetes: { all: true } }\n");
    rules
}

fn may_move(proposal: &Proposal) -> String {
    if proposal.moving.is_empty() && proposal.pointers.is_empty() {
        return String::new();
    }
    let names: Vec<String> = proposal.moving.iter().chain(&proposal.pointers).map(|name| quoted(name)).collect();
    format!(
        "\n# Tags without a version move; every other tag that moves is a finding.\ntags: {{ may_move: [{}] }}\n",
        names.join(", ")
    )
}

/// A word of YAML. `$` stands for a variable there.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(registry: &str, kind: Kind) -> Asked {
        let (url, repositories) = registry_at(registry).unwrap();
        Asked { url, repositories, kind }
    }

    fn looked() -> LookedAround {
        let family =
            |pattern: &str, example: &str| Family { pattern: pattern.into(), count: 12, example: example.into() };
        LookedAround {
            listed: 40,
            has_more: true,
            read: vec!["shop/api".parse().unwrap()],
            unread: vec!["shop/web: 500\nproduction: []".to_owned()],
            proposal: Proposal {
                releases: vec![family("v[0-9]*", "v1.0.0"), family("release-[0-9]*", "release-3.4")],
                pointers: vec!["prod".into()],
                moving: vec!["latest".into()],
                others: 3,
                other: Some("pr-17\n".into()),
            },
            platforms: ["linux/amd64".to_owned(), "linux/arm64".to_owned()].into(),
            is_harbor: false,
        }
    }

    #[test]
    fn whatever_was_seen_the_proposal_is_a_valid_policy_and_says_it() {
        let ecr = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
        for (registry, kind) in [
            ("r.example.com", Kind::Registry),
            ("http://localhost:5000", Kind::Registry),
            ("r.example.com/shop/api", Kind::Registry),
            ("r.example.com/shop/*", Kind::Registry),
            ("h.example.com", Kind::Harbor),
            ("h.example.com/shop", Kind::Harbor),
            ("h.example.com/shop/api", Kind::Harbor),
            (ecr, Kind::Ecr),
            (&*format!("{ecr}/shop/api"), Kind::Ecr),
        ] {
            let asked = asked(registry, kind);
            for looked in [None, Some(LookedAround { listed: 1, ..LookedAround::default() }), Some(looked())] {
                let text = asked.text(looked.as_ref());
                let policy = asked.parsed(&text).unwrap_or_else(|error| panic!("{registry}: {error}\n{text}"));
                assert_eq!(policy.sources.len(), 1, "{text}");
                assert!(policy.warnings.is_empty(), "{:?}", policy.warnings);
            }
        }
        let text = asked("r.example.com", Kind::Registry).text(Some(&looked()));
        for said in [
            "# Repositories: 40 at least; the tags of 1 were read: shop/api",
            "# Tags like v1.0.0: 12 (`v[0-9]*`)",
            "# Platforms: linux/amd64, linux/arm64",
            "# Not read: shop/web: 500",
            "- { tags: [\"release-[0-9]*\"], order: semver }",
            "# - { moving_tag: \"prod\" }",
            "may_move: [\"latest\", \"prod\"]",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("\nproduction: []"), "a server writes no line of it: {text}");
    }
}
