//! What regexp2 itself answers, held against ours.

use super::super::super::golang::tests::hold;
use super::{Regexp, RegexpError};

#[test]
fn expressions_match_as_regexp2_does_k49() {
    hold("regexp2", 120, |asked| {
        let matched = Regexp::parse(&asked.pattern).and_then(|expression| expression.is_match(&asked.text));
        match matched {
            Ok(matches) => Some(matches.to_string()),
            Err(RegexpError::Refused) => Some("error".to_owned()),
            Err(RegexpError::Unsure) => None,
        }
    });
}

#[test]
fn what_takes_too_long_or_is_not_surely_known_is_not_guessed() {
    let endless = Regexp::parse("^(a+)+$").unwrap();
    assert_eq!(endless.is_match("aaaa"), Ok(true));
    assert_eq!(endless.is_match(&format!("{}!", "a".repeat(60))), Err(RegexpError::Unsure));
    for unsure in ["(?(v)a|b)", "(?<a-b>x)", "(?x)v 1", "\\p{Lu}", "(?n)(v)"] {
        assert_eq!(Regexp::parse(unsure).map(|_| ()), Err(RegexpError::Unsure), "{unsure}");
    }
    let deep = format!("{}{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(Regexp::parse(&deep).map(|_| ()), Err(RegexpError::Unsure));
}
