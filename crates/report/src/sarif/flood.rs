//! Findings of one kind that are many: one result for all that a source has of them, with their number and where they are.
//! An importer takes some thousands of results, and people fewer; the report in JSON has each.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::{Value, json};

use super::{Code, Finding, Report, Severity, SourceName, frame};
use prodpin_core::outcome::identity;

/// So many findings of one code and severity are shown one by one.
const MOST: usize = 50;

/// So many repositories are named in one result.
const NAMED: usize = 1_000;

type Key = (Severity, Code, Option<SourceName>);

/// The findings that are told together.
#[derive(Default)]
pub(super) struct Floods {
    groups: BTreeMap<Key, Group>,
}

struct Group {
    count: usize,
    /// Repositories, as far as they are named.
    places: BTreeSet<String>,
    more: usize,
    /// The first of them, for an example.
    first: Finding,
}

impl Floods {
    /// What of a report is a flood. What is waived is shown with its own reason, and never counts among others.
    pub(super) fn of(report: &Report) -> io::Result<Self> {
        let mut counts: BTreeMap<(Severity, Code), usize> = BTreeMap::new();
        let all = || Severity::ALL.into_iter().flat_map(|severity| report.body.findings(severity));
        for finding in all() {
            let finding = finding?;
            *counts.entry((finding.severity, finding.code)).or_default() += usize::from(finding.waived.is_none());
        }
        counts.retain(|_, count| *count > MOST);
        let mut floods = Self::default();
        if counts.is_empty() {
            return Ok(floods);
        }
        for finding in all() {
            let finding = finding?;
            if counts.contains_key(&(finding.severity, finding.code)) && finding.waived.is_none() {
                floods.add(finding);
            }
        }
        Ok(floods)
    }

    fn add(&mut self, finding: Finding) {
        let source = finding.source.as_ref().map_or("policy", SourceName::as_str);
        let place = match &finding.repository {
            Some(repository) => format!("{source} / {repository}"),
            None => source.to_owned(),
        };
        let new = || Group { count: 0, places: BTreeSet::new(), more: 0, first: finding.clone() };
        let group = self.groups.entry(key(&finding)).or_insert_with(new);
        group.count += 1;
        if !group.places.contains(&place) {
            match group.places.len() < NAMED {
                true => _ = group.places.insert(place),
                false => group.more += 1,
            }
        }
    }

    /// Whether a finding is told together with others.
    pub(super) fn hold(&self, finding: &Finding) -> bool {
        finding.waived.is_none() && self.groups.contains_key(&key(finding))
    }

    /// One result for each group of a severity.
    pub(super) fn results<'f>(&'f self, severity: Severity, policy: &'f str) -> impl Iterator<Item = Value> + 'f {
        let groups = self.groups.iter().filter(move |((own, ..), _)| *own == severity);
        groups.map(move |((severity, code, source), group)| group.result(*code, *severity, source.as_ref(), policy))
    }
}

fn key(finding: &Finding) -> Key {
    (finding.severity, finding.code, finding.source.clone())
}

impl Group {
    fn result(&self, code: Code, severity: Severity, source: Option<&SourceName>, policy: &str) -> Value {
        let Self { count, places, more, first } = self;
        let named = places.len() + more;
        let what = code.meaning();
        let at = first.repository.as_ref().map_or_else(String::new, |repository| format!("{repository}: "));
        let said = format!(
            "{count} findings of this kind in {named} repositories ({what}), such as {at}{}; the report in JSON has each",
            first.message
        );
        let places: Vec<String> = places.iter().cloned().collect();
        let mut result = frame(code, severity, &said, &first.remedy, &places, policy);
        // Of the kind and the source alone, so that it is the same alert when one more repository joins.
        let group = Finding { repository: None, reference: None, artifact: None, ..first.clone() };
        result["partialFingerprints"] = json!({ "prodpinFindings/v1": identity::fingerprint(&group) });
        result["occurrenceCount"] = json!(count);
        result["properties"] = json!({
            "code": code,
            "severity": severity,
            "source": source,
            "findings": count,
            "repositories": named,
        });
        result
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use prodpin_core::model::Waived;

    use super::*;

    fn finding(repository: usize, reference: usize) -> Finding {
        let mut finding = Finding::new(
            Code::PinMissing,
            Severity::Medium,
            format!("v1.{reference}.0 is not pinned yet"),
            "run `prodpin enforce`",
            Timestamp::UNIX_EPOCH,
        );
        finding.source = Some("s".parse().unwrap());
        finding.repository = Some(format!("shop/s{repository:04}").parse().unwrap());
        finding.reference = Some(format!("v1.{reference}.0"));
        finding
    }

    fn flood(repositories: usize, each: usize) -> Value {
        let mut floods = Floods::default();
        for repository in 0..repositories {
            for reference in 0..each {
                let finding = finding(repository, reference);
                floods.add(finding.clone());
                assert!(floods.hold(&finding));
            }
        }
        assert_eq!(floods.results(Severity::High, "p.yaml").count(), 0);
        floods.results(Severity::Medium, "p.yaml").next().unwrap()
    }

    #[test]
    fn a_flood_is_one_result_with_its_number_and_its_places_i20() {
        let result = flood(1_000, 5);
        assert_eq!(result["occurrenceCount"], 5_000);
        let places = result["locations"][0]["logicalLocations"].as_array().unwrap();
        assert_eq!((places.len(), &places[7]["fullyQualifiedName"]), (1_000, &json!("s / shop/s0007")));
        let said = result["message"]["text"].as_str().unwrap();
        assert!(said.contains("5000 findings of this kind in 1000 repositories"), "{said}");
        assert!(said.contains("such as shop/s0000: v1.0.0 is not pinned yet"), "{said}");
        assert!(result.to_string().len() < 1 << 20, "a megabyte for a thousand services");
        let more = flood(1_500, 1);
        assert_eq!(more["properties"]["repositories"], 1_500);
        assert_eq!(more["partialFingerprints"], result["partialFingerprints"], "the same alert");
    }

    #[test]
    fn what_is_waived_is_in_no_flood() {
        let mut floods = Floods::default();
        (0..100).for_each(|reference| floods.add(finding(1, reference)));
        let mut waived = finding(1, 7);
        waived.waived =
            Some(Waived { reason: "x".to_owned(), owner: "y".to_owned(), expires: "2027-01-01".parse().unwrap() });
        assert!(!floods.hold(&waived));
    }
}
