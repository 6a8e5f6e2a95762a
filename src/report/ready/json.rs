//! The answers for programs: one repository a line, written piece by piece.

use std::io::{self, Write};

use super::rows::ReadyReport;
use crate::report::json::{list, value};

pub(super) fn write(report: &ReadyReport, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\n\"ready\":")?;
    value(&report.section, out)?;
    out.write_all(b",\n\"summary\":")?;
    value(&report.summary, out)?;
    out.write_all(b",\n\"repositories\":")?;
    list(report.rows(), out)?;
    out.write_all(b"\n}\n")
}
