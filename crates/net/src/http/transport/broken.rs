//! What an exchange means that broke.

use std::error::Error as _;

use prodpin_core::model::Cause;
use url::Url;

use super::{Call, Setback, shown};
use crate::http::address::AddressRefused;
use crate::http::fault::Fault;
use crate::http::handshake::{self, tls_error};

/// What a broken exchange means. Only the innermost error is quoted: outer ones repeat the URL.
pub(super) fn broken(call: &Call, url: &Url, error: &reqwest::Error) -> Setback {
    let mut source = error.source();
    let mut innermost = None;
    let mut no_descriptor = false;
    while let Some(inner) = source {
        no_descriptor |= inner.downcast_ref::<std::io::Error>().is_some_and(is_out_of_descriptors);
        if let Some(refused) = inner.downcast_ref::<AddressRefused>() {
            return Setback::Final(Fault::refused(refused.to_string()));
        }
        innermost = Some(inner.to_string());
        source = inner.source();
    }
    let reason = innermost.unwrap_or_else(|| "the connection broke".to_owned());
    let is_proxy = error.is_connect() && reason.starts_with("tunnel error");
    let doing = match (error.is_dns(), error.is_connect()) {
        _ if is_proxy => "the proxy of the environment (HTTPS_PROXY) opens no tunnel to",
        (true, _) => "cannot resolve the name of",
        (false, true) => "cannot connect to",
        (false, false) => "the answer broke off at",
    };
    let host = url.host_str().unwrap_or_default();
    let detail = format!("{}: {doing} {host} ({reason:.200})", shown(call));
    if let Some(failed) = tls_error(error).filter(|_| error.is_connect()) {
        let detail = format!("{detail}: {}", handshake::advice(failed));
        return Setback::Final(Fault::new(Cause::Unreachable, detail));
    }
    match (error.is_builder(), error.is_connect()) {
        (true, _) => Setback::Final(Fault::malformed(detail)),
        // Too many open files for us (F95): it is this run that asks for too much at once.
        _ if no_descriptor => Setback::Overload(Fault::new(Cause::Throttled, detail), None),
        // Too many connections for the server: fewer at once may do.
        (false, true) => Setback::Overload(Fault::new(Cause::Unreachable, detail), None),
        (false, false) => Setback::Fleeting(Fault::new(Cause::Unreachable, detail)),
    }
}

/// `EMFILE` and `ENFILE`, which the standard library has no name for.
fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
