//! Processes and what the operating system says that they cost: never measured from inside.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};

/// What a process cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of CPU, user and system.
    pub(crate) cpu: f64,
    /// The most memory it had.
    pub(crate) mebibytes: f64,
}

/// Runs a program to its end under GNU time.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
    folder: &Path,
) -> anyhow::Result<(Cost, Output)> {
    let noted = folder.join("time");
    let output = Command::new("/usr/bin/time")
        .args(["-q", "-f", "%e %U %S %M", "-o"])
        .arg(&noted)
        .arg("--")
        .arg(program.as_ref())
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("/usr/bin/time: is Debian's package `time` installed?")?;
    let text = std::fs::read_to_string(&noted)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, user, system, kibibytes] = numbers[..] else { anyhow::bail!("GNU time wrote {text:?}") };
    // prodpin's 3 says that there are findings, which is no failure here.
    let done = matches!(output.status.code(), Some(0 | 3));
    ensure!(done, "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok((Cost { wall, cpu: user + system, mebibytes: kibibytes / 1024.0 }, output))
}

/// The middle one.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
