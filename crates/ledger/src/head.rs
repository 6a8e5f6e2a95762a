//! A position in the log.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tlog_tiles::tlog::Hash;

/// A position in the log: what a report or an alert names (I10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the commit, from 1; 0 for a log without any.
    pub sequence: u64,
    /// How many entries the log has.
    pub size: u64,
    /// The root of the Merkle tree over them.
    #[serde(serialize_with = "write_root", deserialize_with = "read_root")]
    pub root: [u8; 32],
}

impl Head {
    /// The root in base64, as checkpoints and reports write it.
    #[must_use]
    pub fn root_base64(&self) -> String {
        Hash(self.root).to_string()
    }
}

fn write_root<S: Serializer>(root: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hash(*root))
}

fn read_root<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    Hash::parse_hash(&text).map(|hash| hash.0).map_err(|_| serde::de::Error::custom("not a root hash"))
}
