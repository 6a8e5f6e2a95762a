//! `prodpin check`: what the policy means, in words.

use std::io::{self, Write};
use std::path::Path;

use super::exit::{Ending, Misuse};
use super::output::to_stdout;
use crate::model::{
    AcrPurges, DatabaseRule, Loss, Marks, NamePatterns, Order, PinCover, ProductionRule, RegistryKind, Required,
    SchemaChange, StatedCleanup,
};
use crate::outcome::size::size;
use crate::policy::{
    ArgoCdConfig, AwsConfig, ClusterAccess, DrillPolicy, EcrConfig, FluxConfig, KubernetesConfig, LedgerLocation,
    OciConfig, Policy, RegistryInterface, S3Config, SignalConfig, SourceConfig, VaultLocation, load, visible,
};
use crate::sources::unusable_files;

pub(super) fn check(path: &Path) -> anyhow::Result<Ending> {
    let policy = load(path)?;
    let unusable = policy.sources.iter().flat_map(|(name, config)| {
        unusable_files(config).into_iter().map(move |why| format!("source {name}: {}", visible(&why)))
    });
    let unusable: Vec<String> = unusable.collect();
    if !unusable.is_empty() {
        return Err(Misuse(unusable.join("\n")).into());
    }
    to_stdout(|out| {
        writeln!(out, "{} is a valid policy", visible(&path.display().to_string()))?;
        explain(&policy, out)
    })?;
    Ok(Ending::Done)
}

fn explain(policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    line(out, "keep", &format!("the {} most recent production artifacts of every repository", policy.keep))?;
    line(out, "ledger", &ledger(&policy.ledger))?;
    if let Some(location) = &policy.vault {
        line(out, "vault", &vault(location))?;
    }
    if let Some(schedule) = &policy.schedule {
        line(out, "schedule", &schedule.to_string())?;
    }
    if let Some(config) = &policy.drill {
        line(out, "drill", &drill(config))?;
    }
    let sources = policy.sources.iter().map(|(name, config)| format!("{name}: {}", source(config)));
    lines(out, "sources", sources)?;
    lines(out, "production", production(policy))?;
    lines(out, "database", policy.database.iter().map(database))?;
    let may_move = if policy.may_move.entries().is_empty() {
        "none; every tag that moves is a finding".to_owned()
    } else {
        format!("{}; every other tag that moves is a finding", list(policy.may_move.entries()))
    };
    line(out, "may move", &may_move)?;
    pins(policy, out)?;
    requirements(policy, out)?;
    let fails = policy.fail_on.least();
    let fails = fails.map_or_else(|| "nothing".to_owned(), |least| format!("findings of severity {least} or above"));
    line(out, "fail on", &fails)?;
    for warning in &policy.warnings {
        writeln!(out, "warning: {}", visible(warning))?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {label:<11} {}", visible(text))
}

/// Several under one label.
fn lines(out: &mut dyn Write, label: &str, texts: impl IntoIterator<Item = String>) -> io::Result<()> {
    for (index, text) in texts.into_iter().enumerate() {
        line(out, if index == 0 { label } else { "" }, &text)?;
    }
    Ok(())
}

fn vault(location: &VaultLocation) -> String {
    match location {
        VaultLocation::Store(location) => ledger(location),
        VaultLocation::Registry(registry) => {
            format!("{}, by the credentials for that host; what cleans up there is not read", registry.shown())
        }
    }
}

fn drill(drill: &DrillPolicy) -> String {
    let most = drill.max_bytes.map(|most| format!(", no more than {}", size(most))).unwrap_or_default();
    let schedule = drill.schedule.as_ref().map(|schedule| format!("{schedule}{most}"));
    let keys = match drill.keys.len() {
        0 => None,
        1 => Some("signatures held to 1 key".to_owned()),
        several => Some(format!("signatures held to {several} keys")),
    };
    schedule.into_iter().chain(keys).collect::<Vec<_>>().join("; ")
}

/// What pins may displace and are on, where that is not the default, and where a source has terms of its own.
fn pins(policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let usual = &policy.pins.usual;
    if usual.may_displace {
        line(out, "pins", "may take the place of artifacts that no production rule names")?;
    }
    if usual.cover != PinCover::Auto {
        line(out, "pins", covered(usual.cover))?;
    }
    for (name, terms) in policy.pins.of.iter().filter(|(_, terms)| *terms != usual) {
        if terms.may_displace != usual.may_displace {
            let may = if terms.may_displace { "may" } else { "may not" };
            let text = format!("in {name} {may} take the place of artifacts that no production rule names");
            line(out, "pins", &text)?;
        }
        if terms.cover != usual.cover {
            line(out, "pins", &format!("in {name} {}", covered(terms.cover)))?;
        }
    }
    Ok(())
}

/// What every target is to survive.
fn requirements(policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let usual = policy.pins.usual.require;
    if !usual.is_empty() {
        line(out, "require", &format!("every rollback target survives {}", required(usual)))?;
    }
    for (name, terms) in policy.pins.of.iter().filter(|(_, terms)| terms.require != usual) {
        let what = match terms.require.is_empty() {
            true => "nothing beyond what protected means".to_owned(),
            false => format!("every rollback target survives {}", required(terms.require)),
        };
        line(out, "require", &format!("in {name} {what}"))?;
    }
    Ok(())
}

fn required(required: Required) -> String {
    required.iter().map(Loss::words).collect::<Vec<_>>().join(", ")
}

fn covered(cover: PinCover) -> &'static str {
    match cover {
        PinCover::Auto => "on targets and what belongs to them, where the registry does not keep that by itself",
        PinCover::Closure => "on targets, every manifest below them, and what is attached to them",
        PinCover::Index => "on targets alone, whatever is below them",
    }
}

