//! CloudTrail's documents, as far as they are read. Addresses are not (L68).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use prodpin_core::model::{Digest, RepositoryName, Tag, TrailAct, TrailEntry};

const ECR: &str = "ecr.amazonaws.com";

/// A client says more of itself than anybody needs.
const MOST_AGENT: usize = 80;

/// A page of `LookupEvents`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default, rename = "NextToken")]
    pub(super) next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    /// The record itself, as a text.
    #[serde(default)]
    cloud_trail_event: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: Timestamp,
    event_source: String,
    event_name: String,
    #[serde(default)]
    error_code: Option<String>,
    /// The account whose trail this is.
    #[serde(default)]
    recipient_account_id: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(default)]
    user_identity: Identity,
    #[serde(default)]
    request_parameters: Option<Parameters>,
    #[serde(default)]
    response_elements: Option<Parameters>,
    #[serde(default)]
    service_event_details: Option<LifecycleDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    principal_id: Option<String>,
    #[serde(default)]
    invoked_by: Option<String>,
    #[serde(default)]
    session_context: Option<SessionContext>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext {
    #[serde(default)]
    source_identity: Option<String>,
}

/// Parameters of a request, and elements of its answer: what both have is read the same way.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    #[serde(default)]
    repository_name: Option<String>,
    #[serde(default)]
    registry_id: Option<String>,
    #[serde(default)]
    image_tag: Option<String>,
    #[serde(default)]
    image: Option<Image>,
    #[serde(default)]
    image_ids: Vec<ImageId>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    #[serde(default)]
    image_id: ImageId,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageId {
    #[serde(default)]
    image_digest: Option<String>,
    #[serde(default)]
    image_tag: Option<String>,
}

