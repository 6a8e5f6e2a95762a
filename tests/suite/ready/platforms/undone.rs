//! What would undo what is done by hand: told, held first, and let go on last (P76).

use prodpin::decide::automation::Automations;
use prodpin::model::{
    Analysis, AnalysisOutcome, AutomatedSync, Automation, Control, Delivery, Manager, ObjectName, Platform, Reach,
    Stage, Waiting,
};
use prodpin::outcome::ready::{RepositoryReady, Undoing};

use super::{prod, three};
use crate::ready::scene::*;

const KUBECTL: &str = "kubectl --context prod-eu --namespace shop";

fn argo(application: &str) -> Manager {
    Manager::ArgoCd { application: application.into() }
}

fn flux(kind: &'static str) -> Manager {
    Manager::Flux { kind, namespace: Some("flux-system".into()), name: "apps".into() }
}

fn sync(application: &str, automated: Option<AutomatedSync>, written_by: Option<Manager>) -> Automation {
    Automation::ArgoCd { application: application.into(), automated, written_by, proven: true }
}

fn applied(suspended: bool) -> Automation {
    Automation::Flux {
        context: prod(),
        kind: "kustomization",
        namespace: Some("flux-system".into()),
        name: "apps".into(),
        suspended,
        interval: Some("10m".into()),
        corrects: true,
        proven: true,
    }
}

const HEALING: AutomatedSync = AutomatedSync { self_heal: true, prune: true, allow_empty: false };

/// v1, v2 and v3 of a workload that is looked after so.
fn scene(kind: &str, control: Control) -> Scene {
    let workload = kubernetes(kind, "api");
    let mut scene = three(&workload, ["1", "2", "3"]);
    let last = scene.runs[0].pop().unwrap();
    scene.runs[0].push(last.controlled(control));
    scene
}

/// Nothing that commits newest tags was left unread.
fn committers_read() -> [Automation; 2] {
    [true, false].map(|argo_cd| Automation::CommittersRead { context: prod(), argo_cd })
}

fn managed(managers: &[Manager], automations: &[Automation]) -> Control {
    Control {
        managers: managers.iter().cloned().collect(),
        automations: automations.iter().cloned().chain(committers_read()).collect(),
        ..Control::default()
    }
}

fn acts(by: &str, when: &str) -> Undoing {
    Undoing { by: by.to_owned(), acts: Some(true), when: when.to_owned() }
}

/// The commands of the last way, without what is the same in all of them.
fn by_hand(page: &RepositoryReady) -> Vec<String> {
    let way = page.back.last().unwrap();
    way.commands.iter().map(|line| line.replace(KUBECTL, "K")).collect()
}

#[test]
fn p76_argo_cd_heals_itself_so_git_is_the_answer_and_by_hand_is_break_glass() {
    let scene = scene("deployment", managed(&[argo("shop")], &[sync("shop", Some(HEALING), None)]));
    let page = scene.page();
    let [git, hand] = page.back.as_slice() else { panic!("{:?}", page.back) };
    assert_eq!((git.workload.kind.as_ref(), git.break_glass, git.undone_by.len()), ("application", false, 0));
    assert_eq!(git.commands.last().unwrap(), "argocd app sync shop");
    assert!(git.commands.iter().any(|line| line.starts_with("git revert")), "{git:?}");
    assert_eq!(hand.undone_by, [acts("Argo CD application shop", "at once: auto-sync with selfHeal")]);
    assert!(hand.break_glass);
    let expected = [
        "argocd app set shop --sync-policy none",
        "K rollout undo deployment/api --to-revision=2",
        "K rollout status deployment/api",
    ];
    assert_eq!(by_hand(&page), expected);
    assert_eq!(hand.resume, ["argocd app set shop --sync-policy automated --self-heal --auto-prune"]);
    insta::assert_snapshot!(scene.shown());
}

