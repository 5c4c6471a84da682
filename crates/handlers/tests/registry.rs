//! Handlers by name: described, ordered, removed, added again.
#![allow(clippy::panic, clippy::unwrap_used)]

use cacheness_core::{ErrorKind, Result};
use cacheness_handlers::{BytesHandler, Format, Handler, HandlerRegistry, PayloadReader, TextHandler};
use std::io::Write;

fn names(registry: &HandlerRegistry) -> Vec<&str> {
    registry.iter().map(|handler| handler.name).collect()
}

#[test]
fn a_removed_handler_is_not_asked_until_it_is_added_again() {
    let mut registry = HandlerRegistry::standard();
    registry.remove("text").unwrap();
    assert!(registry.for_value(&String::new()).is_none());
    assert_eq!(names(&registry), ["bytes", "bytes_shared"]);
    registry.add(TextHandler).unwrap();
    assert_eq!(registry.for_value(&String::new()).unwrap().type_tag(), "text");
    let added = registry.iter().last().unwrap();
    assert_eq!((added.name, added.built_in), ("text", false), "a program added it");
}

#[test]
fn a_handler_that_is_not_there_is_an_error_that_names_those_that_are() {
    let mut registry = HandlerRegistry::standard();
    let refused = [registry.remove("txt"), registry.describe("txt", ""), registry.order(["text", "txt"])];
    for error in refused.map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::NoHandler);
        assert_eq!(error.to_string(), "no handler is named \"txt\" (registered: bytes, bytes_shared, text)");
    }
    assert_eq!(names(&registry), ["bytes", "bytes_shared", "text"], "nothing changed");
}

#[test]
fn the_named_handlers_are_asked_first_and_the_others_keep_their_order() {
    let mut registry = HandlerRegistry::standard();
    registry.add_named("raw", None, BytesHandler).unwrap();
    registry.order(["raw", "text", "raw"]).unwrap();
    assert_eq!(names(&registry), ["raw", "text", "bytes", "bytes_shared"]);
    registry.describe("raw", "asked first").unwrap();
    registry.remove("bytes_shared").unwrap();
    let listed: Vec<_> = registry.iter().map(|handler| (handler.priority, handler.description.into_owned())).collect();
    assert_eq!(listed[0], (0, "asked first".to_owned()));
    assert_eq!(listed[1], (1, "alloc::string::String as text".to_owned()));
    assert_eq!(listed.len(), 3);
}

/// Bytes that are not empty.
struct Filled;

impl Handler for Filled {
    type Value = Vec<u8>;

    fn type_tag(&self) -> &str {
        "filled"
    }

    fn accepts(&self, value: &Vec<u8>) -> bool {
        !value.is_empty()
    }

    fn plan(&self, value: &Vec<u8>) -> Result<Format> {
        BytesHandler.plan(value)
    }

    fn encode(&self, value: &Vec<u8>, format: &Format, out: &mut dyn Write) -> Result<()> {
        BytesHandler.encode(value, format, out)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Vec<u8>> {
        BytesHandler.decode(input, format)
    }
}

#[test]
fn a_new_order_decides_which_handler_stores_a_value() {
    let mut registry = HandlerRegistry::standard();
    registry.add(Filled).unwrap();
    let tag =
        |registry: &HandlerRegistry, value: &[u8]| registry.for_value(&value.to_vec()).unwrap().type_tag().to_owned();
    assert_eq!(tag(&registry, b"full"), "bytes");
    registry.order(["filled"]).unwrap();
    assert_eq!(tag(&registry, b"full"), "filled");
    assert_eq!(tag(&registry, b""), "bytes", "what the first does not accept goes to the next");
}
