//! A chart archive as it streams by: its hash, and the first `Chart.yaml` in it. Nothing is kept but that, whatever the
//! archive unpacks to (F83, I20).

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::index::ChartFile;
use prodpin_core::model::Digest;
use prodpin_net::http::answer::Sink;

/// Unpacked bytes before `Chart.yaml`, which packers write first.
const MOST_UNPACKED: u64 = 64 << 20;
/// Compressed text rarely shrinks to a hundredth; zeros shrink to a thousandth.
const MOST_RATIO: u64 = 200;
/// What may unpack whatever the ratio.
const FREE: u64 = 1 << 20;
const MOST_ENTRIES: u32 = 100_000;
/// A `Chart.yaml` is a page or two; its keywords and annotations can make it longer.
const MOST_CHART_FILE: u64 = 1 << 20;
/// Headers that only carry a long name.
const MOST_NAME: u64 = 64 << 10;
const BLOCK: usize = 512;
/// What gzip files begin with.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Takes an archive's bytes.
pub(super) struct Archive {
    hash: Sha256,
    size: u64,
    unpacking: Option<MultiGzDecoder<Tape>>,
    /// Its first bytes.
    begins: Vec<u8>,
    seen: Option<Result<Vec<u8>, NoChart>>,
}

/// What an archive turned out to be.
#[derive(Debug)]
pub(super) struct ArchiveContents {
    pub(super) digest: Digest,
    pub(super) chart: Result<Named, NoChart>,
    /// Whether it begins as a gzip file does.
    pub(super) is_packed: bool,
}

/// What `Chart.yaml` calls the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) version: String,
}

