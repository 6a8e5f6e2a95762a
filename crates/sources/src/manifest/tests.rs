//! Manifests, also broken ones.

use super::*;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn descriptor(media_type: &str, extra: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":3{extra}}}"#, Digest::sha256(media_type.as_bytes()))
}

fn image(extra: &str) -> String {
    let (config, layer) = (descriptor(CONFIG, ""), descriptor(LAYER, ""));
    format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]{extra}}}"#)
}

fn cause(text: &str, served: Option<&str>) -> Option<Cause> {
    parse(text.as_bytes(), served).err().map(|fault| fault.cause)
}

#[test]
fn images_and_indexes_are_read() {
    let foreign = descriptor(FOREIGN[0], r#","urls":["https://w.example/x"]"#);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_IMAGE_MEDIA_TYPE}","config":{},"layers":[{},{foreign}],
            "subject":{},"annotations":{{"org.opencontainers.image.created":"2026-01-02T03:04:05Z"}}}}"#,
        descriptor(CONFIG, ""),
        descriptor(FOREIGN[1], ""),
        descriptor(OCI_IMAGE_MEDIA_TYPE, ""),
    );
    let manifest = parse(text.as_bytes(), Some(OCI_IMAGE_MEDIA_TYPE)).unwrap();
    assert_eq!(manifest.created, Some("2026-01-02T03:04:05Z".parse().unwrap()));
    let Content::Image { layers, .. } = manifest.content else { panic!("an image") };
    assert_eq!(layers.iter().map(|layer| layer.foreign).collect::<Vec<_>>(), [false, true]);

    let child = descriptor(OCI_IMAGE_MEDIA_TYPE, r#","annotations":{"vnd.docker.reference.type":"attestation"}"#);
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{child}]}}"#);
    let manifest = parse(text.as_bytes(), Some(OCI_IMAGE_INDEX_MEDIA_TYPE)).unwrap();
    assert!(matches!(&manifest.content, Content::Index(children) if children[0].attestation));
    let no_layers = image("").replace(&format!("[{}]", descriptor(LAYER, "")), "null");
    assert_eq!(cause(&no_layers, Some(OCI_IMAGE_MEDIA_TYPE)), None);
}

#[test]
fn ambiguous_manifests_are_rejected_f23_f24_f25() {
    let good = image("");
    assert_eq!(cause(&good, Some(OCI_IMAGE_MEDIA_TYPE)), None);
    let named = image(&format!(r#","mediaType":"{OCI_IMAGE_MEDIA_TYPE}""#));
    for (text, served) in [
        (image(r#","manifests":[]"#), OCI_IMAGE_MEDIA_TYPE),
        (image(r#","manifests":[]"#), OCI_IMAGE_INDEX_MEDIA_TYPE),
        (good.replace("\"layers\"", "\"Layers\""), OCI_IMAGE_MEDIA_TYPE),
        (image(r#","MANIFESTS":[]"#), OCI_IMAGE_MEDIA_TYPE),
        (good.clone(), OCI_IMAGE_INDEX_MEDIA_TYPE),
        (named.clone(), IMAGE_MANIFEST_MEDIA_TYPE),
        (named.clone(), "application/json"),
        (good.replace("sha256:", "sha256:../../"), OCI_IMAGE_MEDIA_TYPE),
        (good.replace("\"size\":3", "\"size\":-3"), OCI_IMAGE_MEDIA_TYPE),
        (image(r#","layers":[]"#), OCI_IMAGE_MEDIA_TYPE),
        (good.replace(":2,", ":3,"), OCI_IMAGE_MEDIA_TYPE),
        ("[]".to_owned(), OCI_IMAGE_MEDIA_TYPE),
        ("<html>".to_owned(), OCI_IMAGE_MEDIA_TYPE),
        (String::new(), OCI_IMAGE_MEDIA_TYPE),
    ] {
        assert_eq!(cause(&text, Some(served)), Some(Cause::Malformed), "{text}");
    }
    assert_eq!(cause(&named, None), None);
}

#[test]
fn what_cannot_be_verified_is_unsupported() {
    let schema_1 = r#"{"schemaVersion":1,"name":"a","fsLayers":[{"blobSum":"sha256:00"}]}"#;
    let pretty = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    for (text, served) in [
        (schema_1, Some(pretty)),
        (schema_1, Some("application/json")),
        (&image(""), Some(pretty)),
        (&image(""), None),
        (&image(""), Some("application/vnd.example+json")),
    ] {
        assert_eq!(cause(text, served), Some(Cause::Unsupported), "{text} {served:?}");
    }
}

#[test]
fn what_nobody_starts_is_no_platform_i6() {
    for (extra, is_attestation) in [
        (r#","platform":{"os":"unknown","architecture":"unknown"}"#, true),
        (r#","platform":{"architecture":"unknown","os":"unknown","variant":"x"}"#, true),
        (r#","annotations":{"vnd.docker.reference.type":"x"},"platform":{"os":"linux","architecture":"amd64"}"#, true),
        (r#","platform":{"os":"linux","architecture":"unknown"}"#, false),
        (r#","platform":{"os":"linux","architecture":"amd64"}"#, false),
        (r#","platform":{}"#, false),
        (r#","platform":null"#, false),
        ("", false),
    ] {
        let child = descriptor(OCI_IMAGE_MEDIA_TYPE, extra);
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{child}]}}"#);
        let manifest = parse(text.as_bytes(), Some(OCI_IMAGE_INDEX_MEDIA_TYPE)).unwrap();
        let Content::Index(children) = manifest.content else { panic!("an index") };
        assert_eq!(children[0].attestation, is_attestation, "{extra}");
    }
}

#[test]
fn an_index_without_a_list_is_one_of_nothing() {
    for members in ["", r#","manifests":null"#, r#","manifests":[]"#] {
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_IMAGE_INDEX_MEDIA_TYPE}"{members}}}"#);
        let manifest = parse(text.as_bytes(), Some(OCI_IMAGE_INDEX_MEDIA_TYPE)).unwrap();
        assert_eq!(manifest.content, Content::Index(Vec::new()), "{text}");
    }
}

#[test]
fn a_part_without_a_size_leaves_the_others_readable() {
    for size in ["", r#","size":null"#] {
        let text = image("").replacen(",\"size\":3", size, 1);
        let manifest = parse(text.as_bytes(), Some(OCI_IMAGE_MEDIA_TYPE)).unwrap();
        let Content::Image { config, layers } = manifest.content else { panic!("an image") };
        assert_eq!((config.size, layers[0].size), (None, Some(3)), "{text}");
    }
    for size in ["-3", "3.5", "\"3\"", "[]", "true"] {
        let text = image("").replacen("\"size\":3", &format!("\"size\":{size}"), 1);
        assert_eq!(cause(&text, Some(OCI_IMAGE_MEDIA_TYPE)), Some(Cause::Malformed), "{text}");
    }
}
