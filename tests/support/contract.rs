//! One contract for every source. A fixture says how to bring a server into a state; the clauses say what a source must
//! then report, whatever is behind it. A clause that a server has no way to set up is named in the output, never
//! passed over in silence.
#![allow(dead_code, reason = "each test binary runs the contract on its own fixtures")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use prodpin::model::{
    ArtifactId, Cause, Closure, Digest, Gap, Inspection, PinState, Presence, Reference, RepositoryName, Resolution,
    RunningReference, Scope, Snapshot, Tag,
};
use prodpin::sources::memory::{Content, image, index};
use prodpin::sources::{Protector, Source};

/// What a server must offer for a clause to be tried on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ability {
    /// It lists its repositories.
    Catalog,
    /// A repository that never was can be told from one without tags.
    NamesRepositories,
    /// Artifacts can consist of others.
    Indexes,
    /// Images say when they were built.
    Created,
    /// Single tags can be deleted.
    DeleteTag,
    /// Artifacts can be deleted.
    DeleteArtifact,
    /// Parts of an artifact can be deleted while it stays.
    DeletePart,
    /// Pins are tags, so that somebody else can take their names.
    PinTags,
    /// There are credentials that may not read.
    Deny,
}

/// A server, and how to bring it into a state. Whatever it cannot do, `can` says.
#[async_trait]
pub(crate) trait Fixture: Send + Sync {
    /// For the output: `docker-registry with Basic authentication`.
    fn name(&self) -> String;

    /// Whether the server offers this.
    fn can(&self, ability: Ability) -> bool;

    /// The full name of a repository: servers are shared, so every test has its own corner.
    fn repository(&self, name: &str) -> RepositoryName;

    /// What a tag is called in full: a bucket's tags are keys.
    fn tag(&self, _repository: &RepositoryName, label: &str) -> Tag {
        label.parse().expect("a tag")
    }

    /// How production would name a tag of this source.
    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference;

    /// Opens the source as the program does.
    async fn open(&self, patterns: &[&str], write: bool) -> Source;

    /// Opens the source with credentials that may not read this repository.
    async fn open_denied(&self, _repository: &RepositoryName) -> Source {
        unreachable!("this fixture cannot deny")
    }

    /// How many tags fill more than one page.
    fn more_than_a_page(&self) -> usize {
        20
    }

    /// How many calls that could write the server has received, where it keeps count.
    fn writes(&self) -> Option<usize> {
        None
    }

    /// Pushes content under a tag; a tag that is there moves.
    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId;

    /// What the server itself, past the source, holds under a tag: the exact bytes.
    async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>>;

    /// Removes one tag.
    async fn delete_tag(&self, _repository: &RepositoryName, _label: &str) {
        unreachable!("this fixture cannot delete tags")
    }

    /// Removes an artifact.
    async fn delete_artifact(&self, _repository: &RepositoryName, _artifact: &ArtifactId) {
        unreachable!("this fixture cannot delete artifacts")
    }

    /// Removes a blob.
    async fn delete_blob(&self, _repository: &RepositoryName, _digest: &Digest) {
        unreachable!("this fixture cannot delete blobs")
    }
}

/// Says on the terminal that something was left out. Written past the test harness, which would swallow it, and in one
/// piece, because other tests write at the same time.
pub(crate) fn left_out(what: &str, why: &str) {
    let _ = std::io::stderr().write_all(format!("left out: {what}: {why}\n").as_bytes());
}

/// Whether a fixture can try a clause; says so by name if it cannot.
pub(crate) fn applies(fixture: &dyn Fixture, clause: &str, needs: &[Ability]) -> bool {
    let lacking: Vec<Ability> = needs.iter().copied().filter(|need| !fixture.can(*need)).collect();
    if !lacking.is_empty() {
        left_out(&format!("{clause} on {}", fixture.name()), &format!("it does not offer {lacking:?}"));
    }
    lacking.is_empty()
}

