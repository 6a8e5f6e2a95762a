//! The commands that take a Kubernetes workload back: what `kubectl rollout undo` refuses or does by halves is done
//! otherwise (F121). What would change it back is held first, by `undone`.

use crate::model::{Control, Delivery, Manager, Stage, Updates};

use super::journey::{CommandsAndNotes, Journey, dead};
use super::shell::{Command, Unsafe};

/// Kinds that keep revisions which `undo` goes back to.
const UNDONE: [&str; 5] = ["deployment", "deploymentconfig", "statefulset", "daemonset", "rollout"];

/// Kinds of which `undo` refuses one that is paused.
const PAUSED_REFUSES: [&str; 2] = ["deployment", "deploymentconfig"];

pub(super) fn rollback_commands(journey: &Journey<'_>, context: Option<&str>) -> CommandsAndNotes {
    let none = Control::default();
    let steps = Steps { journey, context, control: journey.control.unwrap_or(&none) };
    let owner = steps.control.managers.iter().find_map(|manager| match manager {
        Manager::Owner { kind, name } => Some((kind.as_ref(), name.as_ref())),
        _ => None,
    });
    let mut reported: CommandsAndNotes = (Vec::new(), Vec::new());
    steps.tell_deployers(&mut reported.1);
    match owner {
        Some(("Canary", canary)) => steps.through_flagger(canary, &mut reported),
        Some((kind, name)) => {
            let address = journey.address.unwrap_or(&journey.to);
            reported.1.push(format!("{kind} {name} looks after it and would change it back: name {address} in that"));
            reported.0.clear();
        }
        None => steps.change(&mut reported),
    }
    reported
}

struct Steps<'j, 'a> {
    journey: &'j Journey<'a>,
    context: Option<&'j str>,
    control: &'j Control,
}

impl Steps<'_, '_> {
    fn kind(&self) -> &str {
        &self.journey.workload.kind
    }

    fn is_plugin(&self) -> bool {
        self.kind() == "rollout"
    }

