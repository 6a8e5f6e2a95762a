//! Threats in words, for findings and for every page that shows them.

use jiff::Timestamp;

use crate::model::{Certainty, Due, Effect, Threat};

/// `now`, `on 2026-12-01`, `after 3 more pushes, about 2026-12-20 at the present pace`.
#[must_use]
pub fn when(due: &Due) -> String {
    match due {
        Due::Now | Due::AfterPushes { pushes: 0, .. } => "now".to_owned(),
        Due::On(at) => format!("on {}", day(*at)),
        Due::AfterPushes { pushes, around } => {
            let pushes = if *pushes == 1 { "1 more push".to_owned() } else { format!("{pushes} more pushes") };
            match around {
                Some(around) => format!("after {pushes}, about {} at the present pace", day(*around)),
                None => format!("after {pushes}"),
            }
        }
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

impl Threat {
    /// What the rule does, as a verb: `deletes`, `may archive`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match (self.effect, self.certainty) {
            (Effect::Deletes, Certainty::Certain) => "deletes",
            (Effect::Deletes, Certainty::Possible) => "may delete",
            (Effect::Archives, Certainty::Certain) => "archives",
            (Effect::Archives, Certainty::Possible) => "may archive",
            (Effect::Hides, Certainty::Certain) => "hides",
            (Effect::Hides, Certainty::Possible) => "may hide",
        }
    }
}
