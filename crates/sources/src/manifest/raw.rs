//! Manifests as they stand in JSON: what is read of them, and no more.

use std::collections::BTreeMap;
use std::fmt;

use oci_distribution::annotations::ORG_OPENCONTAINERS_IMAGE_CREATED;
use prodpin_core::model::{Digest, Effects, Provenance, SchemaChange, SchemaStatement};
use prodpin_net::http::fault::Fault;
use prodpin_net::lenient::text;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) schema_version: u32,
    pub(super) media_type: Option<String>,
    pub(super) config: Option<RawDescriptor>,
    pub(super) layers: Option<Vec<RawDescriptor>>,
    pub(super) manifests: Option<Vec<RawDescriptor>>,
    pub(super) fs_layers: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) annotations: Annotations,
}

/// The annotations that are read. All must be texts, and no more of them is kept than that (I20).
#[derive(Default)]
pub(super) struct Annotations(pub(super) BTreeMap<String, String>);

/// What says that an image's builder wrote something beside it.
pub(super) const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

const ANNOTATIONS: [&str; 7] = [
    ORG_OPENCONTAINERS_IMAGE_CREATED,
    REFERENCE_TYPE,
    Provenance::REVISION,
    Provenance::SOURCE,
    SchemaChange::ANNOTATION,
    SchemaStatement::ANNOTATION,
    Effects::ANNOTATION,
];

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Known;
        impl<'de> Visitor<'de> for Known {
            type Value = Annotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_unit<E>(self) -> Result<Annotations, E> {
                Ok(Annotations::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
                let mut known = BTreeMap::new();
                while let Some(key) = map.next_key::<Seen<ANNOTATION_KEY>>()? {
                    match key.0.filter(|key| ANNOTATIONS.contains(&key.as_str())) {
                        Some(key) => _ = known.insert(key, map.next_value()?),
                        None => _ = map.next_value::<Seen<0>>()?,
                    }
                }
                Ok(Annotations(known))
            }
        }
        deserializer.deserialize_any(Known)
    }
}

/// The longest of the keys that are read.
const ANNOTATION_KEY: usize = 64;

/// A text that was seen to be one, and is kept if it is no longer than this.
struct Seen<const LONGEST: usize>(Option<String>);

impl<'de, const LONGEST: usize> Deserialize<'de> for Seen<LONGEST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<const LONGEST: usize>;
        impl<const LONGEST: usize> Visitor<'_> for Text<LONGEST> {
            type Value = Seen<LONGEST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Seen<LONGEST>, E> {
                Ok(Seen((text.len() <= LONGEST).then(|| text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text::<LONGEST>)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawDescriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    /// Some builders leave it out; then the digest alone says what it is.
    #[serde(default)]
    pub(super) size: Option<u64>,
    pub(super) urls: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    pub(super) annotations: Annotations,
    pub(super) platform: Option<RawPlatform>,
}

/// Read leniently: it names a part for a person, and decides nothing.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawPlatform {
    #[serde(deserialize_with = "text")]
    os: Option<String>,
    #[serde(deserialize_with = "text")]
    architecture: Option<String>,
    #[serde(deserialize_with = "text")]
    variant: Option<String>,
    #[serde(rename = "os.version", deserialize_with = "text")]
    os_version: Option<String>,
}

/// A word of a platform's name is short and plain; whoever builds an image chooses it (I19).
const PLATFORM_WORD: usize = 40;

impl RawPlatform {
    /// Whether it is nobody's: builders mark what no machine starts as `unknown/unknown`.
    pub(super) fn is_nobodys(&self) -> bool {
        [&self.os, &self.architecture].iter().all(|word| word.as_deref() == Some("unknown"))
    }

    /// `linux/arm64/v8`; none where it says nothing of use.
    pub(super) fn name(&self) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let word = |text: &Option<String>| {
            let text = text.as_ref().filter(|text| (1..=PLATFORM_WORD).contains(&text.len()))?;
            text.bytes().all(plain).then(|| text.clone())
        };
        let words = [&self.os, &self.architecture, &self.variant, &self.os_version].map(word);
        let [Some(_), Some(_), ..] = &words else { return None };
        Some(words.into_iter().flatten().collect::<Vec<_>>().join("/"))
    }
}

/// Some readers match keys without regard to case: `Layers` is nothing to us and layers to them.
pub(super) fn reject_look_alikes(text: &str) -> Result<(), Fault> {
    const KEYS: [&str; 5] = ["schemaVersion", "mediaType", "config", "layers", "manifests"];
    struct Keys {
        alike: bool,
    }
    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Each;
            impl<'de> Visitor<'de> for Each {
                type Value = Keys;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let is_alike =
                        |key: &str| KEYS.iter().any(|known| key != *known && key.eq_ignore_ascii_case(known));
                    let mut alike = false;
                    while let Some(Seen(key)) = map.next_key::<Seen<ANNOTATION_KEY>>()? {
                        alike |= key.is_some_and(|key| is_alike(&key));
                        map.next_value::<IgnoredAny>()?;
                    }
                    Ok(Keys { alike })
                }
            }
            deserializer.deserialize_map(Each)
        }
    }
    let keys: Keys = serde_json::from_str(text).map_err(|_| Fault::malformed("the manifest is no JSON object"))?;
    match keys.alike {
        true => Err(Fault::malformed("the manifest has a key that differs from a known one only in case")),
        false => Ok(()),
    }
}
