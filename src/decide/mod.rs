//! Deciding: pure, total, synchronous; the clock is an argument. The same input in any order gives the same plan.
