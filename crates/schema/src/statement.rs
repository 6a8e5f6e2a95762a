//! What a statement does, as far as the catalogue and the verdict need to know it.

use crate::cursor::Name;
use crate::types::Type;
use crate::verdict::Verdict;

/// What one statement does.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Nothing that lasts: a setting of the session, a plain SELECT.
    Nothing,
    /// Nothing that lasts, but it ends a transaction of MySQL.
    Upkeep,
    /// It calls something that may do anything.
    Calling(Box<Action>),
    /// Something runs at every change of the schema.
    EventTrigger,
    /// A rule rewrites statements on a table or view.
    Rule(Name),
    /// Something judged by its words alone.
    Judged(Verdict, String),
    /// Judged by its words, where the object was there before the change set.
    JudgedOn(Name, Verdict, String),
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// The schema of names without one; whether for this transaction only.
    SearchPath(Option<String>, bool),
    ForeignKeys(bool),
    Attach(String),
    CreateTable(Box<NewTable>),
    AlterTable {
        name: Name,
        if_exists: bool,
        changes: Vec<Change>,
    },
    RenameTables(Vec<(Name, Name)>),
    Drop {
        kind: Object,
        names: Vec<Name>,
        if_exists: bool,
        on: Option<Name>,
    },
    DropFunction {
        name: Name,
        arguments: Option<String>,
        if_exists: bool,
    },
    CreateIndex {
        table: Name,
        index: NewIndex,
        if_not_exists: bool,
    },
    RenameObject {
        kind: Object,
        name: Name,
        to: String,
        if_exists: bool,
    },
    CreateView(NewView),
    CreateFunction(NewFunction),
    CreateTrigger {
        on: Name,
        name: Name,
        replace: bool,
        if_not_exists: bool,
        temporary: bool,
        definition: String,
    },
    CreateType {
        name: Name,
        definition: TypeDefinition,
    },
    AlterType {
        name: Name,
        change: TypeChange,
    },
    CreateSequence {
        name: Name,
        temporary: bool,
    },
    AlterSequence {
        name: Name,
        verdict: Verdict,
        why: String,
    },
    CreateSchema(String),
    CreateExtension(String),
    /// A policy on a table: it matters where row security is enabled.
    Policy {
        on: Name,
        why: String,
    },
    /// Published tables; none named are all.
    Publish(Vec<Name>),
    /// `GRANT ALL` on tables or views.
    GrantAll(Vec<Name>),
    Insert {
        table: Name,
        overwrites: bool,
        copies: Option<CopyFrom>,
    },
    Update {
        tables: Vec<Name>,
        columns: Vec<String>,
    },
    Remove {
        tables: Vec<Name>,
        what: &'static str,
    },
    /// Statements that may or may not run.
    Guarded(Vec<Action>),
}

/// Kinds of objects that are dropped and renamed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Table,
    View,
    Index,
    Type,
    Sequence,
    Schema,
    Extension,
    Trigger,
    /// Whatever else has a name: dropping it is a contract.
    Other(&'static str),
}

/// Rows copied from one table: each column's source, where it is a plain column.
#[derive(Debug, Clone)]
pub(crate) struct CopyFrom {
    pub(crate) from: Name,
    /// Target columns and the expressions copied into them. Empty: `SELECT *` into all.
    pub(crate) columns: Vec<(String, String)>,
    /// No condition, no join: every row.
    pub(crate) every_row: bool,
}

/// CREATE TABLE.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewTable {
    pub(crate) name: Option<Name>,
    pub(crate) temporary: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) replace: bool,
    pub(crate) columns: Vec<NewColumn>,
    pub(crate) constraints: Vec<NewConstraint>,
    pub(crate) indexes: Vec<NewIndex>,
    pub(crate) like: Option<Name>,
    pub(crate) inherits: Option<Name>,
    pub(crate) partition_of: Option<Name>,
    /// Columns come from a SELECT and are not known.
    pub(crate) from_select: bool,
    pub(crate) options: TableOptions,
}

/// What stands behind the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableOptions {
    pub(crate) without_rowid: bool,
    pub(crate) strict: bool,
    pub(crate) engine: Option<String>,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    pub(crate) partitioned: bool,
    /// `ON COMMIT DROP`.
    pub(crate) until_commit: bool,
}

/// What a column's default, once known, is.
pub(crate) type Default_ = Option<String>;

/// A column as it is defined.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewColumn {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) not_null: bool,
    pub(crate) null: bool,
    pub(crate) default: Default_,
    /// The default calls something, so that it differs from row to row.
    pub(crate) default_varies: bool,
    pub(crate) generated: Option<String>,
    pub(crate) identity: Option<Identity>,
    pub(crate) on_update: Option<String>,
    pub(crate) serial: bool,
    pub(crate) auto_increment: bool,
    pub(crate) invisible: bool,
    pub(crate) placed: bool,
    pub(crate) comment: bool,
    pub(crate) constraints: Vec<NewConstraint>,
}

