//! `prodpin explain`: what a finding means, why it matters at a rollback, how to confirm, fix and waive it. Offline, and
//! from the pages of `docs/findings`, so that there is one text.

use super::exit::Ending;
use super::output::to_stdout;
use crate::model::Code;
use crate::policy::edits;

macro_rules! pages {
    ($($variant:ident = $code:literal,)+) => {
        /// The page about a code. A code without a page does not compile.
        const fn page(code: Code) -> &'static str {
            match code {
                $(Code::$variant => include_str!(concat!("../../docs/findings/", $code, ".md")),)+
            }
        }
    };
}

pages! {
    TagMoved = "tag-moved",
    TagDeleted = "tag-deleted",
    TagRecreated = "tag-recreated",
    TagFlapped = "tag-flapped",
    TagsMovedTogether = "tags-moved-together",
    ObjectOverwritten = "object-overwritten",
    ChartRepublished = "chart-republished",
    ChartDigestMismatch = "chart-digest-mismatch",
    TargetMissing = "target-missing",
    TargetBroken = "target-broken",
    TargetArchived = "target-archived",
    TargetHidden = "target-hidden",
    RollbackDepthShort = "rollback-depth-short",
    ReleaseOrderDoubtful = "release-order-doubtful",
    PinMissing = "pin-missing",
    PinIneffective = "pin-ineffective",
    PinMoved = "pin-moved",
    PinRefused = "pin-refused",
    LifecycleCollision = "lifecycle-collision",
    TagsMutable = "tags-mutable",
    VersioningOff = "versioning-off",
    ObjectLockOff = "object-lock-off",
    DeleteAllowed = "delete-allowed",
    CleanupUnknown = "cleanup-unknown",
    SettingsChanged = "settings-changed",
    WorkloadOnMutableTag = "workload-on-mutable-tag",
    WorkloadDigestDrift = "workload-digest-drift",
    HistoryShort = "history-short",
    RegistryContradiction = "registry-contradiction",
    ListingCut = "listing-cut",
    AttestationMissing = "attestation-missing",
    InventoryIncomplete = "inventory-incomplete",
    PolicyUnmatched = "policy-unmatched",
    RunOverdue = "run-overdue",
    WaiverExpired = "waiver-expired",
    ClockSkew = "clock-skew",
    LedgerKeyReplaced = "ledger-key-replaced",
    LedgerHistoryMissing = "ledger-history-missing",
    PinUnknown = "pin-unknown",
    LedgerStateDamaged = "ledger-state-damaged",
    LedgerForeignFiles = "ledger-foreign-files",
    TargetNotPullable = "target-not-pullable",
    RequirementUnmet = "requirement-unmet",
    PinChildrenUnprotected = "pin-children-unprotected",
    SignatureMissing = "signature-missing",
    VaultIncomplete = "vault-incomplete",
    TagAttributed = "tag-attributed",
}

/// Prints the page about one code, or every code with what it means.
pub(super) fn explain(code: Option<Code>) -> anyhow::Result<Ending> {
    let text = code.map_or_else(all, |code| page(code).to_owned());
    to_stdout(|out| out.write_all(text.as_bytes()))?;
    Ok(Ending::Done)
}

fn all() -> String {
    let width = Code::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or_default();
    let line = |code: &Code| format!("{:width$}  {}\n", code.as_str(), code.meaning());
    Code::ALL.iter().map(line).collect()
}

/// Codes longer than this are not compared.
const LONGEST: usize = 64;

/// A word shorter than this is in many pages.
const SHORTEST: usize = 4;

/// So many pages are named that speak of a word.
const NAMED: usize = 6;

/// What messages call some cases of a code.
const OTHER_NAMES: [(&str, Code); 1] = [("ledger-forked", Code::LedgerHistoryMissing)];

/// Reads a code as reports write it; another word is answered with the codes that may be meant.
pub(super) fn read_code(text: &str) -> Result<Code, String> {
    let mut names = Code::ALL.iter().map(|code| (code.as_str(), *code)).chain(OTHER_NAMES);
    if let Some((_, code)) = names.find(|(name, _)| *name == text) {
        return Ok(code);
    }
    let list = "`prodpin explain` lists all codes";
    if text.len() > LONGEST {
        return Err(list.to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let far = |code: &Code| (edits(&lower, code.as_str()), code.as_str());
    match Code::ALL.iter().map(far).min() {
        Some((distance, near)) if distance <= text.len() / 3 => Err(format!("did you mean {near}? {list}")),
        _ => match speaking_of(&lower) {
            found if found.is_empty() => Err(list.to_owned()),
            found => {
                Err(format!("no finding has this code; it is a word in the pages of {}; {list}", found.join(", ")))
            }
        },
    }
}

/// Codes whose pages have this word, those with the most of it first.
fn speaking_of(word: &str) -> Vec<&'static str> {
    if word.len() < SHORTEST {
        return Vec::new();
    }
    let count = |code: &Code| {
        let page = page(*code).to_ascii_lowercase();
        page.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').filter(|part| *part == word).count()
    };
    let mut found: Vec<(usize, &str)> = Code::ALL.iter().map(|code| (count(code), code.as_str())).collect();
    found.retain(|(count, _)| *count > 0);
    found.sort_by_key(|(count, name)| (std::cmp::Reverse(*count), *name));
    found.into_iter().take(NAMED).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_the_page_of_its_name() {
        for code in Code::ALL {
            assert!(page(*code).starts_with(&format!("# {code}\n")), "{code}");
        }
    }

    #[test]
    fn the_list_has_every_code_and_a_slip_is_answered_with_the_nearest() {
        let list = all();
        assert_eq!(list.lines().count(), Code::ALL.len());
        assert!(list.contains("tag-moved  ") && list.contains("A tag points at other bytes than before."), "{list}");
        assert_eq!(read_code("tag-moved"), Ok(Code::TagMoved));
        for (slip, near) in
            [("tag-movd", "tag-moved"), ("Pin-Missing", "pin-missing"), ("pin-inefective", "pin-ineffective")]
        {
            let answer = read_code(slip).unwrap_err();
            assert!(answer.starts_with(&format!("did you mean {near}?")), "{slip}: {answer}");
        }
        assert_eq!(read_code("ledger-forked"), Ok(Code::LedgerHistoryMissing), "as messages call it");
        for (word, page) in [("replication", "delete-allowed"), ("Quarantine", "target-not-pullable")] {
            let answer = read_code(word).unwrap_err();
            assert!(answer.starts_with("no finding has this code") && answer.contains(page), "{word}: {answer}");
        }
        for other in ["zebra", "the", "", "x".repeat(5000).as_str()] {
            assert_eq!(read_code(other), Err("`prodpin explain` lists all codes".to_owned()));
        }
    }
}
