//! `prodpin report`: the report of an earlier run, from the ledger.

use std::path::Path;

use anyhow::Context;

use super::arguments::PastReportArguments;
use super::exit::{Ending, Misuse};
use super::outcome::open_ledger;
use super::output::Outputs;
use crate::ledger::Head;
use crate::model::RunRecord;
use crate::policy::load;
use crate::report::body::{Body, Report};
use crate::report::document::{LedgerSection, RunSection, Summary};

pub(super) async fn report(policy: &Path, arguments: &PastReportArguments) -> anyhow::Result<Ending> {
    let policy = load(policy)?;
    let outputs = Outputs::open(arguments.format, &arguments.reports)?;
    let ledger = open_ledger(&policy, arguments.ledger.ledger.as_deref()).await?;
    let found = match &arguments.run {
        Some(id) => ledger.find_run(id).await?.ok_or_else(|| Misuse(format!("the ledger holds no run {id}")))?,
        None => {
            let last = ledger.runs(1).await?.into_iter().next();
            last.ok_or_else(|| anyhow::anyhow!("the ledger holds no run yet; `prodpin audit` makes one"))?
        }
    };
    let body = ledger.report(&found.0.report).await?;
    let body = Body::read_canonical(body).context("cannot read the report")?;
    let checkpoint = ledger.checkpoint(found.1.sequence).await?.map(|checkpoint| checkpoint.note);
    outputs.write(&rebuilt(found, checkpoint, body))?;
    Ok(Ending::Done)
}

/// The report as the run gave it: header from its record, rows from its body.
fn rebuilt((record, head): (RunRecord, Head), checkpoint: Option<String>, body: Body) -> Report {
    let run = RunSection {
        id: record.id,
        mode: record.mode,
        started: record.started,
        finished: record.finished,
        complete: record.complete,
        scope: record.scope,
        policy_sha256: record.policy,
        ledger: Some(LedgerSection { sequence: head.sequence, root: head.root_base64(), checkpoint }),
    };
    Report { run, summary: Summary { counts: record.counts, ..body.summary() }, body }
}
