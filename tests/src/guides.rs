//! The guides in `docs/guides`, whose code is compiled and run as documentation tests.

macro_rules! guides {
    ($($name:ident: $file:literal;)*) => {$(
        #[doc = include_str!(concat!("../../docs/guides/", $file))]
        pub mod $name {}
    )*};
}

guides! {
    backends: "backends.md";
    computing: "computing.md";
    handlers: "handlers.md";
    keys: "keys.md";
    layers: "layers.md";
    limits: "limits.md";
    memory: "memory.md";
    plugin_backend: "plugin-backend.md";
    resilience: "resilience.md";
    ttl: "ttl.md";
}
