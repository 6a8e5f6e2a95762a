//! Where every stand-in for a server listens: a free port of this machine.

use std::net::SocketAddr;

use axum::Router;
use tokio::task::JoinHandle;

/// Answers by this app until the task is aborted, or the test ends.
pub(crate) async fn serve(app: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on loopback");
    let address = listener.local_addr().expect("a bound listener has an address");
    let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("serving on loopback") });
    (address, task)
}
