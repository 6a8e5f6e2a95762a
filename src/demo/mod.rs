//! `prodpin demo`: a registry in this process, releases of two services, and what happens to them. Nothing outside is
//! touched but a temporary folder for the policy and the ledger.

mod registry;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::sources::memory::{image, index};
use registry::Registry;

/// The annotation by which a release says what it does to its database.
const SCHEMA: &str = "prodpin.dev/schema";

/// Tells the story to `out`. `run` is the program itself: arguments in, exit status out.
pub fn demo(out: &mut dyn Write, run: &dyn Fn(Vec<OsString>) -> ExitCode) -> anyhow::Result<()> {
    // The registry has threads of its own: the program builds its runtime itself, as it does on the command line.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let registry = runtime.block_on(Registry::start())?;
    let folder = tempfile::tempdir()?;
    let policy = folder.path().join("prodpin.yaml");

    release_everything(&registry);
    std::fs::write(&policy, policy_text(&registry))?;
    let mut story = Story { out, run, policy: &policy, registry: &registry };
    story.tell(&[
        "A registry with two services, six releases each, shop/web for two platforms. This is the whole policy:",
    ])?;
    writeln!(story.out, "{}", policy_text(&registry))?;

    story.tell(&[
        "prodpin enforce: the five most recent releases of each service become ready to roll back to, and stay so.",
    ])?;
    story.run(&["enforce", "--format", "table"])?;
    story.log()?;

    a_week_goes_by(&registry);
    story.tell(&[
        "A week goes by. Somebody builds v1.4.0 of shop/api again and pushes other bytes under the same tag.",
        "Somebody pushes shop/api:latest from a laptop. A cleanup job deletes v2.3.0 of shop/web by its digest.",
    ])?;
    let ended = story.run(&["enforce", "--format", "table"])?;
    story.log()?;
    writeln!(story.out, "Exit status {}: a pipeline stops here.\n", number(ended))?;

    story.tell(&[
        "What v1.4.0 was has kept its place: its pin holds the bytes, whatever the tag names now. What was deleted by",
        "digest is gone, pin and all: in a plain registry only the permission to delete stands before that, and the",
        "next run tells. Both are on record in the ledger.",
        "",
        "And at 3 a.m.? prodpin ready shop/api:",
    ])?;
    story.run(&["ready", "shop/api"])?;
    writeln!(story.out)?;
    story.tell(&["On your own registry, without a policy and changing nothing: prodpin audit HOST/REPOSITORY"])?;
    Ok(())
}

/// v1.0.0 to v1.5.0 of one, v2.0.0 to v2.5.0 of the other.
fn release_everything(team: &Registry) {
    for minor in 0..6 {
        let (api, web) = (format!("v1.{minor}.0"), format!("v2.{minor}.0"));
        team.push("shop/api", &api, &image(&format!("shop/api {api}")).annotated(SCHEMA, "none"));
        team.push("shop/web", &web, &index(&format!("shop/web {web}")));
    }
    team.push("shop/api", "latest", &image("shop/api v1.5.0").annotated(SCHEMA, "none"));
    team.push("shop/web", "latest", &index("shop/web v2.5.0"));
}

fn a_week_goes_by(team: &Registry) {
    team.push("shop/api", "v1.4.0", &image("shop/api v1.4.0, built again").annotated(SCHEMA, "none"));
    team.push("shop/api", "latest", &image("shop/api from somebody's laptop"));
    team.delete("shop/web", &index("shop/web v2.3.0"));
}

/// What one writes oneself, but for the address.
fn policy_text(registry: &Registry) -> String {
    format!(
        "version: 1\n\
         sources:\n\
         \x20 shop: {{ oci: \"{}\", repositories: [\"shop/*\"] }}\n\
         production:\n\
         \x20 - {{ tags: [\"v*\"], order: semver }}\n",
        registry.url()
    )
}

/// Where the story is told, and who acts in it.
struct Story<'a> {
    out: &'a mut dyn Write,
    run: &'a dyn Fn(Vec<OsString>) -> ExitCode,
    policy: &'a Path,
    registry: &'a Registry,
}

impl Story<'_> {
    fn tell(&mut self, lines: &[&str]) -> std::io::Result<()> {
        for line in lines {
            writeln!(self.out, "{}", format_args!("── {line}").to_string().trim_end())?;
        }
        writeln!(self.out)
    }

    /// The program itself, as on the command line.
    fn run(&mut self, arguments: &[&str]) -> std::io::Result<ExitCode> {
        self.out.flush()?;
        self.registry.take_log();
        let common = ["prodpin", "--quiet", "--policy"].map(OsString::from).into_iter().chain([self.policy.into()]);
        Ok((self.run)(common.chain(arguments.iter().map(OsString::from)).collect()))
    }

    /// What it wrote, by the registry's own log.
    fn log(&mut self) -> std::io::Result<()> {
        let log = self.registry.take_log();
        let writes: Vec<_> = log.iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD")).collect();
        writeln!(self.out, "\nThe registry's log: {} requests, {} of them writes.", log.len(), writes.len())?;
        for write in &writes {
            writeln!(self.out, "  {} {}", write.method, write.path)?;
        }
        writeln!(self.out)
    }
}

/// The number, which an `ExitCode` keeps to itself.
fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap_or(u8::MAX)
}
