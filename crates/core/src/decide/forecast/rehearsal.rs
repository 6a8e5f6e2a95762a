//! Where a source's own preview of its rules differs from the simulation, and why it may.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::lifecycle::Foreseen;
use crate::model::{ArtifactId, Certainty, Effect};
use crate::outcome::forecast::{Difference, Preview};

/// More than these are counted only: a repository has up to 100,000 images.
const LISTED: usize = 50;

/// What the source says it would do to one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previewed {
    /// To what.
    pub artifact: ArtifactId,
    /// What.
    pub effect: Effect,
    /// By which rule, if it says so.
    pub rule: Option<String>,
}

/// Compares the two, both ways. `untagged` are artifacts without a tag, which an index may hold; `listed` all of them.
#[must_use]
pub fn compare(
    simulated: &BTreeMap<ArtifactId, Foreseen>,
    previewed: &[Previewed],
    listed: &BTreeSet<ArtifactId>,
    untagged: &BTreeSet<ArtifactId>,
) -> Preview {
    let previewed: BTreeMap<&ArtifactId, &Previewed> =
        previewed.iter().map(|previewed| (&previewed.artifact, previewed)).collect();
    let artifacts: BTreeSet<&ArtifactId> = simulated.keys().chain(previewed.keys().copied()).collect();
    let (mut agreed, mut differences) = (0, Vec::new());
    for artifact in artifacts {
        let note = match (simulated.get(artifact), previewed.get(artifact)) {
            (Some(ours), Some(theirs)) if same(ours, theirs) => {
                agreed += 1;
                continue;
            }
            (Some(ours), Some(theirs)) if ours.effect == theirs.effect => "another rule, and the same end",
            (Some(_), Some(_)) => "the preview is the source's own word: believe it for now",
            (Some(ours), None) if ours.certainty == Certainty::Possible => {
                "the documentation leaves this open, and the simulation assumes the worse"
            }
            (Some(_), None) if untagged.contains(artifact) => {
                "an index may hold it (ImageReferencedByManifestList): such parts go after it"
            }
            (Some(_), None) => {
                "it may not be due by the source's clock, which may lag by 24 hours, or ties are broken otherwise"
            }
            (None, Some(_)) if !listed.contains(artifact) => "it was pushed after the repository was listed",
            (None, Some(_)) => "the simulation missed it: believe the source, and report this as a defect of prodpin",
            (None, None) => continue,
        };
        differences.push(Difference {
            artifact: artifact.clone(),
            simulated: simulated.get(artifact).map(|ours| reported(ours.effect, Some(&ours.rule))),
            previewed: previewed.get(artifact).map(|theirs| reported(theirs.effect, theirs.rule.as_deref())),
            note: note.to_owned(),
        });
    }
    // What the simulation missed comes first: it is what no one may overlook.
    differences.sort_by_key(|difference| difference.simulated.is_some());
    let more = differences.len().saturating_sub(LISTED);
    differences.truncate(LISTED);
    Preview::Compared { agreed, differences, more: more as u64 }
}

fn same(ours: &Foreseen, theirs: &Previewed) -> bool {
    ours.effect == theirs.effect && theirs.rule.as_ref().is_none_or(|rule| *rule == ours.rule)
}

fn reported(effect: Effect, rule: Option<&str>) -> String {
    let verb = match effect {
        Effect::Deletes => "deleted",
        Effect::Archives => "archived",
        Effect::Hides => "hidden",
    };
    rule.map_or_else(|| verb.to_owned(), |rule| format!("{verb} by rule {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    fn artifact(name: &str) -> ArtifactId {
        Digest::sha256(name.as_bytes()).into()
    }

    fn ours(rule: &str, certainty: Certainty) -> Foreseen {
        Foreseen { effect: Effect::Deletes, rule: rule.to_owned(), certainty, why: String::new() }
    }

    fn theirs(name: &str, rule: &str) -> Previewed {
        Previewed { artifact: artifact(name), effect: Effect::Deletes, rule: Some(rule.to_owned()) }
    }

    #[test]
    fn differences_are_told_both_ways_and_the_source_s_surplus_first() {
        let names = ["both", "rule", "open", "part", "clock", "missed"];
        let simulated = BTreeMap::from([
            (artifact("both"), ours("1", Certainty::Certain)),
            (artifact("rule"), ours("1", Certainty::Certain)),
            (artifact("open"), ours("1", Certainty::Possible)),
            (artifact("part"), ours("1", Certainty::Certain)),
            (artifact("clock"), ours("1", Certainty::Certain)),
        ]);
        let previewed = [theirs("both", "1"), theirs("rule", "2"), theirs("missed", "1"), theirs("new", "1")];
        let listed = names.map(artifact).into();
        let Preview::Compared { agreed, differences, more } =
            compare(&simulated, &previewed, &listed, &[artifact("part")].into())
        else {
            panic!("compared");
        };
        assert_eq!((agreed, more), (1, 0));
        let note = |name: &str| &differences.iter().find(|it| it.artifact == artifact(name)).expect(name).note;
        assert!(note("rule").contains("another rule"));
        assert!(note("open").contains("leaves this open"));
        assert!(note("part").contains("ImageReferencedByManifestList"));
        assert!(note("clock").contains("24 hours"));
        assert!(note("new").contains("after the repository was listed"));
        assert!(note("missed").contains("defect"));
        assert!(differences[..2].iter().all(|difference| difference.simulated.is_none()));
    }
}
