//! Which calls may leave this process, decided at the HTTP layer by what the request itself says that it is (I17).

use aws_sdk_ecr::config::http::HttpRequest;
use serde::Deserialize;

use crate::OpenOptions;
use prodpin_core::decide::lifecycle::ecr::recommend;
use prodpin_core::model::{Digest, Pin, Tag};
use prodpin_net::aws::{Allowed, RequestBlocked};
use prodpin_policy::EcrConfig;

/// Whatever the rest of the code comes to do, nothing that deletes, moves or sets anything passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gate {
    /// `PutImage` under a pin's name.
    pins: bool,
    /// `PutLifecyclePolicy` of a policy in which nothing reaches a pin.
    claims: bool,
    /// `BatchDeleteImage` of a pin's tag, and of nothing by its digest.
    releases: bool,
    /// `GetAuthorizationToken`, for bytes by the registry protocol.
    pulls: bool,
    /// ECR's preview, which changes nothing and shows in CloudTrail as a dry run (A40).
    rehearses: bool,
}

const SERVICE: &str = "AmazonEC2ContainerRegistry_V20150921.";

/// `BatchGetImage` counts as a pull, and is a reading all the same (A45).
pub(super) const READS: [&str; 9] = [
    "BatchCheckLayerAvailability",
    "BatchGetImage",
    "DescribeImages",
    "DescribePullThroughCacheRules",
    "DescribeRegistry",
    "DescribeRepositories",
    "DescribeRepositoryCreationTemplates",
    "GetLifecyclePolicy",
    "GetRepositoryPolicy",
];
/// A password for the registry protocol, with no more rights than the caller has. Sent only where bytes are asked for.
pub(super) const TOKEN: &str = "GetAuthorizationToken";
pub(super) const REHEARSALS: [&str; 2] = ["GetLifecyclePolicyPreview", "StartLifecyclePolicyPreview"];
pub(super) const PIN: &str = "PutImage";
pub(super) const DELETE: &str = "BatchDeleteImage";
pub(super) const PUT_LIFECYCLE: &str = "PutLifecyclePolicy";

impl Gate {
    pub(super) fn new(options: &OpenOptions, config: &EcrConfig) -> Self {
        let claims = options.write && config.manages_lifecycle;
        Self { pins: options.write, claims, releases: false, pulls: false, rehearses: options.rehearse }
    }

    /// What `release --apply` may: remove pins, and make again those that are needed after all.
    pub(super) fn releasing(self) -> Self {
        Self { pins: true, releases: true, ..self }
    }

    /// What reading bytes takes, and nothing that writes.
    pub(super) fn pulling(self) -> Self {
        Self { pins: false, claims: false, releases: false, pulls: true, rehearses: false }
    }

    fn check(self, target: &str, body: Option<&[u8]>) -> Result<(), RequestBlocked> {
        let fail = |reason| Err(RequestBlocked { what: target.chars().take(80).collect(), reason });
        let Some(call) = target.strip_prefix(SERVICE) else { return fail("it is no call of ECR's") };
        match call {
            read if READS.contains(&read) => Ok(()),
            TOKEN if self.pulls => Ok(()),
            preview if REHEARSALS.contains(&preview) && self.rehearses => Ok(()),
            PIN if self.pins && body.is_some_and(is_pin) => Ok(()),
            PIN if self.pins => fail("it is no pin: the tag is not the one that its digest gives"),
            DELETE if self.releases && body.is_some_and(removes_a_pin) => Ok(()),
            DELETE if self.releases => fail("it removes something else than one pin's tag"),
            PUT_LIFECYCLE if self.claims && body.is_some_and(claims_pins) => Ok(()),
            PUT_LIFECYCLE if self.claims => fail("no rule in front of that lifecycle policy keeps pins"),
            _ => fail("this source was opened for less"),
        }
    }
}

/// A tag that is derived from the digest that goes with it, so that it can name nothing else (I8).
fn is_pin(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Put {
        image_tag: Tag,
        image_digest: Digest,
    }
    serde_json::from_slice::<Put>(body)
        .is_ok_and(|put| Pin::read(&put.image_tag).is_some_and(|pin| pin.names(&put.image_digest)))
}

