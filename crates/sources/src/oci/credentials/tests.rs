//! Whose credentials they are, and where they go.

use super::*;
use crate::oci::environment::Variables;
use prodpin_core::model::NamePatterns;

fn find_with(
    url: &str,
    user: Option<&str>,
    password: Option<&str>,
    variables: &[(&str, &str)],
) -> Result<Credentials, String> {
    find_in(RegistryInterface::None, url, (user, password), variables)
}

fn find_in(
    interface: RegistryInterface,
    url: &str,
    user: (Option<&str>, Option<&str>),
    variables: &[(&str, &str)],
) -> Result<Credentials, String> {
    match keys_in(interface, url, user, variables)?.found {
        Found::Ready(credentials) => Ok(credentials),
        Found::Ask(helper) => Err(format!("{helper:?}")),
    }
}

fn keys_in(
    interface: RegistryInterface,
    url: &str,
    (user, password): (Option<&str>, Option<&str>),
    variables: &[(&str, &str)],
) -> Result<Keys, String> {
    let config = OciConfig {
        url: url.parse().unwrap(),
        repositories: NamePatterns::none(),
        username: user.map(str::to_owned),
        password: password.map(Secret::new),
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface,
    };
    let variables = Variables::from_pairs(variables.iter().copied());
    let several_registries = variables.get("SEVERAL").is_some();
    let environment = HttpEnvironment { variables, several_registries, ..HttpEnvironment::default() };
    let host = RegistryHost::new(&config.url).unwrap();
    let found = Keys::find(&"my-shop.1".parse().unwrap(), &config, &host, &environment, None);
    found.map_err(|error| error.to_string())
}

fn user(name: &str, password: &str) -> Credentials {
    Credentials::Password { username: name.to_owned(), password: Secret::new(password) }
}

#[test]
fn the_policy_comes_first_then_the_environment() {
    let own = [("PRODPIN_MY_SHOP_1_USERNAME", "own"), ("PRODPIN_MY_SHOP_1_PASSWORD", "1")];
    let all = [own[0], own[1], ("PRODPIN_USERNAME", "any"), ("PRODPIN_PASSWORD", "2")];
    let url = "https://r.example";
    assert_eq!(find_with(url, Some("p"), Some("3"), &all), Ok(user("p", "3")));
    assert_eq!(find_with(url, None, None, &all), Ok(user("own", "1")));
    assert_eq!(find_with(url, None, None, &all[2..]), Ok(user("any", "2")));
    assert_eq!(find_with(url, None, None, &[]), Ok(Credentials::Anonymous));
    let token = find_with(url, Some("<token>"), Some("t"), &[]);
    assert_eq!(token, Ok(Credentials::Identity(Secret::new("t"))));
    let access = find_with(url, Some("<access-token>"), Some("t"), &[]);
    assert_eq!(access, Ok(Credentials::Access(Secret::new("t"))));
}

#[test]
fn credentials_that_name_no_source_go_to_one_registry_only_i18() {
    let any = [("PRODPIN_USERNAME", "any"), ("PRODPIN_PASSWORD", "hunter2"), ("SEVERAL", "1")];
    let reported = find_with("https://r.example", None, None, &any).unwrap_err();
    assert!(reported.contains("set PRODPIN_MY_SHOP_1_USERNAME") && !reported.contains("hunter2"), "{reported}");
    assert_eq!(find_with("https://r.example", Some("p"), Some("3"), &any), Ok(user("p", "3")));
}

#[test]
fn the_token_of_a_workflow_goes_to_the_server_that_gave_it_i18() {
    let find_at = |registry: &str, api: &str, variables: &[(&str, &str)]| {
        let interface = RegistryInterface::Ghcr { api: api.parse().unwrap() };
        find_in(interface, registry, (None, None), variables)
    };
    let find = |api: &str, variables: &[(&str, &str)]| find_at("https://ghcr.io", api, variables);
    let (api, own) = ("https://api.github.com/", [("GITHUB_TOKEN", "ghs_1"), ("GITHUB_ACTOR", "octocat")]);
    assert_eq!(find(api, &own), Ok(user("octocat", "ghs_1")));
    assert_eq!(find(api, &own[..1]), Ok(user("prodpin", "ghs_1")));
    let server = [own[0], ("GITHUB_API_URL", "https://github.example.com/api/v3")];
    let (enterprise, its_registry) = ("https://github.example.com/api/v3/", "https://containers.github.example.com");
    assert_eq!(find_at(its_registry, enterprise, &server), Ok(user("prodpin", "ghs_1")));
    assert_eq!(find(enterprise, &server), Ok(Credentials::Anonymous), "the registry is another server's");
    for registry in ["https://registry.example.com", "https://ghcr.io:8443", its_registry] {
        assert_eq!(find_at(registry, api, &own), Ok(Credentials::Anonymous), "{registry}");
    }
    assert_eq!(find(api, &server), Ok(Credentials::Anonymous));
    assert_eq!(find_at(its_registry, enterprise, &own), Ok(Credentials::Anonymous));
    let named = [own[0], ("PRODPIN_MY_SHOP_1_USERNAME", "bot"), ("PRODPIN_MY_SHOP_1_PASSWORD", "2")];
    assert_eq!(find(api, &named), Ok(user("bot", "2")));
    assert_eq!(find_with("https://ghcr.io", None, None, &own), Ok(Credentials::Anonymous), "an oci source takes none");
}

