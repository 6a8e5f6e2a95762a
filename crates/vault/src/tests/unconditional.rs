//! A store that refuses every condition on an object that is there, as Ceph does.

use async_trait::async_trait;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions, PutPayload, PutResult};

use super::*;

#[derive(Debug, Default)]
struct Unconditional(InMemory);

impl std::fmt::Display for Unconditional {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unconditional")
    }
}

#[async_trait]
impl ObjectStore for Unconditional {
    async fn put_opts(&self, at: &Path, payload: PutPayload, opts: PutOptions) -> object_store::Result<PutResult> {
        if let object_store::PutMode::Update(_) = opts.mode {
            let source = "412".into();
            return Err(object_store::Error::Precondition { path: at.to_string(), source });
        }
        self.0.put_opts(at, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        opts: object_store::PutMultipartOptions,
    ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
        self.0.put_multipart_opts(at, opts).await
    }

    async fn get_opts(
        &self,
        at: &Path,
        options: object_store::GetOptions,
    ) -> object_store::Result<object_store::GetResult> {
        self.0.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        _: futures::stream::BoxStream<'static, object_store::Result<Path>>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<Path>> {
        panic!("nothing is removed")
    }

    fn list(
        &self,
        prefix: Option<&Path>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<object_store::ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: object_store::CopyOptions) -> object_store::Result<()> {
        panic!("nothing is copied")
    }
}

#[tokio::test]
async fn the_list_is_written_although_every_condition_is_refused() {
    let pushed = [image("one"), image("two")];
    let shelf = Shelf::of(&pushed);
    let vault = Vault::new(Arc::new(Unconditional::default()), "bucket", false);
    for (repository, content) in ["shop/api", "shop/web"].into_iter().zip(&pushed) {
        let entry = keep(&vault, &shelf, repository, content).await.unwrap();
        vault.list(&[entry]).await.unwrap();
    }
    let index = vault.get(&Path::from("index.json"), u64::MAX).await.unwrap().unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2, "{index}");
}
