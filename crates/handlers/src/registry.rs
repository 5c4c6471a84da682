//! Which handler stores which type.

use crate::{ErasedHandler, Handler, HandlerRef};
use cacheness_core::{Error, ErrorKind, Result};
use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The handlers of one cache, in priority order. Cloning is cheap enough to start a registry from another.
///
/// ```
/// use cacheness_core::ErrorKind;
/// use cacheness_handlers::bytes::BytesHandler;
/// use cacheness_handlers::HandlerRegistry;
///
/// let mut registry = HandlerRegistry::standard();
/// registry.add_named("raw", Some(0), BytesHandler)?;
/// registry.describe("raw", "byte strings, before anything else")?;
/// for handler in registry.iter() {
///     println!("{} {}: {}", handler.priority, handler.name, handler.description);
/// }
/// registry.remove("raw")?;
/// assert_eq!(registry.remove("raw").unwrap_err().kind(), ErrorKind::NoHandler);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct HandlerRegistry {
    entries: Vec<Entry>,
    by_type: HashMap<TypeId, Vec<Arc<dyn ErasedHandler>>>,
}

#[derive(Clone)]
struct Entry {
    name: String,
    description: Option<String>,
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
    /// Whether it was compiled in; not for what a program added.
    pub built_in: bool,
    /// A sentence for people; what it stores as what, unless [described](HandlerRegistry::describe) otherwise.
    pub description: Cow<'a, str>,
}

impl HandlerRegistry {
    /// A registry without handlers: every serde type still goes through `object`.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Registers `handler` last, under its type tag.
    ///
    /// What lacks a part of the contract is no [`Handler`], and does not compile:
    ///
    /// ```compile_fail
    /// struct Nothing;
    /// cacheness_handlers::HandlerRegistry::standard().add(Nothing);
    /// ```
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
        self.insert(Entry::new(name.into(), handler), priority)
    }

    /// Registers `handler` last, under `name`, as one that cacheness brings: for the crates of the family.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyRegistered`] when the name is taken.
    pub fn add_bundled(&mut self, name: impl Into<String>, handler: impl Handler) -> Result<()> {
        self.insert(Entry { built_in: true, ..Entry::new(name.into(), handler) }, None)
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

    /// Says for people what the handler of that name is there for.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHandler`] when there is none of that name, naming those there are.
    pub fn describe(&mut self, name: &str, description: impl Into<String>) -> Result<()> {
        let place = self.place(name)?;
        if let Some(entry) = self.entries.get_mut(place) {
            entry.description = Some(description.into());
        }
        Ok(())
    }

    /// Asks the named handlers first, in this order; the others keep theirs behind them. A name that comes again counts
    /// where it came first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHandler`] when one of the names is unknown, naming those there are; the order stays as it was.
    pub fn order<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        let places: Vec<_> = names.into_iter().map(|name| self.place(name)).collect::<Result<_>>()?;
        let mut entries: Vec<_> = std::mem::take(&mut self.entries).into_iter().enumerate().collect();
        entries.sort_by_key(|(place, _)| places.iter().position(|first| first == place).unwrap_or(places.len()));
        self.entries = entries.into_iter().map(|(_, entry)| entry).collect();
        self.index();
        Ok(())
    }

    /// Removes the handler of that name, built-in ones too. What it stored stays, and needs it to be read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHandler`] when there is none of that name, naming those there are.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        let place = self.place(name)?;
        self.entries.remove(place);
        self.index();
        Ok(())
    }

    /// Marks every handler that is registered now as built in: for the bundle of parts that a program is compiled with.
    pub fn mark_built_in(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.built_in = true);
    }

    /// Where the handler of that name stands.
    fn place(&self, name: &str) -> Result<usize> {
        self.entries.iter().position(|entry| entry.name == name).ok_or_else(|| {
            let known: Vec<_> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
            Error::new(ErrorKind::NoHandler, format!("no handler is named {name:?}"))
                .advice(format!("registered: {}", known.join(", ")))
        })
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
            description: entry.description(),
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

impl Entry {
    fn new(name: String, handler: impl Handler) -> Self {
        Self { name, description: None, built_in: false, handler: Arc::new(handler) }
    }

    fn description(&self) -> Cow<'_, str> {
        match &self.description {
            Some(description) => description.into(),
            None => format!("{} as {}", self.handler.value_type_name(), self.handler.type_tag()).into(),
        }
    }
}

impl fmt::Debug for HandlerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| &entry.name)).finish()
    }
}
