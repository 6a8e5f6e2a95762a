//! A checkpoint: the body of a C2SP tlog-checkpoint note. Creating one is the commit.

use tlog_tiles::{Checkpoint as Note, tlog::Hash};

use super::commitment::Commitment;
use super::signature::{self, VerifierKey};
use super::tree::Edge;
use prodpin_core::model::Digest;

/// The newest schema that this program writes and knows.
pub(super) const SCHEMA: u64 = 3;

/// The first schema whose checkpoints state their own number and the state derived from the log.
pub(super) const STATED: u64 = 3;

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
    /// SHA-256 of the previous checkpoint's body; none in the first. Without its signatures, so that a witness may add
    /// one.
    pub(super) previous: Option<Digest>,
    /// The key that signs; none in a log that was never signed.
    pub(super) key: Option<KeyInForce>,
    /// The last key that was given up for lost, in every checkpoint from then on: whoever sees any of them sees that.
    pub(super) lost: Option<KeyLost>,
    /// What a checkpoint says of itself and of what follows from the log; none before schema 3.
    pub(super) stated: Option<Stated>,
    /// What the next writer needs to extend the tree.
    pub(super) edge: Edge,
}

/// What checkpoints say since schema 3, so that their signature covers more than the entries.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stated {
    /// Its own number: one that was put in another's place shows.
    pub(super) sequence: u64,
    /// How long the batch's plain bytes are: what nobody needs to unpack beyond.
    pub(super) batch_bytes: u64,
    /// The state as of this commit: what `view/index` of it must hold, and through it each repository's view.
    pub(super) state: Commitment,
}

/// How the batch is stored: lines of JSON, zstd, in a file of its own. Its hash is over the plain lines, so that it stays
/// the same where a later program bundles batches or stores columns; that program writes another word here, and this one
/// then says that it must be updated.
const FORM: &str = "lines";

/// The key that signs a checkpoint, named in its own body: whoever knows one key of a log can follow its successors
/// (F65).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeyInForce {
    pub(super) key: VerifierKey,
    /// The commit that put it in force, signed by the key before it as well.
    pub(super) since: u64,
}

/// A key that did not hand over, because nobody has it any more. Whoever can write to the store could say so; it is
/// believed, reported, and never taken for a hand-over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeyLost {
    pub(super) key: VerifierKey,
    /// The commit that put another key in force without it.
    pub(super) at: u64,
}

/// Why bytes are no checkpoint.
#[derive(Debug, PartialEq)]
pub(super) enum Flaw {
    /// They are the beginning of one: a write that never finished, so that nobody was reported it had (F56).
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
        if let Some(KeyInForce { key, since }) = &self.key {
            let _ = writeln!(text, "key {key} {since}");
        }
        if let Some(KeyLost { key, at }) = &self.lost {
            let _ = writeln!(text, "lost {key} {at}");
        }
        if let Some(Stated { sequence, batch_bytes, state }) = &self.stated {
            let _ = writeln!(text, "commit {sequence}\nform {FORM} {batch_bytes}\nstate {state}");
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
        // A cut leaves the text it had; only damage makes it something else than text.
        let text = str::from_utf8(signature::body(bytes)).map_err(|_| Flaw::Malformed)?;
        if is_torn(bytes, text) {
            return Err(Flaw::Torn);
        }
        let schema = line(text, "schema").and_then(|schema| schema.parse::<u64>().ok()).filter(|schema| *schema > 0);
        let schema = schema.ok_or(Flaw::Malformed)?;
        // Stored in a way that only a newer program knows, which need not have changed what entries look like.
        let strange = schema == SCHEMA && line(text, "form").is_some_and(|form| !form.starts_with("lines "));
        let flaw = if schema > SCHEMA || strange { Flaw::Newer(schema.max(SCHEMA + 1)) } else { Flaw::Malformed };
        let read = Self::parse(text.as_bytes(), text, schema).ok_or(flaw)?;
        match &read.key {
            // Written in one piece, so that what ends here was cut; a line between would have been something else once.
            Some(_) if bytes == read.encode() || bytes == [read.encode(), vec![b'\n']].concat() => Err(Flaw::Torn),
            Some(key) if !signature::stands(bytes, &key.key) => Err(Flaw::Malformed),
            _ => Ok(read),
        }
    }

