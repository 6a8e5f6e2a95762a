//! Layouts: what keys they read and which they leave alone.

use proptest::prelude::*;

use super::*;

fn layout(text: &str) -> Layout {
    text.parse().unwrap()
}

fn read(text: &str, key: &str) -> Option<(String, String)> {
    layout(text).parse(key).map(|(repository, version)| (repository.to_string(), version.into()))
}

#[test]
fn keys_name_repository_and_version() {
    for (text, key, expected) in [
        ("{repository}/{version}/bundle.zip", "api/1.2.0/bundle.zip", Some(("api", "1.2.0"))),
        ("{repository}/{version}/bundle.zip", "api/1.2.0/other.zip", None),
        ("{repository}/{version}/bundle.zip", "team/api/1.2.0/bundle.zip", None),
        ("{repository}/{version}/bundle.zip", "/1.2.0/bundle.zip", None),
        ("{repository}/{version}/bundle.zip", "api//bundle.zip", None),
        ("{repository...}/{version}/bundle.zip", "team/api/1.2.0/bundle.zip", Some(("team/api", "1.2.0"))),
        ("{repository...}/{version}/bundle.zip", "api/1/bundle.zip", Some(("api", "1"))),
        ("apps/{repository}-{version}.zip", "apps/my-app-1.2.0.zip", Some(("my-app", "1.2.0"))),
        ("{repository}/{version}-*.zip", "api/1.0-arm-64.zip", Some(("api", "1.0-arm"))),
        ("{repository}/**/{version}.zip", "api/1.0.zip", Some(("api", "1.0"))),
        ("{repository}/**/{version}.zip", "api/a/b/1.0.zip", Some(("api", "1.0"))),
        ("{repository}/{version}/**", "api/1.0/lib/x.jar", Some(("api", "1.0"))),
        ("{repository}/{version}/**", "api/1.0/", None),
        ("**/{repository}/{version}.zip", "a/b/api/1.0.zip", Some(("api", "1.0"))),
        ("**/{repository}/{version}.zip", "api/1.0.zip", Some(("api", "1.0"))),
        ("builds/*/{repository}/{version}", "builds/2024/api/7", Some(("api", "7"))),
        // CodeDeploy, Elastic Beanstalk, Lambda, plain prefixes.
        ("{repository}/{version}.zip", "api/1.4.0-rc.1.zip", Some(("api", "1.4.0-rc.1"))),
        ("{version}-{repository}.zip", "1.4.0-my-api.zip", Some(("my-api", "1.4.0"))),
        ("{version}-{repository}.zip", "1.4.0-rc.1-my-api.zip", Some(("my-api", "1.4.0-rc.1"))),
        ("{version}-{repository}.zip", "v7-rc2-api.zip", Some(("api", "v7-rc2"))),
        ("{version}-{repository}.zip", "release-api.zip", Some(("api", "release"))),
        ("functions/{repository}-{version}.zip", "functions/my-fn-1.4.0-rc.1.zip", Some(("my-fn", "1.4.0-rc.1"))),
        ("functions/{repository}-{version}.zip", "functions/api-2-1.0.0.zip", Some(("api-2", "1.0.0"))),
        ("functions/{repository}-{version}.zip", "functions/my-fn-abc.zip", Some(("my-fn", "abc"))),
        ("{env}/{repository}/{version}/app.zip", "prod/api/7/app.zip", Some(("api", "7"))),
        ("{env}/{repository}/{version}/app.zip", "/api/7/app.zip", None),
        ("{repository}/{version}/{build}/app.zip", "api/7/x.y/app.zip", Some(("api", "7"))),
        ("releases/{repository...}/{version}", "releases/team/api/7", Some(("team/api", "7"))),
        ("{repository}/{version}", "日本/版 1", Some(("日本", "版 1"))),
        ("{repository}/{version}", "a\n+ b/..", Some(("a\n+ b", ".."))),
    ] {
        let expected = expected.map(|(repository, version)| (repository.to_owned(), version.to_owned()));
        assert_eq!(read(text, key), expected, "{key} under {text}");
    }
}

#[test]
fn a_key_that_fits_may_name_no_repository_f81() {
    let single = layout("{repository}/{version}");
    assert_eq!(single.read("../1"), Some(("..", "1")));
    assert_eq!(single.parse("../1"), None);
    assert_eq!(layout("{repository...}/{version}").parse("a//1"), None);
}

