//! A server that is busy, slow or down, and credentials that run out.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prodpin::model::Cause;
use prodpin::policy::{KubernetesConfig, SignalConfig};

use super::{all, rollout};
use crate::signals::api_server::*;
use crate::signals::{ask, cluster, reported};

#[tokio::test]
async fn an_answer_that_does_not_come_ends_with_the_run_s_deadline_i20() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    server.world().silent = Some(DEPLOYMENTS.to_owned());
    let deadline = Instant::now() + Duration::from_secs(1);
    let config = SignalConfig::Kubernetes(cluster(&server));
    let said = prodpin::signals::open(&config, Some(deadline)).collect().await;
    assert!(deadline.elapsed() < Duration::from_secs(20));
    assert!(said.gaps.iter().any(|gap| gap.cause == Cause::TimedOut), "{}", reported(&said));
    assert!(!said.uses.is_empty(), "what was read before is kept");
}

#[tokio::test]
async fn an_optional_group_that_is_down_costs_itself_alone_f134() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    server.put(ROLLOUTS, []);
    let group = "/apis/argoproj.io/v1alpha1";
    for wait in ["", "1", "600"] {
        server.world().down = Some((group.to_owned(), StatusCode::SERVICE_UNAVAILABLE, wait, usize::MAX));
        let (began, before) = (Instant::now(), server.times(group));
        let said = all(&server).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{wait:?}: {:?}", began.elapsed());
        assert!(server.times(group) - before <= 2, "{wait:?}: asked {} times", server.times(group) - before);
        let gaps: Vec<_> = said.gaps.iter().map(|gap| (gap.cause, gap.detail.contains("rollouts"))).collect();
        assert_eq!(gaps, [(Cause::ServerError, true)], "{wait:?}");
        assert!(!said.uses.is_empty(), "the rest is read");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_and_no_later_than_there_is_time_f134() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let busy = |times| Some((PODS.to_owned(), StatusCode::TOO_MANY_REQUESTS, "1", times));
    server.world().down = busy(2);
    let began = Instant::now();
    let said = all(&server).await;
    assert_eq!((said.gaps.len(), server.times(PODS)), (0, 3));
    assert!((2..6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    server.world().down = busy(usize::MAX);
    let began = Instant::now();
    let config = SignalConfig::Kubernetes(cluster(&server));
    let said = prodpin::signals::open(&config, Some(began + Duration::from_millis(1500))).collect().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(said.gaps.iter().any(|gap| gap.cause == Cause::Throttled), "{}", reported(&said));
    assert!(!said.uses.is_empty(), "what the other kinds tell is kept");
}

#[tokio::test]
async fn a_credential_program_is_held_to_a_size_and_a_time_and_its_token_is_used_f108() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let answer =
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"fresh"}}"#;
    server.credentials_from(&format!("echo '{answer}'"));
    assert_eq!(all(&server).await.gaps, []);
    assert_eq!(server.world().tokens.iter().collect::<Vec<_>>(), ["Bearer fresh"]);

    for (script, words) in
        [("yes hunter2", "more than 1024 KiB"), ("exit 3", "failed"), ("echo hunter2", "no ExecCred")]
    {
        server.credentials_from(script);
        let said = all(&server).await;
        assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Denied], "{script}");
        let detail = &said.gaps[0].detail;
        assert!(detail.contains(words) && detail.contains("plugin") && !detail.contains("hunter2"), "{detail}");
    }
    server.credentials_from("exec sleep 60");
    let config = SignalConfig::Kubernetes(cluster(&server));
    let began = Instant::now();
    let said = prodpin::signals::open(&config, Some(began + Duration::from_secs(1))).collect().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::TimedOut]);
}

#[tokio::test]
async fn a_token_that_runs_out_is_had_anew_and_one_that_was_never_good_is_not_f108() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let count = tempfile::NamedTempFile::new().unwrap();
    let asked = || std::fs::read_to_string(count.path()).unwrap().lines().count();
    let path = count.path().display();
    server.credentials_from(&format!(
        r#"echo x >> {path}; echo "{{\"status\":{{\"token\":\"t$(wc -l < {path} | tr -d ' ')\"}}}}""#
    ));
    assert_eq!(all(&server).await.gaps, []);
    assert_eq!(asked(), 1, "had once");
    let requests = server.world().asked.len();
    server.world().lasts = Some(requests - 2);
    let said = all(&server).await;
    assert_eq!(said.gaps, [], "{}", reported(&said));
    assert_eq!((asked(), server.world().tokens.len()), (3, 3), "had again when it ran out, once for everyone");

    let before = asked();
    server.world().lasts = Some(0);
    let said = all(&server).await;
    assert!(!said.gaps.is_empty() && said.gaps.iter().all(|gap| gap.cause == Cause::Denied), "{}", reported(&said));
    assert_eq!(asked(), before + 1, "it is no better when it is had a second time");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_or_is_not_named_is_a_gap() {
    let server = ApiServer::start().await;
    let mut config = cluster(&server);
    config.cluster.context = Some("prod-mars".to_owned());
    let said = ask(&SignalConfig::Kubernetes(config.clone())).await;
    assert!(said.gaps[0].detail.contains("prod-mars"), "{}", said.gaps[0].detail);
    config.cluster.kubeconfig = Some("/nowhere/kubeconfig".into());
    let said = ask(&SignalConfig::Kubernetes(config)).await;
    assert!(said.gaps[0].detail.contains("/nowhere/kubeconfig"), "{}", said.gaps[0].detail);
    assert_eq!((said.uses.len(), said.gaps[0].cause), (0, Cause::Refused));
}

#[tokio::test]
async fn everything_is_asked_by_get_with_the_context_s_credentials_i17() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let config = KubernetesConfig { helm_releases: true, ..cluster(&server) };
    ask(&SignalConfig::Kubernetes(config)).await;
    let world = server.world();
    assert!(world.asked.len() > 8 && world.asked.iter().all(|(method, ..)| method == "GET"));
    assert_eq!(world.tokens.iter().collect::<Vec<_>>(), [&format!("Bearer {TOKEN}")]);
    assert_eq!(world.agents.iter().collect::<Vec<_>>(), [concat!("prodpin/", env!("CARGO_PKG_VERSION"))]);
}
