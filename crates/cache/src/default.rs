//! The default cache of the process, which both faces share.
//!
//! Whoever takes a cache out of its place as the default closes it; a cache that its owner closed leaves the place by
//! itself, when somebody asks for it next.

use crate::core::Core;
use crate::presets::DIR;
use crate::{Bundle, future, sync};
use cacheness_core::{Driver, Error, Op, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static DEFAULT: Mutex<Option<Arc<Core>>> = Mutex::new(None);

/// Held by whoever opens a default cache, so that nobody opens a second one.
static OPENING: Mutex<()> = Mutex::new(());

fn place() -> MutexGuard<'static, Option<Arc<Core>>> {
    DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a cache into the place of the default, or nothing; gives what was there, unless it is the same cache.
fn replace(new: Option<Arc<Core>>) -> Option<Arc<Core>> {
    let mut place = place();
    let old = std::mem::replace(&mut *place, new)?;
    let is_same = place.as_ref().is_some_and(|new| are_same(new, &old));
    (!is_same).then_some(old)
}

fn are_same(one: &Core, other: &Core) -> bool {
    Arc::ptr_eq(&one.shared, &other.shared)
}

/// The default cache, unless it is closed: then it leaves its place.
fn current() -> Option<Arc<Core>> {
    let mut place = place();
    place.take_if(|core| core.engine.check_open().is_err());
    place.clone()
}

/// The default cache; opens the one in `./cache` when there is none.
fn open<B: Bundle>() -> Result<Arc<Core>> {
    if let Some(core) = current() {
        return Ok(core);
    }
    let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(core) = current() {
        return Ok(core);
    }
    let opened = sync::Cache::<B>::open(DIR)?.core().clone();
    let core = place().get_or_insert_with(|| opened.clone()).clone();
    if !are_same(&core, &opened) {
        // Somebody set another one meanwhile.
        opened.driver().run(opened.close())?;
    }
    Ok(core)
}

fn named(error: Error) -> Error {
    error.operation("default_cache")
}

impl<B> sync::Cache<B> {
    /// Makes this the default cache of the process, and closes the one that was it before, for all who have it; says whether
    /// there was one. The same cache again stays open.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) for a cache that is closed: nothing is changed then. What closing the other one
    /// returns; this one is the default then all the same.
    pub fn set_default(&self) -> Result<bool> {
        let set = || {
            self.core().engine.check_open()?;
            close(replace(Some(self.core().clone())))
        };
        set().map_err(|error| error.operation("set_default"))
    }

    /// Closes the default cache of the process, for all who have it; says whether there was one. The next one who asks for
    /// it opens it anew.
    ///
    /// # Errors
    ///
    /// What closing it returns; it is the default no more all the same.
    pub fn reset_default() -> Result<bool> {
        close(replace(None)).map_err(|error| error.operation("reset_default"))
    }
}

fn close(old: Option<Arc<Core>>) -> Result<bool> {
    let Some(old) = old else { return Ok(false) };
    old.driver().run(old.close())?;
    Ok(true)
}

impl<B: Bundle> sync::Cache<B> {
    /// The default cache of the process: the one that was set, or one in `./cache`, which is opened when there is none,
    /// once however many ask. A default that was closed is none.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); the next one who asks tries again.
    pub fn default_cache() -> Result<Self> {
        open::<B>().map(Self::from_core).map_err(named)
    }
}

impl<B> future::Cache<B> {
    /// Makes this the default cache of the process, and closes the one that was it before, for all who have it; says whether
    /// there was one. The same cache again stays open.
    ///
    /// # Errors
    ///
    /// As for the blocking face.
    pub async fn set_default(&self) -> Result<bool> {
        let set = async {
            self.core().engine.check_open()?;
            close_async(replace(Some(self.core().clone()))).await
        };
        set.await.map_err(|error| error.operation("set_default"))
    }

    /// Closes the default cache of the process, for all who have it; says whether there was one. The next one who asks for
    /// it opens it anew.
    ///
    /// # Errors
    ///
    /// As for the blocking face.
    pub async fn reset_default() -> Result<bool> {
        close_async(replace(None)).await.map_err(|error| error.operation("reset_default"))
    }
}

async fn close_async(old: Option<Arc<Core>>) -> Result<bool> {
    let Some(old) = old else { return Ok(false) };
    let driver = old.driver().clone();
    Op::new(&driver, async move { old.close().await }).await?;
    Ok(true)
}

impl<B: Bundle> future::Cache<B> {
    /// The default cache of the process: the one that was set, or one in `./cache`, which is opened when there is none,
    /// once however many ask. A default that was closed is none.
    ///
    /// # Errors
    ///
    /// As for the blocking face.
    pub async fn default_cache() -> Result<Self> {
        if let Some(core) = current() {
            return Ok(Self::from_core(core));
        }
        // Opening blocks, and so does waiting for somebody who is at it.
        let driver = Driver::opening(B::runtime().map_err(named)?);
        Op::new(&driver, async { open::<B>() }).await.map(Self::from_core).map_err(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bare, Registry};
    use cacheness_core::BackendUrl;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    /// A store in memory, which notes how often one is opened.
    enum Noted {}

    static OPENED: AtomicUsize = AtomicUsize::new(0);

    impl Bundle for Noted {
        fn registry() -> Result<Registry> {
            OPENED.fetch_add(1, Ordering::SeqCst);
            // Leaves others the time to come in, should nothing keep them out.
            let start = Instant::now();
            while OPENED.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_millis(100) {
                thread::yield_now();
            }
            Bare::registry()
        }

        fn metadata_in(_: &Path) -> Option<BackendUrl> {
            Some(BackendUrl::new("memory", ""))
        }

        fn blobs_in(_: &Path) -> Option<BackendUrl> {
            Some(BackendUrl::new("memory", ""))
        }
    }

    #[test]
    fn however_many_ask_at_once_the_default_is_opened_once() {
        thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || sync::Cache::<Noted>::default_cache().unwrap().put(number, &number).unwrap());
            }
        });
        assert_eq!(OPENED.load(Ordering::SeqCst), 1);
        assert_eq!(sync::Cache::<Noted>::default_cache().unwrap().stats().unwrap().puts, 8);
        assert!(sync::Cache::<Noted>::reset_default().unwrap());
    }
}
