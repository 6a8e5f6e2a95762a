//! CloudTrail's documents, as far as they are read. Addresses are not (L68).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use prodpin_core::model::{Digest, Tag, TrailAct, TrailEntry};

use super::reel::Entry;

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
    next: Option<String>,
}

/// What a page says.
#[derive(Debug, Default)]
pub(super) struct EventPage {
    /// What was done in repositories of the account.
    pub(super) entries: Vec<Entry>,
    /// The second of its oldest event.
    pub(super) oldest: Option<i64>,
    /// What continues the list.
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

impl Page {
    /// What its events say was done in an account's repositories. An event that cannot be read says nothing.
    pub(super) fn read(self, account: Option<&str>) -> EventPage {
        let read = |event: &Event| serde_json::from_str::<Record>(&event.cloud_trail_event).ok();
        let (mut entries, mut oldest) = (Vec::new(), None::<i64>);
        for record in self.events.iter().filter_map(read) {
            let at = record.event_time.as_second();
            oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
            entries.extend(record.entries(account));
        }
        EventPage { entries, oldest, next: self.next.filter(|next| !next.is_empty()) }
    }
}

impl Record {
    fn entries(&self, account: Option<&str>) -> Vec<Entry> {
        let Some(repository) =
            self.repository(account).filter(|_| self.event_source == ECR && self.error_code.is_none())
        else {
            return Vec::new();
        };
        let (principal, shared) = self.user_identity.principal();
        let via = self.via();
        let entry = |(act, rule): (TrailAct, Option<i64>)| TrailEntry {
            act,
            at: self.event_time,
            principal: principal.as_str().into(),
            shared,
            via: rule.map_or_else(|| via.clone(), |rule| format!("lifecycle rule {rule}")).into(),
        };
        self.acts().into_iter().map(|act| (repository.into(), entry(act))).collect()
    }

    /// The repository that it is about, if that is one of the account.
    fn repository(&self, account: Option<&str>) -> Option<&str> {
        let asked = self.request_parameters.as_ref();
        let lifecycle = self.service_event_details.as_ref().and_then(|details| details.repository_name.as_deref());
        let name = asked.and_then(|asked| asked.repository_name.as_deref()).or(lifecycle);
        let its = asked.and_then(|asked| asked.registry_id.as_deref()).or(self.recipient_account_id.as_deref());
        name.filter(|_| account.is_none_or(|ours| its == Some(ours)))
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
mod tests;
