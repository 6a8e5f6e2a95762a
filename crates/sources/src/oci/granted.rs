//! The document in which a token server grants a token (C93).

use serde_json::Value;

/// What a token server grants.
#[derive(Debug, PartialEq)]
pub(super) struct Granted {
    pub(super) token: String,
    /// How long it lives; nothing useful is the default life.
    pub(super) seconds: i64,
}

impl Granted {
    /// Reads a token document as clients in Go read it: names in any case. The lifetime is a hint, whatever form it has;
    /// the token is all that matters. The error is what the document lacks.
    pub(super) fn read(body: &[u8]) -> Result<Self, &'static str> {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let Ok(Value::Object(document)) = serde_json::from_slice(body) else { return Err("token document") };
        let field = |name: &str| {
            let other = || document.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            document.get(name).or_else(other)
        };
        let text = |name: &str| field(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let token = text("token").or_else(|| text("access_token")).ok_or("token")?.to_owned();
        let seconds = match field("expires_in") {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().trim_end_matches('s').parse().ok(),
            _ => None,
        };
        // What is no number, or more than any, is cut to what fits.
        Ok(Self { token, seconds: seconds.filter(|seconds| seconds.is_finite()).map_or(0, |seconds| seconds as i64) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_documents_are_read_in_every_form_c93() {
        let granted = |token: &str, seconds| Ok(Granted { token: token.to_owned(), seconds });
        for (document, expected) in [
            (r#"{"token":"t","expires_in":300}"#, granted("t", 300)),
            (r#"{"token":"t","expires_in":"300"}"#, granted("t", 300)),
            (r#"{"token":"t","expires_in":"3600s"}"#, granted("t", 3600)),
            (r#"{"token":"t","expires_in":" 299.9 "}"#, granted("t", 299)),
            (r#"{"token":"t","expires_in":null}"#, granted("t", 0)),
            (r#"{"token":"t","expires_in":299.5}"#, granted("t", 299)),
            (r#"{"token":"t","expires_in":1e300}"#, granted("t", i64::MAX)),
            (r#"{"token":"t","expires_in":-7.5}"#, granted("t", -7)),
            (r#"{"token":"t","expires_in":"soon"}"#, granted("t", 0)),
            (r#"{"token":"t","expires_in":"NaN"}"#, granted("t", 0)),
            (r#"{"token":"t","expires_in":[1],"issued_at":5,"scope":null}"#, granted("t", 0)),
            (r#"{"token":null,"access_token":"a"}"#, granted("a", 0)),
            (r#"{"token":7,"access_token":"a"}"#, granted("a", 0)),
            (r#"{"token":"","access_token":"a"}"#, granted("a", 0)),
            (r#"{"token":"t\n"}"#, granted("t", 0)),
            (r#"{"Token":"t","Expires_In":9}"#, granted("t", 9)),
            ("\u{feff}{\"token\":\"t\"}", granted("t", 0)),
            (r#"{"token":{}}"#, Err("token")),
            (r#"{"token":" ","access_token":null}"#, Err("token")),
            ("{}", Err("token")),
            (r#"["t"]"#, Err("token document")),
            ("t", Err("token document")),
            ("<html>", Err("token document")),
            ("", Err("token document")),
        ] {
            assert_eq!(Granted::read(document.as_bytes()), expected, "{document}");
        }
    }
}
