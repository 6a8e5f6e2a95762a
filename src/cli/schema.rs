//! `prodpin schema`: the contracts, for programs and editors.

use super::arguments::SchemaOf;
use super::exit::Ending;
use super::output::to_stdout;

pub(super) fn schema(of: SchemaOf) -> anyhow::Result<Ending> {
    let text = match of {
        SchemaOf::Report => crate::report::schema::text(),
        SchemaOf::Forecast => crate::report::schema::forecast_text(),
        SchemaOf::Ready => crate::report::schema::ready_text(),
        SchemaOf::SchemaChange => crate::schema_change::schema_text(),
        SchemaOf::Policy => crate::policy::schema_text(),
    };
    to_stdout(|out| out.write_all(text.as_bytes()))?;
    Ok(Ending::Done)
}
