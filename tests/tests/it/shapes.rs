//! Types that changed between put and get: read, or a clean miss, never garbage.

use crate::support::Place;
use cacheness::{ErrorKind, MissReason};
use serde::{Deserialize, Serialize};

mod stored {
    use super::*;
    #[derive(Serialize, Deserialize)]
    pub(super) struct Model {
        pub(super) accuracy: f64,
        pub(super) depth: u32,
    }
}

macro_rules! other_model {
    ($module:ident { $($fields:tt)* }) => {
        mod $module {
            use super::*;
            #[derive(Debug, PartialEq, Serialize, Deserialize)]
            pub(super) struct Model { $($fields)* }
        }
    };
}

other_model! { gained { pub(super) accuracy: f64, pub(super) depth: u32, pub(super) note: Option<String>, } }
other_model! { gained_required { pub(super) accuracy: f64, pub(super) depth: u32, pub(super) note: String, } }
other_model! { lost { pub(super) accuracy: f64, } }
other_model! { renamed { pub(super) accuracy: f64, pub(super) levels: Option<u32>, } }
other_model! { unrelated { pub(super) weights: Option<Vec<f64>>, pub(super) bias: Option<f64>, } }
other_model! { retyped { pub(super) accuracy: String, pub(super) depth: u32, } }

fn put() -> (Place, cacheness::sync::Cache) {
    let place = Place::new();
    let cache = place.open();
    cache.put("model", &stored::Model { accuracy: 0.9, depth: 3 }).unwrap();
    (place, cache)
}

#[test]
fn a_struct_that_gained_an_optional_field_or_lost_one_is_read() {
    let (_place, cache) = put();
    let read = cache.get("model").unwrap();
    assert_eq!(read, Some(gained::Model { accuracy: 0.9, depth: 3, note: None }));
    assert_eq!(cache.get("model").unwrap(), Some(lost::Model { accuracy: 0.9 }));
}

#[test]
fn another_struct_under_the_same_name_is_a_miss_and_stays_for_its_owner() {
    let (_place, cache) = put();
    assert_eq!(cache.get::<gained_required::Model>("model").unwrap(), None);
    assert_eq!(cache.get::<renamed::Model>("model").unwrap(), None);
    assert_eq!(cache.get::<unrelated::Model>("model").unwrap(), None);
    assert_eq!(cache.get::<retyped::Model>("model").unwrap(), None);
    assert_eq!(cache.stats().unwrap().misses_because(MissReason::OtherSchema), 4);
    assert_eq!(cache.get::<stored::Model>("model").unwrap().unwrap().depth, 3);
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Ambiguous {
    Loose { first: Option<i32> },
    Strict { second: i32 },
}

#[test]
fn a_value_that_would_come_back_different_is_refused_at_the_put() {
    let place = Place::new();
    let cache = place.open();
    let error = cache.put(1, &Ambiguous::Strict { second: 2 }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    assert!(!cache.exists(1).unwrap());
    cache.put(1, &Ambiguous::Loose { first: Some(2) }).unwrap();
}
