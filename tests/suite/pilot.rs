//! Some repositories of a policy alone, by name: what people begin with.

use std::process::Stdio;

use prodpin::sources::memory::image;
use serde_json::Value;

use crate::support::push::Pusher;
use crate::support::registry::Registry;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_named_repositories_are_read_and_pinned() {
    let registry = Registry::start().await;
    let pusher = Pusher::new(&registry.url());
    for repository in ["shop/api", "shop/web", "other/one"] {
        pusher.push(repository, "v1.0.0", &image(repository)).await;
    }
    let here = tempfile::tempdir().unwrap();
    let policy = format!(
        "version: 1\nledger: ./ledger\nsources:\n  r: {{ oci: \"{0}\", repositories: [\"shop/*\"], cleanup: none }}\n\
         production:\n  - {{ tags: [\"v*\"], order: semver }}\n",
        registry.url()
    );
    std::fs::write(here.path().join("prodpin.yaml"), policy).unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(here.path()).env_clear().stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let pinned = || {
        let requests = registry.requests();
        let writes =
            requests.iter().filter(|request| request.method == "PUT" && request.path.contains("/prod-pinned-"));
        writes.map(|request| request.path.split("/manifests/").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    registry.forget_requests();
    let (status, out, err) = run(&["enforce", "shop/api", "--format", "json"]).await;
    assert_eq!(status, 0, "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        report["run"]["scope"]["repositories"],
        serde_json::json!(["r/shop/api"]),
        "the report says what it is about"
    );
    assert_eq!(pinned(), ["/v2/shop/api"]);
    registry.forget_requests();
    let (status, out, err) = run(&["enforce", "shop/api"]).await;
    assert_eq!((status, pinned()), (0, vec![]), "{out}{err}");
    let read = registry.requests();
    assert!(read.iter().any(|request| request.path.contains("shop/api")));
    assert!(!read.iter().any(|request| request.path.contains("shop/web")), "nothing else is read");
    let (status, out, err) = run(&["enforce", "r/shop/web", "--dry-run"]).await;
    assert_eq!((status, pinned()), (0, vec![]), "{out}{err}");
    // What the policy does not name is not pinned because somebody types it.
    let (status, out, err) = run(&["enforce", "other/one"]).await;
    assert_eq!((status, pinned()), (1, vec![]), "{out}{err}");
    assert!(format!("{out}{err}").contains("the policy names no repository other/one"), "{out}{err}");
    let (status, _, err) = run(&["enforce", "shop/*"]).await;
    assert!(status == 2 && err.contains("takes names, and no patterns"), "{err}");
    // The whole afterwards goes on from there.
    let (status, out, err) = run(&["enforce"]).await;
    assert_eq!((status, pinned()), (0, vec!["/v2/shop/web".to_owned()]), "{out}{err}");
}
