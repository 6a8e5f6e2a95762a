//! What is read of GitLab's answers.

use serde::Deserialize;
use serde_json::Value;

/// A row of `…/registry/repositories`.
#[derive(Debug, Deserialize)]
pub(super) struct RepositoryRow {
    pub(super) id: u64,
    /// What it is called within its project; nothing where it is called as that.
    #[serde(default)]
    pub(super) name: Box<str>,
    /// Its name in the registry.
    pub(super) path: Box<str>,
    /// The same with the registry's host in front.
    pub(super) location: Box<str>,
    /// Where GitLab is with deleting it; nothing where it is not.
    #[serde(default)]
    pub(super) status: Option<Box<str>>,
}

impl RepositoryRow {
    /// The path of its project, in lowercase.
    pub(super) fn project(&self) -> &str {
        self.path.strip_suffix(&*self.name).unwrap_or(&self.path).trim_end_matches('/')
    }
}

/// `GET /projects/{id}`. Of what may be left out, it matters that it is.
#[derive(Debug, Deserialize)]
pub(super) struct ProjectDocument {
    pub(super) id: u64,
    pub(super) path_with_namespace: Box<str>,
    #[serde(flatten)]
    pub(super) rest: serde_json::Map<String, Value>,
}

/// An answer of GraphQL.
#[derive(Debug, Deserialize)]
pub(super) struct Answered<T> {
    pub(super) data: Option<T>,
    #[serde(default)]
    pub(super) errors: Vec<GraphError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphError {
    #[serde(default)]
    pub(super) message: String,
}

/// A page of a list in GraphQL.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<T> {
    #[serde(default = "Vec::new")]
    pub(super) nodes: Vec<Option<T>>,
    pub(super) page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
    #[serde(default)]
    pub(super) end_cursor: Option<String>,
}

/// A tag rule in GraphQL, which has those that are immutable as well.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleNode {
    pub(super) tag_name_pattern: String,
    #[serde(default)]
    pub(super) immutable: bool,
}

/// A tag in GraphQL.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagNode {
    pub(super) name: Box<str>,
    #[serde(default)]
    pub(super) digest: Option<Box<str>>,
    #[serde(default)]
    pub(super) published_at: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form of GitLab's description of its API.
    #[test]
    fn what_gitlab_says_is_read_k57() {
        let project = r#"{"id":9,"path_with_namespace":"Shop/api","visibility":"private",
            "container_registry_access_level":"enabled","container_expiration_policy":{"cadence":"1d","enabled":false}}"#;
        let project: ProjectDocument = serde_json::from_str(project).unwrap();
        assert_eq!((project.id, &*project.path_with_namespace), (9, "Shop/api"));
        assert!(project.rest.contains_key("container_expiration_policy") && !project.rest.contains_key("id"));
        let row = r#"{"id":2,"name":"releases","path":"group/project/releases","project_id":9,
            "location":"gitlab.example.com:5000/group/project/releases","created_at":"2019-01-10T13:39:08.229Z",
            "cleanup_policy_started_at":null,"status":"delete_ongoing"}"#;
        let row: RepositoryRow = serde_json::from_str(row).unwrap();
        assert_eq!((row.id, row.project(), &*row.path), (2, "group/project", "group/project/releases"));
        assert!(row.status.is_some());
        let bare = r#"{"id":1,"name":"","path":"group/project","project_id":9,"location":"gitlab.example.com:5000/group/project"}"#;
        assert_eq!(serde_json::from_str::<RepositoryRow>(bare).unwrap().project(), "group/project");
        let page = r#"{"nodes":[{"name":"v1","digest":"sha256:00","publishedAt":"2026-01-02T03:04:05Z"},null],
            "pageInfo":{"hasNextPage":true,"endCursor":"eyJ"}}"#;
        let page: Connection<TagNode> = serde_json::from_str(page).unwrap();
        assert_eq!((page.nodes.len(), page.page_info.end_cursor.as_deref()), (2, Some("eyJ")));
        assert!(
            serde_json::from_str::<Connection<TagNode>>(r#"{"nodes":[]}"#).is_err(),
            "whether there is more is not told"
        );
    }
}
