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

/// What a page says of `shop/api`.
fn entries(page: Value, account: Option<&str>) -> Vec<TrailEntry> {
    let page: Page = serde_json::from_value(page).unwrap();
    let all = page.read(account).entries.into_iter();
    all.filter(|(repository, _)| &**repository == "shop/api").map(|(_, entry)| entry).collect()
}

fn read(record: &Value) -> Vec<TrailEntry> {
    let page = json!({ "Events": [{ "EventName": "x", "CloudTrailEvent": record.to_string() }] });
    entries(page, Some(ACCOUNT))
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
    assert_eq!((&*entry.principal, entry.shared), ("arn:aws:sts::111122223333:assumed-role/ci/run-42 as ada", false));
    let mut service = put();
    service["userIdentity"] = json!({ "type": "AWSService", "invokedBy": "replication.ecr.amazonaws.com" });
    assert_eq!(&*read(&service)[0].principal, "replication.ecr.amazonaws.com");
    let mut user = put();
    user["userIdentity"] = json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada", "userName": "ada" });
    assert!(!read(&user)[0].shared);
}

#[test]
fn a_page_says_how_far_back_it_goes_and_what_continues_it() {
    let mut older = put();
    older["eventTime"] = json!("2026-01-02T23:00:00Z");
    older["eventSource"] = json!("s3.amazonaws.com");
    let events: Vec<Value> =
        [put(), older].iter().map(|record| json!({ "CloudTrailEvent": record.to_string() })).collect();
    let page = |next: &str| -> Page { serde_json::from_value(json!({ "Events": events, "NextToken": next })).unwrap() };
    let read = page("more").read(None);
    let at: Timestamp = "2026-01-02T23:00:00Z".parse().unwrap();
    assert_eq!((read.entries.len(), read.oldest, read.next.as_deref()), (1, Some(at.as_second()), Some("more")));
    assert_eq!(page("").read(None).next, None);
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
    assert_eq!(entries(untold, None), []);
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
