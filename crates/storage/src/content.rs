//! The content descriptor: the binary form of [`Content`], versioned from its first byte. `docs/format.md` draws it.

use crate::digest::{BLAKE3, XXH3};
use crate::wire::{Reader, put_bytes, put_varint};
use crate::{Content, Digest, ObjectTag, Terms};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{CodecId, Encoding, Extra};
use std::borrow::Cow;

const VERSION: u8 = 1;

const HAS_SCHEMA: u8 = 1;
const HAS_EXTRA: u8 = 2;
const HAS_KEY_DIGEST: u8 = 4;
const HAS_TERMS: u8 = 8;
const HAS_OBJECT: u8 = 16;

/// Names that most records hold, so that reading one allocates nothing.
const KNOWN: [&str; 10] =
    ["object", "msgpack", "bytes", "raw", "text", "utf-8", "ndarray", "cacheable", "bincode", "alloc::string::String"];

impl Content {
    /// The binary form, format version 1.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + self.type_name.len());
        out.push(VERSION);
        out.push(
            if self.schema.is_some() { HAS_SCHEMA } else { 0 }
                | if self.extra.is_empty() { 0 } else { HAS_EXTRA }
                | if self.key_digest.is_some() { HAS_KEY_DIGEST } else { 0 }
                | if self.terms == Terms::default() { 0 } else { HAS_TERMS }
                | if self.object.is_some() { HAS_OBJECT } else { 0 },
        );
        put_bytes(&mut out, self.type_tag.as_bytes());
        put_bytes(&mut out, self.type_name.as_bytes());
        put_bytes(&mut out, self.format.as_bytes());
        out.extend_from_slice(&self.format_version.to_le_bytes());
        if let Some(schema) = self.schema {
            out.extend_from_slice(&schema.to_le_bytes());
        }
        if !self.extra.is_empty() {
            let json: serde_json::Map<_, _> = self.extra.clone().into_iter().collect();
            put_bytes(&mut out, serde_json::Value::Object(json).to_string().as_bytes());
        }
        out.push(self.encoding.codec as u8);
        out.push(self.encoding.shuffle);
        put_varint(&mut out, self.raw_size);
        put_varint(&mut out, self.stored_size);
        out.extend_from_slice(&self.digest.to_bytes());
        if let Some(digest) = &self.key_digest {
            out.extend_from_slice(digest);
        }
        if self.terms != Terms::default() {
            self.terms.write(&mut out);
        }
        if let Some(object) = &self.object {
            for text in [&object.etag, &object.version] {
                put_bytes(&mut out, text.as_deref().unwrap_or_default().as_bytes());
            }
        }
        out
    }

    /// Reads the binary form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FormatTooNew`] for another version, an unknown flag, codec or digest; [`ErrorKind::Corrupt`]
    /// for bytes that are no descriptor.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("content descriptor", bytes);
        if reader.byte()? != VERSION {
            return Err(reader.too_new());
        }
        let flags = reader.byte()?;
        if flags & !(HAS_SCHEMA | HAS_EXTRA | HAS_KEY_DIGEST | HAS_TERMS | HAS_OBJECT) != 0 {
            return Err(reader.too_new());
        }
        let type_tag = name(reader.text()?);
        let type_name = name(reader.text()?);
        let format = name(reader.text()?);
        let format_version = u16::from_le_bytes(reader.array()?);
        let schema = if flags & HAS_SCHEMA != 0 { Some(u64::from_le_bytes(reader.array()?)) } else { None };
        let extra = if flags & HAS_EXTRA != 0 { extra(reader.prefixed()?)? } else { Extra::new() };
        let encoding = Encoding { codec: CodecId::try_from(reader.byte()?)?, shuffle: reader.byte()? };
        let raw_size = reader.varint()?;
        let stored_size = reader.varint()?;
        let digest = match reader.byte()? {
            XXH3 => Digest::Xxh3(reader.array()?),
            BLAKE3 => Digest::Blake3(reader.array()?),
            _ => return Err(reader.too_new()),
        };
        let key_digest = if flags & HAS_KEY_DIGEST != 0 { Some(reader.array()?) } else { None };
        let terms = if flags & HAS_TERMS != 0 { Terms::read(&mut reader)? } else { Terms::default() };
        let object = if flags & HAS_OBJECT != 0 { Some(object(&mut reader)?) } else { None };
        reader.finish()?;
        Ok(Self {
            type_tag,
            type_name,
            format,
            format_version,
            schema,
            extra,
            encoding,
            raw_size,
            stored_size,
            digest,
            key_digest,
            terms,
            object,
        })
    }
}

fn name(text: &str) -> Cow<'static, str> {
    match KNOWN.iter().find(|known| **known == text) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(text.to_owned()),
    }
}

/// An empty text stands for none.
fn object(reader: &mut Reader<'_>) -> Result<Box<ObjectTag>> {
    let mut text = || reader.text().map(|text| if text.is_empty() { None } else { Some(Box::from(text)) });
    Ok(Box::new(ObjectTag { etag: text()?, version: text()? }))
}

fn extra(bytes: &[u8]) -> Result<Extra> {
    serde_json::from_slice(bytes).map_err(|source| {
        Error::new(ErrorKind::Corrupt, "a content descriptor holds extra fields that are no JSON object").source(source)
    })
}