/// What is not known is told as not known, and what a person syncs is left alone.
#[test]
fn p76_a_sync_policy_that_was_not_read_may_undo_it_and_one_of_a_person_does_not() {
    let page = scene("deployment", managed(&[argo("shop")], &[])).page();
    let hand = page.back.last().unwrap();
    assert_eq!(hand.undone_by.iter().map(|it| it.acts).collect::<Vec<_>>(), [None]);
    assert!(hand.resume.is_empty() && hand.notes.iter().any(|note| note.contains("as it was")), "{hand:?}");
    assert_eq!(hand.commands[0], "argocd app set shop --sync-policy none");
    let page = scene("deployment", managed(&[argo("shop")], &[sync("shop", None, None)])).page();
    let hand = page.back.last().unwrap();
    assert_eq!(hand.undone_by.iter().map(|it| it.acts).collect::<Vec<_>>(), [Some(false)]);
    assert!(hand.commands[0].contains("rollout undo") && hand.resume.is_empty() && hand.break_glass, "{hand:?}");
}

/// What writes an application sets its sync policy back: it is held before it, and let go on after it.
#[test]
fn p76_what_writes_an_application_is_held_before_it() {
    let lazy = AutomatedSync { self_heal: false, ..HEALING };
    let parent = [sync("shop", Some(lazy), Some(argo("apps"))), sync("apps", Some(HEALING), None)];
    let page = scene("deployment", managed(&[argo("shop")], &parent)).page();
    let hand = page.back.last().unwrap();
    let set = |application: &str| format!("argocd app set {application} --sync-policy none");
    assert_eq!(hand.commands[..2], [set("apps"), set("shop")]);
    let resumed: Vec<&str> = hand.resume.iter().filter_map(|line| line.split(' ').nth(3)).collect();
    assert_eq!(resumed, ["shop", "apps"]);
    let set = Manager::Owner { kind: "ApplicationSet".into(), name: "all".into() };
    let page = scene("deployment", managed(&[argo("shop")], &[sync("shop", Some(HEALING), Some(set))])).page();
    let hand = page.back.last().unwrap();
    assert!(hand.undone_by[0].by == "ApplicationSet all" && hand.notes[0].contains("may not stay held"), "{hand:?}");
    // Two that write each other come to an end.
    let ring = [sync("shop", Some(HEALING), Some(argo("apps"))), sync("apps", Some(HEALING), Some(argo("shop")))];
    assert_eq!(scene("deployment", managed(&[argo("shop")], &ring)).page().back.last().unwrap().resume.len(), 2);
}

#[test]
fn p76_flux_applies_at_its_interval_and_what_is_suspended_stays_so() {
    let scene_of = |automations: &[Automation]| scene("deployment", managed(&[flux("kustomization")], automations));
    let suspend = "flux suspend kustomization apps --context prod-eu --namespace flux-system";
    let images = Automation::FluxImages {
        context: prod(),
        namespace: Some("flux-system".into()),
        name: "all".into(),
        suspended: false,
        interval: Some("5m".into()),
    };
    let scene = scene_of(&[applied(false), images]);
    let page = scene.page();
    let [git, hand] = page.back.as_slice() else { panic!("{:?}", page.back) };
    let commits = acts("Flux's image automation flux-system/all", "every 5m: it commits the newest tag again");
    let applies = acts("Flux kustomization flux-system/apps", "every 10m: it applies what Git names");
    assert_eq!((&git.undone_by, &hand.undone_by), (&vec![commits.clone()], &vec![commits, applies]));
    let held = "flux suspend image update all --context prod-eu --namespace flux-system";
    assert_eq!(
        (git.commands[0].as_str(), git.commands.last().unwrap().as_str()),
        (held, "flux reconcile kustomization apps --context prod-eu --namespace flux-system --with-source")
    );
    assert_eq!(hand.commands[..2], [held, suspend]);
    let resume = [suspend, held].map(|line| line.replace("suspend", "resume"));
    assert_eq!((&git.resume[..], &hand.resume[..]), (&resume[1..], &resume[..]));
    insta::assert_snapshot!(scene.shown());

    let page = scene_of(&[applied(true)]).page();
    let hand = page.back.last().unwrap();
    assert_eq!((hand.undone_by[0].acts, hand.resume.len()), (Some(false), 0));
    assert!(!hand.commands.iter().any(|line| line.starts_with("flux")), "{hand:?}");
    // Where it was not read, it is held all the same.
    let page = scene_of(&[]).page();
    let hand = page.back.last().unwrap();
    assert_eq!((hand.undone_by[0].acts, hand.commands[0].as_str()), (None, suspend));
}

