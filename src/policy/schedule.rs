//! The schedule, looked at for its shape only: what its fields mean is for the command that keeps it.

use super::problem::quote;

/// Whether this is five fields as Kubernetes reads them (G146), a macro, or AWS `cron()` or `rate()` (G148).
pub(super) fn check(text: &str) -> Result<(), String> {
    let text = text.trim();
    let inside = |name: &str| {
        text.strip_prefix(name).and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.strip_suffix(')'))
    };
    if let Some(rate) = inside("rate") {
        let words: Vec<&str> = rate.split_whitespace().collect();
        return match words[..] {
            [number, unit] if number.parse::<u32>().is_ok_and(|number| number > 0) => {
                let known = ["minute", "minutes", "hour", "hours", "day", "days"];
                if known.contains(&unit) {
                    Ok(())
                } else {
                    Err(format!("{} is no unit of rate(): use minutes, hours or days", quote(unit)))
                }
            }
            _ => Err("rate() takes a number and a unit, such as rate(15 minutes)".to_owned()),
        };
    }
    if let Some(fields) = inside("cron") {
        return fields_of(fields, 6, "AWS cron()");
    }
    if text.starts_with('@') {
        let known = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
        return if known.contains(&text) {
            Ok(())
        } else {
            Err(format!("{} is not one of {}", quote(text), known.join(", ")))
        };
    }
    fields_of(text, 5, "a schedule")
}

fn fields_of(text: &str, count: usize, what: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != count {
        return Err(format!("{what} has {count} fields, and this has {}", fields.len()));
    }
    let valid = |field: &&&str| {
        !field
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'/' | b',' | b'-' | b'?' | b'#'))
    };
    match fields.iter().find(valid) {
        Some(field) => Err(format!("{} is no field of {what}", quote(field))),
        None => Ok(()),
    }
}
