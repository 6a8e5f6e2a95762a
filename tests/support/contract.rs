//! One contract for every source. A fixture says how to bring a server into a state; the clauses say what a source must
//! then report, whatever is behind it. A clause that a server has no way to set up is named in the output, never
//! passed over in silence.
#![allow(dead_code, reason = "each test binary runs the contract on its own fixtures")]

mod finding;
mod inspecting;
mod observing;
mod pinning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use prodpin::model::{
    ArtifactId, Closure, Digest, Gap, Inspection, Presence, Reference, RepositoryName, Resolution, Snapshot, Tag,
};
use prodpin::sources::memory::{Content, image};
use prodpin::sources::{Protector, Source};

pub(crate) use self::finding::*;
pub(crate) use self::inspecting::*;
pub(crate) use self::observing::*;
pub(crate) use self::pinning::*;
use super::left_out::left_out;

/// What a server must offer for a clause to be tried on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ability {
    /// It lists its repositories.
    Catalog,
    /// A repository that never was can be reported from one without tags.
    NamesRepositories,
    /// Artifacts can consist of others.
    Indexes,
    /// Images say when they were built.
    Created,
    /// Single tags can be deleted.
    DeleteTag,
    /// Artifacts can be deleted.
    DeleteArtifact,
    /// Whoever deletes an artifact deletes its tags. Elsewhere a tag goes on serving what was deleted by its digest.
    TagsGoAlong,
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
        its_tags_went_along_i4: [DeleteArtifact, TagsGoAlong],
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