/// Keel and OpenShift's triggers look at a registry and not at Git.
#[test]
fn p76_what_watches_the_registry_is_held_by_the_workload_itself() {
    let keel = |by_label| managed(&[], &[Automation::Keel { policy: "glob:v*".into(), by_label }]);
    for (by_label, verb) in [(false, "annotate"), (true, "label")] {
        let page = scene("deployment", keel(by_label)).page();
        let [hand] = page.back.as_slice() else { panic!("{:?}", page.back) };
        assert_eq!(by_hand(&page)[0], format!("K {verb} deployment/api keel.sh/policy=never --overwrite"));
        assert_eq!(hand.resume, [format!("{KUBECTL} {verb} deployment/api 'keel.sh/policy=glob:v*' --overwrite")]);
        assert!(!hand.break_glass && hand.undone_by.len() == 1, "{hand:?}");
    }
    let page = scene("deployment", managed(&[], &[Automation::ImageTrigger])).page();
    let hand = &page.back[0];
    assert!(hand.undone_by.len() == 1 && hand.resume.is_empty(), "{hand:?}");
    assert!(
        !hand.commands.iter().any(|line| line.contains("triggers")),
        "it would change other triggers, too: {hand:?}"
    );
    assert!(hand.notes.iter().any(|note| note.contains("--from-image")), "{hand:?}");
    // A policy that no command can be made of is looked at by a person, and the way back stays.
    let page = scene("deployment", managed(&[], &[Automation::Keel { policy: "a'b".into(), by_label: false }])).page();
    let hand = &page.back[0];
    assert!(
        hand.commands.len() == 3 && hand.resume.is_empty() && hand.notes[0].contains("look how it is set"),
        "{hand:?}"
    );
}

#[test]
fn p76_image_updater_is_held_before_the_revert_too() {
    let application = workload(Platform::ArgoCd { context: prod() }, Some("argocd"), "application", "shop");
    let updater = Automation::ArgoCdImages {
        context: prod(),
        application: "shop".into(),
        namespace: Some("argocd".into()),
        name: "shop".into(),
        list: "api=registry.example.com/shop/api:~1.2".into(),
    };
    let control = managed(&[], &[sync("shop", Some(HEALING), None), updater]);
    let mut scene = Scene::new(&["v2", "v3"]).without_database();
    scene.runs = vec![
        vec![Said::now(&application, "v2", "v2", 10).part(None)],
        vec![Said::now(&application, "v3", "v3", 12).part(None).controlled(control)],
    ];
    let page = scene.page();
    let [git] = page.back.as_slice() else { panic!("{:?}", page.back) };
    let annotate = "kubectl --context prod-eu --namespace argocd annotate applications.argoproj.io shop";
    let key = "argocd-image-updater.argoproj.io/image-list";
    assert_eq!(git.commands[0], format!("{annotate} {key}-"));
    assert_eq!(git.resume, [format!("{annotate} '{key}=api=registry.example.com/shop/api:~1.2'")]);
    assert_eq!(git.undone_by.len(), 1, "the sync policy is what brings the revert: {git:?}");
    assert!(!git.break_glass);
}

