//! Which key an index means.

use super::*;

#[test]
fn keys_are_read_from_addresses_and_stay_in_the_bucket_f81() {
    let place = HelmBucket {
        bucket: "b".to_owned(),
        prefix: "charts/".to_owned(),
        region: None,
        endpoint: None,
        path_style: true,
        owner: None,
    };
    for (url, key) in [
        ("shop-1.2.3.tgz", Some("charts/shop-1.2.3.tgz")),
        ("shop-1.2.3+b.tgz", Some("charts/shop-1.2.3+b.tgz")),
        ("shop-1.2.3%2Bb.tgz", Some("charts/shop-1.2.3+b.tgz")),
        ("100%.tgz", Some("charts/100%.tgz")),
        ("../x.tgz", Some("charts/../x.tgz")),
        ("/x.tgz", Some("x.tgz")),
        ("s3://b/charts/shop-1.2.3.tgz", Some("charts/shop-1.2.3.tgz")),
        ("s3://other/shop-1.2.3.tgz", None),
        ("https://b.s3.amazonaws.com/charts/shop-1.2.3.tgz", None),
        ("%ff", None),
    ] {
        assert_eq!(key_of(&place, Some(url)).ok().as_ref().map(Tag::as_str), key, "{url}");
    }
    assert!(key_of(&place, None).is_err());
}