/// What a lifecycle policy did.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LifecycleDetails {
    #[serde(default)]
    repository_name: Option<String>,
    #[serde(default)]
    lifecycle_event_image_actions: Vec<LifecycleAction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LifecycleAction {
    #[serde(default)]
    lifecycle_event_image: LifecycleImage,
    #[serde(default)]
    rule_priority: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LifecycleImage {
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    tag_list: Vec<String>,
}

/// What the events of a page say was done to a repository. An event that cannot be read says nothing.
pub(super) fn entries(page: &Page, repository: &RepositoryName, account: Option<&str>) -> Vec<TrailEntry> {
    let records = page.events.iter().filter_map(|event| serde_json::from_str::<Record>(&event.cloud_trail_event).ok());
    records.flat_map(|record| record.entries(repository, account)).collect()
}

impl Record {
    fn entries(&self, repository: &RepositoryName, account: Option<&str>) -> Vec<TrailEntry> {
        if self.event_source != ECR || self.error_code.is_some() || !self.is_about(repository, account) {
            return Vec::new();
        }
        let (principal, shared) = self.user_identity.principal();
        let via = self.via();
        let entry = |(act, rule): (TrailAct, Option<i64>)| TrailEntry {
            act,
            at: self.event_time,
            principal: principal.as_str().into(),
            shared,
            via: rule.map_or_else(|| via.clone(), |rule| format!("lifecycle rule {rule}")).into(),
        };
        self.acts().into_iter().map(entry).collect()
    }

    fn is_about(&self, repository: &RepositoryName, account: Option<&str>) -> bool {
        let asked = self.request_parameters.as_ref();
        let lifecycle = self.service_event_details.as_ref().and_then(|details| details.repository_name.as_deref());
        let name = asked.and_then(|asked| asked.repository_name.as_deref()).or(lifecycle);
        let its = asked.and_then(|asked| asked.registry_id.as_deref()).or(self.recipient_account_id.as_deref());
        name == Some(repository.as_str()) && account.is_none_or(|ours| its == Some(ours))
    }

    fn acts(&self) -> Vec<(TrailAct, Option<i64>)> {
        match self.event_name.as_str() {
            "PutImage" => self.put().map(|act| (act, None)).into_iter().collect(),
            "BatchDeleteImage" => self.deleted().into_iter().map(|act| (act, None)).collect(),
            "DeleteRepository" => vec![(TrailAct::DeletedRepository, None)],
            "PolicyExecutionEvent" => self.expired(),
            _ => Vec::new(),
        }
    }

    fn put(&self) -> Option<TrailAct> {
        let pushed =
            self.response_elements.as_ref().and_then(|answer| answer.image.as_ref()).map(|image| &image.image_id);
        let asked = self.request_parameters.as_ref().and_then(|asked| asked.image_tag.as_deref());
        let tag: Tag = asked.or(pushed.and_then(|id| id.image_tag.as_deref()))?.parse().ok()?;
        let digest = pushed.and_then(|id| id.image_digest.as_deref()?.parse().ok());
        Some(TrailAct::Put { tag, digest })
    }

    /// What went is in the answer: of an image that was named by its digest, every tag.
    fn deleted(&self) -> BTreeSet<TrailAct> {
        let gone = self.response_elements.as_ref().filter(|answer| !answer.image_ids.is_empty());
        let ids = gone.or(self.request_parameters.as_ref()).map_or(&[][..], |named| &named.image_ids);
        ids.iter().filter_map(ImageId::deleted).collect()
    }

    fn expired(&self) -> Vec<(TrailAct, Option<i64>)> {
        let actions = self.service_event_details.iter().flat_map(|details| &details.lifecycle_event_image_actions);
        actions
            .flat_map(|action| {
                let LifecycleImage { digest, tag_list } = &action.lifecycle_event_image;
                let tags = tag_list.iter().filter_map(|tag| Some(TrailAct::DeletedTag(tag.parse().ok()?)));
                let digest = digest.iter().filter_map(|digest| Some(TrailAct::DeletedArtifact(digest.parse().ok()?)));
                tags.chain(digest).map(|act| (act, action.rule_priority)).collect::<Vec<_>>()
            })
            .collect()
    }

    fn via(&self) -> String {
        let agent: String = self.user_agent.as_deref().unwrap_or_default().chars().take(MOST_AGENT).collect();
        let by = match &self.user_identity.invoked_by {
            Some(service) if self.user_identity.arn.is_some() => format!(" by {service}"),
            _ if agent.is_empty() => String::new(),
            _ => format!(" ({agent})"),
        };
        format!("{}{by}", self.event_name)
    }
}

impl ImageId {
    fn deleted(&self) -> Option<TrailAct> {
        let digest = || -> Option<Digest> { self.image_digest.as_deref()?.parse().ok() };
        match self.image_tag.as_deref().and_then(|tag| tag.parse().ok()) {
            Some(tag) => Some(TrailAct::DeletedTag(tag)),
            None => digest().map(TrailAct::DeletedArtifact),
        }
    }
}

impl Identity {
    /// Whose credentials were used, and whether several may hold them: the session of a role is named by whoever takes it on,
    /// unless their identity was carried along.
    fn principal(&self) -> (String, bool) {
        let carried = self.session_context.as_ref().and_then(|session| session.source_identity.as_deref());
        let carried = carried.filter(|identity| !identity.is_empty());
        let named = [&self.arn, &self.user_name, &self.invoked_by, &self.principal_id];
        let name = named.into_iter().flatten().find(|name| !name.is_empty()).cloned().unwrap_or_default();
        let shared = matches!(self.kind.as_deref(), Some("Root" | "AssumedRole" | "AWSAccount" | "WebIdentityUser"));
        match carried {
            Some(identity) => (format!("{name} as {identity}"), false),
            None => (name, shared),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn put() -> Value {
        json!({
            "eventVersion": "1.11", "eventTime": "2026-01-02T23:27:28Z", "eventSource": ECR, "eventName": "PutImage",
            "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7", "userAgent": "docker/27.3.1 go/go1.22",
            "recipientAccountId": ACCOUNT,
            "userIdentity": {
                "type": "AssumedRole", "principalId": "AROAEXAMPLE:run-42", "accountId": ACCOUNT,
                "arn": "arn:aws:sts::111122223333:assumed-role/ci/run-42",
                "sessionContext": { "sessionIssuer": { "type": "Role", "arn": "arn:aws:iam::111122223333:role/ci" } },
            },
            "requestParameters": { "repositoryName": "shop/api", "registryId": ACCOUNT, "imageTag": "v1.0.0", "imageManifest": "{}" },
            "responseElements": { "image": {
                "repositoryName": "shop/api", "registryId": ACCOUNT,
                "imageId": { "imageTag": "v1.0.0", "imageDigest": Digest::sha256(b"a").to_string() },
            } },
        })
    }

    fn read(record: &Value) -> Vec<TrailEntry> {
        let page = json!({ "Events": [{ "EventName": "x", "CloudTrailEvent": record.to_string() }] });
        entries(&serde_json::from_value(page).unwrap(), &"shop/api".parse().unwrap(), Some(ACCOUNT))
    }

    #[test]
    fn a_push_names_tag_digest_session_and_client_and_no_address_l64_l65_l68() {
        let [entry] = &read(&put())[..] else { panic!("one") };
        let act = TrailAct::Put { tag: "v1.0.0".parse().unwrap(), digest: Some(Digest::sha256(b"a")) };
        assert_eq!(entry.act, act);
        assert_eq!(&*entry.principal, "arn:aws:sts::111122223333:assumed-role/ci/run-42");
        assert_eq!((&*entry.via, entry.shared), ("PutImage (docker/27.3.1 go/go1.22)", true));
        assert!(!format!("{entry:?}").contains("203.0.113.7"));
        let mut carried = put();
        carried["userIdentity"]["sessionContext"]["sourceIdentity"] = json!("ada");
        let [entry] = &read(&carried)[..] else { panic!("one") };
        assert_eq!(
            (&*entry.principal, entry.shared),
            ("arn:aws:sts::111122223333:assumed-role/ci/run-42 as ada", false)
        );
        let mut service = put();
        service["userIdentity"] = json!({ "type": "AWSService", "invokedBy": "replication.ecr.amazonaws.com" });
        assert_eq!(&*read(&service)[0].principal, "replication.ecr.amazonaws.com");
        let mut user = put();
        user["userIdentity"] =
            json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada", "userName": "ada" });
        assert!(!read(&user)[0].shared);
    }

    #[test]
    fn what_failed_and_what_is_of_another_repository_account_or_service_says_nothing_l64() {
        for (pointer, value) in [
            ("/errorCode", json!("AccessDenied")),
            ("/eventSource", json!("s3.amazonaws.com")),
            ("/eventName", json!("PutImageTagMutability")),
            ("/eventTime", json!("yesterday")),
            ("/requestParameters/repositoryName", json!("shop/api2")),
            ("/requestParameters/registryId", json!("999999999999")),
            ("/requestParameters", Value::Null),
        ] {
            let mut record = put();
            match record.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => record["errorCode"] = value,
            }
            assert_eq!(read(&record), [], "{pointer}");
        }
        // Without a registry it is of the account whose trail it is in.
        for (recipient, count) in [(json!(ACCOUNT), 1), (json!("999999999999"), 0), (Value::Null, 0)] {
            let mut record = put();
            record["requestParameters"]["registryId"] = Value::Null;
            record["recipientAccountId"] = recipient.clone();
            assert_eq!(read(&record).len(), count, "{recipient}");
        }
        let untold = json!({ "Events": [{ "EventName": "PutImage" }, { "CloudTrailEvent": "not JSON" }] });
        assert_eq!(entries(&serde_json::from_value(untold).unwrap(), &"shop/api".parse().unwrap(), None), []);
    }

    #[test]
    fn a_deletion_is_of_the_tags_that_went_whoever_asked_by_digest_l64() {
        let digest = Digest::sha256(b"a");
        let mut record = put();
        record["eventName"] = json!("BatchDeleteImage");
        record["requestParameters"] =
            json!({ "repositoryName": "shop/api", "imageIds": [{ "imageDigest": digest.to_string() }] });
        record["responseElements"] = Value::Null;
        let acts = |record: &Value| read(record).into_iter().map(|entry| entry.act).collect::<Vec<_>>();
        assert_eq!(acts(&record), [TrailAct::DeletedArtifact(digest.clone())]);
        record["responseElements"] = json!({ "failures": [], "imageIds": [
            { "imageDigest": digest.to_string(), "imageTag": "v1.0.0" }, { "imageDigest": digest.to_string(), "imageTag": "latest" },
        ] });
        let tag = |tag: &str| TrailAct::DeletedTag(tag.parse().unwrap());
        assert_eq!(acts(&record), [tag("latest"), tag("v1.0.0")]);
        record["eventName"] = json!("DeleteRepository");
        assert_eq!(acts(&record), [TrailAct::DeletedRepository]);
    }

    #[test]
    fn what_a_lifecycle_rule_took_names_the_rule_l64() {
        let digest = Digest::sha256(b"a");
        let record = json!({
            "eventTime": "2026-01-02T23:27:28Z", "eventSource": ECR, "eventName": "PolicyExecutionEvent",
            "eventType": "AwsServiceEvent", "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal",
            "userIdentity": { "accountId": ACCOUNT, "invokedBy": "AWS Internal" }, "recipientAccountId": ACCOUNT,
            "requestParameters": null, "responseElements": null,
            "serviceEventDetails": { "repositoryName": "shop/api", "lifecycleEventImageActions": [
                { "lifecycleEventImage": { "digest": digest.to_string(), "tagStatus": "Tagged", "tagList": ["v1.0.0"] }, "rulePriority": 10 },
            ] },
        });
        let found = read(&record);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|entry| &*entry.via == "lifecycle rule 10" && &*entry.principal == "AWS Internal"));
        assert_eq!(found[0].act, TrailAct::DeletedTag("v1.0.0".parse().unwrap()));
    }
}