/// How an identity column treats values that a statement gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    Always,
    ByDefault,
}

/// Kinds of constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Primary,
    Unique,
    Check,
    Foreign,
    Exclude,
}

/// A constraint as it is defined.
#[derive(Debug, Clone)]
pub(crate) struct NewConstraint {
    pub(crate) name: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) columns: Vec<String>,
    /// A CHECK's or EXCLUDE's text.
    pub(crate) text: String,
    pub(crate) foreign: Option<Foreign>,
    pub(crate) not_valid: bool,
    pub(crate) deferrable: bool,
    /// `USING INDEX name`.
    pub(crate) using_index: Option<String>,
}

/// Where a foreign key leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) parent: Name,
    pub(crate) columns: Vec<String>,
    pub(crate) on_delete: Option<String>,
    pub(crate) on_update: Option<String>,
}

/// An index as it is defined.
#[derive(Debug, Clone)]
pub(crate) struct NewIndex {
    pub(crate) name: Option<String>,
    pub(crate) unique: bool,
    /// FULLTEXT and the like, without which some queries fail.
    pub(crate) special: bool,
    /// Columns and expressions, normalised.
    pub(crate) keys: Vec<String>,
    /// Plain columns only.
    pub(crate) plain: bool,
    /// What may make a write fail.
    pub(crate) may_fail: bool,
    pub(crate) predicate: Option<String>,
}

/// One clause of ALTER TABLE.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Nothing,
    AddColumn {
        column: Box<NewColumn>,
        if_not_exists: bool,
    },
    DropColumn {
        name: String,
        if_exists: bool,
    },
    RenameColumn {
        name: String,
        to: String,
    },
    /// MySQL's MODIFY and CHANGE, SQL Server's ALTER COLUMN: the whole column.
    Redefine {
        name: String,
        column: Box<NewColumn>,
        keeps_default: bool,
    },
    SetType {
        name: String,
        ty: Box<Type>,
        using: Option<String>,
    },
    SetNotNull(String),
    DropNotNull(String),
    SetDefault(String, Default_),
    DropDefault(String),
    AddIdentity(String, Identity, bool),
    SetIdentity(String, Identity),
    DropIdentity(String),
    DropExpression(String),
    AddConstraint(Box<NewConstraint>),
    DropConstraint {
        name: String,
        if_exists: bool,
    },
    DropPrimary,
    DropForeign(String),
    RenameConstraint {
        name: String,
        to: String,
    },
    AlterConstraint(String),
    Validate(String),
    AddIndex(NewIndex),
    DropIndex(String),
    RenameIndex {
        name: String,
        to: String,
    },
    Rename(Name),
    SetSchema(String),
    RowSecurity(bool),
    Trigger {
        name: String,
        enabled: bool,
    },
    Convert(TableOptions),
    Engine(String),
    Inherit,
    /// A table becomes a partition of this one.
    Attach(Name),
    /// Judged by its words, where the table was there before.
    Judged(Verdict, String),
}

/// CREATE VIEW, materialized or not.
#[derive(Debug, Clone)]
pub(crate) struct NewView {
    pub(crate) name: Name,
    pub(crate) replace: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) temporary: bool,
    /// What stands before AS, the name left out.
    pub(crate) head: String,
    /// The columns of the SELECT, its text behind them.
    pub(crate) items: Vec<String>,
    pub(crate) tail: String,
    /// Reading it calls what may do anything.
    pub(crate) calls: bool,
}

/// CREATE FUNCTION or PROCEDURE.
#[derive(Debug, Clone)]
pub(crate) struct NewFunction {
    pub(crate) name: Name,
    pub(crate) replace: bool,
    /// The types of its arguments.
    pub(crate) arguments: String,
    pub(crate) definition: String,
}

/// CREATE TYPE and CREATE DOMAIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeDefinition {
    Enum(Vec<String>),
    Composite(Vec<(String, String)>),
    Domain { base: Box<Type>, not_null: bool, default: Default_, checks: Vec<(String, String)> },
    Other,
}

/// ALTER TYPE and ALTER DOMAIN.
#[derive(Debug, Clone)]
pub(crate) enum TypeChange {
    AddValue(String),
    RenameValue(String, String),
    AddAttribute(String, String),
    DropAttribute(String),
    RenameAttribute(String, String),
    AlterAttribute(String, String),
    NotNull(bool),
    Default(Default_),
    AddCheck(Option<String>, String),
    DropCheck(String),
    Nothing,
}
