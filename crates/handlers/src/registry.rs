//! Which handler stores which type.

use crate::{ErasedHandler, Handler, HandlerRef};
use cacheness_core::{Error, ErrorKind, Result};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The handlers of one cache, in priority order. Cloning is cheap enough to start a registry from another.
#[derive(Clone, Default)]
pub struct HandlerRegistry {
    entries: Vec<Entry>,
    by_type: HashMap<TypeId, Vec<Arc<dyn ErasedHandler>>>,
}

#[derive(Clone)]
struct Entry {
    name: String,
    built_in: bool,
    handler: Arc<dyn ErasedHandler>,
}

/// What a registry says about one of its handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerInfo<'a> {
    /// The name it was registered under.
    pub name: &'a str,
    /// Its place in the order; 0 is asked first.
    pub priority: usize,
    /// The type tag it writes.
    pub type_tag: &'a str,
    /// The Rust type it stores, for messages only.
    pub type_name: &'static str,
    /// Whether cacheness brought it.
    pub built_in: bool,
}

impl HandlerRegistry {
    /// A registry without handlers: every serde type still goes through `object`.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Registers `handler` last, under its type tag.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyRegistered`] when the name is taken.
    pub fn add(&mut self, handler: impl Handler) -> Result<()> {
        let name = Handler::type_tag(&handler).to_owned();
        self.add_named(name, None, handler)
    }

    /// Registers `handler` under `name` at `priority`: 0 is asked first, `None` is last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyRegistered`] when the name is taken.
    pub fn add_named(&mut self, name: impl Into<String>, priority: Option<usize>, handler: impl Handler) -> Result<()> {
        self.insert(Entry { name: name.into(), built_in: false, handler: Arc::new(handler) }, priority)
    }

    /// Registers `handler` last, under `name`, as one that cacheness brings: for the crates of the family.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyRegistered`] when the name is taken.
    pub fn add_bundled(&mut self, name: impl Into<String>, handler: impl Handler) -> Result<()> {
        self.insert(Entry { name: name.into(), built_in: true, handler: Arc::new(handler) }, None)
    }

    fn insert(&mut self, entry: Entry, priority: Option<usize>) -> Result<()> {
        if self.entries.iter().any(|other| other.name == entry.name) {
            let message = format!("a handler named {:?} is registered already", entry.name);
            return Err(Error::new(ErrorKind::AlreadyRegistered, message).advice("remove it first, or choose a name"));
        }
        match priority.filter(|place| *place < self.entries.len()) {
            Some(place) => {
                self.entries.insert(place, entry);
                self.index();
            }
            None => {
                self.by_type.entry(entry.handler.value_type()).or_default().push(entry.handler.clone());
                self.entries.push(entry);
            }
        }
        Ok(())
    }

    /// Removes the handler of that name, built-in ones too; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.name != name);
        self.index();
        self.entries.len() < before
    }

    fn index(&mut self) {
        self.by_type.clear();
        for entry in &self.entries {
            self.by_type.entry(entry.handler.value_type()).or_default().push(entry.handler.clone());
        }
    }

    /// The handlers in the order they are asked.
    pub fn iter(&self) -> impl Iterator<Item = HandlerInfo<'_>> {
        self.entries.iter().enumerate().map(|(priority, entry)| HandlerInfo {
            name: &entry.name,
            priority,
            type_tag: entry.handler.type_tag(),
            type_name: entry.handler.value_type_name(),
            built_in: entry.built_in,
        })
    }

    /// The first handler of the value's type that accepts it.
    pub fn for_value(&self, value: &dyn Any) -> Option<HandlerRef> {
        self.of_type(value.type_id()).find(|handler| handler.accepts(value)).cloned().map(HandlerRef::Shared)
    }

    /// The first handler of the type that writes `type_tag`.
    pub fn for_tag(&self, value_type: TypeId, type_tag: &str) -> Option<HandlerRef> {
        self.of_type(value_type).find(|handler| handler.type_tag() == type_tag).cloned().map(HandlerRef::Shared)
    }

    /// Whether a handler for the type is registered.
    pub fn has(&self, value_type: TypeId) -> bool {
        self.by_type.contains_key(&value_type)
    }

    fn of_type(&self, value_type: TypeId) -> impl Iterator<Item = &Arc<dyn ErasedHandler>> {
        self.by_type.get(&value_type).into_iter().flatten()
    }
}

impl fmt::Debug for HandlerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| &entry.name)).finish()
    }
}
