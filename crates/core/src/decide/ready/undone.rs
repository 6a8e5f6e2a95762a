//! What would undo what is done by hand, what holds it meanwhile, and what lets it go on (P76). What comes from Git is told by
//! the workload's own labels and annotations (P75e); how it is applied, where another signal read that.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide::automation::bare;
use crate::model::{AutomatedSync, Automation, Control, Manager, Platform};
use crate::outcome::ready::Undoing;

use super::journey::Journey;
use super::shell::{Command, Unsafe};

/// What is to be done about it.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) undone_by: Vec<Undoing>,
    /// First of all.
    pub(super) suspend: Vec<Result<String, Unsafe>>,
    /// Last of all, what was held first last.
    pub(super) resume: Vec<Result<String, Unsafe>>,
    pub(super) notes: Vec<String>,
    pub(super) break_glass: bool,
}

/// What would undo the way back of one workload.
pub(super) fn held(journey: &Journey<'_>) -> Held {
    let none = Control::default();
    let control = journey.control.unwrap_or(&none);
    let (context, by_hand) = match &journey.workload.platform {
        Platform::Kubernetes { context } | Platform::Helm { context } => (context.as_deref(), true),
        // Git is where the truth is kept; only who commits there by itself undoes a revert.
        Platform::ArgoCd { context } | Platform::Flux { context } => (context.as_deref(), false),
        Platform::Ecs { .. } | Platform::Lambda { .. } | Platform::AppRunner { .. } => return Held::default(),
    };
    let mut holding = Holding { journey, context, control, held: Held::default(), seen: BTreeSet::new() };
    holding.committers();
    if by_hand {
        holding.managers();
        holding.own();
    } else {
        holding.beside();
        holding.suspended();
    }
    holding.unknown_committers();
    holding.held.resume.reverse();
    holding.held
}

struct Holding<'j, 'a> {
    journey: &'j Journey<'a>,
    context: Option<&'j str>,
    control: &'j Control,
    held: Held,
    /// Applications that were told of.
    seen: BTreeSet<Arc<str>>,
}

impl Holding<'_, '_> {
    fn tell(&mut self, by: String, acts: Option<bool>, when: impl Into<String>) {
        let undoing = Undoing { by, acts, when: when.into() };
        if !self.held.undone_by.contains(&undoing) {
            self.held.undone_by.push(undoing);
        }
    }

    fn hold(&mut self, suspend: Command, resume: Option<Command>) {
        self.held.suspend.push(suspend.line());
        self.held.resume.extend(resume.map(Command::line));
    }

    /// A command about the workload itself.
    fn itself(&self, verb: &'static str) -> Command {
        let workload = self.journey.workload;
        let command = Command::in_cluster("kubectl", verb, self.context, workload.namespace.as_deref());
        command.glued(&format!("{}/", workload.kind), &workload.name)
    }

    /// Who commits the newest tag to Git, or writes it beside Git: after a revert it does so again.
    fn committers(&mut self) {
        let control = self.control;
        for automation in &control.automations {
            match automation {
                Automation::ArgoCdImages { context, application, namespace, name, list } => {
                    let by = format!("Argo CD Image Updater at application {application}");
                    if !self.is_proven(application) {
                        let when = "whenever it looks, where this application is the one that applies it: it writes the \
                                    newest tag again";
                        self.tell(by, None, when);
                        continue;
                    }
                    let annotate = || {
                        let command = Command::new("kubectl").option("--context", context.as_deref());
                        let command = command.option("--namespace", namespace.as_deref());
                        command.say("annotate applications.argoproj.io").name(name)
                    };
                    let key = "argocd-image-updater.argoproj.io/image-list";
                    let when = "whenever it looks: it writes the newest tag again";
                    self.tell(by, Some(true), when);
                    let suspend = annotate().say("argocd-image-updater.argoproj.io/image-list-");
                    self.hold(suspend, Some(annotate().glued(&format!("{key}="), list)));
                }
                Automation::ArgoCdUpdater { namespace, name } => {
                    let by = format!("Argo CD Image Updater {}", placed(namespace.as_deref(), name));
                    let when =
                        "whenever it looks, where one of its applicationRefs matches: it writes the newest tag again";
                    self.tell(by, None, when);
                }
                Automation::FluxImages { namespace, name, suspended, interval, .. } => {
                    let by = format!("Flux's image automation {}", placed(namespace.as_deref(), name));
                    if *suspended {
                        self.tell(by, Some(false), "it is suspended");
                        continue;
                    }
                    self.tell(by, Some(true), every(interval.as_deref(), "it commits the newest tag again"));
                    let flux = |verb| self.flux(verb, "image update", namespace.as_deref(), name);
                    let (suspend, resume) = (flux("flux suspend"), flux("flux resume"));
                    self.hold(suspend, Some(resume));
                }
                _ => {}
            }
        }
    }

