//! Signals: which clusters and accounts are asked what runs, and no more of them than was meant.

use std::path::PathBuf;

use url::Url;

use super::check::Checker;
use super::patterns::Confirmation;
use super::problem::{Span, quote};
use super::raw_production::{RawArgoCd, RawFlux, RawKubernetes, RawProduction};
use super::spanned::Spanned;
use prodpin_core::model::NamePatterns;

/// A platform that is asked what runs in production.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalConfig {
    /// The workloads of a Kubernetes cluster.
    Kubernetes(KubernetesConfig),
    /// The applications of Argo CD.
    ArgoCd(ArgoCdConfig),
    /// The Helm releases of Flux.
    Flux(FluxConfig),
    /// The services and tasks of Amazon ECS; the patterns are clusters.
    Ecs(AwsConfig),
    /// The functions of AWS Lambda; the patterns are functions.
    Lambda(AwsConfig),
    /// The services of AWS App Runner; the patterns are services.
    AppRunner(AwsConfig),
}

/// How to reach a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAccess {
    /// The context; the current one, or the cluster that prodpin runs in, if none is named.
    pub context: Option<String>,
    /// The kubeconfig; `KUBECONFIG` or the usual place if none is named.
    pub kubeconfig: Option<PathBuf>,
}

/// What of a cluster is production.
#[derive(Debug, Clone, PartialEq)]
pub struct KubernetesConfig {
    /// The cluster.
    pub cluster: ClusterAccess,
    /// Its namespaces.
    pub namespaces: NamePatterns,
    /// Whether Helm's releases are read, which lie in Secrets (E129).
    pub helm_releases: bool,
    /// How to reach it for rehearsals; none where there are to be none.
    pub rehearsal: Option<ClusterAccess>,
    /// Whether pull Secrets of workloads are read for them, and the registry is asked as a node would ask.
    pub rehearses_pulls: bool,
}

/// Which of Argo CD's applications are production.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgoCdConfig {
    /// The cluster that Argo CD runs in.
    pub cluster: ClusterAccess,
    /// The namespaces of the Application objects.
    pub namespaces: NamePatterns,
    /// The applications.
    pub applications: NamePatterns,
}

/// Which of Flux's releases are production.
#[derive(Debug, Clone, PartialEq)]
pub struct FluxConfig {
    /// The cluster that Flux runs in.
    pub cluster: ClusterAccess,
    /// The namespaces of the HelmRelease objects.
    pub namespaces: NamePatterns,
}

/// What of an AWS account's region is production.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsConfig {
    /// The region; the AWS configuration's if none is named.
    pub region: Option<String>,
    /// Clusters, functions or services.
    pub names: NamePatterns,
    /// The ARN of a role to read with.
    pub assume_role: Option<String>,
    /// A server that stands in for AWS.
    pub endpoint: Option<Url>,
}

/// The parts of every AWS rule, as written.
struct Account<'r> {
    region: &'r Spanned<String>,
    assume_role: &'r Spanned<String>,
    endpoint: &'r Spanned<String>,
}

