//! Why a key is a miss.

use crate::core::Core;
use cacheness_storage::EntryKey;

impl Core {
    /// Remembers which entries made room for others, for those who ask.
    pub(crate) async fn note_evicted(&self, _keys: &[EntryKey]) {}
}
