//! The text of an index or a `Chart.yaml`, as Helm's reader would see it: packed, in another encoding, with marks in front.
//! What nobody's reader takes is replaced and told, so that the rest can be read.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;

/// A document's text, and what was odd about its bytes.
#[derive(Debug)]
pub(super) struct Text<'b> {
    pub(super) text: Cow<'b, str>,
    pub(super) odd: Vec<String>,
}

const GZIP: [u8; 2] = [0x1f, 0x8b];

impl<'b> Text<'b> {
    /// `most` is how many bytes it may have unpacked.
    pub(super) fn read(bytes: &'b [u8], most: usize) -> Result<Self, String> {
        let mut odd = Vec::new();
        // Servers send files as they are stored, whatever was asked for, and some are stored packed.
        let bytes: Cow<'b, [u8]> = match bytes.starts_with(&GZIP) {
            true => Cow::Owned(unpacked(bytes, most)?),
            false => Cow::Borrowed(bytes),
        };
        let text = match (utf_16(&bytes), bytes) {
            (Some(text), _) => Cow::Owned(text),
            (None, Cow::Borrowed(bytes)) => decoded(bytes, &mut odd),
            (None, Cow::Owned(bytes)) => Cow::Owned(decoded(&bytes, &mut odd).into_owned()),
        };
        let text = match text.strip_prefix('\u{feff}') {
            Some(bare) => Cow::Owned(bare.to_owned()),
            None => text,
        };
        Ok(Self { text: first_document(without_controls(text, &mut odd)), odd })
    }
}

fn unpacked(bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(most as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Ok(_) if unpacked.len() > most => Err(format!("it unpacks to more than the {most} bytes that are read of it")),
        Ok(_) => Ok(unpacked),
        Err(_) => Err("it is packed with gzip, and cannot be unpacked".to_owned()),
    }
}

/// By its mark alone: without one it is taken for UTF-8.
fn utf_16(bytes: &[u8]) -> Option<String> {
    let word: fn([u8; 2]) -> u16 = match bytes.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let words: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| word([pair[0], pair[1]])).collect();
    String::from_utf16(&words).ok()
}

fn decoded<'t>(bytes: &'t [u8], odd: &mut Vec<String>) -> Cow<'t, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            odd.push(format!("line {line} is not UTF-8, so that Helm reads none of it"));
            String::from_utf8_lossy(bytes)
        }
    }
}

/// YAML has no control characters, and its readers refuse a file for one in a description.
fn without_controls<'t>(text: Cow<'t, str>, odd: &mut Vec<String>) -> Cow<'t, str> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let Some(at) = text.find(is_odd) else { return text };
    let line = text[..at].matches('\n').count() + 1;
    odd.push(format!("line {line} has a control character, so that Helm reads none of it"));
    Cow::Owned(text.replace(is_odd, " "))
}

/// Helm reads the first document of a file, whatever follows it.
fn first_document(text: Cow<'_, str>) -> Cow<'_, str> {
    let Some(end) = end_of_first(&text) else { return text };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// Where a mark ends the first document; none if it goes on to the end.
fn end_of_first(text: &str) -> Option<usize> {
    let (mut at, mut begun) = (0, false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if begun && (bare == "..." || bare == "---" || bare.starts_with("--- ")) {
            return Some(at);
        }
        begun |= !(bare.is_empty() || bare.trim_start().starts_with('#') || bare == "---" || bare.starts_with('%'));
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const PLAIN: &str = "apiVersion: v1\nentries: {}\n";

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn utf_16_of(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(order).collect()
    }

    #[test]
    fn a_text_is_the_same_however_it_comes() {
        for bytes in [
            PLAIN.as_bytes().to_vec(),
            format!("\u{feff}{PLAIN}").into_bytes(),
            utf_16_of(PLAIN, u16::to_le_bytes),
            utf_16_of(PLAIN, u16::to_be_bytes),
            packed(PLAIN.as_bytes()),
            packed(format!("\u{feff}{PLAIN}").as_bytes()),
            packed(&utf_16_of(PLAIN, u16::to_le_bytes)),
            format!("{PLAIN}---\nother: document\n").into_bytes(),
            format!("{PLAIN}--- # another\n").into_bytes(),
            format!("{PLAIN}...\nrubbish").into_bytes(),
        ] {
            let text = Text::read(&bytes, 1 << 10).unwrap();
            assert_eq!((&*text.text, text.odd.len()), (PLAIN, 0), "{:?}", String::from_utf8_lossy(&bytes));
        }
        let begun = format!("# a comment\n---\n{PLAIN}");
        assert_eq!(Text::read(begun.as_bytes(), 1 << 10).unwrap().text, begun, "a mark in front begins the document");
    }

    #[test]
    fn what_no_reader_takes_is_told_with_its_line() {
        for (bytes, line) in [
            (&b"a: 1\nb: caf\xe9\n"[..], "line 2 is not UTF-8"),
            (b"\xff\n", "line 1 is not UTF-8"),
            (b"a: 1\n\nb: x\x07y\n", "line 3 has a control character"),
            (b"a: \x00\n", "line 1 has a control character"),
        ] {
            let text = Text::read(bytes, 1 << 10).unwrap();
            assert!(text.odd.len() == 1 && text.odd[0].starts_with(line), "{:?}", text.odd);
            assert!(!text.text.contains(['\x07', '\x00']), "{:?}", text.text);
        }
    }

    #[test]
    fn what_unpacks_to_too_much_or_to_nothing_is_refused_f83() {
        let bomb = packed(&vec![b' '; 1 << 20]);
        assert!(Text::read(&bomb, 1 << 10).unwrap_err().contains("more than the 1024 bytes"));
        let mut broken = packed(PLAIN.as_bytes());
        broken.truncate(15);
        assert!(Text::read(&broken, 1 << 10).unwrap_err().contains("cannot be unpacked"));
    }
}
