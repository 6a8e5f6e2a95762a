//! What Lambda runs: images by digest, and zip archives by the object version they are read from (E133, E134).
//!
//! Aliases and `$LATEST` are what runs; with weights an alias names two versions. Other versions ran. Lambda fetches a
//! function's image again now and then even if nobody calls it, and without the image the function fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{AliasConfiguration, FunctionConfiguration, PackageType};
use jiff::Timestamp;

use super::client::{Access, Account, AwsFailure, CAP, Gate};
use super::{image, name, region};
use crate::{Named, ProductionSignal, Signalled, Use};
use prodpin_core::model::{Cause, Evidence, Platform, Reference, Tenure, Workload};
use prodpin_net::aws::{Gated, NamesItself};
use prodpin_policy::AwsConfig;

const LATEST: &str = "$LATEST";
/// Of versions that no alias names, so many are looked at, the newest first: each costs a call.
const MOST_VERSIONS: usize = 20;

/// The functions of one account and region.
pub(crate) struct Lambda {
    pub(super) access: Access,
}

impl Lambda {
    pub(crate) fn new(config: AwsConfig, deadline: Option<Instant>) -> Self {
        Self { access: Access::new(config, deadline) }
    }
}

#[async_trait]
impl ProductionSignal for Lambda {
    fn name(&self) -> Arc<str> {
        name("lambda", &self.access.config)
    }

    async fn collect(&self) -> Signalled {
        let mut said = Signalled::new(self.name());
        let account = Account::load(&self.access).await;
        let client = Client::from_conf(
            aws_sdk_lambda::config::Builder::from(&account.shared)
                .interceptor(Gated(Gate))
                .interceptor(CAP)
                .interceptor(NamesItself)
                .retry_classifier(CAP)
                .build(),
        );
        let listed = account
            .pages(
                "lambda:ListFunctions",
                |token| client.list_functions().set_marker(token).send(),
                |page| (page.functions, page.next_marker),
            )
            .await;
        let functions = match listed {
            Ok(functions) => functions,
            Err(failure) => {
                failure.tell(&mut said);
                return said;
            }
        };
        if functions.iter().any(|function| function.function_name.is_none()) {
            AwsFailure::lacks("lambda:ListFunctions", "the name of a function").tell(&mut said);
        }
        let names: BTreeSet<String> = functions
            .into_iter()
            .filter_map(|function| function.function_name)
            .filter(|function| self.access.config.names.matches(function))
            .collect();
        for function in &names {
            self.function(&account, &client, function, &mut said).await;
        }
        said.note_unmatched("function", &self.access.config.names, names.iter().map(String::as_str));
        said.settle();
        if names.is_empty() {
            // Functions from zip archives name nothing that a source could hold, and are there all the same.
            said.doubt_silence();
        }
        said
    }
}

/// A version of a function, in the order in which they were published; `$LATEST` comes last.
type Numbered = (u64, FunctionConfiguration);

impl Lambda {
    async fn function(&self, account: &Account, client: &Client, function: &str, said: &mut Signalled) {
        let versions = account
            .pages(
                "lambda:ListVersionsByFunction",
                |token| client.list_versions_by_function().function_name(function).set_marker(token).send(),
                |page| (page.versions, page.next_marker),
            )
            .await;
        let aliases = account
            .pages(
                "lambda:ListAliases",
                |token| client.list_aliases().function_name(function).set_marker(token).send(),
                |page| (page.aliases, page.next_marker),
            )
            .await;
        let (versions, aliases) = match (versions, aliases) {
            (Ok(versions), Ok(aliases)) => (versions, aliases),
            (versions, aliases) => {
                for failure in [versions.err(), aliases.err()].into_iter().flatten() {
                    failure.tell(said);
                }
                return;
            }
        };
        let workload = Arc::new(Workload {
            platform: Platform::Lambda { region: region(&self.access.config) },
            namespace: None,
            kind: "function".into(),
            name: function.into(),
        });
        let pointed = pointed(&aliases);
        let numbered = numbered(versions);
        let old = numbered.iter().filter(|(_, version)| !runs(version, &pointed)).count();
        let mut spare = old.saturating_sub(MOST_VERSIONS);
        for (at, (_, version)) in numbered.iter().enumerate() {
            let tenure = match runs(version, &pointed) {
                true => Tenure::Now { since: modified(version) },
                false if spare > 0 => {
                    spare -= 1;
                    continue;
                }
                // It was the newest one until the next was published; an alias may have named it for longer.
                false => Tenure::Before { last: numbered.get(at + 1).and_then(|(_, next)| modified(next)) },
            };
            let name = version.version.as_deref().unwrap_or(LATEST);
            let aliases = pointed.get(name).map_or(&[][..], Vec::as_slice);
            self.version(account, client, &workload, version, (tenure, aliases), said).await;
        }
    }

