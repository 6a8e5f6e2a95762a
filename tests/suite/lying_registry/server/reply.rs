//! An answer, and the tricks played while it is sent.

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) trick: Trick,
    /// What `Content-Length` says, where it is not the truth; inner none: nothing.
    pub(super) length: Option<Option<u64>>,
}

#[derive(PartialEq)]
pub(super) enum Trick {
    None,
    /// Sends half of the body and resets the connection.
    Reset,
    /// Sends half of the body and closes.
    Cut,
    /// Sends nothing at all.
    Silence,
    /// Sends one byte at a time.
    Drip,
    /// Announces half a gigabyte, or sends it in chunks, until the client has enough.
    Flood {
        announced: bool,
    },
}

impl Reply {
    pub(super) fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), media_type.to_owned())];
        Self { status, headers, body: body.into(), trick: Trick::None, length: None }
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        Self::new(status, "application/json", format!(r#"{{"errors":[{{"code":"{code}","message":"no"}}]}}"#))
    }

    pub(super) fn to(location: &str) -> Self {
        Self::new(307, "text/plain", "").with("Location", location)
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
