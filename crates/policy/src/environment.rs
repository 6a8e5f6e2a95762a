//! `${NAME}` in values. Substitution works on parsed values, never on YAML text, so what a variable holds can add no
//! structure to a policy.

use super::problem::{Problems, Span, quote};

/// What variables hold.
pub(super) type LookUp<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// Puts variables in, and says whether there were any. `$$` stands for one `$`; a `$` before anything else is itself.
pub(super) fn fill(written: &str, span: Span, problems: &Problems<'_>, environment: &LookUp<'_>) -> (String, bool) {
    let mut filled = String::with_capacity(written.len());
    let mut touched = false;
    let mut rest = written;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            filled.push('$');
            rest = tail;
        } else if let Some(tail) = after.strip_prefix('{') {
            let Some((name, tail)) = tail.split_once('}') else {
                problems.error(
                    span,
                    "\"${\" is never closed",
                    "write ${NAME}, or $${ for the characters themselves".to_owned(),
                );
                return (filled, true);
            };
            match value_of(name, environment) {
                Ok(value) => filled.push_str(&value),
                Err((message, fix)) => problems.error(span, message, fix),
            }
            touched = true;
            rest = tail;
        } else {
            filled.push('$');
            rest = after;
        }
    }
    filled.push_str(rest);
    (filled, touched)
}

fn value_of(name: &str, environment: &LookUp<'_>) -> Result<String, (String, String)> {
    let valid = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !valid {
        let fix = "write ${NAME} with letters, digits and '_'; there are no defaults or other operators".to_owned();
        return Err((format!("{} is not the name of a variable", quote(name)), fix));
    }
    environment(name).ok_or_else(|| {
        (
            format!("the environment has no variable {name}"),
            format!("set {name}, or write $${{{name}}} for the text itself"),
        )
    })
}
