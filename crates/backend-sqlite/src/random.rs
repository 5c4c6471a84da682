//! Candidates in no order: rows picked by chance, so that few of many records cost little.

use crate::failure::failure;
use crate::reclaim::Search;
use crate::rows;
use cacheness_core::Rng;
use cacheness_storage::{EntryKey, Result};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};
use std::collections::HashSet;

/// How many picks are tried beyond four for each candidate.
const TRIES: usize = 1000;

/// Picks the row with this number or the next one behind it.
pub(crate) const PICK: &str = "SELECT id FROM records WHERE id >= ?1 ORDER BY id LIMIT 1";

impl Search<'_> {
    /// Picks candidates by chance, each that it comes across once. It gives up when there are too few of them among the
    /// records. A record behind removed ones is picked for these, too.
    pub(crate) fn pick(&mut self, rng: &dyn Rng) -> Result<()> {
        let ends = "SELECT (SELECT min(id) FROM records), (SELECT max(id) FROM records)";
        let ends = self.snapshot.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failure)?;
        let (Some(first), Some(last)): (Option<i64>, Option<i64>) = ends else { return Ok(()) };
        let rows = last.abs_diff(first).saturating_add(1);
        // Where most rows would be picked, looking at each one once is cheaper.
        if rows / 2 <= self.limit as u64 {
            return Ok(());
        }
        let mut pick = self.snapshot.prepare(PICK).map_err(failure)?;
        let look_up = format!("SELECT version FROM records WHERE id = ? AND key < ? AND {}", self.prefilter.sql);
        let mut look_up = self.snapshot.prepare(&look_up).map_err(failure)?;
        let system = Value::Text(EntryKey::SYSTEM.to_string());
        let bound: Vec<_> = [system].into_iter().chain(self.prefilter.values.iter().cloned()).collect();
        let mut seen = HashSet::new();
        let mut seed = [0; 8];
        rng.fill(&mut seed)?;
        let mut chance = Chance(u64::from_le_bytes(seed));
        for _ in 0..self.limit.saturating_mul(4).saturating_add(TRIES) {
            let at = first.wrapping_add_unsigned(chance.below(rows));
            let picked: Option<i64> = pick.query_row([at], |row| row.get(0)).optional().map_err(failure)?;
            let Some(id) = picked.filter(|id| seen.insert(*id)) else { continue };
            let values = [Value::Integer(id)].into_iter().chain(bound.iter().cloned());
            let mut records = look_up.query(params_from_iter(values)).map_err(failure)?;
            let Some(record) = records.next().map_err(failure)? else { continue };
            if self.is_meant(id)? && !self.add(id, rows::version(record, 0)?) {
                break;
            }
        }
        Ok(())
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
struct Chance(u64);

impl Chance {
    /// A number below `end`, which is at least 1.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * u128::from(end)) >> 64) as u64
    }
}
