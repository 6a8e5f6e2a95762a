//! Globs with braces and double stars.

/// A doublestar glob: `**` is special as a whole segment only, `*` and `?` stay within one, `{a,b}` may be nested (J22).
/// The empty pattern is everybody's. No reading of a malformed one.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    pattern.is_empty()
        || braces(pattern).iter().any(|one| {
            let (pattern, text): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), text.split('/').collect());
            segments(&pattern, &text)
        })
}

/// Every pattern that this one stands for.
fn braces(pattern: &str) -> Vec<String> {
    let Some((open, close, commas)) = outer_braces(pattern) else { return vec![pattern.to_owned()] };
    let mut ends = vec![open];
    ends.extend(commas);
    ends.push(close);
    let ways = ends.windows(2).map(|pair| &pattern[pair[0] + 1..pair[1]]);
    let whole = ways.map(|way| format!("{}{way}{}", &pattern[..open], &pattern[close + 1..]));
    whole.flat_map(|one| braces(&one)).collect()
}

/// Where the first braces open and close, and the commas between.
fn outer_braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let (mut depth, mut open, mut commas, mut escaped, mut in_class) = (0_usize, 0, Vec::new(), false, false);
    for (at, next) in pattern.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match next {
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '{' => {
                depth += 1;
                if depth == 1 {
                    open = at;
                }
            }
            ',' if depth == 1 => commas.push(at),
            '}' if depth == 1 => return Some((open, at, commas)),
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
    }
    None
}

fn segments(pattern: &[&str], text: &[&str]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((&"**", [])), rest) => rest.is_some(),
        (Some((&"**", rest)), _) => (0..text.len()).any(|skip| segments(rest, &text[skip..])),
        (Some(_), None) => false,
        (Some((first, pattern)), Some((segment, text))) => {
            let (first, segment): (Vec<char>, Vec<char>) = (first.chars().collect(), segment.chars().collect());
            within(&first, &segment) && segments(pattern, text)
        }
    }
}

pub(super) fn within(pattern: &[char], text: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        '*' => (0..=text.len()).any(|skip| within(rest, &text[skip..])),
        '?' => !text.is_empty() && within(rest, &text[1..]),
        '[' => {
            let Some(next) = text.first() else { return false };
            let (not, mut at) = (rest.first() == Some(&'^'), usize::from(rest.first() == Some(&'^')));
            let mut found = false;
            while let Some(from) = rest.get(at).filter(|next| **next != ']') {
                let (from, after) =
                    if *from == '\\' { (rest.get(at + 1).unwrap_or(from), at + 2) } else { (from, at + 1) };
                let (to, after) = match (rest.get(after), rest.get(after + 1)) {
                    (Some('-'), Some('\\')) => (rest.get(after + 2).unwrap_or(from), after + 3),
                    (Some('-'), Some(to)) if *to != ']' => (to, after + 2),
                    _ => (from, after),
                };
                found |= from <= next && next <= to;
                at = after;
            }
            found != not && rest.get(at).is_some() && within(&rest[at + 1..], &text[1..])
        }
        '\\' if !rest.is_empty() => text.first() == rest.first() && within(&rest[1..], &text[1..]),
        plain => text.first() == Some(plain) && within(rest, &text[1..]),
    }
}
