//! What is deployed: the Kubernetes manifests as each overlay leaves them, held to what they promise. `tests/kubernetes.sh`
//! and `tests/terraform.sh` hold them, and the Terraform modules, against the tools themselves.

use std::path::{Path, PathBuf};

use crate::support::each;
use prodpin::policy::load;
use prodpin::schedule::Schedule;
use serde_json::Value;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parts = text.split("\n---\n").map(serde_saphyr::from_str::<Value>);
    parts.map(|part| part.unwrap_or_else(|error| panic!("{}: {error}", path.display()))).collect()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// What a kustomization makes of its resources, as far as these use it: files, other kustomizations, JSON patches.
fn built(folder: &Path) -> Vec<Value> {
    let kustomization = documents(&folder.join("kustomization.yaml")).remove(0);
    let mut resources = Vec::new();
    for resource in list(&kustomization, "resources") {
        let path = folder.join(resource.as_str().unwrap());
        resources.extend(if path.is_dir() { built(&path) } else { documents(&path) });
    }
    for patch in list(&kustomization, "patches") {
        let (kind, name) = (&patch["target"]["kind"], &patch["target"]["name"]);
        let steps: Value = serde_saphyr::from_str(patch["patch"].as_str().unwrap()).unwrap();
        if steps["$patch"] == "delete" {
            let before = resources.len();
            resources.retain(|resource| resource["kind"] != *kind || resource["metadata"]["name"] != *name);
            assert_eq!(resources.len() + 1, before, "{} deletes no {kind} {name}", folder.display());
            continue;
        }
        let target = resources
            .iter_mut()
            .find(|resource| resource["kind"] == *kind && resource["metadata"]["name"] == *name)
            .unwrap_or_else(|| panic!("{} patches no {kind} {name}", folder.display()));
        steps.as_array().unwrap().iter().for_each(|step| apply(target, step));
    }
    resources
}

/// One step of a JSON patch (RFC 6902).
fn apply(target: &mut Value, step: &Value) {
    let path = step["path"].as_str().unwrap();
    let (parent, last) = path.rsplit_once('/').unwrap();
    let parent = target.pointer_mut(parent).unwrap_or_else(|| panic!("{path} is not there to be patched"));
    match (step["op"].as_str().unwrap(), parent) {
        ("add", Value::Array(items)) if last == "-" => items.push(step["value"].clone()),
        ("add", Value::Object(fields)) => {
            fields.insert(last.to_owned(), step["value"].clone());
        }
        ("replace", Value::Object(fields)) => {
            assert!(fields.insert(last.to_owned(), step["value"].clone()).is_some(), "{path} is not there");
        }
        ("remove", Value::Object(fields)) => assert!(fields.remove(last).is_some(), "{path} is not there"),
        (op, parent) => panic!("{op} {path} in {parent}"),
    }
}

