//! S3 lifecycle rules, simulated (B.1).
//!
//! | file | what is in it |
//! | --- | --- |
//! | `doubt` | yes, no and maybe; and which way a maybe is read |
//! | `rules` | which rule reaches which version, and when it is due |
//! | `key` | one key's versions and markers, newest first |
//! | `timeline` | every event of one key to a horizon (B71) |
//! | `threats` | what of that happens to rollback targets |
//! | `lint` | rules that cannot mean what they say |
//! | `document`, `xml`, `check` | a configuration as people write it, and what S3 refuses in it |
//! | `recommend`, `write` | a configuration that spares pinned releases |
//!
//! The documentation leaves three things open, and each is read so as to frighten: what is due exactly at midnight acts
//! at that midnight; whether delete markers count among the newer noncurrent versions is a maybe; and where the version
//! that once followed has been deleted by hand, the next newer one stands in for it.

mod check;
mod document;
mod doubt;
mod key;
mod lint;
mod recommend;
mod rules;
mod threats;
mod timeline;
mod write;
mod xml;

pub use document::{is_meant, read};
pub use key::{Entry, EntryKind, Key};
pub use lint::{Lint, LintKind, lint};
pub(super) use lint::{is_mark, mark};
pub(super) use recommend::is_for_a_tag;
pub use recommend::{left_alone, recommend};
pub use rules::Lifecycle;
pub use threats::{Objects, threats, threats_to, threats_to_all};
pub use timeline::{Act, TimelineStep, timeline};
