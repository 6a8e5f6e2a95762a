//! `prodpin schema-change`: does the previous release still work on the new schema?

use super::arguments::SchemaChangeArguments;
use super::exit::{Ending, Misuse};
use super::output::to_stdout;
use crate::schema_change::{Format, SchemaChangeError, Side, render, schema_change as compare};

pub(super) fn schema_change(arguments: &SchemaChangeArguments) -> anyhow::Result<Ending> {
    let (from, to) = (Side::read(&arguments.from), Side::read(&arguments.to));
    let format = arguments.format.unwrap_or(Format::Table);
    if let (Format::Label, Side::Folder(folder)) = (format, &from) {
        return Err(Misuse(format!(
            "a label names the commit that it begins at, and {} is a folder: say --from COMMIT",
            folder.display()
        ))
        .into());
    }
    let document = compare(&from, &to, arguments.dialect).map_err(|error| match error {
        SchemaChangeError::Asked(why) => anyhow::Error::from(Misuse(why)),
        other => other.into(),
    })?;
    to_stdout(|out| render(format, &document, arguments.fail_on, out))?;
    let reached = arguments.fail_on.is_some_and(|fail_on| document.verdict >= fail_on);
    Ok(if reached { Ending::Reached } else { Ending::Done })
}
