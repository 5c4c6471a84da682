//! A value on its way in: borrowed, shared or already encoded.

use super::pipeline::{self, Encoded};
use super::{Engine, EngineOptions};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{
    BytesHandler, Codec, ErasedHandler, Format, Handler, HandlerRef, HandlerRegistry, Lent, Put, Spool, Spooled, Value,
};
use std::any::{Any, type_name};
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// A value, the handler that stores it, and the format that the handler planned.
pub struct Source<'v> {
    pub(super) held: Held<'v>,
    pub(super) handler: HandlerRef,
    pub(super) format: Format,
    pub(super) type_name: &'static str,
}

impl Source<'_> {
    /// What kind of value it is: its handler's type tag.
    pub fn type_tag(&self) -> &str {
        self.handler.type_tag()
    }
}

pub(super) enum Held<'v> {
    Borrowed(&'v (dyn Any + Send + Sync)),
    Shared(Arc<dyn Any + Send + Sync>),
    /// Its bytes before the codec.
    Encoded(Spooled),
    /// Its stored bytes: no codec is left to run.
    Stored(Box<Encoded>),
    Reader(Box<dyn Read + Send>),
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} as {})", self.type_name, self.format.name)
    }
}

impl<'v> Source<'v> {
    /// A borrowed value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoHandler`] when nothing stores its type; what planning returns.
    pub fn borrowed<V: Put + ?Sized>(handlers: &HandlerRegistry, value: &'v V) -> Result<Self> {
        match value.lend() {
            Lent::Borrowed(value) => {
                let fallback = V::Stored::fallback();
                Self::new::<V::Stored>(handlers, fallback, value, Held::Borrowed(value))
            }
            Lent::Owned(value) => Self::shared(handlers, Arc::new(value)),
        }
    }

    /// A borrowed value of any type that a registered handler stores.
    ///
    /// # Errors
    ///
    /// As [`borrowed`](Self::borrowed).
    pub fn typed<T: Any + Send + Sync>(handlers: &HandlerRegistry, value: &'v T) -> Result<Self> {
        Self::new::<T>(handlers, None, value, Held::Borrowed(value))
    }

    /// A borrowed value, stored by this handler, registered or not.
    ///
    /// # Errors
    ///
    /// What planning returns.
    pub fn by<T: Any + Send + Sync>(handler: HandlerRef, value: &'v T) -> Result<Self> {
        let format = handler.plan(value)?;
        Ok(Self { held: Held::Borrowed(value), handler, format, type_name: type_name::<T>() })
    }

    /// A shared value.
    ///
    /// # Errors
    ///
    /// As [`borrowed`](Self::borrowed).
    pub fn shared<T: Value>(handlers: &HandlerRegistry, value: Arc<T>) -> Result<Source<'static>> {
        Source::new::<T>(handlers, T::fallback(), &*Arc::clone(&value), Held::Shared(value))
    }

    /// Bytes of any number, taken from a reader when they are stored; they come back as a `Vec<u8>` or by a reader.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn reader(reader: impl Read + Send + 'static) -> Result<Source<'static>> {
        let mut format = Handler::plan(&BytesHandler, &Vec::new())?;
        format.hints.size = None;
        let (held, handler) = (Held::Reader(Box::new(reader)), HandlerRef::Static(&BytesHandler));
        Ok(Source { held, handler, format, type_name: type_name::<Vec<u8>>() })
    }

    fn new<T: Any>(
        handlers: &HandlerRegistry,
        fallback: Option<&'static dyn ErasedHandler>,
        value: &dyn Any,
        held: Held<'v>,
    ) -> Result<Self> {
        let handler = handlers.for_value(value).or(fallback.map(HandlerRef::Static));
        let handler = handler.ok_or_else(|| no_handler::<T>(handlers))?;
        let format = handler.plan(value)?;
        Ok(Self { held, handler, format, type_name: type_name::<T>() })
    }

    /// Lets go of a borrow by encoding the value now, in memory or in a file under `staging`. What no codec compresses is
    /// ready to be stored then, and not copied again.
    ///
    /// # Errors
    ///
    /// What encoding returns.
    pub(super) fn detach(self, options: &EngineOptions, staging: Option<&Path>) -> Result<Source<'static>> {
        let Self { held, handler, format, type_name } = self;
        let held = match held {
            Held::Borrowed(value) if options.compression.choose(&format.hints).codec == Codec::None => {
                let (handler, format) = (handler.clone(), format.clone());
                let source = Source { held: Held::Borrowed(value), handler, format, type_name };
                Held::Stored(Box::new(pipeline::encode(source, options, staging)?))
            }
            Held::Borrowed(value) => {
                let mut spool =
                    Spool::new(options.staging_memory, staging).with_capacity(format.hints.size.unwrap_or(0));
                handler.encode(value, &format, &mut spool)?;
                Held::Encoded(spool.finish()?)
            }
            Held::Stored(encoded) => Held::Stored(encoded),
            Held::Shared(value) => Held::Shared(value),
            Held::Encoded(bytes) => Held::Encoded(bytes),
            Held::Reader(reader) => Held::Reader(reader),
        };
        Ok(Source { held, handler, format, type_name })
    }
}