/// Why no chart was seen in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoChart {
    /// There is none in it.
    None(&'static str),
    /// A cap was reached before one was found, or what was found cannot be read here.
    TooMuch(&'static str),
}

impl Archive {
    pub(super) fn new() -> Self {
        Self {
            hash: Sha256::new(),
            size: 0,
            unpacking: Some(MultiGzDecoder::new(Tape::default())),
            begins: Vec::new(),
            seen: None,
        }
    }

    /// What was seen, once the last byte was taken.
    pub(super) fn finish(mut self) -> ArchiveContents {
        let file = match (self.seen, self.unpacking.take()) {
            (Some(seen), _) => seen,
            (None, Some(mut unpacking)) => {
                let broken = unpacking.try_finish().is_err();
                match unpacking.get_mut().found.take() {
                    Some(found) => found,
                    None if broken => Err(NoChart::None("it is no whole gzip file")),
                    None => Err(NoChart::None("it holds no Chart.yaml")),
                }
            }
            (None, None) => Err(NoChart::None("it holds no Chart.yaml")),
        };
        let chart = file.and_then(|bytes| match ChartFile::read(&bytes).map(ChartFile::named) {
            Ok(Some((name, version))) => Ok(Named { name, version }),
            Ok(None) => Err(NoChart::None("its Chart.yaml has no name and version that can be read")),
            // Whether Helm can, is another matter.
            Err(_) => Err(NoChart::TooMuch("its Chart.yaml is no YAML that can be read here")),
        });
        ArchiveContents { digest: Digest::Sha256(self.hash.finalize().into()), chart, is_packed: self.begins == GZIP }
    }

    fn unpack(&mut self, bytes: &[u8]) {
        let Some(unpacking) = &mut self.unpacking else { return };
        // In small steps, so that the ratio is held while unpacking and not after it.
        for step in bytes.chunks(4096) {
            self.size += step.len() as u64;
            let tape = unpacking.get_mut();
            tape.most = MOST_UNPACKED.min(FREE + self.size * MOST_RATIO);
            let written = unpacking.write_all(step);
            let found = unpacking.get_mut().found.take();
            self.seen = found.or(written.is_err().then_some(Err(NoChart::None("it is no gzip file"))));
            if self.seen.is_some() {
                self.unpacking = None;
                return;
            }
        }
    }
}

impl Sink for Archive {
    fn start(&mut self) {
        *self = Self::new();
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        let lacking = GZIP.len() - self.begins.len();
        self.begins.extend_from_slice(&bytes[..bytes.len().min(lacking)]);
        self.unpack(bytes);
    }
}

/// A tar archive read block by block until its first `Chart.yaml`.
#[derive(Default)]
struct Tape {
    /// How much came, and how much may.
    count: u64,
    most: u64,
    entries: u32,
    block: Vec<u8>,
    /// Content to keep, and content and padding to pass over after it.
    keep: u64,
    skip: u64,
    kept: Vec<u8>,
    keeping: Keeping,
    /// A name too long for a header, from the entry before.
    long_name: Option<String>,
    found: Option<Result<Vec<u8>, NoChart>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    #[default]
    Nothing,
    ChartFile,
    GnuName,
    PaxRecords,
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.count += bytes.len() as u64;
        if self.found.is_none() && self.count > self.most {
            self.found = Some(Err(NoChart::TooMuch("it unpacks to far more than it is, before any Chart.yaml")));
        }
        let mut rest = bytes;
        while self.found.is_none() && !rest.is_empty() {
            rest = self.step(rest);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tape {
    fn step<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let up_to = |most: u64| bytes.split_at(usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len()));
        if self.keep > 0 {
            let (taken, rest) = up_to(self.keep);
            self.kept.extend_from_slice(taken);
            self.keep -= taken.len() as u64;
            if self.keep == 0 {
                self.content();
            }
            return rest;
        }
        if self.skip > 0 {
            let (taken, rest) = up_to(self.skip);
            self.skip -= taken.len() as u64;
            return rest;
        }
        let (taken, rest) = up_to((BLOCK - self.block.len()) as u64);
        self.block.extend_from_slice(taken);
        if self.block.len() == BLOCK {
            let block = std::mem::take(&mut self.block);
            if let Err(none) = self.header(&block) {
                self.found = Some(Err(none));
            }
        }
        rest
    }

    fn header(&mut self, block: &[u8]) -> Result<(), NoChart> {
        if block.iter().all(|byte| *byte == 0) {
            return Err(NoChart::None("it holds no Chart.yaml"));
        }
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let own: u64 = block[148..156].iter().map(|byte| u64::from(*byte)).sum();
        // The checksum's own field counts as spaces.
        if octal(&block[148..156]) != Some(sum - own + 8 * u64::from(b' ')) {
            return Err(NoChart::None("it is no tar file"));
        }
        let size = octal(&block[124..136]).ok_or(NoChart::None("an entry has no size that can be read"))?;
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return Err(NoChart::TooMuch("it has too many files before any Chart.yaml"));
        }
        let name = self.long_name.take().unwrap_or_else(|| name(block));
        self.keeping = match block[156] {
            b'L' => Keeping::GnuName,
            b'x' => Keeping::PaxRecords,
            0 | b'0' | b'7' if is_chart_file(&name) => Keeping::ChartFile,
            _ => Keeping::Nothing,
        };
        let most = match self.keeping {
            Keeping::Nothing => u64::MAX,
            Keeping::ChartFile => MOST_CHART_FILE,
            Keeping::GnuName | Keeping::PaxRecords => MOST_NAME,
        };
        if size > most {
            return Err(NoChart::TooMuch("its Chart.yaml, or a file name, is larger than any"));
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        self.kept.clear();
        match self.keeping {
            Keeping::Nothing => (self.keep, self.skip) = (0, size.saturating_add(padding)),
            _ => (self.keep, self.skip) = (size, padding),
        }
        if self.keeping != Keeping::Nothing && size == 0 {
            self.content();
        }
        Ok(())
    }

    fn content(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        match self.keeping {
            Keeping::Nothing => {}
            Keeping::ChartFile => self.found = Some(Ok(kept)),
            Keeping::GnuName => self.long_name = Some(text(&kept)),
            Keeping::PaxRecords => self.long_name = pax_path(&kept),
        }
    }
}

/// A field of octal digits; none if it is something else, as for files of more than 8 GiB.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok().filter(|size| *size < 1 << 40) }
}