/// Writes one test for every clause. `$start` is an async function from a clause's name to `Option<impl Fixture>`.
macro_rules! contract_tests {
    ($start:path) => { $crate::support::contract::contract_tests! { @each $start;
        globs_select_each_repository_once: [Catalog],
        exclusions_take_away: [Catalog],
        an_explicit_name_needs_no_catalog: [],
        a_pattern_that_matches_nothing_is_told_f73: [Catalog],
        a_repository_that_never_was_is_not_an_empty_one_i4: [NamesRepositories],
        observe_sees_exactly_what_was_pushed: [],
        lists_are_read_to_their_last_page_f16: [Catalog],
        a_moved_tag_is_seen_where_it_is: [],
        a_deleted_tag_is_not_listed_and_definitively_not_found_i4: [DeleteTag],
        a_look_up_tells_what_is_from_what_is_not_i4: [],
        denied_is_never_read_as_empty_or_gone_i4_f30: [Deny],
        a_whole_image_is_present_and_complete_i6: [],
        a_whole_index_is_present_and_complete_i6: [Indexes],
        what_never_was_is_definitively_not_found_i4: [],
        what_was_deleted_is_definitively_not_found_i4: [DeleteArtifact],
        an_index_without_one_platform_is_broken_i6_f28: [Indexes, DeleteArtifact],
        an_image_without_its_layer_is_broken_i6: [DeletePart],
        an_index_whose_child_lacks_a_layer_is_broken_i6: [Indexes, DeletePart],
        a_pin_is_read_back_and_moves_nothing_else_i8: [],
        a_pin_tag_holds_the_exact_bytes_i8: [PinTags],
        an_index_is_pinned_as_a_whole_i6_i8: [Indexes, PinTags],
        pinning_again_changes_nothing_i13: [],
        pinning_at_once_is_pinning_once_i13_i14: [],
        a_taken_pin_tag_is_never_moved_i8: [PinTags],
        a_pin_outlives_its_release_tag_i1: [],
        what_is_gone_is_not_pinned_i4: [DeleteArtifact],
        a_source_opened_to_read_cannot_pin_i17: [],
        reading_everything_writes_nothing_i17: [],
        an_image_says_when_it_was_created: [Created],
        references_find_their_way_into_the_source: [],
    } };
    (@each $start:path; $($clause:ident: [$($need:ident),*],)+) => { $(
        #[tokio::test]
        async fn $clause() {
            let clause = stringify!($clause);
            let Some(fixture) = $start(clause).await else { return };
            if $crate::support::contract::applies(&fixture, clause, &[$($crate::support::contract::Ability::$need),*]) {
                $crate::support::contract::$clause(&fixture).await;
            }
        }
    )+ };
}
pub(crate) use contract_tests;

async fn listed(source: &Source) -> (BTreeSet<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let count = names.len();
    let names: BTreeSet<RepositoryName> = names.into_iter().flatten().collect();
    assert_eq!(names.len(), count, "a repository came more than once");
    (names, gaps.into_iter().filter_map(Result::err).collect())
}

fn pointed_at(snapshot: &Snapshot) -> BTreeMap<Tag, Resolution> {
    let tags: BTreeMap<_, _> = snapshot.tags.iter().map(|tag| (tag.name.clone(), tag.target.clone())).collect();
    assert_eq!(tags.len(), snapshot.tags.len(), "a tag came more than once");
    tags
}

/// Opens one repository by its name, as it is.
async fn open(fixture: &dyn Fixture, repository: &RepositoryName, write: bool) -> Source {
    fixture.open(&[repository.as_str()], write).await
}

async fn pinning(fixture: &dyn Fixture, repository: &RepositoryName) -> (Source, Arc<dyn Protector>) {
    let source = open(fixture, repository, true).await;
    let protector = source.protector.clone().expect("a source opened to write has the pinning half");
    (source, protector)
}

fn never_pushed() -> ArtifactId {
    image("never pushed anywhere").id()
}

fn assert_whole(inspection: &Inspection) {
    assert_eq!(inspection.presence, Presence::Present, "{inspection:?}");
    assert_eq!(inspection.closure, Closure::Complete, "{inspection:?}");
    assert_eq!(inspection.gaps, [], "{inspection:?}");
}

