use prodpin_core::model::{Cause, Gap, Scope};
use prodpin_core::outcome::report::RepositoryReport;

use super::*;

#[test]
fn a_row_is_amended_where_it_stands() {
    let key = |name: &str| RepositoryKey { source: "shop".parse().unwrap(), name: name.parse().unwrap() };
    let row = |name: &str| {
        let gap = Gap::new(Scope::Repository, Cause::TimedOut, name);
        Row { repository: Some(RepositoryReport::unread(key(name), 5, gap)), findings: Vec::new() }
    };
    let depth = |row: &Row| row.repository.as_ref().map(|repository| repository.rollback.depth);
    let amend =
        |to: u32| move |row: &mut Row| row.repository.iter_mut().for_each(|repository| repository.rollback.depth = to);
    let mut writer = BodyWriter::new().unwrap();
    ["a", "b", "c"].into_iter().for_each(|name| writer.push(row(name)).unwrap());
    writer.amend(&key("c"), amend(3));
    assert_eq!(writer.take(&key("a")).unwrap().as_ref().and_then(depth), Some(0));
    assert!(writer.take(&key("a")).unwrap().is_none(), "it was taken");
    writer.amend(&key("b"), amend(2));
    writer.amend(&key("unknown"), amend(9));
    assert_eq!(writer.row(&key("c")).unwrap().as_ref().and_then(depth), Some(3), "moved into its place");
    let body = writer.finish().unwrap();
    let depths = |body: &Body| body.rows().map(|row| depth(&row.unwrap())).collect::<Vec<_>>();
    assert_eq!(depths(&body), [Some(2), Some(3)]);
    let mut written = Vec::new();
    body.write_canonical(&mut written).unwrap();
    assert_eq!(depths(&Body::read_canonical(&*written).unwrap()), [Some(2), Some(3)], "as it is kept");
}

#[test]
fn bodies_that_are_not_ours_are_errors() {
    let read = |text: &str| Body::read_lines(text.as_bytes(), 64).map(|body| body.len());
    assert_eq!(read("").unwrap(), 0);
    assert_eq!(read("{\"repository\":null,\"findings\":[]}\n").unwrap(), 0);
    for (text, fault) in [
        ("{\"repository\":null,\"findings\":[]}", "line 1 of the report's body is cut short"),
        ("{\"repository\":null,\"findings\":[]}\n\n", "line 2 of the report's body is no row"),
        ("[]\n", "line 1 of the report's body is no row"),
        (&format!("{}\n", "x".repeat(64)), "is cut short, or longer than any row may be"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
}
