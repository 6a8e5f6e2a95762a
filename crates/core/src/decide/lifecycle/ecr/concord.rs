//! What must hold between the rules of one policy (A23, A28).

use std::collections::BTreeMap;

use super::grammar::Problems;
use super::rule::{Rule, TagRule};

impl Problems {
    /// What must hold between rules: priorities of their own, `any` last, one `untagged`, no selection twice (A23, A28).
    ///
    /// Two lists that share an entry and differ elsewhere are taken: whether ECR refuses them is not documented, and
    /// what they mean is clear.
    pub(super) fn across(&mut self, rules: &[Rule]) {
        let mut priorities = BTreeMap::new();
        for rule in rules {
            *priorities.entry(rule.priority).or_insert(0) += 1;
        }
        for (priority, times) in priorities.into_iter().filter(|(_, times)| *times > 1) {
            self.rule = Some(priority);
            self.tell(format!("{times} rules have this priority"), "give each rule a priority of its own");
        }
        for (index, rule) in rules.iter().enumerate() {
            self.rule = Some(rule.priority);
            let peers = || rules.iter().enumerate().filter(|(_, other)| other.class == rule.class);
            if rule.tags == TagRule::Any
                && let Some((_, later)) =
                    peers().find(|(other, peer)| *other != index && peer.priority >= rule.priority)
            {
                let (message, last) = (format!("\"any\" stands before rule {}", later.priority), "the highest number");
                self.tell(message, format!("give the rule for \"any\" {last}, so that it comes last"));
            }
            if rule.tags == TagRule::Any {
                continue;
            }
            let own = selects(rule);
            if let Some((_, twin)) =
                peers().take_while(|(other, _)| *other < index).find(|(_, peer)| selects(peer) == own)
            {
                let (message, remedy) = match &rule.tags {
                    TagRule::Untagged => ("two rules select \"untagged\"", "merge them"),
                    _ => ("two rules have the same tag list", "merge them"),
                };
                self.tell(message, format!("{remedy}: the other one is rule {}", twin.priority));
            }
        }
        self.rule = None;
    }
}

/// What a rule selects by, in an order of its own: `["a", "b"]` and `["b", "a"]` select alike.
fn selects(rule: &Rule) -> (bool, Vec<String>) {
    let mut entries = rule.entries();
    entries.sort();
    (rule.tags == TagRule::Untagged, entries)
}
