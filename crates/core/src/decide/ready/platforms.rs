//! The exact commands of each platform.

use crate::decide::automation::argo_cd_name;
use crate::model::{ArtifactId, Commit, Manager, Pin, Platform};
use crate::outcome::ready::RollbackCommands;

use super::journey::{CommandsAndNotes, Journey, dead};
use super::kubernetes;
use super::shell::{Command, Unsafe};
use super::undone::{self, Held};

pub(super) fn rollback_commands(journey: &Journey<'_>) -> RollbackCommands {
    let (commands, mut notes) = match &journey.workload.platform {
        Platform::Kubernetes { context } => kubernetes::rollback_commands(journey, context.as_deref()),
        Platform::Helm { context } => helm(journey, context.as_deref()),
        Platform::ArgoCd { .. } => argo_cd(journey),
        Platform::Flux { context } => flux(journey, context.as_deref()),
        Platform::Ecs { region } => ecs(journey, region.as_deref()),
        Platform::Lambda { region } => lambda(journey, region.as_deref()),
        Platform::AppRunner { region } => app_runner(journey, region.as_deref()),
    };
    let Held { undone_by, suspend, resume, notes: about, break_glass } = undone::held(journey);
    notes.splice(0..0, about);
    // Where there is nothing to type, nothing is held for it.
    let suspend = if commands.is_empty() { Vec::new() } else { suspend };
    let commands: Result<Vec<String>, Unsafe> = suspend.into_iter().chain(commands).collect();
    let commands = commands.unwrap_or_else(|Unsafe| {
        notes.insert(0, "a name here cannot be written into a command safely: act by the console".to_owned());
        Vec::new()
    });
    // What cannot be written back by a command must be looked at before it is changed.
    let resume: Vec<String> = resume
        .into_iter()
        .filter_map(|resume| match resume {
            Ok(resume) => Some(resume),
            Err(Unsafe) => {
                let note = "what is held first cannot be set back by a command: look how it is set before that";
                notes.insert(0, note.to_owned());
                None
            }
        })
        .collect();
    RollbackCommands {
        workload: journey.workload.clone(),
        from_revision: journey.from_revision.map(str::to_owned),
        to_revision: journey.to_revision.ok().map(str::to_owned),
        resume: if commands.is_empty() { Vec::new() } else { resume },
        commands,
        notes,
        undone_by,
        break_glass,
        remembers: None,
    }
}

fn helm(journey: &Journey<'_>, context: Option<&str>) -> CommandsAndNotes {
    let workload = journey.workload;
    let mut notes = Vec::new();
    if journey.from_git {
        notes.push("what is deployed from Git comes back from there: revert it there too, or first".to_owned());
    }
    match journey.to_revision {
        Ok(revision) => {
            let rollback = Command::new("helm rollback").name(&workload.name).name(revision);
            let rollback = rollback.option("--kube-context", context);
            let rollback = rollback.option("--namespace", workload.namespace.as_deref()).say("--wait");
            notes.push("this takes back everything in that revision: chart, values and other images too".to_owned());
            (vec![rollback.line()], notes)
        }
        Err(reason) => {
            notes.push(dead(journey, reason));
            notes.push(match journey.address {
                Some(address) => format!("upgrade the release with values that name {address}"),
                None => format!("upgrade the release to {}", journey.to),
            });
            (Vec::new(), notes)
        }
    }
}

/// The commit to revert is the one that brought today's name in; only its own repository knows which that is.
fn git(journey: &Journey<'_>, what: &str) -> CommandsAndNotes {
    let mut notes = vec![format!("in the Git repository that {what} deploys")];
    if let Some(revision) = journey.from_revision.filter(|revision| Commit::read(revision).is_some()) {
        notes.push(format!("it is at commit {revision} there now"));
    }
    if let Some(commit) = &journey.source_commit {
        notes.push(format!(
            "{} was built from commit {commit}; where manifests live beside the source, that is the one to revert: \
             `git revert --no-edit {commit}`",
            journey.from
        ));
    }
    let find = Command::new("git log --oneline -1 -S").name(&journey.needle).line();
    let commit = find.clone().map(|line| line.replacen("--oneline", "--format=%H", 1));
    let revert = commit.map(|find| format!("git revert --no-edit \"$({find})\""));
    (vec![find, revert, Ok("git push".to_owned())], notes)
}

fn argo_cd(journey: &Journey<'_>) -> CommandsAndNotes {
    let (mut commands, mut notes) = git(journey, "the application");
    let workload = journey.workload;
    let name = argo_cd_name(workload.namespace.as_deref(), &workload.name);
    commands.push(Command::new("argocd app sync").name(&name).line());
    notes.push("with automated sync the last command is not needed".to_owned());
    (commands, notes)
}

fn flux(journey: &Journey<'_>, context: Option<&str>) -> CommandsAndNotes {
    let (mut commands, notes) = git(journey, "Flux");
    let workload = journey.workload;
    let what = match workload.kind.as_ref() {
        "kustomization" => "flux reconcile kustomization",
        _ => "flux reconcile helmrelease",
    };
    let reconcile = Command::new(what).name(&workload.name).option("--context", context);
    let reconcile = reconcile.option("--namespace", workload.namespace.as_deref()).say("--with-source");
    commands.push(reconcile.line());
    (commands, notes)
}

