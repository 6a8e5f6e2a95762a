//! What was read of an account's events of one name. An account has one list of them, newest first, whichever repository is
//! asked about: what one look read of it is there for the next, as far as there is room.
//!
//! The list is read in stretches, each from some second back. Where one comes to what another has read, it goes on there.

use prodpin_core::model::TrailEntry;

use super::event::EventPage;

/// What is kept of one name's events takes no more than this, in bytes. What does not fit is asked again (I20).
const MOST_HELD: usize = 1 << 20;

/// Who asks about what was just seen shares one stretch: it begins so many seconds from now, and is read on by whoever wants
/// events from no longer ago than that.
const SOON: i64 = 600;

/// What an entry takes beside its texts.
const ENTRY_COST: usize = size_of::<(Box<str>, TrailEntry)>() + 64;

/// Of an event: the repository that it is about, and what was done there.
pub(super) type Entry = (Box<str>, TrailEntry);

/// Every stretch of one list.
#[derive(Debug, Default)]
pub(super) struct Reel {
    stretches: Vec<Stretch>,
    held: usize,
}

/// A part of the list that was read without a break. Times are in whole seconds, as CloudTrail's are.
#[derive(Debug)]
struct Stretch {
    /// It has what was before this second.
    until: i64,
    pages: Vec<KeptPage>,
    /// What was read of the second that the last page broke off in.
    pending: KeptPage,
    next: Next,
}

/// How a stretch is read on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Begin,
    Token(String),
    End,
}

/// What is held of one page, or of several that end in the same second.
#[derive(Debug, Default)]
pub(super) struct KeptPage {
    /// Everything from this second on is in it, and in those before it.
    pub(super) from: i64,
    pub(super) entries: Vec<Entry>,
    /// How many pages of the list it is.
    pub(super) pages: usize,
}

/// What to ask for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    stretch: usize,
    /// Events before this second.
    pub(super) until: i64,
    /// What continues the list.
    pub(super) token: Option<String>,
}

impl Stretch {
    fn from(&self) -> i64 {
        self.pages.last().map_or(self.until, |page| page.from)
    }

    /// Whether it has what was right before this second, or is the one to read on for it.
    fn leads_to(&self, before: i64) -> bool {
        self.until >= before && (self.from() <= before || self.until - before <= 2 * SOON)
    }
}

impl Reel {
    /// The page that goes on from here, where it is held.
    pub(super) fn page(&self, before: i64) -> Option<&KeptPage> {
        let stretch = &self.stretches[self.furthest(before)?];
        stretch.pages.iter().find(|page| page.from < before)
    }

    /// What leads on from here, where no page does.
    pub(super) fn question(&mut self, before: i64, now: i64) -> Question {
        let stretch = self.furthest(before).unwrap_or_else(|| {
            let until = if before + SOON >= now { before.max(now + SOON) } else { before };
            self.stretches.push(Stretch { until, pages: Vec::new(), pending: KeptPage::default(), next: Next::Begin });
            self.stretches.len() - 1
        });
        let Stretch { until, next, .. } = &self.stretches[stretch];
        let token = match next {
            Next::Token(token) => Some(token.clone()),
            Next::Begin | Next::End => None,
        };
        Question { stretch, until: *until, token }
    }

    /// Keeps what was answered, and says from when on all is read now.
    pub(super) fn keep(&mut self, question: &Question, page: EventPage) -> i64 {
        let EventPage { entries, oldest, next } = page;
        let cost: usize = entries.iter().map(cost).sum();
        let at = match self.held + cost > MOST_HELD {
            true => self.forget_all_but(question.stretch),
            false => question.stretch,
        };
        let fits = self.held + cost <= MOST_HELD;
        let stretch = &mut self.stretches[at];
        let before = stretch.from();
        // Of the oldest event's own second there may be more on the next page.
        let from = match next {
            None => i64::MIN,
            Some(_) => oldest.map_or(before, |oldest| before.min(oldest.saturating_add(1))),
        };
        stretch.next = next.map_or(Next::End, Next::Token);
        stretch.pending.entries.extend(entries);
        stretch.pending.pages += 1;
        if !fits {
            stretch.go_on_from(from);
        } else if from < before {
            stretch.pages.push(KeptPage { from, ..std::mem::take(&mut stretch.pending) });
        }
        self.held = self.stretches.iter().flat_map(Stretch::kept).map(self::cost).sum();
        from
    }

