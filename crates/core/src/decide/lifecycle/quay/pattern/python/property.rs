//! Properties of characters, as far as ASCII shows them.

use super::super::{Unread, chars};
use super::parser::Parser;

impl Parser {
    /// Behind `p` or `P`; none if it is only that letter.
    pub(super) fn property_escape(&mut self, positive: bool) -> Result<Option<chars::Chars>, Unread> {
        let before = self.source.at;
        match self.source.get() {
            Some('{') => {
                let negative = self.source.eat("^");
                let (property, value) = self.property_name();
                if self.source.eat("}") {
                    return self.property(property.as_deref(), &value, positive == negative, false).map(Some);
                }
            }
            Some(letter @ ('C' | 'L' | 'M' | 'N' | 'P' | 'S' | 'Z')) => {
                return self.property(None, &letter.to_string(), !positive, false).map(Some);
            }
            _ => {}
        }
        self.source.at = before;
        Ok(None)
    }

    /// A name, qualified or not.
    pub(super) fn property_name(&mut self) -> (Option<String>, String) {
        let part = |letter: char| letter.is_ascii_alphanumeric() || " &_-.".contains(letter);
        let name = self.source.get_while(part);
        let before = self.source.at;
        if let Some(':' | '=') = self.source.get() {
            let value = self.source.get_while(|letter| part(letter) || letter == '/');
            let value = value.trim();
            if !value.is_empty() {
                return (Some(name), value.to_owned());
            }
        }
        self.source.at = before;
        (None, name)
    }

    /// The characters of a property. One that is not known here is valid or not: that is beyond.
    pub(super) fn property(
        &mut self,
        property: Option<&str>,
        value: &str,
        negative: bool,
        posix: bool,
    ) -> Result<chars::Chars, Unread> {
        let plain = |name: &str| {
            name.chars().filter(|letter| !"_- ".contains(*letter)).collect::<String>().to_ascii_uppercase()
        };
        let value = plain(value);
        let qualified = property.map(plain).filter(|property| !property.is_empty());
        let known = match qualified.as_deref() {
            None if posix => chars::class(&value.to_ascii_lowercase()).or_else(|| category(&value)),
            None => category(&value),
            Some("GC" | "GENERALCATEGORY") => category(&value).filter(|_| value.len() <= 2),
            Some(_) => None,
        };
        match known {
            // Whether it has a case may not matter where case does not.
            Some(set) if !(self.flags.either_case && negative) => Ok(if negative { !set } else { set }),
            None if !value.contains(|letter: char| letter.is_ascii_alphanumeric()) => Err(Unread::Refused),
            // Whether there is such a property is not known here, nor what it has.
            Some(_) | None => {
                self.beyond = true;
                Ok(0)
            }
        }
    }
}

/// The ASCII characters of a general category or of a property with one of the usual names.
fn category(name: &str) -> Option<chars::Chars> {
    let of = |letters: &str| letters.chars().fold(0, |set, letter| set | chars::one(letter.into()));
    let punctuation = "!\"#%&'()*,-./:;?@[\\]_{}";
    Some(match name {
        "L" | "LETTER" | "ALPHA" | "ALPHABETIC" | "LATIN" | "LC" | "L&" => chars::ALPHA,
        "LU" | "UPPERCASELETTER" | "UPPER" | "UPPERCASE" => chars::UPPER,
        "LL" | "LOWERCASELETTER" | "LOWER" | "LOWERCASE" => chars::LOWER,
        "N" | "NUMBER" | "ND" | "DECIMALNUMBER" | "DIGIT" => chars::DIGIT,
        "LT" | "LM" | "LO" | "M" | "MN" | "MC" | "ME" | "NL" | "NO" => 0,
        "ALNUM" => chars::ALPHA | chars::DIGIT,
        "WORD" => chars::WORD,
        "P" | "PUNCTUATION" | "PUNCT" => of(punctuation),
        "PD" | "DASHPUNCTUATION" => of("-"),
        "PC" | "CONNECTORPUNCTUATION" => of("_"),
        "S" | "SYMBOL" => of("$+<=>^`|~"),
        "SC" => of("$"),
        "SM" => of("+<=>|~"),
        "SK" => of("^`"),
        "SO" => 0,
        "Z" | "SEPARATOR" | "ZS" => of(" "),
        "ZL" | "ZP" => 0,
        "C" | "OTHER" | "CC" => chars::class("cntrl")?,
        "SPACE" | "WHITESPACE" => chars::class("space")?,
        "BLANK" => chars::class("blank")?,
        "XDIGIT" | "HEXDIGIT" => chars::class("xdigit")?,
        "ASCII" | "ANY" | "ASSIGNED" | "BASICLATIN" => chars::ANY,
        "GRAPH" => chars::class("graph")?,
        "PRINT" => chars::class("print")?,
        _ => return None,
    })
}