fn assert_broken(inspection: &Inspection, lacking: &Digest) {
    assert_eq!(inspection.presence, Presence::Present, "the manifest itself is there: {inspection:?}");
    assert_eq!(inspection.closure, Closure::Broken(vec![lacking.clone()]), "{inspection:?}");
}

pub(crate) async fn globs_select_each_repository_once(fixture: &dyn Fixture) {
    let [api, web, other] = ["shop/api", "shop/web", "other/api"].map(|name| fixture.repository(name));
    for repository in [&api, &web, &other] {
        fixture.push(repository, "v1", &image("one")).await;
    }
    let pattern = fixture.repository("shop/PATTERN").as_str().replace("PATTERN", "*");
    let source = fixture.open(&[&pattern, api.as_str()], false).await;
    assert_eq!(listed(&source).await, (BTreeSet::from([api, web]), vec![]));
    assert_eq!(source.inventory.unmatched_patterns(), [""; 0]);
}

pub(crate) async fn exclusions_take_away(fixture: &dyn Fixture) {
    let [kept, taken] = ["shop/api", "shop/sandbox"].map(|name| fixture.repository(name));
    for repository in [&kept, &taken] {
        fixture.push(repository, "v1", &image("one")).await;
    }
    let pattern = kept.as_str().replace("shop/api", "**");
    let source = fixture.open(&[&pattern, &format!("!{taken}")], false).await;
    assert_eq!(listed(&source).await, (BTreeSet::from([kept]), vec![]));
}

pub(crate) async fn an_explicit_name_needs_no_catalog(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    fixture.push(&repository, "v1", &image("one")).await;
    let source = open(fixture, &repository, false).await;
    assert_eq!(listed(&source).await, (BTreeSet::from([repository]), vec![]));
}

pub(crate) async fn a_pattern_that_matches_nothing_is_told_f73(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    fixture.push(&repository, "v1", &image("one")).await;
    let lost = repository.as_str().replace("shop/api", "shpo/*");
    let source = fixture.open(&[repository.as_str(), &lost], false).await;
    listed(&source).await;
    assert_eq!(source.inventory.unmatched_patterns(), [lost]);
}

pub(crate) async fn a_repository_that_never_was_is_not_an_empty_one_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/never");
    let source = open(fixture, &repository, false).await;
    let snapshot = source.inventory.observe(&repository).await;
    assert_eq!(snapshot.tags, []);
    assert!(!snapshot.listing_is_complete(), "an absent repository passed for one without tags");
}

pub(crate) async fn observe_sees_exactly_what_was_pushed(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let mut pushed = BTreeMap::new();
    for (label, text) in [("v1.0.0", "one"), ("v1.1.0", "two"), ("v1.1.0-same", "two"), ("latest", "three")] {
        let artifact = fixture.push(&repository, label, &image(text)).await;
        pushed.insert(fixture.tag(&repository, label), Resolution::Artifact(artifact));
    }
    if fixture.can(Ability::Indexes) {
        let artifact = fixture.push(&repository, "v2.0.0", &index("four")).await;
        assert_eq!(artifact, index("four").id(), "a tag on an index names the index, not one platform (C89)");
        pushed.insert(fixture.tag(&repository, "v2.0.0"), Resolution::Artifact(artifact));
    }
    let snapshot = open(fixture, &repository, false).await.inventory.observe(&repository).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(pointed_at(&snapshot), pushed);
    let labels: BTreeSet<&str> = snapshot.tags.iter().map(|tag| tag.label()).collect();
    assert!(labels.is_superset(&BTreeSet::from(["v1.0.0", "v1.1.0", "v1.1.0-same", "latest"])), "{labels:?}");
}

