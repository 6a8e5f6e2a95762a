//! What registries tell of themselves, as they really do.

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

#[test]
fn a_host_that_is_known_for_another_kind_is_no_place_for_this_one() {
    let at = |host: &str| Marks::another_at(host, RegistryKind::Azure);
    for (host, said) in [
        ("quay.io", Some("Quay")),
        ("europe-docker.pkg.dev", Some("Google Artifact Registry")),
        ("ghcr.io", Some("GitHub's registry")),
        ("registry-1.docker.io", Some("Docker Hub")),
        ("public.ecr.aws", Some("a public registry of its own")),
        ("shop.azurecr.io", None),
        // Azure has registries under domains of their owners; clouds have machines of their customers under theirs.
        ("registry.example.com", None),
        ("machine.scw.cloud", None),
    ] {
        assert_eq!(at(host), said, "{host}");
    }
    assert_eq!(Marks::another_at("hub.docker.com", RegistryKind::DockerHub), None);
    assert_eq!(Marks::another_at("docker.io", RegistryKind::DockerHub), None);
}
