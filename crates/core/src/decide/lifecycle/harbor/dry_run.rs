//! What Harbor's own dry run of tag retention says at a moment, whatever the schedule: for comparing (J35).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::job::{Job, Outcome};
use super::launch::Launch;
use super::removal::{Table, Verdict};
use super::rules::Rules;
use crate::model::{Certainty, Digest, HarborRepository};

/// What it says would be deleted. It is uncertain where the order among equals decides, where a failure may be lost, and where
/// the server's version does not tell how it names nested repositories to its immutability rules (J14, J15, J26).
#[must_use]
pub fn dry_run(rules: &Rules, repository: &HarborRepository, now: Timestamp) -> BTreeMap<Digest, Certainty> {
    let Launch::Job(in_job) = rules.launch(repository) else { return BTreeMap::new() };
    let job = rules.job(repository, &in_job, &repository.artifacts, now);
    let (run, is_sure) = match job.run() {
        Outcome::Ran(run) => (run, true),
        Outcome::Failed { if_lost: Some(run), .. } => (run, false),
        Outcome::Failed { if_lost: None, .. } => return BTreeMap::new(),
    };
    let ways = rules.ways_of_naming(repository);
    let tables: Vec<Table> = ways.iter().map(|names| Job { names: *names, ..job }.table(&run, true)).collect();
    let mut found = BTreeMap::new();
    for (row, artifact) in repository.artifacts.iter().enumerate() {
        let mut said = tables.iter().map(|table| table.rows.get(row) == Some(&Verdict::Deleted));
        let is_open = run.open.contains(&artifact.digest);
        let (in_any, in_all) = (said.clone().any(|goes| goes), said.all(|goes| goes));
        if in_any || is_open {
            let certainty = if in_all && is_sure && !is_open { Certainty::Certain } else { Certainty::Possible };
            found.insert(artifact.digest.clone(), certainty);
        }
    }
    found
}
