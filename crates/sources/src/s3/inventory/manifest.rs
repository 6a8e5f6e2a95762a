//! `manifest.json` (B79).

use jiff::Timestamp;
use serde::Deserialize;

/// What a manifest says.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) made: Timestamp,
    pub(super) files: Vec<File>,
    pub(super) columns: Columns,
}

/// One data file.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) key: String,
    pub(super) size: u64,
}

/// Where in a row each thing stands. Columns depend on what was asked for when the inventory was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) key: usize,
    pub(super) version: usize,
    pub(super) is_latest: usize,
    pub(super) is_marker: usize,
    pub(super) size: usize,
    pub(super) modified: usize,
    pub(super) etag: usize,
    pub(super) class: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    source_bucket: String,
    creation_timestamp: String,
    file_format: String,
    file_schema: String,
    files: Vec<File>,
}

impl Manifest {
    pub(super) fn read(text: &[u8], bucket: &str) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(text).map_err(|error| format!("the manifest cannot be read: {error}"))?;
        if raw.source_bucket != bucket {
            return Err(format!("it is an inventory of bucket {:?}", raw.source_bucket));
        }
        if raw.file_format != "CSV" {
            return Err(format!(
                "it is written as {}, which is not read here; set the inventory's output format to CSV",
                raw.file_format
            ));
        }
        let milliseconds = raw.creation_timestamp.parse().map_err(|_| "its time cannot be read".to_owned())?;
        let made = Timestamp::from_millisecond(milliseconds).map_err(|_| "its time cannot be read".to_owned())?;
        Ok(Self { made, files: raw.files, columns: Columns::read(&raw.file_schema)? })
    }
}

impl Columns {
    fn read(schema: &str) -> Result<Self, String> {
        let names: Vec<&str> = schema.split(',').map(str::trim).collect();
        let find = |wanted: &str| names.iter().position(|name| *name == wanted);
        let need =
            |wanted: &str, remedy: &str| find(wanted).ok_or_else(|| format!("it has no column {wanted}; {remedy}"));
        let all = "set the inventory to list all versions, not only current ones";
        let add = |field: &str| format!("add the field {field} to the inventory's configuration");
        Ok(Self {
            key: need("Key", "that is no inventory")?,
            version: need("VersionId", all)?,
            is_latest: need("IsLatest", all)?,
            is_marker: need("IsDeleteMarker", all)?,
            size: need("Size", &add("Size"))?,
            modified: need("LastModifiedDate", &add("LastModifiedDate"))?,
            etag: need("ETag", &add("ETag"))?,
            class: find("StorageClass"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(bucket: &str, format: &str, schema: &str) -> Result<Manifest, String> {
        let text = format!(
            r#"{{"sourceBucket":"{bucket}","destinationBucket":"arn:aws:s3:::d","version":"2016-11-30",
            "creationTimestamp":"1767225600000","fileFormat":"{format}","fileSchema":"{schema}",
            "files":[{{"key":"k.csv.gz","size":7,"MD5checksum":"x"}}]}}"#
        );
        Manifest::read(text.as_bytes(), "b")
    }

    const ALL: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass";

    #[test]
    fn a_manifest_says_when_and_where_b79() {
        let read = manifest("b", "CSV", ALL).unwrap();
        assert_eq!(read.made.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!((read.columns.key, read.columns.class, read.files[0].size), (1, Some(8), 7));
    }

    #[test]
    fn what_cannot_be_used_says_what_to_set_b79() {
        for (bucket, format, schema, part) in [
            ("other", "CSV", ALL, "inventory of bucket \"other\""),
            ("b", "ORC", ALL, "output format to CSV"),
            ("b", "Parquet", ALL, "output format to CSV"),
            ("b", "CSV", "Bucket, Key, Size, LastModifiedDate, ETag", "list all versions"),
            (
                "b",
                "CSV",
                "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate",
                "add the field ETag",
            ),
        ] {
            let error = manifest(bucket, format, schema).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(Manifest::read(b"<html>", "b").is_err());
    }
}