    /// What commits by itself could not always be read, and that none is known is not that there is none.
    fn unknown_committers(&mut self) {
        let Control { managers, automations, .. } = self.control;
        let has = |is: fn(&Manager) -> bool| managers.iter().any(is);
        let platform = &self.journey.workload.platform;
        let by_argo = has(|by| matches!(by, Manager::ArgoCd { .. })) || matches!(platform, Platform::ArgoCd { .. });
        let by_flux = has(|by| matches!(by, Manager::Flux { .. })) || matches!(platform, Platform::Flux { .. });
        let read = |of_argo: bool| {
            let is =
                |known: &Automation| matches!(known, Automation::CommittersRead { argo_cd, .. } if *argo_cd == of_argo);
            automations.iter().any(is)
        };
        if by_argo && !read(true) {
            let when = "whenever it looks: whether it writes the newest tag again was not read; grant `list` on \
                        imageupdaters.argocd-image-updater.argoproj.io, or add `argocd:` to the policy";
            self.tell("Argo CD Image Updater, where there is one".to_owned(), None, when);
        }
        if by_flux && !read(false) {
            let when = "at its interval: whether it commits the newest tag again was not read; grant `list` on \
                        imageupdateautomations.image.toolkit.fluxcd.io, or add `flux:` to the policy";
            self.tell("Flux's image automation, where there is one".to_owned(), None, when);
        }
        let committer = |known: &Automation| {
            let of_argo = matches!(known, Automation::ArgoCdImages { .. } | Automation::ArgoCdUpdater { .. });
            of_argo || matches!(known, Automation::FluxImages { .. })
        };
        if (by_argo || by_flux) && !automations.iter().any(committer) {
            let note = "nothing that commits the newest tag by itself is known here; where an image automation or Image \
                        Updater does so, suspend that first";
            self.held.notes.push(note.to_owned());
        }
    }

    /// What writes workloads beside Git does so after a revert, too: it is held at each workload.
    fn beside(&mut self) {
        for automation in &self.journey.beside {
            let (by, when, hold) = match automation {
                Automation::Keel { .. } => (
                    "Keel",
                    "when it sees a newer tag that its policy takes: it writes the workload, whatever Git names",
                    "set keel.sh/policy=never on each workload that Keel looks after first, and what it was last",
                ),
                Automation::ImageTrigger => (
                    "OpenShift's image trigger",
                    "at once: it writes what the image stream names, whatever Git names",
                    "`oc set triggers` shows image triggers: set each to --manual by its --from-image first, and back to \
                     --auto last",
                ),
                _ => continue,
            };
            self.tell(by.to_owned(), Some(true), when);
            if !self.held.notes.iter().any(|note| note == hold) {
                self.held.notes.push(hold.to_owned());
            }
        }
    }

    /// What Flux does not apply at all while it is suspended.
    fn suspended(&mut self) {
        let workload = self.journey.workload;
        let is_suspended = self.control.automations.iter().any(|known| match known {
            Automation::Flux { kind, namespace, name, suspended: true, .. } => {
                (*kind, namespace, name) == (workload.kind.as_ref(), &workload.namespace, &workload.name)
            }
            _ => false,
        });
        if is_suspended && matches!(workload.platform, Platform::Flux { .. }) {
            let note = format!(
                "{workload} is suspended, and applies nothing until `flux resume`: the revert alone brings nothing"
            );
            self.held.notes.push(note);
        }
    }

    /// Whether the application of this name is known to be the one that applies the workload.
    fn is_proven(&self, called: &str) -> bool {
        let mut of_name = self.control.automations.iter().filter_map(|known| match known {
            Automation::ArgoCd { application, proven, .. } if bare(application) == bare(called) => Some(*proven),
            _ => None,
        });
        of_name.next() == Some(true) && of_name.next().is_none()
    }

    fn flux(&self, verb: &'static str, kind: &'static str, namespace: Option<&str>, name: &str) -> Command {
        let command = Command::new(verb).say(kind).name(name).option("--context", self.context);
        command.option("--namespace", namespace)
    }

