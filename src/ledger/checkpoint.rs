//! A checkpoint: the body of a C2SP tlog-checkpoint note. Creating one is the commit.

use tlog_tiles::{Checkpoint as Note, tlog::Hash};

use super::tree::Edge;
use crate::model::Digest;

/// The newest schema that this program writes and knows.
pub(super) const SCHEMA: u64 = 1;

/// One commit's checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    /// The log's own name, made at its first commit; a copy elsewhere keeps it.
    pub(super) origin: String,
    /// How many entries the log has.
    pub(super) size: u64,
    /// The schema of this commit's batch.
    pub(super) schema: u64,
    /// The batch that this commit appended.
    pub(super) batch: Digest,
    /// SHA-256 of the previous checkpoint's bytes; none in the first.
    pub(super) previous: Option<Digest>,
    /// What the next writer needs to extend the tree.
    pub(super) edge: Edge,
}

/// Why bytes are no checkpoint.
#[derive(Debug, PartialEq)]
pub(super) enum Flaw {
    /// They are the beginning of one: a write that never finished, so that nobody was told it had (F56).
    Torn,
    /// Whatever else. A finished checkpoint that was damaged later looks like this, and is never skipped (F57).
    Malformed,
    /// A newer program's (F64).
    Newer(u64),
}

impl Checkpoint {
    pub(super) fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The note's body. It ends in a line break: a blank line and signature lines can follow.
    pub(super) fn encode(&self) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut text = format!("{}\n{}\n{}\nschema {}\n", self.origin, self.size, self.root(), self.schema);
        let _ = writeln!(text, "batch {}", self.batch.hex());
        if let Some(previous) = &self.previous {
            let _ = writeln!(text, "previous {}", previous.hex());
        }
        text.push_str("edge");
        for hash in self.edge.hashes() {
            let _ = write!(text, " {hash}");
        }
        text.push('\n');
        text.into_bytes()
    }

    /// Reads a checkpoint. Lines it does not know are left to those who do, unless the schema says otherwise.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        let body = match bytes.windows(2).position(|pair| pair == b"\n\n") {
            Some(end) => &bytes[..=end],
            None => bytes,
        };
        // A cut leaves the text it had; only damage makes it something else than text.
        let text = str::from_utf8(body).map_err(|_| Flaw::Malformed)?;
        if is_torn(bytes, text) {
            return Err(Flaw::Torn);
        }
        let schema = line(text, "schema").and_then(|schema| schema.parse().ok()).filter(|schema| *schema > 0);
        let schema = schema.ok_or(Flaw::Malformed)?;
        let flaw = if schema > SCHEMA { Flaw::Newer(schema) } else { Flaw::Malformed };
        Self::parse(body, text, schema).ok_or(flaw)
    }

    fn parse(body: &[u8], text: &str, schema: u64) -> Option<Self> {
        let note = Note::from_bytes(body).ok()?;
        let hashes = line(text, "edge")?.split(' ').map(|hash| Hash::parse_hash(hash).ok());
        let edge = Edge::new(hashes.collect::<Option<_>>()?, note.size())?;
        let previous = match line(text, "previous") {
            Some(hex) => Some(sha256(hex)?),
            None => None,
        };
        let batch = sha256(line(text, "batch")?)?;
        let origin = note.origin().to_owned();
        // The edge implies the root: one flipped bit in either shows here.
        let consistent = edge.root() == *note.hash() && note.size() > 0;
        consistent.then_some(Self { origin, size: note.size(), schema, batch, previous, edge })
    }
}

/// Whether a line's value is there to its end.
type Whole = fn(&str) -> bool;

/// Whether this is what a cut-off or zero-filled write leaves behind. Anything else that does not parse was whole once,
/// so that people may have been told of it: dropping it would lose a commit (I9).
fn is_torn(bytes: &[u8], text: &str) -> bool {
    const ORDER: [(&str, Whole); 3] = [
        ("schema ", |schema| schema.parse::<u64>().is_ok()),
        ("batch ", |hex| sha256(hex).is_some()),
        ("previous ", |hex| sha256(hex).is_some()),
    ];
    let Some((last, rest)) = bytes.split_last() else { return true };
    if *last == 0 {
        return true;
    }
    if *last != b'\n' {
        // The same length with another last byte is damage, not a cut.
        let whole = [rest, b"\n"].concat();
        return str::from_utf8(&whole).map_or(true, |text| Checkpoint::parse(&whole, text, SCHEMA).is_none());
    }
    // Cut between two lines: what there is stands whole in its place, and the edge is still to come.
    let extensions = text.lines().skip(3);
    extensions.clone().count() <= ORDER.len()
        && extensions.zip(ORDER).all(|(line, (key, whole))| line.strip_prefix(key).is_some_and(whole))
}

fn line<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut found = text.lines().skip(3).filter_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let first = found.next();
    // A key that stands there twice has no one meaning.
    first.filter(|_| found.next().is_none())
}

fn sha256(hex: &str) -> Option<Digest> {
    format!("sha256:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog_tiles::tlog::record_hash;

    fn example() -> Checkpoint {
        let mut edge = Edge::default();
        for n in 0..5 {
            edge.push(n, record_hash(&n.to_be_bytes()));
        }
        let (batch, previous) = (Digest::of(b"batch"), Some(Digest::of(b"previous")));
        Checkpoint { origin: "prodpin/0011".to_owned(), size: 5, schema: 1, batch, previous, edge }
    }

    #[test]
    fn a_checkpoint_reads_back_with_and_without_signatures() {
        let checkpoint = example();
        let bytes = checkpoint.encode();
        assert_eq!(Checkpoint::decode(&bytes), Ok(checkpoint.clone()));
        let signed = [&bytes[..], "\n— prodpin/0011 Zm9vYmFy\n".as_bytes()].concat();
        assert_eq!(Checkpoint::decode(&signed), Ok(checkpoint));
    }

    #[test]
    fn every_cut_is_torn_and_every_flip_is_not_f56_f57() {
        let bytes = example().encode();
        for cut in 0..bytes.len() {
            assert_eq!(Checkpoint::decode(&bytes[..cut]), Err(Flaw::Torn), "cut at {cut}");
            let mut zeroed = bytes.clone();
            zeroed[cut..].fill(0);
            assert_eq!(Checkpoint::decode(&zeroed), Err(Flaw::Torn), "zeros from {cut}");
        }
        // Another origin shows against the checkpoint before; here it would still be a checkpoint.
        let origin = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        for (at, bit) in (origin + 1..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            match Checkpoint::decode(&flipped) {
                Err(Flaw::Malformed | Flaw::Newer(_)) => {}
                // What still reads as one names another batch, another predecessor or a newer schema.
                Ok(other) => assert_ne!(other, example(), "bit {bit} of {at}"),
                Err(Flaw::Torn) => panic!("bit {bit} of byte {at} would drop a commit"),
            }
        }
    }

    #[test]
    fn a_newer_schema_is_named_f64() {
        let newer = Checkpoint { schema: 7, ..example() };
        assert_eq!(Checkpoint::decode(&newer.encode()).map(|read| read.schema), Ok(7));
        let text = String::from_utf8(newer.encode()).unwrap().replace("edge", "frontier");
        assert_eq!(Checkpoint::decode(text.as_bytes()), Err(Flaw::Newer(7)));
    }
}
