//! Which calls certainly change nothing. Any other may do whatever its body says, and bodies are not understood.

use crate::lex::{Kind, Token};

/// Functions, and words before a parenthesis, that change nothing.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "count", "sum", "min", "max", "avg", "coalesce", "now", "lower", "upper", "length", "version", "nullif", "abs",
    "round", "date", "datetime", "strftime", "exists", "in", "values", "and", "or", "not", "from", "where", "as",
    "select", "any", "all", "current_database", "database", "concat", "cast", "row_number", "over", "partition",
    "on", "join", "union", "using", "when", "then", "else", "by", "having", "is", "like", "between", "distinct",
    "filter", "array", "row", "substring", "substr", "gen_random_uuid", "uuid_generate_v4", "uuid",
    "json_build_object", "jsonb_build_object", "to_jsonb", "to_json", "replace", "trim", "to_char", "to_timestamp",
    "to_date", "extract", "generate_series", "unnest", "array_agg", "string_agg", "json_agg", "jsonb_agg",
    "greatest", "least", "ifnull", "isnull", "if", "md5", "random", "rand", "floor", "ceil", "ceiling", "mod",
    "left", "right", "split_part", "position", "char_length", "date_trunc", "current_timestamp", "getdate", "newid",
    "convert", "concat_ws", "group_concat", "rank", "dense_rank", "lag", "lead", "first_value", "last_value",
    "json_extract", "json_object", "json_array", "regexp_replace", "encode", "decode", "clock_timestamp", "interval",
    "array_length", "cardinality", "jsonb_set", "unix_timestamp", "from_unixtime", "date_add", "date_sub", "curdate",
    "utc_timestamp", "hex", "unhex", "lpad", "rpad", "initcap", "reverse", "ltrim", "rtrim", "btrim", "varchar",
    "char", "decimal", "numeric", "timestamp", "unlikely", "lateral", "limit", "offset", "with", "case", "returning",
    "set", "conflict", "key", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each", "jsonb_object_keys",
    "array_to_string", "string_to_array", "ascii", "chr", "sign", "power", "sqrt", "json_value", "total", "printf",
    "instr", "julianday", "unixepoch", "typeof", "len", "dateadd", "datediff", "sysdatetime", "year", "month", "day",
    // Words of the language and types.
    "insert", "values", "default", "else", "ilike", "to", "except", "intersect", "cross", "some", "materialized",
    "zone", "div", "xor", "regexp", "rlike", "binary", "top", "option", "group", "within", "into", "nvarchar", "nchar",
    "varbinary", "datetime2", "datetimeoffset", "float", "double", "bit", "time", "bigint", "int", "integer", "smallint",
    "tinyint", "timestamptz", "character", "varying", "enum", "signed", "unsigned", "check", "unique", "primary",
    "foreign", "always", "stored", "full", "inner", "outer", "natural", "recursive", "collate", "apply",
    // What guards ask.
    "to_regclass", "to_regtype", "to_regproc", "current_schema", "current_schemas", "current_user", "has_table_privilege",
    "has_column_privilege", "has_schema_privilege", "pg_get_constraintdef", "pg_get_indexdef", "pg_table_is_visible",
    "obj_description", "col_description", "format_type", "object_id", "object_name", "col_length", "schema_id",
    "schema_name", "type_id", "db_id", "db_name", "objectproperty", "columnproperty", "indexproperty", "suser_id",
    "schema", "user", "last_insert_id", "scope_identity", "changes", "last_insert_rowid", "found_rows", "row_count",
    // What values are made with.
    "nextval", "currval", "lastval", "uuid_generate_v1", "uuid_generate_v1mc", "uuidv7", "newsequentialid", "uuid_to_bin",
    "bin_to_uuid", "transaction_timestamp", "statement_timestamp", "make_interval", "make_date", "make_timestamp",
    "make_timestamptz", "age", "localtimestamp", "localtime", "current_date", "current_time", "justify_days", "isfinite",
    "to_tsvector", "to_tsquery", "plainto_tsquery", "websearch_to_tsquery", "setweight", "ts_rank", "tsvector", "digest",
    "sha1", "sha2", "sha256", "sha512", "crypt", "gen_salt", "gen_random_bytes", "octet_length", "bit_length", "overlay",
    "translate", "repeat", "starts_with", "regexp_match", "regexp_matches", "regexp_split_to_array", "regexp_like",
    "regexp_substr", "regexp_split_to_table", "quote_literal", "quote_ident", "to_number", "to_hex", "width_bucket",
    "trunc", "truncate", "log", "ln", "exp", "pi", "degrees", "radians", "sin", "cos", "tan", "atan", "cbrt", "div",
    "array_append", "array_prepend", "array_remove", "array_cat", "array_position", "array_positions", "array_upper",
    "array_lower", "array_fill", "array_dims", "array_ndims", "array_replace", "bool_and", "bool_or", "every", "bit_and",
    "bit_or", "stddev", "variance", "percentile_cont", "percentile_disc", "mode", "ntile", "nth_value", "percent_rank",
    "cume_dist", "json_object_agg", "jsonb_object_agg", "jsonb_agg", "json_array_elements", "json_each", "json_object_keys",
    "json_array_length", "jsonb_array_length", "jsonb_build_array", "json_build_array", "json_populate_record",
    "jsonb_populate_record", "jsonb_strip_nulls", "jsonb_insert", "jsonb_typeof", "json_typeof", "jsonb_extract_path",
    "jsonb_extract_path_text", "jsonb_pretty", "jsonb_path_query", "jsonb_path_exists", "row_to_json", "json_set",
    "json_insert", "json_replace", "json_remove", "json_merge_patch", "json_unquote", "json_contains", "json_arrayagg",
    "json_objectagg", "json_valid", "json_length", "json_keys", "json_quote", "json_type", "json_patch", "json",
    "json_group_array", "json_group_object", "json_tree", "json_query", "openjson", "isjson", "json_modify", "json_table",
    "str_to_date", "date_format", "timestampdiff", "timestampadd", "datepart", "datename", "datefromparts", "eomonth",
    "sysutcdatetime", "getutcdate", "sysdatetimeoffset", "to_days", "from_days", "last_day", "dayofweek", "dayofyear",
    "week", "weekday", "quarter", "hour", "minute", "second", "microsecond", "unix_micros", "sec_to_time", "time_to_sec",
    "adddate", "subdate", "utc_date", "sysdate", "curtime", "makedate", "maketime", "time_format", "convert_tz", "elt",
    "field", "find_in_set", "substring_index", "locate", "space", "strcmp", "insert", "quote", "conv", "bin", "oct",
    "crc32", "bit_count", "inet_aton", "inet_ntoa", "inet6_aton", "inet6_ntoa", "any_value", "iif", "try_cast",
    "try_convert", "parse", "try_parse", "stuff", "charindex", "patindex", "quotename", "string_split", "format", "replicate",
    "str", "unicode", "nchar", "choose", "hashbytes", "checksum", "binary_checksum", "glob", "likelihood", "randomblob",
    "zeroblob", "round", "time", "sqlite_version", "strpos", "lateral", "normalize", "unaccent", "similarity", "word_similarity",
    "nanvl", "num_nulls", "num_nonnulls", "host", "inet", "text", "abbrev", "family", "network", "set_masklen", "lower_inc",
    "upper_inc", "isempty", "daterange", "tsrange", "tstzrange", "int4range", "int8range", "numrange", "point", "box",
    "polygon", "st_makepoint", "st_setsrid", "st_geomfromtext", "st_point", "st_transform", "st_x", "st_y", "st_srid",
];

