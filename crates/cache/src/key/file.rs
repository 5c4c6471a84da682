//! `file(path)`: a parameter that stands for the content of a file or a directory.

use super::{FILE_NAME, RawBytes, content};
use cacheness_core::hex::Hex;
use serde::ser::{self, Serialize, Serializer};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The content of a file, or of a directory with everything in it, as a parameter of a key.
///
/// Only content counts: neither where the file lies, nor its name, times or permissions; of a directory, the names
/// of what lies in it relative to it, whether each is a file or a directory, and their contents. Symbolic links are
/// followed: what they point to counts. A relative path starts at the directory that is current at this call.
///
/// The file is read when the key is made, in constant memory: by a blocking handle at the call, by an async one in its
/// hop to a thread that may block, never on the reactor. (The exception are variants of enums inside
/// `#[serde(flatten)]` and `#[serde(tag)]`, which serde itself buffers: those are read at the call.)
///
/// Getting the key fails with [`Permission`](crate::ErrorKind::Permission) for what may not be read, otherwise with
/// [`InvalidKey`](crate::ErrorKind::InvalidKey): for what does not exist, for a symbolic link to a directory it lies in,
/// for more than 128 directories inside each other, and for pipes, sockets and devices, which are never opened. It fails with a retryable
/// [`InvalidKey`](crate::ErrorKind::InvalidKey) when length or time of modification show that something changed meanwhile.
///
/// ```
/// use cacheness_cache::{Key, file, key};
///
/// # let dir = std::env::temp_dir().join(format!("cacheness-doc-file-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let data = dir.join("data.csv");
/// std::fs::write(&data, "year,snow\n2026,1.5\n")?;
/// let before = Key::of(key! { input: file(&data), model: "xgboost" })?;
/// assert_eq!(Key::of(key! { input: file(&data), model: "xgboost" })?, before);
///
/// std::fs::write(&data, "year,snow\n2026,2.5\n")?;
/// assert_ne!(Key::of(key! { input: file(&data), model: "xgboost" })?, before);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn file(path: impl AsRef<Path>) -> FileContent {
    let path = path.as_ref();
    // Without a current directory reading fails later, and says so.
    FileContent { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()) }
}

/// See [`file()`].
///
/// Any other serializer than that of keys gets the digest: 64 hexadecimal digits, or 32 bytes if it is not for people.
/// Of a file it is plain BLAKE3.
#[derive(Debug, Clone)]
pub struct FileContent {
    path: PathBuf,
}

impl Serialize for FileContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let digest = content::digest(&self.path).map_err(ser::Error::custom)?;
            return serializer.collect_str(&Hex(&digest));
        }
        serializer.serialize_newtype_struct(FILE_NAME, &PathOrDigest(&self.path))
    }
}

/// The path for the encoder of keys, which alone becomes "human readable" on the way from the outer value to this one.
/// The digest for everybody else.
struct PathOrDigest<'p>(&'p Path);

impl Serialize for PathOrDigest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let path = bytes_of(self.0.as_os_str());
            let path = path.ok_or_else(|| ser::Error::custom(format!("the path {:?} is not Unicode", self.0)))?;
            return serializer.serialize_bytes(path);
        }
        let digest = content::digest(self.0).map_err(ser::Error::custom)?;
        RawBytes(&digest).serialize(serializer)
    }
}

/// The bytes of a name: those that the system keeps, or UTF-8 where it keeps none.
pub(super) fn bytes_of(name: &OsStr) -> Option<&[u8]> {
    #[cfg(unix)]
    return Some(std::os::unix::ffi::OsStrExt::as_bytes(name));
    #[cfg(not(unix))]
    return name.to_str().map(str::as_bytes);
}

/// The path that has these bytes.
pub(super) fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    #[cfg(unix)]
    return Some(PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)));
    #[cfg(not(unix))]
    return str::from_utf8(bytes).ok().map(PathBuf::from);
}
