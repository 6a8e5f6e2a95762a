//! Every format of the same reports, word for word.

use prodpin::model::Mode;
use prodpin::report::body::Report;
use prodpin::report::render::{Format, Style};

use super::estate::{planned, rich};
use super::{WIDE, report, run, shown};

/// A format as its golden file shows it: what changes with this program's version or its page's script is named only.
fn golden(format: Format, report: &Report) -> String {
    let mut text = shown(format, report, WIDE);
    for named in [format!("\"{}\"", env!("CARGO_PKG_VERSION")), format!("prodpin {}", env!("CARGO_PKG_VERSION"))] {
        text = text.replace(&named, &named.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
    if format != Format::Html {
        return text;
    }
    let without = |text: String, from: &str, to: &str, name: &str| {
        let (before, rest) = text.split_once(from).unwrap();
        let (_, after) = rest.split_once(to).unwrap();
        format!("{before}{from}{name}{to}{after}")
    };
    let text = without(text, "<style>", "</style>", "STYLE");
    let text = without(text, "<script>", "</script>", "SCRIPT");
    let text = without(text, "style-src 'sha256-", "'", "HASH");
    without(text, "script-src 'sha256-", "'", "HASH").replace("><", ">\n<")
}

#[test]
fn golden_reports_in_every_format() {
    let reports = [
        ("rich", report(run(Mode::Enforce, false, true), rich())),
        ("planned", report(run(Mode::Audit, true, false), planned())),
        ("empty", report(run(Mode::Audit, true, true), [])),
    ];
    for (name, report) in &reports {
        for format in Format::ALL {
            insta::assert_snapshot!(format!("{name}_{format}"), golden(format, report));
        }
    }
    let rich = &reports[0].1;
    insta::assert_snapshot!("rich_table_40", shown(Format::Table, rich, Style { colour: false, width: 40 }));
    insta::assert_snapshot!("rich_table_unbounded", shown(Format::Table, rich, Style::UNBOUNDED));
    let coloured = shown(Format::Table, rich, Style { colour: true, width: 80 });
    insta::assert_snapshot!("rich_table_colour", coloured.replace('\u{1b}', "␛"));
}