/// Whether the name is one of those.
pub(crate) fn is_harmless(name: &str) -> bool {
    HARMLESS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Words behind which a name with a list is a table or an alias with its columns.
const TARGETS: &[&str] = &[
    "into",
    "as",
    "insert",
    "ignore",
    "overwrite",
    "table",
    "view",
    "references",
    "with",
    "recursive",
    "exists",
    "copy",
];

/// Whether anything is called that is not known to be harmless. A name with a schema is somebody's own.
pub(crate) fn calls(tokens: &[Token<'_>]) -> bool {
    (1..tokens.len()).any(|at| {
        let name = &tokens[at - 1];
        if !tokens[at].op("(") || !matches!(name.kind, Kind::Word | Kind::Quoted) {
            return false;
        }
        let mut start = at - 1;
        while start >= 2 && tokens[start - 1].op(".") {
            start -= 2;
        }
        let before = start.checked_sub(1).map(|before| &tokens[before]);
        if before.is_some_and(|before| before.op(")") || TARGETS.iter().any(|word| before.is(word))) {
            return false;
        }
        let schema = (start < at - 1).then(|| &tokens[at - 3]);
        let own = schema.is_some_and(|schema| !schema.is("pg_catalog") && !schema.is("sys"));
        own || name.kind == Kind::Quoted || !is_harmless(name.text)
    })
}

/// The same for an expression that is kept as text.
pub(crate) fn text_calls(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    words.windows(2).enumerate().any(|(at, pair)| {
        let name = pair[0].starts_with(|first: char| first.is_alphabetic() || matches!(first, '_' | '"' | '`' | '['));
        let own = at > 0 && words[at - 1] == ".";
        pair[1] == "(" && name && (own || !is_harmless(pair[0]))
    })
}
