//! `prodpin ready`: the page to open at 3 a.m., for each platform and for each way in which evidence conflicts.

mod one_decision;
mod platforms;
mod rehearsals;
mod rollouts;
mod runs;
mod scene;
mod statements;
mod verdicts;

use prodpin::report::ready::{ReadyFormat, ReadyReport, render};
use prodpin::report::render::Style;

/// The page as a terminal of this width shows it.
pub(crate) fn shown(report: &ReadyReport, width: usize) -> String {
    let mut out = Vec::new();
    render(ReadyFormat::Page, report, true, Style { colour: false, width }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The published schema is the one of this program. `UPDATE_SCHEMAS=1` writes it anew.
#[test]
fn the_published_schema_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/ready.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, prodpin::report::schema::ready_text()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(published, prodpin::report::schema::ready_text(), "write it anew with UPDATE_SCHEMAS=1");
}
