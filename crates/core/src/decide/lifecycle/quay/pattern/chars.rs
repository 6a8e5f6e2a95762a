//! Sets of characters. A tag name is ASCII, so that a set is 128 bits; what lies beyond is in no set and harms none.

/// Which ASCII characters there are in it, one bit for each.
pub(super) type Chars = u128;

/// All of them.
pub(super) const ANY: Chars = !0;
/// `0` to `9`.
pub(super) const DIGIT: Chars = range('0', '9');
/// `A` to `Z`.
pub(super) const UPPER: Chars = range('A', 'Z');
/// `a` to `z`.
pub(super) const LOWER: Chars = range('a', 'z');
/// Letters.
pub(super) const ALPHA: Chars = UPPER | LOWER;
/// What a word is made of, in both dialects.
pub(super) const WORD: Chars = ALPHA | DIGIT | range('_', '_');
const SPACE: Chars = range('\t', '\r') | range(' ', ' ');
const GRAPH: Chars = range('!', '~');
const BLANK: Chars = range('\t', '\t') | range(' ', ' ');
const CONTROL: Chars = range('\0', '\x1f') | range('\x7f', '\x7f');

/// From one character to another, both included.
pub(super) const fn range(from: char, to: char) -> Chars {
    let (from, to) = (from as u32, to as u32);
    if from > 127 || from > to {
        return 0;
    }
    let last = if to > 127 { 127 } else { to };
    (ANY >> (127 - (last - from))) << from
}

/// The one character, if it is ASCII.
pub(super) const fn one(code: u32) -> Chars {
    if code < 128 { 1 << code } else { 0 }
}

/// Whether it is in the set.
pub(super) const fn has(set: Chars, byte: u8) -> bool {
    byte < 128 && set & (1 << byte) != 0
}

/// The set with the other case of each of its letters.
pub(super) const fn either_case(set: Chars) -> Chars {
    set | (set & UPPER) << 32 | (set & LOWER) >> 32
}

/// A class by its POSIX name in lower case.
pub(super) fn class(name: &str) -> Option<Chars> {
    Some(match name {
        "alnum" => ALPHA | DIGIT,
        "alpha" => ALPHA,
        "ascii" => ANY,
        "blank" => BLANK,
        "cntrl" => CONTROL,
        "digit" => DIGIT,
        "graph" => GRAPH,
        "lower" => LOWER,
        "print" => GRAPH | range(' ', ' '),
        "punct" => GRAPH & !ALPHA & !DIGIT,
        "space" => SPACE,
        "upper" => UPPER,
        "word" => WORD,
        "xdigit" => DIGIT | range('a', 'f') | range('A', 'F'),
        _ => return None,
    })
}

/// The class of `\d`, `\s` and `\w`, the letter in lower case.
pub(super) fn shorthand(letter: char) -> Option<Chars> {
    match letter {
        'd' => Some(DIGIT),
        's' => Some(SPACE),
        'w' => Some(WORD),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quay_sets_hold_what_they_say() {
        let text = |set: Chars| (0..128u8).filter(|byte| has(set, *byte)).map(char::from).collect::<String>();
        assert_eq!(text(DIGIT), "0123456789");
        assert_eq!(text(range('x', '\u{e9}')), "xyz{|}~\u{7f}");
        assert_eq!(text(range('b', 'a')), "");
        assert_eq!(text(either_case(one('k'.into()) | one('Q'.into()) | one('-'.into()))), "-KQkq");
        assert_eq!(either_case(LOWER), ALPHA);
        assert_eq!(range('\0', '\x7f'), ANY);
    }
}