fn database(rule: &DatabaseRule) -> String {
    let releases = match &rule.tags {
        Some(tags) => format!("releases {} of ", list(tags.entries())),
        None => "releases of ".to_owned(),
    };
    let schema = rule.schema.map(|schema| match schema {
        SchemaChange::None => "leave their database alone",
        SchemaChange::Expand => "only add to their database",
        SchemaChange::Caution => "let in what earlier releases never met",
        SchemaChange::Data => "overwrite or remove rows of their database",
        SchemaChange::Unknown => "change their database in a way that is not understood",
        SchemaChange::Contract => "take away from their database",
    });
    let effects = rule.irreversible.as_ref().map(|effects| format!("do what no rollback undoes: {effects}"));
    let what: Vec<String> = schema.map(str::to_owned).into_iter().chain(effects).collect();
    format!("{releases}{} {}", selected(&rule.repositories), what.join(", and "))
}

fn ledger(location: &LedgerLocation) -> String {
    match location {
        LedgerLocation::None => "none: nothing is remembered, moved tags go unnoticed, enforce refuses".to_owned(),
        LedgerLocation::Directory(path) => format!("directory {}", path.display()),
        LedgerLocation::Store(url) => url.to_string(),
    }
}

fn source(config: &SourceConfig) -> String {
    match config {
        SourceConfig::Oci(OciConfig { url, repositories, username, private, cleanup, interface, .. }) => {
            let login = username.as_ref().map(|name| format!(", as {name}")).unwrap_or_default();
            let private = if *private { ", at a private address" } else { "" };
            let cleanup = match cleanup {
                None => "",
                Some(StatedCleanup::None) => ", where nothing cleans up",
                Some(StatedCleanup::Untagged) => ", where untagged manifests are cleaned up",
                Some(StatedCleanup::Unknown) => ", where what cleans up is unknown",
            };
            let url = url.as_str().trim_end_matches('/');
            let kind = match interface {
                RegistryInterface::None => "registry",
                RegistryInterface::Acr { .. } if is_of_azure(url) => "Azure container registry",
                RegistryInterface::Acr { .. } => "Azure container registry (NAME.azurecr.io, under another name)",
                RegistryInterface::DockerHub { .. } => "Docker Hub",
                RegistryInterface::Gar { .. } => "Google Artifact Registry",
                RegistryInterface::Ghcr { .. } => "GitHub's registry",
                RegistryInterface::GitLab { .. } => "GitLab's registry",
                RegistryInterface::Harbor => "Harbor",
                RegistryInterface::Quay { .. } => "Quay",
                RegistryInterface::Zot { .. } => "zot",
            };
            let rules = match interface {
                RegistryInterface::GitLab { api, .. } => {
                    format!(", of {}", api.as_str().trim_end_matches("/api/"))
                }
                RegistryInterface::Zot { config: Some(path) } => format!(", whose rules are in {}", path.display()),
                RegistryInterface::Acr { purges } => purged(purges),
                _ => String::new(),
            };
            format!("{kind} {url}{login}{private}{cleanup}{rules}: {}", selected(repositories))
        }
        SourceConfig::S3(S3Config { bucket, layout, repositories, region, endpoint, owner, .. }) => {
            let region = region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
            let endpoint = endpoint.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
            let owner = owner.as_ref().map(|owner| format!(" of account {owner}")).unwrap_or_default();
            format!("bucket {bucket}{region}{endpoint}{owner}, keys {layout}: {}", selected(repositories))
        }
        SourceConfig::Ecr(config) => ecr(config),
        SourceConfig::Helm(config) => {
            format!("chart repository {}: {}", config.address(), selected(&config.repositories))
        }
    }
}

