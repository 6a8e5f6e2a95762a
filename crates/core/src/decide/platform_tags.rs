//! Tags that name one platform of a release: `v1.5.0-amd64` beside `v1.5.0`, as release tools push them.

/// What stands between the parts of a tag.
const SEPARATORS: [char; 5] = ['-', '_', '.', '/', '+'];

/// What platforms are called in tags, by their operating system and processor.
const PLATFORMS: [&str; 36] = [
    "386",
    "aarch64",
    "amd64",
    "amd64v2",
    "amd64v3",
    "arm",
    "arm32",
    "arm32v5",
    "arm32v6",
    "arm32v7",
    "arm64",
    "arm64v8",
    "armel",
    "armhf",
    "armv5",
    "armv6",
    "armv7",
    "armv7l",
    "armv8",
    "i386",
    "i686",
    "linux",
    "loong64",
    "loongarch64",
    "mips64",
    "mips64le",
    "ppc64",
    "ppc64le",
    "riscv64",
    "s390x",
    "win",
    "windows",
    "x64",
    "x86",
    "x86-64",
    "x8664",
];

/// Whether a part of a tag names a platform; `before` is the part in front of it.
pub(super) fn is_platform(part: &str, before: Option<&str>) -> bool {
    let part = part.to_ascii_lowercase();
    let before = before.map(str::to_ascii_lowercase);
    PLATFORMS.contains(&part.as_str())
        || (part == "64" && before.as_deref() == Some("x86"))
        || (matches!(part.as_str(), "v5" | "v6" | "v7" | "v8")
            && before.as_deref().is_some_and(|before| before.starts_with("arm") || before == "aarch64"))
}

/// The tag without the platforms in it; none where it names none, or nothing else.
pub(super) fn without_platform(label: &str) -> Option<String> {
    // Nearly all tags of nearly all repositories.
    if !label.contains(SEPARATORS) {
        return None;
    }
    let mut rest = String::with_capacity(label.len());
    let (mut at, mut before, mut found) = (0_usize, None, false);
    for part in label.split(SEPARATORS) {
        let separator = at.checked_sub(1).and_then(|at| label.get(at..at + 1)).unwrap_or_default();
        if is_platform(part, before) {
            found = true;
        } else {
            if !rest.is_empty() {
                rest.push_str(separator);
            }
            rest.push_str(part);
        }
        before = Some(part);
        at += part.len() + 1;
    }
    (found && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_s_tag_leads_to_its_release() {
        for (tag, release) in [
            ("v1.5.0-amd64", Some("v1.5.0")),
            ("v1.5.0-arm64", Some("v1.5.0")),
            ("v1.5.0-arm64-v8", Some("v1.5.0")),
            ("v1.5.0-linux-arm-v7", Some("v1.5.0")),
            ("v1.5.0_x86_64", Some("v1.5.0")),
            ("v1.5.0-ARM64", Some("v1.5.0")),
            ("amd64-1.5.0", Some("1.5.0")),
            ("linux.amd64-1.5.0", Some("1.5.0")),
            ("v1.5.0-alpine-amd64", Some("v1.5.0-alpine")),
            ("v1.5.0-rc.1-s390x", Some("v1.5.0-rc.1")),
            ("v1.5.0", None),
            ("v1.5.0-alpine", None),
            ("v1.5.0-v8", None),
            ("v1.64.0", None),
            ("amd64", None),
            ("linux-amd64", None),
            ("", None),
        ] {
            assert_eq!(without_platform(tag).as_deref(), release, "{tag}");
        }
    }
}
