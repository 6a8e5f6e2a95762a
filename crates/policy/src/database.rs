//! `database:`: what releases do to the databases that they share with those before, where nothing else says it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::given::Given;
use super::patterns::Confirmation;
use super::problem::Place;
use prodpin_core::model::{DatabaseRule, SchemaChange};

/// What releases do to their database. Of several words on one release the gravest counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a database rule")]
#[schemars(rename = "DatabaseRule", default, extend("required" = ["schema"]))]
pub(super) struct RawDatabaseRule {
    /// Of which repositories, by name or glob.
    repositories: Given<Vec<Given<String>>>,
    /// Confirms that every repository is meant.
    all: Given<bool>,
    /// Of which of their releases, by tag or glob. Default: all of them.
    tags: Given<Vec<Given<String>>>,
    /// `none`: nothing. `expand`: they only add. `contract`: they take away what the release before needs.
    schema: Given<SchemaChange>,
}

impl Checker<'_> {
    pub(super) fn database(&self, given: &Given<Vec<Given<RawDatabaseRule>>>) -> Vec<DatabaseRule> {
        let entries = given.value().map_or(&[][..], Vec::as_slice);
        let read = |entry: &Given<RawDatabaseRule>| entry.read().and_then(|(at, raw)| self.database_rule(at, raw));
        entries.iter().filter_map(read).collect()
    }

    fn database_rule(&self, place: Place, raw: &RawDatabaseRule) -> Option<DatabaseRule> {
        // "No service has a database" is quickly written, and leads people back onto one that has moved on (F68).
        let repositories = self.patterns(&raw.repositories, place, &Confirmation { all: &raw.all, what: "repository" });
        let everything = Given::default();
        let tags = match raw.tags.place() {
            None => None,
            Some(_) => Some(self.patterns(&raw.tags, place, &Confirmation { all: &everything, what: "" })?),
        };
        let Some((_, schema)) = raw.schema.read() else {
            if raw.schema.place().is_none() {
                let fix = "add schema: none, expand or contract".to_owned();
                self.problems.error(place, "the rule does not say what happens to the database", fix);
            }
            return None;
        };
        Some(DatabaseRule { repositories: repositories?, tags, schema: *schema })
    }
}
