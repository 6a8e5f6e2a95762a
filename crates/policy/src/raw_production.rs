//! The rules of production as written: what production runs and ran. These doc comments are what `prodpin schema policy`
//! tells an editor.

use schemars::JsonSchema;
use serde::Deserialize;

use super::spanned::Spanned;
use prodpin_core::model::Order;

/// One way to tell what production runs or ran.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "a production rule", rename_all = "snake_case")]
#[schemars(rename = "Production", untagged)]
pub(super) enum RawProduction {
    Tags(RawReleaseTags),
    MovingTag(RawMovingTag),
    File(RawFile),
    Kubernetes(RawKubernetesRule),
    #[serde(rename = "argocd")]
    ArgoCd(RawArgoCdRule),
    Flux(RawFluxRule),
    Ecs(RawEcsRule),
    Lambda(RawLambdaRule),
    AppRunner(RawAppRunnerRule),
}

/// Tags that name releases.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a tags rule")]
#[schemars(rename = "ReleaseTags", default, extend("required" = ["tags"]))]
pub(super) struct RawReleaseTags {
    /// Tags by name or glob; in a bucket, versions.
    pub(super) tags: Spanned<Vec<Spanned<String>>>,
    /// Which release is the more recent. Default `semver`.
    pub(super) order: Spanned<Order>,
    /// Confirms that every tag is a release.
    pub(super) all: Spanned<bool>,
}

/// A tag that always points at what production runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a moving_tag rule")]
#[schemars(rename = "MovingTag", default, extend("required" = ["moving_tag"]))]
pub(super) struct RawMovingTag {
    /// The tag. What it pointed at before is known from the ledger.
    pub(super) moving_tag: Spanned<String>,
}

/// A file that names what production runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a file rule")]
#[schemars(rename = "File", default, extend("required" = ["file"]))]
pub(super) struct RawFile {
    /// A JSON array of references, such as `["registry.example.com/shop/api:1.2"]`; relative to this file.
    pub(super) file: Spanned<String>,
}

/// What a Kubernetes cluster runs, and ran by its own revisions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a kubernetes rule")]
#[schemars(rename = "KubernetesRule", default, extend("required" = ["kubernetes"]))]
pub(super) struct RawKubernetesRule {
    /// Which cluster, and what of it is production.
    pub(super) kubernetes: Spanned<RawKubernetes>,
}

/// A Kubernetes cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "kubernetes")]
#[schemars(rename = "Kubernetes", default)]
pub(super) struct RawKubernetes {
    /// The context in the kubeconfig. Default: the kubeconfig's current one, or the cluster that prodpin runs in.
    pub(super) context: Spanned<String>,
    /// The kubeconfig; relative to this file. Default: `KUBECONFIG`, else `~/.kube/config`.
    pub(super) kubeconfig: Spanned<String>,
    /// Namespaces by name or glob; `!` in front takes away. Names alone need no right beyond their namespaces.
    pub(super) namespaces: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every namespace is production.
    pub(super) all: Spanned<bool>,
    /// Whether to read Helm's releases, which are kept in Secrets or ConfigMaps with their values. Default false.
    pub(super) helm_releases: Spanned<bool>,
    /// Whether `prodpin drill` asks the cluster, in dry runs, whether it would start old revisions again. It needs rights to
    /// create pods and to patch workloads. Default false.
    pub(super) rehearse: Spanned<bool>,
    /// The context of an account of its own for that, in the same kubeconfig. Default: as `context`.
    pub(super) rehearse_context: Spanned<String>,
    /// Whether a rehearsal also asks the registry for the image with what the pod's pull Secrets hold. It reads these Secrets.
    /// Default false.
    pub(super) rehearse_pulls: Spanned<bool>,
}

/// What Argo CD's applications run, and ran.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an argocd rule")]
#[schemars(rename = "ArgoCdRule", default, extend("required" = ["argocd"]))]
pub(super) struct RawArgoCdRule {
    /// Which cluster, and which applications.
    pub(super) argocd: Spanned<RawArgoCd>,
}

