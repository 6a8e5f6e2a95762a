//! What a registry shows of itself, and which kind it is by that (F123).

#[cfg(test)]
mod tests;

use super::RegistryKind;

/// What a registry showed of itself: its address, its challenge, its headers, and its answers to a few questions that
/// only one kind of registry answers. Several marks for each kind, because a proxy in front may take some away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// The registry's host, lowercase, without a port.
    pub host: String,
    /// `realm` of a Bearer challenge: an address.
    pub token_realm: Option<String>,
    /// `service` of a Bearer challenge.
    pub token_service: Option<String>,
    /// `realm` of a Basic challenge: a text.
    pub basic_realm: Option<String>,
    /// Who issued the token that the registry's token server gave, by the token's own word.
    pub token_issuer: Option<String>,
    /// Headers of any answer, names in lowercase.
    pub headers: Vec<(String, String)>,
    /// What was answered with success at well-known paths.
    pub answers: Vec<(WellKnown, String)>,
}

/// A path that one kind of registry answers, and nothing but reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WellKnown {
    /// Harbor's `/api/v2.0/systeminfo`, open to everyone.
    HarborSystemInfo,
    /// The list of extensions, which zot always has.
    OciExtensions,
    /// The same under zot's own name.
    ZotExtensions,
    /// What zot tells its user interface, open to everyone.
    ZotManagement,
    /// Quay's `/config`, open to everyone.
    QuayConfig,
    /// The root of GitLab's own interface, whose answers have a header of their own.
    GitLabRoot,
    /// Gitea's and Forgejo's version.
    GiteaVersion,
    /// Artifactory's `ping`.
    ArtifactoryPing,
}

impl WellKnown {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::HarborSystemInfo,
        Self::OciExtensions,
        Self::ZotExtensions,
        Self::ZotManagement,
        Self::QuayConfig,
        Self::GitLabRoot,
        Self::GiteaVersion,
        Self::ArtifactoryPing,
    ];

    /// Its path, without the `/` in front.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::HarborSystemInfo => "api/v2.0/systeminfo",
            Self::OciExtensions => "v2/_oci/ext/discover",
            Self::ZotExtensions => "v2/_zot/ext/discover",
            Self::ZotManagement => "v2/_zot/ext/mgmt",
            Self::QuayConfig => "config",
            Self::GitLabRoot => "gitlab/v1/",
            Self::GiteaVersion => "api/v1/version",
            Self::ArtifactoryPing => "artifactory/api/system/ping",
        }
    }

    /// Whether it may need a login: only then is it asked with credentials, which go nowhere but to the registry's own
    /// part of its address.
    #[must_use]
    pub const fn needs_login(self) -> bool {
        matches!(self, Self::OciExtensions)
    }
}

/// Services that are nothing but a registry without cleanup rules of its own: nothing needs to be asked.
const WITHOUT_RULES: [&str; 7] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
    "ghcr.io",
    "public.ecr.aws",
    "registry.k8s.io",
];

impl Marks {
    /// The kind that any mark shows; none if none does.
    #[must_use]
    pub fn kind(&self) -> Option<RegistryKind> {
        by_host(&self.host)
            .or_else(|| self.by_headers())
            .or_else(|| self.by_challenge())
            .or_else(|| self.by_issuer())
            .or_else(|| self.answers.iter().find_map(|(path, body)| by_answer(*path, body)))
    }

    /// Whether the address alone says that there are no cleanup rules.
    #[must_use]
    pub fn is_known_without_rules(&self) -> bool {
        WITHOUT_RULES.contains(&self.host.as_str())
    }