    /// What wrote the workload, and will do so again.
    fn managers(&mut self) {
        let control = self.control;
        let is_git = |manager: &Manager| matches!(manager, Manager::ArgoCd { .. } | Manager::Flux { .. });
        self.held.break_glass = self.journey.from_git || control.managers.iter().any(is_git);
        for manager in &control.managers {
            match manager {
                Manager::Owner { kind, name } => {
                    let workload = self.journey.workload;
                    let (by, when) = match kind.as_ref() {
                        "Canary" => {
                            (format!("Flagger's canary {name}"), format!("it owns {workload}, and writes it itself"))
                        }
                        _ => (format!("{kind} {name}"), format!("it owns {workload}, and writes it again")),
                    };
                    self.tell(by, Some(true), when);
                }
                Manager::ArgoCd { .. } | Manager::Flux { .. } | Manager::Helm { .. } => {}
            }
        }
        let owned = |manager: &Manager| matches!(manager, Manager::Owner { kind, .. } if kind.as_ref() != "Canary");
        if control.managers.iter().any(owned) {
            // It is changed in what its owner reads, and not by a command here.
            return;
        }
        for manager in &control.managers {
            match manager {
                Manager::ArgoCd { application } => self.application(application),
                Manager::Flux { kind, namespace, name } => self.applied(kind, namespace.as_deref(), name),
                Manager::Owner { .. } | Manager::Helm { .. } => {}
            }
        }
    }

    /// An Argo CD application; what writes its sync policy is held before it.
    fn application(&mut self, application: &Arc<str>) {
        let control = self.control;
        let exact = control.automations.iter().filter_map(|known| match known {
            Automation::ArgoCd { application, automated, written_by, .. } => Some((application, automated, written_by)),
            _ => None,
        });
        let mut exact = exact.filter(|(known, ..)| bare(known) == bare(application));
        // One in Argo CD's own namespace is named without that. Of one that is only called so nothing is known.
        let is_named = |known: &Arc<str>| known == application || bare(application) == &**application;
        let (read, proven) = (exact.next(), self.is_proven(application));
        let known = read.filter(|(known, ..)| proven && is_named(known));
        let name = known.map_or_else(|| application.clone(), |(name, ..)| name.clone());
        if !self.seen.insert(name.clone()) {
            return;
        }
        let by = format!("Argo CD application {name}");
        let suspend = || Command::new("argocd app set").name(&name).say("--sync-policy none");
        match known {
            None => {
                let why = match read {
                    Some(_) => "one of this name was read, and nothing shows that it is the one that applies this",
                    None => "its sync policy was not read",
                };
                let when = format!("{why}: at once where it heals itself, else at its next sync");
                self.tell(by, None, when);
                self.hold(suspend(), None);
                self.held.notes.push(format!(
                    "Argo CD's application {name} brings what Git names: revert it there, then set its sync policy as it \
                     was; `argocd app get` shows it, so look before it is changed"
                ));
            }
            Some((_, None, _)) => self.tell(by, Some(false), "a person syncs it: the next sync brings what Git names"),
            Some((_, Some(sync), written_by)) => {
                match written_by {
                    Some(Manager::ArgoCd { application: parent }) => self.application(parent),
                    Some(Manager::Owner { kind, name: owner }) => {
                        self.tell(
                            format!("{kind} {owner}"),
                            Some(true),
                            format!("it sets the sync policy of application {name} back, unless it is told to leave it alone"),
                        );
                        self.held.notes.push(format!(
                            "{kind} {owner} writes application {name}: what is held here may not stay held, and only the \
                             revert in Git holds"
                        ));
                    }
                    Some(Manager::Flux { kind, namespace, name }) => self.applied(kind, namespace.as_deref(), name),
                    Some(Manager::Helm { .. }) | None => {}
                }
                self.tell(
                    by,
                    Some(true),
                    match sync.self_heal {
                        true => "at once: auto-sync with selfHeal",
                        false => "at the next change in Git: auto-sync without selfHeal",
                    },
                );
                self.hold(suspend(), Some(automated(&name, *sync)));
            }
        }
    }