/// Argo CD in a Kubernetes cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "argocd")]
#[schemars(rename = "ArgoCd", default)]
pub(super) struct RawArgoCd {
    /// The context in the kubeconfig. Default: the kubeconfig's current one, or the cluster that prodpin runs in.
    pub(super) context: Spanned<String>,
    /// The kubeconfig; relative to this file. Default: `KUBECONFIG`, else `~/.kube/config`.
    pub(super) kubeconfig: Spanned<String>,
    /// The namespaces of the Application objects, by name or glob. Default `argocd`.
    pub(super) namespaces: Spanned<Vec<Spanned<String>>>,
    /// Applications by name or glob.
    pub(super) applications: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every application is production.
    pub(super) all: Spanned<bool>,
}

/// What Flux's Helm releases run, and ran.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a flux rule")]
#[schemars(rename = "FluxRule", default, extend("required" = ["flux"]))]
pub(super) struct RawFluxRule {
    /// Which cluster, and which namespaces.
    pub(super) flux: Spanned<RawFlux>,
}

/// Flux in a Kubernetes cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "flux")]
#[schemars(rename = "Flux", default)]
pub(super) struct RawFlux {
    /// The context in the kubeconfig. Default: the kubeconfig's current one, or the cluster that prodpin runs in.
    pub(super) context: Spanned<String>,
    /// The kubeconfig; relative to this file. Default: `KUBECONFIG`, else `~/.kube/config`.
    pub(super) kubeconfig: Spanned<String>,
    /// The namespaces of the HelmRelease objects, by name or glob.
    pub(super) namespaces: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every namespace is production.
    pub(super) all: Spanned<bool>,
}

/// What ECS services and tasks run, and ran by their service revisions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an ecs rule")]
#[schemars(rename = "EcsRule", default, extend("required" = ["ecs"]))]
pub(super) struct RawEcsRule {
    /// Which account, region and clusters.
    pub(super) ecs: Spanned<RawEcs>,
}

/// Amazon ECS in one account and region.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "ecs")]
#[schemars(rename = "Ecs", default)]
pub(super) struct RawEcs {
    /// The region. Default: the AWS configuration's.
    pub(super) region: Spanned<String>,
    /// Clusters by name or glob.
    pub(super) clusters: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every cluster is production.
    pub(super) all: Spanned<bool>,
    /// The ARN of a role to read with.
    pub(super) assume_role: Spanned<String>,
    /// The address of a server that stands in for AWS.
    pub(super) endpoint: Spanned<String>,
}

/// What Lambda functions run, by their versions and aliases.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a lambda rule")]
#[schemars(rename = "LambdaRule", default, extend("required" = ["lambda"]))]
pub(super) struct RawLambdaRule {
    /// Which account, region and functions.
    pub(super) lambda: Spanned<RawLambda>,
}

/// AWS Lambda in one account and region.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "lambda")]
#[schemars(rename = "Lambda", default)]
pub(super) struct RawLambda {
    /// The region. Default: the AWS configuration's.
    pub(super) region: Spanned<String>,
    /// Functions by name or glob.
    pub(super) functions: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every function is production.
    pub(super) all: Spanned<bool>,
    /// The ARN of a role to read with.
    pub(super) assume_role: Spanned<String>,
    /// The address of a server that stands in for AWS.
    pub(super) endpoint: Spanned<String>,
}

/// What App Runner services run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an app_runner rule")]
#[schemars(rename = "AppRunnerRule", default, extend("required" = ["app_runner"]))]
pub(super) struct RawAppRunnerRule {
    /// Which account, region and services.
    pub(super) app_runner: Spanned<RawAppRunner>,
}

/// AWS App Runner in one account and region.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "app_runner")]
#[schemars(rename = "AppRunner", default)]
pub(super) struct RawAppRunner {
    /// The region. Default: the AWS configuration's.
    pub(super) region: Spanned<String>,
    /// Services by name or glob.
    pub(super) services: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every service is production.
    pub(super) all: Spanned<bool>,
    /// The ARN of a role to read with.
    pub(super) assume_role: Spanned<String>,
    /// The address of a server that stands in for AWS.
    pub(super) endpoint: Spanned<String>,
}