    /// What is known to be at this host by its name alone, where that is a registry of another kind.
    #[must_use]
    pub fn another_at(host: &str, than: RegistryKind) -> Option<&'static str> {
        match by_host(host) {
            // Machines of its customers have such addresses, too.
            Some(RegistryKind::Hosted(_)) => None,
            Some(other) => (other != than).then(|| other.name()),
            None => match host {
                "ghcr.io" => Some(RegistryKind::GitHub).filter(|kind| *kind != than).map(RegistryKind::name),
                "public.ecr.aws" | "registry.k8s.io" => Some("a public registry of its own"),
                _ if WITHOUT_RULES.contains(&host) => {
                    Some(RegistryKind::DockerHub).filter(|kind| *kind != than).map(RegistryKind::name)
                }
                _ => None,
            },
        }
    }

    /// The kind that one header of any answer shows; its name in lowercase. Cheap where the name is no mark.
    #[must_use]
    pub fn kind_by_header(name: &str, value: &[u8]) -> Option<RegistryKind> {
        const NAMES: [&str; 9] = [
            "x-jfrog-version",
            "x-artifactory-id",
            "x-artifactory-node-id",
            "x-harbor-csrf-token",
            "gitlab-container-registry-version",
            "gitlab-container-registry-features",
            "server",
            "x-ms-correlation-request-id",
            "access-control-allow-headers",
        ];
        if !(NAMES.contains(&name) || name == "set-cookie") {
            return None;
        }
        by_header(name, &String::from_utf8_lossy(value.get(..1024).unwrap_or(value)).to_ascii_lowercase())
    }

    fn by_headers(&self) -> Option<RegistryKind> {
        self.headers.iter().find_map(|(name, value)| by_header(name, &value.to_ascii_lowercase()))
    }

    fn by_challenge(&self) -> Option<RegistryKind> {
        self.by_token_challenge().or_else(|| match self.basic_realm.as_deref()?.to_ascii_lowercase() {
            realm if realm == "harbor" => Some(RegistryKind::Harbor),
            realm if realm.contains("sonatype nexus") => Some(RegistryKind::Nexus),
            realm if realm.contains("artifactory") => Some(RegistryKind::Artifactory),
            realm if realm.contains("gitea") || realm.contains("forgejo") => Some(RegistryKind::Gitea),
            // ECR names its own address, whatever name a proxy in front has.
            realm if realm.contains(".dkr.ecr.") || realm.contains(".dkr-ecr.") => Some(RegistryKind::Ecr),
            _ => None,
        })
    }

    fn by_token_challenge(&self) -> Option<RegistryKind> {
        let service = self.token_service.as_deref().unwrap_or_default().to_ascii_lowercase();
        let realm = self.token_realm.as_deref().unwrap_or_default().to_ascii_lowercase();
        let (host, path) = place(&realm);
        if service == "harbor-registry" || path.ends_with("/service/token") {
            return Some(RegistryKind::Harbor);
        }
        if let Some(kind) = by_host(host).or_else(|| by_host(&service)) {
            return Some(kind);
        }
        let at_gitlab = path.ends_with("/jwt/auth");
        match service.as_str() {
            "container_registry" if path.ends_with("/v2/token") => return Some(RegistryKind::Gitea),
            "container_registry" => return Some(RegistryKind::GitLab),
            _ if at_gitlab => return Some(RegistryKind::GitLab),
            "zot" => return Some(RegistryKind::Zot),
            _ => {}
        }
        if path.ends_with("/v2/auth") {
            return Some(RegistryKind::Quay);
        }
        // Azure names itself by its own address, under a custom domain too.
        let named = place(&service).0;
        if path == "/oauth2/token" && !named.is_empty() && (named == self.host || named == host) {
            return Some(RegistryKind::Azure);
        }
        if path.ends_with("/v2/token") {
            if path.contains("/api/docker/") {
                return Some(RegistryKind::Artifactory);
            }
            // Nexus names itself by the very address of its realm; Artifactory, with a name or a port for each of its
            // repositories, by the host alone.
            return match named {
                _ if service == realm => Some(RegistryKind::Nexus),
                named if !named.is_empty() && named == host => Some(RegistryKind::Artifactory),
                _ => None,
            };
        }
        None
    }

    fn by_issuer(&self) -> Option<RegistryKind> {
        match self.token_issuer.as_deref()?.to_ascii_lowercase() {
            issuer if issuer == "harbor-token-issuer" => Some(RegistryKind::Harbor),
            issuer if issuer == "quay" => Some(RegistryKind::Quay),
            issuer if issuer.ends_with("gitlab-issuer") => Some(RegistryKind::GitLab),
            issuer if issuer == "azure container registry" => Some(RegistryKind::Azure),
            issuer if issuer.starts_with("jfrt@") || issuer.starts_with("jfac@") => Some(RegistryKind::Artifactory),
            _ => None,
        }
    }
}

/// Host and path of an address, whatever its scheme.
fn place(address: &str) -> (&str, &str) {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    (host, path.trim_end_matches('/'))
}