pub(crate) async fn lists_are_read_to_their_last_page_f16(fixture: &dyn Fixture) {
    let repository = fixture.repository("paged/many-tags");
    let mut pushed = BTreeSet::new();
    for number in 0..fixture.more_than_a_page() {
        let label = format!("v1.0.{number}");
        fixture.push(&repository, &label, &image("the same in all")).await;
        pushed.insert(fixture.tag(&repository, &label));
    }
    let mut repositories = BTreeSet::from([repository.clone()]);
    for number in 0..fixture.more_than_a_page().min(20) {
        let one = fixture.repository(&format!("paged/r{number}"));
        fixture.push(&one, "v1", &image("the same in all")).await;
        repositories.insert(one);
    }
    let pattern = repository.as_str().replace("many-tags", "*");
    let source = fixture.open(&[&pattern], false).await;
    assert_eq!(listed(&source).await, (repositories, vec![]));
    let snapshot = source.inventory.observe(&repository).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(pointed_at(&snapshot).into_keys().collect::<BTreeSet<_>>(), pushed);
}

pub(crate) async fn a_moved_tag_is_seen_where_it_is(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let first = fixture.push(&repository, "latest", &image("one")).await;
    let source = open(fixture, &repository, false).await;
    let tag = fixture.tag(&repository, "latest");
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await)[&tag], Resolution::Artifact(first.clone()));
    let second = fixture.push(&repository, "latest", &image("two")).await;
    assert_ne!(first, second);
    let expected = Resolution::Artifact(second);
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await)[&tag], expected);
    assert_eq!(source.inventory.look_up(&repository, &tag).await, (expected, None));
    assert_whole(&source.inventory.inspect(&repository, &first).await);
}

pub(crate) async fn a_deleted_tag_is_not_listed_and_definitively_not_found_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    fixture.push(&repository, "v1", &image("one")).await;
    fixture.push(&repository, "v2", &image("two")).await;
    fixture.delete_tag(&repository, "v1").await;
    let source = open(fixture, &repository, false).await;
    let (gone, kept) = (fixture.tag(&repository, "v1"), fixture.tag(&repository, "v2"));
    let snapshot = source.inventory.observe(&repository).await;
    assert!(snapshot.listing_is_complete(), "{:?}", snapshot.gaps);
    assert_eq!(pointed_at(&snapshot).into_keys().collect::<Vec<_>>(), [kept]);
    assert_eq!(source.inventory.look_up(&repository, &gone).await, (Resolution::NotFound, None));
}

pub(crate) async fn a_look_up_tells_what_is_from_what_is_not_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    let found = inventory.look_up(&repository, &fixture.tag(&repository, "v1")).await;
    assert_eq!(found, (Resolution::Artifact(artifact), None));
    let absent = inventory.look_up(&repository, &fixture.tag(&repository, "v2")).await;
    assert_eq!(absent, (Resolution::NotFound, None));
}

pub(crate) async fn denied_is_never_read_as_empty_or_gone_i4_f30(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inventory = fixture.open_denied(&repository).await.inventory;
    let snapshot = inventory.observe(&repository).await;
    assert!(!snapshot.listing_is_complete(), "a denied list passed for a complete one");
    assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Denied), "{:?}", snapshot.gaps);
    let tag = fixture.tag(&repository, "v1");
    let (resolution, gap) = inventory.look_up(&repository, &tag).await;
    assert_eq!(resolution, Resolution::Unknown);
    let gap = gap.expect("what could not be told has a reason");
    assert_eq!((gap.scope, gap.cause), (Scope::Tag(tag), Cause::Denied));
    let inspection = inventory.inspect(&repository, &artifact).await;
    assert_eq!((inspection.presence, &inspection.closure), (Presence::Unknown, &Closure::Unknown), "{inspection:?}");
    assert_eq!(inspection.pin, PinState::Unknown, "an unreadable pin passed for an absent one");
    assert!(!inspection.gaps.is_empty(), "what could not be told has a reason");
}

pub(crate) async fn a_whole_image_is_present_and_complete_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_whole(&inspection);
    assert_eq!((inspection.artifact, inspection.pin), (artifact, PinState::Absent));
}

pub(crate) async fn a_whole_index_is_present_and_complete_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &index("one")).await;
    assert_whole(&open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await);
}

