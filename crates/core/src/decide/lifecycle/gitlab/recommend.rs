//! The cleanup policy by which pins are neither deleted nor counted: `name_regex_keep` with one expression more. A protection
//! rule would not do: what it covers is not deleted, and takes places among the newest (K57).

use serde_json::{Value, json};

use super::{CleanupPolicy, ProtectionRules, Rules};
use crate::model::{Digest, GitLabRepository, Pin, Setting, Tag};

/// GitLab takes no longer expression.
const LONGEST: usize = 255;

/// The request that is lacking, as a list of method, path and body; empty if pins hold already.
pub fn recommend(repository: &GitLabRepository) -> Result<String, String> {
    let text = match &repository.policy {
        Setting::Unset => return Ok("[]".to_owned()),
        Setting::Unknown => return Err("the project's cleanup policy could not be read".to_owned()),
        Setting::Text(text) => text,
    };
    let problem = |problem: super::PolicyProblem| problem.to_string();
    let Some(policy) = CleanupPolicy::parse(text).map_err(problem)? else { return Ok("[]".to_owned()) };
    if passes_over_pins(policy) {
        return Ok("[]".to_owned());
    }
    let mut document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let keep = match document.get("name_regex_keep") {
        None => return Err("this GitLab does not tell name_regex_keep, so nothing can be added to it".to_owned()),
        Some(keep) => with_pins(keep.as_str().unwrap_or_default()),
    };
    if keep.len() > LONGEST {
        return Err(format!("name_regex_keep would have {} characters, and GitLab takes {LONGEST}", keep.len()));
    }
    document["name_regex_keep"] = keep.clone().into();
    let then = CleanupPolicy::parse(&document.to_string()).map_err(problem)?;
    if !then.is_some_and(passes_over_pins) {
        return Err("name_regex_keep is written so that nothing can be added to it; rewrite it by hand".to_owned());
    }
    let requests = json!([{
        "method": "PUT",
        "path": format!("/api/v4/projects/{}", repository.project.replace('/', "%2F")),
        "body": { "container_expiration_policy_attributes": { "name_regex_keep": keep } },
    }]);
    serde_json::to_string_pretty(&requests).map_err(|error| error.to_string())
}

/// Whether a run neither deletes nor counts pins.
fn passes_over_pins(policy: CleanupPolicy) -> bool {
    let rules = Rules::new(policy, ProtectionRules::default());
    pins().all(|pin| !rules.is_counted(&pin))
}

/// The expression, and every pin. GitLab puts anchors in front and behind, and each alternative has one of them: where there is
/// one already, what is added must not change which.
fn with_pins(keep: &str) -> String {
    let pins = format!("{}.*", Pin::PREFIX);
    match keep {
        "" => pins,
        keep if keep.contains('|') => format!(r"{keep}\z|\A{pins}"),
        keep => format!("({keep}|{pins})"),
    }
}

/// Pins like any other: one for each digit that a digest may begin with.
fn pins() -> impl Iterator<Item = Tag> {
    let digests = "0123456789abcdef".chars().filter_map(|digit| {
        let hex: String = std::iter::repeat_n(digit, 64).collect();
        format!("sha256:{hex}").parse::<Digest>().ok()
    });
    digests.filter_map(|digest| Pin::for_digest(&digest).to_string().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(keep: &str) -> GitLabRepository {
        let policy = format!(
            r#"{{"enabled":true,"cadence":"1d","keep_n":5,"older_than":"30d","name_regex":".*"{keep},"next_run_at":null}}"#
        );
        GitLabRepository {
            project: "shop/team/api".into(),
            policy: Setting::Text(policy.into()),
            protected: Setting::Unset,
            immutable: Setting::Unset,
            tags: Vec::new(),
            untagged: Vec::new(),
        }
    }

    #[test]
    fn what_is_recommended_keeps_pins_and_whatever_was_kept_k57() {
        for (keep, expected) in [
            (r#","name_regex_keep":null"#, r"prod-pinned-.*"),
            (r#","name_regex_keep":"""#, r"prod-pinned-.*"),
            (r#","name_regex_keep":"v.*""#, r"(v.*|prod-pinned-.*)"),
            // What begins with `dev`, or ends with `main`.
            (r#","name_regex_keep":"dev|main""#, r"dev|main\z|\Aprod-pinned-.*"),
        ] {
            let before = repository(keep);
            let requests: Value = serde_json::from_str(&recommend(&before).unwrap()).unwrap();
            assert_eq!(requests[0]["path"], "/api/v4/projects/shop%2Fteam%2Fapi", "{keep}");
            let attributes = &requests[0]["body"]["container_expiration_policy_attributes"];
            assert_eq!(attributes["name_regex_keep"], expected, "{keep}");
            let rules = |repository: &GitLabRepository| {
                let Setting::Text(text) = &repository.policy else { unreachable!() };
                Rules::new(CleanupPolicy::parse(text).unwrap().unwrap(), ProtectionRules::default())
            };
            let after = repository(&format!(r#","name_regex_keep":{}"#, attributes["name_regex_keep"]));
            for name in ["v1", "xv1", "dev-1", "x-main", "other", "main-x", "latest"] {
                let tag = name.parse().unwrap();
                assert_eq!(rules(&before).standing(&tag), rules(&after).standing(&tag), "{keep} {name}");
            }
            assert_eq!(recommend(&after), Ok("[]".to_owned()), "{keep}");
        }
    }

    #[test]
    fn where_nothing_can_be_recommended_that_is_said() {
        let untold = recommend(&repository("")).unwrap_err();
        assert!(untold.contains("does not tell name_regex_keep"), "{untold}");
        let long = recommend(&repository(&format!(r#","name_regex_keep":"{}""#, "v".repeat(250)))).unwrap_err();
        assert!(long.contains("GitLab takes 255"), "{long}");
        let commented = recommend(&repository(r#","name_regex_keep":"(?x)v.*|w # mine""#));
        assert!(commented.is_err(), "{commented:?}");
        let off = GitLabRepository { policy: Setting::Text(r#"{"enabled":false}"#.into()), ..repository("") };
        assert_eq!(recommend(&off), Ok("[]".to_owned()));
        let unread = GitLabRepository { policy: Setting::Unknown, ..repository("") };
        assert!(recommend(&unread).is_err());
    }
}