/// Whether this is the address that Azure gives a registry.
fn is_of_azure(url: &str) -> bool {
    let host = url.rsplit_once("://").map_or(url, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    Marks { host: host.to_owned(), ..Marks::default() }.kind() == Some(RegistryKind::Azure)
}

/// What purges an Azure registry, as the policy names it.
fn purged(purges: &AcrPurges) -> String {
    let AcrPurges::Stated { commands, others } = purges else {
        return ", where what purges is not said (`purge:`), so no new pin is made".to_owned();
    };
    let lines = commands.iter().map(|command| format!("`{}`", command.line));
    let others = others.then(|| "others that nobody can name".to_owned());
    let named: Vec<String> = lines.chain(others).collect();
    match named.is_empty() {
        true => ", where nothing purges".to_owned(),
        false => format!(", purged by {}", named.join(", ")),
    }
}

fn ecr(config: &EcrConfig) -> String {
    let EcrConfig {
        region, assume_role, endpoint, may_delete, manages_lifecycle, asks_cloudtrail, repositories, ..
    } = config;
    let account = config.account().map_or_else(|| "of the caller's account".to_owned(), |account| account.to_owned());
    let region = region.as_deref().unwrap_or("the AWS configuration's region");
    let role = assume_role.as_ref().map(|role| format!(", as {role}")).unwrap_or_default();
    let endpoint = endpoint.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
    let cleaners = match &**may_delete {
        [] => String::new(),
        principals => format!(", where only {} may delete", principals.join(", ")),
    };
    let manages = if *manages_lifecycle {
        ", whose lifecycle policies `enforce` gives a rule in front that keeps pins"
    } else {
        ""
    };
    let who = if *asks_cloudtrail { ", where CloudTrail is asked who moved or deleted releases" } else { "" };
    format!("ECR registry {account} in {region}{endpoint}{role}{cleaners}{manages}{who}: {}", selected(repositories))
}

fn selected(patterns: &NamePatterns) -> String {
    match patterns.entries() {
        [only] if only == "**" => "every repository".to_owned(),
        entries => format!("repositories {}", list(entries)),
    }
}

/// Entries in words: `a, b, but not c`.
fn list(entries: &[String]) -> String {
    let (excluded, included): (Vec<&str>, Vec<&str>) =
        entries.iter().map(String::as_str).partition(|entry| entry.starts_with('!'));
    let included = included.join(", ");
    if excluded.is_empty() {
        return included;
    }
    let excluded: Vec<&str> = excluded.iter().map(|entry| entry.trim_start_matches('!')).collect();
    format!("{included}, but not {}", excluded.join(", "))
}

fn production(policy: &Policy) -> Vec<String> {
    let mut said = Vec::new();
    for rule in &policy.production {
        match rule {
            ProductionRule::Tags { patterns, order } => {
                let order = match order {
                    Order::Semver => "by semantic version",
                    Order::Pushed => "by the time of the push",
                    Order::Name => "by name",
                };
                said.push(format!("tags {} are releases, the most recent {order}", list(patterns.entries())));
            }
            ProductionRule::MovingTag(tag) => {
                said.push(format!("tag {tag} points at what runs; what it pointed at ran"))
            }
            ProductionRule::InUse => {
                said.extend(policy.in_use_files.iter().map(|file| format!("{} names what runs", file.display())));
                said.extend(policy.signals.iter().map(signal));
            }
        }
    }
    said
}

fn signal(config: &SignalConfig) -> String {
    match config {
        SignalConfig::Kubernetes(KubernetesConfig {
            cluster,
            namespaces,
            helm_releases,
            rehearsal,
            rehearses_pulls,
        }) => {
            let helm = if *helm_releases { ", and Helm's releases" } else { "" };
            let namespaces = chosen(namespaces, "namespace", "namespaces");
            let rehearsal = rehearsal.as_ref().map(|access| match access == cluster {
                true => "; drill rehearses there".to_owned(),
                false => format!("; drill rehearses there by {}", self::cluster(access)),
            });
            let pulls = if *rehearses_pulls { ", with the pull Secrets of workloads" } else { "" };
            let rehearsal = rehearsal.map(|rehearsal| rehearsal + pulls).unwrap_or_default();
            format!("workloads in {namespaces} of {} run{helm}{rehearsal}", self::cluster(cluster))
        }
        SignalConfig::ArgoCd(ArgoCdConfig { cluster, namespaces, applications }) => {
            let applications = chosen(applications, "application", "applications");
            let namespaces = chosen(namespaces, "namespace", "namespaces");
            format!("Argo CD's {applications}, in {namespaces} of {}, run", self::cluster(cluster))
        }
        SignalConfig::Flux(FluxConfig { cluster, namespaces }) => {
            let namespaces = chosen(namespaces, "namespace", "namespaces");
            format!("Flux's Helm releases in {namespaces} of {} run", self::cluster(cluster))
        }
        SignalConfig::Ecs(aws) => format!("ECS runs, in {}{}", chosen(&aws.names, "cluster", "clusters"), account(aws)),
        SignalConfig::Lambda(aws) => {
            format!("Lambda runs {}{}", chosen(&aws.names, "function", "functions"), account(aws))
        }
        SignalConfig::AppRunner(aws) => {
            format!("App Runner runs {}{}", chosen(&aws.names, "service", "services"), account(aws))
        }
    }
}

fn chosen(patterns: &NamePatterns, one: &str, many: &str) -> String {
    match patterns.entries() {
        [only] if only == "**" => format!("every {one}"),
        [only] => format!("{one} {only}"),
        entries => format!("{many} {}", list(entries)),
    }
}

fn cluster(access: &ClusterAccess) -> String {
    let kubeconfig = access.kubeconfig.as_ref().map(|path| format!(" of {}", path.display())).unwrap_or_default();
    match &access.context {
        Some(context) => format!("cluster {context}{kubeconfig}"),
        None => format!("the current cluster{kubeconfig}"),
    }
}

fn account(aws: &AwsConfig) -> String {
    let region = aws.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
    let endpoint = aws.endpoint.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
    let role = aws.assume_role.as_ref().map(|role| format!(", as {role}")).unwrap_or_default();
    format!("{region}{endpoint}{role}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(source: &str) -> String {
        let text =
            format!("version: 1\nledger: none\nsources:\n  shop: {{ {source} }}\nproduction: [{{ tags: [\"v*\"] }}]\n");
        let policy = crate::policy::parse(&text, "prodpin.yaml", &|_| None).unwrap();
        let mut out = Vec::new();
        explain(&policy, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().find(|line| line.contains("shop:")).unwrap().to_owned()
    }

    #[test]
    fn what_purges_an_azure_registry_is_repeated_as_it_is_read_k48() {
        let acr = "acr: https://shop.azurecr.io, repositories: [shop/*]";
        for (purge, expected) in [
            ("", "is not said (`purge:`), so no new pin is made"),
            (", purge: []", "where nothing purges"),
            (", purge: [unknown]", "purged by others that nobody can name"),
            (
                ", purge: [\"acr purge --filter 'shop/api:^dev-' --ago 30d\", unknown]",
                "purged by `acr purge --filter 'shop/api:^dev-' --ago 30d`, others that nobody can name",
            ),
        ] {
            let said = said(&format!("{acr}{purge}"));
            assert!(said.contains(expected), "{said}");
            assert!(said.contains("Azure container registry https://shop.azurecr.io"), "{said}");
        }
        let elsewhere = said("acr: https://registry.example.com:8443, repositories: [shop/*], purge: []");
        assert!(elsewhere.contains("NAME.azurecr.io, under another name"), "{elsewhere}");
    }
}
