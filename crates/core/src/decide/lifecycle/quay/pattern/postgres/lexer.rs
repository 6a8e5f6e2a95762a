//! From text to tokens. What a character is depends on the flavour, on where it stands, and on what stood before it.

use super::super::Unread;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Before the first.
    Nothing,
    /// After the last.
    End,
    Plain(u32),
    Digit(u32),
    Comma,
    /// `{` that begins a bound.
    Bound,
    BoundEnd,
    Star,
    Plus,
    Question,
    /// `(`, and whether it remembers.
    Open(bool),
    Close,
    Bar,
    /// `[`, and whether it is not `[^`.
    Bracket(bool),
    BracketEnd,
    /// `-` between two ends.
    Range,
    /// `[.`, `[=` and `[:`.
    Named(char),
    NamedEnd,
    /// `\d`, `\s` and `\w`, and whether it is everything else.
    Shorthand(char, bool),
    Dot,
    Caret,
    Dollar,
    Start,
    Finish,
    WordStart,
    WordEnd,
    Border,
    NoBorder,
    Look {
        behind: bool,
        negative: bool,
    },
    Back(u32),
}

/// In which the text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    Basic,
    Extended,
    Literal,
    /// Between `{` and `}`.
    Bound,
    /// Between `[` and `]`.
    Bracket,
    /// Between `[.`, `[=` or `[:` and its end.
    Named(char),
}

/// Which language it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Basic,
    Extended,
    Advanced,
    Literal,
}

/// Reads tokens.
#[derive(Debug)]
pub(super) struct Lexer {
    text: Vec<char>,
    pub(super) at: usize,
    context: Context,
    pub(super) flavour: Flavour,
    pub(super) either_case: bool,
    spaced: bool,
    /// The token before.
    last: Token,
    /// How many groups were opened.
    pub(super) groups: u32,
}

pub(super) type Read = Result<Token, Unread>;

impl Lexer {
    /// Begins, with what stands before the expression.
    pub(super) fn new(text: &str) -> Result<Self, Unread> {
        let mut lexer = Self {
            text: text.chars().collect(),
            at: 0,
            context: Context::Extended,
            flavour: Flavour::Advanced,
            either_case: false,
            spaced: false,
            last: Token::Nothing,
            groups: 0,
        };
        lexer.director()?;
        lexer.context = match lexer.flavour {
            Flavour::Basic => Context::Basic,
            Flavour::Extended | Flavour::Advanced => Context::Extended,
            Flavour::Literal => Context::Literal,
        };
        Ok(lexer)
    }

