//! An AWS account.

/// Where AWS Security Hub takes findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsAccount {
    /// Its twelve digits.
    pub id: String,
    /// The region.
    pub region: String,
}
