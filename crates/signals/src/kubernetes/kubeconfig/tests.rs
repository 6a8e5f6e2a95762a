use std::path::Path;
use std::time::Duration;

use kube::config::KubeConfigOptions;

use super::super::connect::Cluster as Connected;
use super::*;
use crate::ProductionSignal as _;
use crate::file::FileSignal;

const TWO_CLUSTERS: &str = r#"
    clusters:
      - { name: a, cluster: { server: "https://a.example:6443", proxy-url: "http://me:hunter2@proxy.corp.example:3128" } }
      - { name: b, cluster: { server: "https://b.example:6443", proxy-url: "" } }
    contexts:
      - { name: A, context: { cluster: a, user: ops } }
      - { name: B, context: { cluster: b, user: nobody } }
    users: [{ name: ops, user: { token: hunter2 } }]
    current-context: A
"#;

fn proxied(context: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
    let variables =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let kubeconfig = Kubeconfig::from_yaml(TWO_CLUSTERS).unwrap();
    let config = from_kubeconfig(&kubeconfig, context, &variables).unwrap();
    config.proxy_url.map(|proxy| proxy.to_string())
}

#[test]
fn the_proxy_that_a_kubeconfig_names_is_taken_whatever_no_proxy_says() {
    let own = Some("http://me:hunter2@proxy.corp.example:3128/".to_owned());
    for no in ["", "proxy.corp.example", ".corp.example", "*", "a.example", "localhost,10.0.0.0/8,", "a b, ,,!", ":"] {
        for name in ["NO_PROXY", "no_proxy"] {
            let variables = [("HTTPS_PROXY", "http://other"), (name, no)];
            assert_eq!(proxied(None, &variables), own, "{name}={no:?}");
            assert_eq!(proxied(Some("A"), &variables), own, "{name}={no:?}");
        }
    }
    assert_eq!(proxied(None, &[("HTTPS_PROXY", "http://not readable")]), own);
}

#[test]
fn a_cluster_that_names_no_proxy_is_reached_as_the_environment_says() {
    let variables = |no| [("HTTPS_PROXY", "http://other:1"), ("NO_PROXY", no)];
    for no in ["", "other", "a.example", "localhost,10.0.0.0/8,", "a b, ,,!"] {
        assert_eq!(proxied(Some("B"), &variables(no)).as_deref(), Some("http://other:1/"), "{no:?}");
    }
    for no in ["b.example", "localhost,,*.example,", "*"] {
        assert_eq!(proxied(Some("B"), &variables(no)), None, "{no:?}");
    }
    assert_eq!(proxied(Some("B"), &[]), None);
}

/// A certificate, as far as anybody looks here.
const AUTHORITY: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmFHVnNiRzg9Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K";

#[tokio::test]
async fn everything_else_is_as_the_client_library_reads_it() {
    let text = format!(
        r#"
        clusters:
          - name: a
            cluster: {{ server: "https://a.example:6443", certificate-authority-data: {AUTHORITY}, tls-server-name: k8s,
                       disable-compression: true }}
          - {{ name: b, cluster: {{ server: "http://b.example", insecure-skip-tls-verify: true }} }}
        contexts:
          - {{ name: A, context: {{ cluster: a, user: plugin }} }}
          - {{ name: B, context: {{ cluster: b, user: ops }} }}
          - {{ name: C, context: {{ cluster: b }} }}
          - {{ name: D, context: {{ cluster: missing }} }}
          - {{ name: E }}
        users:
          - {{ name: ops, user: {{ token: t, as: somebody }} }}
          - {{ name: plugin, user: {{ exec: {{ apiVersion: v1, command: get, provideClusterInfo: true }} }} }}
        "#
    );
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    for context in ["A", "B", "C", "D", "E", "F"] {
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let theirs = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await;
        let parts = |config: Config| {
            let Config { cluster_url, root_cert, accept_invalid_certs, disable_compression, .. } = config;
            let user = format!("{:?} {:?}", config.auth_info, config.tls_server_name);
            (cluster_url, root_cert, accept_invalid_certs, disable_compression, user)
        };
        let ours = from_kubeconfig(&kubeconfig, Some(context), &|_| None);
        assert_eq!(ours.map(parts), theirs.map(parts).map_err(|error| error.to_string()), "{context}");
    }
    let none = from_kubeconfig(&kubeconfig, None, &|_| None).map(drop);
    assert_eq!(none, Err(KubeconfigError::CurrentContextNotSet.to_string()));
    let bad = text.replace(AUTHORITY, "aGVsbG8K");
    let error = from_kubeconfig(&Kubeconfig::from_yaml(&bad).unwrap(), Some("A"), &|_| None).map(drop).unwrap_err();
    assert!(error.contains("certificate authority of cluster a"), "{error}");
}

fn access(path: &Path) -> ClusterAccess {
    ClusterAccess { context: None, kubeconfig: Some(path.to_owned()) }
}

#[test]
fn i18_whatever_is_wrong_with_a_kubeconfig_no_token_and_no_password_in_it_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let whole = TWO_CLUSTERS.to_owned();
    for (text, words) in [
        (whole.replace("http://me", "ftp://me"), "proxy-url of cluster a is a proxy of the kind ftp://; http://"),
        (whole.replace("http://me", "me"), "proxy-url of cluster a is no URL of a proxy"),
        (whole.replace("hunter2@", "hunter2 hunter2@"), "proxy-url of cluster a cannot be read"),
        (whole.replace(":3128", ":hunter2"), "proxy-url of cluster a cannot be read"),
        (
            whole.replace("cluster: { server: \"https://a", "cluster: [{ server: \"https://a"),
            "is no kubeconfig at line 3",
        ),
        (whole.replace("{ token: hunter2 }", "hunter2"), "is no kubeconfig at line 8"),
        (whole.replace("token: hunter2", "token: [hunter2]"), "is no kubeconfig at line 8"),
        (whole.replace("users: [", "users: [\"hunter2\", "), "is no kubeconfig at line 8"),
        (whole.replace("https://a", "https://me:hunter2@ a"), "cluster url"),
    ] {
        std::fs::write(file.path(), &text).unwrap();
        let reason = configuration(&access(file.path())).map(drop).unwrap_err().reason;
        assert!(reason.contains(words) && reason.contains(file.path().to_str().unwrap()), "{words}: {reason}");
        assert!(!reason.contains("hunter2"), "{reason}");
    }
}

/// As many runs as there are of a `watch`: each finds the same pipe, into which nobody writes.
#[test]
fn f108_a_kubeconfig_that_hangs_keeps_one_thread_however_often_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (pipe, used) = (directory.path().join("kubeconfig"), directory.path().join("in-use.json"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::write(&used, "[\"r.example/a:1\"]").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build().unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            let deadline = Instant::now() + Duration::from_millis(100);
            let failure = Connected::connect(&access(&pipe), Some(deadline)).await.err().unwrap();
            assert_eq!(failure.cause, Cause::TimedOut, "{failure}");
        }
        let file = FileSignal::new(&used);
        let said = tokio::time::timeout(Duration::from_secs(20), file.collect()).await;
        assert_eq!(said.expect("there is a thread left").uses.len(), 1);
    });
    runtime.shutdown_background();
}
