//! Where the credentials of a source come from, first match wins: the policy, the environment, the configuration of
//! Docker or Podman, and only then nobody. Whatever is there and broken is an error: going on as nobody would look
//! like a registry that lost its repositories.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;

use super::host::RegistryHost;
use super::surroundings::Surroundings;
use super::{OciError, docker_config};
use crate::model::SourceName;
use crate::policy::{OciConfig, Secret};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Anonymous,
    Password {
        username: String,
        password: Secret,
    },
    /// What `docker login` keeps of some registries: good for getting tokens, not for the registry itself.
    Identity(Secret),
    /// A bearer token for the registry itself.
    Token(Secret),
}

impl Credentials {
    /// The `Authorization` of a user with a password; none for everyone else.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password { username, password } = self else { return None };
        authorization("Basic", &BASE64_STANDARD.encode(format!("{username}:{}", password.expose())))
    }
}

/// An `Authorization` that prints as nothing; none if the secret cannot stand in a header (F79).
pub(super) fn authorization(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Finds the credentials of a source.
pub(super) fn find(
    name: &SourceName,
    config: &OciConfig,
    host: &RegistryHost,
    surroundings: &Surroundings,
) -> Result<Credentials, OciError> {
    let found = match from_policy(name, config)? {
        Some(found) => found,
        None => match from_environment(name, surroundings)? {
            Some(found) => found,
            None => docker_config::find(host, surroundings)?.unwrap_or(Credentials::Anonymous),
        },
    };
    if found != Credentials::Anonymous && host.is_plain() && !host.is_loopback() {
        let reason = "there are credentials for it, and without TLS everyone on the way could read them; use https, or \
                      take the credentials away";
        return Err(OciError::Credentials { origin: format!("http://{}", host.shown()), reason: reason.to_owned() });
    }
    Ok(found)
}

fn from_policy(name: &SourceName, config: &OciConfig) -> Result<Option<Credentials>, OciError> {
    let origin = || format!("source {name}");
    pair(config.username.clone(), config.password.clone(), origin, "`username`", "`password`")
}

fn from_environment(name: &SourceName, surroundings: &Surroundings) -> Result<Option<Credentials>, OciError> {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let own: String = name.as_str().chars().map(upper).collect();
    for prefix in [format!("PRODPIN_{own}"), "PRODPIN".to_owned()] {
        let (user, word) = (format!("{prefix}_USERNAME"), format!("{prefix}_PASSWORD"));
        let get = |name: &str| surroundings.environment.get(name).map(str::to_owned);
        let found = pair(get(&user), get(&word).map(Secret::new), || "the environment".to_owned(), &user, &word)?;
        if found.is_some() && prefix == "PRODPIN" && surroundings.several_registries {
            return Err(OciError::Credentials {
                origin: "the environment".to_owned(),
                reason: format!(
                    "{user} and {word} name no source, and this policy has several registries, which would all see \
                     them; set PRODPIN_{own}_USERNAME and PRODPIN_{own}_PASSWORD"
                ),
            });
        }
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn pair(
    username: Option<String>,
    password: Option<Secret>,
    origin: impl Fn() -> String,
    user_key: &str,
    password_key: &str,
) -> Result<Option<Credentials>, OciError> {
    let lacking = |has: &str, lacks: &str| OciError::Credentials {
        origin: origin(),
        reason: format!("{has} is set and {lacks} is not; set both or neither"),
    };
    match (username, password) {
        (Some(username), Some(password)) => match checked(username, password) {
            Ok(found) => Ok(Some(found)),
            Err(reason) => Err(OciError::Credentials { origin: origin(), reason: reason.to_owned() }),
        },
        (Some(_), None) => Err(lacking(user_key, password_key)),
        (None, Some(_)) => Err(lacking(password_key, user_key)),
        (None, None) => Ok(None),
    }
}

/// A user and a password that can be sent. The user `<token>` is Docker's way to say that it is an identity token.
pub(super) fn checked(username: String, password: Secret) -> Result<Credentials, &'static str> {
    if username.contains(':') || username.chars().any(char::is_control) {
        return Err("a user name cannot hold a colon or a control character");
    }
    Ok(match username.as_str() {
        "<token>" => Credentials::Identity(password),
        _ => Credentials::Password { username, password },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NamePatterns;
    use crate::sources::oci::surroundings::Environment;

    fn find_with(
        url: &str,
        user: Option<&str>,
        password: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Credentials, String> {
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
        };
        let environment = Environment::of(variables.iter().copied());
        let several_registries = environment.get("SEVERAL").is_some();
        let surroundings = Surroundings { environment, several_registries, ..Surroundings::default() };
        let host = RegistryHost::new(&config.url).unwrap();
        find(&"my-shop.1".parse().unwrap(), &config, &host, &surroundings).map_err(|error| error.to_string())
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
    }

    #[test]
    fn credentials_that_name_no_source_go_to_one_registry_only_i18() {
        let any = [("PRODPIN_USERNAME", "any"), ("PRODPIN_PASSWORD", "hunter2"), ("SEVERAL", "1")];
        let told = find_with("https://r.example", None, None, &any).unwrap_err();
        assert!(told.contains("set PRODPIN_MY_SHOP_1_USERNAME") && !told.contains("hunter2"), "{told}");
        assert_eq!(find_with("https://r.example", Some("p"), Some("3"), &any), Ok(user("p", "3")));
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
}
