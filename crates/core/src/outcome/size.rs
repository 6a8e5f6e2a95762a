//! Sizes for a person.

/// In units of 1024: `3.8 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// As a stop watch shows it: `0.4 s`, `61 s`.
#[must_use]
pub fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        ..10_000 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        _ => format!("{} s", (milliseconds + 500) / 1000),
    }
}

/// Reads a size as Kubernetes and Docker write it: `256Mi`, `1G`, `268435456`.
pub fn read(text: &str) -> Result<u64, String> {
    let fail = || "write a size such as 256Mi, 1Gi or 268435456".to_owned();
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| fail())?;
    let unit: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        _ => return Err(fail()),
    };
    number.checked_mul(unit).ok_or_else(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_units_of_1024() {
        for (bytes, reported) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 31, "6.0 GiB")]
        {
            assert_eq!(size(bytes), reported);
        }
    }

    #[test]
    fn short_times_have_a_decimal() {
        for (milliseconds, reported) in [(0, "0.0 s"), (449, "0.4 s"), (9_999, "10.0 s"), (61_400, "61 s")] {
            assert_eq!(seconds(milliseconds), reported);
        }
    }
}
