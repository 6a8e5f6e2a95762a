//! `failpoints.c`, built once, and what it is reported.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library, if there is a C compiler.
pub(crate) fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failpoints.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/failpoints.c");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&to).arg(source).arg("-ldl").output();
        match built {
            Ok(output) if output.status.success() => Some(to),
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                assert!(std::env::var_os("PRODPIN_TEST_REQUIRED").is_none(), "a C compiler is required: {error}");
                crate::left_out::left_out("every test of failpoints", &format!("there is no C compiler: {error}"));
                None
            }
        }
    });
    built.as_deref()
}

/// One call that changes a file, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failpoint {
    /// From 1; 0 only counts.
    pub(crate) number: usize,
    pub(crate) kind: &'static str,
}

pub(crate) const COUNTED: Failpoint = Failpoint { number: 0, kind: "" };

/// The command, with a failpoint among the files under a directory. The log gets a line for each counted call.
pub(crate) fn under(mut command: Command, library: &Path, directory: &Path, at: Failpoint, log: &Path) -> Command {
    command
        .env("LD_PRELOAD", library)
        .env("FAILPOINT_UNDER", directory)
        .env("FAILPOINT_NUMBER", at.number.to_string())
        .env("FAILPOINT_KIND", at.kind)
        .env("FAILPOINT_LOG", log);
    command
}

/// What was counted.
pub(crate) fn counted(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}
