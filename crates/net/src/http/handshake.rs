//! What a failed TLS handshake means, and what to do about it (F6). None is tried again, and none gets around it.

use std::error::Error;
use std::io;

use rustls::{CertificateError, Error as TlsError};

/// The TLS error in what a broken connection reports. I/O errors that wrap another name its source as their own, and
/// so have to be unwrapped.
pub(crate) fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TlsError> {
    let mut error = error;
    loop {
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(found);
        }
        error = match error.downcast_ref::<io::Error>() {
            Some(wrapper) => wrapper.get_ref()?,
            None => error.source()?,
        };
    }
}

/// The next step for a person.
pub(crate) fn advice(error: &TlsError) -> &'static str {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match error {
        TlsError::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "the server's certificate has expired; have it renewed, or correct this machine's clock"
        }
        TlsError::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            "the server's certificate is not valid yet; correct this machine's clock"
        }
        TlsError::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "the server's certificate is for another name; use a name that it is for as the source's address"
        }
        TlsError::InvalidCertificate(UnknownIssuer | BadSignature) => {
            "nobody who is trusted signed the server's certificate; if its issuer is your own, set `ca_file` on the \
             source"
        }
        TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented => {
            "the server's certificate is no good; have it replaced"
        }
        TlsError::InvalidMessage(_) => "it does not speak TLS; if the server has none, write its address with http://",
        _ => "TLS could not be agreed on; check what the server offers",
    }
}
