//! From which severity on findings fail a check.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Severity;

/// From which severity on findings count for the exit status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// Every finding.
    Info,
    /// Low and above.
    Low,
    /// Medium and above.
    Medium,
    /// High and critical.
    #[default]
    High,
    /// Critical alone.
    Critical,
    /// Findings are shown, and fail nothing.
    None,
}

impl FailOn {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical, Self::None];

    /// The least severity that counts, if any does.
    #[must_use]
    pub const fn least(self) -> Option<Severity> {
        match self {
            Self::Info => Some(Severity::Info),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Critical => Some(Severity::Critical),
            Self::None => None,
        }
    }

    /// The name used in policies and flags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self.least() {
            Some(severity) => severity.as_str(),
            None => "none",
        }
    }

    /// Whether a finding of this severity counts.
    #[must_use]
    pub fn is_reached_by(self, severity: Severity) -> bool {
        self.least().is_some_and(|least| severity >= least)
    }
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|each| each.as_str() == text);
        known.ok_or_else(|| format!("use one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_reached_by_nothing_and_a_severity_by_itself_and_what_is_worse() {
        let reached = Severity::ALL.map(|severity| FailOn::Medium.is_reached_by(severity));
        assert_eq!(reached, [false, false, true, true, true]);
        assert!(!Severity::ALL.into_iter().any(|severity| FailOn::None.is_reached_by(severity)));
        assert!("grave".parse::<FailOn>().unwrap_err().ends_with("critical, none"));
        for each in FailOn::ALL {
            assert_eq!(each.to_string().parse(), Ok(each));
            assert_eq!(serde_json::to_string(&each).unwrap(), format!("\"{each}\""), "in a policy as in a flag");
        }
    }
}
