//! ECR lifecycle policies: the simulator against the guide's words, trap by trap, and as laws.

mod documents;
mod evaluation;
mod grammar;
mod laws;
mod linting;
pub(crate) mod literal;
mod recommending;
mod threatening;
pub(crate) mod world;
