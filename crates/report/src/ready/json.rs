//! The answers for programs: one repository a line, written piece by piece.

use std::io::{self, Write};

use super::rows::ReadyReport;
use crate::json::document;

pub(super) fn write(report: &ReadyReport, out: &mut dyn Write) -> io::Result<()> {
    document("ready", &report.section, &report.summary, report.rows(), out)
}