#[test]
fn a_token_for_gitlabs_interface_is_a_login_where_there_is_no_other_i18() {
    let find = |token: Option<&str>, variables: &[(&str, &str)]| {
        let (api, token) = ("https://gitlab.example.com/api/".parse().unwrap(), token.map(Secret::new));
        find_in(RegistryInterface::GitLab { api, token }, "https://r.example", (None, None), variables)
    };
    let own = [("PRODPIN_MY_SHOP_1_TOKEN", "glpat-2"), ("PRODPIN_TOKEN", "glpat-3")];
    assert_eq!(find(Some("glpat-1"), &own), Ok(user("prodpin", "glpat-1")));
    assert_eq!(find(None, &own), Ok(user("prodpin", "glpat-2")));
    assert_eq!(find(None, &own[1..]), Ok(Credentials::Anonymous), "it names no source");
    let named = [own[0], ("PRODPIN_MY_SHOP_1_USERNAME", "bot"), ("PRODPIN_MY_SHOP_1_PASSWORD", "4")];
    assert_eq!(find(Some("glpat-1"), &named), Ok(user("bot", "4")));
    assert_eq!(find_with("https://r.example", None, None, &own), Ok(Credentials::Anonymous));
}

#[test]
fn half_a_pair_is_an_error_and_shows_no_secret_i18() {
    for error in [
        find_with("https://r.example", None, Some("hunter2"), &[]),
        find_with("https://r.example", None, None, &[("PRODPIN_PASSWORD", "hunter2")]),
        find_with("https://r.example", Some("a:b"), Some("hunter2"), &[]),
    ] {
        let error = error.unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn passwords_stay_off_plain_http_except_on_this_machine_i18() {
    assert!(find_with("http://r.example", Some("u"), Some("p"), &[]).is_err());
    assert!(find_with("http://10.0.0.1:5000", Some("u"), Some("p"), &[]).is_err());
    assert_eq!(find_with("http://127.0.0.1:5000", Some("u"), Some("p"), &[]), Ok(user("u", "p")));
    assert_eq!(find_with("http://r.example", None, None, &[]), Ok(Credentials::Anonymous));
}

#[test]
fn a_secret_prints_as_nothing_i18() {
    let credentials = user("u", "hunter2");
    assert!(!format!("{credentials:?} {:?}", credentials.basic()).contains("hunter2"));
    assert!(authorization("Bearer", "a\r\nX-Evil: 1").is_none(), "F79");
}

/// Where nothing else has a login, and registry and interface are Google's own, Google's own tools are asked for one.
#[tokio::test]
async fn googles_own_tools_come_last_and_for_google_alone_i18() {
    const OWN: (&str, &str) = ("https://europe-docker.pkg.dev", "https://artifactregistry.googleapis.com");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    // It signs nothing: whoever is asked for it says so.
    std::fs::write(&path, r#"{"type":"service_account","client_email":"prodpin@acme.example"}"#).unwrap();
    let google = |api: &str| RegistryInterface::Gar { api: api.parse().unwrap(), location: "europe".into() };
    let named = [("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap())];
    let own = [named[0], ("PRODPIN_MY_SHOP_1_USERNAME", "own"), ("PRODPIN_MY_SHOP_1_PASSWORD", "1")];
    let asked = async |interface, url, variables: &[(&str, &str)]| {
        let keys = keys_in(interface, url, (None, None), variables).unwrap();
        assert!(!keys.is_reported_by("prodpin@acme.example"), "nobody was asked yet");
        keys.get().await.map_err(|fault| fault.detail)
    };
    assert_eq!(asked(google(OWN.1), OWN.0, &own).await, Ok(user("own", "1")));
    assert_eq!(asked(google(OWN.1), OWN.0, &[]).await, Ok(Credentials::Anonymous));
    for (registry, api) in [OWN, ("http://127.0.0.1:5000", "http://127.0.0.1:5001"), (OWN.0, "http://localhost:5001")] {
        let refused = asked(google(api), registry, &named).await.unwrap_err();
        assert!(refused.contains("key.json"), "{registry}, {api}: {refused}");
    }
    for (registry, api) in [
        ("https://registry.example", OWN.1),
        ("https://europe-docker.pkg.dev.example", OWN.1),
        ("https://europe-docker.pkg.dev:8443", OWN.1),
        ("http://europe-docker.pkg.dev", OWN.1),
        (OWN.0, "https://artifactregistry.googleapis.com.example"),
        (OWN.0, "https://artifactregistry.googleapis.com:8443"),
        (OWN.0, "http://artifactregistry.googleapis.com"),
        ("http://127.0.0.1:5000", "https://api.example"),
    ] {
        assert_eq!(asked(google(api), registry, &named).await, Ok(Credentials::Anonymous), "{registry}, {api}");
    }
    assert_eq!(asked(RegistryInterface::None, OWN.0, &named).await, Ok(Credentials::Anonymous));
}
