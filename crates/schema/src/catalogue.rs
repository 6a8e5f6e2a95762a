//! A small catalogue: what the statements read so far have built.

use std::collections::{BTreeMap, BTreeSet};

use crate::cursor::Name;
use crate::dialect::Dialect;
use crate::hidden::Hidden;
use crate::statement::{Foreign, Identity, NewConstraint, NewIndex, Rule, TableOptions, TypeDefinition};
use crate::types::Type;

/// What tells an object from another of the same name: a table that was dropped and made again is another one.
pub(crate) type Id = u64;

/// Which statement of the change set touched something last. None: none did.
pub(crate) type Touched = Option<usize>;

/// Schema and name.
pub(crate) type Key = (String, String);

/// The schema of temporary tables: no name that a file could spell.
pub(crate) const TEMPORARY: &str = "\0temporary";

#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    pub(crate) dialect: Dialect,
    pub(crate) tables: BTreeMap<Key, Table>,
    pub(crate) views: BTreeMap<Key, View>,
    pub(crate) functions: BTreeMap<Key, Vec<Function>>,
    /// By the table's name where triggers are named within it, by none elsewhere.
    pub(crate) triggers: BTreeMap<(Key, String), Trigger>,
    pub(crate) types: BTreeMap<Key, NamedType>,
    pub(crate) sequences: BTreeMap<Key, Sequence>,
    pub(crate) schemas: BTreeMap<String, Id>,
    pub(crate) extensions: BTreeMap<String, Id>,
    /// Schemas that are gone with the session: temporary tables, attached databases in memory.
    pub(crate) passing: BTreeSet<String>,
    /// Tables that were renamed, whatever became of them: in some databases what refers to them follows.
    pub(crate) renamed: BTreeSet<Id>,
    /// The schema of names without one.
    pub(crate) current: String,
    /// What may be there although it is not here.
    pub(crate) hidden: Hidden,
    /// Something runs at every change of the schema.
    pub(crate) event_triggers: bool,
    /// Databases of MySQL that are named: names in all of them are taken for one.
    pub(crate) databases: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) id: Id,
    pub(crate) columns: Vec<Column>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) options: TableOptions,
    /// Not all of its columns are known.
    pub(crate) opaque: bool,
    pub(crate) row_security: bool,
    pub(crate) inherits: bool,
    pub(crate) copied: Option<Copied>,
    pub(crate) all_granted: bool,
    /// Writing to it, or reading it, runs what is not understood: rules, defaults and checks that call something.
    pub(crate) runs: bool,
    pub(crate) until_commit: bool,
    pub(crate) touched: Touched,
}

/// A table that was filled with another one's rows.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    pub(crate) from: Id,
    pub(crate) every_row: bool,
    /// Columns that hold another column of the same name, unchanged.
    pub(crate) same: BTreeSet<String>,
    pub(crate) by_position: bool,
    pub(crate) statement: Touched,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    pub(crate) id: Id,
    pub(crate) name: String,
    /// None: the table was never seen being made.
    pub(crate) ty: Option<Type>,
    pub(crate) nullable: Option<bool>,
    pub(crate) default: Option<Option<String>>,
    pub(crate) default_varies: bool,
    pub(crate) generated: Option<String>,
    pub(crate) identity: Option<Identity>,
    pub(crate) auto_increment: bool,
    pub(crate) on_update: Option<String>,
    pub(crate) serial: bool,
    pub(crate) invisible: bool,
    /// Its place was named, so that it may have moved.
    pub(crate) placed: bool,
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone)]
pub(crate) struct Constraint {
    pub(crate) id: Id,
    pub(crate) name: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) columns: Vec<String>,
    pub(crate) text: String,
    pub(crate) foreign: Option<Foreign>,
    pub(crate) parent: Option<Key>,
    pub(crate) valid: bool,
    pub(crate) deferrable: bool,
    /// Its name was written by somebody: only then does a statement name it.
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) id: Id,
    pub(crate) name: Option<String>,
    pub(crate) unique: bool,
    pub(crate) special: bool,
    pub(crate) keys: Vec<String>,
    pub(crate) plain: bool,
    pub(crate) may_fail: bool,
    pub(crate) predicate: Option<String>,
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) id: Id,
    pub(crate) head: String,
    pub(crate) items: Vec<String>,
    pub(crate) tail: String,
    pub(crate) calls: bool,
    pub(crate) all_granted: bool,
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) id: Id,
    pub(crate) arguments: String,
    pub(crate) definition: String,
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone)]
pub(crate) struct Trigger {
    pub(crate) id: Id,
    pub(crate) on: Key,
    pub(crate) definition: String,
    pub(crate) enabled: bool,
    pub(crate) temporary: bool,
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone)]
pub(crate) struct NamedType {
    pub(crate) id: Id,
    pub(crate) definition: TypeDefinition,
    /// Whether the definition is known: a type only heard of has none.
    pub(crate) known: bool,
    /// Values or attributes that were renamed or removed, whatever came after.
    pub(crate) touched: Touched,
}

#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) id: Id,
    /// Made for a serial column, and used through its default only.
    pub(crate) owned: bool,
    pub(crate) touched: Touched,
}