/// One tag, which is a pin's: with a digest, an image would go under all its tags (A15, F35).
fn removes_a_pin(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Delete {
        image_ids: Vec<Image>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Image {
        image_tag: Tag,
    }
    let is_pin = |image: &Image| Pin::read(&image.image_tag).is_some();
    serde_json::from_slice::<Delete>(body).is_ok_and(|asked| matches!(asked.image_ids.as_slice(), [one] if is_pin(one)))
}

/// A lifecycle policy in which the first rule keeps every pin.
fn claims_pins(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Put {
        lifecycle_policy_text: String,
    }
    // To one that claims pins there is nothing to add.
    let is_claimed = |put: &Put| recommend(Some(&put.lifecycle_policy_text)).as_ref() == Ok(&put.lifecycle_policy_text);
    serde_json::from_slice::<Put>(body).is_ok_and(|put| is_claimed(&put))
}

impl Allowed for Gate {
    fn allows(&self, request: &HttpRequest) -> Result<(), RequestBlocked> {
        self.check(request.headers().get("x-amz-target").unwrap_or_default(), request.body().bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(call: &str) -> String {
        format!("{SERVICE}{call}")
    }

    #[test]
    fn a_password_is_asked_for_where_bytes_are_read_and_nowhere_else_i17() {
        let (token, pin) = (format!("{SERVICE}{TOKEN}"), format!("{SERVICE}{PIN}"));
        let all = Gate { pins: true, claims: true, releases: true, pulls: false, rehearses: true };
        assert!(all.check(&token, None).is_err());
        assert!(all.pulling().check(&token, None).is_ok());
        assert!(all.pulling().check(&pin, Some(b"{}")).is_err() && all.pulling().check(&pin, None).is_err());
    }

    #[test]
    fn an_audit_reads_and_nothing_else_i17() {
        let audit = Gate { pins: false, claims: false, releases: false, pulls: false, rehearses: false };
        for read in READS {
            assert!(audit.check(&target(read), None).is_ok(), "{read}");
        }
        for other in [
            "PutImage",
            "BatchDeleteImage",
            "DeleteRepository",
            "PutLifecyclePolicy",
            "DeleteLifecyclePolicy",
            "PutImageTagMutability",
            "UpdateImageStorageClass",
            "SetRepositoryPolicy",
            "InitiateLayerUpload",
            "StartLifecyclePolicyPreview",
            "GetLifecyclePolicyPreview",
            "GetDownloadUrlForLayer",
            "GetAuthorizationToken",
            "CreateRepository",
            "",
        ] {
            assert!(audit.check(&target(other), None).is_err(), "{other}");
        }
        assert!(audit.check("AmazonEC2ContainerRegistry_V20150921", None).is_err());
        assert!(audit.check("DynamoDB_20120810.DescribeImages", None).is_err());
        assert!(audit.check("", None).is_err());
    }

    #[test]
    fn enforce_puts_pins_and_no_other_tag_i8() {
        let enforce = Gate { pins: true, claims: false, releases: false, pulls: false, rehearses: false };
        let (digest, other) = (Digest::sha256(b"a"), Digest::sha256(b"b"));
        let put = |tag: &str, digest: &Digest| format!(r#"{{"imageTag":"{tag}","imageDigest":"{digest}"}}"#);
        let allowed = |body: &str| enforce.check(&target(PIN), Some(body.as_bytes())).is_ok();
        assert!(allowed(&put(&Pin::for_digest(&digest).to_string(), &digest)));
        for body in [
            put(&Pin::for_digest(&digest).to_string(), &other),
            put("latest", &digest),
            put("prod-pinned-", &digest),
            format!(r#"{{"imageTag":"{}"}}"#, Pin::for_digest(&digest)),
            String::new(),
        ] {
            assert!(!allowed(&body), "{body}");
        }
        assert!(enforce.check(&target(PIN), None).is_err());
        for other in ["BatchDeleteImage", "PutLifecyclePolicy", "StartLifecyclePolicyPreview"] {
            assert!(enforce.check(&target(other), None).is_err(), "{other}");
        }
        let rehearse = Gate { pins: false, claims: false, releases: false, pulls: false, rehearses: true };
        assert!(REHEARSALS.iter().all(|call| rehearse.check(&target(call), None).is_ok()));
        assert!(rehearse.check(&target(PIN), None).is_err());
    }
    #[test]
    fn a_lifecycle_policy_is_put_only_where_it_may_be_and_only_with_the_pins_claimed_i8() {
        let any = r#"{"rulePriority": 7, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}"#;
        let live = format!(r#"{{"rules": [{any}]}}"#);
        let claimed = recommend(Some(&live)).expect("a valid policy");
        let put = |text: &str| serde_json::json!({ "repositoryName": "a", "lifecyclePolicyText": text }).to_string();
        let manage = Gate { pins: true, claims: true, releases: false, pulls: false, rehearses: false };
        let allowed = |gate: Gate, body: &str| gate.check(&target(PUT_LIFECYCLE), Some(body.as_bytes())).is_ok();
        assert!(allowed(manage, &put(&claimed)));
        assert!(!allowed(Gate { claims: false, ..manage }, &put(&claimed)));
        for body in [put(&live), put("{}"), put(""), "{}".to_owned(), String::new()] {
            assert!(!allowed(manage, &body), "{body}");
        }
        assert!(manage.check(&target("DeleteLifecyclePolicy"), Some(put(&claimed).as_bytes())).is_err());
    }

    #[test]
    fn release_removes_one_pins_tag_and_nothing_by_its_digest_i5_f35() {
        let digest = Digest::sha256(b"a");
        let pin = Pin::for_digest(&digest);
        let release = Gate { pins: false, claims: false, releases: false, pulls: false, rehearses: false }.releasing();
        let allowed = |gate: Gate, body: &str| gate.check(&target(DELETE), Some(body.as_bytes())).is_ok();
        let one = |id: &str| format!(r#"{{"repositoryName":"a","imageIds":[{id}]}}"#);
        let pinned = one(&format!(r#"{{"imageTag":"{pin}"}}"#));
        assert!(allowed(release, &pinned));
        assert!(!allowed(Gate { pins: true, claims: true, releases: false, pulls: false, rehearses: true }, &pinned));
        for body in [
            one(&format!(r#"{{"imageTag":"{pin}","imageDigest":"{digest}"}}"#)),
            one(&format!(r#"{{"imageDigest":"{digest}"}}"#)),
            one(r#"{"imageTag":"v1.0.0"}"#),
            one(r#"{"imageTag":"prod-pinned-"}"#),
            one(&format!(r#"{{"imageTag":"{pin}"}},{{"imageTag":"v1.0.0"}}"#)),
            one(""),
            "{}".to_owned(),
            String::new(),
        ] {
            assert!(!allowed(release, &body), "{body}");
        }
        for other in ["DeleteRepository", "DeleteLifecyclePolicy", "PutLifecyclePolicy"] {
            assert!(release.check(&target(other), Some(pinned.as_bytes())).is_err(), "{other}");
        }
    }
}