    /// Of OpenShift's own kinds its own program alone knows how they go back.
    fn program(&self) -> &'static str {
        if self.kind() == "deploymentconfig" { "oc" } else { "kubectl" }
    }

    fn kubectl(&self, verb: &'static str) -> Command {
        Command::in_cluster(self.program(), verb, self.context, self.journey.workload.namespace.as_deref())
    }

    /// A command about the workload itself.
    fn itself(&self, verb: &'static str) -> Command {
        let name = &self.journey.workload.name;
        match self.is_plugin() {
            true => self.kubectl(verb).name(name),
            false => self.kubectl(verb).glued(&format!("{}/", self.kind()), name),
        }
    }

    /// What deploys from elsewhere and does not see what is done here.
    fn tell_deployers(&self, notes: &mut Vec<String>) {
        let journey = self.journey;
        for manager in &self.control.managers {
            let Manager::Helm { release, namespace } = manager else { continue };
            if journey.from_helm {
                continue;
            }
            let history = Command::new("helm history").name(release).option("--kube-context", self.context);
            let history = history.option("--namespace", namespace.as_deref()).line();
            let history = history.map(|history| format!("; `{history}` shows what it can roll back to"));
            notes.push(format!(
                "the Helm release {release} does not see this: its next upgrade brings what its values name{}",
                history.unwrap_or_default()
            ));
        }
        if journey.from_git {
            notes.push("what is deployed from Git comes back from there: revert it there too, or first".to_owned());
        } else if journey.from_helm {
            notes.push("Helm does not see this: use its own rollback where it has the release".to_owned());
        }
    }

    /// Flagger takes a new template of the target through its analysis, and writes the primary itself.
    fn through_flagger(&self, canary: &str, (commands, notes): &mut CommandsAndNotes) {
        let Journey { workload, address, parts, to, .. } = self.journey;
        let target = workload.name.strip_suffix("-primary").unwrap_or(&workload.name);
        let (Some(address), false) = (address, parts.is_empty()) else {
            notes.push(format!("Flagger's canary {canary} looks after it: name {to} in {} {target}", self.kind()));
            return;
        };
        let set = self.kubectl("set image").glued(&format!("{}/", self.kind()), target);
        commands.push(self.images(set, address));
        let skip = self.kubectl("patch").glued("canary/", canary);
        let skip = skip.say(r#"--type=merge --patch '{"spec":{"skipAnalysis":true}}'"#).line();
        let at_once = skip.map(|skip| format!("; to go at once, first: `{skip}`")).unwrap_or_default();
        notes.push(format!("Flagger's canary {canary} brings it to production by its analysis{at_once}"));
        if let Some(Delivery { stage: Stage::GivenUp, .. }) = self.control.delivery {
            notes.push(format!(
                "the last release of canary {canary} failed its analysis and never was production: {} {target} still names it",
                self.kind()
            ));
        }
    }

    /// Containers get the image by its bytes.
    fn images(&self, command: Command, address: &str) -> Result<String, Unsafe> {
        let parts = self.journey.parts.iter();
        parts.fold(command, |command, container| command.glued("", &format!("{container}={address}"))).line()
    }

    fn set_image(&self) -> Option<Result<String, Unsafe>> {
        let address = self.journey.address.filter(|_| !self.journey.parts.is_empty())?;
        let verb = if self.is_plugin() { "argo rollouts set image" } else { "set image" };
        Some(self.images(self.itself(verb), address))
    }

    fn change(&self, reported: &mut CommandsAndNotes) {
        let refuses = self.control.paused && PAUSED_REFUSES.contains(&self.kind());
        match self.journey.to_revision {
            Ok(revision) if self.kind() == "ksvc" => self.route(revision, reported),
            Ok(revision) if UNDONE.contains(&self.kind()) && !refuses => self.undo(revision, reported),
            revision => {
                match revision {
                    Ok(_) if refuses => {
                        let program = self.program();
                        let refused =
                            format!("it is paused, and `{program} rollout undo` is refused until it is resumed");
                        reported.1.push(refused);
                    }
                    Err(reason) if UNDONE.contains(&self.kind()) => reported.1.push(dead(self.journey, reason)),
                    _ => {}
                }
                if !self.name_bytes(reported) {
                    return;
                }
            }
        }
        self.bring_in(reported);
    }

    /// A revision of Knative's is gone back to by the routes of its service.
    fn route(&self, revision: &str, (commands, notes): &mut CommandsAndNotes) {
        let patch = self.itself("patch").say("--type=merge --patch").line();
        // Nothing but what Kubernetes takes for a name is put into the document.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let traffic = match !revision.is_empty() && revision.bytes().all(plain) {
            true => Ok(format!(r#"{{"spec":{{"traffic":[{{"revisionName":"{revision}","percent":100}}]}}}}"#)),
            false => Err(Unsafe),
        };
        commands.push(patch.and_then(|patch| Ok(format!("{patch} '{}'", traffic?))));
        let latest = self
            .itself("patch")
            .say(r#"--type=merge --patch '{"spec":{"traffic":[{"latestRevision":true,"percent":100}]}}'"#);
        let latest = latest.line().map(|latest| format!(": `{latest}`")).unwrap_or_default();
        notes.push(format!("new releases get no requests until the latest revision is routed to again{latest}"));
    }

    fn undo(&self, revision: &str, (commands, notes): &mut CommandsAndNotes) {
        let verb = if self.is_plugin() { "argo rollouts undo" } else { "rollout undo" };
        let undo = self.itself(verb).glued("--to-revision=", revision).line();
        notes.push("this takes back everything in that revision: other containers and settings too".to_owned());
        let by_digest = self.set_image().filter(|_| self.journey.by_tag).and_then(Result::ok);
        let Some(by_digest) = by_digest else {
            commands.push(undo);
            return;
        };
        // An admission policy that asks for digests refuses an old revision that names tags. Where tags gave way to
        // digests, there probably is one.
        let named = format!("revision {revision} names {} by a tag", self.journey.to);
        if self.journey.left_by_tag {
            commands.push(undo);
            notes.push(format!("{named}: where an admission policy refuses that, `{by_digest}`"));
        } else {
            commands.push(undo.map(|undo| format!("{undo} || {by_digest}")));
            notes.push(format!(
                "{named}: where an admission policy refuses that, the second half of the command names the same bytes"
            ));
        }
    }

    /// Names the exact bytes in the workload's template. Whether a command can.
    fn name_bytes(&self, (commands, notes): &mut CommandsAndNotes) -> bool {
        let journey = self.journey;
        let address = journey.address.unwrap_or(&journey.to);
        match self.kind() {
            "deployment"
            | "deploymentconfig"
            | "statefulset"
            | "daemonset"
            | "rollout"
            | "cronjob"
            | "replicaset"
            | "replicationcontroller"
            | "pod" => {}
            "job" => {
                notes.push(format!("a job cannot be changed: make it anew, with the image {address}"));
                return false;
            }
            _ => {
                notes.push(format!("a controller of its own looks after it: name {address} in what that reads"));
                return false;
            }
        }
        let Some(set) = self.set_image() else {
            notes.push(format!("name {address} where its definition names {}", journey.from));
            return false;
        };
        commands.push(set);
        true
    }

    /// What has to follow until pods run it.
    fn bring_in(&self, reported: &mut CommandsAndNotes) {
        self.let_pods_follow(reported);
        if self.kind() == "statefulset" {
            self.release_stuck_pods(reported);
        }
        let (commands, notes) = reported;
        if self.control.scaled_to_zero {
            let scaler = if self.control.autoscaled { "; its autoscaler goes on from there" } else { "" };
            notes.push(match self.itself("scale").say("--replicas=1").line() {
                Ok(scale) if !self.is_plugin() => {
                    format!("it is scaled to zero, and stays so until it is scaled up: `{scale}`{scaler}")
                }
                _ => format!("it is scaled to zero, and stays so until it is scaled up{scaler}"),
            });
        }
        match self.kind() {
            "deployment" | "deploymentconfig" | "statefulset" | "daemonset" => {
                commands.push(self.itself("rollout status").line());
            }
            "rollout" => {
                commands.push(self.itself("argo rollouts status").line());
                self.tell_delivery(notes);
                if let Ok(promote) = self.itself("argo rollouts promote").say("--full").line() {
                    notes.push(format!("the steps of its strategy are taken; `{promote}` leaves them out"));
                }
            }
            _ => {}
        }
    }

    /// What became of the release that a Rollout brought in last, and how that is tried again.
    fn tell_delivery(&self, notes: &mut Vec<String>) {
        let Some(Delivery { stage, analysis }) = &self.control.delivery else { return };
        let analysis = analysis.as_ref().map(|analysis| format!(": {}", analysis.sentence())).unwrap_or_default();
        let retry = self.kubectl("argo rollouts retry rollout").name(&self.journey.workload.name).line();
        let retry = retry.map(|retry| format!("; `{retry}` tries the same again")).unwrap_or_default();
        match stage {
            Stage::GivenUp => {
                notes.push(format!("its last rollout was aborted, and what ran before it stays{analysis}{retry}"));
            }
            Stage::Degraded => notes.push(format!("it is degraded{analysis}{retry}")),
            Stage::Underway => notes.push(format!("its rollout is underway{analysis}")),
            Stage::Over => {}
        }
    }

    /// Pods follow the template by themselves, or are made to.
    fn let_pods_follow(&self, (commands, notes): &mut CommandsAndNotes) {
        let patch = |spec: &'static str| self.itself("patch").say(spec);
        let afterwards = |setting: &str, back: Result<String, Unsafe>| {
            back.map(|back| format!("{setting}; to set that back: `{back}`")).unwrap_or_else(|_| setting.to_owned())
        };
        match (self.kind(), self.control.updates) {
            ("statefulset" | "daemonset", Updates::OnDelete) => {
                commands.push(
                    patch(r#"--type=merge --patch '{"spec":{"updateStrategy":{"type":"RollingUpdate"}}}'"#).line(),
                );
                let back = patch(
                    r#"--type=merge --patch '{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}'"#,
                );
                let setting = "its update strategy is OnDelete, under which no pod changes until it is deleted";
                notes.push(afterwards(setting, back.line()));
            }
            ("statefulset", Updates::Partition(partition)) => {
                let to = |partition: u32| -> Result<String, Unsafe> {
                    let line = patch("--type=merge --patch").line()?;
                    Ok(format!(
                        r#"{line} '{{"spec":{{"updateStrategy":{{"rollingUpdate":{{"partition":{partition}}}}}}}}}'"#
                    ))
                };
                commands.push(to(0));
                let setting =
                    format!("its partition is {partition}, and pods with a lower ordinal would stay as they are");
                notes.push(afterwards(&setting, to(partition)));
            }
            (kind, _) if self.control.paused && PAUSED_REFUSES.contains(&kind) => {
                commands.push(self.itself("rollout resume").line())
            }
            ("rollout", _) if self.control.paused => commands.push(self.itself("argo rollouts promote").line()),
            ("replicaset" | "replicationcontroller", _) => notes.push(match self.delete_pods() {
                Some(delete) => format!("pods that run are left as they are: delete them, `{delete}`"),
                None => "pods that run are left as they are: delete them one by one".to_owned(),
            }),
            _ => {}
        }
    }

    /// A StatefulSet replaces its pods in turn, and one that does not come up keeps the turn, whatever the template says.
    fn release_stuck_pods(&self, (commands, notes): &mut CommandsAndNotes) {
        let Control { selector, update_revision, lacks_ready_pods, .. } = self.control;
        let stuck = match (selector, update_revision) {
            (Some(selector), Some(revision)) if self.journey.is_stuck => {
                let stuck = format!("{selector},controller-revision-hash={revision}");
                Some(self.kubectl("delete pod").option("--selector", Some(&stuck)).line())
            }
            _ => None,
        };
        match stuck {
            Some(delete) => commands.push(delete),
            None if *lacks_ready_pods && !self.control.scaled_to_zero => {
                notes.push("a pod that is not ready holds up the others until it is deleted by hand".to_owned());
            }
            None => {}
        }
    }

    fn delete_pods(&self) -> Option<String> {
        let selector = self.control.selector.as_deref()?;
        self.kubectl("delete pod").option("--selector", Some(selector)).line().ok()
    }
}