pub(crate) async fn what_never_was_is_definitively_not_found_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let never = match artifact {
        ArtifactId::Manifest(_) => never_pushed(),
        ArtifactId::ObjectVersion { version, .. } => {
            ArtifactId::ObjectVersion { key: fixture.tag(&repository, "v2"), version }
        }
    };
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &never).await;
    assert_eq!((inspection.presence, inspection.gaps), (Presence::NotFound, vec![]));
}

pub(crate) async fn what_was_deleted_is_definitively_not_found_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let gone = fixture.push(&repository, "v1", &image("one")).await;
    let kept = fixture.push(&repository, "v2", &image("two")).await;
    fixture.delete_artifact(&repository, &gone).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    let inspection = inventory.inspect(&repository, &gone).await;
    assert_eq!((inspection.presence, inspection.gaps), (Presence::NotFound, vec![]));
    let tag = fixture.tag(&repository, "v1");
    assert_eq!(inventory.look_up(&repository, &tag).await, (Resolution::NotFound, None), "its tags went along (C90)");
    assert_whole(&inventory.inspect(&repository, &kept).await);
}

pub(crate) async fn an_index_without_one_platform_is_broken_i6_f28(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = index("one");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let child = &content.children()[1];
    fixture.delete_artifact(&repository, &child.id()).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_broken(&inspection, &child.digest());
}

pub(crate) async fn an_image_without_its_layer_is_broken_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = image("a layer that will be deleted");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (layer, _) = content.blobs().pop().expect("an image has a layer");
    fixture.delete_blob(&repository, &layer).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_broken(&inspection, &layer);
}

pub(crate) async fn an_index_whose_child_lacks_a_layer_is_broken_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = index("an index whose layer will be deleted");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (layer, _) = content.children()[0].blobs().pop().expect("an image has a layer");
    fixture.delete_blob(&repository, &layer).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_broken(&inspection, &layer);
}

pub(crate) async fn a_pin_is_read_back_and_moves_nothing_else_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let other = fixture.push(&repository, "v2", &image("two")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    let before = pointed_at(&source.inventory.observe(&repository).await);
    protector.pin(&repository, &artifact).await.expect("pinned");
    let mut after = pointed_at(&source.inventory.observe(&repository).await);
    let pin = artifact.digest().map(|digest| prodpin::model::Pin::of(digest).to_string());
    if let Some(pin) = pin {
        assert_eq!(after.remove(pin.as_str()), Some(Resolution::Artifact(artifact.clone())));
    }
    assert_eq!(after, before, "a pin moved something else");
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Present, "{inspection:?}");
    assert_whole(&inspection);
    assert_eq!(source.inventory.inspect(&repository, &other).await.pin, PinState::Absent);
}

fn pin_tag(artifact: &ArtifactId) -> Tag {
    prodpin::model::Pin::of(artifact.digest().expect("a manifest")).to_string().parse().expect("a tag")
}

pub(crate) async fn a_pin_tag_holds_the_exact_bytes_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = image("one");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (_, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    let held = fixture.bytes(&repository, &pin_tag(&artifact)).await;
    assert_eq!(held.as_deref(), Some(&*content.bytes()));
}

pub(crate) async fn an_index_is_pinned_as_a_whole_i6_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = index("one");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (source, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    let held = fixture.bytes(&repository, &pin_tag(&artifact)).await;
    assert_eq!(held.as_deref(), Some(&*content.bytes()), "the pin names the index, not one of its platforms");
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Present);
    assert_whole(&inspection);
}

pub(crate) async fn pinning_again_changes_nothing_i13(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    let once = pointed_at(&source.inventory.observe(&repository).await);
    let writes = fixture.writes();
    protector.pin(&repository, &artifact).await.expect("pinning what is pinned is not an error");
    assert_eq!(fixture.writes(), writes, "what is pinned was pinned again");
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await), once);
}

pub(crate) async fn pinning_at_once_is_pinning_once_i13_i14(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let ((source, first), (_, second)) = (pinning(fixture, &repository).await, pinning(fixture, &repository).await);
    let both = futures::join!(first.pin(&repository, &artifact), second.pin(&repository, &artifact));
    assert_eq!(both, (Ok(()), Ok(())));
    assert_eq!(source.inventory.inspect(&repository, &artifact).await.pin, PinState::Present);
}

