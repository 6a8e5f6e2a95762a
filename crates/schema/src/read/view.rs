//! Reading CREATE VIEW.

use crate::cursor::{Cursor, normal};
use crate::dialect::Dialect;
use crate::lex::Token;
use crate::read::calls::calls;
use crate::statement::{Action, NewView};

/// Whether CREATE makes a view.
pub(crate) fn begins(cursor: &Cursor<'_, '_>) -> bool {
    cursor.rest().iter().take(14).take_while(|token| !token.is("as") && !token.op("(")).any(|token| token.is("view"))
}

pub(crate) fn create(cursor: &mut Cursor<'_, '_>, replace: bool) -> Option<Action> {
    let at = cursor.rest().iter().position(|token| token.is("view"))?;
    let before = &cursor.rest()[..at];
    let mut inner = Cursor::new(&cursor.rest()[at + 1..], cursor.dialect);
    let has = |word: &str| before.iter().any(|token| token.is(word));
    let if_not_exists = inner.eat("if not exists");
    let name = inner.name()?;
    let columns = inner.rest();
    let as_at = columns.iter().position(|token| token.is("as"))?;
    let behind = &columns[as_at + 1..];
    let (items, tail) = select_items(behind, cursor.dialect);
    let new = NewView {
        name,
        replace,
        if_not_exists,
        temporary: has("temp") || has("temporary"),
        head: format!("{} {}", normal(before), normal(&columns[..as_at])),
        items,
        tail,
        calls: calls(behind),
    };
    cursor.skip_rest();
    Some(Action::CreateView(new))
}

/// The columns of a SELECT and the text behind them. Anything else is one text.
fn select_items(tokens: &[Token<'_>], dialect: Dialect) -> (Vec<String>, String) {
    let mut cursor = Cursor::new(tokens, dialect);
    if !cursor.eat("select")
        || tokens.iter().any(|token| token.is("union") || token.is("except") || token.is("intersect"))
    {
        return (Vec::new(), normal(tokens));
    }
    let items = cursor.until(|token| token.is("from"));
    let items = Cursor::new(items, dialect).parts().iter().map(|part| normal(part.rest())).collect();
    (items, normal(cursor.rest()))
}
