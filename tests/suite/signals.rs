//! What platforms say runs: each kind of workload, each way of not being reported, and what runs make of it.

pub(crate) mod api_server;
mod gitops;
mod kubernetes;
pub(crate) mod objects;
mod rehearsals;
mod rights;
mod rules;
mod runs;

use std::fmt::Write as _;

use prodpin::model::{Digest, NamePatterns, Reference, Tenure};
use prodpin::policy::{KubernetesConfig, SignalConfig};
use prodpin::signals::{Named, Signalled, Use};

use self::api_server::ApiServer;

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

/// The cluster, with every namespace whose name starts with `sho`.
pub(crate) fn cluster(server: &ApiServer) -> KubernetesConfig {
    let namespaces = NamePatterns::new(["sho*"]).unwrap();
    KubernetesConfig {
        cluster: server.access(),
        namespaces,
        helm_releases: false,
        rehearsal: None,
        rehearses_pulls: false,
    }
}

pub(crate) async fn ask(config: &SignalConfig) -> Signalled {
    prodpin::signals::open(config, None).collect().await
}

/// A digest that stands for these words, in references and in what is reported.
pub(crate) fn digest(words: &str) -> Digest {
    Digest::sha256(words.as_bytes())
}

/// What a signal said, line by line, in order.
pub(crate) fn reported(said: &Signalled) -> String {
    let mut lines: Vec<String> = said.uses.iter().map(line).collect();
    lines.sort();
    let mut text = lines.join("\n");
    for gap in &said.gaps {
        write!(text, "\ngap {:?}: {}", gap.cause, gap.detail).unwrap();
    }
    for entry in &said.unmatched {
        write!(text, "\nunmatched {entry}").unwrap();
    }
    text
}

fn line(used: &Use) -> String {
    let when = match used.tenure {
        Tenure::Now { since: Some(since) } => format!("now, since {}", since.strftime("%H:%M")),
        Tenure::Now { since: None } => "now".to_owned(),
        Tenure::Wanted { why } => format!("wanted: {}", why.as_str()),
        Tenure::Before { last: Some(last) } => format!("before, until {}", last.strftime("%H:%M")),
        Tenure::Before { last: None } => "before".to_owned(),
    };
    let named = match &used.named {
        Named::Reference(reference @ Reference::Image { .. }) => reference.to_string(),
        Named::Reference(reference) => reference.to_string(),
        Named::Chart(chart) => chart.to_string(),
    };
    let node = used.node.map_or_else(String::new, |node| format!(" by a node as {node:?}"));
    let container = used.container.as_deref().map_or_else(String::new, |name| format!("[{name}]"));
    let revision = used.revision.as_deref().map_or_else(String::new, |text| format!(" revision {text}"));
    let schema = used.schema.map_or_else(String::new, |text| format!(" schema {text}"));
    let workload = used.workload.as_ref().map_or_else(String::new, ToString::to_string);
    format!("{workload}{container}{revision}: {named} {when}, {:?}{node}{schema}", used.evidence)
}
