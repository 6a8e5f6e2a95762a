//! What a kubeconfig says of one cluster. It is put together here: the client library holds `NO_PROXY` against the name of the
//! proxy, where it should be the server's, and takes no kubeconfig at all where it cannot read that variable.

use std::time::Instant;

use kube::config::{AuthInfo, Cluster, Config, ExecAuthCluster, Kubeconfig, KubeconfigError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::connect::{KubernetesFailure, chain};
use super::proxy::{self, Variables};
use prodpin_core::model::Cause;
use prodpin_net::blocking;
use prodpin_policy::ClusterAccess;

/// How the files of one cluster are reported from those of others: what hangs there hinders no other.
pub(super) fn place(access: &ClusterAccess) -> String {
    let context = access.context.as_deref().unwrap_or_default();
    format!("{} context {context}", called(access))
}

fn called(access: &ClusterAccess) -> String {
    match &access.kubeconfig {
        Some(path) => format!("kubeconfig {}", path.display()),
        None => "the kubeconfig".to_owned(),
    }
}

/// How to reach a cluster, off the threads that everything else runs on, and in time: a kubeconfig, or a certificate that it
/// names, may be a pipe that nobody writes into, or lie on a disk that is gone.
pub(super) async fn configured(access: &ClusterAccess, until: Instant) -> Result<Config, KubernetesFailure> {
    let (what, asked) = (called(access), access.clone());
    match blocking::one(&place(access), until, move || configuration(&asked)).await {
        Ok(read) => read,
        Err(blocking::Unread::Broke(defect)) => {
            Err(KubernetesFailure::new(Cause::Malformed, format!("{what} cannot be used: {defect}")))
        }
        Err(blocking::Unread::Late) => {
            let reason = format!(
                "{what} was not read in time; see whether it, and each file that it names, is a regular file on a disk \
                 that answers"
            );
            Err(KubernetesFailure::new(Cause::TimedOut, reason))
        }
    }
}

/// By the kubeconfig that is named, else `KUBECONFIG`, else the usual file, else the cluster around this process. What is
/// named and cannot be used is never replaced by another cluster.
fn configuration(access: &ClusterAccess) -> Result<Config, KubernetesFailure> {
    let named = std::env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty());
    let usual = || std::env::home_dir().is_some_and(|home| home.join(".kube").join("config").exists());
    let read = match &access.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None if named || access.context.is_some() || usual() => Kubeconfig::read(),
        None => return around(),
    };
    let config = read
        .map_err(|error| chain(&error))
        .and_then(|kubeconfig| from_kubeconfig(&kubeconfig, access.context.as_deref(), &proxy::variable));
    config.map_err(|why| KubernetesFailure::new(Cause::Refused, format!("{} cannot be used: {why}", called(access))))
}

/// The cluster around this process.
fn around() -> Result<Config, KubernetesFailure> {
    Config::incluster().map_err(|error| {
        let reason = format!(
            "there is no kubeconfig, and this is not inside a cluster ({}); set KUBECONFIG or kubeconfig:",
            chain(&error)
        );
        KubernetesFailure::new(Cause::Refused, reason)
    })
}

/// What its context says, or the current one.
fn from_kubeconfig(kubeconfig: &Kubeconfig, context: Option<&str>, variables: Variables<'_>) -> Result<Config, String> {
    let (name, cluster, mut user) = meant(kubeconfig, context).map_err(|error| chain(&error))?;
    let server = cluster.server.as_deref().ok_or(KubeconfigError::MissingClusterUrl);
    let server = server.and_then(|server| server.parse().map_err(KubeconfigError::ParseClusterUrl));
    let mut config = Config::new(server.map_err(|error| chain(&error))?);
    config.proxy_url = match cluster.proxy_url.as_deref().filter(|proxy| !proxy.is_empty()) {
        // `NO_PROXY` says nothing about this one.
        Some(proxy) => Some(proxy::read(proxy).map_err(|why| format!("proxy-url of cluster {name} {why}"))?),
        None => proxy::of_environment(&config.cluster_url, variables)?,
    };
    let shown = ExecAuthCluster::try_from(cluster).map_err(|error| chain(&error))?;
    config.root_cert = match shown.certificate_authority_data.as_deref() {
        None | Some([]) => None,
        Some(pem) => Some(certificates(pem).ok_or_else(|| {
            format!("the certificate authority of cluster {name} is no PEM with a certificate in it")
        })?),
    };
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(shown);
    }
    config.auth_info = user;
    Ok(config)
}

/// The cluster that a context names, by its name, and the user there. A user that is missing is one without credentials.
fn meant<'k>(
    kubeconfig: &'k Kubeconfig,
    context: Option<&str>,
) -> Result<(&'k str, &'k Cluster, AuthInfo), KubeconfigError> {
    let current = context.or(kubeconfig.current_context.as_deref()).ok_or(KubeconfigError::CurrentContextNotSet)?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == current);
    let context = context.and_then(|context| context.context.as_ref());
    let context = context.ok_or_else(|| KubeconfigError::LoadContext(current.to_owned()))?;
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let cluster = cluster.and_then(|cluster| Some((cluster.name.as_str(), cluster.cluster.as_ref()?)));
    let (name, cluster) = cluster.ok_or_else(|| KubeconfigError::LoadClusterOfContext(context.cluster.clone()))?;
    let user = kubeconfig.auth_infos.iter().find(|user| Some(&user.name) == context.user.as_ref());
    Ok((name, cluster, user.and_then(|user| user.auth_info.clone()).unwrap_or_default()))
}

/// All certificates in a text; none if it is no such text, or has none.
fn certificates(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read: Vec<Vec<u8>> = read.ok()?.into_iter().map(|certificate| certificate.to_vec()).collect();
    Some(read).filter(|read| !read.is_empty())
}

#[cfg(test)]
mod tests;
