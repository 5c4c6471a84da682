//! The default cache of a process, and the presets. Every test of the default is a process of its own, in a directory of its
//! own.

use crate::support::noise;
use cacheness::core::runtime::block_on;
use cacheness::handlers::{Codec, CodecId};
use cacheness::{Compression, ErrorKind, Ttl, future, sync, sync::Cache};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Runs `body` in another process, whose current directory is empty: that process runs the same test.
fn alone(test: &str, body: fn()) {
    const ALONE: &str = "CACHENESS_ALONE";
    if std::env::var(ALONE).is_ok_and(|name| name == test) {
        return body();
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("defaults::{test}"), "--nocapture"]).env(ALONE, test).current_dir(&dir);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

macro_rules! alone {
    ($($name:ident $body:block)*) => {$(
        #[test]
        fn $name() {
            alone(stringify!($name), || $body);
        }
    )*};
}

fn memory() -> Cache {
    Cache::builder().metadata("memory:").blobs("memory:").open().unwrap()
}

fn is_closed(cache: &Cache) -> bool {
    cache.exists("key").is_err_and(|error| error.kind() == ErrorKind::Closed)
}

alone! {
    the_default_cache_is_the_one_that_was_set_for_both_faces {
        let cache = memory();
        assert!(!cacheness::set_default(cache.clone()).unwrap());
        cache.put("key", "value").unwrap();
        assert_eq!(cacheness::default_cache().unwrap().get("key").unwrap(), Some("value".to_owned()));
        let other = block_on(future::default_cache()).unwrap();
        assert_eq!(block_on(other.get("key")).unwrap(), Some("value".to_owned()));
        assert!(!Path::new("cache").exists(), "nothing else was opened");
    }

    whoever_takes_the_place_of_the_default_closes_it {
        let (one, two, three) = (memory(), memory(), memory());
        assert!(!sync::set_default(one.clone()).unwrap());
        assert!(sync::set_default(future::Cache::from(two.clone())).unwrap(), "from either face");
        assert!(is_closed(&one) && !is_closed(&two));
        assert!(block_on(future::set_default(three.clone())).unwrap());
        assert!(is_closed(&two) && !is_closed(&three));
        assert!(block_on(future::reset_default()).unwrap());
        assert!(is_closed(&three));
        assert!(!sync::reset_default().unwrap(), "there is none any more");
        assert!(!block_on(future::reset_default()).unwrap());
    }

    setting_the_same_cache_again_does_not_close_it {
        let cache = memory();
        sync::set_default(cache.clone()).unwrap();
        assert!(!sync::set_default(cache.clone()).unwrap());
        assert!(!sync::set_default(cache.namespace("part").unwrap()).unwrap());
        assert!(!block_on(future::set_default(cache.clone())).unwrap());
        assert!(!is_closed(&cache));
    }

    a_closed_cache_is_no_default {
        let (one, two) = (memory(), memory());
        sync::set_default(one.clone()).unwrap();
        two.close().unwrap();
        assert_eq!(sync::set_default(two.clone()).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(block_on(future::set_default(two)).unwrap_err().kind(), ErrorKind::Closed);
        assert!(!is_closed(&one), "it stays what it was");
        one.close().unwrap();
        let other = sync::default_cache().unwrap();
        assert!(!is_closed(&other) && Path::new("cache/index.db").exists(), "what its owner closed is none");
        other.close().unwrap();
        assert!(!is_closed(&block_on(future::default_cache()).unwrap().into()));
    }

    without_one_the_default_is_opened_in_the_directory_cache_once {
        let faces = |number: usize| match number % 2 {
            0 => sync::default_cache().unwrap(),
            _ => block_on(future::default_cache()).unwrap().into(),
        };
        let put = |number: usize| faces(number).put(number, &number).unwrap();
        thread::scope(|scope| (0..16).for_each(|number| { scope.spawn(move || put(number)); }));
        let cache = sync::default_cache().unwrap();
        assert_eq!(cache.stats().unwrap().puts, 16, "all of them put into the same cache");
        assert!(Path::new("cache/index.db").exists());
        assert!(sync::reset_default().unwrap() && is_closed(&cache));
        assert_eq!(sync::default_cache().unwrap().get(3_usize).unwrap(), Some(3_usize));
    }

    an_opening_that_failed_is_tried_again {
        std::fs::write("cache", "in the way").unwrap();
        let error = sync::default_cache().unwrap_err();
        assert!(error.to_string().starts_with("open"), "{error}");
        assert!(block_on(future::default_cache()).is_err());
        std::fs::remove_file("cache").unwrap();
        sync::default_cache().unwrap().put("key", "value").unwrap();
    }

    the_preset_for_an_api_keeps_answers_for_six_hours_in_the_directory_cache {
        let text = "answer ".repeat(4000);
        let check = |cache: &Cache| {
            cache.put("text", &text).unwrap();
            cache.put("small", "answer").unwrap();
            cache.put("typed", &vec![text.clone()]).unwrap();
            let Some(Ttl::Expires { left, .. }) = cache.ttl("text").unwrap() else { panic!("it never expires") };
            let hours = Duration::from_hours(6);
            assert!(left <= hours && left > hours - Duration::from_mins(5), "{left:?}");
            let codec = |key| cache.metadata(key).unwrap().unwrap().codec();
            assert_eq!([codec("text"), codec("typed"), codec("small")], [CodecId::Lz4, CodecId::Lz4, CodecId::None]);
        };
        check(&Cache::for_api().open().unwrap());
        assert!(Path::new("cache/index.db").exists());
        check(&block_on(future::Cache::for_api().open()).unwrap().into());
    }

    what_is_set_after_a_preset_counts {
        let hours = Duration::from_hours(4);
        let zstd = Compression { objects: Codec::ZSTD, ..Compression::default() };
        let cache = Cache::for_api().dir("api").default_ttl(hours).compression(zstd).open().unwrap();
        cache.put("text", &String::from_utf8_lossy(&noise(9)).repeat(4000)).unwrap();
        assert!(cache.ttl("text").unwrap().unwrap().left().unwrap() <= hours);
        assert_eq!(cache.metadata("text").unwrap().unwrap().codec(), CodecId::Zstd);
        assert!(Path::new("api/index.db").exists() && !Path::new("cache").exists());
    }
}
