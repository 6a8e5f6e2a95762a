//! Patterns of repository names by the rules of the Go module doublestar (v4): `*` within a part of the path, `**` for any
//! number of whole parts, `?`, `[a-z]`, `{a,b}`.

/// Why there is no answer to whether a name is of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The pattern is not of the grammar. Go's callers take that for no match, and so does [`matches_path`]; it is told
    /// apart because an alternative that is found to be broken ends the search for another that matches.
    BadPattern,
    /// It takes more steps than anybody should wait for: every pair of braces doubles them.
    Endless,
}

/// Real patterns take dozens.
const MOST_STEPS: u32 = 100_000;

/// Whether the whole name is of the pattern; none if that takes too long to find out. A pattern that cannot be read
/// matches nothing.
pub(in crate::decide::lifecycle) fn matches_path(pattern: &str, name: &str) -> Option<bool> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let start = Walk { pattern: 0, name: 0, star: None, stars: None };
    match walk(&pattern, &name, start, &mut MOST_STEPS.clone()) {
        Ok(matches) => Some(matches),
        Err(Stop::BadPattern) => Some(false),
        Err(Stop::Endless) => None,
    }
}

fn step(steps: &mut u32) -> Result<(), Stop> {
    *steps = steps.checked_sub(1).ok_or(Stop::Endless)?;
    Ok(())
}

/// How far both texts are read, and where to go on if what follows does not match: behind the last `*`, behind the last
/// `**/`, each with the place in the name up to which it reaches.
#[derive(Debug, Clone, Copy)]
struct Walk {
    pattern: usize,
    name: usize,
    star: Option<(usize, usize)>,
    stars: Option<(usize, usize)>,
}

fn walk(pattern: &[char], name: &[char], mut at: Walk, steps: &mut u32) -> Result<bool, Stop> {
    let mut opens_part = true;
    while at.name < name.len() {
        step(steps)?;
        let matched = match pattern.get(at.pattern) {
            None => false,
            Some('*') => {
                if let Some(ends) = star(pattern, &mut at, &mut opens_part) {
                    return Ok(ends);
                }
                continue;
            }
            Some('{') => return alternatives(pattern, name, at, steps),
            Some('[') => {
                opens_part = false;
                one_of(pattern, &mut at.pattern, name[at.name])?
            }
            Some('?') => {
                opens_part = false;
                let matches = name[at.name] != '/';
                at.pattern += usize::from(matches);
                matches
            }
            Some(_) => literal(pattern, &mut at.pattern, name[at.name], &mut opens_part)?,
        };
        if matched {
            at.name += 1;
        } else if !back(name, &mut at, &mut opens_part) {
            return if is_valid(pattern.get(at.pattern..).unwrap_or(&[])) { Ok(false) } else { Err(Stop::BadPattern) };
        }
    }
    takes_nothing(&pattern[at.pattern.min(pattern.len())..], steps)
}

/// Reads `*` or `**`; the answer, where that is known at once.
fn star(pattern: &[char], at: &mut Walk, opens_part: &mut bool) -> Option<bool> {
    at.pattern += 1;
    if pattern.get(at.pattern) == Some(&'*') {
        at.pattern += 1;
        if *opens_part {
            match pattern.get(at.pattern) {
                None => return Some(true),
                Some('/') => {
                    at.pattern += 1;
                    at.stars = Some((at.pattern, at.name));
                    at.star = None;
                    return None;
                }
                Some(_) => {}
            }
        }
    }
    // `**` that is not a part of its own is no more than `*`.
    *opens_part = false;
    at.star = Some((at.pattern, at.name));
    None
}

/// Goes back to the last star that may reach further. Whether there is one.
fn back(name: &[char], at: &mut Walk, opens_part: &mut bool) -> bool {
    if let Some((behind, reached)) = at.star
        && name[reached] != '/'
    {
        at.star = Some((behind, reached + 1));
        (at.pattern, at.name, *opens_part) = (behind, reached + 1, false);
        return true;
    }
    let Some((behind, reached)) = at.stars else { return false };
    let Some(next) = name[reached..].iter().position(|c| *c == '/') else {
        return false;
    };
    at.stars = Some((behind, reached + next + 1));
    (at.pattern, at.name, *opens_part) = (behind, reached + next + 1, true);
    true
}

fn literal(pattern: &[char], at: &mut usize, name: char, opens_part: &mut bool) -> Result<bool, Stop> {
    let escaped = usize::from(pattern[*at] == '\\');
    let expected = *pattern.get(*at + escaped).ok_or(Stop::BadPattern)?;
    if expected != name {
        return Ok(false);
    }
    *at += escaped + 1;
    *opens_part = expected == '/';
    Ok(true)
}

