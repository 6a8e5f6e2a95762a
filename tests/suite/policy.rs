//! The policy file: what it means, and how it tells what is wrong.

use prodpin::policy::{Policy, PolicyErrors, parse};

fn environment(name: &str) -> Option<String> {
    match name {
        "PASSWORD" => Some("hunter2\"], injected: [\"".to_owned()),
        "KEEP" => Some("7".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Policy, PolicyErrors> {
    parse(text, "prodpin.yaml", &environment)
}

#[test]
fn scratch() {
    for text in [
        include_str!("../../policies/prodpin.yaml"),
        include_str!("../../policies/quickstart.yaml"),
        "versoin: 1\nkeep: lots\nsources:\n  shop: { oci: https://u:p@registry.example.com, repositorys: [a] }\n  harbor: { harbor: https://x, repositories: [a] }\n  b: { s3: s3://x/y }\nproduction:\n  - { tags: v*, order: semvar }\n  - { kubernetes: {} }\n",
        "version: 1\nversion: 2\nkeep: 0\nkeep: 1.5\nsources: {}\nproduction: []\n",
        "version: 1\nsources:\n  s: { oci: https://r.example, repositories: [1.10, 007, \"**\", \"\"] }\nproduction: [ { tags: [1.10, \"${PASSWORD}\"] } ]\n",
        "version: 1\n\tkeep: 5\n",
        "",
        "version: 1\nsources: *x\n",
        "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "version: ",
        "- a\n- b\n",
        "version: 1\n---\nversion: 1\n",
    ] {
        match read(text) {
            Ok(policy) => println!("{policy:#?}"),
            Err(errors) => println!("{errors}\n-----"),
        }
    }
}
