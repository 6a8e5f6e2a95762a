//! The table as Apache Parquet: typed columns, in groups of rows that bound what is held in memory (I20).

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::row::{COLUMNS, Row};

/// As [`COLUMNS`] has them. Microseconds, because many readers know no finer ones; `json` has what the entry says.
const SCHEMA: &str = "
message ledger {
    required int64 entry (INTEGER(64, true));
    required int64 sequence (INTEGER(64, true));
    required int64 seen_at (TIMESTAMP(MICROS, true));
    required binary run (STRING);
    optional binary source (STRING);
    optional binary repository (STRING);
    required binary event (STRING);
    optional binary tag (STRING);
    optional binary from_artifact (STRING);
    optional binary to_artifact (STRING);
    optional binary via (STRING);
    required binary json (STRING);
}";

/// Numbers stand before texts.
const NUMBERS: usize = 3;
const TEXTS: usize = COLUMNS.len() - NUMBERS;

/// A group of rows ends here, or when its texts weigh this much.
const ROWS: usize = 1 << 16;
const WEIGHT: usize = 16 << 20;

/// So many values are handed to a column at once.
const STEP: usize = 1024;

/// A table in the making.
pub(super) struct Columnar<W: Write + Send> {
    file: SerializedFileWriter<W>,
    numbers: [Vec<i64>; NUMBERS],
    texts: [Texts; TEXTS],
}

impl<W: Write + Send> Columnar<W> {
    pub(super) fn new(out: W) -> Result<Self> {
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("prodpin ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?));
        // No two rows share these: a dictionary of them would only be given up again.
        for column in ["entry", "seen_at", "json"] {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
        Ok(Self { file, numbers: Default::default(), texts: Default::default() })
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let number = |number: u64| i64::try_from(number).map_err(|error| ParquetError::General(error.to_string()));
        let numbers = [number(row.entry)?, number(row.sequence)?, row.reported.at.as_microsecond()];
        let texts: [Option<&str>; TEXTS] = [
            Some(row.reported.run.as_str()),
            row.repository.map(|key| key.source.as_str()),
            row.repository.map(|key| key.name.as_str()),
            Some(&row.event),
            row.tag.map(|tag| tag.as_str()),
            row.from.as_deref(),
            row.to.as_deref(),
            row.via,
            Some(&row.json),
        ];
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
        let rows = self.numbers.first().map_or(0, Vec::len);
        let weight: usize = self.texts.iter().map(|column| column.bytes.len()).sum();
        if rows >= ROWS || weight >= WEIGHT { self.end_group() } else { Ok(()) }
    }

    /// Writes what there is. A table without a row has its columns nevertheless.
    pub(super) fn finish(mut self) -> Result<()> {
        self.end_group()?;
        self.file.finish()?;
        Ok(self.file.inner_mut().flush()?)
    }

    fn end_group(&mut self) -> Result<()> {
        if self.numbers.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in &mut self.numbers {
            let mut writer = group.next_column()?.ok_or_else(too_few)?;
            for values in column.chunks(STEP) {
                writer.typed::<Int64Type>().write_batch(values, None, None)?;
            }
            writer.close()?;
            column.clear();
        }
        for (column, name) in self.texts.iter_mut().zip(&COLUMNS[NUMBERS..]) {
            let mut writer = group.next_column()?.ok_or_else(too_few)?;
            let optional = matches!(*name, "source" | "repository" | "tag" | "from_artifact" | "to_artifact" | "via");
            std::mem::take(column).write(writer.typed::<ByteArrayType>(), optional)?;
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

fn too_few() -> ParquetError {
    ParquetError::General("the schema has fewer columns than a row".to_owned())
}

/// A column of texts, end to end: an allocation for each of them would weigh more than the texts.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each text ends; none for a row that has none.
    ends: Vec<Option<usize>>,
}

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        self.bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
        self.ends.push(text.map(|_| self.bytes.len()));
    }

    fn write<T: DataType<T = ByteArray>>(self, column: &mut ColumnWriterImpl<'_, T>, optional: bool) -> Result<()> {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        for ends in self.ends.chunks(STEP) {
            let there: Vec<i16> = ends.iter().map(|end| i16::from(end.is_some())).collect();
            let values: Vec<ByteArray> = ends
                .iter()
                .flatten()
                .map(|end| bytes.slice(std::mem::replace(&mut start, *end)..*end).into())
                .collect();
            column.write_batch(&values, optional.then_some(&there[..]), None)?;
        }
        Ok(())
    }
}