pub(super) fn no_handler<T>(handlers: &HandlerRegistry) -> Error {
    let mut known: Vec<_> = handlers.iter().map(|info| info.type_tag.to_owned()).collect();
    known.sort_unstable();
    known.dedup();
    Error::new(ErrorKind::NoHandler, format!("no handler stores {}", type_name::<T>())).advice(format!(
        "register one, or derive Serialize and Deserialize; registered: {}",
        if known.is_empty() { "none".into() } else { known.join(", ") }
    ))
}

/// What the two faces of a handle prepare differently.
pub trait Face: Copy {
    /// How long a source may keep a borrow.
    type Source<'v>;

    /// Refuses a call that does its work [beside](Engine::beside) another engine, where it would park an executor's thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AsyncContext`]; the async face refuses nothing.
    fn admit(self, other: &Engine) -> Result<()>;

    /// Prepares a borrowed value.
    ///
    /// # Errors
    ///
    /// As [`Source::borrowed`]; the async face also encodes.
    fn source<'v, V: Put + ?Sized>(self, engine: &Engine, value: &'v V) -> Result<Self::Source<'v>>;

    /// Prepares a borrowed value of any type that a registered handler stores.
    ///
    /// # Errors
    ///
    /// As [`Source::typed`]; the async face also encodes.
    fn typed<'v, T: Any + Send + Sync>(self, engine: &Engine, value: &'v T) -> Result<Self::Source<'v>>;

    /// Prepares a borrowed value for a handler, registered or not.
    ///
    /// # Errors
    ///
    /// As [`Source::by`]; the async face also encodes.
    fn by<'v, T: Any + Send + Sync>(
        self,
        engine: &Engine,
        handler: HandlerRef,
        value: &'v T,
    ) -> Result<Self::Source<'v>>;
}

/// The blocking face: a value is borrowed until it is stored, and encoded straight into the spool.
#[derive(Debug, Clone, Copy)]
pub struct Blocking;

/// The async face: a borrowed value is encoded at the call, on the caller's thread.
#[derive(Debug, Clone, Copy)]
pub struct Async;

impl Face for Blocking {
    type Source<'v> = Source<'v>;

    fn admit(self, other: &Engine) -> Result<()> {
        other.driver.admit()
    }

    fn source<'v, V: Put + ?Sized>(self, engine: &Engine, value: &'v V) -> Result<Source<'v>> {
        engine.check_open()?;
        Source::borrowed(&engine.handlers, value)
    }

    fn typed<'v, T: Any + Send + Sync>(self, engine: &Engine, value: &'v T) -> Result<Source<'v>> {
        engine.check_open()?;
        Source::typed(&engine.handlers, value)
    }

    fn by<'v, T: Any + Send + Sync>(self, engine: &Engine, handler: HandlerRef, value: &'v T) -> Result<Source<'v>> {
        engine.check_open()?;
        Source::by(handler, value)
    }
}

impl Face for Async {
    type Source<'v> = Source<'static>;

    fn admit(self, _other: &Engine) -> Result<()> {
        Ok(())
    }

    fn source<V: Put + ?Sized>(self, engine: &Engine, value: &V) -> Result<Source<'static>> {
        Blocking.source(engine, value)?.detach(&engine.options, engine.blobs.staging())
    }

    fn typed<T: Any + Send + Sync>(self, engine: &Engine, value: &T) -> Result<Source<'static>> {
        Blocking.typed(engine, value)?.detach(&engine.options, engine.blobs.staging())
    }

    fn by<T: Any + Send + Sync>(self, engine: &Engine, handler: HandlerRef, value: &T) -> Result<Source<'static>> {
        Blocking.by(engine, handler, value)?.detach(&engine.options, engine.blobs.staging())
    }
}
