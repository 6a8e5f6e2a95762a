//! ECS, Lambda and App Runner: back by their own words.

use prodpin::model::{Control, Manager, Platform};

use super::{rollback_commands, three};
use crate::ready::scene::*;

fn region() -> Option<std::sync::Arc<str>> {
    Some("eu-west-1".into())
}

#[test]
fn an_ecs_service_goes_back_to_its_task_definition() {
    let service = workload(Platform::Ecs { region: region() }, Some("prod"), "service", "api");
    let arn = |n: u32| format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/api:{n}");
    let (one, two, three_) = (arn(40), arn(41), arn(42));
    let scene = three(&service, [&one, &two, &three_]);
    assert_eq!(
        rollback_commands(&scene).commands,
        [
            format!(
                "aws ecs update-service --region eu-west-1 --cluster prod --service api --task-definition {}",
                arn(41)
            ),
            "aws ecs wait services-stable --region eu-west-1 --cluster prod --services api".to_owned(),
        ]
    );
    insta::assert_snapshot!(scene.shown());
}

/// CodeDeploy's services refuse another task definition by hand, and one without tasks starts none.
#[test]
fn f121_commands_of_ecs_fit_who_deploys() {
    let service = workload(Platform::Ecs { region: region() }, Some("prod"), "service", "api");
    let arn = |n: u32| format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/api:{n}");
    let (one, two, three_) = (arn(40), arn(41), arn(42));
    let with = |control: Control| {
        let mut scene = three(&service, [&one, &two, &three_]);
        let last = scene.runs[0].pop().unwrap();
        scene.runs[0].push(last.controlled(control));
        rollback_commands(&scene)
    };
    let manager = Manager::Owner { kind: "CODE_DEPLOY".into(), name: "api".into() };
    let by_others = with(Control { managers: [manager].into(), ..Control::default() });
    assert!(by_others.commands.is_empty() && by_others.notes[0].contains("CODE_DEPLOY"), "{by_others:?}");
    assert!(by_others.notes[0].contains(&arn(41)), "{by_others:?}");
    let idle = with(Control { scaled_to_zero: true, ..Control::default() });
    assert_eq!(idle.commands.len(), 2);
    assert!(idle.notes[0].contains("--desired-count 1`"), "{idle:?}");
}

#[test]
fn a_lambda_alias_is_pointed_at_the_version_before() {
    let function = workload(Platform::Lambda { region: region() }, None, "function", "resize");
    let mut scene = three(&function, ["11", "12", "13"]);
    for said in &mut scene.runs[0] {
        *said = said.clone().part(None);
    }
    let last = scene.runs[0].pop().unwrap();
    scene.runs[0].push(last.part(Some("live")));
    assert_eq!(
        rollback_commands(&scene).commands,
        ["aws lambda update-alias --region eu-west-1 --function-name resize --name live --function-version 12 \
          --routing-config AdditionalVersionWeights={}"]
    );
    insta::assert_snapshot!(scene.shown());
}

#[test]
fn a_function_without_versions_is_given_the_code() {
    let function = workload(Platform::Lambda { region: region() }, None, "function", "resize");
    let mut scene = Scene::new(&["v2", "v3"]).without_database();
    scene.host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com".to_owned();
    scene.runs = vec![
        vec![Said::now(&function, "v2", "v2", 10).part(None).revision("$LATEST")],
        vec![Said::now(&function, "v3", "v3", 12).part(None).revision("$LATEST")],
    ];
    let expected = format!(
        "aws lambda update-function-code --region eu-west-1 --function-name resize --image-uri {}/shop/api@{}",
        scene.host,
        artifact("v2")
    );
    assert_eq!(rollback_commands(&scene).commands, [expected]);
}

/// App Runner takes tags, and of all tags the pin is the one that never moves.
#[test]
fn app_runner_is_pointed_at_the_pin() {
    let service = workload(Platform::AppRunner { region: region() }, None, "service", "web");
    let mut scene = Scene::new(&["v2", "v3"]).without_database();
    scene.host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com".to_owned();
    scene.runs = vec![
        vec![Said::now(&service, "v2", "v2", 10).part(None)],
        vec![Said::now(&service, "v3", "v3", 12).part(None)],
    ];
    let rollback_commands = rollback_commands(&scene);
    let pin = format!("{}/shop/api:prod-pinned-{}", scene.host, artifact("v2").digest().unwrap().hex());
    assert!(rollback_commands.commands[0].contains(&pin), "{rollback_commands:?}");
    assert!(
        rollback_commands.commands[0]
            .starts_with("aws apprunner update-service --region eu-west-1 --service-arn \"$(aws"),
        "{rollback_commands:?}"
    );
    insta::assert_snapshot!(scene.shown());
}
