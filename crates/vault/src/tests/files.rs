//! Targets that are one file each: kept once, held to what their source says of them, and told apart.

use prodpin_core::model::ArtifactId;
use prodpin_sources::file::{FileFacts, Files, Sum, SumKind};

use super::drills::Counter;
use super::*;

/// A source of one file.
struct Drawer {
    bytes: Bytes,
    facts: FileFacts,
    /// A body breaks off after so many bytes of each answer.
    breaks_after: Option<usize>,
    asked: AtomicUsize,
    served: AtomicUsize,
}

impl Drawer {
    /// Of which nothing but the size is known.
    fn of(bytes: &[u8]) -> Self {
        let notes = BTreeMap::from([("key".to_owned(), "api/1.0.0/bundle.zip".to_owned())]);
        let facts = FileFacts { size: Some(bytes.len() as u64), notes, ..FileFacts::default() };
        let (asked, served) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { bytes: Bytes::copy_from_slice(bytes), facts, breaks_after: None, asked, served }
    }
}

#[async_trait]
impl Files for Drawer {
    async fn facts(&self, _: &RepositoryName, _: &ArtifactId) -> Result<FileFacts, Lost> {
        Ok(self.facts.clone())
    }

    async fn file(
        &self,
        _: &RepositoryName,
        _: &ArtifactId,
        _: &FileFacts,
        from: u64,
        to: &mut dyn Taker,
    ) -> Result<(), Lost> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        to.begin(from).await?;
        for (number, piece) in self.bytes.slice(from as usize..).chunks(7).enumerate() {
            if number * 7 >= self.breaks_after.unwrap_or(usize::MAX) {
                return Err(Fault::new(Cause::Unreachable, "the connection broke").into());
            }
            self.served.fetch_add(piece.len(), Ordering::Relaxed);
            to.take(Bytes::copy_from_slice(piece)).await?;
        }
        Ok(())
    }
}

fn version(id: &str) -> ArtifactId {
    format!("api/1.0.0/bundle.zip?versionId={id}").parse().unwrap()
}

async fn keep_file(vault: &Vault, drawer: &Drawer, artifact: &ArtifactId) -> Result<Entry, Failure> {
    let tags: [Tag; 1] = ["api/1.0.0/bundle.zip".parse().unwrap()];
    let repository = key("api");
    vault.keep_file(&FileTarget { repository: &repository, artifact, tags: &tags }, drawer, &|| false).await
}

#[tokio::test]
async fn a_file_is_read_once_and_found_by_what_its_source_calls_it_i27() {
    for knows_hash in [true, false] {
        let mut drawer = Drawer::of(b"a bundle of some length");
        drawer.breaks_after = Some(14);
        drawer.facts.digest = knows_hash.then(|| Digest::sha256(&drawer.bytes));
        let vault = vault();
        let entry = keep_file(&vault, &drawer, &version("a")).await.unwrap();
        assert_eq!(entry.artifact(), version("a"));
        assert_eq!(drawer.served.load(Ordering::Relaxed), drawer.bytes.len(), "what broke off is carried on");
        let closure = vault.whole_file(&key("api"), &version("a")).await.unwrap();
        let kept = kept_file(&closure).unwrap();
        assert_eq!((kept.digest.clone(), kept.size), (Digest::sha256(&drawer.bytes), drawer.bytes.len() as u64));
        assert_eq!(kept.notes, drawer.facts.notes);
        let before = names(&vault).await;
        keep_file(&vault, &drawer, &version("a")).await.unwrap();
        assert_eq!((names(&vault).await, drawer.served.load(Ordering::Relaxed)), (before, drawer.bytes.len()));
        assert!(matches!(vault.whole_file(&key("api"), &version("b")).await, Err(Unwhole::NoEntry)));
        assert!(matches!(vault.whole_file(&key("web"), &version("a")).await, Err(Unwhole::NoEntry)));
    }
}

/// Two versions of the same bytes share them, and leave one by one.
#[tokio::test]
async fn versions_share_bytes_and_leave_one_by_one_i27() {
    let (vault, mut drawer) = (vault(), Drawer::of(b"the same"));
    keep_file(&vault, &drawer, &version("a")).await.unwrap();
    let entries = names(&vault).await.len();
    drawer.facts.notes.insert("version".to_owned(), "b".to_owned());
    keep_file(&vault, &drawer, &version("b")).await.unwrap();
    // One more manifest, and one more entry.
    assert_eq!(names(&vault).await.len(), entries + 2);
    let leaving = vault.leaving(|entry| entry.artifact() == version("a")).await.unwrap();
    vault.release(&leaving).await.unwrap();
    assert!(matches!(vault.whole_file(&key("api"), &version("a")).await, Err(Unwhole::NoEntry)));
    assert!(vault.whole_file(&key("api"), &version("b")).await.is_ok());
}

#[tokio::test]
async fn bytes_that_contradict_their_source_are_not_kept_f104() {
    let good = b"123456789";
    let facts = |kind, value| {
        let sums = vec![Sum::read(kind, value).unwrap()];
        FileFacts { sums, ..Drawer::of(good).facts }
    };
    let hash = FileFacts { digest: Some(Digest::sha256(good)), ..Drawer::of(good).facts };
    let cases = [
        facts(SumKind::Crc32, "y/Q5Jg=="),
        facts(SumKind::Crc64Nvme, "rosUhgp5mIg="),
        facts(SumKind::Md5Etag, "25f9e794323b453885f5181f1b624d0b"),
        hash,
    ];
    for facts in cases {
        let sound = Drawer { facts: facts.clone(), ..Drawer::of(good) };
        assert!(keep_file(&vault(), &sound, &version("a")).await.is_ok(), "{facts:?}");
        assert_eq!(prove(&sound).await, FileProof::Held, "{facts:?}");
        for bytes in [&b"123456780"[..], b"12345678", b"1234567890"] {
            let rotten = Drawer { facts: facts.clone(), ..Drawer::of(bytes) };
            let vault = vault();
            let failure = keep_file(&vault, &rotten, &version("a")).await.unwrap_err();
            assert!(matches!(failure.lack, Lack::WrongBytes | Lack::Unread), "{failure:?}");
            assert!(names(&vault).await.is_empty(), "{facts:?}");
            assert!(matches!(prove(&rotten).await, FileProof::Wrong(..)), "{facts:?}");
        }
    }
    let unsaid = Drawer::of(good);
    assert!(matches!(prove(&unsaid).await, FileProof::Unsaid(_)), "nothing says what it should be");
}

async fn prove(drawer: &Drawer) -> FileProof {
    let (name, counter) = ("api".parse().unwrap(), Counter::default());
    Drilling::default().prove_file(drawer, (&name, &version("a")), &drawer.facts, &counter).await.0
}
