//! What a CHECK lets through, as far as its text shows.

use crate::diff::keys::is_new;
use crate::diff::tables::Pair;

/// Whether the new check certainly lets through all that the old one did: `x IN (…)` with more values.
pub(crate) fn allows_more(old: &str, new: &str) -> bool {
    if old == new {
        return true;
    }
    match (list(old), list(new)) {
        (Some((old_column, old_values)), Some((new_column, new_values))) => {
            old_column == new_column && old_values.iter().all(|value| new_values.contains(value))
        }
        _ => false,
    }
}

/// `x IN ( a , b )` or `x = ANY ( ARRAY [ a , b ] )`: the column and the values.
fn list(text: &str) -> Option<(String, Vec<String>)> {
    let plain = text.replace(":: text [ ]", "").replace(":: text", "").replace(":: character varying", "");
    let plain = plain.replace("= any ( array [", "in (").replace("= any ( ( array [", "in (").replace(']', "");
    let (column, values) = plain.split_once(" in (")?;
    let column = column.trim().trim_start_matches("( ").trim_end_matches(" )").to_owned();
    let values = values.trim_end_matches([' ', ')']);
    if column.contains(' ') || values.contains('(') || values.contains(" and ") || values.contains(" or ") {
        return None;
    }
    Some((column, values.split(" , ").map(|value| value.trim().to_owned()).collect()))
}

/// Functions that give NULL for NULL.
const STRICT: &[&str] = &["length", "char_length", "lower", "upper", "abs", "trim", "round", "octet_length"];

/// Whether a check lets through what writes that know nothing of the new columns leave behind.
pub(crate) fn passes_old_writes(text: &str, pair: &Pair<'_>) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let names: Vec<&str> =
        words.iter().map(|word| word.trim_matches(['"', '`'])).filter(|word| pair.new.column(word).is_some()).collect();
    let new_names: Vec<&str> = names.iter().copied().filter(|name| is_new(pair, name)).collect();
    if new_names.is_empty() {
        return false;
    }
    let unset = |name: &str| {
        pair.new.column(name).is_some_and(|column| {
            column.default == Some(None) && column.generated.is_none() && column.nullable == Some(true)
        })
    };
    // `new IS NULL OR …` at the top.
    if words.len() > 4
        && words[1..4] == ["is", "null", "or"]
        && unset(words[0].trim_matches('"'))
        && !words.contains(&"and")
    {
        return true;
    }
    let only_new = names.iter().all(|name| is_new(pair, name));
    only_new && (null_passes(&words, &new_names, unset) || default_passes(text, pair))
}

/// Every comparison is with a column that stays NULL, so that each is NULL, and so is the whole: not false.
fn null_passes(words: &[&str], names: &[&str], unset: impl Fn(&str) -> bool) -> bool {
    let dangerous = ["is", "null", "case", "coalesce", "distinct", "exists", "true", "false", "ifnull", "isnull"];
    let compares = words.split(|word| matches!(*word, "and" | "or"));
    let calls_strict = words.windows(2).all(|pair| {
        let is_call = pair[1] == "(" && pair[0].starts_with(|first: char| first.is_alphabetic());
        !is_call || STRICT.contains(&pair[0]) || matches!(pair[0], "in" | "and" | "or" | "not" | "any")
    });
    calls_strict
        && names.iter().all(|name| unset(name))
        && !words.iter().any(|word| dangerous.contains(word))
        && !words.contains(&"between")
        && compares.into_iter().all(|part| part.iter().any(|word| names.contains(&word.trim_matches(['"', '`']))))
        || names.iter().all(|name| unset(name)) && is_between(words)
}

/// `x BETWEEN a AND b` and nothing else.
fn is_between(words: &[&str]) -> bool {
    words.len() == 5 && words[1] == "between" && words[3] == "and"
}

/// `x IN (…, default, …)`, or a comparison of the default's number with a number.
fn default_passes(text: &str, pair: &Pair<'_>) -> bool {
    if let Some((column, values)) = list(text) {
        let default = pair.new.column(&column).and_then(|column| column.default.clone().flatten());
        return default.is_some_and(|default| values.contains(&default));
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [name, mark, number] = words[..] else { return false };
    let default = pair.new.column(name).and_then(|column| column.default.clone().flatten());
    let (Some(default), Ok(bound)) = (default.and_then(|text| text.parse::<f64>().ok()), number.parse::<f64>()) else {
        return false;
    };
    match mark {
        ">" => default > bound,
        ">=" => default >= bound,
        "<" => default < bound,
        "<=" => default <= bound,
        _ => false,
    }
}
