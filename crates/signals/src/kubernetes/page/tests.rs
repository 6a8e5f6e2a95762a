use super::super::pods::Pod;
use super::*;
use serde_json::{Value, json};

const PODS: Kind = Kind::core("v1", "Pod", "pods");

fn page(body: &str) -> Result<(Listed<Pod>, Option<String>), String> {
    let mut listed = Listed::default();
    let next = read(&PODS, body.as_bytes(), &mut listed)?;
    Ok((listed, next))
}

#[test]
fn what_is_no_list_of_this_kind_is_never_an_empty_one_i4() {
    let list = |kind: &str, version: &str| json!({ "kind": kind, "apiVersion": version, "metadata": {}, "items": [] });
    for body in [
        json!({}),
        json!([]),
        json!(null),
        json!({ "items": [], "metadata": {} }),
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403 }),
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "items": [] }),
        json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {} }),
        json!({ "kind": "PodList", "apiVersion": "v1", "items": [] }),
        json!({ "kind": "PodList", "apiVersion": "v1", "metadata": null, "items": [] }),
        json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": {} }),
        json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": "" }),
        json!({ "kind": "PodList", "metadata": {}, "items": [] }),
        list("ServiceList", "v1"),
        list("PodList", "apps/v1"),
        list("Pod", "v1"),
        list("List", "apps/v1"),
        list("Table", "meta.k8s.io/v1"),
        list("PartialObjectMetadataList", "meta.k8s.io/v1"),
    ] {
        assert!(page(&body.to_string()).is_err(), "{body}");
    }
    for (body, next) in [
        (list("PodList", "v1"), None),
        (list("List", "v1"), None),
        (json!({ "kind": "PodList", "apiVersion": "v1", "metadata": { "continue": "t" }, "items": null }), Some("t")),
    ] {
        let (listed, more) = page(&body.to_string()).unwrap();
        assert_eq!((listed.count(), more.as_deref()), (0, next), "{body}");
    }
}

#[test]
fn an_object_that_cannot_be_read_costs_the_others_nothing_and_is_told_i4() {
    let pod = |name: &str| json!({ "metadata": { "name": name, "namespace": "shop" }, "spec": {} });
    let with = |path: &str, value: Value| {
        let mut pod = pod("odd");
        *pod.pointer_mut(path).unwrap() = value;
        pod
    };
    let mut service = pod("odd");
    service["kind"] = json!("Service");
    for (odd, reported) in [
        (json!(null), "one of the pods cannot"),
        (json!(7), "one of the pods cannot"),
        (json!("},{"), "one of the pods cannot"),
        (json!([[], {}]), "one of the pods cannot"),
        (json!({}), "one of the pods cannot"),
        (json!({ "metadata": null }), "one of the pods cannot"),
        (json!({ "metadata": { "name": "odd", "namespace": "shop" } }), "Pod shop/odd cannot"),
        (with("/metadata", json!({ "namespace": "shop", "labels": { "a": "b" } })), "pods in namespace shop cannot"),
        (with("/metadata", json!({ "name": "odd", "namespace": "shop", "labels": { "a": 1 } })), "Pod shop/odd cannot"),
        (with("/metadata", json!({ "name": 7, "namespace": "shop" })), "pods in namespace shop cannot"),
        (with("/spec", json!({ "containers": [{ "name": "x", "image": 1 }] })), "Pod shop/odd cannot"),
        (service, "Pod shop/odd cannot"),
    ] {
        let items = [pod("a"), odd.clone(), pod("b\\\"]},{[")];
        let list =
            json!({ "items": items, "kind": "PodList", "apiVersion": "v1", "metadata": { "x": ["items", "}"] } });
        for text in [list.to_string(), serde_json::to_string_pretty(&list).unwrap()] {
            let (listed, _) = page(&text).unwrap();
            let names: Vec<&str> = listed.objects.iter().map(|pod| pod.metadata.name.as_str()).collect();
            assert_eq!(names, ["a", "b\\\"]},{["], "{odd}");
            let said: Vec<String> = listed.odd.iter().map(|odd| odd.reported(&PODS)).collect();
            assert!(matches!(said.as_slice(), [one] if one.contains(reported)), "{odd}: {said:?}");
        }
    }
}

#[test]
fn items_are_found_wherever_they_stand() {
    let list = |items: &str| {
        format!(
            r#" {{ "a":"items", "b" : {{"items":[1]}},"c":[ "]" , "\"" ],"n":null,"t":true,"\u0069tems" : {items} , "z":-1.5e3 }} "#
        )
    };
    let slices = |text: &str| -> Vec<String> {
        Slices::of_items(text.as_bytes()).map(|slice| String::from_utf8_lossy(slice).trim().to_owned()).collect()
    };
    for (items, expected) in [
        ("null", &[][..]),
        ("[]", &[]),
        ("[ ]", &[]),
        ("[1, null ,\"a,]\\\\\", {\"b\":[{},2]} , [[]]]", &["1", "null", "\"a,]\\\\\"", "{\"b\":[{},2]}", "[[]]"]),
    ] {
        assert_eq!(slices(&list(items)), expected, "{items}");
    }
    assert_eq!(slices("{}"), [""; 0]);
    assert_eq!(slices(""), [""; 0]);
}
