//! What a person should know about one repository. Each family of codes has a file, with its messages beside its codes:
//! those about targets, pins and what could not be read are here, the others stand beside what they judge (`mutation`,
//! `drift`, `collision`, `refusals`, `mutability`, `access`, `doubt`, `evidence`, `workloads`, `witness`).

mod gap;
mod parts;
mod pin;
mod target;

use std::collections::BTreeSet;

use crate::model::{Deployment, Finding, ObservedTag, Retention, Tag};
use crate::outcome::report::{Reason, RepositoryReport};

use super::draft::Draft;
use super::facts::Facts;
use super::input::Input;
use super::mutation::Mutation;
use super::outlooks::Outlooks;
use super::workloads::workload_findings;
use super::{
    access, collision, doubt, drift, evidence, members, mutability, refusals, replication, requirements, witness,
};

pub(in crate::decide) use gap::NOT_EVERYTHING;
pub use gap::{gap_finding, next_step};

/// What a person should know.
#[derive(Default)]
pub(super) struct Findings {
    /// What is the case, and stays a finding until it is not: opened and resolved on record.
    pub(super) conditions: Vec<Finding>,
    /// What happened: told by the run that saw it, and on record as that event.
    pub(super) events: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, found: impl IntoIterator<Item = Finding>) {
        for finding in found {
            if finding.code.is_event() { self.events.push(finding) } else { self.conditions.push(finding) }
        }
    }
}

pub(super) fn findings(
    input: &Facts<'_>,
    listed: &[&ObservedTag],
    report: &RepositoryReport,
    outlooks: &Outlooks,
) -> Findings {
    let draft = Draft::new(input);
    let production_tags = production_tags(input, report);
    let mutation = Mutation {
        draft,
        kind: input.snapshot.kind,
        inspections: input.inspections,
        rules: input.rules,
        listed,
        state: input.state,
        unnamed: input.unnamed,
        labels: input.labels,
        production_tags: &production_tags,
        cached_from: input.snapshot.retention.cached_from(),
        forgets: matches!(&input.snapshot.retention, Retention::Harbor(harbor) if harbor.cached_from.is_some()),
    };
    let mut found = Findings::default();
    found.add(mutation.findings(input.events));
    found.add(drift::findings(draft, input.state, input.events));
    for target in &report.targets {
        found.add(target::findings(input, draft, target, report, outlooks));
        found.add(target::of_evidence(input, draft, target));
        found.add(parts::signatures(input, draft, target, report));
        found.add(parts::attached(input, draft, target));
        // The one event under the code of a condition: what is lacking is there again, and was gone.
        found.events.extend(pin::pinned_again(input, draft, target));
    }
    pin::together(&mut found.conditions, draft, report);
    found.add(evidence::unserved_tags(input, draft));
    found.add(evidence::left_out(input, draft));
    found.add(pin::moved(input, draft, report));
    found.add(parts::unprotected(input, draft, report));
    found.add(parts::unread(input, draft, report));
    found.add(witness::unknown_pins(input, draft, report));
    found.add(target::dangling(input, draft));
    found.add(workload_findings(input, draft));
    found.add(pin::marked_only(draft, report));
    found.add(collision::ineffective(draft, report, outlooks));
    found.add(refusals::finding(draft, report, outlooks));
    if let Retention::Ecr(ecr) = &input.snapshot.retention {
        let (targets, gaps) = (!report.targets.is_empty(), !report.gaps.is_empty());
        found.add(mutability::finding(draft, ecr, input.rules, listed, targets, gaps));
        found.add(access::findings(draft, ecr, gaps));
    }
    if let Retention::Harbor(harbor) = &input.snapshot.retention {
        found.add(replication::findings(draft, harbor, input.rules, listed, !report.targets.is_empty()));
        found.add(members::finding(draft, harbor, !report.targets.is_empty()));
    }
    let doubt = doubt::finding(input.selection, input.rules.keep, input.inspections, draft, &report.targets);
    found.add(doubt);
    found.add(pin::unproven(input, draft, report));
    found.add(requirements::findings(draft, input.pins, report));
    found.add(target::depth(input, listed, draft, report));
    found.add(gap::incomplete(draft, report));
    found
}

/// The tags by which production runs or ran something: those that name a target as a release, or that a signal names.
fn production_tags<'a>(input: &'a Input<'_>, report: &'a RepositoryReport) -> BTreeSet<&'a Tag> {
    let released = report.targets.iter().flat_map(|target| &target.reasons).filter_map(|reason| match reason {
        Reason::ReleaseTag { tag } | Reason::ReleasedAs { tag } | Reason::MovedIn { tag } => Some(tag),
        Reason::MovingTagNow { .. }
        | Reason::MovingTagBefore { .. }
        | Reason::Running { .. }
        | Reason::RanBefore { .. }
        | Reason::Wanted { .. }
        | Reason::WantedBefore { .. } => None,
    });
    let platforms = input.selection.platform_tags(input.rules.keep, input.inspections);
    released.chain(platforms).chain(input.running.iter().filter_map(Deployment::tag)).collect()
}
