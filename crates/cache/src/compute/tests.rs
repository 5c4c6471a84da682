//! However a computation ends, nothing of it stays in the table of those under way.

use crate::{Bare, future, sync};
use cacheness_core::runtime::block_on;
use serde::{Deserialize, Serialize, Serializer};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

/// A value whose encoding fails as it says.
#[derive(Deserialize)]
struct Failing {
    panics: bool,
}

impl Serialize for Failing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        assert!(!self.panics, "expected by this test");
        Err(serde::ser::Error::custom("says this test"))
    }
}

#[test]
fn no_computation_is_left_in_the_table() {
    let cache = sync::Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open().unwrap();
    let awaited = future::Cache::from(cache.clone());
    let under_way = || cache.core().flights.len();
    let panicking = |run: &dyn Fn()| catch_unwind(AssertUnwindSafe(run)).is_err();

    cache.get_or_put("stored", under_way).unwrap();
    assert_eq!((cache.get("stored").unwrap(), under_way()), (Some(1_usize), 0));

    assert_eq!(cache.try_get_or_put("failed", || Err::<u8, _>(1)).unwrap(), Err(1));
    assert_eq!(under_way(), 0);

    assert!(panicking(&|| drop(cache.get_or_put("panicked", || -> u8 { panic!("expected by this test") }))));
    assert_eq!(under_way(), 0);

    cache.get_or_put("not stored", || Failing { panics: false }).unwrap();
    assert_eq!(under_way(), 0);

    assert!(panicking(&|| drop(cache.get_or_put("not encoded", || Failing { panics: true }))));
    assert_eq!(under_way(), 0);
    block_on(awaited.get_or_put("not encoded", async || Failing { panics: true })).unwrap();
    assert_eq!(under_way(), 0);

    cache.get_or_put("refused", || cache.get_or_put("refused", || 1).is_err()).unwrap();
    assert_eq!(under_way(), 0);

    let overtaken = || {
        cache.clear().unwrap();
        under_way()
    };
    assert_eq!(cache.get_or_put("overtaken", overtaken).unwrap(), 0);
    assert_eq!(under_way(), 0);

    let mut cancelled = Box::pin(awaited.get_or_put("cancelled", pending::<u8>));
    while under_way() == 0 {
        assert!(pin!(&mut cancelled).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(cancelled);
    assert_eq!(under_way(), 0);
}
