//! Single images, and a row of `DescribeImages` as the model has it.

use aws_sdk_ecr::primitives::DateTime;
use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageIdentifier, ImageStatusFilter};
use jiff::Timestamp;

use crate::manifest::is_index;
use prodpin_core::model::{Cause, Digest, EcrImage, Gap, ImageStatus, RepositoryName, Scope, Tag};

use super::Registry;
use super::failure::{EcrFailure, short};
use super::observe::Gaps;
use super::transport::Call;

/// The image that a tag names now; none if ECR says definitively that there is no such tag (I4). That there is no such
/// repository is no such word: it is what an account looks like from the wrong one (F31).
pub(super) async fn by_tag(
    registry: &Registry,
    name: &RepositoryName,
    tag: &Tag,
) -> Result<Option<EcrImage>, EcrFailure> {
    let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
    let Some((image, _)) = describe(registry, name, id).await? else { return Ok(None) };
    match image.tags.contains(tag) {
        true => Ok(Some(image)),
        false => Err(registry.transport.malformed(&Call::on("DescribeImages", name), "the image of another tag")),
    }
}

/// The image with this digest, in whatever state it is.
pub(super) async fn by_digest(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Option<EcrImage>, EcrFailure> {
    Ok(described(registry, name, digest).await?.map(|(image, _)| image))
}

/// The same, with the word that ECR has for its state.
pub(super) async fn described(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Option<(EcrImage, Box<str>)>, EcrFailure> {
    let id = ImageIdentifier::builder().image_digest(digest.to_string()).build();
    let Some(found) = describe(registry, name, id).await? else { return Ok(None) };
    match found.0.digest == *digest {
        true => Ok(Some(found)),
        false => Err(registry.transport.malformed(&Call::on("DescribeImages", name), "the image of another digest")),
    }
}

async fn describe(
    registry: &Registry,
    name: &RepositoryName,
    image: ImageIdentifier,
) -> Result<Option<(EcrImage, Box<str>)>, EcrFailure> {
    let (id, call) = (registry.id(), Call::on("DescribeImages", name));
    let filter = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
    let answer = registry.transport.call(call, |client| {
        let request = client.describe_images().repository_name(name.as_str()).set_registry_id(id.clone());
        request.image_ids(image.clone()).filter(filter.clone()).send()
    });
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(failure) if failure.is_code("ImageNotFoundException") => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let malformed = |reason: &str| registry.transport.malformed(&call, reason);
    let mut images = answer.image_details.unwrap_or_default().into_iter();
    // Not to be there has an error code: an empty list is no answer to what was asked.
    let (Some(image), None) = (images.next(), images.next()) else { return Err(malformed("not one image")) };
    let status: Box<str> = short(image.image_status().map_or("ACTIVE", |status| status.as_str())).into();
    let mut gaps = Gaps::default();
    let image = compact(image, &mut gaps).map_err(|reason| malformed(&reason))?;
    match gaps.finish(Scope::Repository).into_iter().next() {
        Some(gap) => Err(malformed(&gap.detail)),
        None => Ok(Some((image, status))),
    }
}

/// A row, compactly. Of a row without a digest nothing can be used; of one with an odd tag everything else (F25).
pub(super) fn compact(detail: ImageDetail, gaps: &mut Gaps) -> Result<EcrImage, String> {
    let digest: Digest = match detail.image_digest().map(str::parse) {
        Some(Ok(digest)) => digest,
        Some(Err(error)) => return Err(format!("an image's digest: {error}")),
        None => return Err("an image without a digest".to_owned()),
    };
    let artifact = || Scope::Artifact(digest.clone().into());
    let mut tags = Vec::with_capacity(detail.image_tags().len());
    for text in detail.image_tags() {
        match text.parse::<Tag>() {
            Ok(tag) => tags.push(tag),
            // Which tag it is cannot be known, so it may be any.
            Err(error) => {
                gaps.push(Gap::new(Scope::Repository, Cause::Malformed, format!("{digest}: {error}")));
            }
        }
    }
    let subject = match detail.subject_manifest_digest().map(str::parse) {
        None => None,
        Some(Ok(subject)) => Some(subject),
        Some(Err(error)) => {
            gaps.push(Gap::new(artifact(), Cause::Malformed, format!("{digest}: its subject: {error}")));
            None
        }
    };
    Ok(EcrImage {
        tags: tags.into(),
        pushed: timestamp(detail.image_pushed_at()),
        pulled: timestamp(detail.last_recorded_pull_time()),
        archived: timestamp(detail.last_archived_at()),
        activated: timestamp(detail.last_activated_at()),
        // A server that does not speak of states knows only one.
        status: detail.image_status().map_or(ImageStatus::Active, |status| read_status(status.as_str())),
        subject,
        is_index: detail.image_manifest_media_type().is_some_and(is_index),
        digest,
    })
}

/// States are compared as text: one that is not known is not taken for the ordinary one (F53).
fn read_status(text: &str) -> ImageStatus {
    match text {
        "ACTIVE" => ImageStatus::Active,
        "ARCHIVED" => ImageStatus::Archived,
        "ACTIVATING" => ImageStatus::Activating,
        _ => ImageStatus::Other,
    }
}

/// AWS's time as ours.
fn timestamp(time: Option<&DateTime>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_strictly_f25_f53() {
        let digest = Digest::sha256(b"a");
        let row =
            |digest: &str| ImageDetail::builder().image_digest(digest).image_tags("v1").image_status("NEW".into());
        let mut gaps = Gaps::default();
        let image = compact(row(&digest.to_string()).image_tags("").build(), &mut gaps).unwrap();
        assert_eq!((image.digest, image.status, image.tags.len()), (digest, ImageStatus::Other, 1));
        assert_eq!(gaps.finish(Scope::Repository).len(), 1, "a tag that is none is told");
        for odd in ["sha256:../..", "", "latest"] {
            assert!(compact(row(odd).build(), &mut Gaps::default()).is_err(), "{odd}");
        }
        assert!(compact(ImageDetail::builder().build(), &mut Gaps::default()).is_err());
    }

    #[test]
    fn gaps_are_counted_where_there_are_too_many_i20() {
        let mut gaps = Gaps::default();
        for _ in 0..100_000 {
            gaps.push(Gap::new(Scope::Repository, Cause::Malformed, "odd"));
        }
        let reported = gaps.finish(Scope::Repository);
        assert_eq!(reported.len(), 101);
        assert!(reported[100].detail.starts_with("99900 more"), "{}", reported[100].detail);
    }
}
