//! Where calls to an S3-compatible endpoint go, and whom they ask before.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// Notes the head of every request, and denies everything.
fn denying_server() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, log) = (stream.unwrap(), Arc::clone(&log));
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                log.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                let body = "<Error><Code>AccessDenied</Code></Error>";
                let length = body.len();
                let head = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: application/xml\r\n";
                let _ = write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}");
            });
        }
    });
    (url, seen)
}

/// Asking for the region of a cloud that this machine is not in would cost every run seconds.
#[test]
fn an_endpoint_of_one_s_own_needs_no_region_and_no_instance() {
    let ((endpoint, seen), (instance, asked)) = (denying_server(), denying_server());
    for (policy_region, variable, profile, expected) in [
        (None, None, None, "us-east-1"),
        (None, None, Some("ap-south-1"), "ap-south-1"),
        (None, Some("eu-west-3"), Some("ap-south-1"), "eu-west-3"),
        (Some("sa-east-1"), Some("eu-west-3"), Some("ap-south-1"), "sa-east-1"),
    ] {
        seen.lock().unwrap().clear();
        let directory = tempfile::tempdir().unwrap();
        let region = policy_region.map_or(String::new(), |region| format!(", region: {region}"));
        let source = format!(
            "{{ s3: acme-bundles, layout: \"{{repository}}/{{version}}/x\", endpoint: \"{endpoint}\"{region} }}"
        );
        let policy = format!("version: 1\nledger: none\nsources:\n  b: {source}\nproduction: [{{ tags: [v*] }}]\n");
        std::fs::write(directory.path().join("prodpin.yaml"), policy).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(["audit", "--format", "json"]).current_dir(directory.path()).env_clear().stdin(Stdio::null());
        command.envs([("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
        command.envs([("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.as_str()), ("NO_PROXY", "127.0.0.1")]);
        command.envs(variable.map(|region| ("AWS_REGION", region)));
        if let Some(region) = profile {
            std::fs::write(directory.path().join("config"), format!("[default]\nregion = {region}\n")).unwrap();
            command.env("AWS_CONFIG_FILE", directory.path().join("config"));
        }
        let output = command.output().unwrap();
        let reported = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{reported}");
        let seen = seen.lock().unwrap();
        let scope = format!("/{expected}/s3/aws4_request");
        assert!(!seen.is_empty() && seen.iter().all(|head| head.contains(&scope)), "{expected}: {seen:?} {reported}");
    }
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new(), "the instance was asked");
}
