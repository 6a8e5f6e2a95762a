//! No pin makes anything worse (I22): the law over random rules and repositories, for every kind of rules there is, and
//! the runs in which it was broken once.
//!
//! A kind of rules takes part by implementing [`law::Engine`]: it makes repositories, decides on one, puts pins in place,
//! and lives through a future by an evaluator that shares no code with the simulator.

mod claiming;
mod cleanup_laws;
mod cleanup_rules;
mod cleanups;
mod images;
mod law;
mod objects;
mod runs;