/// Helm's release is written by Flux where its workloads say so.
#[test]
fn p75e_a_helm_release_that_flux_makes_is_held_there() {
    let release = workload(Platform::Helm { context: prod() }, Some("shop"), "release", "shop");
    let deployment = kubernetes("deployment", "api");
    let helm = Manager::Helm { namespace: Some("shop".into()), release: "shop".into() };
    let control = managed(&[flux("helmrelease"), helm], &[]);
    let scene = three(&release, ["1", "2", "3"]).saying([
        Said::before(&deployment, "v2", 12).revision("7"),
        Said::now(&deployment, "v3", "v3", 12).revision("8").controlled(control),
    ]);
    let page = scene.page();
    let kinds: Vec<&str> = page.back.iter().map(|way| way.workload.kind.as_ref()).collect();
    assert_eq!(kinds, ["helmrelease", "release", "deployment"]);
    let helm = &page.back[1];
    assert_eq!(helm.commands[0], "flux suspend helmrelease apps --context prod-eu --namespace flux-system");
    assert!(helm.break_glass && helm.commands[1].starts_with("helm rollback shop 2"), "{helm:?}");
}

#[test]
fn a_rollout_that_is_underway_is_aborted_first_and_what_was_aborted_can_be_tried_again() {
    let analysis = |outcome| Some(Analysis { outcome, metric: Some("error-rate".into()) });
    let underway = Control {
        automations: [Automation::Analysis { canary: None }].into(),
        delivery: Some(Delivery { stage: Stage::Underway, analysis: analysis(AnalysisOutcome::Running) }),
        ..Control::default()
    };
    let page = scene("rollout", underway).page();
    let expected = ["abort {} api", "undo {} api --to-revision=2", "status {} api"]
        .map(|line| format!("kubectl argo rollouts {}", line.replace("{}", "--context prod-eu --namespace shop")));
    assert_eq!(by_hand(&page), expected);
    assert_eq!(page.back[0].undone_by[0].by, "Argo Rollouts");
    assert!(page.back[0].notes.iter().any(|note| note.contains("an analysis is running: error-rate")), "{page:?}");

    let aborted = Control {
        delivery: Some(Delivery { stage: Stage::GivenUp, analysis: analysis(AnalysisOutcome::Failed) }),
        ..Control::default()
    };
    let rollout = kubernetes("rollout", "api");
    let scene = Scene::new(&["v1", "v2", "v3"]).without_database().saying([
        Said::before(&rollout, "v1", 10).revision("1"),
        Said::now(&rollout, "v2", "v2", 11).revision("2").controlled(aborted.clone()),
        Said::wanted(&rollout, "v3", Waiting::Aborted).revision("3").controlled(aborted),
    ]);
    let page = scene.page();
    assert_eq!((page.from.clone(), page.to.clone()), (Some(artifact("v2")), Some(artifact("v1"))));
    assert_eq!(page.wanted[0].analysis.as_deref(), Some("last analysis failed: error-rate"));
    let retry = "`kubectl argo rollouts retry rollout --context prod-eu --namespace shop api` tries the same again";
    assert!(page.back[0].notes.iter().any(|note| note.contains(retry)), "{:?}", page.back[0].notes);
    insta::assert_snapshot!(scene.shown());
}

/// Production is the primary; its canary was never it, whatever its target names.
#[test]
fn a_primary_goes_back_through_its_canary_and_says_who_owns_it() {
    let primary = kubernetes("deployment", "api-primary");
    let target = kubernetes("deployment", "api");
    let failed = Some(Delivery {
        stage: Stage::GivenUp,
        analysis: Some(Analysis { outcome: AnalysisOutcome::Failed, metric: None }),
    });
    let owned = Control {
        managers: [Manager::Owner { kind: "Canary".into(), name: "api".into() }, argo("shop")].into(),
        delivery: failed.clone(),
        automations: committers_read().into(),
        ..Control::default()
    };
    let scene = Scene::new(&["v1", "v2", "v3"]).without_database().saying([
        Said::before(&primary, "v1", 10).revision("1"),
        Said::now(&primary, "v2", "v2", 11).revision("2").controlled(owned),
        Said::wanted(&target, "v3", Waiting::NoReplicas)
            .revision("5")
            .controlled(Control { delivery: failed, ..Control::default() }),
    ]);
    let page = scene.page();
    assert_eq!((page.from.clone(), page.to.clone()), (Some(artifact("v2")), Some(artifact("v1"))));
    let hand = page.back.last().unwrap();
    let owner = acts("Flagger's canary api", "it owns deployment shop/api-primary, and writes it itself");
    assert!(hand.undone_by.contains(&owner), "{hand:?}");
    assert!(hand.commands[1].contains("set image deployment/api api="), "{hand:?}");
    assert!(hand.notes.iter().any(|note| note.contains("never was production")), "{hand:?}");
    insta::assert_snapshot!(scene.shown());
}

