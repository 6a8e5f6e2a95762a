//! What the stand-in answers to each call.

use prodpin::model::Digest;
use serde_json::{Value, json};

use super::{ACCOUNT, Answer, Call, Holdings, REGION, STRANGER, StoredImage, StoredRepository};

pub(super) fn answer(holdings: &mut Holdings, call: &Call) -> Answer {
    if call.key == STRANGER {
        let message = format!("User: stranger is not authorized to perform: ecr:{}", call.operation);
        return Answer::error("AccessDeniedException", &message);
    }
    let input = &call.input;
    if input["registryId"].as_str().is_some_and(|id| id != ACCOUNT) {
        return Answer::error("RepositoryNotFoundException", "of another registry");
    }
    match call.operation.as_str() {
        "DescribeRepositories" => return describe_repositories(holdings, input),
        "DescribeRegistry" => {
            return Answer::ok(json!({ "registryId": ACCOUNT, "replicationConfiguration": { "rules": [] } }));
        }
        "DescribePullThroughCacheRules" => {
            let rules = holdings.cache.iter().map(|(prefix, from)| {
                json!({ "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": from, "registryId": ACCOUNT })
            });
            return Answer::ok(json!({ "pullThroughCacheRules": rules.collect::<Vec<_>>() }));
        }
        "DescribeRepositoryCreationTemplates" => {
            return Answer::ok(json!({ "registryId": ACCOUNT, "repositoryCreationTemplates": [] }));
        }
        "GetLifecyclePolicyPreview" => return preview(holdings, input),
        _ => {}
    }
    let name = input["repositoryName"].as_str().unwrap_or_default();
    let Some(repository) = holdings.repositories.get_mut(name) else {
        return Answer::error(
            "RepositoryNotFoundException",
            &format!("The repository with name '{name}' does not exist"),
        );
    };
    match call.operation.as_str() {
        "DescribeImages" => describe_images(repository, name, input),
        "BatchGetImage" => batch_get_image(repository, name, input),
        "BatchCheckLayerAvailability" => {
            let asked = input["layerDigests"].as_array().expect("digests");
            assert!(asked.len() <= 100, "at most 100 layers in a call (A1)");
            let layers = asked.iter().map(|digest| match repository.layers.get(digest.as_str().expect("text")) {
                Some(size) => json!({ "layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size }),
                None => json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }),
            });
            Answer::ok(json!({ "layers": layers.collect::<Vec<_>>(), "failures": [] }))
        }
        "GetLifecyclePolicy" => match &repository.lifecycle {
            Some(text) => Answer::ok(json!({ "registryId": ACCOUNT, "lifecyclePolicyText": text })),
            None => Answer::error("LifecyclePolicyNotFoundException", "there is none"),
        },
        "GetRepositoryPolicy" => match &repository.policy {
            Some(text) => Answer::ok(json!({ "registryId": ACCOUNT, "policyText": text })),
            None => Answer::error("RepositoryPolicyNotFoundException", "there is none"),
        },
        "StartLifecyclePolicyPreview" => match (&repository.lifecycle, &input["lifecyclePolicyText"]) {
            (None, Value::Null) => Answer::error("LifecyclePolicyNotFoundException", "there is none"),
            _ => Answer::ok(json!({ "status": "IN_PROGRESS" })),
        },
        "PutImage" => put_image(repository, name, input),
        "BatchDeleteImage" => batch_delete_image(repository, input),
        "PutLifecyclePolicy" => {
            let text = input["lifecyclePolicyText"].as_str().expect("a policy").to_owned();
            repository.lifecycle = Some(text.clone());
            Answer::ok(json!({ "registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": text }))
        }
        other => Answer::error("UnknownOperationException", other),
    }
}

/// A tag goes; with its last one the image does (A15).
fn batch_delete_image(repository: &mut StoredRepository, input: &Value) -> Answer {
    let (mut gone, mut failures) = (Vec::new(), Vec::new());
    for id in input["imageIds"].as_array().expect("ids") {
        let tag = id["imageTag"].as_str().expect("nothing is removed by its digest (F35)");
        assert!(id["imageDigest"].is_null(), "with a digest beside it the image goes under all its tags (A15)");
        match repository.images.iter().position(|image| image.tags.contains(tag)) {
            Some(at) => {
                let image = &mut repository.images[at];
                image.tags.remove(tag);
                gone.push(json!({ "imageDigest": image.digest.to_string(), "imageTag": tag }));
                if image.tags.is_empty() {
                    repository.images.remove(at);
                }
            }
            None => failures.push(json!({
                "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found",
            })),
        }
    }
    Answer::ok(json!({ "imageIds": gone, "failures": failures }))
}

/// One page of a list, by a token that holds the place.
fn page<T: Clone>(all: &[T], input: &Value) -> (Vec<T>, Value) {
    let size = input["maxResults"].as_u64().map_or(100, |size| usize::try_from(size).expect("small"));
    assert!((1..=1000).contains(&size), "maxResults is between 1 and 1000 (A1)");
    let start: usize = input["nextToken"].as_str().map_or(0, |token| token.parse().expect("a token of ours"));
    let end = (start + size).min(all.len());
    let next = if end < all.len() { json!(end.to_string()) } else { Value::Null };
    (all[start..end].to_vec(), next)
}