fn one<'v>(resources: &'v [Value], kind: &str) -> &'v Value {
    resources.iter().find(|resource| resource["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// On the cluster's schedule, and on the policy's own.
const SCHEDULED: [&str; 5] = ["audit", "enforce", "sharded", "irsa", "pod-identity"];
const OVERLAYS: [&str; 6] = ["audit", "enforce", "sharded", "irsa", "pod-identity", "watch"];

fn overlay(name: &str) -> Vec<Value> {
    built(&root("kubernetes/overlays").join(name))
}

#[test]
fn every_overlay_there_is_is_tested() {
    let mut found: Vec<String> = std::fs::read_dir(root("kubernetes/overlays"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut expected = OVERLAYS.map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn no_overlay_runs_twice_at_once_or_for_ever_g143() {
    for name in SCHEDULED {
        let resources = overlay(name);
        let spec = &one(&resources, "CronJob")["spec"];
        assert_eq!(spec["concurrencyPolicy"], "Forbid", "{name}");
        assert!(spec["startingDeadlineSeconds"].as_u64().unwrap() >= 10, "{name}: less may never start");
        let zone = jiff::tz::TimeZone::get(spec["timeZone"].as_str().expect("a time zone")).unwrap();
        Schedule::parse(spec["schedule"].as_str().unwrap(), zone).unwrap();
        let job = &spec["jobTemplate"]["spec"];
        let pod = &job["template"]["spec"];
        assert_eq!(pod["restartPolicy"], "Never", "{name}");
        // A run asks itself to end, is then asked by a signal, and only then killed (F88, F89).
        let environment = list(&pod["containers"][0], "env");
        let variable =
            |wanted: &str| environment.iter().find(|entry| entry["name"] == wanted).map(|entry| &entry["value"]);
        let minutes = variable("PRODPIN_DEADLINE").unwrap().as_str().unwrap().strip_suffix('m').unwrap();
        let deadline = minutes.parse::<u64>().unwrap() * 60;
        assert!(deadline + 30 < job["activeDeadlineSeconds"].as_u64().unwrap(), "{name}");
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= 30, "{name}");
        // A wrong policy and findings are no reason to try again.
        let codes = &job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"];
        assert_eq!(*codes, serde_json::json!([2, 3]), "{name}");
        let sharded = job["completionMode"] == "Indexed";
        assert_eq!(sharded, name == "sharded");
        assert_eq!(
            sharded,
            variable("PRODPIN_SHARDS").is_some(),
            "{name}: one without the other looks at all or nothing"
        );
        if sharded {
            assert_eq!(variable("PRODPIN_SHARDS").unwrap().as_str().unwrap(), job["completions"].to_string());
            assert!(job["backoffLimit"].is_null() && job["backoffLimitPerIndex"].is_u64(), "G145");
        }
    }
}

#[test]
fn no_overlay_has_rights_that_it_does_not_need() {
    for name in OVERLAYS {
        let resources = overlay(name);
        let template = match name {
            "watch" => &one(&resources, "Deployment")["spec"]["template"],
            _ => &one(&resources, "CronJob")["spec"]["jobTemplate"]["spec"]["template"],
        };
        let pod = &template["spec"];
        let (of_pod, container) = (&pod["securityContext"], &pod["containers"][0]);
        assert_eq!(list(pod, "containers").len(), 1, "{name}");
        assert_eq!(of_pod["runAsNonRoot"], true, "{name}");
        assert!(of_pod["runAsUser"].as_u64().unwrap() > 0, "{name}");
        assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        let of_container = &container["securityContext"];
        assert_eq!(of_container["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(of_container["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(of_container["capabilities"], serde_json::json!({ "drop": ["ALL"] }), "{name}");
        assert!(of_container["privileged"].is_null() && pod["hostNetwork"].is_null() && pod["hostPID"].is_null());
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        for volume in list(pod, "volumes") {
            assert!(volume["hostPath"].is_null(), "{name}");
        }
        let enforces = container["args"] == serde_json::json!(["enforce"]);
        assert_eq!(enforces, !["audit", "watch"].contains(&name), "{name}: {}", container["args"]);

        for rule in list(one(&resources, "ClusterRole"), "rules") {
            assert_eq!(rule["verbs"], serde_json::json!(["list"]), "{name}: {rule}");
            assert!(!list(rule, "resources").iter().any(|resource| resource == "secrets" || resource == "*"), "{name}");
        }
        let policy = &one(&resources, "NetworkPolicy")["spec"];
        assert_eq!(policy["policyTypes"], serde_json::json!(["Ingress", "Egress"]), "{name}");
        assert!(list(policy, "ingress").is_empty(), "{name}: nothing comes in");
        let namespace = one(&resources, "Namespace");
        assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted", "{name}");
    }
}

#[test]
fn one_watch_keeps_the_policy_s_schedule_and_is_asked_whether_it_does() {
    let resources = overlay("watch");
    assert!(!resources.iter().any(|resource| resource["kind"] == "CronJob"), "two schedules");
    let spec = &one(&resources, "Deployment")["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&Value::from(1), &Value::from("Recreate")));
    let labels = &spec["template"]["metadata"]["labels"];
    for (label, value) in spec["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(labels[label], *value, "{label}");
    }
    let selected = &one(&resources, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"];
    assert!(each(selected.as_object().unwrap().iter(), |(label, value)| labels[label] == *value), "{selected}");
    let pod = &spec["template"]["spec"];
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= 30);
    let container = &pod["containers"][0];
    let listen = list(container, "env").iter().find(|entry| entry["name"] == "PRODPIN_LISTEN").unwrap();
    let port = list(container, "ports")[0]["containerPort"].to_string();
    assert!(listen["value"].as_str().unwrap().ends_with(&format!(":{port}")), "{listen}");
    for probe in ["livenessProbe", "readinessProbe"] {
        let asked = &container[probe]["httpGet"];
        assert_eq!((&asked["path"], &asked["port"]), (&Value::from("/healthz"), &list(container, "ports")[0]["name"]));
    }
    let policy = load(&root("kubernetes/base/prodpin.yaml")).unwrap();
    let schedule = policy.schedule.expect("watch needs one").to_string();
    let job = &one(&overlay("audit"), "CronJob")["spec"]["schedule"].clone();
    assert!(schedule.starts_with(job.as_str().unwrap()), "{schedule}: run-overdue goes by the policy's");
}

#[test]
fn the_rights_are_those_that_the_signal_is_documented_to_need() {
    let documented = documents(&root("policies/kubernetes-rbac-cluster.yaml"));
    let rules = |resources: &[Value]| one(resources, "ClusterRole")["rules"].clone();
    for name in OVERLAYS {
        assert_eq!(rules(&overlay(name)), rules(&documented), "{name}");
    }
}

#[test]
fn the_image_is_made_of_what_is_sent_to_the_builder_and_says_what_it_is() {
    let read = |name: &str| std::fs::read_to_string(root(name)).unwrap();
    let (file, sent) = (read("Containerfile"), read(".dockerignore"));
    let allowed: Vec<&str> = sent.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(sent.lines().any(|line| line == "*"), "everything else stays here");
    let copied = file.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--"));
    let mut count = 0;
    for line in copied {
        let words: Vec<&str> = line.split_whitespace().collect();
        for source in &words[..words.len() - 1] {
            assert!(allowed.contains(source), "{source} is copied and not sent");
            assert!(root(source).exists(), "{source}");
            count += 1;
        }
    }
    assert_eq!(count, allowed.len(), "what is sent is used");
    let version = format!("image.version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(file.contains(&version) && file.contains(env!("CARGO_PKG_DESCRIPTION")), "{version}");
    let pod = overlay("audit");
    let pod = &one(&pod, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let user = &pod["securityContext"];
    assert!(file.contains(&format!("USER {}:{}", user["runAsUser"], user["runAsGroup"])), "{user}");
}

#[test]
fn the_policy_in_the_base_is_one_and_keeps_no_ledger_in_the_pod() {
    let policy = load(&root("kubernetes/base/prodpin.yaml")).unwrap();
    assert!(matches!(policy.ledger, prodpin::policy::LedgerLocation::Store(_)));
    assert_eq!(policy.warnings, Vec::<String>::new());
}

#[test]
fn the_chart_s_default_policy_is_one_and_keeps_no_ledger_in_the_pod() {
    let values = documents(&root("kubernetes/chart/values.yaml")).remove(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prodpin.yaml");
    std::fs::write(&file, values["policy"]["content"].as_str().unwrap()).unwrap();
    let policy = load(&file).unwrap();
    assert!(matches!(policy.ledger, prodpin::policy::LedgerLocation::Store(_)));
    assert_eq!(policy.warnings, Vec::<String>::new());
    assert_eq!(values["schedule"].as_str(), Some("*/15 * * * *"), "what the policy says");
}

#[test]
fn what_pipelines_take_is_yaml_and_gates_by_ready() {
    for path in ["action.yml", "ci/gitlab/prodpin.yml", "ci/argocd/pre-sync.yaml", "ci/tekton/task.yaml"] {
        let text = documents(&root(path)).iter().map(Value::to_string).collect::<String>();
        assert!(text.contains("ready"), "{path} gates no deployment");
    }
    documents(&root("kubernetes/monitoring/otel-collector.yaml"));
}

/// An alert over a metric that nobody sends would never fire.
#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let read = |path: &str| std::fs::read_to_string(root(path)).unwrap();
    let sent = [read("crates/report/src/metrics.rs"), read("src/watch/status.rs")].concat();
    for path in ["kubernetes/chart/alerts.yaml", "kubernetes/monitoring/grafana-dashboard.json"] {
        let text = read(path);
        let mut names = 0;
        for (at, _) in text.match_indices("prodpin_") {
            let end = text[at..].find(|c: char| !c.is_ascii_lowercase() && c != '_').map_or(text.len(), |end| at + end);
            let name = &text[at..end];
            assert!(sent.contains(&format!("\"{name}\"")), "{path}: nobody sends {name}");
            names += 1;
        }
        assert!(names > 5, "{path}");
    }
}

#[test]
fn admission_looks_at_every_image_of_every_workload_f132() {
    let documents = documents(&root("policies/kubernetes/require-digests.yaml"));
    let spec = &one(&documents, "ValidatingAdmissionPolicy")["spec"];
    assert_eq!(spec["failurePolicy"], "Fail", "unknown is not allowed");
    let rules = list(&spec["matchConstraints"], "resourceRules");
    let resources: Vec<&str> =
        rules.iter().flat_map(|rule| list(rule, "resources")).map(|resource| resource.as_str().unwrap()).collect();
    for wanted in [
        "pods",
        "pods/ephemeralcontainers",
        "replicationcontrollers",
        "deployments",
        "statefulsets",
        "daemonsets",
        "replicasets",
        "jobs",
        "cronjobs",
        "rollouts",
    ] {
        assert!(resources.contains(&wanted), "F132: {wanted}");
    }
    let images = list(spec, "variables").iter().find(|variable| variable["name"] == "images").unwrap();
    for containers in ["containers", "initContainers", "ephemeralContainers"] {
        assert!(images["expression"].as_str().unwrap().contains(&format!("pod.{containers}.map")), "{containers}");
    }
    assert!(images["expression"].as_str().unwrap().contains("v.image.reference"), "images mounted as volumes");
    let rule = spec["validations"][0]["expression"].as_str().unwrap();
    assert!(rule.contains("@sha256:[0-9a-f]{64}$"), "{rule}");
    let binding = &one(&documents, "ValidatingAdmissionPolicyBinding")["spec"];
    assert_eq!(binding["policyName"], one(&documents, "ValidatingAdmissionPolicy")["metadata"]["name"]);
    assert_eq!(binding["validationActions"], serde_json::json!(["Deny"]));
}

#[test]
fn the_organisation_s_policy_denies_and_allows_nothing() {
    let text = std::fs::read_to_string(root("policies/organization/keep-pins.json")).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    let statements = list(&policy, "Statement");
    assert!(!statements.is_empty() && statements.iter().all(|statement| statement["Effect"] == "Deny"));
    for action in ["ecr:BatchDeleteImage", "ecr:PutLifecyclePolicy", "s3:PutObjectLegalHold"] {
        assert!(text.contains(action), "{action}");
    }
    // AWS takes 5,120 characters, blanks left out.
    assert!(text.split_whitespace().map(str::len).sum::<usize>() <= 5_120);
}