/// Reads a class in brackets up to the first thing in it that matches, and then to its end.
fn one_of(pattern: &[char], at: &mut usize, name: char) -> Result<bool, Stop> {
    *at += 1;
    let negated = matches!(pattern.get(*at), Some('!' | '^'));
    *at += usize::from(negated);
    if matches!(pattern.get(*at), None | Some(']')) {
        return Err(Stop::BadPattern);
    }
    let mut matched = false;
    let mut last = None;
    while let Some(&next) = pattern.get(*at).filter(|next| **next != ']') {
        *at += 1;
        if let (Some(low), '-', Some(&high)) = (last, next, pattern.get(*at).filter(|high| **high != ']')) {
            let escaped = usize::from(high == '\\');
            // Nothing behind a backslash is read as the character that stands for a broken text.
            let high = pattern.get(*at + escaped).copied().unwrap_or(char::REPLACEMENT_CHARACTER);
            *at += escaped + 1;
            if low <= name && name <= high {
                matched = true;
                break;
            }
            last = None;
            continue;
        }
        let mut next = next;
        if next == '\\' {
            next = pattern.get(*at).copied().unwrap_or(char::REPLACEMENT_CHARACTER);
            *at += 1;
        }
        if next == name {
            matched = true;
            break;
        }
        last = Some(next);
    }
    if matched == negated {
        return if *at >= pattern.len() { Err(Stop::BadPattern) } else { Ok(false) };
    }
    let end = unescaped(pattern.get(*at..).unwrap_or(&[]), ']').ok_or(Stop::BadPattern)?;
    *at += end + 1;
    Ok(true)
}

/// Tries each alternative in the place of the braces; where one is broken, no further one is tried.
fn alternatives(pattern: &[char], name: &[char], at: Walk, steps: &mut u32) -> Result<bool, Stop> {
    let before = &pattern[..at.pattern];
    let inside = &pattern[at.pattern + 1..];
    let end = closing(inside).ok_or(Stop::BadPattern)?;
    let after = &inside[end + 1..];
    for alternative in split(&inside[..end]) {
        let tried = [before, alternative, after].concat();
        if walk(&tried, name, at, steps)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what is left of the pattern matches nothing more: the name has ended.
fn takes_nothing(pattern: &[char], steps: &mut u32) -> Result<bool, Stop> {
    step(steps)?;
    let text: String = pattern.iter().take(5).collect();
    if matches!(text.as_str(), "" | "*" | "**" | "/**" | "**/" | "/**/") {
        return Ok(true);
    }
    if pattern[0] != '{' {
        return if is_valid(pattern) { Ok(false) } else { Err(Stop::BadPattern) };
    }
    let inside = &pattern[1..];
    let end = closing(inside).ok_or(Stop::BadPattern)?;
    for alternative in split(&inside[..end]) {
        if takes_nothing(&[alternative, &inside[end + 1..]].concat(), steps)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where an unescaped character stands first.
fn unescaped(text: &[char], sought: char) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            '\\' => at += 1,
            found if found == sought => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the brace that was opened before the text is closed.
fn closing(text: &[char]) -> Option<usize> {
    let (mut open, mut at) = (1_usize, 0);
    while at < text.len() {
        match text[at] {
            '\\' => at += 1,
            '{' => open += 1,
            '}' if open == 1 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The alternatives between braces: split at every comma that is not within further braces.
fn split(inside: &[char]) -> Vec<&[char]> {
    let (mut parts, mut start, mut open, mut at) = (Vec::new(), 0, 0_usize, 0);
    while at < inside.len() {
        match inside[at] {
            '\\' => at += 1,
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            ',' if open == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&inside[start..]);
    parts
}

/// Whether the brackets, braces and backslashes of a text are complete.
fn is_valid(pattern: &[char]) -> bool {
    let (mut open, mut at) = (0_usize, 0);
    while at < pattern.len() {
        match pattern[at] {
            '\\' => {
                at += 1;
                if at >= pattern.len() {
                    return false;
                }
            }
            '[' => match class_end(&pattern[at + 1..]) {
                Some(end) => at += end + 1,
                None => return false,
            },
            '{' => open += 1,
            '}' if open == 0 => return false,
            '}' => open -= 1,
            _ => {}
        }
        at += 1;
    }
    open == 0
}

/// Where a class ends, seen from behind its bracket; none if it is empty or does not.
fn class_end(text: &[char]) -> Option<usize> {
    let start = usize::from(matches!(text.first(), Some('!' | '^')));
    if matches!(text.get(start), None | Some(']')) {
        return None;
    }
    unescaped(&text[start..], ']').map(|end| start + end)
}
