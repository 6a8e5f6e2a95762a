//! Expressions over the names of tags, in the two dialects that Quay reads them in (K52a, K53c): a prune policy's by PostgreSQL's
//! operator `~`, which looks for a part of the name, an immutability policy's by Python's module `regex`, which wants the
//! whole name.
//!
//! Both are read to one `node`, made a `program` and followed by one `search`. What is beyond that, or where the real
//! engines are known to answer otherwise than by the meaning, is told as not certain.

mod chars;
mod node;
mod postgres;
mod program;
mod python;
mod search;

use node::Node;
use program::{LONGEST, Program};

/// Why an expression was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// The real engine refuses it.
    Refused,
    /// The real engine takes it; what it means is not worked out here.
    Beyond,
}

/// An expression that was read.
struct Parsed {
    node: Node,
    /// Whether nothing in it can mean something else to the real engine.
    sure: bool,
}

/// The real engine refuses the expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the expression is not valid")]
pub struct InvalidPattern;

/// Whether a name fits an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// It does, or most likely.
    pub matches: bool,
    /// Whether that is certain. If not, nothing may be built on it.
    pub certain: bool,
}

/// In which dialect an expression is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Postgres,
    Python,
}

/// An expression over names of tags.
#[derive(Debug, Clone)]
pub struct TagPattern {
    dialect: Dialect,
    /// None if it is beyond what is followed here.
    program: Option<Program>,
    sure: bool,
}

/// How many steps a search may take where every way is gone.
const BUDGET: u64 = 4_000_000;

/// How many steps Python surely takes within its second.
const SURELY_IN_TIME: u64 = 400_000;

impl TagPattern {
    /// As PostgreSQL's `~` reads it: a part of the name has to fit.
    pub fn postgres(text: &str) -> Result<Self, InvalidPattern> {
        Self::new(Dialect::Postgres, postgres::parse(text))
    }

    /// As Python's `regex.fullmatch` reads it: the whole name has to fit.
    pub fn python(text: &str) -> Result<Self, InvalidPattern> {
        Self::new(Dialect::Python, python::parse(text))
    }

    fn new(dialect: Dialect, parsed: Result<Parsed, Unread>) -> Result<Self, InvalidPattern> {
        let (program, sure) = match parsed {
            Ok(parsed) => (Program::of(&parsed.node), parsed.sure),
            Err(Unread::Beyond) => (None, false),
            Err(Unread::Refused) => return Err(InvalidPattern),
        };
        Ok(Self { dialect, program, sure })
    }

    /// Whether the name fits.
    #[must_use]
    pub fn fits(&self, name: &str) -> Fit {
        let unknown = Fit { matches: false, certain: false };
        let Some(program) = self.program.as_ref().filter(|_| name.is_ascii() && name.len() <= LONGEST) else {
            return unknown;
        };
        let found = match self.dialect {
            Dialect::Postgres => search::part(program, name.as_bytes(), BUDGET),
            Dialect::Python => search::whole(program, name.as_bytes(), BUDGET, false),
        };
        let Ok(matches) = found else { return unknown };
        Fit { matches, certain: self.is_certain(program, name, matches) }
    }

    /// A name that does not fit is not found by a weaker search either, nor in too little time.
    fn is_certain(&self, program: &Program, name: &str, matches: bool) -> bool {
        if !self.sure {
            return false;
        }
        let in_time = || search::whole(program, name.as_bytes(), SURELY_IN_TIME, true).is_ok();
        !matches || self.dialect == Dialect::Postgres || in_time()
    }
}
