//! The Lambda Runtime API, 2018-06-01, as far as a function uses it: the next invocation, its response, its error.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

/// What came back for an invocation.
#[derive(Debug)]
pub(crate) enum Answered {
    Response(Value),
    Error(Value),
}

/// One invocation that waits to be fetched: its number, the event, when it is cut off.
type Waiting = (u64, Bytes, SystemTime);

struct Shared {
    waiting: Mutex<mpsc::UnboundedReceiver<Waiting>>,
    answered: mpsc::UnboundedSender<(u64, Answered)>,
}

pub(crate) struct RuntimeApi {
    address: String,
    invoke: mpsc::UnboundedSender<Waiting>,
    answered: mpsc::UnboundedReceiver<(u64, Answered)>,
    next: u64,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Self {
        let (invoke, waiting) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { waiting: Mutex::new(waiting), answered: answers });
        let (address, _) = crate::serve::serve(Router::new().fallback(serve).with_state(shared)).await;
        Self { address: address.to_string(), invoke, answered, next: 0 }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Hands the event to the function with so much time left, and waits for its answer for as long: what comes later
    /// is what Lambda would have cut off.
    pub(crate) async fn invoke(&mut self, event: &Value, left: Duration) -> Answered {
        self.next += 1;
        self.invoke.send((self.next, event.to_string().into(), SystemTime::now() + left)).unwrap();
        let (number, answered) = tokio::time::timeout(left, self.answered.recv())
            .await
            .expect("no answer before the function's timeout")
            .unwrap();
        assert_eq!(number, self.next, "an answer to another invocation");
        answered
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix("/2018-06-01/runtime/invocation/") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if *request.method() == Method::GET && rest == "next" {
        let Some((number, event, deadline)) = shared.waiting.lock().await.recv().await else {
            return StatusCode::GONE.into_response();
        };
        let headers = HashMap::from([
            ("lambda-runtime-aws-request-id", format!("8476a536-e9f4-11e8-9739-{number:012}")),
            ("lambda-runtime-deadline-ms", deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:prodpin".to_owned(),
            ),
            (
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
            ),
        ]);
        let mut response = event.into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        return response;
    }
    let Some((id, what)) = rest.split_once('/') else { return StatusCode::NOT_FOUND.into_response() };
    let number = id.rsplit('-').next().unwrap().parse().unwrap();
    let what = what.to_owned();
    let body = to_bytes(request.into_body(), 6 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let answered = match what.as_str() {
        "response" => Answered::Response(body),
        "error" => Answered::Error(body),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // The test may be over.
    let _ = shared.answered.send((number, answered));
    (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
}