    /// The same for bytes that may be one byte short or wrong at the end.
    fn is_whole(bytes: &[u8]) -> bool {
        let Ok(text) = str::from_utf8(signature::body(bytes)) else { return false };
        let schema = line(text, "schema").and_then(|schema| schema.parse().ok()).unwrap_or(SCHEMA);
        let read = Self::parse(text.as_bytes(), text, schema);
        read.is_some_and(|read| read.key.is_none_or(|key| signature::stands(bytes, &key.key)))
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
        let own = |text| numbered_key(text).filter(|(key, _)| key.name() == origin);
        let key = match line(text, "key") {
            Some(text) => Some(own(text).map(|(key, since)| KeyInForce { key, since })?),
            None => None,
        };
        let lost = match line(text, "lost") {
            Some(text) => Some(own(text).map(|(key, at)| KeyLost { key, at })?),
            None => None,
        };
        let stated = Stated::parse(text)?;
        // Newer programs may state it in another way; they are read as far as possible, and never written after.
        let complete = schema > SCHEMA || stated.is_some() == (schema >= STATED);
        // The edge implies the root: one flipped bit in either shows here.
        let consistent = edge.root() == *note.hash() && note.size() > 0;
        (consistent && complete).then_some(Self {
            origin,
            size: note.size(),
            schema,
            batch,
            previous,
            key,
            lost,
            stated,
            edge,
        })
    }
}

impl Stated {
    /// All three lines or none; the outer option tells that they are neither.
    fn parse(text: &str) -> Option<Option<Self>> {
        match (line(text, "commit"), line(text, "form"), line(text, "state")) {
            (None, None, None) => Some(None),
            (Some(sequence), Some(form), Some(state)) => Some(Some(Self {
                sequence: sequence.parse().ok()?,
                batch_bytes: form_bytes(form)?,
                state: state.parse().ok()?,
            })),
            _ => None,
        }
    }
}

fn form_bytes(form: &str) -> Option<u64> {
    form.strip_prefix(FORM)?.strip_prefix(' ')?.parse().ok()
}

/// Whether a line's value is there to its end.
type Whole = fn(&str) -> bool;

/// Whether this is what a cut-off or zero-filled write leaves behind. Anything else that does not parse was whole once,
/// so that people may have been told of it: dropping it would lose a commit (I9).
fn is_torn(bytes: &[u8], text: &str) -> bool {
    const ORDER: [(&str, Whole); 8] = [
        ("schema ", |schema| schema.parse::<u64>().is_ok()),
        ("batch ", |hex| sha256(hex).is_some()),
        ("previous ", |hex| sha256(hex).is_some()),
        ("key ", |text| numbered_key(text).is_some()),
        ("lost ", |text| numbered_key(text).is_some()),
        ("commit ", |number| number.parse::<u64>().is_ok()),
        ("form ", |form| form_bytes(form).is_some()),
        ("state ", |state| state.parse::<Commitment>().is_ok()),
    ];
    let Some((last, rest)) = bytes.split_last() else { return true };
    if *last == 0 {
        return true;
    }
    if *last != b'\n' {
        // The same length with another last byte is damage, not a cut.
        return !Checkpoint::is_whole(&[rest, b"\n"].concat());
    }
    // Cut between two lines: what there is stands whole in its order, and the edge is still to come.
    let mut order = ORDER.iter();
    text.lines().skip(3).all(|line| order.any(|(key, whole)| line.strip_prefix(key).is_some_and(whole)))
}

