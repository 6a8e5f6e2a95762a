//! Docker's own files, as people have them.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::oci::environment::{Timing, Variables};

async fn look(host: &str, folder: &Path, variables: &[(&str, &Path)]) -> Result<Option<Credentials>, String> {
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.display().to_string()));
    let variables = Variables::from_pairs(variables.chain([("PATH".to_owned(), path)]));
    let timing = Timing { helper: Duration::from_millis(1500), ..Timing::default() };
    let environment = HttpEnvironment { variables, timing, ..HttpEnvironment::default() };
    let found = find(&RegistryHost::new(&host.parse().unwrap()).unwrap(), &environment);
    match found.map_err(|error| error.to_string())? {
        None => Ok(None),
        Some(found) => found.resolve(&environment, None).await.map_err(|error| error.to_string()),
    }
}

fn user(name: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::Password { username: name.to_owned(), password: Secret::new(password) })
}

#[tokio::test]
async fn entries_are_found_under_every_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let auth = |text: &str| BASE64_STANDARD.encode(text);
    let file = format!(
        r#"{{"auths": {{
                "https://index.docker.io/v1/": {{"auth": "{}"}},
                "r.example:5000": {{"username": "u", "password": "p:q"}},
                "https://id.example/v2/": {{"auth": "{}", "identitytoken": "long"}},
                "t.example": {{"registrytoken": "ready"}},
                "quay.io/team": {{"auth": "{}"}},
                "empty.example": {{}}
            }}, "experimental": true}}"#,
        auth("hub:pass:word\0"),
        auth("<token>:"),
        auth("a:b"),
    );
    std::fs::write(folder.path().join("config.json"), file).unwrap();
    let look = async |host: &str| look(host, folder.path(), &[("DOCKER_CONFIG", folder.path())]).await.unwrap();
    assert_eq!(look("https://docker.io").await, user("hub", "pass:word"));
    assert_eq!(look("https://r.example:5000").await, user("u", "p:q"));
    assert_eq!(look("https://r.example").await, None, "the port is part of the name");
    assert_eq!(look("https://id.example").await, Some(Credentials::Identity(Secret::new("long"))));
    assert_eq!(look("https://t.example").await, Some(Credentials::Token(Secret::new("ready"))));
    assert_eq!(look("https://quay.io").await, None, "a namespace's key is not the host's");
    assert_eq!(look("https://empty.example").await, None);
}

#[test]
fn credentials_for_a_part_of_a_registry_are_told_and_never_used_for_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let reported = |host: &str, file: &str| {
        std::fs::write(folder.path().join("config.json"), file).unwrap();
        let variables = Variables::from_pairs([("DOCKER_CONFIG".to_owned(), folder.path().display().to_string())]);
        let environment = HttpEnvironment { variables, ..HttpEnvironment::default() };
        for_parts(&RegistryHost::new(&host.parse().unwrap()).unwrap(), &environment)
    };
    let file = r#"{"auths": {"quay.io/team": {"auth": "aHVudGVyMjpodW50ZXIy"}, "https://Quay.io/other/x": {}},
            "credHelpers": {"quay.io/third": "pass", "r.example": "pass"}}"#;
    let said = reported("https://quay.io", file).unwrap();
    for words in ["config.json", "\"quay.io/team\"", "\"https://Quay.io/other/x\"", "docker login quay.io"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("hunter2") && !said.contains("aHVudGVyMjpodW50ZXIy"), "{said}");
    for (host, file) in [("https://r.example", file), ("https://quay.io:5000", file), ("https://quay.io", "[]")] {
        assert_eq!(reported(host, file), None, "{host}");
    }
}

#[tokio::test]
async fn broken_files_are_errors_that_name_the_file_and_no_secret_i18() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    for broken in [r#"{"auths": {"r.example": {"auth": hunter2"#, r#"{"auths": {"r.example": {"auth": "hunter2!"}}}"#] {
        std::fs::write(&path, broken).unwrap();
        let error = look("https://r.example", folder.path(), &[("DOCKER_CONFIG", folder.path())]).await.unwrap_err();
        assert!(error.contains("config.json") && !error.contains("hunter2"), "{error}");
    }
    let absent = folder.path().join("absent.json");
    assert!(look("https://r.example", folder.path(), &[("REGISTRY_AUTH_FILE", &absent)]).await.is_err());
    assert_eq!(look("https://r.example", folder.path(), &[("HOME", &folder.path().join("nobody"))]).await, Ok(None));
}

