//! How wrong: fuzzy constraints such as `{e<=1}`, `{1<=s<3,i}` and `{2i+2d<=4:[a-z]}`. They are read, not followed.

use super::super::Unread;
use super::parser::Parser;
use super::quantifier::Fuzzy;

/// Why no constraint was read.
enum No {
    /// It is none, so that `{` is a letter.
    Constraint,
    /// The module refuses it.
    Valid,
}

/// Kinds of errors with the most that is allowed of each, `None` for any number.
type Constraints = Vec<(char, Option<i64>)>;

impl Parser {
    /// Behind a `{` that begins no count.
    pub(super) fn fuzzy(&mut self) -> Result<Fuzzy, Unread> {
        let before = self.source.at;
        let mut constraints = Constraints::new();
        let mut equation = false;
        loop {
            match self.fuzzy_item(&mut constraints, &mut equation) {
                Ok(()) => {}
                Err(No::Constraint) => {
                    self.source.at = before;
                    return Ok(Fuzzy::Not);
                }
                Err(No::Valid) => return Err(Unread::Refused),
            }
            if !self.source.eat(",") {
                break;
            }
        }
        if self.source.eat(":") {
            self.fuzzy_test()?;
        }
        self.expect("}")?;
        let none = |kind| constraints.contains(&(kind, Some(0)));
        let exact = none('e') || (none('s') && none('i') && none('d'));
        Ok(if exact { Fuzzy::Exact } else { Fuzzy::Allows })
    }

    fn fuzzy_item(&mut self, constraints: &mut Constraints, equation: &mut bool) -> Result<(), No> {
        let before = self.source.at;
        match self.cost_constraint(constraints) {
            Err(No::Constraint) => {
                self.source.at = before;
                self.cost_equation(equation)
            }
            other => other,
        }
    }

    /// `e`, `e<=1` or `1<=e<3`.
    fn cost_constraint(&mut self, constraints: &mut Constraints) -> Result<(), No> {
        let before = self.source.at;
        match self.source.get() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                let kind = fuzzy_kind(Some(letter), constraints)?;
                let most = match self.compare() {
                    None => None,
                    Some(included) => Some(self.cost()? - i64::from(!included)),
                };
                if most.is_some_and(|most| most < 0) {
                    return Err(No::Valid);
                }
                constraints.push((kind, most));
                Ok(())
            }
            Some(letter) if letter.is_ascii_digit() => {
                self.source.at = before;
                let least = self.cost()?;
                let from = self.compare().ok_or(No::Constraint)?;
                let letter = self.source.get();
                let kind = fuzzy_kind(letter, constraints)?;
                let to = self.compare().ok_or(No::Constraint)?;
                let most = self.cost()? - i64::from(!to);
                let least = least + i64::from(!from);
                if !(0..=most).contains(&least) {
                    return Err(No::Valid);
                }
                // Where errors are demanded, none is not enough.
                constraints.push((kind, if least == 0 { Some(most) } else { None }));
                Ok(())
            }
            _ => Err(No::Constraint),
        }
    }

    /// `2i+2d<=4`.
    fn cost_equation(&mut self, equation: &mut bool) -> Result<(), No> {
        if *equation {
            return Err(No::Valid);
        }
        let mut kinds = Constraints::new();
        loop {
            self.source.get_while(|letter| letter.is_ascii_digit());
            match self.source.get() {
                Some(kind @ ('d' | 'i' | 's')) if kinds.iter().any(|(known, _)| *known == kind) => {
                    return Err(No::Valid);
                }
                Some(kind @ ('d' | 'i' | 's')) => kinds.push((kind, None)),
                // The end of the text is part of every text.
                None => kinds.push(('\0', None)),
                Some(_) => return Err(No::Constraint),
            }
            if !self.source.eat("+") {
                break;
            }
        }
        let included = self.compare().ok_or(No::Constraint)?;
        let most = self.cost()? - i64::from(!included);
        *equation = true;
        if most < 0 { Err(No::Valid) } else { Ok(()) }
    }

    fn compare(&mut self) -> Option<bool> {
        if self.source.eat("<=") { Some(true) } else { self.source.eat("<").then_some(false) }
    }

    fn cost(&mut self) -> Result<i64, No> {
        self.source.get_while(|letter| letter.is_ascii_digit()).parse().map_err(|_| No::Valid)
    }

    /// Which characters may be wrong.
    fn fuzzy_test(&mut self) -> Result<(), Unread> {
        match self.source.get() {
            Some('\\') => self.escape().map(drop),
            Some('[') => self.set().map(drop),
            Some('.') => Ok(()),
            None | Some('(' | ')' | '|' | '?' | '*' | '+' | '{' | '^' | '$' | '#') => Err(Unread::Refused),
            Some(_) => Ok(()),
        }
    }
}

/// A kind of errors that was not constrained before.
fn fuzzy_kind(letter: Option<char>, constraints: &Constraints) -> Result<char, No> {
    let kind = letter.filter(|letter| matches!(letter, 'd' | 'e' | 'i' | 's')).ok_or(No::Constraint)?;
    if constraints.iter().any(|(known, _)| *known == kind) { Err(No::Constraint) } else { Ok(kind) }
}
