//! `prodpin check`: what the policy means, in words.

use std::io::{self, Write};
use std::path::Path;

use super::exit::Ending;
use super::output::to_stdout;
use crate::model::{
    DatabaseRule, Loss, NamePatterns, Order, PinCover, ProductionRule, Required, SchemaChange, StatedCleanup,
};
use crate::outcome::size::size;
use crate::policy::{
    ArgoCdConfig, AwsConfig, ClusterAccess, EcrConfig, FluxConfig, KubernetesConfig, LedgerLocation, OciConfig, Policy,
    RegistryInterface, S3Config, SignalConfig, SourceConfig, VaultLocation, load, visible,
};

pub(super) fn check(path: &Path) -> anyhow::Result<Ending> {
    let policy = load(path)?;
    to_stdout(|out| {
        writeln!(out, "{} is a valid policy", visible(&path.display().to_string()))?;
        explain(&policy, out)
    })?;
    Ok(Ending::Done)
}

fn explain(policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |label: &str, text: String| writeln!(out, "  {label:<11} {}", visible(&text));
    line("keep", format!("the {} most recent production artifacts of every repository", policy.keep))?;
    line("ledger", ledger(&policy.ledger))?;
    if let Some(vault) = &policy.vault {
        let place = match vault {
            VaultLocation::Store(location) => ledger(location),
            VaultLocation::Registry(registry) => {
                format!("{}, by the credentials for that host; what cleans up there is not read", registry.shown())
            }
        };
        line("vault", place)?;
    }
    if let Some(schedule) = &policy.schedule {
        line("schedule", schedule.to_string())?;
    }
    if let Some(drill) = &policy.drill {
        let most = drill.max_bytes.map(|most| format!(", no more than {}", size(most))).unwrap_or_default();
        let schedule = drill.schedule.as_ref().map(|schedule| format!("{schedule}{most}"));
        let keys = match drill.keys.len() {
            0 => None,
            1 => Some("signatures held to 1 key".to_owned()),
            several => Some(format!("signatures held to {several} keys")),
        };
        line("drill", schedule.into_iter().chain(keys).collect::<Vec<_>>().join("; "))?;
    }
    for (index, (name, config)) in policy.sources.iter().enumerate() {
        line(if index == 0 { "sources" } else { "" }, format!("{name}: {}", source(config)))?;
    }
    for (index, text) in production(policy).into_iter().enumerate() {
        line(if index == 0 { "production" } else { "" }, text)?;
    }
    for (index, rule) in policy.database.iter().enumerate() {
        line(if index == 0 { "database" } else { "" }, database(rule))?;
    }
    let may_move = if policy.may_move.entries().is_empty() {
        "none; every tag that moves is a finding".to_owned()
    } else {
        format!("{}; every other tag that moves is a finding", list(policy.may_move.entries()))
    };
    line("may move", may_move)?;
    if policy.pins.usual.may_displace {
        line("pins", "may take the place of artifacts that no production rule names".to_owned())?;
    }
    if policy.pins.usual.cover != PinCover::Auto {
        line("pins", covered(policy.pins.usual.cover).to_owned())?;
    }
    for (name, terms) in policy.pins.of.iter().filter(|(_, terms)| **terms != policy.pins.usual) {
        if terms.may_displace != policy.pins.usual.may_displace {
            let may = if terms.may_displace { "may" } else { "may not" };
            line("pins", format!("in {name} {may} take the place of artifacts that no production rule names"))?;
        }
        if terms.cover != policy.pins.usual.cover {
            line("pins", format!("in {name} {}", covered(terms.cover)))?;
        }
    }
    if !policy.pins.usual.require.is_empty() {
        line("require", format!("every rollback target survives {}", required(policy.pins.usual.require)))?;
    }
    for (name, terms) in policy.pins.of.iter().filter(|(_, terms)| terms.require != policy.pins.usual.require) {
        let what = match terms.require.is_empty() {
            true => "nothing beyond what protected means".to_owned(),
            false => format!("every rollback target survives {}", required(terms.require)),
        };
        line("require", format!("in {name} {what}"))?;
    }
    let fails = policy.fail_on.least();
    let fails = fails.map_or_else(|| "nothing".to_owned(), |least| format!("findings of severity {least} or above"));
    line("fail on", fails)?;
    for warning in &policy.warnings {
        writeln!(out, "warning: {}", visible(warning))?;
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
    let what = match rule.schema {
        SchemaChange::None => "leave their database alone",
        SchemaChange::Expand => "only add to their database",
        SchemaChange::Caution => "let in what earlier releases never met",
        SchemaChange::Data => "overwrite or remove rows of their database",
        SchemaChange::Unknown => "change their database in a way that is not understood",
        SchemaChange::Contract => "take away from their database",
    };
    format!("{releases}{} {what}", selected(&rule.repositories))
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
                RegistryInterface::Harbor => "Harbor",
                RegistryInterface::Quay { .. } => "Quay",
                RegistryInterface::Zot { .. } => "zot",
            };
            let rules = match interface {
                RegistryInterface::Zot { config: Some(path) } => format!(", whose rules are in {}", path.display()),
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

fn ecr(config: &EcrConfig) -> String {
    let EcrConfig { region, assume_role, endpoint, may_delete, manages_lifecycle, repositories, .. } = config;
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
    format!("ECR registry {account} in {region}{endpoint}{role}{cleaners}{manages}: {}", selected(repositories))
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
        SignalConfig::Kubernetes(KubernetesConfig { cluster, namespaces, helm_releases, rehearsal }) => {
            let helm = if *helm_releases { ", and Helm's releases" } else { "" };
            let namespaces = chosen(namespaces, "namespace", "namespaces");
            let rehearsal = rehearsal.as_ref().map(|access| match access == cluster {
                true => "; drill rehearses there".to_owned(),
                false => format!("; drill rehearses there by {}", self::cluster(access)),
            });
            let rehearsal = rehearsal.unwrap_or_default();
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
