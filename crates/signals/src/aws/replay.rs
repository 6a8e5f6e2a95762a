//! A stand-in for AWS that answers from what a test wrote down, in the shapes of the services' models, and records what
//! it was asked. Pages are real ones: a token is only good for the page after the one it came with.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::client::Access;
use prodpin_core::model::NamePatterns;
use prodpin_policy::AwsConfig;

#[derive(Default)]
pub(super) struct Tape {
    /// Answers by operation and a word that must stand in the request; the first that fits.
    answers: Vec<(String, String, StatusCode, Value)>,
    /// The actions that were asked for.
    pub(super) asked: BTreeSet<String>,
    /// Requests that no answer fitted.
    pub(super) unanswered: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Replay {
    tape: Arc<Mutex<Tape>>,
    endpoint: url::Url,
}

impl Replay {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let tape = Arc::new(Mutex::new(Tape::default()));
        let router = Router::new().fallback(answer).with_state(tape.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { tape, endpoint }
    }

    pub(super) fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap()
    }

    pub(super) fn on(&self, operation: &str, word: &str, answer: Value) -> &Self {
        self.tape().answers.push((operation.to_owned(), word.to_owned(), StatusCode::OK, answer));
        self
    }

    /// Goes before all that was written down.
    pub(super) fn first(&self, operation: &str, answer: Value) {
        self.tape().answers.insert(0, (operation.to_owned(), String::new(), StatusCode::OK, answer));
    }

    pub(super) fn refuse(&self, operation: &str, status: u16, code: &str) -> &Self {
        let answer = json!({ "__type": code, "message": "User: prodpin is not authorized" });
        let status = StatusCode::from_u16(status).unwrap();
        self.tape().answers.insert(0, (operation.to_owned(), String::new(), status, answer));
        self
    }

    pub(super) fn access(&self, patterns: &[&str]) -> Access {
        let config = AwsConfig {
            region: Some("eu-west-1".to_owned()),
            names: NamePatterns::new(patterns).unwrap(),
            assume_role: None,
            endpoint: Some(self.endpoint.clone()),
        };
        let credentials = Credentials::new("AKIATEST", "very-secret-key", None, None, "test");
        Access::with(config, SharedCredentialsProvider::new(credentials))
    }
}

async fn answer(State(tape): State<Arc<Mutex<Tape>>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let said = format!("{} {}", parts.uri, String::from_utf8_lossy(&body));
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let action = match target {
        Some(target) => {
            let service = if target.starts_with("AppRunner") { "apprunner" } else { "ecs" };
            format!("{service}:{}", target.rsplit('.').next().unwrap())
        }
        None => format!("lambda:{}", lambda(parts.method.as_str(), parts.uri.path())),
    };
    let mut tape = tape.lock().unwrap();
    tape.asked.insert(action.clone());
    let found = tape.answers.iter().find(|(operation, word, ..)| *operation == action && said.contains(word.as_str()));
    let (status, value) = match found {
        Some((_, _, status, value)) => (*status, value.clone()),
        None => {
            tape.unanswered.push(format!("{action} {said}"));
            (StatusCode::BAD_REQUEST, json!({ "__type": "NotOnTape", "message": "nothing was written down for this" }))
        }
    };
    let code = value["__type"].as_str().unwrap_or_default().to_owned();
    Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-errortype", code)
        .body(Body::from(value.to_string()))
        .unwrap()
}

/// Lambda's operations are reported by their paths.
fn lambda(method: &str, path: &str) -> &'static str {
    let parts: Vec<&str> = path.trim_matches('/').split('/').skip(2).collect();
    match (method, parts.as_slice()) {
        ("GET", []) => "ListFunctions",
        ("GET", [_]) => "GetFunction",
        ("GET", [_, "versions"]) => "ListVersionsByFunction",
        ("GET", [_, "aliases"]) => "ListAliases",
        _ => "Unknown",
    }
}
