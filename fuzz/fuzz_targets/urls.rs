//! Backend URLs, the options in them, and codecs in words: what is shown tells no secret and can be read again.
#![no_main]

use cacheness_backend_fs::FsConfig;
use cacheness_core::runtime::block_on;
use cacheness_core::{BackendUrl, ErrorKind};
use cacheness_fuzz::{Input, bounded};
use cacheness_handlers::Codec;
use cacheness_storage::{BackendRegistry, OpenContext, memory, options_from_url};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;

/// Every kind of option that a backend may have.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Options {
    readers: u8,
    region: Option<String>,
    ratio: f32,
    mode: Mode,
}

#[derive(Debug, Default, Deserialize)]
enum Mode {
    #[default]
    Fast,
    Safe,
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = input.below(4);
    let text = String::from_utf8_lossy(input.rest());
    match mode {
        0 => codec(&text),
        1 => credentials(&text),
        _ => url(&text),
    }
});

fn url(text: &str) {
    let url = match bounded(16 * text.len() + 4096, || text.parse::<BackendUrl>()) {
        Ok(url) => url,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Config),
    };
    let parts = format!("{}:{}", url.scheme(), url.rest());
    assert!(text == parts || text == format!("{parts}?{}", url.query()), "{text:?} is not all there");
    let shown = url.to_string();
    // A question mark inside credentials ends the rest before the at sign.
    let has_credentials = url.rest().starts_with("//") && text.contains('@');
    assert!(has_credentials || shown.starts_with(&parts), "{text:?} is shown as {shown:?}");
    let again: BackendUrl = shown.parse().expect("what is shown is a URL");
    assert_eq!((again.scheme(), again.to_string()), (url.scheme(), shown));

    for kind in [
        options_from_url::<FsConfig>(&url).err().map(|error| error.kind()),
        options_from_url::<Options>(&url).err().map(|error| error.kind()),
    ] {
        assert!(matches!(kind, None | Some(ErrorKind::Config)), "{kind:?}");
    }
    let mut registry = BackendRegistry::empty();
    memory::register(&mut registry).expect("the name is free");
    let opened = block_on(registry.open_blobs(&url, &OpenContext::new())).map_err(|error| error.kind());
    match opened {
        Ok(_) => assert_eq!((url.scheme(), url.rest()), ("memory", "")),
        Err(kind) if url.scheme() == "memory" => assert_eq!(kind, ErrorKind::Config),
        Err(kind) => assert_eq!(kind, ErrorKind::UnknownBackend),
    }
}

/// A secret where secrets stand is not shown, whatever stands around it.
fn credentials(text: &str) {
    const SECRET: &str = "hush-0123456789";
    let Some((before, after)) = text.split_once('|') else { return };
    if [before, after].iter().any(|part| part.contains(['?', '&', '=', '@', '/'])) {
        return;
    }
    for text in [format!("s3://{before}{SECRET}@{after}"), format!("s3://host?{before}={SECRET}&{after}=1")] {
        let url: BackendUrl = text.parse().expect("it begins with a scheme");
        let error = options_from_url::<Options>(&url).err();
        for shown in [
            url.to_string(),
            format!("{url:?}"),
            format!("{error:?}"),
            error.map_or_else(String::new, |error| error.to_string()),
        ] {
            assert!(!shown.contains(SECRET), "{text:?} is shown as {shown:?}");
        }
    }
}

fn codec(text: &str) {
    match text.parse::<Codec>() {
        Ok(codec) => assert_eq!(codec.to_string().parse::<Codec>().expect("what is shown is a codec"), codec),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Config),
    }
}
