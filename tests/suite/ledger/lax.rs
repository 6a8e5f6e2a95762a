//! A store that writes over what is there although it is asked not to, as Ceph's does in versioned buckets.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use prodpin::ledger::{Access, LedgerError};

use super::world::*;

#[derive(Debug, Default)]
struct Lax(InMemory);

impl fmt::Display for Lax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lax")
    }
}

#[async_trait]
impl ObjectStore for Lax {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.0.put_opts(location, payload, PutOptions { mode: PutMode::Overwrite, ..opts }).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        panic!("the ledger removes nothing")
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        panic!("the ledger copies nothing")
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_no_place_for_a_ledger_i14() {
    let store: Arc<dyn ObjectStore> = Arc::new(Lax::default());
    let seen = vec![tag_seen(1, &key("shop/api"), "v1", "a")];
    let error = writer(&store).await.commit(seen).await.map(drop).unwrap_err();
    assert!(matches!(&error, LedgerError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("a bucket without versioning"), "{error}");
    assert_eq!(names(&store, "checkpoint").await, Vec::<String>::new(), "nothing is on record that could be lost");
    assert!(open(&store, Access::Read).await.unwrap().head().is_none());
}

/// What was kept there before is read; it is only not added to.
#[tokio::test]
async fn a_ledger_that_is_there_is_still_read() {
    let lax = Arc::new(Lax::default());
    let (earlier, store): (Arc<dyn ObjectStore>, Arc<dyn ObjectStore>) = (Arc::new(InMemory::new()), lax.clone());
    writer(&earlier).await.commit(vec![tag_seen(1, &key("shop/api"), "v1", "a")]).await.unwrap();
    for name in names(&earlier, "").await {
        let written = bytes(&earlier, &name).await;
        lax.0.put_opts(&Path::from(name), written.into(), PutOptions::default()).await.unwrap();
    }
    let ledger = writer(&store).await;
    assert_eq!(ledger.head().unwrap().sequence, 1);
    let error = ledger.commit(vec![tag_seen(2, &key("shop/api"), "v2", "b")]).await.map(drop).unwrap_err();
    assert!(matches!(&error, LedgerError::Unusable { .. }), "{error}");
    assert_eq!(open(&store, Access::Read).await.unwrap().head().unwrap().sequence, 1);
}
