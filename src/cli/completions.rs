//! `prodpin completions`: for a shell.

use super::exit::Ending;
use super::output::to_stdout;

pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Ending> {
    // Collected first: the generator panics if its writer fails, and a pipe may close (F82).
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "prodpin", &mut script);
    to_stdout(|out| out.write_all(&script))?;
    Ok(Ending::Done)
}
