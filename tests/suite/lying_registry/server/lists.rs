//! Lists of repositories and tags, page by page, and the ways in which they lie.

use super::State;
use super::lies::Lie;
use super::reply::{Reply, Trick};

impl State {
    pub(super) fn catalog(&mut self, query: &str) -> Reply {
        if let Some(status) = self.find(|lie| match lie {
            Lie::Catalog(status) => Some(*status),
            _ => None,
        }) {
            return Reply::error(status, "UNSUPPORTED");
        }
        let mut names: Vec<String> = self.store.tags.keys().cloned().collect();
        if self.lies(&Lie::OddNames) {
            names.extend(["../../etc/passwd", "shop/UPPER", "shop/\u{1b}[2J", ""].map(str::to_owned));
        }
        self.page("repositories", "/v2/_catalog", query, names)
    }

    pub(super) fn tag_list(&mut self, name: &str, path: &str, query: &str) -> Reply {
        let Some(tags) = self.store.tags.get(name) else { return Reply::error(404, "NAME_UNKNOWN") };
        let names: Vec<String> = tags.keys().cloned().collect();
        if self.lies(&Lie::NullTags) {
            return Reply::new(200, "application/json", format!(r#"{{"name":"{name}","tags":null}}"#));
        }
        if self.lies(&Lie::NoTagsField) {
            return Reply::new(200, "application/json", format!(r#"{{"name":"{name}"}}"#));
        }
        if let Some(other) = self.find(|lie| if let Lie::ListOf(other) = lie { Some(*other) } else { None }) {
            let names = serde_json::to_string(&names).unwrap();
            return Reply::new(200, "application/json", format!(r#"{{"name":"{other}","tags":{names}}}"#));
        }
        if let Some(link) = self.find(|lie| if let Lie::LinkIs(link) = lie { Some(*link) } else { None }) {
            let start = query.strip_prefix("from=").map_or(0, |from| from.parse().unwrap());
            let page = serde_json::to_string(&names[start..names.len().min(start + 2)]).unwrap();
            let reply = Reply::new(200, "application/json", format!(r#"{{"name":"{name}","tags":{page}}}"#));
            let next = format!("{path}?from={}", start + 2);
            return if start + 2 < names.len() { reply.with("Link", link.replace("{}", &next)) } else { reply };
        }
        let mut reply = self.page("tags", path, query, names);
        let (resets, cuts) = (
            self.find(|lie| if let Lie::ResetLists(most) = lie { Some(*most) } else { None }),
            self.find(|lie| if let Lie::CutLists(most) = lie { Some(*most) } else { None }),
        );
        if resets.is_some_and(|most| self.times("resets", most)) {
            reply.trick = Trick::Reset;
        }
        if cuts.is_some_and(|most| self.times("cuts", most)) {
            reply.trick = Trick::Cut;
        }
        if self.lies(&Lie::Drip) {
            reply.trick = Trick::Drip;
        }
        reply
    }

    /// A page of names. The cursor says nothing to anyone but this server (F17).
    fn page(&mut self, field: &str, path: &str, query: &str, names: Vec<String>) -> Reply {
        let parameter =
            |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned));
        let size = self.find(|lie| if let Lie::PageOf(size) = lie { Some(*size) } else { None });
        let size = size.unwrap_or_else(|| parameter("n").and_then(|n| n.parse().ok()).unwrap_or(100));
        if let Some(reply) = self.page_without_link(field, &parameter, &names) {
            return reply;
        }
        let start = match parameter("cursor") {
            None => 0,
            Some(cursor) => match cursor.strip_prefix("%7E+").and_then(|cursor| cursor.strip_suffix("%252F")) {
                Some(start) => start.parse().unwrap(),
                None => return Reply::error(400, "PAGINATION_NUMBER_INVALID"),
            },
        };
        if self.lies(&Lie::NewNamesForEver) {
            let body = format!(r#"{{"{field}":["n{start}"]}}"#);
            let link = format!("<{path}?cursor=%7E+{}%252F&n=1>; rel=\"next\"", start + 1);
            return Reply::new(200, "application/json", body).with("Link", link);
        }
        let more = self.find(|lie| if let Lie::MorePages(most) = lie { Some(*most) } else { None }).unwrap_or(0);
        if start > names.len() || (start + size >= names.len() && more > 0) {
            let list = serde_json::to_string(names.get(start..).unwrap_or_default()).unwrap();
            let reply = Reply::new(200, "application/json", format!(r#"{{"{field}":{list}}}"#));
            let next = start.max(names.len()) + 1;
            let is_last = next - names.len() > more;
            let link = format!("<{path}?cursor=%7E+{next}%252F&n=1>; rel=\"next\"");
            return if is_last { reply } else { reply.with("Link", link) };
        }
        let end = (start + size).min(names.len());
        let from = if self.lies(&Lie::PagesOverlap) { start.saturating_sub(1) } else { start };
        let list = serde_json::to_string(&names[from..end]).unwrap();
        let reply = Reply::new(200, "application/json", format!(r#"{{"{field}":{list}}}"#));
        if end == names.len() {
            return reply;
        }
        let next = if self.lies(&Lie::CursorRepeats) { size } else { end };
        let host = self.find(|lie| if let Lie::NextPageAt(host) = lie { Some(host.clone()) } else { None });
        reply.with("Link", format!("<{}{path}?cursor=%7E+{next}%252F&n=1>; rel=\"next\"", host.unwrap_or_default()))
    }

    /// Pages of servers that cut a list off and do not say so (F106).
    fn page_without_link(
        &mut self,
        field: &str,
        parameter: &impl Fn(&str) -> Option<String>,
        names: &[String],
    ) -> Option<Reply> {
        let n: Option<usize> = parameter("n").and_then(|n| n.parse().ok());
        let largest = self.find(|lie| if let Lie::LargestPage(most) = lie { Some(*most) } else { None });
        if largest.is_some_and(|most| n.is_some_and(|n| n > most)) {
            return Some(Reply::error(400, "PAGINATION_NUMBER_INVALID"));
        }
        let shuffled = self.lies(&Lie::Shuffled);
        let cut = self.find(|lie| if let Lie::NoLinks { most, last } = lie { Some((*most, *last)) } else { None });
        let (most, knows_last) = cut.or(shuffled.then_some((usize::MAX, false)))?;
        let mut names = names.to_vec();
        if shuffled {
            *self.counts.entry("shuffled").or_default() += 1;
            let turn = self.counts["shuffled"] * 7 % names.len().max(1);
            names.rotate_left(turn);
            names.reverse();
        }
        let last = parameter("last").filter(|_| knows_last);
        names.retain(|name| last.as_ref().is_none_or(|last| name > last));
        names.truncate(n.unwrap_or(usize::MAX).min(most));
        let list = serde_json::to_string(&names).unwrap();
        Some(Reply::new(200, "application/json", format!(r#"{{"{field}":{list}}}"#)))
    }
}
