//! Indexes, also broken ones.

use super::*;

fn read(index: &str) -> Result<Index, String> {
    Index::read(index.as_bytes(), 1 << 20)
}

/// Short commits that are numbers too large for any, infinities, and what is no number: nothing of it is read.
#[test]
fn a_member_that_nobody_reads_spoils_no_file() {
    for odd in
        ["12e4567", "-12e4567", "1e999", ".inf", "-.inf", ".nan", "99999999999999999999999999", "0x", "1_000", "~"]
    {
        let index = format!(
            "apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 1.1.0, appVersion: {odd}, urls: [a.tgz]}}\n"
        );
        let index = read(&index).unwrap_or_else(|error| panic!("{odd}: {error}"));
        let chart = &index.charts["shop"];
        assert!(matches!(chart.versions["1.1.0"], Listed::Archive(_)), "{odd}");
        let file = format!("apiVersion: v2\nname: shop\nversion: 1.1.0\nappVersion: {odd}\n");
        let file = ChartFile::read(file.as_bytes()).unwrap_or_else(|error| panic!("{odd}: {error}"));
        assert!(matches!((file.name, file.version), (LenientText::Text(_), LenientText::Text(_))), "{odd}");
    }
}

/// What is read and is no text is an entry of its own that is wrong, and never another version.
#[test]
fn a_version_that_is_a_number_is_no_version() {
    let index = "apiVersion: v1\nentries:\n  shop:\n  - {name: shop, version: 12e4567, urls: [a.tgz]}\n";
    let index = read(index).unwrap();
    let chart = &index.charts["shop"];
    assert_eq!((chart.versions.len(), chart.nameless.len()), (0, 1));
}

/// An index of one good chart, with these lines after it.
fn beside(lines: &str) -> Index {
    let good = "apiVersion: v1\nentries:\n  shop:\n  - {name: shop, version: 1.1.0, urls: [a.tgz]}\n";
    let index = read(&format!("{good}{lines}")).unwrap_or_else(|error| panic!("{lines}: {error}"));
    assert!(matches!(index.charts["shop"].versions["1.1.0"], Listed::Archive(_)), "{lines}");
    index
}

#[test]
fn a_chart_without_a_list_spoils_no_other() {
    for (value, reason) in [
        ("5", "no list"),
        ("hello", "no list"),
        ("{a: 1}", "no list"),
        ("true", "no list"),
        ("1.5", "no list"),
        ("[5]", "no mapping"),
        ("[~]", "no mapping"),
        ("[[]]", "no mapping"),
        ("[{name: other, name: another, version: 1.0.0}]", "twice"),
        ("[{name: other, version: 1.0.0, version: 1.0.1}]", "twice"),
        ("[{name: other, version: 2}]", "not text"),
        ("[{name: other, version: 1.10}]", "not text"),
    ] {
        let index = beside(&format!("  other: {value}\n"));
        let nameless = &index.charts["other"].nameless;
        assert!(nameless.len() == 1 && nameless[0].contains(reason), "{value}: {nameless:?}");
    }
    for empty in ["~", "[]", ""] {
        let index = beside(&format!("  other: {empty}\n"));
        let chart = &index.charts["other"];
        assert!(chart.versions.is_empty() && chart.nameless.is_empty(), "{empty}");
    }
}

