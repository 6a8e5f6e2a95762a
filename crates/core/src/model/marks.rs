//! What a registry shows of itself, and which kind it is by that (F123).

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
        // Told by its header.
        WellKnown::GitLabRoot => None,
        WellKnown::GiteaVersion => {
            document.get("version").is_some_and(serde_json::Value::is_string).then_some(RegistryKind::Gitea)
        }
        WellKnown::ArtifactoryPing => (body.trim() == "OK").then_some(RegistryKind::Artifactory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: &str) -> Marks {
        Marks {
            host: "registry.example.com".to_owned(),
            token_realm: Some(realm.to_owned()),
            token_service: (!service.is_empty()).then(|| service.to_owned()),
            ..Marks::default()
        }
    }

    fn basic(realm: &str) -> Marks {
        Marks { basic_realm: Some(realm.to_owned()), ..Marks::default() }
    }

    fn header(name: &str, value: &str) -> Marks {
        Marks { headers: vec![(name.to_owned(), value.to_owned())], ..Marks::default() }
    }

    fn host(host: &str) -> Marks {
        Marks { host: host.to_owned(), ..Marks::default() }
    }

    fn issuer(issuer: &str) -> Marks {
        Marks { token_issuer: Some(issuer.to_owned()), ..Marks::default() }
    }

    fn answer(path: WellKnown, body: &str) -> Marks {
        Marks { answers: vec![(path, body.to_owned())], ..Marks::default() }
    }

    #[test]
    fn each_kind_is_recognised_by_any_of_its_marks_f123() {
        use RegistryKind::{Artifactory, Azure, GitLab, Gitea, Google, Harbor, Nexus, Quay, Zot};
        for (marks, expected) in [
            (bearer("https://harbor.example.com/service/token", "harbor-registry"), Harbor),
            (bearer("https://proxy.example.com/token", "harbor-registry"), Harbor),
            (bearer("http://10.0.0.1:8080/service/token", "other"), Harbor),
            (basic("harbor"), Harbor),
            (header("x-harbor-csrf-token", "x"), Harbor),
            (issuer("harbor-token-issuer"), Harbor),
            (answer(WellKnown::HarborSystemInfo, r#"{"auth_mode":"db_auth","banner_message":""}"#), Harbor),
            (answer(WellKnown::HarborSystemInfo, r#"{"harbor_version":"v2.15.2"}"#), Harbor),
            (answer(WellKnown::OciExtensions, r#"{"extensions":[{"name":"_zot"}]}"#), Zot),
            (answer(WellKnown::OciExtensions, r#"{"extensions":null}"#), Zot),
            (answer(WellKnown::ZotExtensions, r#"{"extensions":[]}"#), Zot),
            (answer(WellKnown::ZotManagement, r#"{"distSpecVersion":"1.1.1","http":{"auth":{}}}"#), Zot),
            (header("access-control-allow-headers", "Authorization,content-type,X-ZOT-API-CLIENT"), Zot),
            (bearer("https://auth.example.com/token", "zot"), Zot),
            (bearer("https://quay.example.com/v2/auth", "quay.example.com"), Quay),
            (answer(WellKnown::QuayConfig, r#"{"config":{},"features":{"AUTO_PRUNE":true}}"#), Quay),
            (host("quay.io"), Quay),
            (issuer("quay"), Quay),
            (bearer("https://gitlab.example.com/jwt/auth", "container_registry"), GitLab),
            (bearer("https://proxy.example.com/token", "container_registry"), GitLab),
            (header("gitlab-container-registry-version", "4.5.0"), GitLab),
            (issuer("omnibus-gitlab-issuer"), GitLab),
            (host("registry.gitlab.com"), GitLab),
            (bearer("https://shop.azurecr.io/oauth2/token", "shop.azurecr.io"), Azure),
            (bearer("https://registry.example.com/oauth2/token", "registry.example.com"), Azure),
            (host("shop.azurecr.cn"), Azure),
            (header("server", "AzureContainerRegistry"), Azure),
            (header("x-ms-correlation-request-id", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"), Azure),
            (bearer("https://registry.example.com:8443/oauth2/token", "registry.example.com:8443"), Azure),
            (host("europe-docker.pkg.dev"), Google),
            (host("eu.gcr.io"), Google),
            (host("gcr.io"), Google),
            (bearer("https://europe-docker.pkg.dev/v2/token", ""), Google),
            (header("x-jfrog-version", "Artifactory/7.104.6 80406900"), Artifactory),
            (header("x-artifactory-node-id", "a"), Artifactory),
            (bearer("https://a.example.com/artifactory/api/docker/shop/v2/token", "a.example.com"), Artifactory),
            (bearer("https://docker.example.com:443/v2/token", "docker.example.com:443"), Artifactory),
            (bearer("https://docker.example.com/v2/token", "docker.example.com"), Artifactory),
            (basic("Artifactory Realm"), Artifactory),
            (basic("https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/"), RegistryKind::Ecr),
            (host("acme.jfrog.io"), Artifactory),
            (answer(WellKnown::ArtifactoryPing, "OK"), Artifactory),
            (header("server", "Nexus/3.96.3-01 (COMMUNITY)"), Nexus),
            (basic("Sonatype Nexus Repository Manager"), Nexus),
            (bearer("https://nexus.example.com:8083/v2/token", "https://nexus.example.com:8083/v2/token"), Nexus),
            (bearer("https://git.example.com/v2/token", "container_registry"), Gitea),
            (header("set-cookie", "i_like_gitea=abc; Path=/"), Gitea),
            (answer(WellKnown::GiteaVersion, r#"{"version":"1.22.0"}"#), Gitea),
            (host("cr.yandex"), RegistryKind::Hosted("Yandex Cloud's registry")),
            (host("registry.cn-hangzhou.aliyuncs.com"), RegistryKind::Hosted("Alibaba Cloud's registry")),
            (host("rg.fr-par.scw.cloud"), RegistryKind::Hosted("Scaleway's registry")),
        ] {
            assert_eq!(marks.kind(), Some(expected), "{marks:?}");
            assert_eq!(RegistryKind::called(expected.name()), Some(expected), "it is remembered by its name");
        }
    }

    #[test]
    fn a_header_in_passing_shows_what_it_shows_when_asked_for_f123() {
        for (name, value) in [
            ("x-jfrog-version", "Artifactory/7"),
            ("x-artifactory-id", "a"),
            ("x-artifactory-node-id", "a"),
            ("x-harbor-csrf-token", "x"),
            ("gitlab-container-registry-version", "4"),
            ("gitlab-container-registry-features", "x"),
            ("server", "Nexus/3.96"),
            ("server", "zot"),
            ("x-ms-correlation-request-id", "1"),
            ("access-control-allow-headers", "X-ZOT-API-CLIENT"),
            ("set-cookie", "i_like_gitea=1"),
            ("set-cookie", "_gitlab_session=1"),
        ] {
            let asked = header(name, value).kind();
            assert!(asked.is_some(), "{name}");
            assert_eq!(Marks::kind_by_header(name, value.as_bytes()), asked, "{name}: {value}");
        }
        assert_eq!(Marks::kind_by_header("server", b"nginx"), None);
        assert_eq!(Marks::kind_by_header("docker-distribution-api-version", b"registry/2.0"), None);
    }

    #[test]
    fn what_other_registries_and_proxies_answer_shows_no_kind_f123() {
        for marks in [
            Marks::default(),
            bearer("https://auth.example.com/token", "registry.example.com"),
            bearer("https://registry.example.com/auth", "Docker registry"),
            bearer("https://auth.docker.io/token", "registry.docker.io"),
            bearer("https://login.example.com/oauth2/token", "registry"),
            bearer("https://login.example.com/v2/token", "registry"),
            basic("Registry Realm"),
            basic("Restricted"),
            header("server", "nginx/1.24"),
            header("docker-distribution-api-version", "registry/2.0"),
            header("access-control-allow-headers", "Authorization"),
            host("gcr.io.example.com"),
            host("notquay.io"),
            issuer("Auth Service"),
            answer(WellKnown::HarborSystemInfo, "<html>log in</html>"),
            answer(WellKnown::HarborSystemInfo, "{}"),
            answer(WellKnown::OciExtensions, "{}"),
            answer(WellKnown::QuayConfig, r#"{"config":"x"}"#),
            answer(WellKnown::GitLabRoot, "{}"),
            answer(WellKnown::ArtifactoryPing, "<html>OK</html>"),
        ] {
            assert_eq!(marks.kind(), None, "{marks:?}");
        }
    }
}
