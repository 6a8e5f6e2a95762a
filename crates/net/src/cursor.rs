//! The place in a list that comes page by page, held by a token: whoever answers must come to an end.

use std::collections::HashSet;

use prodpin_core::model::Digest;

/// Pages without anything in them in a row after which a list is given up: filters can empty a page, not a hundred.
const MOST_EMPTY_PAGES: u32 = 100;

/// Where a list goes on.
#[derive(Debug, Default)]
pub struct Cursor {
    token: Option<String>,
    /// Hashes of the tokens so far: a list of them all would grow with whatever a server likes to send.
    seen: HashSet<Digest>,
    empty_pages: u32,
}

impl Cursor {
    /// Where to go on; none at the end.
    pub fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Takes the next token, and says whether there is one. A token that comes again would go on for ever (F18).
    pub fn advance(&mut self, next: Option<String>, is_empty: bool) -> Result<bool, &'static str> {
        self.token = next.filter(|token| !token.is_empty());
        let Some(token) = &self.token else { return Ok(false) };
        if !self.seen.insert(Digest::sha256(token.as_bytes())) {
            return Err("a page points back to where an earlier one began");
        }
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        match self.empty_pages > MOST_EMPTY_PAGES {
            true => Err("page after page is empty, and each says that more follow"),
            false => Ok(true),
        }
    }
}
