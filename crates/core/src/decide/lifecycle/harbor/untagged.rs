//! Whether a selector counts untagged artifacts as matching: what its `extras` say, as Go's JSON decoder reads them (J21).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// What the text says; none where it says nothing that Harbor takes: no JSON, no object, or a value that is neither a
/// boolean nor `null`.
pub(super) fn said(extras: &str) -> Option<bool> {
    let Extras(said) = serde_json::from_str(extras).ok()?;
    Some(said)
}

struct Extras(bool);

impl<'de> Deserialize<'de> for Extras {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

/// Keys match in any case, and the last one that says something counts: `null` leaves what was said before it.
struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Extras;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, or null")
    }

    fn visit_unit<E>(self) -> Result<Extras, E> {
        Ok(Extras(false))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Extras, M::Error> {
        let mut untagged = false;
        while let Some(key) = members.next_key::<String>()? {
            if key.eq_ignore_ascii_case("untagged") {
                untagged = members.next_value::<Option<bool>>()?.unwrap_or(untagged);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Extras(untagged))
    }
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn extras_are_read_as_go_reads_them_j21() {
        for (extras, expected) in [
            ("", None),
            ("{}", Some(false)),
            ("null", Some(false)),
            (r#"{"untagged":true}"#, Some(true)),
            (r#" {"untagged":true} "#, Some(true)),
            (r#"{"UNTAGGED":true}"#, Some(true)),
            (r#"{"untagge\u0064":true}"#, Some(true)),
            (r#"{"untagged":null}"#, Some(false)),
            (r#"{"untagged":true,"untagged":false}"#, Some(false)),
            (r#"{"untagged":true,"Untagged":null}"#, Some(true)),
            (r#"{"untagged":true,"other":{"untagged":false}}"#, Some(true)),
            (r#"{"untagged":1}"#, None),
            (r#"{"untagged":"true"}"#, None),
            (r#"{"untagged":1,"untagged":true}"#, None),
            (r#"{"untagged":true}x"#, None),
            (r#"{"untagged":true"#, None),
            (r#""x""#, None),
            ("[]", None),
            ("true", None),
            ("0", None),
            ("untagged", None),
        ] {
            assert_eq!(said(extras), expected, "{extras}");
        }
    }
}
