//! What is asked of a source beside its list: several questions at once.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;

use crate::decide::Survey;
use crate::model::{ArtifactId, Gap, Inspection, RepositoryName, Resolution, Tag};
use crate::sources::Inventory;

pub(super) async fn look_up(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    survey: &Survey,
    concurrency: usize,
) -> (BTreeMap<Tag, Resolution>, Vec<Gap>) {
    let answers = stream::iter(survey.absent.clone())
        .map(|tag| async move {
            let answer = inventory.look_up(repository, &tag).await;
            (tag, answer)
        })
        .buffer_unordered(concurrency);
    let (mut found, mut gaps) = (BTreeMap::new(), Vec::new());
    let mut answers = std::pin::pin!(answers);
    while let Some((tag, (resolution, gap))) = answers.next().await {
        found.insert(tag, resolution);
        gaps.extend(gap);
    }
    (found, gaps)
}

pub(super) async fn build_times(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    survey: &Survey,
    concurrency: usize,
) -> BTreeMap<Tag, Timestamp> {
    let asked = stream::iter(survey.undated.clone())
        .map(|(tag, artifact)| async move { Some((tag, inventory.created(repository, &artifact).await?)) })
        .buffer_unordered(concurrency);
    asked.filter_map(|answer| async move { answer }).collect().await
}

/// How many targets of one repository are looked at at once. The source's own limiter has the last word.
const INSPECTED_AT_ONCE: usize = 8;

pub(super) async fn inspect(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    artifacts: Vec<ArtifactId>,
    left_out: &BTreeMap<ArtifactId, Tag>,
    inspections: &mut BTreeMap<ArtifactId, Inspection>,
) {
    let looks = stream::iter(artifacts)
        .map(|artifact| async move {
            let inspection = match left_out.get(&artifact) {
                Some(tag) => inventory.inspect_left_out(repository, &artifact, tag).await,
                None => inventory.inspect(repository, &artifact).await,
            };
            (artifact, inspection)
        })
        .buffer_unordered(INSPECTED_AT_ONCE);
    let mut looks = std::pin::pin!(looks);
    while let Some((artifact, inspection)) = looks.next().await {
        inspections.insert(artifact, inspection);
    }
}
