//! The databases whose language is read, and what they differ in.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A database's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    Mysql,
    /// MariaDB, which rejects or changes much of what is written for MySQL.
    Mariadb,
    /// SQLite.
    Sqlite,
    /// Microsoft SQL Server.
    Mssql,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Mysql, Self::Mariadb, Self::Sqlite, Self::Mssql];

    /// The word that stands in reports and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Sqlite => "sqlite",
            Self::Mssql => "mssql",
        }
    }

    /// MySQL or MariaDB.
    #[must_use]
    pub fn is_mysql(self) -> bool {
        matches!(self, Self::Mysql | Self::Mariadb)
    }

    /// Whether ROLLBACK undoes schema changes. MySQL and MariaDB commit before and after each of them.
    #[must_use]
    pub(crate) fn schema_changes_roll_back(self) -> bool {
        !self.is_mysql()
    }

    /// The name as the database looks it up: PostgreSQL folds unquoted names and keeps 63 bytes, the others compare
    /// without regard to case (table names of MySQL on some file systems excepted, where a miss fails the migration).
    #[must_use]
    pub(crate) fn fold(self, name: &str, quoted: bool) -> String {
        if self != Self::Postgres {
            return name.to_lowercase();
        }
        let mut folded = if quoted { name.to_owned() } else { name.to_lowercase() };
        if folded.len() > 63 {
            let end = (0..=63).rev().find(|at| folded.is_char_boundary(*at)).unwrap_or(0);
            folded.truncate(end);
        }
        folded
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_lowercase().as_str() {
            "postgres" | "postgresql" | "pg" => Ok(Self::Postgres),
            "mysql" => Ok(Self::Mysql),
            "mariadb" => Ok(Self::Mariadb),
            "sqlite" | "sqlite3" => Ok(Self::Sqlite),
            "mssql" | "sqlserver" => Ok(Self::Mssql),
            _ => Err(format!("{text:?} is no dialect: say postgres, mysql, mariadb, sqlite or mssql")),
        }
    }
}