impl Catalogue {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let current = if dialect == Dialect::Postgres { "public" } else { "" };
        Self {
            dialect,
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
            functions: BTreeMap::new(),
            triggers: BTreeMap::new(),
            types: BTreeMap::new(),
            sequences: BTreeMap::new(),
            schemas: BTreeMap::new(),
            extensions: BTreeMap::new(),
            passing: BTreeSet::from([TEMPORARY.to_owned()]),
            event_triggers: false,
            databases: BTreeSet::new(),
            renamed: BTreeSet::new(),
            current: current.to_owned(),
            hidden: Hidden::default(),
        }
    }

    /// The key of a name that is being made.
    pub(crate) fn key(&self, name: &Name) -> Key {
        (self.schema(name), name.name.clone())
    }

    fn schema(&self, name: &Name) -> String {
        match (self.dialect, name.schema.as_deref()) {
            (_, None) => self.current.clone(),
            (Dialect::Sqlite, Some("temp")) => TEMPORARY.to_owned(),
            (Dialect::Postgres, Some(schema)) if schema.starts_with("pg_temp") => TEMPORARY.to_owned(),
            (Dialect::Sqlite, Some("main")) | (Dialect::Mssql, Some("dbo")) => String::new(),
            // A database may be named or not, and mostly it is the one at hand: all are taken for one.
            (Dialect::Mysql | Dialect::Mariadb, Some(schema)) if !self.passing.contains(schema) => String::new(),
            (_, Some(schema)) => schema.to_owned(),
        }
    }

    /// The key of a table or view that is there. Temporary tables hide others.
    pub(crate) fn find(&self, name: &Name) -> Key {
        if name.schema.is_none() {
            let hidden = (TEMPORARY.to_owned(), name.name.clone());
            if self.tables.contains_key(&hidden) || self.views.contains_key(&hidden) {
                return hidden;
            }
        }
        let key = self.key(name);
        let known = |key: &Key| self.tables.contains_key(key) || self.views.contains_key(key);
        // Behind the first schema of the search path mostly comes the usual one.
        let usual = ("public".to_owned(), name.name.clone());
        if name.schema.is_none() && self.dialect == Dialect::Postgres && !known(&key) && known(&usual) {
            return usual;
        }
        key
    }

    /// Whether a table or view certainly does not exist: not even in a schema that the statement may mean.
    pub(crate) fn is_absent(&self, name: &Name) -> bool {
        let mut keys = self.tables.keys().chain(self.views.keys());
        !self.hidden.may_hold(&name.name)
            && !keys.any(|(schema, known)| {
                *known == name.name && (name.schema.is_none() || name.schema.as_ref() == Some(schema))
            })
    }

    pub(crate) fn is_passing(&self, key: &Key) -> bool {
        self.passing.contains(&key.0)
    }

    /// A table by what it is, not by what it is called.
    pub(crate) fn table_of(&self, id: Id) -> Option<(&Key, &Table)> {
        self.tables.iter().find(|(_, table)| table.id == id)
    }

    /// The table that has an index of this name.
    pub(crate) fn table_with_index(&self, name: &str) -> Option<Key> {
        let has = |table: &Table| {
            table.indexes.iter().any(|index| index.name.as_deref() == Some(name))
                || table.constraints.iter().any(|made| made.is_key() && made.name.as_deref() == Some(name))
        };
        self.tables.iter().find(|(_, table)| has(table)).map(|(key, _)| key.clone())
    }
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.name == name)
    }

    /// Whether something that is there makes these columns unique, for every row and at once.
    pub(crate) fn has_unique(&self, columns: &[String]) -> bool {
        self.uniques().any(|known| same_set(known, columns))
    }

    /// The column sets that are unique, for every row and at once.
    pub(crate) fn uniques(&self) -> impl Iterator<Item = &[String]> {
        let constraints =
            self.constraints.iter().filter(|made| made.is_key() && !made.deferrable && made.text.is_empty());
        let indexes = self.indexes.iter().filter(|index| index.unique && index.plain && index.predicate.is_none());
        constraints.map(|made| made.columns.as_slice()).chain(indexes.map(|index| index.keys.as_slice()))
    }
}

/// The same columns in whatever order.
pub(crate) fn same_set(left: &[String], right: &[String]) -> bool {
    left.len() == right.len() && left.iter().all(|name| right.contains(name))
}

impl Constraint {
    pub(crate) fn is_key(&self) -> bool {
        matches!(self.rule, Rule::Primary | Rule::Unique)
    }

    pub(crate) fn new(made: &NewConstraint, id: Id, parent: Option<Key>, touched: Touched) -> Self {
        Self {
            id,
            name: made.name.clone(),
            rule: made.rule,
            columns: made.columns.clone(),
            text: made.text.clone(),
            foreign: made.foreign.clone(),
            parent,
            valid: !made.not_valid,
            deferrable: made.deferrable,
            touched,
        }
    }

    /// Whether it demands the same, whatever it is called.
    pub(crate) fn demands_same(&self, other: &Self) -> bool {
        let actions =
            |made: &Self| made.foreign.as_ref().map(|foreign| (foreign.on_delete.clone(), foreign.on_update.clone()));
        self.rule == other.rule
            && self.columns == other.columns
            && self.text == other.text
            && self.parent == other.parent
            && actions(self) == actions(other)
            && self.deferrable == other.deferrable
    }
}

impl Index {
    pub(crate) fn new(made: &NewIndex, id: Id, touched: Touched) -> Self {
        Self {
            id,
            name: made.name.clone(),
            unique: made.unique,
            special: made.special,
            keys: made.keys.clone(),
            plain: made.plain,
            may_fail: made.may_fail,
            predicate: made.predicate.clone(),
            touched,
        }
    }
}