/// Services with rules of their own that are known by their address: domain and name.
const HOSTED: [(&str, &str); 9] = [
    ("ocir.io", "Oracle Cloud's registry"),
    ("icr.io", "IBM Cloud's registry"),
    ("cr.yandex", "Yandex Cloud's registry"),
    ("docker.cloudsmith.io", "Cloudsmith"),
    ("registry.digitalocean.com", "DigitalOcean's registry"),
    ("aliyuncs.com", "Alibaba Cloud's registry"),
    ("tencentcloudcr.com", "Tencent Cloud's registry"),
    ("myhuaweicloud.com", "Huawei Cloud's registry"),
    ("scw.cloud", "Scaleway's registry"),
];

/// Services that are known by their address.
fn by_host(host: &str) -> Option<RegistryKind> {
    let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if below("azurecr.io") || below("azurecr.cn") || below("azurecr.us") {
        return Some(RegistryKind::Azure);
    }
    if below("pkg.dev") || below("gcr.io") {
        return Some(RegistryKind::Google);
    }
    let services = [
        ("quay.io", RegistryKind::Quay),
        ("registry.gitlab.com", RegistryKind::GitLab),
        ("jfrog.io", RegistryKind::Artifactory),
        ("codeberg.org", RegistryKind::Gitea),
    ];
    let hosted = HOSTED.map(|(domain, name)| (domain, RegistryKind::Hosted(name)));
    services.into_iter().chain(hosted).find_map(|(domain, kind)| below(domain).then_some(kind))
}

impl RegistryKind {
    /// The kind that is called so.
    #[must_use]
    pub fn called(name: &str) -> Option<Self> {
        let own = [
            Self::Harbor,
            Self::Zot,
            Self::Quay,
            Self::GitLab,
            Self::Azure,
            Self::Google,
            Self::Artifactory,
            Self::Nexus,
            Self::Gitea,
            Self::DockerHub,
            Self::GitHub,
            Self::Ecr,
        ];
        own.into_iter().chain(HOSTED.map(|(_, name)| Self::Hosted(name))).find(|kind| kind.name() == name)
    }
}

fn by_header(name: &str, value: &str) -> Option<RegistryKind> {
    match name {
        "x-jfrog-version" | "x-artifactory-id" | "x-artifactory-node-id" => Some(RegistryKind::Artifactory),
        "x-harbor-csrf-token" => Some(RegistryKind::Harbor),
        "gitlab-container-registry-version" | "gitlab-container-registry-features" => Some(RegistryKind::GitLab),
        "server" if value.starts_with("nexus/") => Some(RegistryKind::Nexus),
        "server" if value.starts_with("artifactory/") => Some(RegistryKind::Artifactory),
        "server" if value.starts_with("azurecontainerregistry") => Some(RegistryKind::Azure),
        "x-ms-correlation-request-id" => Some(RegistryKind::Azure),
        "server" if value.starts_with("zot") => Some(RegistryKind::Zot),
        // What zot lets browsers send, in answers that browsers may read.
        "access-control-allow-headers" if value.contains("x-zot-api-client") => Some(RegistryKind::Zot),
        "set-cookie" if value.starts_with("i_like_gitea=") => Some(RegistryKind::Gitea),
        "set-cookie" if value.starts_with("_gitlab_session=") => Some(RegistryKind::GitLab),
        _ => None,
    }
}

/// What an answer of success at a well-known path shows. Pages that a proxy gives for every path show nothing.
fn by_answer(path: WellKnown, body: &str) -> Option<RegistryKind> {
    let document = serde_json::from_str::<serde_json::Value>(body).unwrap_or_default();
    let has = |field: &str| document.get(field).is_some();
    let is_object = |field: &str| document.get(field).is_some_and(serde_json::Value::is_object);
    match path {
        WellKnown::HarborSystemInfo => (has("harbor_version") || has("auth_mode")).then_some(RegistryKind::Harbor),
        WellKnown::OciExtensions | WellKnown::ZotExtensions => has("extensions").then_some(RegistryKind::Zot),
        WellKnown::ZotManagement => {
            (has("distSpecVersion") || has("binaryType") || has("http")).then_some(RegistryKind::Zot)
        }
        WellKnown::QuayConfig => (is_object("config") && is_object("features")).then_some(RegistryKind::Quay),
        // Reported by its header.
        WellKnown::GitLabRoot => None,
        WellKnown::GiteaVersion => {
            document.get("version").is_some_and(serde_json::Value::is_string).then_some(RegistryKind::Gitea)
        }
        WellKnown::ArtifactoryPing => (body.trim() == "OK").then_some(RegistryKind::Artifactory),
    }
}
