//! Chains of releases, each in its own order, put in one row.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{Arrival, Arrivals, Ranked};
use crate::decide::order::{Natural, Version};

/// The next one of a chain, ordered by what is known without its name, then by what has always decided.
struct Head<'s, 'a> {
    next: Ranked<'s, 'a>,
    arrival: Arrival,
    version: Option<Version>,
    chain: usize,
}

impl<'s, 'a> Head<'s, 'a> {
    fn new(next: Ranked<'s, 'a>, arrivals: &Arrivals, chain: usize) -> Self {
        // A number alone is no version, and comes after all that are.
        let version = Version::read(next.named().label()).filter(|version| version.conventional);
        Self { next, arrival: arrivals.at(next.named()), version, chain }
    }

    fn key(&self) -> impl Ord {
        let named = self.next.named();
        (self.arrival, self.version.as_ref(), Natural(named.label()), named.tag())
    }
}

impl Ord for Head<'_, '_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Head<'_, '_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_, '_> {}

/// Puts chains in one row. Each keeps its own order; between them goes first what arrived last.
pub(super) struct Merge<'s, 'a, I> {
    chains: Vec<I>,
    heads: BinaryHeap<Head<'s, 'a>>,
    arrivals: Arrivals,
}

impl<'s, 'a, I: Iterator<Item = Ranked<'s, 'a>>> Merge<'s, 'a, I> {
    pub(super) fn new(mut chains: Vec<I>, arrivals: &Arrivals) -> Self {
        let heads = chains.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, chain)| Some(Head::new(chain.next()?, arrivals, at))).collect();
        Self { chains, heads, arrivals: *arrivals }
    }
}

impl<'s, 'a, I: Iterator<Item = Ranked<'s, 'a>>> Iterator for Merge<'s, 'a, I> {
    type Item = Ranked<'s, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let Head { next, chain, .. } = self.heads.pop()?;
        self.heads.extend(self.chains[chain].next().map(|next| Head::new(next, &self.arrivals, chain)));
        Some(next)
    }
}