#[tokio::test]
async fn files_are_read_as_other_clients_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let good = BASE64_STANDARD.encode("u:p");
    let line = BASE64_STANDARD.encode("u:p\n");
    for file in [
        format!(r#"{{"auths": {{"r.example": {{"auth": "{}"}}}}}}"#, good.trim_end_matches('=')),
        format!(r#"{{"auths": {{"r.example": {{"auth": "{line}"}}}}}}"#),
        format!(r#"{{"Auths": {{"r.example": {{"Auth": "{good}"}}}}}}"#),
        format!("\u{feff}{{\"auths\": {{\"r.example\": {{\"auth\": \"{good}\"}}}}}}"),
        format!(
            r#"{{"auths": {{"r.example": {{"auth": "{good}", "identitytoken": null}}, "x.example": null, "y": 7}},
                    "credHelpers": null, "credsStore": null}}"#
        ),
    ] {
        std::fs::write(folder.path().join("config.json"), &file).unwrap();
        let found = look("https://r.example", folder.path(), &[("DOCKER_CONFIG", folder.path())]).await;
        assert_eq!(found, Ok(user("u", "p")), "{file}");
    }
    for file in ["", " \n", r#"{"auths": null}"#, "{}"] {
        std::fs::write(folder.path().join("config.json"), file).unwrap();
        let found = look("https://r.example", folder.path(), &[("DOCKER_CONFIG", folder.path())]).await;
        assert_eq!(found, Ok(None), "{file:?}");
    }
    for file in ["[]", r#"{"auths": "hunter2"}"#, "7"] {
        std::fs::write(folder.path().join("config.json"), file).unwrap();
        let error = look("https://r.example", folder.path(), &[("DOCKER_CONFIG", folder.path())]).await.unwrap_err();
        assert!(error.contains("config.json") && !error.contains("hunter2"), "{error}");
    }
}

fn utf_16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(order).collect()
}

