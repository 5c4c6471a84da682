//! Moving the entries of a cache to another one.

use crate::core::Core;
use crate::tags::Tags;
use cacheness_core::Result;
use cacheness_storage::engine::{Engine, Migration};
use cacheness_storage::{Filter, MigrateOptions, Migrated, Record};

impl Core {
    /// Copies the entries of this namespace that are served to somebody. Those with tags count as put now: what was
    /// invalidated here is left, and what was invalidated there before does not mean them.
    pub(crate) async fn migrate_to(&self, to: &Core, options: MigrateOptions) -> Result<Migrated> {
        // What was deleted and not delivered is not to be copied along.
        self.settle().await?;
        if to.owed.are_some() {
            return Err(to.owed.error());
        }
        let filter = self.own(Filter::All) & self.judge().await?.served();
        // Which keys it will be, nobody knows before.
        let changing = to.memory.as_ref().map(|memory| memory.change_all());
        let migrate = move |from: Engine, to: Engine| async move {
            let epoch = Tags::of(&to).await?.epoch;
            let adapt = move |record: &mut Record| {
                let terms = &mut record.content.terms;
                terms.epoch = terms.epoch.map(|_| epoch);
            };
            from.migrate_to(&to, &Migration { filter, adapt: Box::new(adapt), options }).await
        };
        let migrated = self.engine.beside(&to.engine, migrate).await;
        drop(changing);
        migrated
    }
}
