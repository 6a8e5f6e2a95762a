//! The servers that `tests/run.sh` starts, by what it exports. Without them these tests leave themselves out and say
//! so, once for each server; where `PRODPIN_TEST_REQUIRED` is set, a server that is missing is a failure.

use std::collections::BTreeSet;
use std::env;
use std::sync::{Mutex, PoisonError};

use crate::support::left_out::left_out;

/// A running server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// For the output.
    pub(crate) name: &'static str,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// Who may do everything; none where nobody is asked.
    pub(crate) user: Option<User>,
}

/// Who may do everything, and who may nothing.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    /// The same password, and no rights.
    pub(crate) stranger: String,
}

/// A Docker registry that asks nobody.
pub(crate) fn open_registry() -> Option<Server> {
    server("docker-registry", "PRODPIN_TEST_REGISTRY", false)
}

/// A Docker registry with Basic authentication.
pub(crate) fn basic_registry() -> Option<Server> {
    server("docker-registry with Basic authentication", "PRODPIN_TEST_REGISTRY_BASIC", true)
}

/// A Docker registry with a token server.
pub(crate) fn token_registry() -> Option<Server> {
    server("docker-registry with token authentication", "PRODPIN_TEST_REGISTRY_TOKEN", true)
}

/// Registries of other authors and versions, where they could be built.
pub(crate) fn another_registry(name: &'static str) -> Option<Server> {
    let variable = match name {
        "distribution 3" => "PRODPIN_TEST_REGISTRY_CURRENT",
        "crane's registry" => "PRODPIN_TEST_REGISTRY_CRANE",
        "ferro" => "PRODPIN_TEST_REGISTRY_FERRO",
        other => panic!("no server is called {other}"),
    };
    optional(name, variable)
}

/// An S3 server.
pub(crate) fn s3() -> Option<Server> {
    server("an S3 server", "PRODPIN_TEST_S3", false)
}

/// A second S3 server, of other authors, where it could be installed.
pub(crate) fn second_s3() -> Option<Server> {
    optional("a second S3 server", "PRODPIN_TEST_S3_SECOND")
}

/// Azurite, where it was asked for.
pub(crate) fn azurite() -> Option<Server> {
    optional("Azurite", "PRODPIN_TEST_AZURITE")
}

/// A file server for charts, with the directory that it serves and a Python that has Helm's SDK.
pub(crate) fn charts() -> Option<Charts> {
    let server = server("a file server for charts", "PRODPIN_TEST_CHARTS", false)?;
    let get = |variable| env::var(variable).unwrap_or_else(|_| panic!("charts need {variable}; run tests/run.sh"));
    Some(Charts { url: server.url, directory: get("PRODPIN_TEST_CHARTS_DIR"), python: get("PRODPIN_TEST_PYTHON") })
}

/// Where charts are served, and with what they are packed.
#[derive(Debug, Clone)]
pub(crate) struct Charts {
    pub(crate) url: String,
    pub(crate) directory: String,
    pub(crate) python: String,
}

/// A server without which the tests go on, and say so.
fn optional(name: &'static str, variable: &str) -> Option<Server> {
    let Ok(url) = env::var(variable) else {
        say_once(name, variable);
        return None;
    };
    Some(Server { name, url, user: None })
}

fn server(name: &'static str, variable: &'static str, with_user: bool) -> Option<Server> {
    let Ok(url) = env::var(variable) else {
        assert!(env::var_os("PRODPIN_TEST_REQUIRED").is_none(), "{name} is required, and {variable} is not set");
        say_once(name, variable);
        return None;
    };
    let get = |variable| env::var(variable).unwrap_or_else(|_| panic!("{name} needs {variable}; run tests/run.sh"));
    let user = with_user.then(|| User {
        name: get("PRODPIN_TEST_USER"),
        password: get("PRODPIN_TEST_PASSWORD"),
        stranger: get("PRODPIN_TEST_STRANGER"),
    });
    Some(Server { name, url, user })
}

fn say_once(name: &'static str, variable: &str) {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(name) {
        left_out(&format!("every test that needs {name}"), &format!("{variable} is not set; run tests/run.sh"));
    }
}