impl Checker<'_> {
    /// A rule that names a platform. What is written wrong in it has been reported when this answers none.
    pub(super) fn signal(&self, rule: &RawProduction, span: Span) -> Option<SignalConfig> {
        match rule {
            RawProduction::Kubernetes(rule) => self.kubernetes(&rule.kubernetes),
            RawProduction::ArgoCd(rule) => self.argocd(&rule.argocd),
            RawProduction::Flux(rule) => self.flux(&rule.flux),
            RawProduction::Ecs(rule) => {
                let (span, raw) = rule.ecs.read()?;
                let names = self.patterns(&raw.clusters, span, &Confirmation { all: &raw.all, what: "cluster" });
                let account = Account { region: &raw.region, assume_role: &raw.assume_role, endpoint: &raw.endpoint };
                self.aws(&account, names).map(SignalConfig::Ecs)
            }
            RawProduction::Lambda(rule) => {
                let (span, raw) = rule.lambda.read()?;
                let names = self.patterns(&raw.functions, span, &Confirmation { all: &raw.all, what: "function" });
                let account = Account { region: &raw.region, assume_role: &raw.assume_role, endpoint: &raw.endpoint };
                self.aws(&account, names).map(SignalConfig::Lambda)
            }
            RawProduction::AppRunner(rule) => {
                let (span, raw) = rule.app_runner.read()?;
                let names = self.patterns(&raw.services, span, &Confirmation { all: &raw.all, what: "service" });
                let account = Account { region: &raw.region, assume_role: &raw.assume_role, endpoint: &raw.endpoint };
                self.aws(&account, names).map(SignalConfig::AppRunner)
            }
            RawProduction::Tags(_) | RawProduction::MovingTag(_) | RawProduction::File(_) => {
                self.problems.error(span, "this rule names no platform", None);
                None
            }
        }
    }

    fn kubernetes(&self, rule: &Spanned<RawKubernetes>) -> Option<SignalConfig> {
        let (span, raw) = rule.read()?;
        let confirmation = Confirmation { all: &raw.all, what: "namespace" };
        let namespaces = self.patterns(&raw.namespaces, span, &confirmation);
        self.namespace_names(&raw.namespaces);
        let cluster = self.cluster(&raw.context, &raw.kubeconfig)?;
        Some(SignalConfig::Kubernetes(KubernetesConfig {
            rehearsal: self.rehearsal(raw, &cluster),
            rehearses_pulls: raw.rehearse_pulls.value().copied().unwrap_or(false),
            cluster,
            namespaces: namespaces?,
            helm_releases: raw.helm_releases.value().copied().unwrap_or(false),
        }))
    }

    fn argocd(&self, rule: &Spanned<RawArgoCd>) -> Option<SignalConfig> {
        let (span, raw) = rule.read()?;
        let confirmation = Confirmation { all: &raw.all, what: "application" };
        let applications = self.patterns(&raw.applications, span, &confirmation);
        let namespaces = match raw.namespaces.span() {
            // Where Argo CD's own installation puts them.
            None => NamePatterns::new(["argocd"]).ok(),
            // Which applications are meant has been said, wherever they are (F68).
            Some(_) => self.patterns(&raw.namespaces, span, &Confirmation { all: &Spanned::default(), what: "" }),
        };
        self.namespace_names(&raw.namespaces);
        Some(SignalConfig::ArgoCd(ArgoCdConfig {
            cluster: self.cluster(&raw.context, &raw.kubeconfig)?,
            namespaces: namespaces?,
            applications: applications?,
        }))
    }

    fn flux(&self, rule: &Spanned<RawFlux>) -> Option<SignalConfig> {
        let (span, raw) = rule.read()?;
        let confirmation = Confirmation { all: &raw.all, what: "namespace" };
        let namespaces = self.patterns(&raw.namespaces, span, &confirmation);
        self.namespace_names(&raw.namespaces);
        let cluster = self.cluster(&raw.context, &raw.kubeconfig)?;
        Some(SignalConfig::Flux(FluxConfig { cluster, namespaces: namespaces? }))
    }

    fn cluster(&self, context: &Spanned<String>, kubeconfig: &Spanned<String>) -> Option<ClusterAccess> {
        let access = ClusterAccess {
            context: self.filled(context),
            kubeconfig: kubeconfig.span().and_then(|_| self.path(kubeconfig)),
        };
        // What is written and came to nothing must not become "whatever cluster is current".
        let lost = context.span().is_some() != access.context.is_some()
            || kubeconfig.span().is_some() != access.kubeconfig.is_some();
        (!lost).then_some(access)
    }

    /// How the cluster is reached for rehearsals, where there are to be some.
    fn rehearsal(&self, raw: &RawKubernetes, cluster: &ClusterAccess) -> Option<ClusterAccess> {
        let rehearses = raw.rehearse.value().copied().unwrap_or(false);
        for (span, used) in [
            (raw.rehearse_context.span(), "there are no rehearsals for which this context would be used"),
            (raw.rehearse_pulls.span(), "there are no rehearsals in which pulls would be tried"),
        ] {
            if let (false, Some(span)) = (rehearses, span) {
                self.problems.error(span, used, "add rehearse: true, or take it out".to_owned());
            }
        }
        let context = self.filled(&raw.rehearse_context).or_else(|| cluster.context.clone());
        rehearses.then(|| ClusterAccess { context, kubeconfig: cluster.kubeconfig.clone() })
    }

    fn aws(&self, account: &Account<'_>, names: Option<NamePatterns>) -> Option<AwsConfig> {
        let region = self.region(account.region);
        let assume_role = self.role(account.assume_role);
        let endpoint = account.endpoint.span().and_then(|_| self.server(account.endpoint));
        let lost = account.region.span().is_some() != region.is_some()
            || account.assume_role.span().is_some() != assume_role.is_some()
            || account.endpoint.span().is_some() != endpoint.is_some();
        if lost {
            return None;
        }
        Some(AwsConfig { region, names: names?, assume_role, endpoint })
    }

    /// A name that no namespace can have would be looked for, and found empty.
    fn namespace_names(&self, spanned: &Spanned<Vec<Spanned<String>>>) {
        for entry in spanned.value().into_iter().flatten() {
            let Some((span, text)) = entry.read() else { continue };
            let name = text.strip_prefix('!').unwrap_or(text);
            let possible =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-*?[]{},!^".contains(&byte);
            if !entry.from_environment && (name.len() > 256 || !name.bytes().all(possible)) {
                let fix = "use lowercase letters, digits and '-', or a glob of them".to_owned();
                self.problems.error(span, format!("no namespace is called {}", quote(text)), fix);
            }
        }
    }
}