/// One odd member costs nothing that does not stand in it.
#[tokio::test]
async fn an_odd_member_throws_nothing_else_away() {
    let folder = tempfile::tempdir().unwrap();
    let write = |bytes: &[u8]| std::fs::write(folder.path().join("config.json"), bytes).unwrap();
    let look = async |host: &str| look(host, folder.path(), &[("DOCKER_CONFIG", folder.path())]).await;
    let good = BASE64_STANDARD.encode("u:p");
    let entry = format!(r#""r.example": {{"auth": "{good}"}}"#);
    let file = format!(r#"{{"auths": {{{entry}}}}}"#);
    let (first, rest) = good.split_at(3);
    for text in [
        format!(r#"{{"auths": {{{entry}}}, "credHelpers": []}}"#),
        format!(r#"{{"auths": {{{entry}}}, "credHelpers": ["ecr-login"], "credsStore": 5, "HttpHeaders": [1]}}"#),
        format!(r#"{{"auths": {{{entry}}}, "credHelpers": {{"r.example": null, "x": 5}}, "proxies": "x"}}"#),
        format!(r#"{{"auths": {{{entry}, "y.example": [], "x.example": {{"auth": 5}}}}}}"#),
        format!(r#"{{"auths": {{"https://r.example": {{}}, "http://r.example/v1/": null, {entry}}}}}"#),
        format!(r#"{{"auths": {{"HTTPS://r.example/": {{"auth": "{good}"}}}}}}"#),
        format!(r#"{{"auths": {{" R.EXAMPLE ": {{"auth": "{good}"}}}}}}"#),
        format!(r#"{{"auths": {{"r.example": {{"auth": "{first}\n  {rest}\r\n"}}}}}}"#),
        r#"{"auths": {"r.example": {"auth": 5, "username": "u", "password": "p"}}}"#.to_owned(),
        format!("{file}\n}}"),
        format!("{file}\n{file}"),
        format!(r#"{{"auths": {{}}, "auths": {{{entry}}}}}"#),
    ] {
        write(text.as_bytes());
        assert_eq!(look("https://r.example").await, Ok(user("u", "p")), "{text}");
    }
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        write(&utf_16(&file, order));
        assert_eq!(look("https://r.example").await, Ok(user("u", "p")));
    }
    let odd_bytes = [br#"{"x": ""#, &[0xff][..], br#"", "#, &file.as_bytes()[1..]].concat();
    write(&odd_bytes);
    assert_eq!(look("https://r.example").await, Ok(user("u", "p")));
    for empty in
        ["null", r#"{"auths": []}"#, r#"{"auths": ""}"#, r#"{"auths": {"r.example": null}, "credHelpers": []}"#]
    {
        write(empty.as_bytes());
        assert_eq!(look("https://r.example").await, Ok(None), "{empty}");
    }
}

/// What cannot be read and may have been meant for this registry is its failure, and names the file and the member.
#[tokio::test]
async fn what_is_odd_about_this_registry_names_file_and_member_i18() {
    let folder = tempfile::tempdir().unwrap();
    let look = async |host: &str| look(host, folder.path(), &[("DOCKER_CONFIG", folder.path())]).await;
    for (text, member) in [
        (r#"{"auths": ["hunter2"]}"#, "`auths` is no object"),
        (r#"{"auths": 7}"#, "`auths` is no object"),
        (r#"{"credHelpers": "hunter2"}"#, "`credHelpers` is no object"),
        (r#"{"auths": {"r.example": "hunter2"}}"#, "entry \"r.example\" that is no object"),
        (r#"{"auths": {"r.example": ["hunter2"]}}"#, "entry \"r.example\" that is no object"),
        (r#"{"auths": {"r.example": {"auth": 5}}}"#, "whose `auth` is no text"),
        (r#"{"auths": {"r.example": {"identitytoken": {"a": "hunter2"}}}}"#, "whose `identitytoken` is no text"),
        (r#"{"auths": {"r.example": {"auth": "hunter2!"}}}"#, "whose `auth` is not base64"),
        (r#"{"auths": {"r.example": {"auth": "hunter2"#, "line 1, column"),
    ] {
        std::fs::write(folder.path().join("config.json"), text).unwrap();
        let error = look("https://r.example").await.unwrap_err();
        assert!(error.contains("config.json") && error.contains(member) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn podman_keeps_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("containers")).unwrap();
    let file = r#"{"auths": {"r.example": {"username": "pod", "password": "man"}}}"#;
    std::fs::write(folder.path().join("containers/auth.json"), file).unwrap();
    let found = look("https://r.example", folder.path(), &[("XDG_RUNTIME_DIR", folder.path())]).await;
    assert_eq!(found, Ok(user("pod", "man")));
    let found = look("https://r.example", folder.path(), &[("XDG_CONFIG_HOME", folder.path())]).await;
    assert_eq!(found, Ok(user("pod", "man")));
    std::fs::create_dir_all(folder.path().join(".config")).unwrap();
    std::fs::rename(folder.path().join("containers"), folder.path().join(".config/containers")).unwrap();
    let found = look("https://r.example", folder.path(), &[("HOME", folder.path())]).await;
    assert_eq!(found, Ok(user("pod", "man")));
}

#[tokio::test]
async fn helpers_are_asked_and_held_to_a_time_and_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let helper = |name: &str, script: &str| {
        let path = folder.path().join(format!("docker-credential-{name}"));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    helper("good", r#"read server; printf '{"ServerURL":"%s","Username":"u","Secret":"%s"}' "$server" "$server""#);
    helper("none", "echo 'credentials not found in native keychain'; exit 1");
    helper("bad", "echo hunter2; exit 1");
    helper("odd", "echo hunter2");
    helper("lower", r#"read server; printf '\357\273\277{"serverurl":"x","username":"u","secret":"s"}\n'"#);
    helper("nobody", r#"printf '{"ServerURL":"x","Username":"","Secret":""}'"#);
    helper("slow", "exec sleep 60");
    helper("loud", "yes hunter2");
    let ask = async |config: &str, host: &str| {
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        look(host, folder.path(), &[("DOCKER_CONFIG", folder.path())]).await
    };
    let own = r#"{"credHelpers": {"r.example": "good"}, "credsStore": "bad"}"#;
    assert_eq!(ask(own, "https://r.example").await, Ok(user("u", "r.example")));
    assert_eq!(ask(r#"{"credsStore": "good"}"#, "https://docker.io").await, Ok(user("u", HUB_KEY)));
    assert_eq!(ask(r#"{"credsStore": "none"}"#, "https://r.example").await, Ok(None));
    assert_eq!(ask(r#"{"credsStore": "lower"}"#, "https://r.example").await, Ok(user("u", "s")));
    assert_eq!(ask(r#"{"credsStore": "nobody"}"#, "https://r.example").await, Ok(None));
    for name in ["bad", "odd", "slow", "loud", "absent", "../evil", "a b"] {
        let error = ask(&format!(r#"{{"credsStore": "{name}"}}"#), "https://r.example").await.unwrap_err();
        assert!(error.contains("config.json") && !error.contains("hunter2"), "{error}");
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::mangled::mangled;

    const FILES: &[&str] = &[
        r#"{"auths": {"r.example": {"auth": "aHVudGVyMjpodW50ZXIy"}, "https://index.docker.io/v1/": {}}}"#,
        r#"{"auths": {"r.example/team": {"auth": "dTpw"}}, "credHelpers": {"r.example": "none"}, "credsStore": ""}"#,
        r#"{"Auths": {"R.EXAMPLE": {"username": "hunter2", "password": "hunter2", "identitytoken": null}}}"#,
    ];

    proptest! {
        /// Whatever stands in a file: it is read or refused, and what is said of it holds nothing of it (I18).
        #[test]
        fn any_file_is_read_or_refused_without_a_word_of_it(bytes in mangled(FILES)) {
            let host = RegistryHost::new(&"https://r.example".parse().unwrap()).unwrap();
            match File::read(&bytes) {
                Err(place) => prop_assert!(!place.contains("hunter") && place.len() < 80, "{place}"),
                Ok(file) => {
                    for (key, entry) in &file.auths {
                        if let Err(error) = in_entry(key, entry, Path::new("config.json")) {
                            prop_assert!(error.to_string().contains("config.json"));
                        }
                        means(key, &host);
                    }
                    let _ = helper_of(&file, &host).map(|name| helper_call(name, &host));
                }
            }
        }

        /// Another registry's entry concerns nobody here, whatever it is.
        #[test]
        fn another_entry_changes_nothing(odd in mangled(&["null", "{\"auth\": 5}", "\"x\"", "[[1]]", "{\"auth\": \"!\"}"])) {
            let Ok(odd) = String::from_utf8(odd) else { return Ok(()) };
            if serde_json::from_str::<Value>(&odd).is_err() {
                return Ok(());
            }
            let text = format!(r#"{{"auths": {{"x.example": {odd}, "r.example": {{"auth": "dTpw"}}}}, "credHelpers": null}}"#);
            let file = File::read(text.as_bytes()).unwrap();
            let entry = file.auths.iter().find(|(key, _)| key == "r.example").unwrap();
            prop_assert_eq!(in_entry(&entry.0, &entry.1, Path::new("c")).unwrap(), user("u", "p"));
        }
    }
}

#[test]
fn a_node_takes_the_entries_that_cover_an_image_the_longest_first() {
    let host = RegistryHost::new(&"https://eu.r.example:5000".parse().unwrap()).unwrap();
    let found = |key: &str| {
        let document = serde_json::json!({ "auths": { key: { "username": "u", "password": "p" } } }).to_string();
        !for_image(&document, &host, "team/api").unwrap().is_empty()
    };
    for covers in [
        "eu.r.example:5000",
        "https://eu.r.example:5000",
        "https://eu.r.example:5000/v2/",
        "eu.r.example:5000/team",
        "eu.r.example:5000/team/api",
        "*.r.example:5000",
        "e*.r.example:5000/team/",
    ] {
        assert!(found(covers), "{covers}");
    }
    for other in [
        "r.example:5000",
        "eu.r.example",
        "*.example:5000",
        "eu.r.example:5000/tea",
        "eu.r.example:5000/team/api/x",
        "*:5000",
    ] {
        assert!(!found(other), "{other}");
    }
    let two = serde_json::json!({ "auths": {
        "eu.r.example:5000": { "username": "all", "password": "p" },
        "eu.r.example:5000/team": { "username": "team", "password": "p" },
    } });
    let order: Vec<Option<Credentials>> =
        for_image(&two.to_string(), &host, "team/api").unwrap().into_iter().map(Some).collect();
    assert_eq!(order, [user("team", "p"), user("all", "p")]);
}