/// A key and the number of a commit.
fn numbered_key(text: &str) -> Option<(VerifierKey, u64)> {
    let (key, number) = text.rsplit_once(' ')?;
    Some((VerifierKey::parse(key)?, number.parse().ok()?))
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
    use ed25519_dalek::{Signer as _, SigningKey};
    use tlog_tiles::tlog::record_hash;

    fn example() -> Checkpoint {
        let mut edge = Edge::default();
        for n in 0..5 {
            edge.push(n, record_hash(&n.to_be_bytes()));
        }
        let (batch, previous) = (Digest::sha256(b"batch"), Some(Digest::sha256(b"previous")));
        Checkpoint {
            origin: "prodpin/0011".to_owned(),
            size: 5,
            schema: 1,
            batch,
            previous,
            key: None,
            lost: None,
            stated: None,
            edge,
        }
    }

    fn stating() -> Checkpoint {
        let stated = Stated { sequence: 4, batch_bytes: 77, state: Commitment::from_bytes(b"state") };
        Checkpoint { schema: 3, stated: Some(stated), ..example() }
    }

    /// With the bytes it is stored as: a witness has signed, too.
    fn signed() -> (Checkpoint, Vec<u8>) {
        let (log, witness) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let key = VerifierKey::new("prodpin/0011", &log.verifying_key());
        let gone = VerifierKey::new("prodpin/0011", &SigningKey::from_bytes(&[6; 32]).verifying_key());
        let lost = Some(KeyLost { key: gone, at: 3 });
        let checkpoint = Checkpoint { key: Some(KeyInForce { key: key.clone(), since: 3 }), lost, ..stating() };
        let body = checkpoint.encode();
        let foreign = VerifierKey::new("witness.example.com", &witness.verifying_key());
        let signatures = [foreign.line(&witness.sign(&body).to_bytes()), key.line(&log.sign(&body).to_bytes())];
        (checkpoint, [body, b"\n".to_vec(), signatures.concat()].concat())
    }

    #[test]
    fn a_checkpoint_reads_back_with_and_without_signatures() {
        for checkpoint in [example(), stating()] {
            let bytes = checkpoint.encode();
            assert_eq!(Checkpoint::decode(&bytes), Ok(checkpoint.clone()));
            let signed = [&bytes[..], "\n— prodpin/0011 Zm9vYmFy\n".as_bytes()].concat();
            assert_eq!(Checkpoint::decode(&signed), Ok(checkpoint));
        }
    }

    #[test]
    fn what_is_stated_is_whole_from_schema_3_on_i23() {
        let text = String::from_utf8(stating().encode()).unwrap();
        for line in ["commit ", "form ", "state "] {
            let without: String = text.lines().filter(|l| !l.starts_with(line)).map(|l| format!("{l}\n")).collect();
            assert_eq!(Checkpoint::decode(without.as_bytes()), Err(Flaw::Malformed), "{line}");
        }
        let older = text.replace("schema 3", "schema 2");
        assert_eq!(Checkpoint::decode(older.as_bytes()), Err(Flaw::Malformed));
        let bundled = text.replace("form lines 77", "form bundle 77 3");
        assert_eq!(
            Checkpoint::decode(bundled.as_bytes()),
            Err(Flaw::Newer(4)),
            "another way of storing is a newer one's"
        );
    }

    #[test]
    fn every_cut_is_torn_and_every_flip_is_not_f56_f57() {
        for example in [example(), stating()] {
            every_cut_is_torn_and_every_flip_is_not(&example);
        }
    }

    fn every_cut_is_torn_and_every_flip_is_not(example: &Checkpoint) {
        let bytes = example.encode();
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
                Ok(other) => assert_ne!(&other, example, "bit {bit} of {at}"),
                Err(Flaw::Torn) => panic!("bit {bit} of byte {at} would drop a commit"),
            }
        }
    }

    #[test]
    fn a_signed_checkpoint_reads_back_and_every_cut_of_it_is_torn_f56() {
        let (checkpoint, bytes) = signed();
        assert_eq!(Checkpoint::decode(&bytes), Ok(checkpoint));
        let lines = bytes.windows(1).enumerate().filter(|(_, byte)| *byte == b"\n").map(|(at, _)| at + 1);
        // A cut right after a witness's line, before the log's own: never dropped, because it may be a damaged one.
        let between = lines.rev().nth(1).unwrap();
        for cut in 0..bytes.len() {
            let expected = if cut == between { Flaw::Malformed } else { Flaw::Torn };
            assert_eq!(Checkpoint::decode(&bytes[..cut]), Err(expected), "cut at {cut}");
        }
    }

    #[test]
    fn every_flip_in_a_signed_checkpoint_shows_and_none_drops_it_f57() {
        let (checkpoint, bytes) = signed();
        let witness_line = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').rev().nth(2).map(<[u8]>::to_vec);
        // One bit of each byte: a signature takes its time to check.
        for (at, bit) in (0..bytes.len()).map(|at| (at, at % 7)) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            match Checkpoint::decode(&flipped) {
                Err(Flaw::Malformed | Flaw::Newer(_)) => {}
                Err(Flaw::Torn) => panic!("bit {bit} of byte {at} would drop a commit"),
                Ok(read) => {
                    let key = read.key.as_ref().map(|key| &key.key);
                    let witness = witness_line(&flipped) != witness_line(&bytes);
                    let holds = key.is_some_and(|key| signature::check(&flipped, key).is_ok());
                    assert!(!holds || (witness && read == checkpoint), "bit {bit} of byte {at}");
                }
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
