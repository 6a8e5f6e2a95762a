//! What `--format json` writes: the contract that `prodpin schema schema-change` describes.

use prodpin_schema::layout::Judged;
use prodpin_schema::{Dialect, Finding, Verdict};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

/// The answer about all migrations between two revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// The version of this shape.
    pub schema: u32,
    /// What the change means for the previous release running on the new schema: the gravest verdict of all series.
    pub verdict: Verdict,
    /// The verdict in words.
    pub meaning: &'static str,
    /// The revision of the previous release: a commit, or a folder as it was given.
    pub from: String,
    /// The revision of the new release.
    pub to: String,
    /// Every folder of migrations, by its name.
    pub series: Vec<SeriesDocument>,
}

/// One folder of migrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesDocument {
    /// The folder, from the top of the repository.
    pub folder: String,
    /// The dialect that it was read in.
    pub dialect: Dialect,
    /// The gravest verdict of its findings.
    pub verdict: Verdict,
    /// How many migrations the previous release had.
    pub earlier: usize,
    /// How many were added or changed.
    pub changed: usize,
    /// Statement by statement what was found, gravest first.
    pub findings: Vec<Finding>,
}

impl Document {
    pub(super) fn new(from: String, to: String, judged: Vec<Judged>) -> Self {
        let series: Vec<SeriesDocument> = judged.into_iter().map(SeriesDocument::new).collect();
        let verdict = series.iter().map(|series| series.verdict).max().unwrap_or(Verdict::None);
        Self { schema: 1, verdict, meaning: verdict.meaning(), from, to, series }
    }

    /// Every finding.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.series.iter().flat_map(|series| &series.findings)
    }
}

impl SeriesDocument {
    fn new(judged: Judged) -> Self {
        Self {
            folder: judged.folder,
            dialect: judged.dialect,
            verdict: judged.report.verdict,
            earlier: judged.earlier,
            changed: judged.changed,
            findings: judged.report.findings,
        }
    }
}

/// The published schema.
#[must_use]
pub fn schema_text() -> String {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "prodpin schema-change".into());
    schema.insert("description".to_owned(), "What prodpin schema-change writes with --format json.".into());
    format!("{:#}\n", schema.as_value())
}