    /// Forgets a stretch whose list cannot be continued.
    pub(super) fn give_up(&mut self, question: &Question) {
        self.stretches.swap_remove(question.stretch);
        self.held = self.stretches.iter().flat_map(Stretch::kept).map(cost).sum();
    }

    /// The stretch that goes back furthest from here.
    fn furthest(&self, before: i64) -> Option<usize> {
        let leading = self.stretches.iter().enumerate().filter(|(_, stretch)| stretch.leads_to(before));
        leading.min_by_key(|(_, stretch)| stretch.from()).map(|(at, _)| at)
    }

    /// Forgets every other stretch, and what this one has; it is at the place that is returned then.
    fn forget_all_but(&mut self, at: usize) -> usize {
        let mut stretch = self.stretches.swap_remove(at);
        stretch.go_on_from(stretch.from());
        self.held = stretch.kept().map(cost).sum();
        self.stretches = vec![stretch];
        0
    }
}

impl Stretch {
    /// Lets go of what it has, but for the second that it broke off in. Whoever wants the rest asks again, and comes to what this
    /// one reads from here on.
    fn go_on_from(&mut self, from: i64) {
        let pending = std::mem::take(&mut self.pending);
        let all = std::mem::take(&mut self.pages).into_iter().chain([pending]).flat_map(|page| page.entries);
        let broken: Vec<Entry> = all.filter(|(_, entry)| entry.at.as_second() == from.saturating_sub(1)).collect();
        if broken.iter().map(cost).sum::<usize>() <= MOST_HELD / 2 {
            (self.until, self.pending.entries) = (from, broken);
        } else {
            self.until = from.saturating_sub(1);
        }
    }

    fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.pages.iter().chain([&self.pending]).flat_map(|page| &page.entries)
    }
}