#[test]
fn odd_names_and_members_spoil_nothing_else() {
    for key in ["~", "[a]", "{a: 1}", "? {a: 1}\n  "] {
        let index = beside(&format!("  {key}: []\n"));
        assert!(index.odd.iter().any(|odd| odd.contains("no text")), "{key}: {:?}", index.odd);
    }
    // Names that are numbers are names, and an entry's own name may be one as well.
    for name in ["5", "1.5", "true"] {
        let index = beside(&format!("  {name}:\n  - {{name: {name}, version: 1.0.0, urls: [b.tgz]}}\n"));
        assert!(matches!(index.charts[name].versions["1.0.0"], Listed::Archive(_)), "{name}");
    }
    let twice = "apiVersion: v1\nentries:\n  shop: []\n  shop: []\n";
    assert!(read(twice).unwrap_err().contains("twice"), "two readers may take either of two");
    for lines in ["generated: [1, 2]\n", "serverInfo: {a: 5}\n", "5: 5\n~: x\n", "publicKeys: 12e4567\n"] {
        beside(lines);
    }
    for version in ["1", "2.0", "v1", "true"] {
        let index = format!("apiVersion: {version}\nentries: {{}}\n");
        assert!(read(&index).is_ok(), "{version}");
    }
}

#[test]
fn a_chart_file_is_read_as_helm_reads_it() {
    let named = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
    for (file, expected) in [
        ("name: shop\nversion: 1.1.0\n", named("shop", "1.1.0")),
        ("name: 5\nversion: 1.10\n", named("5", "1.1")),
        ("name: shop\nversion: 2\n", named("shop", "2")),
        ("name: shop\nversion: 1e3\n", named("shop", "1000")),
        ("name: true\nversion: 1.1.0\n", named("true", "1.1.0")),
        ("name: shop\nversion: 1.1.0\nicon: a\nicon: b\n5: 5\n~: 1\n", named("shop", "1.1.0")),
        ("name: shop\nversion: 1.1.0\n---\nname: other\n", named("shop", "1.1.0")),
        ("name: shop\nname: shop\nversion: 1.1.0\n", named("shop", "1.1.0")),
        ("name: shop\nname: other\nversion: 1.1.0\n", None),
        ("name: shop\n", None),
        ("name: [shop]\nversion: 1.1.0\n", None),
    ] {
        let read = ChartFile::read(file.as_bytes()).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(read.named(), expected, "{file}");
    }
    for broken in ["- a\n", "a: [\n", "text\n"] {
        assert!(ChartFile::read(broken.as_bytes()).is_err(), "{broken}");
    }
    let lossy = ChartFile::read(b"name: shop\nversion: 1.1.0\ndescription: caf\xe9\n").unwrap();
    assert_eq!(lossy.named(), named("shop", "1.1.0"));
}

const INDEXES: &[&str] = &[
    "apiVersion: v1\nentries:\n  shop:\n  - name: shop\n    version: 1.1.0\n    urls: [shop-1.1.0.tgz]\n    created: \"2026-01-01T00:00:00Z\"\n",
    "apiVersion: v1\nentries:\n  a: []\n  b:\n  - {name: b, version: 1.0.0, digest: 00, urls: [b.tgz]}\ngenerated: x\n",
    r#"{"apiVersion":"v1","entries":{"shop":[{"name":"shop","version":"1.1.0","urls":["a.tgz"]}]}}"#,
    "apiVersion: v2\nname: shop\nversion: 1.1.0\nappVersion: 12e4567\n",
];

proptest::proptest! {
    /// Whatever an index or a chart's file holds, it is read or refused in one sentence.
    #[test]
    fn any_file_is_read_or_refused(bytes in crate::mangled::mangled(INDEXES)) {
        if let Err(reason) = Index::read(&bytes, 1 << 20) {
            proptest::prop_assert!(!reason.contains('\n') && reason.len() < 600, "{reason}");
        }
        let _ = ChartFile::read(&bytes);
    }

    /// What stands in the place of one chart's list spoils no other chart.
    #[test]
    fn any_value_in_one_place_spoils_no_other(value in "[a-z0-9.,:{}\\[\\]~ -]{0,20}") {
        let text = format!("apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 1.1.0, urls: [a.tgz]}}\n  other: {value}\n");
        if let Ok(index) = read(&text) {
            proptest::prop_assert!(matches!(index.charts["shop"].versions["1.1.0"], Listed::Archive(_)));
        }
    }
}
