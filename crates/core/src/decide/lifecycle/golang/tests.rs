//! What Go's own readers make of texts, held against ours. The answers are those of Go 1.26 with doublestar v4.10.0 and
//! regexp2 v1.11.5 to texts put together at random from pieces that they read in odd ways.

use serde::Deserialize;

use super::{GoRegexp, GoRegexpError, matches_path, parse_duration};

/// One text, and what Go answers.
#[derive(Debug, Deserialize)]
pub(in crate::decide::lifecycle) struct Answer {
    kind: String,
    pub(in crate::decide::lifecycle) pattern: String,
    pub(in crate::decide::lifecycle) text: String,
    /// `true`, `false`, a number, or `error`.
    pub(in crate::decide::lifecycle) answer: String,
}

pub(in crate::decide::lifecycle) fn answers(kind: &str) -> Vec<Answer> {
    let packed = include_bytes!("../../../../fixtures/golang/answers.jsonl.zst");
    let text = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str::<Answer>(line).unwrap());
    let answers: Vec<Answer> = answers.filter(|answer| answer.kind == kind).collect();
    assert!(answers.len() > 1_000, "only {} answers of the kind {kind}", answers.len());
    answers
}

/// Holds every answer that ours is sure of against Go's; few may be unsure.
pub(in crate::decide::lifecycle) fn hold(kind: &str, at_most_unsure: usize, ours: impl Fn(&Answer) -> Option<String>) {
    let answers = answers(kind);
    let (sure, unsure): (Vec<_>, Vec<_>) =
        answers.iter().map(|answer| (answer, ours(answer))).partition(|(_, ours)| ours.is_some());
    let wrong: Vec<_> = sure.iter().filter(|(answer, ours)| ours.as_ref() != Some(&answer.answer)).collect();
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), answers.len(), &wrong[..wrong.len().min(20)]);
    assert!(unsure.len() <= at_most_unsure, "{} are unsure: {unsure:?}", unsure.len());
}

#[test]
fn regular_expressions_match_as_gos_do() {
    hold("re2", 60, |asked| match GoRegexp::parse(&asked.pattern) {
        Ok(expression) => Some(expression.is_match(&asked.text).to_string()),
        Err(GoRegexpError::Refused) => Some("error".to_owned()),
        Err(GoRegexpError::Unsure) => None,
    });
}

#[test]
fn patterns_of_paths_match_as_doublestars_do() {
    hold("glob", 0, |asked| matches_path(&asked.pattern, &asked.text).map(|matches| matches.to_string()));
}

#[test]
fn a_pattern_that_takes_too_long_is_no_answer() {
    assert_eq!(matches_path(&"{a,b}".repeat(40), &"c".repeat(40)), Some(false));
    assert_eq!(matches_path(&"{a,a}".repeat(40), &"a".repeat(39)), None);
}

#[test]
fn durations_are_gos() {
    hold("duration", 0, |asked| {
        let read = parse_duration(&asked.text);
        Some(read.map_or_else(|_| "error".to_owned(), |duration| duration.as_nanos().to_string()))
    });
}
