//! What opening a source takes from outside the policy, handed in so that tests need no process environment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::throttle::Throttles;

/// The environment, limits of time and load, and name resolution.
#[derive(Debug, Clone, Default)]
pub struct HttpEnvironment {
    /// Environment variables.
    pub variables: Variables,
    /// Limits of time.
    pub timing: Timing,
    /// Names with fixed addresses, beside what the system resolves.
    pub names: HashMap<String, Vec<IpAddr>>,
    /// Whether the system's proxy settings hold.
    pub proxy: bool,
    /// How much is in flight at each host; sources that are opened with the same environment share it.
    pub throttles: Throttles,
    /// Whether the cloud that this machine runs in may be asked who it is.
    pub asks_machine: bool,
    /// Whether more than one registry is opened, so that credentials meant for "the registry" would go to all of them.
    pub several_registries: bool,
}

impl HttpEnvironment {
    /// This process's own.
    #[must_use]
    pub fn of_process() -> Self {
        Self { variables: Variables::of_process(), proxy: true, asks_machine: true, ..Self::default() }
    }
}

/// Environment variables as a value.
#[derive(Clone, Default)]
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// What this process was started with; variables that are not Unicode are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// These variables only.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A variable, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable, as a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }
}

/// The names only: values may be secrets (I18).
impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Limits of time for one source.
#[derive(Debug, Clone)]
pub struct Timing {
    /// For a connection to stand (F2).
    pub connect: Duration,
    /// For one request from its first byte to the last of its answer (F5).
    pub request: Duration,
    /// For all pages of one list together (F5): a list that drips is left, whatever the run's deadline.
    pub list: Duration,
    /// How often a request is sent before a fault is final.
    pub tries: u32,
    /// The first wait between two tries; it doubles, with jitter.
    pub backoff: Duration,
    /// The longest wait that a server may ask for where the run has no deadline (F32).
    pub longest_wait: Duration,
    /// For a credential helper to answer.
    pub helper: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
            list: Duration::from_secs(3600),
            tries: 4,
            backoff: Duration::from_millis(250),
            longest_wait: Duration::from_secs(300),
            helper: Duration::from_secs(20),
        }
    }
}
