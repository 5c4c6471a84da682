//! Hit ratios on traces like those that caches see.

use super::{Keys, Policy, Seeded};

const KEYS: u64 = 100_000;

/// So many keys by Zipf's law with the exponent 1: the first is twice as likely as the second.
fn zipf(length: usize, seed: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let distribution: Vec<f64> = (1..=KEYS)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    let chance = Seeded::new(seed);
    (0..length)
        .map(|_| {
            let point = (chance.next() >> 11) as f64 / (1_u64 << 53) as f64 * sum;
            distribution.partition_point(|below| *below < point) as u64
        })
        .collect()
}

fn hit_ratio(policy: Policy, capacity: u64, trace: &[u64]) -> f64 {
    let mut keys = Keys::new(policy, capacity);
    let hits = trace.iter().filter(|key| keys.ask(**key)).count();
    hits as f64 / trace.len() as f64
}

#[test]
fn w_tiny_lfu_hits_more_often_than_the_others_by_zipfs_law() {
    let trace = zipf(500_000, 42);
    let ratio = |policy| hit_ratio(policy, KEYS / 20, &trace);
    let (lru, fifo, random) = (ratio(Policy::Lru), ratio(Policy::Fifo), ratio(Policy::Random));
    let (lfu, w_tiny_lfu) = (ratio(Policy::Lfu), ratio(Policy::WTinyLfu));
    let all = format!("lru {lru:.4}, fifo {fifo:.4}, random {random:.4}, lfu {lfu:.4}, w-tinylfu {w_tiny_lfu:.4}");
    println!("{all}");
    assert!(w_tiny_lfu > lru + 0.05, "{all}");
    assert!(lru > fifo + 0.01, "{all}");
    assert!(w_tiny_lfu > lfu, "{all}");
    // The best 5,000 keys have 75 % of all asks; whoever knew them beforehand would hit no more.
    assert!(w_tiny_lfu > 0.70, "{all}");
}

#[test]
fn a_loop_that_is_larger_than_the_cache_defeats_lru_but_not_w_tiny_lfu() {
    let trace: Vec<u64> = (0..20).flat_map(|_| 0..1200).collect();
    assert!(hit_ratio(Policy::Lru, 1000, &trace) < 0.001);
    assert!(hit_ratio(Policy::WTinyLfu, 1000, &trace) > 0.6);
}
