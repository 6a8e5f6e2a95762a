//! The key that signs checkpoints: from a file, made at its first use, from the environment, or in AWS KMS.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

use super::LedgerError;
use super::kms::KmsKey;
use super::signature::VerifierKey;
use prodpin_policy::{KeyLocation, LedgerLocation, Safeguards};

/// Keys are a line or two.
const KEY_FILE_CAP: u64 = 64 << 10;

/// The key that signs, and the one that signed before.
#[derive(Debug)]
pub(super) struct Keys {
    current: Key,
    /// It only ever signs the commit that hands over.
    previous: Option<Key>,
    /// The key that nobody has any more.
    lost: Option<VerifierKey>,
}

pub(super) enum Key {
    Held(SigningKey),
    Kms(KmsKey),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Keys {
    /// The keys that the policy names for a ledger at this place, whose head is signed by the known key; none if its
    /// checkpoints are not signed. A key is made only where none is known: a new one beside a ledger that another key
    /// signed would look as if it were that one.
    pub(super) async fn load(
        safeguards: &Safeguards,
        location: &LedgerLocation,
        name: &str,
        known: Option<&VerifierKey>,
    ) -> Result<Option<Self>, LedgerError> {
        let reported = |detail: String| LedgerError::Key { location: name.to_owned(), detail };
        let lost = safeguards.lost_key.as_deref().map(|text| {
            let said = "ledger_key.lost is no verifier key; copy the whole line as `prodpin verify` prints it";
            VerifierKey::parse(text).ok_or_else(|| reported(said.to_owned()))
        });
        let lost = lost.transpose()?;
        let previous = match &safeguards.previous_key {
            Some(place) => Some(Key::load(place, false).await.map_err(reported)?.ok_or_else(|| {
                reported("the key that the policy names as `previous` is not there; name another file".to_owned())
            })?),
            None => None,
        };
        let make = known.is_none_or(|known| previous.is_some() || lost.as_ref() == Some(known));
        let current = Self::current(safeguards, location, make).await.map_err(reported)?;
        Ok(current.map(|current| Self { current, previous, lost }))
    }

    /// The key that is there already, if it can be used: for what is no commit.
    pub(super) async fn at_hand(safeguards: &Safeguards, location: &LedgerLocation) -> Option<Self> {
        let current = Self::current(safeguards, location, false).await.ok().flatten()?;
        Some(Self { current, previous: None, lost: None })
    }

    /// The key that signs now; none if checkpoints are not signed. `make`: whether this may be its first use.
    pub(super) async fn current(
        safeguards: &Safeguards,
        location: &LedgerLocation,
        make: bool,
    ) -> Result<Option<Key>, String> {
        match (&safeguards.key, location) {
            (KeyLocation::Usual, LedgerLocation::Directory(directory)) => Ok(beside(directory, make)?.map(Key::Held)),
            (KeyLocation::Usual | KeyLocation::None, _) => Ok(None),
            (place, _) => Key::load(place, make).await,
        }
    }

    /// The key that signs, under a log's name.
    pub(super) fn verifier(&self, origin: &str) -> VerifierKey {
        VerifierKey::new(origin, self.current.public())
    }

    /// Whether this is the key that signed before, so that it can hand over.
    pub(super) fn hands_over_from(&self, key: &VerifierKey) -> bool {
        self.previous.as_ref().is_some_and(|previous| key.is(previous.public()))
    }

    /// Whether the policy says that nobody has this key any more.
    pub(super) fn gives_up(&self, key: &VerifierKey) -> bool {
        self.lost.as_ref() == Some(key)
    }

    /// The signature lines for a checkpoint: the key's own comes last, so that one that stands whole means that all do.
    pub(super) async fn sign(&self, origin: &str, body: &[u8], hand_over: bool) -> Result<Vec<u8>, String> {
        let mut lines = Vec::new();
        for key in self.previous.iter().filter(|_| hand_over).chain([&self.current]) {
            lines.extend(VerifierKey::new(origin, key.public()).line(&key.sign(body).await?));
        }
        Ok(lines)
    }
}

impl Key {
    /// The key at a place; none if there is no such file, and none is to be made.
    async fn load(place: &KeyLocation, make: bool) -> Result<Option<Self>, String> {
        match place {
            KeyLocation::File(path) if make => Ok(Some(Self::Held(read_or_make(path)?))),
            KeyLocation::File(path) => Ok(read(path)?.map(Self::Held)),
            KeyLocation::Text(text) => {
                let key = parse(text.expose());
                Ok(Some(Self::Held(key.ok_or("PRODPIN_LEDGER_KEY holds no key: put a key file's text into it")?)))
            }
            KeyLocation::Kms(name) => Ok(Some(Self::Kms(KmsKey::open(name).await?))),
            KeyLocation::Usual | KeyLocation::None => Ok(None),
        }
    }

    fn public(&self) -> &VerifyingKey {
        match self {
            Self::Held(key) => key.as_ref(),
            Self::Kms(key) => key.public(),
        }
    }

    /// The public key, in Base64, behind the name of its algorithm.
    pub(super) fn spelled(&self) -> String {
        format!("ed25519:{}", STANDARD.encode(self.public().as_bytes()))
    }

    /// The signature, waited for where nothing can be awaited. Only KMS is ever waited for, and only from a runtime
    /// with more than one thread, as the programs have.
    pub(super) fn sign_now(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Held(key) => Ok(key.sign(text).to_bytes().to_vec()),
            Self::Kms(key) => {
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(key.sign(text)))
            }
        }
    }

    async fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Held(key) => Ok(key.sign(text).to_bytes().to_vec()),
            Self::Kms(key) => key.sign(text).await,
        }
    }
}

