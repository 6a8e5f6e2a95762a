//! `database:`: what releases do to the databases that they share with those before, where nothing else says it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::patterns::Confirmation;
use super::problem::Span;
use super::spanned::Spanned;
use prodpin_core::model::{DatabaseRule, Effects, SchemaChange};

/// What releases do to their database. Of several words on one release the gravest counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a database rule")]
#[schemars(rename = "DatabaseRule", default, extend("anyOf" = serde_json::json!([{ "required": ["schema"] }, { "required": ["irreversible"] }])))]
pub(super) struct RawDatabaseRule {
    /// Of which repositories, by name or glob.
    repositories: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every repository is meant.
    all: Spanned<bool>,
    /// Of which of their releases, by tag or glob. Default: all of them.
    tags: Spanned<Vec<Spanned<String>>>,
    /// `none`: nothing. `expand`: they only add. `contract`: they take away what the release before needs.
    schema: Spanned<SchemaChange>,
    /// What they do outside that no rollback undoes, in a few words: `ready` asks about it before anyone goes back.
    irreversible: Spanned<String>,
}

impl Checker<'_> {
    pub(super) fn database(&self, spanned: &Spanned<Vec<Spanned<RawDatabaseRule>>>) -> Vec<DatabaseRule> {
        let entries = spanned.value().map_or(&[][..], Vec::as_slice);
        let read = |entry: &Spanned<RawDatabaseRule>| entry.read().and_then(|(at, raw)| self.database_rule(at, raw));
        entries.iter().filter_map(read).collect()
    }

    fn database_rule(&self, span: Span, raw: &RawDatabaseRule) -> Option<DatabaseRule> {
        // "No service has a database" is quickly written, and leads people back onto one that has moved on (F68).
        let repositories = self.patterns(&raw.repositories, span, &Confirmation { all: &raw.all, what: "repository" });
        let everything = Spanned::default();
        let tags = match raw.tags.span() {
            None => None,
            Some(_) => Some(self.patterns(&raw.tags, span, &Confirmation { all: &everything, what: "" })?),
        };
        let schema = raw.schema.read().map(|(_, schema)| *schema);
        if schema.is_none() && raw.schema.span().is_some() {
            return None;
        }
        let irreversible = self.effects(&raw.irreversible);
        if schema.is_none() && irreversible.is_none() {
            if raw.irreversible.span().is_none() {
                let fix = "add schema: none, expand or contract".to_owned();
                self.problems.error(span, "the rule does not say what happens to the database", fix);
            }
            return None;
        }
        Some(DatabaseRule { repositories: repositories?, tags, schema, irreversible })
    }

    fn effects(&self, raw: &Spanned<String>) -> Option<Effects> {
        let (span, text) = raw.read()?;
        let effects = Effects::read(text);
        if effects.is_none() {
            let fix = "say in a few words what it is, such as emails, or leave it out".to_owned();
            self.problems.error(span, "irreversible names nothing", fix);
        }
        effects
    }
}