    async fn version(
        &self,
        account: &Account,
        client: &Client,
        workload: &Arc<Workload>,
        version: &FunctionConfiguration,
        (tenure, aliases): (Tenure, &[Arc<str>]),
        said: &mut Signalled,
    ) {
        let qualifier = version.version.as_deref().unwrap_or(LATEST);
        let asked = client.get_function().function_name(workload.name.as_ref()).qualifier(qualifier).send();
        let code = match account.call("lambda:GetFunction", asked).await {
            // The answer also holds an address that gives the code to whoever has it: it is dropped here (E133, I18).
            Ok(answer) => answer.code.map(|code| (code.image_uri, code.resolved_image_uri, code.resolved_s3_object)),
            Err(failure) => return failure.tell(said),
        };
        let Some((image_uri, resolved, object)) = code else {
            let lack = format!("the code of {} {qualifier}", workload.name);
            return AwsFailure::lacks("lambda:GetFunction", &lack).tell(said);
        };
        let named = match version.package_type {
            Some(PackageType::Image) => {
                let digest = resolved.as_deref().and_then(|uri| uri.rsplit_once('@')).map(|(_, digest)| digest);
                let Some(uri) = image_uri.as_deref().or(resolved.as_deref()) else {
                    return said.gap(Cause::Malformed, format_args!("{workload} {qualifier} names no image"));
                };
                image(uri, digest, Evidence::ServiceRevision, tenure)
            }
            _ => {
                // A copied archive is Lambda's own, and where it came from is not recorded (E134).
                let Some(object) = object else { return };
                let (Some(bucket), Some(key)) = (object.s3_bucket, object.s3_key) else { return };
                match key.parse() {
                    Ok(key) => {
                        let version = object.s3_object_version.map(Arc::from);
                        let sure = if version.is_some() { Evidence::ServiceRevision } else { Evidence::StablePointer };
                        let reference = Reference::Object { bucket, key, version };
                        Ok(Use::new(Named::Reference(reference), sure, tenure))
                    }
                    Err(_) => return said.gap(Cause::Malformed, format_args!("{workload} {qualifier} names no key")),
                }
            }
        };
        match named {
            Ok(used) => {
                let used = Use { workload: Some(workload.clone()), revision: Some(qualifier.into()), ..used };
                let by_alias = |alias: &Arc<str>| Use { container: Some(alias.clone()), ..used.clone() };
                said.uses.extend(aliases.iter().map(by_alias));
                if aliases.is_empty() {
                    said.uses.push(used);
                }
            }
            Err(error) => said.gap(Cause::Malformed, format_args!("{workload} {qualifier}: {error}")),
        }
    }
}

/// The versions that aliases name, those that get a share by weight included, each with its aliases.
fn pointed(aliases: &[AliasConfiguration]) -> BTreeMap<String, Vec<Arc<str>>> {
    let mut pointed: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
    for alias in aliases {
        let weights = alias.routing_config.as_ref().and_then(|routing| routing.additional_version_weights.as_ref());
        let weighted = weights.into_iter().flat_map(|weights| weights.keys());
        for version in alias.function_version.iter().chain(weighted) {
            pointed.entry(version.clone()).or_default().push(alias.name.as_deref().unwrap_or_default().into());
        }
    }
    pointed
}

fn runs(version: &FunctionConfiguration, pointed: &BTreeMap<String, Vec<Arc<str>>>) -> bool {
    let name = version.version.as_deref().unwrap_or(LATEST);
    name == LATEST || pointed.contains_key(name)
}

/// Each version once.
fn numbered(versions: Vec<FunctionConfiguration>) -> Vec<Numbered> {
    let number = |version: &FunctionConfiguration| {
        version.version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
    };
    let by_number: BTreeMap<u64, FunctionConfiguration> =
        versions.into_iter().map(|version| (number(&version), version)).collect();
    by_number.into_iter().collect()
}

/// Lambda writes `2026-01-02T03:04:05.678+0000`.
fn modified(version: &FunctionConfiguration) -> Option<Timestamp> {
    let text = version.last_modified.as_deref()?;
    text.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())
}
