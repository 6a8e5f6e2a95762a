//! Lists of patterns, with the one thing that patterns must not do by accident: select everything (F68).

use super::check::Checker;
use super::problem::Span;
use super::spanned::Spanned;
use prodpin_core::model::NamePatterns;

/// What it takes to select everything.
pub(super) struct Confirmation<'r> {
    /// The `all: true` beside the list.
    pub(super) all: &'r Spanned<bool>,
    /// What would be selected: `repository`, `tag`. Empty where everything needs no confirmation.
    pub(super) what: &'static str,
}

/// More entries than this are a mistake of some generator, and cost every name a look (F70).
const MAX_ENTRIES: usize = 1_000;

impl Checker<'_> {
    /// The patterns, or `None` once it was reported why there are none.
    pub(super) fn patterns(
        &self,
        spanned: &Spanned<Vec<Spanned<String>>>,
        around: Span,
        confirmation: &Confirmation<'_>,
    ) -> Option<NamePatterns> {
        let all = confirmation.all.value().copied().unwrap_or(false);
        let what = confirmation.what;
        let Some((span, list)) = spanned.read() else {
            if spanned.span().is_some() {
                return None;
            }
            if all {
                return NamePatterns::new(["**"]).ok();
            }
            let fix = format!("list them, or write all: true for every {what}");
            self.problems.error(around, format!("nothing says which {} are meant", plural(what)), fix);
            return None;
        };
        let entries = self.entries(list, span)?;
        let patterns = match NamePatterns::new(&entries) {
            Ok(patterns) => patterns,
            Err(error) => {
                let culprit = list.iter().find(|entry| entry.value().is_some_and(|text| *text == error.pattern));
                let at = culprit.and_then(Spanned::span).unwrap_or(span);
                let secret = culprit.is_some_and(|entry| entry.from_environment);
                let message = if secret {
                    "what the environment puts in here is no pattern".to_owned()
                } else {
                    // An empty pattern at fault is either shown by the caret, or the list's and not an entry's.
                    if error.pattern.is_empty() { error.reason } else { error.to_string() }
                };
                self.problems.error(at, message, None);
                return None;
            }
        };
        let broad = list.iter().find(|entry| entry.value().is_some_and(|text| selects_everything(text)));
        match (broad, all) {
            (Some(entry), false) if !what.is_empty() => {
                let fix = format!("write all: true beside it if every {what} is meant");
                let span = entry.span().unwrap_or(span);
                self.problems.error(span, format!("this pattern selects every {what}"), fix);
            }
            (None, true) => {
                let at = confirmation.all.span().unwrap_or(span);
                let fix = "keep one of the two".to_owned();
                self.problems.error(at, format!("all: true says every {what}, and the list says less"), fix);
            }
            _ => {}
        }
        Some(patterns)
    }

    /// The entries, each once (F72).
    fn entries(&self, list: &[Spanned<String>], span: Span) -> Option<Vec<String>> {
        if list.len() > MAX_ENTRIES {
            let message = format!("the list has {} entries, and {MAX_ENTRIES} is the most", list.len());
            self.problems.error(span, message, "say the same with globs".to_owned());
            return None;
        }
        let mut entries: Vec<String> = Vec::with_capacity(list.len());
        for entry in list {
            let (at, text) = entry.read()?;
            if entries.contains(text) {
                self.problems.warn(at, "this entry is given twice; it counts once");
            } else {
                entries.push(text.clone());
            }
        }
        Some(entries)
    }
}

fn plural(what: &str) -> String {
    what.strip_suffix('y').map_or_else(|| format!("{what}s"), |stem| format!("{stem}ies"))
}

/// Whether one entry matches whatever it is shown, however it is spelt: `**`, `*`, `?*`, `{*,*/*}`.
pub(super) fn selects_everything(entry: &str) -> bool {
    if entry.starts_with('!') {
        return false;
    }
    let Ok(pattern) = NamePatterns::new([entry]) else { return false };
    [["qz", "x7.k_2-w", "0"], ["qz/k", "x7.k_2-w/0", "0/vv"]]
        .iter()
        .any(|names| names.iter().all(|name| pattern.matches(name)))
}

/// Whether two lists say the same.
pub(super) fn same(one: &NamePatterns, other: &NamePatterns) -> bool {
    let sorted = |patterns: &NamePatterns| {
        let mut entries = patterns.entries().to_vec();
        entries.sort();
        entries
    };
    sorted(one) == sorted(other)
}

/// An entry of one list that the other list selects too, as far as names can tell.
pub(super) fn overlap<'p>(one: &'p NamePatterns, other: &'p NamePatterns) -> Option<&'p str> {
    let named = |from: &'p NamePatterns, by: &'p NamePatterns| {
        from.explicit_names().find(|name| from.matches(name) && by.matches(name))
    };
    let listed = || {
        let included = |entry: &&String| !entry.starts_with('!') && other.entries().contains(entry);
        one.entries().iter().find(included).map(String::as_str)
    };
    named(one, other).or_else(|| named(other, one)).or_else(listed)
}
