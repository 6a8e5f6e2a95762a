//! What was deleted is kept by GitHub for 30 days, and the command that restores it is told (K58).

use prodpin::model::{ArtifactId, Code, Finding, Mode};
use prodpin::sources::memory::{image, index};

use super::{USER, opened, opened_as, pusher, started, with_releases};
use crate::estate::RunResult;
use crate::support::github::{GitHub, Token};

fn of(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

/// The path of the call in a command.
fn path(command: &str) -> String {
    let (_, rest) = command.split_once("gh api --method POST ").unwrap_or_else(|| panic!("{command}"));
    let rest = rest.split_once(" /").map_or(rest, |(_, rest)| rest);
    let path = rest.trim_matches(['\'', '`', ' ']);
    format!("/{}", path.trim_start_matches('/'))
}

/// Does what the command does.
async fn run(github: &GitHub, command: &str) -> u16 {
    let url = format!("{}{}", github.api().trim_end_matches('/'), path(command));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.post(url).bearer_auth(USER.1).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_deleted_release_is_told_with_the_command_that_restores_it_and_that_works_k58() {
    let github = started().await;
    let estate = with_releases(&github, 6).await;
    estate.run_on(Mode::Enforce, opened(&github, true)).await;
    let victim = github.world().find("shop/api", "v1.4.0").unwrap().digest.clone();
    github.world().delete("shop/api", &victim.to_string());

    let reported = estate.run_on(Mode::Enforce, opened(&github, true)).await;
    let story = estate.story(&reported);
    let [missing] = &of(&reported, Code::TargetMissing)[..] else { panic!("{story}") };
    assert!(missing.remedy.contains("GitHub keeps it until "), "{}", missing.remedy);
    assert!(missing.remedy.contains("`gh api --method POST"), "{}", missing.remedy);

    let ready = estate.ready_on(opened(&github, false)).await;
    let page = ready.report.rows().next().unwrap().unwrap();
    let [command] = &page.undelete[..] else { panic!("{:?}", page.undelete) };
    assert!(missing.remedy.contains(command.as_str()), "{command}");
    assert_eq!(run(&github, command).await, 204);
    let after = estate.run_on(Mode::Enforce, opened(&github, true)).await;
    let story = estate.story(&after);
    assert_eq!(of(&after, Code::TargetMissing), Vec::<&Finding>::new(), "{story}");
    let target = after.targets().iter().find(|target| target.artifact == ArtifactId::Manifest(victim.clone())).unwrap();
    assert_eq!(target.protected, Some(true), "{story}");
}

#[tokio::test]
async fn platforms_that_a_workflow_deleted_are_each_told_k58() {
    let github = started().await;
    let estate = with_releases(&github, 1).await;
    let platforms = index("two platforms");
    pusher(&github).push("shop/api", "v2.0.0", &platforms).await;
    estate.run_on(Mode::Audit, opened(&github, false)).await;
    assert_eq!(github.world().delete_untagged("shop/api"), platforms.children().len());

    let reported = estate.run_on(Mode::Audit, opened(&github, false)).await;
    let story = estate.story(&reported);
    let [broken] = &of(&reported, Code::TargetBroken)[..] else { panic!("{story}") };
    assert_eq!(broken.remedy.matches("/restore").count(), platforms.children().len(), "{}", broken.remedy);
    let ready = estate.ready_on(opened(&github, false)).await;
    let page = ready.report.rows().next().unwrap().unwrap();
    for command in &page.undelete {
        assert_eq!(run(&github, command).await, 204, "{command}");
    }
    let after = estate.run_on(Mode::Audit, opened(&github, false)).await;
    assert_eq!(of(&after, Code::TargetBroken), Vec::<&Finding>::new(), "{}", estate.story(&after));
}

#[tokio::test]
async fn what_may_not_be_listed_is_unknown_and_never_gone_for_good_k58() {
    let github = started().await;
    let estate = with_releases(&github, 3).await;
    estate.run_on(Mode::Audit, opened(&github, false)).await;
    let victim = github.world().find("shop/api", "v1.1.0").unwrap().digest.to_string();
    github.world().delete("shop/api", &victim);
    github.world().tokens.push(Token { admin: false, ..Token::of("reader", "ghp_reader") });
    let source = opened_as(&github, &["shop/*"], Some(("reader", "ghp_reader")), false);
    let reported = estate.run_on(Mode::Audit, source).await;
    let story = estate.story(&reported);
    let [missing] = &of(&reported, Code::TargetMissing)[..] else { panic!("{story}") };
    assert!(missing.remedy.contains("whether GitHub still keeps it is unknown"), "{}", missing.remedy);

    // A user's deleted versions are that user's alone to list.
    pusher(&github).push("octocat/tool", "v1.0.0", &image("tool")).await;
    let digest = image("tool").id();
    let source = opened_as(&github, &["octocat/*"], Some(("reader", "ghp_reader")), false);
    github.world().delete("octocat/tool", &digest.to_string());
    let seen = source.inventory.inspect(&"octocat/tool".parse().unwrap(), &digest).await;
    let undeletable = seen.undeletable.expect("it is gone");
    assert!(undeletable.kept.is_empty() && undeletable.unread.is_some_and(|why| why.contains("that user alone")));
    let own = opened_as(&github, &["octocat/*"], Some(USER), false);
    let seen = own.inventory.inspect(&"octocat/tool".parse().unwrap(), &digest).await;
    assert_eq!(seen.undeletable.expect("it is gone").kept.len(), 1);
}

#[tokio::test]
async fn nothing_is_asked_of_deleted_versions_where_nothing_is_gone() {
    let github = started().await;
    let estate = with_releases(&github, 3).await;
    estate.run_on(Mode::Enforce, opened(&github, true)).await;
    assert!(!github.requests().iter().any(|request| request.path.contains("state=deleted")));
}