fn describe_repositories(holdings: &Holdings, input: &Value) -> Answer {
    let row = |(name, repository): (&String, &StoredRepository)| {
        let mode = if repository.mode.is_empty() { "MUTABLE" } else { &repository.mode };
        let filters: Vec<Value> =
            repository.filters.iter().map(|filter| json!({ "filterType": "WILDCARD", "filter": filter })).collect();
        json!({
            "registryId": ACCOUNT,
            "repositoryName": name,
            "repositoryUri": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"),
            "imageTagMutability": mode,
            "imageTagMutabilityExclusionFilters": filters,
        })
    };
    if let Some(names) = input["repositoryNames"].as_array() {
        assert!(names.len() <= 100 && input["maxResults"].is_null(), "names exclude pages (A1)");
        let mut found = Vec::new();
        for name in names {
            let name = name.as_str().expect("text");
            match holdings.repositories.get_key_value(name) {
                Some(entry) => found.push(row(entry)),
                None => return Answer::error("RepositoryNotFoundException", &format!("'{name}' does not exist")),
            }
        }
        return Answer::ok(json!({ "repositories": found }));
    }
    let all: Vec<Value> = holdings.repositories.iter().map(row).collect();
    let (found, next) = page(&all, input);
    Answer::ok(json!({ "repositories": found, "nextToken": next }))
}

fn describe_images(repository: &StoredRepository, name: &str, input: &Value) -> Answer {
    let row = |image: &StoredImage| {
        json!({
            "registryId": ACCOUNT,
            "repositoryName": name,
            "imageDigest": image.digest.to_string(),
            "imageTags": image.tags,
            "imagePushedAt": image.pushed as f64 + 0.25,
            "imageManifestMediaType": image.media_type,
            "imageStatus": image.status,
        })
    };
    let wanted = input["filter"]["imageStatus"].as_str().unwrap_or("ACTIVE");
    let shown = |image: &&StoredImage| wanted == "ANY" || image.status == wanted;
    if let Some(ids) = input["imageIds"].as_array() {
        assert!(ids.len() <= 100 && input["maxResults"].is_null(), "ids exclude pages (A1)");
        let mut found = Vec::new();
        for id in ids {
            match repository.find(id).filter(shown) {
                Some(image) => found.push(row(image)),
                None => return Answer::error("ImageNotFoundException", "The image does not exist"),
            }
        }
        return Answer::ok(json!({ "imageDetails": found }));
    }
    let all: Vec<Value> = repository.images.iter().filter(shown).map(row).collect();
    let (found, next) = page(&all, input);
    Answer::ok(json!({ "imageDetails": found, "nextToken": next }))
}

fn batch_get_image(repository: &StoredRepository, name: &str, input: &Value) -> Answer {
    assert_eq!(input["acceptedMediaTypes"].as_array().map(Vec::len), Some(4), "all four types (A12)");
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    let ids = input["imageIds"].as_array().expect("ids");
    assert!(ids.len() <= 100, "at most 100 images in a call (A5)");
    for id in ids {
        match repository.find(id) {
            Some(image) if image.status == "ACTIVE" => images.push(json!({
                "registryId": ACCOUNT,
                "repositoryName": name,
                "imageId": { "imageDigest": image.digest.to_string() },
                "imageManifest": image.text,
                "imageManifestMediaType": image.media_type,
            })),
            _ => failures.push(json!({ "imageId": id, "failureCode": "ImageNotFound", "failureReason": "not found" })),
        }
    }
    Answer::ok(json!({ "images": images, "failures": failures }))
}

fn put_image(repository: &mut StoredRepository, name: &str, input: &Value) -> Answer {
    let text = |field: &str| input[field].as_str().unwrap_or_default().to_owned();
    let (manifest, tag, digest) = (text("imageManifest"), text("imageTag"), text("imageDigest"));
    if Digest::sha256(manifest.as_bytes()).to_string() != digest {
        return Answer::error("ImageDigestDoesNotMatchException", "another digest");
    }
    let before = repository.images.iter().find(|image| image.tags.contains(&tag)).map(|image| image.digest.to_string());
    match before {
        Some(before) if before == digest => return Answer::error("ImageAlreadyExistsException", "it is there"),
        Some(_) if repository.is_immutable(&tag) => {
            return Answer::error("ImageTagAlreadyExistsException", "the tag is immutable");
        }
        _ => {}
    }
    let digest = repository.store(&manifest, &text("imageManifestMediaType"), Some(&tag));
    Answer::ok(json!({ "image": {
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageId": { "imageDigest": digest.to_string(), "imageTag": tag },
        "imageManifest": manifest,
    } }))
}

fn preview(holdings: &Holdings, input: &Value) -> Answer {
    let rows: Vec<Value> = holdings
        .preview
        .iter()
        .map(|(digest, priority, action)| {
            json!({
                "imageDigest": digest.to_string(),
                "action": { "type": action },
                "appliedRulePriority": priority,
            })
        })
        .collect();
    assert!(input["maxResults"].as_u64().is_some_and(|size| size <= 100), "at most 100 rows (A1)");
    let expiring = holdings.preview.iter().filter(|(.., action)| *action == "EXPIRE").count();
    let (found, next) = page(&rows, input);
    Answer::ok(json!({
        "status": "COMPLETE",
        "previewResults": found,
        "nextToken": next,
        "summary": { "expiringImageTotalCount": expiring },
    }))
}