    /// What Flux applies.
    fn applied(&mut self, kind: &'static str, namespace: Option<&str>, name: &str) {
        let mut read = self.control.automations.iter().filter_map(|known| match known {
            Automation::Flux {
                kind: of,
                namespace: inside,
                name: called,
                suspended,
                interval,
                corrects,
                proven,
                ..
            } if (*of, inside.as_deref(), called.as_ref()) == (kind, namespace, name) => {
                Some((*proven, *suspended, interval.clone(), *corrects))
            }
            _ => None,
        });
        let known = match (read.next(), read.next()) {
            (Some((true, suspended, interval, corrects)), None) => Ok((suspended, interval, corrects)),
            (Some(_), _) => Err("one of this name was read, and nothing shows that it is the one that applies this"),
            (None, _) => Err("its interval, and whether it is suspended, was not read"),
        };
        let by = format!("Flux {kind} {}", placed(namespace, name));
        let flux = |verb| self.flux(verb, kind, namespace, name);
        let (suspend, resume) = (flux("flux suspend"), flux("flux resume"));
        match known {
            Ok((true, ..)) => return self.tell(by, Some(false), "it is suspended"),
            Ok((false, interval, true)) => {
                self.tell(by, Some(true), every(interval.as_deref(), "it applies what Git names"));
            }
            Ok((false, interval, false)) if matches!(self.journey.workload.platform, Platform::Helm { .. }) => {
                let when = every(interval.as_deref(), "it upgrades a release that it did not make");
                self.tell(by, Some(true), when);
            }
            Ok((false, _, false)) => self.tell(by, Some(true), "at its next upgrade: it corrects nothing before"),
            Err(why) => {
                self.tell(by, None, format!("at its next interval: {why}"));
                self.hold(suspend, None);
                self.held.notes.push(format!(
                    "Flux's {kind} {name} may be that of another cluster: `flux get` shows it, and whether it is suspended \
                     already; revert in Git, and resume it after that if it was not"
                ));
                return;
            }
        }
        self.hold(suspend, Some(resume));
        self.held.notes.push("Flux brings what Git names: revert it there, and resume it after that".to_owned());
    }

    /// What the workload's own object says.
    fn own(&mut self) {
        let control = self.control;
        for automation in &control.automations {
            match automation {
                Automation::Keel { policy, by_label } => {
                    let verb = if *by_label { "label" } else { "annotate" };
                    let set = |policy: &str| self.itself(verb).glued("keel.sh/policy=", policy).say("--overwrite");
                    let (suspend, resume) = (set("never"), set(policy));
                    self.tell("Keel".to_owned(), Some(true), "when it sees a newer tag that its policy takes");
                    self.hold(suspend, Some(resume));
                }
                Automation::ImageTrigger => {
                    let by = "OpenShift's image trigger".to_owned();
                    self.tell(by, Some(true), "at once: it writes what the image stream names");
                    // Without the stream and the containers the command would change the other triggers as well.
                    let note = "`oc set triggers` shows its image triggers: set each to --manual by its --from-image first, \
                                and back to --auto last";
                    self.held.notes.push(note.to_owned());
                }
                Automation::Analysis { canary: None } => {
                    let when =
                        "its rollout is underway: once its steps and analyses are over, it promotes what it brings in";
                    self.tell("Argo Rollouts".to_owned(), Some(true), when);
                    if self.journey.goes_back {
                        // What is underway may be the way back itself, and aborting that sends everything to what failed.
                        let note = "production is going back already: see which release the rollout brings in before it is \
                                    aborted";
                        self.held.notes.push(note.to_owned());
                        continue;
                    }
                    let workload = self.journey.workload;
                    let namespace = workload.namespace.as_deref();
                    let abort = Command::in_cluster("kubectl", "argo rollouts abort", self.context, namespace);
                    self.hold(abort.name(&workload.name), None);
                }
                Automation::Analysis { canary: Some(canary) } => {
                    let when = "its analysis is underway: once that succeeds, it promotes what it brings in";
                    self.tell(format!("Flagger's canary {canary}"), Some(true), when);
                }
                Automation::ArgoCd { .. }
                | Automation::ArgoCdImages { .. }
                | Automation::ArgoCdUpdater { .. }
                | Automation::CommittersRead { .. }
                | Automation::Flux { .. }
                | Automation::FluxImages { .. } => {}
            }
        }
    }
}

/// The sync policy as it was.
fn automated(application: &str, sync: AutomatedSync) -> Command {
    let set = Command::new("argocd app set").name(application).say("--sync-policy automated");
    let set = if sync.self_heal { set.say("--self-heal") } else { set };
    let set = if sync.prune { set.say("--auto-prune") } else { set };
    if sync.allow_empty { set.say("--allow-empty") } else { set }
}

fn placed(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn every(interval: Option<&str>, what: &str) -> String {
    match interval {
        Some(interval) => format!("every {interval}: {what}"),
        None => format!("at its next interval: {what}"),
    }
}