/// `DIRECTORY.key`: outside the ledger, so that a copy of the ledger is no copy of the key. None where it would not
/// last, cannot be made or is not to be; that the ledger is then unsigned is reported by every report.
fn beside(directory: &Path, make: bool) -> Result<Option<SigningKey>, String> {
    let Some(path) = KeyLocation::beside(directory) else { return Ok(None) };
    if let Some(key) = read(&path)? {
        return Ok(Some(key));
    }
    if !make {
        return Ok(None);
    }
    if is_mount_point(directory) {
        // A container's volume: what is beside it ends with the container, and the next one would make another key.
        tracing::warn!(
            "no key is made beside {}, which is a mount point: name one with ledger_key",
            directory.display()
        );
        return Ok(None);
    }
    read_or_make(&path).map(Some).or_else(|detail| {
        tracing::warn!("{detail}");
        Ok(None)
    })
}

#[cfg(unix)]
fn is_mount_point(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    // What does not exist yet is made where its parent is.
    let Ok(directory) = directory.canonicalize() else { return false };
    device(&directory).is_some_and(|own| directory.parent().is_some_and(|parent| device(parent) != Some(own)))
}

#[cfg(not(unix))]
fn is_mount_point(_: &Path) -> bool {
    false
}

fn read_or_make(path: &Path) -> Result<SigningKey, String> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    make(path)?;
    // Another first user may have been quicker: its key is the one that stands there.
    read(path)?.ok_or_else(|| format!("the key at {} was removed while it was made", path.display()))
}

/// Makes the key file of a ledger, unless it is there; says whether it made it. A container or a function is given the text
/// of it, because what it makes for itself would end with it.
pub fn make_key(path: &Path) -> Result<bool, String> {
    let there = read(path)?.is_some();
    read_or_make(path)?;
    Ok(!there)
}

/// The key in a file; none if there is no such file.
fn read(path: &Path) -> Result<Option<SigningKey>, String> {
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read the key at {shown}: {error}")),
    };
    // Asked before opening: opening a named pipe would wait for a writer.
    if !metadata.is_file() {
        return Err(format!("{shown} is no file, and so no key"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Kubernetes mounts secrets readable by a group.
        if metadata.permissions().mode() & 0o007 != 0 {
            return Err(format!("others on this machine may use the key at {shown}: chmod o= {shown}"));
        }
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| format!("cannot read the key at {shown}: {error}"))?;
    file.take(KEY_FILE_CAP)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the key at {shown}: {error}"))?;
    parse(&text).map(Some).ok_or_else(|| format!("{shown} holds no signing key: name another file"))
}

/// Makes a key, for its owner's eyes only, whole or not at all.
fn make(path: &Path) -> Result<(), String> {
    let reported = |error: std::io::Error| {
        format!(
            "cannot make a key at {}: {error}; name a file with ledger_key in the policy, or give PRODPIN_LEDGER_KEY",
            path.display()
        )
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| reported(std::io::Error::other(error)))?;
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(reported)?;
    file.write_all(text(&SigningKey::from_bytes(&seed)).as_bytes()).map_err(reported)?;
    file.as_file().sync_all().map_err(reported)?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(refused) => return Err(reported(refused.error)),
    }
    std::fs::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(reported)
}

/// As note-signing tools write keys. The name in it is not used: a key signs under each log's own.
fn text(key: &SigningKey) -> String {
    let public = VerifierKey::new(NAME, &key.verifying_key());
    let bytes = [&[1][..], key.as_bytes()].concat();
    format!("PRIVATE+KEY+{NAME}+{}+{}\n", public.id(), STANDARD.encode(bytes))
}

const NAME: &str = "prodpin";

fn parse(text: &str) -> Option<SigningKey> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let mut parts = line.strip_prefix("PRIVATE+KEY+")?.splitn(3, '+');
    let (name, id, bytes) = (parts.next()?, parts.next()?, STANDARD.decode(parts.next()?).ok()?);
    let (1, seed) = bytes.split_first()? else { return None };
    let key = SigningKey::from_bytes(seed.try_into().ok()?);
    // The id is over the public half: a key with a wrong letter in it is noticed here.
    (VerifierKey::new(name, &key.verifying_key()).id() == id).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.key");
        assert!(read(&path).unwrap().is_none());
        let made = read_or_make(&path).unwrap();
        assert_eq!(beside(&folder.path().join("ledger"), false).unwrap().unwrap().to_bytes(), made.to_bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(read(&path).unwrap_err().contains("chmod"));
        }
        let other = folder.path().join("other");
        std::fs::write(&other, "# a note\n").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert!(read_or_make(&other).unwrap_err().contains("holds no signing key"), "what is there is never replaced");
        assert!(read_or_make(folder.path()).unwrap_err().contains("is no file"));
    }

    #[test]
    fn a_key_with_one_wrong_letter_is_no_key() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let line = text(&key);
        assert_eq!(parse(&format!("# made by hand\n\n{line}")).unwrap().to_bytes(), key.to_bytes());
        for at in 12..line.len() - 1 {
            let mut wrong = line.clone().into_bytes();
            wrong[at] = if wrong[at] == b'B' { b'C' } else { b'B' };
            assert!(parse(&String::from_utf8(wrong).unwrap()).is_none(), "at {at}");
        }
        assert!(!format!("{:?}", Keys { current: Key::Held(key), previous: None, lost: None }).contains("3, 3"), "I18");
    }
}