fn ecs(journey: &Journey<'_>, region: Option<&str>) -> CommandsAndNotes {
    let workload = journey.workload;
    let cluster = workload.namespace.as_deref();
    if workload.kind.as_ref() != "service" {
        let note = match journey.to_revision {
            Ok(definition) => format!("these tasks belong to no service: start them anew from {definition}"),
            Err(reason) => dead(journey, reason),
        };
        return (Vec::new(), vec![note]);
    }
    let aws = |verb: &'static str| Command::new("aws ecs").say(verb).option("--region", region);
    let service = || aws("update-service").option("--cluster", cluster).option("--service", Some(&workload.name));
    let by_others = journey.control.and_then(|control| {
        control.managers.iter().find_map(|manager| match manager {
            Manager::Owner { kind, .. } => Some(kind),
            _ => None,
        })
    });
    match (journey.to_revision, by_others) {
        (Ok(definition), Some(by)) => {
            let note = format!(
                "its deployment controller is {by}, under which `update-service` takes no other task definition: deploy \
                 {definition} there"
            );
            (Vec::new(), vec![note])
        }
        (Ok(definition), None) => {
            let update = service().option("--task-definition", Some(definition)).line();
            let wait = aws("wait services-stable").option("--cluster", cluster);
            let mut notes = Vec::new();
            if journey.control.is_some_and(|control| control.scaled_to_zero) {
                let start = service().say("--desired-count 1").line().map(|start| format!(": `{start}`"));
                let start = start.unwrap_or_default();
                notes.push(format!("its desired count is 0, and nothing starts until that is raised{start}"));
            }
            (vec![update, wait.option("--services", Some(&workload.name)).line()], notes)
        }
        (Err(reason), _) => {
            let named = journey.address.unwrap_or(&journey.to);
            let note = format!("register a task definition that names {named}, and update the service to it");
            (Vec::new(), vec![dead(journey, reason), note])
        }
    }
}

fn lambda(journey: &Journey<'_>, region: Option<&str>) -> CommandsAndNotes {
    let function = journey.workload.name.as_ref();
    let aws = |verb: &'static str| {
        Command::new("aws lambda").say(verb).option("--region", region).option("--function-name", Some(function))
    };
    let version = journey.to_revision.ok().filter(|version| version.parse::<u64>().is_ok());
    let (mut commands, mut notes) = (Vec::new(), Vec::new());
    match version {
        Some(version) => commands.extend(journey.parts.iter().map(|alias| {
            let update = aws("update-alias").option("--name", Some(alias));
            // Weights of the version that is left would stay.
            update
                .option("--function-version", Some(version))
                .say("--routing-config AdditionalVersionWeights={}")
                .line()
        })),
        None if !journey.parts.is_empty() => {
            notes.push(format!("no version of its own is left that holds {}", journey.to))
        }
        None => {}
    }
    if !commands.is_empty() && journey.bare {
        notes.push(format!(
            "$LATEST holds {} as well: who calls the function by no alias still runs that",
            journey.from
        ));
    }
    if commands.is_empty() {
        let code = match (journey.artifact, journey.address) {
            (ArtifactId::Manifest(_), Some(address)) => {
                Some(aws("update-function-code").option("--image-uri", Some(address)))
            }
            // What prodpin calls the version of an object without one means nothing to AWS, and by its key alone other
            // bytes may come (B57).
            (ArtifactId::ObjectVersion { version, .. }, _) if version.starts_with("null@") => None,
            (ArtifactId::ObjectVersion { key, version }, Some(address)) => {
                let bucket = address.strip_prefix("s3://").and_then(|rest| rest.split('/').next());
                let update = aws("update-function-code").option("--s3-bucket", bucket);
                Some(update.option("--s3-key", Some(key.as_str())).option("--s3-object-version", Some(version)))
            }
            (_, None) => None,
        };
        match code {
            Some(code) => {
                commands.push(code.line());
                notes.push("$LATEST changes with it; aliases stay where they are until they are moved".to_owned());
            }
            None => notes.push(format!("update its code to {}", journey.to)),
        }
    }
    (commands, notes)
}

fn app_runner(journey: &Journey<'_>, region: Option<&str>) -> CommandsAndNotes {
    // App Runner takes tags, and the pin is the one that never moves.
    let digest = journey.artifact.digest().filter(|_| journey.pinned);
    let base = journey.address.and_then(|address| address.split_once('@')).map(|(base, _)| base);
    let (Some(digest), Some(base)) = (digest, base) else {
        let note =
            "App Runner takes a tag: point it at one that names the release, or pin it first with `prodpin enforce`";
        return (Vec::new(), vec![note.to_owned()]);
    };
    let query = format!("ServiceSummaryList[?ServiceName==`\"{}\"`].ServiceArn | [0]", journey.workload.name);
    let name = super::shell::ShellWord::read(&journey.workload.name);
    let find = name.and_then(|_| {
        let list = Command::new("aws apprunner list-services").option("--region", region).line()?;
        Ok(format!("{list} --query '{query}' --output text"))
    });
    let image = format!("{base}:{}", Pin::for_digest(digest));
    let update = find.and_then(|find| {
        let update = Command::new("aws apprunner update-service").option("--region", region).line()?;
        let source = format!("ImageRepository={{ImageIdentifier={image},ImageRepositoryType=ECR}}");
        let source = Command::new("--source-configuration").name(&source).line()?;
        Ok(format!("{update} --service-arn \"$({find})\" {source}"))
    });
    let note = "ports, variables and start command of the image are set again: add those that the service has";
    (vec![update], vec![note.to_owned()])
}
