//! The program itself, killed, starved of disk, held up and lied to, as whoever runs it may see it: no test hook is built
//! into it. `failpoints.c` stands between it and the C library.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends; not only in functions marked as tests")]
#![cfg(target_os = "linux")]

mod damage;
mod disks;
mod failpoints;
mod forged;
mod hanging;
mod keys;
mod killed;
#[path = "../support/left_out.rs"]
mod left_out;
mod memory;
mod paths;
mod place;
#[path = "../support/push.rs"]
mod push;
#[path = "../support/registry.rs"]
mod registry;
#[path = "../support/serve.rs"]
mod serve;
