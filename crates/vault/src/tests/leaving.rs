//! What leaves the vault, and what keeps it from leaving.

use super::*;

#[tokio::test]
async fn what_leaves_takes_only_what_nothing_that_stays_needs_i27() {
    use prodpin_sources::memory::index_of;
    let shared = image("shared");
    let old = index_of(vec![shared.clone(), image("old alone")]);
    let new = index_of(vec![shared.clone(), image("new alone")]);
    let shelf = Shelf::of(&[old.clone(), new.clone()]);
    let vault = vault();
    let entries = [
        keep(&vault, &shelf, "shop/api", &old).await.unwrap(),
        keep(&vault, &shelf, "shop/api", &new).await.unwrap(),
        keep(&vault, &shelf, "shop/web", &new).await.unwrap(),
    ];
    vault.list(&entries).await.unwrap();
    let before = names(&vault).await;
    let is_old = |entry: &Entry| entry.digest == old.digest();
    let leaving = vault.leaving(is_old).await.unwrap();
    assert_eq!((leaving.entries().count(), names(&vault).await), (1, before.clone()), "so far it was only asked");
    vault.release(&leaving).await.unwrap();
    let after = names(&vault).await;
    let gone: BTreeSet<String> = before.difference(&after).cloned().collect();
    // Its entry, its index, its own platform with configuration and layer.
    assert_eq!(gone.len(), 5, "{gone:?}");
    let again = Vault::new(vault.objects().unwrap().clone(), "memory", true);
    assert!(again.whole(&new.digest(), None).await.is_ok());
    assert!(matches!(again.whole(&old.digest(), None).await, Err(Unwhole::Lacks(_))));
    let index = again.get(&Path::from("index.json"), u64::MAX).await.unwrap().unwrap();
    let index = String::from_utf8(index.to_vec()).unwrap();
    assert!(!index.contains(&old.digest().to_string()) && index.contains(&new.digest().to_string()));
    // A second time there is nothing.
    assert_eq!(again.leaving(is_old).await.unwrap().entries().count(), 0);
    // One of two entries leaves, and the other needs everything.
    let of_web = again.leaving(|entry| entry.repository.as_str() == "shop/web").await.unwrap();
    assert_eq!((of_web.entries().count(), of_web.bytes()), (1, 0));
    again.release(&of_web).await.unwrap();
    assert!(Vault::new(vault.objects().unwrap().clone(), "memory", true).whole(&new.digest(), None).await.is_ok());
}

#[tokio::test]
async fn nothing_leaves_while_what_stays_is_not_whole_or_cannot_be_read_i27() {
    let (old, new) = (image("old"), image("new"));
    let shelf = Shelf::of(&[old.clone(), new.clone()]);
    let is_old = |entry: &Entry| entry.digest == old.digest();
    let vault = vault();
    keep(&vault, &shelf, "shop/api", &old).await.unwrap();
    keep(&vault, &shelf, "shop/api", &new).await.unwrap();
    let blob = super::place::blob_path(&new.blobs()[1].0);
    object_store::ObjectStoreExt::delete(vault.objects().unwrap(), &blob).await.unwrap();
    let broken = Vault::new(vault.objects().unwrap().clone(), "memory", true).leaving(is_old).await.unwrap_err();
    assert!(broken.detail.contains("is not whole"), "{broken}");
    // What came in between is asked for again: nothing that it needs goes.
    let (older, newer) = (image("one"), index("two"));
    let shelf = Shelf::of(&[older.clone(), newer.clone()]);
    let vault = self::vault();
    keep(&vault, &shelf, "shop/api", &older).await.unwrap();
    keep(&vault, &shelf, "shop/api", &newer).await.unwrap();
    let leaving = vault.leaving(|entry| entry.digest == older.digest()).await.unwrap();
    keep(&vault, &shelf, "shop/web", &older).await.unwrap();
    vault.release(&leaving).await.unwrap();
    assert!(Vault::new(vault.objects().unwrap().clone(), "memory", true).whole(&older.digest(), None).await.is_ok());
    // An entry that nobody can read may need anything.
    let odd = Path::from("prodpin/shop/shop/odd.json");
    object_store::ObjectStoreExt::put(vault.objects().unwrap(), &odd, "{}".into()).await.unwrap();
    let unread = vault.leaving(|entry| entry.digest == older.digest()).await.unwrap_err();
    assert!(unread.detail.contains("cannot read") || unread.detail.contains("can read"), "{unread}");
}
