//! Everything that needs no server: decisions, contracts, hostile input, the command line.

mod command_line;
mod estate;
mod policy;
mod scenarios;
