//! What a rendering takes beside the report itself. Nothing here is read from a clock or an environment.

use std::io;

use super::render::{Format, Style};
use prodpin_core::model::{AwsAccount, FailOn};

/// What a rendering takes beside the report.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// How a page looks.
    pub style: Style,
    /// The policy file's path as given; only its name is shown.
    pub policy: Option<&'a str>,
    /// The severity from which findings fail a check.
    pub fail_on: FailOn,
    /// The AWS account that findings are imported into.
    pub account: Option<&'a AwsAccount>,
    /// The ledger's key, if it has one.
    pub signer: Option<&'a dyn Signer>,
}

/// Signs with the ledger's key.
pub trait Signer: Sync {
    /// The key's name, as verifiers know it.
    fn key_id(&self) -> String;

    /// The signature over exactly these bytes.
    fn sign(&self, message: &[u8]) -> io::Result<Vec<u8>>;
}

impl Context<'_> {
    /// For a rendering that takes nothing but a style.
    #[must_use]
    pub const fn new(style: Style) -> Self {
        Self { style, policy: None, fail_on: FailOn::High, account: None, signer: None }
    }

    /// Why this format cannot be written here, if it cannot. Asked before a run, so that none is lost to it.
    #[must_use]
    pub fn lacks(&self, format: Format) -> Option<&'static str> {
        match format {
            Format::Asff if self.account.is_none() => Some(
                "asff findings belong to an AWS account and region: set security_hub: { account, region } in the \
                 policy, or AWS_ACCOUNT_ID and AWS_REGION",
            ),
            Format::Attestation if self.signer.is_none() => Some(
                "an attestation is worth its signature, and this ledger has no signing key: give the ledger a key, or \
                 use --report json=FILE",
            ),
            _ => None,
        }
    }
}
