//! Lifecycle rules from a file, tried before they are applied.

use std::sync::Arc;

use super::ecr::{Lifecycle, recommend};
use super::s3;
use crate::model::{BucketLifecycle, BucketRetention, Retention, Setting, Snapshot};

/// Rules that are valid in their own grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedRules {
    text: Box<str>,
    kind: TriedKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TriedKind {
    Ecr,
    Bucket(Arc<BucketLifecycle>),
}

/// Everything that is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct TriedRulesError {
    /// Each problem with the rule it is in and what to do about it.
    pub problems: Vec<String>,
}

impl TriedRules {
    /// Reads rules, by their looks a bucket's or an ECR repository's.
    pub fn read(text: &str) -> Result<Self, TriedRulesError> {
        if s3::is_meant(text) {
            return match s3::read(text) {
                Ok(lifecycle) => Ok(Self { text: text.into(), kind: TriedKind::Bucket(Arc::new(lifecycle)) }),
                Err(problems) => Err(TriedRulesError { problems }),
            };
        }
        match Lifecycle::parse(text) {
            Ok(_) => Ok(Self { text: text.into(), kind: TriedKind::Ecr }),
            Err(problems) => Err(TriedRulesError { problems: problems.iter().map(ToString::to_string).collect() }),
        }
    }

    /// The rules as they were written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same with one in front that claims every pin, complete and valid. What spares a bucket's releases depends on
    /// the bucket.
    pub fn recommend(&self) -> Result<String, String> {
        if matches!(self.kind, TriedKind::Bucket(_)) {
            let why =
                "what spares releases depends on the bucket; leave out --lifecycle to have its live rules changed";
            return Err(why.to_owned());
        }
        recommend(Some(&self.text)).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.join("; ")
        })
    }

    /// Puts them in the place of the live rules. Whether there is a place for them: rules of another kind, or of none,
    /// stay what they are.
    pub fn apply(&self, snapshot: &mut Snapshot) -> bool {
        match (&mut snapshot.retention, &self.kind) {
            (Retention::Ecr(repository), TriedKind::Ecr) => {
                repository.lifecycle = Setting::Text(self.text.clone());
                true
            }
            (Retention::Bucket(bucket), TriedKind::Bucket(lifecycle)) => {
                *bucket = Arc::new(BucketRetention { lifecycle: Some(Arc::clone(lifecycle)), ..(**bucket).clone() });
                true
            }
            (
                Retention::Unruled
                | Retention::Ecr(_)
                | Retention::Bucket(_)
                | Retention::Harbor(_)
                | Retention::Acr(_)
                | Retention::GitLab(_)
                | Retention::Gar(_)
                | Retention::Quay(_)
                | Retention::Zot(_),
                _,
            ) => false,
        }
    }
}