/// What the registry keeps and the platform has forgotten is gone back to by its bytes.
#[test]
fn what_a_platform_itself_remembers_is_counted() {
    let deployment = kubernetes("deployment", "api");
    let control = Control { history: Some((1, "revisionHistoryLimit")), ..Control::default() };
    let mut scene = Scene::new(&["v1", "v2", "v3"]).without_database();
    scene.runs = vec![
        vec![Said::now(&deployment, "v1", "v1", 10).revision("1")],
        vec![
            Said::before(&deployment, "v2", 12).revision("2"),
            Said::now(&deployment, "v3", "v3", 12).revision("3").controlled(control),
        ],
    ];
    let page = scene.page();
    let remembers = page.back[0].remembers.clone().unwrap();
    assert_eq!((remembers.releases, remembers.of, remembers.limit), (1, 2, Some(1)));
    let shown = scene.shown();
    assert!(shown.contains("for 1 of 2 earlier releases; revisionHistoryLimit is 1"), "{shown}");
    let whole = three(&deployment, ["1", "2", "3"]);
    let remembers = whole.page().back[0].remembers.clone().unwrap();
    assert_eq!((remembers.releases, remembers.of, remembers.limit), (2, 2, None));
    assert!(!whole.shown().contains("state of its own for"), "nothing is missed");
    let pod = kubernetes("pod", "api");
    let scene = Scene::new(&["v2", "v3"]).without_database();
    let scene = scene.saying([Said::before(&pod, "v2", 10), Said::now(&pod, "v3", "v3", 12)]);
    assert_eq!(scene.page().back[0].remembers, None, "a pod keeps no states");
}

/// What one signal read of an application reaches the workloads that another one named.
#[test]
fn p76_settings_are_joined_with_workloads_by_name() {
    let api = ObjectName::new("apps", "Deployment", Some("shop"), "api");
    let itself = || ObjectName::new("argoproj.io", "Application", Some("argocd"), "shop");
    let reach = || Reach { context: prod(), itself: itself(), objects: [api.clone()].into() };
    for (reach, acts, resumed) in [(Some(reach()), Some(true), 1), (None, None, 0)] {
        let mut scene = scene("deployment", managed(&[argo("shop")], &[]));
        let mut running = scene.runs[0].pop().unwrap();
        let automations = Automations::new(vec![(sync("shop", Some(HEALING), None), reach)]);
        automations.attach(std::slice::from_mut(running.deployment()), |_| true);
        scene.runs[0].push(running);
        let page = scene.page();
        let hand = page.back.last().unwrap();
        assert_eq!((hand.undone_by[0].acts, hand.resume.len()), (acts, resumed), "{hand:?}");
    }
}

/// What was not read may commit the newest tag again, after a revert too; and what watches the registry asks no Git.
#[test]
fn p76_on_the_way_through_git_who_was_not_asked_and_who_asks_nobody_are_told() {
    let unread = Control {
        automations: [Automation::Keel { policy: "all".into(), by_label: false }].into(),
        ..managed(&[argo("shop")], &[])
    };
    let page = scene("deployment", unread).page();
    let git = &page.back[0];
    let told: Vec<(&str, Option<bool>)> = git.undone_by.iter().map(|it| (it.by.as_str(), it.acts)).collect();
    assert_eq!(told, [("Keel", Some(true)), ("Argo CD Image Updater, where there is one", None)]);
    assert!(git.notes.iter().any(|note| note.contains("keel.sh/policy=never")), "{git:?}");
}
