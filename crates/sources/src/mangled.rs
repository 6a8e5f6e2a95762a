//! Files and headers as nobody would write them, for properties of whatever reads them: pieces cut out of good ones, and
//! odd ones put in.

use proptest::prelude::*;
use proptest::sample::select;

/// What stands where something else should.
const ODD: &[&str] = &[
    "null",
    "[]",
    "{}",
    "\"\"",
    "true",
    "-1",
    "1e999",
    "12e4567",
    "\u{feff}",
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\"",
    "'",
    "\\",
    "\\ud800",
    ",",
    ";",
    ":",
    "=",
    "<",
    ">",
    "<>",
    "{",
    "}",
    "[",
    "]",
    "---\n",
    "...",
    "&a",
    "*a",
    "!x",
    "%",
    "\u{1b}[31m",
    "\u{202e}",
    "rel=next",
    "realm=",
    "Basic ",
    "Bearer ",
    "null:",
    "? ",
    "|",
    "~",
];

/// One of these texts with up to six changes. Bytes, because a cut may leave half a character.
pub(crate) fn mangled(seeds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<u16>(), 0..12_usize, select(ODD), any::<bool>());
    (select(seeds), proptest::collection::vec(change, 0..6)).prop_map(|(seed, changes)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (place, cut, odd, put) in changes {
            let at = usize::from(place) % (bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            let odd = if put { odd.as_bytes() } else { &[] };
            bytes.splice(at..end, odd.iter().copied());
        }
        bytes
    })
}
