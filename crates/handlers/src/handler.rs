//! The contract of a handler, and its type-erased form.

use crate::{Format, PayloadReader};
use cacheness_core::{Error, ErrorKind, Result};
use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::io::Write;
use std::ops::Deref;
use std::sync::Arc;

/// How a plug-in stores its type. Found by `TypeId` in priority order, then [`accepts`](Self::accepts).
///
/// ```
/// use cacheness_handlers::{Format, Handler, PayloadReader};
/// use cacheness_core::Result;
/// use std::io::Write;
///
/// struct Celsius(f32);
/// struct CelsiusHandler;
///
/// impl Handler for CelsiusHandler {
///     type Value = Celsius;
///     fn type_tag(&self) -> &str { "celsius" }
///     fn plan(&self, _: &Celsius) -> Result<Format> { Ok(Format::new("f32-le", 1).size_hint(4)) }
///     fn encode(&self, value: &Celsius, _: &Format, out: &mut dyn Write) -> Result<()> {
///         Ok(out.write_all(&value.0.to_le_bytes())?)
///     }
///     fn decode(&self, input: &mut dyn PayloadReader, _: &Format) -> Result<Celsius> {
///         let mut bytes = [0; 4];
///         input.read_exact(&mut bytes)?;
///         Ok(Celsius(f32::from_le_bytes(bytes)))
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// The type it stores.
    type Value: Any + Send + Sync;

    /// The name of the type on disk: what a record says it holds, such as `ndarray`. Stable for ever.
    fn type_tag(&self) -> &str;

    /// Whether it stores this value; the next handler of the type is asked when not.
    fn accepts(&self, value: &Self::Value) -> bool {
        let _ = value;
        true
    }

    /// Says what [`encode`](Self::encode) will write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serialization`] for a value that cannot be stored.
    fn plan(&self, value: &Self::Value) -> Result<Format>;

    /// Writes the value. `out` is not buffered against tiny writes: collect a few KiB first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serialization`] for a value that cannot be stored; what `out` returns.
    fn encode(&self, value: &Self::Value, format: &Format, out: &mut dyn Write) -> Result<()>;

    /// Reads a value back. The bytes may come from anywhere: trust no length in them beyond
    /// [`PayloadReader::remaining`]. They may be verified only after the last of them was read, so a decoder must
    /// be safe, not right, on wrong ones.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] for bytes that are no value, [`ErrorKind::SchemaMismatch`] for another schema,
    /// [`ErrorKind::FormatTooNew`] for an unknown version of the format.
    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Self::Value>;
}

/// A [`Handler`] without its type; implemented for every handler.
pub trait ErasedHandler: Send + Sync + 'static {
    /// As [`Handler::type_tag`].
    fn type_tag(&self) -> &str;

    /// The type it stores.
    fn value_type(&self) -> TypeId;

    /// The name of the type it stores, for messages only.
    fn value_type_name(&self) -> &'static str;

    /// As [`Handler::accepts`]; false for a value of another type.
    fn accepts(&self, value: &dyn Any) -> bool;

    /// As [`Handler::plan`].
    ///
    /// # Errors
    ///
    /// As there; [`ErrorKind::Internal`] for a value of another type.
    fn plan(&self, value: &dyn Any) -> Result<Format>;

    /// As [`Handler::encode`].
    ///
    /// # Errors
    ///
    /// As there; [`ErrorKind::Internal`] for a value of another type.
    fn encode(&self, value: &dyn Any, format: &Format, out: &mut dyn Write) -> Result<()>;

    /// As [`Handler::decode`].
    ///
    /// # Errors
    ///
    /// As there.
    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Box<dyn Any + Send + Sync>>;
}

/// A handler that was chosen for a value, kept as long as the value needs it.
#[derive(Clone)]
pub enum HandlerRef {
    /// One that lives as long as the program, such as a type's fallback.
    Static(&'static dyn ErasedHandler),
    /// One of a registry.
    Shared(Arc<dyn ErasedHandler>),
}

impl Deref for HandlerRef {
    type Target = dyn ErasedHandler;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Static(handler) => *handler,
            Self::Shared(handler) => &**handler,
        }
    }
}

impl fmt::Debug for HandlerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerRef({} for {})", self.type_tag(), self.value_type_name())
    }
}

impl<H: Handler> ErasedHandler for H {
    fn type_tag(&self) -> &str {
        Handler::type_tag(self)
    }

    fn value_type(&self) -> TypeId {
        TypeId::of::<H::Value>()
    }

    fn value_type_name(&self) -> &'static str {
        type_name::<H::Value>()
    }

    fn accepts(&self, value: &dyn Any) -> bool {
        value.downcast_ref().is_some_and(|value| Handler::accepts(self, value))
    }

    fn plan(&self, value: &dyn Any) -> Result<Format> {
        Handler::plan(self, typed(self, value)?)
    }

    fn encode(&self, value: &dyn Any, format: &Format, out: &mut dyn Write) -> Result<()> {
        Handler::encode(self, typed(self, value)?, format, out)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Box<dyn Any + Send + Sync>> {
        Ok(Box::new(Handler::decode(self, input, format)?))
    }
}

fn typed<'v, H: Handler>(_: &H, value: &'v dyn Any) -> Result<&'v H::Value> {
    value.downcast_ref().ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("a handler for {} was given another type", type_name::<H::Value>()))
    })
}
