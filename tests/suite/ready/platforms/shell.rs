//! Commands that can be pasted, whatever the names are.

use super::{rollback_commands, three};
use crate::ready::scene::*;

/// Names come from clusters and accounts, and a command is pasted with the rights of whoever pastes it (I19).
#[test]
fn no_command_is_made_of_a_name_that_could_be_one_i19() {
    for name in ["--kubeconfig=/tmp/x", "a'b", "a\nb", "a\u{1b}[2Jb", "a\\b", "a`id`", "\u{430}pi", "a\u{202e}b"] {
        for kind in ["deployment", "rollout", "cronjob"] {
            let scene = three(&kubernetes(kind, name), ["1", "2", "3"]);
            let rollback_commands = rollback_commands(&scene);
            assert!(rollback_commands.commands.is_empty(), "{name:?}: {rollback_commands:?}");
            assert!(rollback_commands.notes[0].contains("act by the console"), "{rollback_commands:?}");
            let shown = scene.shown();
            let hostile = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
            assert!(!shown.contains(hostile), "{shown:?}");
        }
    }
    for (name, quoted) in [("a;rm -rf ~", "'deployment/a;rm -rf ~'"), ("$(id)", "'deployment/$(id)'")] {
        let rollback_commands = rollback_commands(&three(&kubernetes("deployment", name), ["1", "2", "3"]));
        assert!(rollback_commands.commands[0].contains(quoted), "{rollback_commands:?}");
    }
}

/// A broken line that is pasted runs in two halves.
#[test]
fn commands_stand_on_one_line_however_narrow_the_page() {
    let scene = three(&kubernetes("deployment", "api"), ["1", "2", "3"]);
    let page = scene.page();
    let mut writer = prodpin::report::ready::ReadyWriter::default();
    writer.push(&page).unwrap();
    let section = prodpin::outcome::ready::ReadySection {
        at: "2026-03-02T03:00:00Z".parse().unwrap(),
        policy_sha256: prodpin::model::Digest::sha256(b"policy"),
        complete: true,
        gaps: Vec::new(),
        only: Vec::new(),
    };
    let narrow = crate::ready::shown(&writer.finish(section), 40);
    assert!(narrow.lines().any(|line| line.trim() == page.back[0].commands[0]), "{narrow}");
}

/// Wherever text from outside can stand, the page stays text (I19, F74, F78).
#[test]
fn hostile_names_do_not_speak_to_the_terminal_i19() {
    for name in crate::hostile_output::names() {
        if name.is_empty() {
            continue;
        }
        let mut scene = three(&kubernetes("deployment", &name), ["1", "2", &name]);
        let artifact = artifact("v3");
        scene.said.insert(
            artifact.clone(),
            Ok(prodpin::model::Provenance { source: Some(name.as_str().into()), ..Default::default() }),
        );
        scene.gaps.push(prodpin::model::Gap::new(
            prodpin::model::Scope::Signal(name.clone()),
            prodpin::model::Cause::Denied,
            name.clone(),
        ));
        let shown = scene.shown();
        let marks = "·…→✓✗●◌◀";
        let reported =
            |character: char| character == '\n' || character.is_ascii_graphic() || " \u{a0}".contains(character);
        let strange: Vec<char> = shown.chars().filter(|it| !reported(*it) && !marks.contains(*it)).collect();
        assert!(strange.is_empty(), "{strange:?} in {shown}");
    }
}
