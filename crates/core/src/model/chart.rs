//! Versions of Helm charts, read as Helm reads them: more leniently than semantic versioning, and compared without
//! their build metadata (F140).

use std::cmp::Ordering;

use semver::Prerelease;

/// A chart's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartVersion {
    numbers: [u64; 3],
    /// How many of the numbers are written: `1.2` leaves the third open.
    written: usize,
    pre: Prerelease,
}

impl ChartVersion {
    /// Reads a version; none where Helm would drop the index entry for it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > 256 {
            return None;
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = text.split_once('+').map_or((text, None), |(front, build)| (front, Some(build)));
        let (numbers, pre) = text.split_once('-').map_or((text, None), |(front, pre)| (front, Some(pre)));
        let identifiers = |text: &str| {
            text.split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        };
        if build.is_some_and(|build| !identifiers(build)) || pre.is_some_and(|pre| !identifiers(pre)) {
            return None;
        }
        let (mut read, mut written) = ([0; 3], 0);
        for part in numbers.split('.') {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            *read.get_mut(written)? = part.parse().ok()?;
            written += 1;
        }
        let pre = pre.map_or(Some(Prerelease::EMPTY), |pre| Prerelease::new(pre).ok())?;
        Some(Self { numbers: read, written, pre })
    }

    /// Whether Helm takes that version where this one is asked for and not in the index: the same but for build
    /// metadata and a leading `v`, and where a number is left open, any version that begins like this one.
    #[must_use]
    pub fn stands_for(&self, other: &Self) -> bool {
        if !other.pre.is_empty() && self.pre.is_empty() {
            return false;
        }
        match self.written {
            3 => self.precedence(other).is_eq(),
            written => other.numbers[..written] == self.numbers[..written] && other.precedence(self).is_ge(),
        }
    }

    /// Which of two versions is the more recent; equal where only build metadata differs.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| self.pre.cmp(&other.pre))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ChartVersion {
        ChartVersion::read(text).unwrap()
    }

    #[test]
    fn versions_are_read_as_helm_reads_them_f140() {
        for text in ["1.2.3", "v1.2.3", "1", "1.2", "1.2.3-rc.1", "1.2.3+build.7", "1.2-rc.1+b", "01.2.3"] {
            assert!(ChartVersion::read(text).is_some(), "{text}");
        }
        for text in
            ["", "v", "1.2.3.4", "1.", "latest", "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3 ", "99999999999999999999"]
        {
            assert!(ChartVersion::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_helm_takes_for_a_version_that_is_gone_f140() {
        for (asked, there, taken) in [
            ("1.2.3", "1.2.3+other", true),
            ("1.2.3+a", "1.2.3+b", true),
            ("v1.2.3", "1.2.3", true),
            ("1.2.0", "1.2", true),
            ("1.2.3", "1.2.4", false),
            ("1.2.3", "1.2.3-rc.1", false),
            ("1.2.3-rc.1", "1.2.3", false),
            ("1.2", "1.2.9", true),
            ("1.2", "1.3.0", false),
            ("1.2", "1.2.9-rc.1", false),
            ("1", "1.9.0", true),
            ("1", "2.0.0", false),
        ] {
            assert_eq!(read(asked).stands_for(&read(there)), taken, "{asked} {there}");
        }
    }
}
