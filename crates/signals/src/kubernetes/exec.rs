//! The program that a kubeconfig names for its credentials. The client library would run it without limits of time and
//! size, and twice; so it is run here, once, and what it answers is put in its place (F108).

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::config::{AuthInfo, ExecConfig};
use serde::Deserialize;
use tokio::process::Command;

use super::connect::KubernetesFailure;
use prodpin_core::model::Cause;
use prodpin_net::child;

/// It may ask a server, or somebody who is not there.
const LIMIT: Duration = Duration::from_secs(30);

/// What it answers.
#[derive(Deserialize)]
struct Credential {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Puts credentials in the place of the program that has them. Credentials that stand in the kubeconfig come first, as
/// they do for kubectl.
pub(super) async fn resolve(user: &mut AuthInfo, deadline: Option<Instant>) -> Result<(), KubernetesFailure> {
    if user.auth_provider.as_ref().is_some_and(|provider| provider.config.contains_key("cmd-path")) {
        let reason = "the kubeconfig gets its credentials by an auth-provider command, which Kubernetes 1.26 removed; \
                      use an exec plugin in its place (gke-gcloud-auth-plugin, kubelogin)";
        return Err(KubernetesFailure::new(Cause::Unsupported, reason));
    }
    let Some(exec) = user.exec.take() else { return Ok(()) };
    let has_password = user.username.is_some() && user.password.is_some();
    if user.auth_provider.is_some() || has_password || user.token.is_some() || user.token_file.is_some() {
        return Ok(());
    }
    let status = run(&exec, deadline).await?;
    match (status.token, status.client_certificate_data, status.client_key_data) {
        (_, Some(certificate), Some(key)) => {
            user.client_certificate_data = Some(BASE64_STANDARD.encode(certificate));
            user.client_key_data = Some(BASE64_STANDARD.encode(key).into());
        }
        (Some(token), _, _) => user.token = Some(token.into()),
        _ => return Err(denied(&exec, "answered without a token or a client certificate")),
    }
    Ok(())
}

async fn run(exec: &ExecConfig, deadline: Option<Instant>) -> Result<Status, KubernetesFailure> {
    let Some(program) = &exec.command else { return Err(denied(exec, "is not named")) };
    let mut command = Command::new(program);
    command.args(exec.args.iter().flatten());
    let named = exec.env.iter().flatten().filter_map(|env| Some((env.get("name")?, env.get("value")?)));
    command.envs(named).env("KUBERNETES_EXEC_INFO", info(exec)?);
    let answered = match child::ask(command, b"", LIMIT, deadline).await {
        Ok(answered) => answered,
        Err(fault @ child::ChildFault::Late(_)) => {
            return Err(KubernetesFailure { cause: Cause::TimedOut, ..denied(exec, &fault.to_string()) });
        }
        Err(fault) => return Err(denied(exec, &fault.to_string())),
    };
    if !answered.success {
        return Err(denied(exec, "failed"));
    }
    // Plugins answer in JSON; some answer in YAML, of which it is a part.
    let credential: Credential =
        serde_saphyr::from_slice(&answered.stdout).map_err(|_| denied(exec, "answered what is no ExecCredential"))?;
    credential.status.ok_or_else(|| denied(exec, "answered without credentials"))
}

fn info(exec: &ExecConfig) -> Result<String, KubernetesFailure> {
    let cluster = match (exec.provide_cluster_info, &exec.cluster) {
        (true, Some(cluster)) => Some(cluster),
        (true, None) => return Err(denied(exec, "needs the cluster's data, which the kubeconfig lacks")),
        (false, _) => None,
    };
    let mut spec = serde_json::json!({ "interactive": false });
    if let Some(cluster) = cluster {
        spec["cluster"] = serde_json::json!(cluster);
    }
    let info = serde_json::json!({ "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec });
    Ok(info.to_string())
}

/// Its name is reported; its arguments, its environment and what it printed may hold secrets (I18).
fn denied(exec: &ExecConfig, what: &str) -> KubernetesFailure {
    let program = exec.command.as_deref().unwrap_or("(no name)");
    let name: String = program.rsplit('/').next().unwrap_or(program).chars().take(80).collect();
    KubernetesFailure::new(
        Cause::Denied,
        format!("the kubeconfig's credential program {name} {what}; run it by hand to see why"),
    )
}