pub(crate) async fn a_taken_pin_tag_is_never_moved_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let name = pin_tag(&artifact);
    let thief = fixture.push(&repository, name.as_str(), &image("two")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Moved(thief.clone()), "{inspection:?}");
    let failure = protector.pin(&repository, &artifact).await.expect_err("the pin's name is taken");
    assert_eq!(failure.cause, Cause::Refused, "{failure}");
    let (resolution, _) = source.inventory.look_up(&repository, &name).await;
    assert_eq!(resolution, Resolution::Artifact(thief), "a tag that was somebody else's was moved");
}

pub(crate) async fn a_pin_outlives_its_release_tag_i1(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    fixture.push(&repository, "v1", &image("two")).await;
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Present, "{inspection:?}");
    assert_whole(&inspection);
}

pub(crate) async fn what_is_gone_is_not_pinned_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let gone = fixture.push(&repository, "v1", &image("one")).await;
    fixture.push(&repository, "v2", &image("two")).await;
    fixture.delete_artifact(&repository, &gone).await;
    let (source, protector) = pinning(fixture, &repository).await;
    let before = pointed_at(&source.inventory.observe(&repository).await);
    let failure = protector.pin(&repository, &gone).await.expect_err("there is nothing to pin");
    // A server that breaks over it (500) instead of saying so has not pinned anything either.
    assert!(matches!(failure.cause, Cause::NotFound | Cause::Unreachable), "{failure}");
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await), before);
    assert_ne!(source.inventory.inspect(&repository, &gone).await.pin, PinState::Present);
}

pub(crate) async fn a_source_opened_to_read_cannot_pin_i17(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    assert!(open(fixture, &repository, false).await.protector.is_none());
    assert!(open(fixture, &repository, true).await.protector.is_some());
}

pub(crate) async fn reading_everything_writes_nothing_i17(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let before = fixture.writes();
    let inventory = open(fixture, &repository, false).await.inventory;
    inventory.settings().await;
    inventory.repositories().collect::<Vec<_>>().await;
    let seen = pointed_at(&inventory.observe(&repository).await);
    inventory.look_up(&repository, &fixture.tag(&repository, "v1")).await;
    inventory.look_up(&repository, &fixture.tag(&repository, "v2")).await;
    inventory.inspect(&repository, &artifact).await;
    inventory.created(&repository, &artifact).await;
    assert_eq!(fixture.writes(), before, "reading sent a call that could write");
    assert_eq!(pointed_at(&inventory.observe(&repository).await), seen);
}

pub(crate) async fn an_image_says_when_it_was_created(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let at: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let dated = fixture.push(&repository, "v1", &image("one").created(at)).await;
    let silent = fixture.push(&repository, "v2", &image("two")).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    assert_eq!(inventory.created(&repository, &dated).await, Some(at));
    assert_eq!(inventory.created(&repository, &silent).await, None);
    // A close look that does not read the config has nothing to say, and may not say anything else.
    assert!(inventory.inspect(&repository, &dated).await.created.is_none_or(|said| said == at));
}

pub(crate) async fn references_find_their_way_into_the_source(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    let by_tag = fixture.reference(&repository, "v1");
    let tag = RunningReference::Tag(fixture.tag(&repository, "v1"));
    assert_eq!(inventory.locate(&by_tag), Some((repository.clone(), tag)), "{by_tag}");
    if let Reference::Image { host, repository: name, .. } = by_tag {
        let by_digest = Reference::Image { host, repository: name, tag: None, digest: artifact.digest().cloned() };
        let exact = RunningReference::Artifact(artifact);
        assert_eq!(inventory.locate(&by_digest), Some((repository.clone(), exact)), "{by_digest}");
    }
    let foreign: Reference = format!("elsewhere.example.com/{repository}:v1").parse().expect("a reference");
    assert_eq!(inventory.locate(&foreign), None);
}
