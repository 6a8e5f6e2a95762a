//! The answers for programs: one repository a line, written piece by piece.

use std::io::{self, Write};

use super::rows::ReadyReport;
use crate::json::document;
use prodpin_core::outcome::report::SCHEMA;

pub(super) fn write(report: &ReadyReport, out: &mut dyn Write) -> io::Result<()> {
    document(Some(SCHEMA), "ready", &report.section, &report.summary, report.rows(), out)
}