    /// `***=`, `***:` and options such as `(?i)`, which stand at the beginning only.
    fn director(&mut self) -> Result<(), Unread> {
        if self.eat("***") {
            match self.get() {
                Some('=') => {
                    self.flavour = Flavour::Literal;
                    return Ok(());
                }
                Some(':') => {}
                _ => return Err(Unread::Refused),
            }
        }
        if !(self.sees("(?") && self.peek(2).is_some_and(|letter| letter.is_ascii_alphabetic())) {
            return Ok(());
        }
        self.at += 2;
        while let Some(letter) = self.peek(0).filter(char::is_ascii_alphabetic) {
            self.at += 1;
            match letter {
                'b' => self.flavour = Flavour::Basic,
                'e' => self.flavour = Flavour::Extended,
                'q' => self.flavour = Flavour::Literal,
                'c' => self.either_case = false,
                'i' => self.either_case = true,
                't' => self.spaced = false,
                'x' => self.spaced = true,
                // Of lines, which no name has two of.
                'm' | 'n' | 'p' | 's' | 'w' => {}
                _ => return Err(Unread::Refused),
            }
        }
        if self.flavour == Flavour::Literal {
            self.spaced = false;
        }
        if self.eat(")") { Ok(()) } else { Err(Unread::Refused) }
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    pub(super) fn get(&mut self) -> Option<char> {
        let letter = self.peek(0)?;
        self.at += 1;
        Some(letter)
    }

    fn sees(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, letter)| self.peek(ahead) == Some(letter))
    }

    fn eat(&mut self, text: &str) -> bool {
        let sees = self.sees(text);
        self.at += if sees { text.chars().count() } else { 0 };
        sees
    }

    fn skip_space(&mut self) {
        if !self.spaced {
            return;
        }
        loop {
            while self.peek(0).is_some_and(|letter| letter.is_ascii_whitespace() || letter == '\u{b}') {
                self.at += 1;
            }
            if self.peek(0) != Some('#') {
                return;
            }
            while self.peek(0).is_some_and(|letter| letter != '\n') {
                self.at += 1;
            }
        }
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Read {
        let token = self.read()?;
        self.last = token;
        Ok(token)
    }

    fn read(&mut self) -> Read {
        if matches!(self.context, Context::Basic | Context::Extended | Context::Bound) {
            self.skip_space();
        }
        let Some(letter) = self.get() else {
            return match self.context {
                Context::Basic | Context::Extended | Context::Literal => Ok(Token::End),
                Context::Bound | Context::Bracket | Context::Named(_) => Err(Unread::Refused),
            };
        };
        match self.context {
            Context::Literal => Ok(Token::Plain(letter.into())),
            Context::Bound => self.bound(letter),
            Context::Bracket => self.bracket(letter),
            Context::Named(mark) if letter == mark && self.sees("]") => {
                self.at += 1;
                self.context = Context::Bracket;
                Ok(Token::NamedEnd)
            }
            Context::Named(_) => Ok(Token::Plain(letter.into())),
            Context::Basic => self.basic(letter),
            Context::Extended => self.extended(letter),
        }
    }

    fn bound(&mut self, letter: char) -> Read {
        match letter {
            '0'..='9' => Ok(Token::Digit(letter.to_digit(10).unwrap_or(0))),
            ',' => Ok(Token::Comma),
            '}' if self.flavour != Flavour::Basic => {
                self.context = Context::Extended;
                if self.flavour == Flavour::Advanced {
                    self.eat("?");
                }
                Ok(Token::BoundEnd)
            }
            '\\' if self.flavour == Flavour::Basic && self.eat("}") => {
                self.context = Context::Basic;
                Ok(Token::BoundEnd)
            }
            _ => Err(Unread::Refused),
        }
    }

    fn bracket(&mut self, letter: char) -> Read {
        let first = matches!(self.last, Token::Bracket(_));
        match letter {
            '\\' if self.flavour == Flavour::Advanced => match self.escape()? {
                token @ (Token::Plain(_) | Token::Shorthand(..)) => Ok(token),
                _ => Err(Unread::Refused),
            },
            '-' if !first && !self.sees("]") => Ok(Token::Range),
            ']' if !first => {
                self.context = if self.flavour == Flavour::Basic { Context::Basic } else { Context::Extended };
                Ok(Token::BracketEnd)
            }
            '[' => match self.peek(0) {
                None => Err(Unread::Refused),
                Some(mark @ ('.' | '=' | ':')) => {
                    self.at += 1;
                    self.context = Context::Named(mark);
                    Ok(Token::Named(mark))
                }
                Some(_) => Ok(Token::Plain('['.into())),
            },
            _ => Ok(Token::Plain(letter.into())),
        }
    }

    /// After `[`.
    fn open_bracket(&mut self) -> Token {
        for (text, token) in [("[:<:]]", Token::WordStart), ("[:>:]]", Token::WordEnd)] {
            if self.eat(text) {
                return token;
            }
        }
        self.context = Context::Bracket;
        Token::Bracket(!self.eat("^"))
    }

    fn basic(&mut self, letter: char) -> Read {
        let first = matches!(self.last, Token::Nothing | Token::Open(_));
        Ok(match letter {
            '*' if !first && self.last != Token::Bar => Token::Star,
            '[' => self.open_bracket(),
            '.' => Token::Dot,
            '^' if first => Token::Caret,
            '$' => {
                self.skip_space();
                if self.peek(0).is_none() || self.sees("\\)") { Token::Dollar } else { Token::Plain('$'.into()) }
            }
            '\\' => match self.get().ok_or(Unread::Refused)? {
                '{' => {
                    self.context = Context::Bound;
                    Token::Bound
                }
                '(' => Token::Open(true),
                ')' => Token::Close,
                '<' => Token::WordStart,
                '>' => Token::WordEnd,
                digit @ '1'..='9' => Token::Back(digit.to_digit(10).unwrap_or(0)),
                other => Token::Plain(other.into()),
            },
            other => Token::Plain(other.into()),
        })
    }

    fn extended(&mut self, letter: char) -> Read {
        Ok(match letter {
            '|' => Token::Bar,
            '*' => self.lazily(Token::Star),
            '+' => self.lazily(Token::Plus),
            '?' => self.lazily(Token::Question),
            '{' => {
                self.skip_space();
                if self.peek(0).is_some_and(|letter| letter.is_ascii_digit()) {
                    self.context = Context::Bound;
                    Token::Bound
                } else {
                    Token::Plain('{'.into())
                }
            }
            '(' if self.flavour == Flavour::Advanced && self.eat("?") => return self.extension(),
            '(' => Token::Open(true),
            ')' => Token::Close,
            '[' => self.open_bracket(),
            '.' => Token::Dot,
            '^' => Token::Caret,
            '$' => Token::Dollar,
            '\\' if self.flavour == Flavour::Advanced => return self.escape(),
            '\\' => Token::Plain(self.get().ok_or(Unread::Refused)?.into()),
            other => Token::Plain(other.into()),
        })
    }

    /// What is preferred does not change whether there is a match.
    fn lazily(&mut self, token: Token) -> Token {
        if self.flavour == Flavour::Advanced {
            self.eat("?");
        }
        token
    }

    /// After `(?`.
    fn extension(&mut self) -> Read {
        let look = |behind, negative| Ok(Token::Look { behind, negative });
        match self.get().ok_or(Unread::Refused)? {
            ':' => Ok(Token::Open(false)),
            '#' => {
                while self.get().is_some_and(|letter| letter != ')') {}
                self.read()
            }
            '=' => look(false, false),
            '!' => look(false, true),
            '<' => match self.get() {
                Some('=') => look(true, false),
                Some('!') => look(true, true),
                _ => Err(Unread::Refused),
            },
            _ => Err(Unread::Refused),
        }
    }
}
