//! The handlers that every registry starts with.

use crate::HandlerRegistry;
use crate::bytes::{BytesHandler, SharedBytesHandler};
use crate::text::TextHandler;

impl HandlerRegistry {
    /// A registry with the built-in handlers: `bytes` for `Vec<u8>`, `bytes_shared` for [`bytes::Bytes`], `text` for
    /// `String`.
    ///
    /// ```
    /// use cacheness_handlers::HandlerRegistry;
    ///
    /// let registry = HandlerRegistry::standard();
    /// let names: Vec<_> = registry.iter().map(|handler| handler.name).collect();
    /// assert_eq!(names, ["bytes", "bytes_shared", "text"]);
    /// ```
    pub fn standard() -> Self {
        let mut registry = Self::empty();
        let added = [
            registry.add_bundled("bytes", BytesHandler),
            registry.add_bundled("bytes_shared", SharedBytesHandler),
            registry.add_bundled("text", TextHandler),
        ];
        debug_assert!(added.iter().all(Result::is_ok), "the names of built-in handlers differ");
        registry
    }
}