#[test]
fn errors_say_what_to_do() {
    for (text, part) in [
        ("", "is empty"),
        ("/{repository}/{version}", "leading '/'"),
        ("{repository}/bundle.zip", "{version} is missing"),
        ("{version}", "{repository} is missing"),
        ("{repository}/{version}/{version}", "2 times"),
        ("{repository}/{verison}", "{version} is missing"),
        ("{repository}/{Version}", "{Version} is no part"),
        ("{repository}/{version}/{}", "{} is no part"),
        ("{repository}/{version}/{e n v}", "{e n v} is no part"),
        ("{env}{repository}/{version}", "side by side"),
        ("{repository}{version}", "side by side"),
        ("{repository}*/{version}", "side by side"),
        ("{repository}/**{version}", "side by side"),
        ("{repository}/{version", "never closed"),
        ("{repository}/version}", "no '{'"),
        ("{repository}/{version}/***", "***"),
        ("{repository}/{version}/*-*-*-*-*", "wildcards"),
    ] {
        let error = text.parse::<Layout>().unwrap_err().to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn a_layout_in_which_a_name_has_no_end_is_ambiguous() {
    for (text, ambiguous) in [
        ("{repository}/{version}/bundle.zip", false),
        ("{repository}-{version}.zip", false),
        ("{version}-{repository}.zip", false),
        ("{repository}/{version}-*.zip", false),
        ("{repository}/{version}-{build}.zip", false),
        ("{env}/{repository}/{version}.zip", false),
        ("**/{repository}/{version}.zip", false),
        ("{repository...}/{version}/**", false),
        ("{env}-{repository}/{version}.zip", true),
        ("{repository}-*/{version}.zip", true),
        ("{repository}-{version}-{env}.zip", true),
        ("{repository...}/**/{version}.zip", true),
        ("**/{repository...}/{version}.zip", true),
        ("{repository...}-*/{version}", true),
    ] {
        assert_eq!(layout(text).ambiguity().is_some(), ambiguous, "{text}");
    }
}

#[test]
fn a_beginning_is_one_of_some_key() {
    for (text, prefix, can) in [
        ("{repository}/{version}/bundle.zip", "", true),
        ("{repository}/{version}/bundle.zip", "api", true),
        ("{repository}/{version}/bundle.zip", "api/", true),
        ("{repository}/{version}/bundle.zip", "api/1.0/bun", true),
        ("{repository}/{version}/bundle.zip", "api/1.0/bundles", false),
        ("{repository}/{version}/bundle.zip", "api/1.0/bundle.zip/x", false),
        ("{repository}/{version}/bundle.zip", "/", false),
        ("apps/{repository}/{version}", "ap", true),
        ("apps/{repository}/{version}", "logs/", false),
        ("apps/{repository...}/{version}", "apps/a/b/c/", true),
        ("apps/**/{repository}-{version}", "apps/x/y", true),
    ] {
        assert_eq!(layout(text).can_begin(prefix), can, "{prefix:?} under {text}");
    }
}

#[test]
fn prefixes_for_listing() {
    let api = "team/api".parse().unwrap();
    for (text, literal, prefix, folder) in [
        ("{repository}/{version}/x", "", "team/api/", true),
        ("apps/{repository}/v-{version}", "apps/", "apps/team/api/v-", true),
        ("apps/{repository...}/{version}", "apps/", "apps/team/api/", false),
        ("apps-{repository}/{version}", "apps-", "apps-team/api/", false),
        ("{repository}-{version}", "", "team/api-", false),
        ("*/{repository}/{version}", "", "", false),
        ("{repository}/*/{version}", "", "team/api/", true),
    ] {
        let layout = layout(text);
        assert_eq!(layout.literal_prefix(), literal, "{text}");
        assert_eq!(layout.repository_prefix(&api), prefix, "{text}");
        assert_eq!(layout.repository_is_a_folder(), folder, "{text}");
    }
}

#[test]
fn a_hostile_key_is_read_in_no_time() {
    let layout = layout("{repository...}-*a*a/**/**a-{version}.zip");
    let started = std::time::Instant::now();
    for key in ["a-".repeat(512), "a/".repeat(512), "-a/".repeat(341)] {
        assert_eq!(layout.read(&key), None);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}

proptest! {
    /// What a layout without wildcards parses composes back to the key, and what it composes it parses.
    #[test]
    fn parsing_and_composing_are_inverse(
        (text, before, between, after, many) in prop_oneof![
            Just(("{repository}/{version}/bundle.zip", "", "/", "/bundle.zip", false)),
            Just(("apps/{repository}-{version}.zip", "apps/", "-", ".zip", false)),
            Just(("a/{repository...}/v/{version}", "a/", "/v/", "", true)),
        ],
        repository in "[a-z.%+ \u{e9}-]{1,8}(/[a-z-]{1,4})?",
        version in "[^/]{1,12}",
        noise in "\\PC{0,40}",
    ) {
        let layout = layout(text);
        let repository = if many { repository } else { repository.replace('/', "_") };
        let key = format!("{before}{repository}{between}{version}{after}");
        if let Some((found, label)) = layout.parse(&key) {
            prop_assert_eq!(format!("{before}{found}{between}{label}{after}"), key.clone());
            prop_assert!(key.starts_with(&layout.repository_prefix(&found)));
        } else {
            prop_assert!(repository.parse::<RepositoryName>().is_err());
        }
        if let Some((found, label)) = layout.parse(&noise) {
            prop_assert_eq!(format!("{before}{found}{between}{label}{after}"), noise);
        }
    }
}