fn cost((repository, entry): &Entry) -> usize {
    ENTRY_COST + repository.len() + entry.principal.len() + entry.via.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::TrailAct;

    const NOW: i64 = 1_000_000;
    const PER_PAGE: usize = 50;

    /// A list of events, newest first: each second and the repository that it is about.
    struct List {
        events: Vec<(i64, String)>,
        asked: usize,
    }

    impl List {
        fn new(mut events: Vec<(i64, String)>) -> Self {
            events.sort_by(|a, b| b.cmp(a));
            Self { events, asked: 0 }
        }

        fn answer(&mut self, question: &Question) -> EventPage {
            self.asked += 1;
            let before: Vec<_> = self.events.iter().filter(|(at, _)| *at < question.until).collect();
            let start: usize = question.token.as_deref().map_or(0, |token| token.parse().unwrap());
            let page: Vec<_> = before.iter().skip(start).take(PER_PAGE).collect();
            let entry = |(at, repository): &(i64, String)| -> Entry {
                let at = jiff::Timestamp::from_second(*at).unwrap();
                let principal = "ci".into();
                let via = "PutImage".into();
                (
                    repository.as_str().into(),
                    TrailEntry { act: TrailAct::DeletedRepository, at, principal, shared: true, via },
                )
            };
            let end = start + page.len();
            EventPage {
                entries: page.iter().map(|event| entry(event)).collect(),
                oldest: page.iter().map(|(at, _)| *at).min(),
                next: (end < before.len()).then(|| end.to_string()),
            }
        }

        /// Every event about a repository in a window, as a look reads them, and how many pages of the list it went through.
        fn walk(&mut self, reel: &mut Reel, repository: &str, start: i64, end: i64) -> (Vec<i64>, usize) {
            let (mut found, mut before, mut pages) = (Vec::new(), end + 1, 0);
            while before > start && pages < 1_000 {
                let (entries, from, read) = match reel.page(before) {
                    Some(page) => (page.entries.clone(), page.from, page.pages),
                    None => {
                        let question = reel.question(before, NOW);
                        let page = self.answer(&question);
                        (page.entries.clone(), reel.keep(&question, page), 1)
                    }
                };
                let ours =
                    entries.iter().filter(|(name, _)| **name == *repository).map(|(_, entry)| entry.at.as_second());
                found.extend(ours.filter(|at| (start..=end).contains(at)));
                (before, pages) = (before.min(from), pages + read);
            }
            found.sort_unstable();
            found.dedup();
            (found, pages)
        }
    }

    fn busy(events: i64, apart: i64) -> List {
        let at = |number: i64| (NOW - number * apart, format!("shop/{}", number % 7));
        List::new((0..events).map(at).collect())
    }

    fn wanted(list: &List, repository: &str, start: i64, end: i64) -> Vec<i64> {
        let ours = list.events.iter().filter(|(at, name)| name == repository && (start..=end).contains(at));
        let mut all: Vec<i64> = ours.map(|(at, _)| *at).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn many_repositories_read_one_list_once_l66() {
        let (mut list, mut reel) = (busy(350, 10), Reel::default());
        for number in 0..7 {
            let repository = format!("shop/{number}");
            // Each was looked at a moment after the one before.
            let end = NOW + 2 * number;
            let (found, _) = list.walk(&mut reel, &repository, NOW - 3_490, end);
            assert_eq!(found, wanted(&list, &repository, NOW - 3_490, end), "{repository}");
            assert_eq!(found.len(), 50);
        }
        assert_eq!(list.asked, 7, "as many pages as the list has, whoever asks");
    }

    #[test]
    fn a_window_of_the_past_reads_no_more_than_its_own_and_joins_what_is_read_l66() {
        let (mut list, mut reel) = (busy(2_000, 60), Reel::default());
        let window = (NOW - 60_000, NOW - 54_000);
        let (found, pages) = list.walk(&mut reel, "shop/3", window.0, window.1);
        assert_eq!(found, wanted(&list, "shop/3", window.0, window.1));
        assert!((pages, list.asked) == (3, 3), "100 events, and where they end: {pages}");
        // A later end, the same start: what is between is read, and the rest is there.
        let (found, _) = list.walk(&mut reel, "shop/4", window.0, NOW - 51_000);
        assert_eq!(found, wanted(&list, "shop/4", window.0, NOW - 51_000));
        assert_eq!(list.asked, 5);
        let (found, _) = list.walk(&mut reel, "shop/5", window.0, window.1 - 600);
        assert_eq!(found, wanted(&list, "shop/5", window.0, window.1 - 600));
        assert_eq!(list.asked, 5, "inside of what is read nothing is asked");
    }

    #[test]
    fn events_of_one_second_on_several_pages_are_all_there_for_the_next_l66() {
        let mut events: Vec<(i64, String)> = (0..170).map(|number| (NOW - 5, format!("shop/{number}"))).collect();
        events.push((NOW - 90, "shop/old".to_owned()));
        let (mut list, mut reel) = (List::new(events), Reel::default());
        for (repository, at) in
            [("shop/0", NOW - 5), ("shop/99", NOW - 5), ("shop/169", NOW - 5), ("shop/old", NOW - 90)]
        {
            assert_eq!(list.walk(&mut reel, repository, NOW - 100, NOW).0, [at], "{repository}");
        }
        assert_eq!(list.asked, 4);
    }

    #[test]
    fn what_does_not_fit_is_asked_again_and_nothing_is_lost_i20() {
        let long = "x".repeat(5_000);
        let at = |number: i64| (NOW - number * 10, format!("shop/{}{long}", number % 3));
        let (mut list, mut reel) = (List::new((0..1_000).map(at).collect()), Reel::default());
        for number in [0, 1, 2, 0] {
            let repository = format!("shop/{number}{long}");
            let (found, _) = list.walk(&mut reel, &repository, NOW - 9_990, NOW);
            assert_eq!(found, wanted(&list, &repository, NOW - 9_990, NOW));
            assert!(reel.held <= MOST_HELD, "{}", reel.held);
        }
        assert!(list.asked > 20, "more than a list of 20 pages, of which five fit");
        // A page that is too large by itself is used, and not kept.
        let huge = "x".repeat(MOST_HELD / 40);
        let at = |number: i64| (NOW - number * 10, format!("shop/{huge}{number}"));
        let (mut list, mut reel) = (List::new((0..120).map(at).collect()), Reel::default());
        let last = format!("shop/{huge}119");
        assert_eq!(list.walk(&mut reel, &last, NOW - 2_000, NOW).0, [NOW - 1_190]);
        assert!(reel.held <= MOST_HELD);
    }

    #[test]
    fn a_list_that_cannot_be_continued_is_begun_again() {
        let (mut list, mut reel) = (busy(200, 10), Reel::default());
        list.walk(&mut reel, "shop/0", NOW - 100, NOW);
        let question = reel.question(NOW - 490, NOW);
        assert!(question.token.is_some());
        reel.give_up(&question);
        assert_eq!((reel.held, reel.question(NOW - 490, NOW).token), (0, None));
        let (found, _) = list.walk(&mut reel, "shop/1", NOW - 1_990, NOW);
        assert_eq!(found, wanted(&list, "shop/1", NOW - 1_990, NOW));
    }
}
