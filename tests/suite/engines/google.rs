//! Google Artifact Registry's cleanup policies (K41-K43): what any of them deletes and none of them keeps, goes. Versions
//! are digests, those that an index names included.

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) keeps: bool,
    pub(crate) rule: Rule,
}

#[derive(Debug, Clone)]
pub(crate) enum Rule {
    /// All of these.
    Condition { state: State, prefixes: Vec<String>, older_than: Option<i64>, newer_than: Option<i64> },
    /// Only for what keeps.
    MostRecent(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Any,
    Tagged,
    Untagged,
}

#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) name: String,
    /// Seconds since its upload, which no tag changes.
    pub(crate) age: i64,
    pub(crate) tags: Vec<String>,
}

impl Policy {
    fn matches(&self, version: &Version, all: &[Version]) -> bool {
        match &self.rule {
            Rule::MostRecent(count) => all.iter().filter(|other| other.age < version.age).count() < *count,
            Rule::Condition { state, prefixes, older_than, newer_than } => {
                let in_state = match state {
                    State::Any => true,
                    State::Tagged => !version.tags.is_empty(),
                    State::Untagged => version.tags.is_empty(),
                };
                // "Any tag state: ignores tag state"; prefixes of tags are for what has tags.
                let heeds = *state == State::Tagged;
                let has_prefix = |prefix: &String| version.tags.iter().any(|tag| tag.starts_with(prefix.as_str()));
                in_state
                    && (!heeds || prefixes.is_empty() || prefixes.iter().any(has_prefix))
                    && older_than.is_none_or(|older| version.age > older)
                    && newer_than.is_none_or(|newer| version.age < newer)
            }
        }
    }
}

/// What is left.
pub(crate) fn clean(policies: &[Policy], versions: &[Version]) -> Vec<String> {
    let any = |keeps: bool, version: &Version| {
        policies.iter().filter(|policy| policy.keeps == keeps).any(|policy| policy.matches(version, versions))
    };
    let left = versions.iter().filter(|version| !any(false, version) || any(true, version));
    left.map(|version| version.name.clone()).collect()
}

/// The vendor's own example.
#[test]
fn google_cleans_up_here_as_its_example_has_it_k42() {
    let day = 86_400;
    let rule = |prefixes: &[&str], older_than| Rule::Condition {
        state: if prefixes.is_empty() { State::Any } else { State::Tagged },
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        older_than,
        newer_than: None,
    };
    // What the example calls a version's name is a tag here.
    let policies = [
        Policy { keeps: false, rule: rule(&[], Some(100 * day)) },
        Policy { keeps: true, rule: rule(&["2.0.6"], None) },
        Policy { keeps: false, rule: rule(&["default"], None) },
    ];
    let version = |name: &str, days, tags: &[&str]| Version {
        name: name.to_owned(),
        age: days * day,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let versions = [
        version("A", 120, &["default", "2.0.1"]),
        version("B", 150, &["default", "2.0.6"]),
        version("C", 20, &["patch", "1.9.2"]),
    ];
    assert_eq!(clean(&policies, &versions), ["B", "C"]);
}
