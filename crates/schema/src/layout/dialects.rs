//! Which database a folder of migrations is written for.

use crate::dialect::Dialect;
use crate::layout::File;

/// By the folder's name, by what tools write beside it, by what only one dialect says.
pub(crate) fn of_folder<'f>(
    folder: &str,
    mut files: impl Iterator<Item = &'f File>,
    texts: impl Iterator<Item = &'f str>,
) -> Option<Dialect> {
    by_name(folder).or_else(|| files.find_map(|file| by_configuration(folder, file))).or_else(|| by_words(texts))
}

fn by_name(folder: &str) -> Option<Dialect> {
    folder.rsplit('/').find_map(|part| {
        let part = part.to_lowercase();
        part.split(['-', '_', '.']).find_map(|word| match word {
            "cockroach" => None,
            "supabase" | "pgsql" => Some(Dialect::Postgres),
            word => word.parse().ok(),
        })
    })
}

/// What Prisma and Drizzle write beside their migrations.
fn by_configuration(folder: &str, file: &File) -> Option<Dialect> {
    let near = file.path.rsplit_once('/').map_or("", |(near, _)| near);
    let beside = near == folder || near.strip_suffix("/meta") == Some(folder);
    let told = beside && (file.path.ends_with("migration_lock.toml") || file.path.ends_with("_journal.json"));
    if !told {
        return None;
    }
    let line = file.text.lines().find(|line| line.contains("provider") || line.contains("dialect"))?;
    let words = line.split(['"', '\'']).filter(|word| !word.is_empty());
    words.filter_map(|word| if word == "sqlserver" { Some(Dialect::Mssql) } else { word.parse().ok() }).next()
}

/// Words that only one dialect knows. The dialect with the most of them, where it is alone.
fn by_words<'f>(texts: impl Iterator<Item = &'f str>) -> Option<Dialect> {
    const WORDS: [(Dialect, &[&str]); 4] = [
        (
            Dialect::Postgres,
            &[
                "jsonb",
                "timestamptz",
                "bigserial",
                " serial",
                "$$",
                "::text",
                "plpgsql",
                "concurrently",
                " uuid",
                "bytea",
                "with time zone",
                "create extension",
                "text[]",
                "using gin",
                "public.",
            ],
        ),
        (
            Dialect::Mysql,
            &[
                "`",
                "auto_increment",
                "engine=",
                "engine =",
                "unsigned",
                "tinyint(",
                "delimiter ",
                "longtext",
                "on update current_timestamp",
            ],
        ),
        (Dialect::Sqlite, &["autoincrement", "pragma ", "without rowid", "strftime(", "sqlite"]),
        (Dialect::Mssql, &["nvarchar", "[dbo]", "\ngo\n", "\ngo\r", "identity(1,1)", "datetime2", "dbo."]),
    ];
    let mut counts = [0_usize; 4];
    for text in texts {
        // The beginning tells as much as the whole.
        let text = text.chars().take(1 << 18).collect::<String>().to_lowercase();
        for (count, (_, words)) in counts.iter_mut().zip(WORDS) {
            *count += words.iter().filter(|word| text.contains(*word)).count();
        }
    }
    let best = counts.iter().max().copied().filter(|best| *best > 0)?;
    let mut winners = counts.iter().zip(WORDS).filter(|(count, _)| **count == best).map(|(_, (dialect, _))| dialect);
    winners.next().filter(|_| winners.next().is_none())
}
