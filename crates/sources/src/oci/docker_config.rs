//! What `docker login` and `podman login` left behind: `config.json`, `auth.json`, and the helpers they name.

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::OciError;
use super::credentials::{Credentials, checked};
use super::environment::HttpEnvironment;
use super::host::{RegistryHost, is_hub};
use prodpin_net::child;
use prodpin_policy::Secret;

/// The key under which Docker keeps the credentials of Docker Hub, for ever.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A larger file is no configuration.
const MOST_BYTES: u64 = 4 << 20;

/// What matters of `config.json` and `auth.json`, read as Go reads it: in any case, and `null` as absent. What is odd in
/// another registry's entry concerns nobody here.
#[derive(Default)]
struct File {
    auths: Vec<(String, Value)>,
    helpers: Vec<(String, String)>,
    store: String,
}

impl File {
    /// The error names a place only: what stands there may be a secret (I18).
    fn read(bytes: &[u8]) -> Result<Self, String> {
        // Installers leave empty files, and editors a byte order mark.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let file: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
        let members = |name: &str| match field(&file, name) {
            Value::Null => Ok(Vec::new()),
            Value::Object(members) => Ok(members.iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
            _ => Err(format!("`{name}` is no object")),
        };
        if !file.is_object() {
            return Err("no object".to_owned());
        }
        let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        Ok(Self {
            auths: members("auths")?,
            helpers: members("credHelpers")?.into_iter().filter_map(text).collect(),
            store: field(&file, "credsStore").as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// A member by its name, else in any case.
fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    let Value::Object(members) = value else { return &Value::Null };
    let other = || members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    members.get(name).or_else(other).unwrap_or(&Value::Null)
}

/// Base64 with or without its padding: both are written.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// What the files say of a registry.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// Credentials that stand in a file.
    Ready(Credentials),
    /// A program that has to be asked. That may take its time, so it is done when the registry wants to know who asks
    /// (F108).
    Ask(Helper),
}

/// A credential helper, and what holds if it knows nothing of the registry.
#[derive(Debug, Clone)]
pub(super) struct Helper {
    program: String,
    server: String,
    file: PathBuf,
    otherwise: Result<Option<Box<Found>>, OciError>,
}

/// Looks through the files in the order in which they were named on purpose.
pub(super) fn find(host: &RegistryHost, environment: &HttpEnvironment) -> Result<Option<Found>, OciError> {
    search(&files(environment), host)
}

fn search(files: &[(PathBuf, bool)], host: &RegistryHost) -> Result<Option<Found>, OciError> {
    for (at, (path, required)) in files.iter().enumerate() {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && !required => continue,
            Err(error) => return Err(fail(path, format!("cannot be read: {error}"))),
        };
        let file = File::read(&bytes)
            .map_err(|place| fail(path, format!("is no configuration of Docker ({place}); log in again or mend it")))?;
        let entry = || {
            let entry = file.auths.iter().find(|(key, _)| means(key, host)).map(|(_, entry)| entry);
            entry.map_or(Ok(None), |entry| in_entry(entry, path))
        };
        if let Some(name) = helper_of(&file, host) {
            let (program, server) = helper_call(name, host).map_err(|reason| fail(path, reason))?;
            let otherwise = entry().and_then(|entry| match entry {
                Some(entry) => Ok(Some(Box::new(Found::Ready(entry)))),
                None => Ok(search(files.get(at + 1..).unwrap_or_default(), host)?.map(Box::new)),
            });
            return Ok(Some(Found::Ask(Helper { program, server, file: path.clone(), otherwise })));
        }
        if let Some(entry) = entry()? {
            return Ok(Some(Found::Ready(entry)));
        }
    }
    Ok(None)
}

impl Found {
    /// The credentials, after asking whoever has to be asked.
    pub(super) async fn resolve(
        &self,
        environment: &HttpEnvironment,
        deadline: Option<Instant>,
    ) -> Result<Option<Credentials>, OciError> {
        let mut found = self;
        loop {
            let helper = match found {
                Self::Ready(credentials) => return Ok(Some(credentials.clone())),
                Self::Ask(helper) => helper,
            };
            let helped = helper.ask(environment, deadline).await.map_err(|reason| fail(&helper.file, reason))?;
            match (helped, &helper.otherwise) {
                (Some(helped), _) => return Ok(Some(helped)),
                (None, Ok(Some(otherwise))) => found = otherwise,
                (None, Ok(None)) => return Ok(None),
                (None, Err(error)) => return Err(error.clone()),
            }
        }
    }
}

fn files(environment: &HttpEnvironment) -> Vec<(PathBuf, bool)> {
    let variables = &environment.variables;
    let home = variables.path("HOME").or_else(|| variables.path("USERPROFILE"));
    let docker = variables.path("DOCKER_CONFIG");
    [
        docker.clone().map(|folder| (folder.join("config.json"), false)),
        variables.path("REGISTRY_AUTH_FILE").map(|file| (file, true)),
        home.clone().filter(|_| docker.is_none()).map(|home| (home.join(".docker/config.json"), false)),
        variables.path("XDG_RUNTIME_DIR").map(|folder| (folder.join("containers/auth.json"), false)),
        // Where podman keeps it if there is no runtime directory.
        variables
            .path("XDG_CONFIG_HOME")
            .or_else(|| home.map(|home| home.join(".config")))
            .map(|folder| (folder.join("containers/auth.json"), false)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Asked before opening: opening a named pipe would wait for a writer (F80).
    let found = std::fs::metadata(path)?;
    if !found.is_file() && !found.is_dir() {
        return Err(std::io::Error::other("it is no file"));
    }
    std::fs::File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn fail(path: &Path, reason: impl Into<String>) -> OciError {
    OciError::Credentials { origin: path.display().to_string(), reason: reason.into() }
}

fn helper_of<'f>(file: &'f File, host: &RegistryHost) -> Option<&'f String> {
    let own = file.helpers.iter().find(|(key, _)| means(key, host)).map(|(_, helper)| helper);
    Some(own.unwrap_or(&file.store)).filter(|helper| !helper.is_empty())
}

/// Whether a key of the file means this registry: a host, or the address of its API in one of its old spellings. Keys
/// that name one namespace of a host are for that namespace, and a source is more than that.
fn means(key: &str, host: &RegistryHost) -> bool {
    path_at(key, host).is_some_and(|path| matches!(path, "" | "v1" | "v1/" | "v2" | "v2/"))
}

/// What a key says behind this registry's name; none if it is about another one.
fn path_at<'k>(key: &'k str, host: &RegistryHost) -> Option<&'k str> {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (name, path) = bare.split_once('/').unwrap_or((bare, ""));
    (name.eq_ignore_ascii_case(host.shown()) || (is_hub(name) && host.is_hub())).then_some(path)
}

/// So many keys are named to a person.
const KEYS_NAMED: usize = 3;

/// What the files have for parts of this registry alone, as podman keeps it (`HOST/team`), for a person who wonders why
/// it is not used. Asked only where nothing else was found.
pub(super) fn for_parts(host: &RegistryHost, environment: &HttpEnvironment) -> Option<String> {
    for (path, _) in files(environment) {
        let Some(file) = read(&path).ok().and_then(|bytes| File::read(&bytes).ok()) else { continue };
        let names = file.auths.iter().map(|(key, _)| key).chain(file.helpers.iter().map(|(key, _)| key));
        let of_parts = names.filter(|key| path_at(key, host).is_some() && !means(key, host));
        let mut keys: Vec<String> = of_parts.take(KEYS_NAMED + 1).map(|key| format!("{key:.80?}")).collect();
        if keys.is_empty() {
            continue;
        }
        if keys.len() > KEYS_NAMED {
            keys.truncate(KEYS_NAMED);
            keys.push("…".to_owned());
        }
        let keys = keys.join(", ");
        return Some(format!(
            "{} has credentials for {keys} alone, and a source uses only those for all of {host}: log in there (`docker \
             login {host}`), or set `username` and `password` on the source",
            path.display(),
            host = host.shown(),
        ));
    }
    None
}

fn in_entry(entry: &Value, path: &Path) -> Result<Option<Credentials>, OciError> {
    let text = |name: &str| field(entry, name).as_str().unwrap_or_default();
    if !text("identitytoken").is_empty() {
        return Ok(Some(Credentials::Identity(Secret::new(text("identitytoken")))));
    }
    if !text("registrytoken").is_empty() {
        return Ok(Some(Credentials::Token(Secret::new(text("registrytoken")))));
    }
    let (username, password) = if text("auth").is_empty() {
        (text("username").to_owned(), text("password").to_owned())
    } else {
        let decoded = BASE64.decode(text("auth").trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        // Docker once padded the password with NUL, and `echo` ends it with a line feed.
        let end: &[char] = &['\0', '\n', '\r'];
        let split = decoded.as_deref().map(|text| text.trim_end_matches(end)).and_then(|text| text.split_once(':'));
        let Some((username, password)) = split else {
            return Err(fail(path, "holds an `auth` that is not base64 of USER:PASSWORD; log in again"));
        };
        (username.to_owned(), password.to_owned())
    };
    if username.is_empty() {
        return Ok(None);
    }
    checked(username, Secret::new(password)).map(Some).map_err(|reason| fail(path, reason))
}

/// `docker-credential-NAME` and what it is asked about. The name comes from a file, so it may only be a name: no path, no
/// option.
fn helper_call(helper: &str, host: &RegistryHost) -> Result<(String, String), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if helper.len() > 64 || !helper.bytes().all(plain) {
        return Err("names a credential helper that is no plain name".to_owned());
    }
    let server = if host.is_hub() { HUB_KEY } else { host.shown() };
    Ok((format!("docker-credential-{helper}"), server.to_owned()))
}

impl Helper {
    /// Runs it with the server on its standard input, for as long as it may take.
    async fn ask(
        &self,
        environment: &HttpEnvironment,
        deadline: Option<Instant>,
    ) -> Result<Option<Credentials>, String> {
        let program = &self.program;
        let mut command = Command::new(program);
        command.arg("get");
        if let Some(path) = environment.variables.get("PATH") {
            command.env("PATH", path);
        }
        let asked = child::ask(command, self.server.as_bytes(), environment.timing.helper, deadline).await;
        let answered = asked.map_err(|fault| format!("names {program}, which {fault}; try `{program} get` by hand"))?;
        if !answered.success {
            // This sentence is the protocol: every helper says it when it knows nothing of the server.
            return match String::from_utf8_lossy(&answered.stdout).contains("credentials not found") {
                true => Ok(None),
                false => Err(format!("names {program}, which failed; try `{program} get` by hand")),
            };
        }
        let helped: Helped = serde_json::from_slice(&answered.stdout)
            .map_err(|_| format!("names {program}, whose answer is not what helpers answer"))?;
        if helped.username.is_empty() && helped.secret.is_empty() {
            return Ok(None);
        }
        checked(helped.username, Secret::new(helped.secret))
            .map(Some)
            .map_err(|reason| format!("names {program}, whose answer cannot be used: {reason}"))
    }
}
