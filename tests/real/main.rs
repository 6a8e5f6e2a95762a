//! Against real servers, which `tests/run.sh` installs and starts.

mod ledger_bucket;
