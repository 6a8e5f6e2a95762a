//! Indexes, also broken ones.

use super::*;

/// Short commits that are numbers too large for any, infinities, and what is no number: nothing of it is read.
#[test]
fn a_member_that_nobody_reads_spoils_no_file() {
    for odd in
        ["12e4567", "-12e4567", "1e999", ".inf", "-.inf", ".nan", "99999999999999999999999999", "0x", "1_000", "~"]
    {
        let index = format!(
            "apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 1.1.0, appVersion: {odd}, urls: [a.tgz]}}\n"
        );
        let index = Index::read(index.as_bytes()).unwrap_or_else(|error| panic!("{odd}: {error}"));
        let chart = &index.charts["shop"];
        assert!(matches!(chart.versions["1.1.0"], Listed::Archive(_)), "{odd}");
        let file = format!("apiVersion: v2\nname: shop\nversion: 1.1.0\nappVersion: {odd}\n");
        let file = ChartFile::read(file.as_bytes()).unwrap_or_else(|| panic!("{odd}"));
        assert!(matches!((file.name, file.version), (LenientText::Text(_), LenientText::Text(_))), "{odd}");
    }
}

/// What is read and is no text is an entry of its own that is wrong, and never another version.
#[test]
fn a_version_that_is_a_number_is_no_version() {
    let index = "apiVersion: v1\nentries:\n  shop:\n  - {name: shop, version: 12e4567, urls: [a.tgz]}\n";
    let index = Index::read(index.as_bytes()).unwrap();
    let chart = &index.charts["shop"];
    assert_eq!((chart.versions.len(), chart.nameless.len()), (0, 1));
}
