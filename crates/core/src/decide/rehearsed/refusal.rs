//! Who said no to a dry run, by the API server's own words. They are the only place where it says so: an admission policy,
//! a quota and a missing right of the account that asks may all have the same status.

/// A no, and what it is worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    /// The account lacks the right to ask.
    Right,
    /// A policy or a webhook of the cluster, which may judge others who ask the same otherwise.
    Policy { by: String, words: String },
    /// The API server itself, whoever asks.
    Other { by: String, words: String },
    /// It is no judgement of what was sent.
    Unclear(String),
}

/// Its words are kept as far as this.
const MOST_WORDS: usize = 300;

/// The longest name of a policy, quota or webhook.
const MOST_NAME: usize = 253;

/// Reads a no. Of everything that is quoted in the words, only the beginning is the API server's own: what an admission
/// policy or a webhook says follows its name, and is believed about nothing else.
pub(super) fn read(status: u16, message: &str) -> No {
    let words = cleaned(message);
    if let Some(rest) = message.strip_prefix("admission webhook \"") {
        return webhook(rest, words);
    }
    if let Some(rest) = message.strip_prefix("Internal error occurred: failed calling webhook \"") {
        // Whoever asks it gets no answer.
        return No::Other { by: format!("admission webhook {}, which does not answer,", until(rest, '"')), words };
    }
    let Some((_, said)) = message.split_once(" is forbidden: ") else {
        return match status {
            403 | 422 => No::Other { by: "the API server".to_owned(), words },
            404 if message.starts_with("namespaces \"") => No::Other { by: "the API server".to_owned(), words },
            _ => No::Unclear(format!("the API server answered {status}: {words}")),
        };
    };
    if said.starts_with("User \"") {
        return No::Right;
    }
    if let Some(rest) = said.strip_prefix("ValidatingAdmissionPolicy '") {
        return No::Policy { by: format!("ValidatingAdmissionPolicy {}", until(rest, '\'')), words };
    }
    let by = if said.starts_with("violates PodSecurity ") {
        "Pod Security".to_owned()
    } else if let Some(rest) = said.strip_prefix("exceeded quota: ") {
        format!("ResourceQuota {}", until(rest, ','))
    } else if let Some(rest) = said.strip_prefix("failed quota: ") {
        format!("ResourceQuota {}", until(rest, ':'))
    } else {
        "the API server".to_owned()
    };
    No::Other { by, words }
}

/// Only a webhook that judges says that it denied: one that has effects beside its answer is not asked in a dry run at all.
fn webhook(rest: &str, words: String) -> No {
    let name = until(rest, '"');
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    match after.trim_start().starts_with("denied") {
        true => No::Policy { by: format!("admission webhook {name}"), words },
        false => No::Unclear(words),
    }
}

fn until(text: &str, end: char) -> String {
    cleaned(text.split(end).next().unwrap_or_default()).chars().take(MOST_NAME).collect()
}

/// On one line, without what a terminal would obey, and not too long.
pub(super) fn cleaned(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let plain: String = plain.take(4 * MOST_WORDS).collect();
    let mut words: String = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > MOST_WORDS {
        words = words.chars().take(MOST_WORDS).chain(['…']).collect();
    }
    words
}
