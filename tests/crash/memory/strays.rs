//! Files among the commits that are no commits.

use super::{grown, head};
use crate::place::{Estate, WorkDirectory, files};

#[test]
fn checkpoints_that_were_never_finished_are_told_once_with_their_count_f101() {
    let estate = Estate::start();
    let place = grown(&estate);
    let folder = place.ledger().join("checkpoint");
    let last = files(&folder).len() as u64;
    for number in 1..=200 {
        std::fs::write(folder.join(format!("{:020}", last + number)), "").unwrap();
    }
    for command in [&["report", "--list"][..], &["audit"]] {
        let ran = place.run(command).ends(0);
        assert!(ran.err.contains("197 more") && ran.err.lines().count() < 20, "{}", ran.err);
    }
    let verified = place.run(&["verify"]);
    assert!(verified.out.contains("197 more") && verified.out.lines().count() < 20, "{}", verified.out);
}

#[test]
fn strays_among_the_checkpoints_are_named_and_block_nothing_f101() {
    let estate = Estate::start();
    let place = grown(&estate);
    let folder = place.ledger().join("checkpoint");
    let own = files(&folder);
    let last = std::fs::read(own.last().unwrap()).unwrap();
    // Garbage, nothing, and copies of what is here.
    std::fs::write(folder.join("09223372036854775807"), "x").unwrap();
    std::fs::write(folder.join("18446744073709551615"), &last).unwrap();
    std::fs::write(folder.join("00000000000000000099"), &last).unwrap();
    std::fs::copy(&own[0], folder.join("00000000000000000100")).unwrap();
    for odd in ["7", "notes.txt", "99999999999999999999", "00000000000000000001.bak", "+0000000000000000001"] {
        std::fs::write(folder.join(odd), "x").unwrap();
    }
    for round in 0..2 {
        let ran = place.run(&["audit"]).ends(0);
        assert!(ran.err.contains("no commit of this ledger"), "{}", ran.err);
        assert!(ran.took.as_secs() < 20, "{:?}", ran.took);
        let verified = place.run(&["verify"]).ends(0);
        for name in ["00000000000000000099", "checkpoint/+0000000000000000001", "more"] {
            assert!(verified.out.contains(name), "{name}: {}", verified.out);
        }
        if round == 0 {
            std::fs::remove_dir_all(place.ledger().join("view")).unwrap();
        }
    }

    // What the log's own commits lie behind is a gap, and stays damage.
    let third = folder.join("00000000000000000003");
    std::fs::remove_file(third).unwrap();
    std::fs::remove_dir_all(place.ledger().join("view")).unwrap();
    std::fs::remove_file(head(&place)).unwrap();
    place.run(&["audit"]).ends(1).tells("00000000000000000003 is missing");
    let verified = place.run(&["verify"]).ends(1);
    assert!(verified.out.contains("DAMAGED checkpoint/00000000000000000003: it is missing"), "{}", verified.out);
}

#[test]
fn strays_in_the_anchor_are_no_commits_that_were_lost_f101() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.policy("anchor: anchor");
    place.run(&["audit"]).ends(0);
    let folder = place.path("anchor/checkpoint");
    let last = std::fs::read(files(&folder).pop().unwrap()).unwrap();
    std::fs::write(folder.join("09223372036854775807"), &last).unwrap();
    std::fs::write(folder.join("00000000000000000099"), "x").unwrap();
    estate.push("v1.3", "v1.3");
    place.run(&["audit"]).ends(0);
    place.run(&["verify"]).ends(0);
}