/// Text up to its first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A header's name, with the prefix that POSIX headers may have.
fn name(block: &[u8]) -> String {
    let (name, prefix) = (text(&block[..100]), text(&block[345..500]));
    if block[257..].starts_with(b"ustar") && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

/// `path` among records of the form `LENGTH KEY=VALUE\\n`.
fn pax_path(records: &[u8]) -> Option<String> {
    let mut rest = records;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let record = rest.get(..length)?.get(space + 1..length.checked_sub(1)?)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(text(path));
        }
        rest = rest.get(length..)?;
    }
    None
}

/// `NAME/Chart.yaml`: not that of a chart that this one only contains. A path here is compared and never opened (F81).
fn is_chart_file(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.next().is_some() && parts.next() == Some("Chart.yaml") && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block.extend_from_slice(content);
        block.resize(block.len().next_multiple_of(BLOCK), 0);
        block
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn look(bytes: &[u8], step: usize) -> ArchiveContents {
        let mut archive = Archive::new();
        archive.start();
        bytes.chunks(step).for_each(|chunk| archive.take(chunk));
        archive.finish()
    }

    const CHART: &[u8] = b"apiVersion: v2\nname: shop\nversion: 1.2.3+b\n";

    #[test]
    fn the_chart_file_is_found_however_the_bytes_arrive() {
        let long = format!("{}/Chart.yaml", "n".repeat(120));
        let pax = format!("{} path={long}\n", long.len() + 10);
        for entries in [
            vec![entry("shop/Chart.yaml", b'0', CHART)],
            vec![entry("./shop/Chart.yaml", 0, CHART)],
            vec![
                entry("shop", b'5', b""),
                entry("shop/values.yaml", b'0', &[b'x'; 1000]),
                entry("shop/Chart.yaml", b'0', CHART),
            ],
            vec![
                entry("shop/charts/sub/Chart.yaml", b'0', b"name: sub\nversion: 9.9.9"),
                entry("shop/Chart.yaml", b'0', CHART),
            ],
            vec![entry("pax", b'x', pax.as_bytes()), entry("cut", b'0', CHART)],
            vec![entry("pax", b'x', b"9 foo=ba"), entry("shop/Chart.yaml", b'0', CHART)],
            vec![entry("pax", b'x', b"99 path=shop"), entry("shop/Chart.yaml", b'0', CHART)],
            vec![entry("././@LongLink", b'L', long.as_bytes()), entry("cut", b'0', CHART)],
        ] {
            let bytes = gzip(&entries.concat());
            for step in [1, 7, 4096, 1 << 20] {
                let seen = look(&bytes, step);
                assert_eq!(seen.digest, Digest::sha256(&bytes));
                assert_eq!(seen.chart, Ok(Named { name: "shop".to_owned(), version: "1.2.3+b".to_owned() }), "{step}");
            }
        }
    }

    #[test]
    fn bombs_and_other_files_are_no_charts_f83() {
        let mut bomb = entry("shop/values.yaml", b'0', &vec![0; 40 << 20]);
        bomb.extend(entry("shop/Chart.yaml", b'0', CHART));
        let too_large = entry("shop/Chart.yaml", b'0', &vec![b' '; 2 << 20]);
        for (bytes, too_much) in [
            (gzip(&bomb), true),
            (gzip(&too_large), true),
            (gzip(b"no tar"), false),
            (gzip(&[b'x'; 4096]), false),
            (b"<html>".to_vec(), false),
            (Vec::new(), false),
            (gzip(&entry("Chart.yaml", b'0', CHART)), false),
            (gzip(&[entry("shop/x", b'0', b"x"), vec![0; 1024]].concat()), false),
            (gzip(&entry("shop/Chart.yaml", b'0', b"name: [shop]")), false),
            (gzip(&entry("shop/Chart.yaml", b'0', CHART))[..40].to_vec(), false),
        ] {
            let seen = look(&bytes, 1000);
            assert_eq!(seen.digest, Digest::sha256(&bytes), "hashed to the end all the same");
            assert_eq!(matches!(seen.chart, Err(NoChart::TooMuch(_))), too_much, "{:?}", seen.chart);
            assert!(seen.chart.is_err());
        }
    }
}
