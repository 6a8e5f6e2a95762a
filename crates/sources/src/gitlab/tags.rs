//! What tags of a repository name, and since when, as GraphQL tells it: the REST API would be asked once for each. A registry
//! without a metadata database does not know when a tag was published.

use serde::Deserialize;
use serde_json::json;

use super::api::Api;
use super::documents::{Connection, TagNode};
use super::projects::Project;
use crate::oci::{Told, ToldTag};
use crate::{Reservation, outgrown};
use prodpin_core::model::{Cause, Digest, RepositoryName, Tag};
use prodpin_net::http::fault::Fault;

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 50_000;

/// More than this is no repository but an attempt to fill memory (I20).
const MOST_TAGS: usize = 5_000_000;

const TAGS_QUERY: &str = "query($id: ContainerRepositoryID!, $after: String) { containerRepository(id: $id) { tags(first: 100, after: \
                          $after) { nodes { name digest publishedAt } pageInfo { hasNextPage endCursor } } } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    container_repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    tags: Option<Connection<TagNode>>,
}

/// What GitLab tells of the tags, and why that is not all. Whatever of it cannot be read is asked of the registry.
pub(super) async fn told(
    api: &Api,
    project: &Project,
    repository: &RepositoryName,
    memory: &Reservation,
) -> (Told, Option<Fault>) {
    let mut told = Told::default();
    // What is not in the list of the project the registry may have all the same, or say that it has not.
    let Some(id) = project.id_of(repository) else { return (told, None) };
    let longest = api.longest_list();
    let end = tokio::time::timeout(longest, read(api, id, memory, &mut told)).await.unwrap_or_else(|_| {
        let detail = format!("{}: the list did not end within {} s", api.what("graphql"), longest.as_secs());
        Err(Fault::new(Cause::TimedOut, detail))
    });
    let end = end.err().map(|fault| {
        let detail = format!(
            "{}; without it each tag is asked of the registry, and when it was published is unknown",
            fault.detail
        );
        Fault { detail, ..fault }
    });
    (told, end)
}

async fn read(api: &Api, id: u64, memory: &Reservation, told: &mut Told) -> Result<(), Fault> {
    let (mut after, mut read) = (None::<String>, 0);
    let odd = |what: &str| Fault::malformed(format!("{}: {what}", api.what("graphql")));
    for _ in 0..MOST_PAGES {
        let variables = json!({ "id": format!("gid://gitlab/ContainerRepository/{id}"), "after": after });
        let Some(data) = api.graphql::<Data>(TAGS_QUERY, &variables).await? else { return Ok(()) };
        let Some(tags) = data.container_repository.and_then(|repository| repository.tags) else {
            return Err(odd("the tags of the repository are not shown"));
        };
        if tags.nodes.is_empty() && tags.page_info.has_next_page {
            return Err(odd("a page without tags names another"));
        }
        read += tags.nodes.len();
        if memory.take(tags.nodes.len() * Told::COST).is_err() || read > MOST_TAGS {
            return Err(Fault::refused(outgrown(read, "tags").detail));
        }
        for node in tags.nodes.into_iter().flatten() {
            let digest = node.digest.and_then(|digest| digest.parse::<Digest>().ok());
            let pushed = node.published_at.and_then(|time| time.parse().ok());
            if let (Some(digest), Ok(tag)) = (digest, node.name.parse::<Tag>()) {
                told.take(tag, ToldTag { digest, pushed });
            }
        }
        match (tags.page_info.has_next_page, tags.page_info.end_cursor) {
            (false, _) => return Ok(()),
            (true, Some(cursor)) if after.as_ref() != Some(&cursor) => after = Some(cursor),
            (true, _) => return Err(odd("its pages repeat themselves")),
        }
    }
    Err(odd("no end to its pages"))
}
