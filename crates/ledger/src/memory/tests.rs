use super::*;

fn head(sequence: u64, size: u64, root: u8) -> Head {
    Head { sequence, size, root: [root; 32] }
}

#[test]
fn what_is_there_is_judged_by_what_is_remembered_i24_f98_f99_f100() {
    let remembered = Remembered { origin: "prodpin/aa".to_owned(), head: head(7, 40, 1), key: None, ledger: None };
    for (there, expected) in [
        (None, Judgement::Gone),
        (Some(("prodpin/aa", head(7, 40, 1))), Judgement::Same),
        (Some(("prodpin/aa", head(8, 41, 2))), Judgement::Grown),
        (Some(("prodpin/aa", head(6, 39, 2))), Judgement::Shorter),
        // Passed-over numbers: more numbers, and fewer entries.
        (Some(("prodpin/aa", head(9, 39, 2))), Judgement::Shorter),
        (Some(("prodpin/aa", head(7, 40, 2))), Judgement::Forked),
        (Some(("prodpin/aa", head(7, 41, 2))), Judgement::Forked),
        (Some(("prodpin/aa", head(8, 40, 2))), Judgement::Forked),
        (Some(("prodpin/bb", head(7, 40, 1))), Judgement::Another),
        (Some(("prodpin/bb", head(9, 90, 1))), Judgement::Another),
    ] {
        assert_eq!(judge(&remembered, there), expected, "{there:?}");
    }
}
