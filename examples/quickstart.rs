//! prodpin in half a second: a registry in this process, releases of two services, and what happens to them.
//!
//!     cargo run --release --example quickstart
//!
//! Nothing outside this process is touched but a temporary folder for the policy and the ledger.

#![expect(clippy::print_stdout, reason = "telling a story on the terminal is what this is for")]

#[path = "../tests/support/push.rs"]
mod push;
#[path = "../tests/support/registry.rs"]
mod registry;
#[path = "../tests/support/serve.rs"]
mod serve;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use prodpin::sources::memory::{image, index};
use push::Pusher;
use registry::Registry;

fn main() -> anyhow::Result<()> {
    // The registry has threads of its own: the program builds its runtime itself, as it does on the command line.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let registry = runtime.block_on(Registry::start());
    let team = Pusher::new(&registry.url());
    let folder = tempfile::tempdir()?;
    let policy = folder.path().join("prodpin.yaml");

    runtime.block_on(release_everything(&team));
    fs::write(&policy, policy_text(&registry))?;
    step(&["A registry with two services, six releases each, shop/web for two platforms. This is the whole policy:"]);
    println!("{}", fs::read_to_string(&policy)?);

    step(&[
        "prodpin enforce: the five most recent releases of each service become ready to roll back to, and stay so.",
    ]);
    enforce(&policy, &registry);

    runtime.block_on(a_week_goes_by(&team));
    step(&[
        "A week goes by. Somebody builds v1.4.0 of shop/api again and pushes other bytes under the same tag.",
        "Somebody pushes shop/api:latest from a laptop. A cleanup job deletes v2.3.0 of shop/web by its digest.",
    ]);
    let ended = enforce(&policy, &registry);
    println!("Exit status {}: a pipeline stops here.\n", number(ended));

    step(&[
        "What v1.4.0 was has kept its place: its pin holds the bytes, whatever the tag names now. What was deleted by",
        "digest is gone, pin and all: in a plain registry only the permission to delete stands before that, and the",
        "next run tells. Both are on record in the ledger.",
    ]);
    Ok(())
}

/// v1.0.0 to v1.5.0 of one, v2.0.0 to v2.5.0 of the other.
async fn release_everything(team: &Pusher) {
    for minor in 0..6 {
        let (api, web) = (format!("v1.{minor}.0"), format!("v2.{minor}.0"));
        team.push("shop/api", &api, &image(&format!("shop/api {api}"))).await;
        team.push("shop/web", &web, &index(&format!("shop/web {web}"))).await;
    }
    team.push("shop/api", "latest", &image("shop/api v1.5.0")).await;
    team.push("shop/web", "latest", &index("shop/web v2.5.0")).await;
}

async fn a_week_goes_by(team: &Pusher) {
    team.push("shop/api", "v1.4.0", &image("shop/api v1.4.0, built again")).await;
    team.push("shop/api", "latest", &image("shop/api from somebody's laptop")).await;
    team.delete_manifest("shop/web", &index("shop/web v2.3.0").id()).await;
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

/// `prodpin enforce`, the program itself; and what it wrote, by the registry's own log.
fn enforce(policy: &Path, registry: &Registry) -> ExitCode {
    registry.forget_requests();
    let arguments = ["prodpin", "--quiet", "--policy"].map(OsString::from).into_iter();
    let arguments = arguments.chain([policy.into()]).chain(["enforce", "--format", "table"].map(OsString::from));
    let ended = prodpin::cli::main(arguments);
    let requests = registry.requests();
    let writes: Vec<_> = requests.iter().filter(|request| !matches!(&*request.method, "GET" | "HEAD")).collect();
    println!("\nThe registry's log: {} requests, {} of them writes.", requests.len(), writes.len());
    for write in &writes {
        println!("  {} {}", write.method, write.path);
    }
    println!();
    ended
}

/// One step of the story.
fn step(lines: &[&str]) {
    for line in lines {
        println!("── {line}");
    }
    println!();
}

/// The number, which an `ExitCode` keeps to itself.
fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap_or(u8::MAX)
}
