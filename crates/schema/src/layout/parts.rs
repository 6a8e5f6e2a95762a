//! The part of a file that goes up. What does not is blanked line by line, so that lines keep their numbers.

use crate::dialect::Dialect;

/// The text that is run on the way up.
pub(crate) fn up(text: &str, dialect: Dialect) -> String {
    if text.contains("-- +goose Up") || text.contains("-- +goose up") {
        return between(text, "-- +goose up", "-- +goose down");
    }
    if text.contains("-- migrate:up") {
        return between(text, "-- migrate:up", "-- migrate:down");
    }
    let first = text.trim_start_matches('\u{feff}').trim_start().lines().next().unwrap_or_default();
    if first.to_lowercase().starts_with("--liquibase formatted sql") {
        return liquibase(text);
    }
    if text.contains("--> statement-breakpoint") && dialect.is_mysql() {
        // MySQL takes two dashes without a blank for two minus signs.
        return text.replace("--> statement-breakpoint", ";");
    }
    text.to_owned()
}

fn between(text: &str, up: &str, down: &str) -> String {
    let mut open = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let plain = line.trim().to_lowercase();
        if plain.starts_with(up) {
            open = true;
        } else if plain.starts_with(down) {
            open = false;
        } else if open {
            kept.push_str(line);
            continue;
        }
        kept.push('\n');
    }
    kept
}

/// Rollbacks stand in comments, one of them over several lines. A delimiter of its own is not followed: a template mark
/// makes the file not understood.
fn liquibase(text: &str) -> String {
    let odd = text.lines().any(|line| {
        let plain = line.trim().to_lowercase();
        plain.starts_with("--changeset") && (plain.contains("enddelimiter") || plain.contains("dbms:"))
            || plain.starts_with("--preconditions")
    });
    if odd { format!("{text}\n{{}};\n") } else { text.to_owned() }
}
