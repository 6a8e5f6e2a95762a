//! The forecast for programs: one repository a line, written piece by piece.

use std::io::{self, Write};

use super::rows::ForecastReport;
use crate::json::document;

pub(super) fn write(report: &ForecastReport, out: &mut dyn Write) -> io::Result<()> {
    document(None, "forecast", &report.section, &report.summary, report.rows(), out)
}
