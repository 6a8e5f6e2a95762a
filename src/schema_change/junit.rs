//! The answer as JUnit XML, for CI servers: one test case for each folder of migrations.

use std::io::{self, Write};

use prodpin_schema::Verdict;
use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;

use super::document::{Document, SeriesDocument};
use super::render::{place, reason};
use crate::report::escape;

/// So many findings are spelt out for one folder, gravest first.
const SPELT_OUT: usize = 50;

pub(super) fn write(document: &Document, fail_on: Option<Verdict>, out: &mut dyn Write) -> io::Result<()> {
    // Without a threshold a case fails by what stands in the way of going back.
    let threshold = fail_on.unwrap_or(Verdict::Unknown);
    let failures = document.series.iter().filter(|series| series.verdict >= threshold).count();
    let (tests, failures) = (document.series.len().to_string(), failures.to_string());
    let attributes = [("name", "prodpin schema-change"), ("tests", tests.as_str()), ("failures", failures.as_str())];
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 1);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites").with_attributes(attributes).write_inner_content(|xml| {
        xml.create_element("testsuite")
            .with_attributes(attributes)
            .write_inner_content(|xml| document.series.iter().try_for_each(|series| case(series, threshold, xml)))?;
        Ok(())
    })?;
    out.write_all(b"\n")
}

fn case<W: Write>(series: &SeriesDocument, threshold: Verdict, xml: &mut Writer<W>) -> io::Result<()> {
    let folder = escape::terminal(if series.folder.is_empty() { "." } else { &series.folder });
    let element =
        xml.create_element("testcase").with_attributes([("classname", "schema-change"), ("name", folder.as_str())]);
    if series.verdict < threshold {
        element.write_empty()?;
        return Ok(());
    }
    let message = format!("{}: {}", series.verdict, series.verdict.meaning());
    let graver = series.findings.iter().filter(|finding| finding.verdict >= threshold).take(SPELT_OUT);
    let lines: Vec<String> = graver
        .map(|finding| escape::terminal(&format!("{} {} {}", finding.verdict, place(finding), reason(finding))))
        .collect();
    element.write_inner_content(|xml| {
        let failure = xml.create_element("failure").with_attribute(("message", message.as_str()));
        failure.write_text_content(BytesText::new(&lines.join("\n")))?;
        Ok(())
    })?;
    Ok(())
}
