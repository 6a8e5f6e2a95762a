//! What `docker login` and `podman login` left behind: `config.json`, `auth.json`, and the helpers they name.

mod image;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use tokio::process::Command;

pub(super) use self::image::for_image;
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
    /// Members that are something else than they should be, and so hold nothing that could be read.
    odd: Vec<&'static str>,
}

impl File {
    /// The error names a place only: what stands there may be a secret (I18).
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = text_of(bytes);
        // Installers leave empty files.
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // Docker reads the first document, whatever follows it.
        let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next();
        let file = first
            .unwrap_or(Ok(Value::Null))
            .map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
        if !matches!(file, Value::Object(_) | Value::Null) {
            return Err("no object".to_owned());
        }
        let mut odd = Vec::new();
        let mut members = |name: &'static str| match field(&file, name) {
            Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            // Some languages write an empty object as an empty list.
            Value::Null => Vec::new(),
            Value::Array(list) if list.is_empty() => Vec::new(),
            Value::String(text) if text.is_empty() => Vec::new(),
            _ => {
                odd.push(name);
                Vec::new()
            }
        };
        let (auths, helpers) = (members("auths"), members("credHelpers"));
        let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        Ok(Self {
            auths,
            helpers: helpers.into_iter().filter_map(text).collect(),
            store: field(&file, "credsStore").as_str().unwrap_or_default().to_owned(),
            odd,
        })
    }
}

/// A file's text. Windows' shells write UTF-16, editors a mark in front, and of bytes that are none other readers make a
/// replacement.
fn text_of(bytes: &[u8]) -> String {
    let word: Option<fn([u8; 2]) -> u16> = match bytes {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    if let Some(word) = word {
        let words: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| word([pair[0], pair[1]])).collect();
        return String::from_utf16_lossy(&words);
    }
    let text = String::from_utf8_lossy(bytes);
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
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
    // Of files that were passed over: what in them could not be read.
    let mut odd = None;
    for (at, (path, required)) in files.iter().enumerate() {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && !required => continue,
            Err(error) => return Err(fail(path, format!("cannot be read: {error}"))),
        };
        let file = File::read(&bytes)
            .map_err(|place| fail(path, format!("is no configuration of Docker ({place}); log in again or mend it")))?;
        // One registry may be there under several spellings, of which some are empty.
        let entry = || {
            let mut entries = file.auths.iter().filter(|(key, _)| means(key, host));
            entries.find_map(|(key, entry)| in_entry(key, entry, path).transpose()).transpose()
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
        odd = odd.or_else(|| Some((path, *file.odd.first()?)));
    }
    // What could not be read may have been for this registry. To go on as nobody would look like a registry that lost its
    // repositories.
    match odd {
        Some((path, member)) => Err(fail(
            path,
            format!(
                "is no configuration of Docker (`{member}` is no object), and nothing else has credentials for {}; log in \
                 again or mend it",
                host.shown()
            ),
        )),
        None => Ok(None),
    }
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
    let key = key.trim();
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| key.get(..scheme.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(scheme)));
    let bare = &key[scheme.map_or(0, str::len)..];
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

fn in_entry(key: &str, entry: &Value, path: &Path) -> Result<Option<Credentials>, OciError> {
    let text = |name: &str| field(entry, name).as_str().unwrap_or_default();
    let odd = ["auth", "identitytoken", "registrytoken"]
        .into_iter()
        .find(|name| !matches!(field(entry, name), Value::Null | Value::String(_)));
    match (entry, odd) {
        (Value::Object(_) | Value::Null, None) => {}
        (Value::Object(_), Some(_)) if !text("username").is_empty() => {}
        (Value::Object(_), Some(name)) => {
            return Err(fail(path, format!("has an entry {key:.80?} whose `{name}` is no text; log in again")));
        }
        _ => return Err(fail(path, format!("has an entry {key:.80?} that is no object; log in again"))),
    }
    if !text("identitytoken").is_empty() {
        return Ok(Some(Credentials::Identity(Secret::new(text("identitytoken")))));
    }
    if !text("registrytoken").is_empty() {
        return Ok(Some(Credentials::Token(Secret::new(text("registrytoken")))));
    }
    let (username, password) = if text("auth").is_empty() {
        (text("username").to_owned(), text("password").to_owned())
    } else {
        // `base64` breaks long lines.
        let auth: String = text("auth").split_ascii_whitespace().collect();
        let decoded = BASE64.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        // Docker once padded the password with NUL, and `echo` ends it with a line feed.
        let end: &[char] = &['\0', '\n', '\r'];
        let split = decoded.as_deref().map(|text| text.trim_end_matches(end)).and_then(|text| text.split_once(':'));
        let Some((username, password)) = split else {
            let detail = format!("has an entry {key:.80?} whose `auth` is not base64 of USER:PASSWORD; log in again");
            return Err(fail(path, detail));
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
        let helped = serde_json::from_str::<Value>(text_of(&answered.stdout).trim()).ok().filter(Value::is_object);
        let helped = helped.ok_or_else(|| format!("names {program}, whose answer is not what helpers answer"))?;
        let text = |name: &str| field(&helped, name).as_str();
        let (username, secret) = match (text("Username"), text("Secret")) {
            (None | Some(""), None | Some("")) if helped.get("ServerURL").is_some() => return Ok(None),
            (Some(""), Some("")) => return Ok(None),
            (Some(username), Some(secret)) => (username.to_owned(), secret),
            _ => return Err(format!("names {program}, whose answer is not what helpers answer")),
        };
        checked(username, Secret::new(secret))
            .map(Some)
            .map_err(|reason| format!("names {program}, whose answer cannot be used: {reason}"))
    }
}
