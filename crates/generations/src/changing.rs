//! Commits under way: stripes that are busy until they are dropped.

use std::sync::Arc;

use crate::table::{Stripes, Table};

/// A commit under way. Drop it when the commit is done, has failed, or came to an unknown end: then its stripes are a
/// generation further and, unless others are changing them too, can be stamped again.
///
/// One that is never dropped keeps its stripes busy until the file is opened by a process that is alone with it. That
/// is slow, not wrong.
#[derive(Debug)]
#[must_use = "the stripes are marked until this is dropped, which is to happen after the commit"]
pub struct Changing {
    table: Arc<Table>,
    stripes: Stripes,
}

impl Changing {
    pub(crate) fn begin(table: &Arc<Table>, stripes: Stripes) -> Self {
        table.begin(&stripes);
        Self { table: Arc::clone(table), stripes }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.table.end(&self.stripes);
    }
}
