//! The text of an expression, read with or without its spaces and comments.

/// A place in a text.
#[derive(Debug)]
pub(super) struct Source {
    text: Vec<char>,
    pub(super) at: usize,
    /// Whether spaces and comments are skipped (`x`).
    pub(super) spaced: bool,
}

impl Source {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.chars().collect(), at: 0, spaced: false }
    }

    /// The next place that counts.
    fn significant(&self, mut at: usize) -> usize {
        if !self.spaced {
            return at;
        }
        loop {
            match self.text.get(at) {
                Some(letter) if letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(letter) => at += 1,
                // A comment without an end of line takes all the rest.
                Some('#') => match self.text[at..].iter().position(|letter| *letter == '\n') {
                    Some(ahead) => at += ahead,
                    None => return self.text.len(),
                },
                _ => return at,
            }
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text.get(self.significant(self.at)).copied()
    }

    pub(super) fn get(&mut self) -> Option<char> {
        self.at = self.significant(self.at);
        self.get_any()
    }

    /// The next character, a space or not.
    pub(super) fn get_any(&mut self) -> Option<char> {
        let letter = self.text.get(self.at).copied()?;
        self.at += 1;
        Some(letter)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let mut at = self.at;
        for wanted in text.chars() {
            at = self.significant(at);
            if self.text.get(at) != Some(&wanted) {
                return false;
            }
            at += 1;
        }
        self.at = at;
        true
    }

    pub(super) fn get_while(&mut self, so: impl Fn(char) -> bool) -> String {
        let mut found = String::new();
        loop {
            let at = self.significant(self.at);
            match self.text.get(at) {
                Some(letter) if so(*letter) => {
                    found.push(*letter);
                    self.at = at + 1;
                }
                _ => {
                    self.at = at;
                    return found;
                }
            }
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.significant(self.at) >= self.text.len()
    }
}
