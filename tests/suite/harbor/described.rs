//! Every request is one of the vendor's description. The stand-in holds all of them to it, in every test here; these show that
//! it can fail.

use crate::support::harbor::description::departures;

use super::{USER, started};

fn found(method: &str, path: &str, body: &str) -> Vec<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    departures(method, path, &query, body.as_bytes())
}

#[test]
fn a_call_is_held_to_its_path_method_parameters_and_body() {
    let artifacts = "/projects/shop/repositories/team%252Fapi/artifacts";
    for (method, path, body) in [
        ("GET", format!("{artifacts}?page=1&page_size=100&sort=id&with_tag=true&with_label=true"), ""),
        ("GET", "/projects?page=3&page_size=100&sort=name".to_owned(), ""),
        ("GET", "/retentions/7".to_owned(), ""),
        ("GET", "/retentions/metadatas".to_owned(), ""),
        ("POST", format!("{artifacts}/v1.0.0/tags"), r#"{"name":"v2.0.0"}"#),
        ("POST", "/retentions/7/executions".to_owned(), r#"{"dry_run":true}"#),
    ] {
        assert_eq!(found(method, &path, body), [""; 0], "{method} {path}");
    }
    for (method, path, body, said) in [
        ("GET", "/project", "", "there is no such call"),
        ("PATCH", "/retentions/7", "", "there is no such call"),
        ("GET", "/projects/shop/repositories/team/api/artifacts", "", "there is no such call"),
        ("GET", "/projects/", "", "there is no such call"),
        ("GET", "/retentions/seven", "", "id in the path is \"seven\", and no integer"),
        ("GET", "/projects?per_page=100", "", "it has no parameter \"per_page\""),
        ("GET", "/projects?page=1&page=2", "", "page stands twice"),
        ("GET", "/projects?page=one", "", "page is \"one\", and no integer"),
        ("GET", "/projects?page_size=101", "", "page_size is 101, which is out of bounds"),
        ("GET", "/projects?with_detail=yes", "", "with_detail is \"yes\", and no boolean"),
        ("HEAD", "/projects", "", "project_name is required"),
        ("GET", "/projects", "{}", "it takes no body"),
        ("POST", "/retentions/7/executions", r#"{"dry":true}"#, "its body has no member \"dry\""),
        ("POST", "/retentions/7/executions", r#"{"dry_run":"true"}"#, "dry_run in its body is no boolean"),
        ("POST", "/retentions", "", "its body is required"),
        ("POST", "/retentions", "[]", "its body is no object"),
        ("POST", "/retentions", "{", "its body is no JSON"),
    ] {
        let found = found(method, path, body);
        assert!(found.iter().any(|departure| departure.ends_with(said)), "{method} {path} {body}: {found:?}");
    }
}

#[tokio::test]
async fn the_stand_in_keeps_what_is_not_described() {
    let harbor = started().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |path: &str| {
        let url = format!("{}{path}", harbor.url());
        http.get(url).basic_auth(USER.0, Some(USER.1)).send().await.unwrap().status()
    };
    ask("/api/v2.0/projects?page_size=10").await;
    assert_eq!(harbor.take_departures(), [""; 0]);
    ask("/api/v2.0/projects?size=10").await;
    ask("/api/v2.0/nothing").await;
    let kept = harbor.take_departures();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept[0].contains("\"size\"") && kept[1].contains("/nothing"), "{kept:?}");
}
