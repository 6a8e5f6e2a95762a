//! S3's XML as the JSON that the AWS command line has for the same configuration.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::super::json::Json;

/// Elements that may stand more than once, and what their list is called in JSON.
const LISTS: [(&str, &str, &str); 4] = [
    ("LifecycleConfiguration", "Rule", "Rules"),
    ("Rule", "Transition", "Transitions"),
    ("Rule", "NoncurrentVersionTransition", "NoncurrentVersionTransitions"),
    ("And", "Tag", "Tags"),
];

/// Elements that hold other elements, and are objects even when they are empty.
const OBJECTS: [&str; 10] = [
    "LifecycleConfiguration",
    "Rule",
    "Filter",
    "And",
    "Tag",
    "Expiration",
    "Transition",
    "NoncurrentVersionTransition",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
];

/// Deeper than any configuration goes.
const DEPTH: usize = 8;

struct Element {
    name: String,
    members: Vec<(String, Json)>,
    text: String,
}

/// Reads the document. A document type is refused: it could only make things look other than they are.
pub(super) fn read(text: &str) -> Result<Json, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut whole = None;
    loop {
        let event = reader.read_event().map_err(|error| format!("it is not XML: {error}"))?;
        match event {
            Event::Start(start) | Event::Empty(start) if whole.is_some() => {
                return Err(format!("a second document starts with <{}>", name_of(start.local_name().as_ref())));
            }
            Event::Start(start) => {
                if open.len() == DEPTH {
                    return Err("it is nested deeper than any lifecycle configuration".to_owned());
                }
                open.push(Element::new(start.local_name().as_ref()));
            }
            Event::Empty(start) => close(Element::new(start.local_name().as_ref()), &mut open, &mut whole)?,
            Event::End(_) => {
                let Some(element) = open.pop() else { return Err("an element ends that never began".to_owned()) };
                close(element, &mut open, &mut whole)?;
            }
            Event::Text(part) => {
                let part = part.decode().map_err(|error| format!("it is not XML: {error}"))?;
                add(&mut open, &part)?;
            }
            Event::CData(part) => {
                let part = part.decode().map_err(|error| format!("it is not XML: {error}"))?;
                add(&mut open, &part)?;
            }
            Event::GeneralRef(reference) => add(&mut open, &resolved(&reference)?)?,
            Event::DocType(_) => return Err("it has a document type, which S3 does not take".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match whole {
        Some(whole) if open.is_empty() => Ok(whole),
        _ => Err("it ends in the middle".to_owned()),
    }
}

impl Element {
    fn new(name: &[u8]) -> Self {
        Self { name: name_of(name), members: Vec::new(), text: String::new() }
    }
}

fn name_of(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Puts an element that has ended into the one around it.
fn close(element: Element, open: &mut [Element], whole: &mut Option<Json>) -> Result<(), String> {
    let Element { name, members, text } = element;
    let is_object = OBJECTS.contains(&name.as_str());
    let json = match (is_object, members.is_empty(), text.trim().is_empty()) {
        (true, _, true) => Json::Table(members),
        (false, true, _) => Json::Text(text),
        (true, _, false) => return Err(format!("<{name}> holds text")),
        (false, false, _) => return Err(format!("<{name}> holds other elements")),
    };
    let Some(parent) = open.last_mut() else {
        if name != "LifecycleConfiguration" {
            return Err(format!("its root is <{name}>, and must be <LifecycleConfiguration>"));
        }
        *whole = Some(json);
        return Ok(());
    };
    let list = LISTS.iter().find(|(around, one, _)| parent.name == *around && name == *one).map(|(.., list)| *list);
    match list {
        None => parent.members.push((name, json)),
        Some(list) => match parent.members.iter_mut().find(|(key, _)| key == list) {
            Some((_, Json::List(entries))) => entries.push(json),
            _ => parent.members.push((list.to_owned(), Json::List(vec![json]))),
        },
    }
    Ok(())
}

fn add(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty() => {}
        None => return Err("there is text outside of the document".to_owned()),
    }
    Ok(())
}

/// Only what XML itself defines: whatever else stands for something, stands for what a document type says.
fn resolved(reference: &BytesRef<'_>) -> Result<String, String> {
    let unknown = || format!("&{}; stands for nothing that is known", String::from_utf8_lossy(reference));
    if let Some(character) = reference.resolve_char_ref().map_err(|error| format!("it is not XML: {error}"))? {
        return Ok(character.to_string());
    }
    let name = std::str::from_utf8(reference).map_err(|_| unknown())?;
    quick_xml::escape::resolve_predefined_entity(name).map(str::to_owned).ok_or_else(unknown)
}
