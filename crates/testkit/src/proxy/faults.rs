//! The faults that are injected now, and whom they strike.

use super::answer::Answer;
use super::fault::{Direction, Fault};
use super::http::RequestHead;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How long a stall without a time waits before it looks again; healing wakes it.
const LONG: Duration = Duration::from_secs(3600);

/// How many pieces a second a slow connection forwards.
const PIECES: u64 = 20;

/// The injected faults, in the order of their injection. Where several would strike, the first does.
#[derive(Debug, Default)]
pub(super) struct Faults {
    active: Vec<Active>,
    generation: u64,
    strikes: u64,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    left: Option<u32>,
    begun: Instant,
    /// The connections that count as struck.
    struck: HashSet<u64>,
    /// What connections have forwarded since.
    forwarded: HashMap<u64, u64>,
}

/// What a client's bytes bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sighting {
    CutBefore,
    CutAfter,
    DropReplies,
}

/// What a connection forwards at once.
#[derive(Debug)]
pub(super) struct Portion {
    /// In bytes.
    pub(super) count: usize,
    /// Whether it is reset behind them.
    pub(super) is_last: bool,
    /// How many bytes a second it forwards.
    pub(super) pace: Option<u64>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    Answer(Answer),
    Truncate(u64),
}

impl Active {
    /// Counts a strike against a connection, once for each; false when all strikes are used up.
    fn strike_once(&mut self, connection: u64, strikes: &mut u64) -> bool {
        self.struck.contains(&connection) || {
            let strikes_now = self.strike(strikes);
            if strikes_now {
                self.struck.insert(connection);
            }
            strikes_now
        }
    }

    fn strike(&mut self, strikes: &mut u64) -> bool {
        match &mut self.left {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        *strikes += 1;
        true
    }
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, left: Option<u32>) {
        let (struck, forwarded) = Default::default();
        self.active.push(Active { fault, left, begun: Instant::now(), struck, forwarded });
        self.generation += 1;
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
        self.generation += 1;
    }

    /// Changes whenever faults come or go.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn strikes(&self) -> u64 {
        self.strikes
    }

    /// How long a connection stalls yet.
    pub(super) fn stalled(&mut self, connection: u64) -> Option<Duration> {
        let strikes = &mut self.strikes;
        self.active.iter_mut().find_map(|active| {
            let Fault::Stall(time) = active.fault else { return None };
            let left = time.map_or(LONG, |time| time.saturating_sub(active.begun.elapsed()));
            (!left.is_zero() && active.strike_once(connection, strikes)).then_some(left)
        })
    }

    /// How many of some bytes a connection forwards now, which counts them.
    pub(super) fn portion(&mut self, connection: u64, direction: Direction, bytes: usize) -> Portion {
        let pace = self.pace(connection, direction);
        let allowance = self.allowance(connection, direction);
        let most = pace.map_or(u64::MAX, |pace| pace.div_ceil(PIECES)).min(allowance.unwrap_or(u64::MAX));
        let count = bytes.min(usize::try_from(most).unwrap_or(usize::MAX));
        for active in &mut self.active {
            if matches!(active.fault, Fault::Reset { direction: counted, .. } if counted == direction) {
                *active.forwarded.entry(connection).or_default() += count as u64;
            }
        }
        let is_last = allowance == Some(count as u64) && self.reset(connection, direction);
        Portion { count, is_last, pace }
    }

    /// How many bytes a connection may forward before it is reset.
    fn allowance(&self, connection: u64, direction: Direction) -> Option<u64> {
        let of = |active: &Active| match active.fault {
            Fault::Reset { direction: counted, after } if counted == direction && active.left != Some(0) => {
                Some(after.saturating_sub(active.forwarded.get(&connection).copied().unwrap_or(0)))
            }
            _ => None,
        };
        self.active.iter().filter_map(of).min()
    }

    /// Whether a new connection is reset at once.
    pub(super) fn resets_at_once(&mut self, connection: u64) -> bool {
        let mut is_reset =
            |direction| self.allowance(connection, direction) == Some(0) && self.reset(connection, direction);
        is_reset(Direction::Requests) || is_reset(Direction::Replies)
    }

    /// Uses up the fault that resets a connection now.
    fn reset(&mut self, connection: u64, direction: Direction) -> bool {
        let strikes = &mut self.strikes;
        self.active.iter_mut().any(|active| {
            let Fault::Reset { direction: counted, after } = active.fault else { return false };
            let forwarded = active.forwarded.get(&connection).copied().unwrap_or(0);
            counted == direction && forwarded >= after && active.strike_once(connection, strikes)
        })
    }

    /// What the first pattern brings about that `seen` finds.
    pub(super) fn sighting(&mut self, seen: impl Fn(&[u8]) -> bool) -> Option<Sighting> {
        let strikes = &mut self.strikes;
        self.active.iter_mut().find_map(|active| {
            let (pattern, sighting) = match &active.fault {
                Fault::CutBefore(pattern) => (pattern, Sighting::CutBefore),
                Fault::CutAfter(pattern) => (pattern, Sighting::CutAfter),
                Fault::DropReplies(pattern) => (pattern, Sighting::DropReplies),
                _ => return None,
            };
            if !seen(pattern) {
                return None;
            }
            // These two are about the first time.
            if sighting != Sighting::CutBefore {
                active.left.get_or_insert(1);
            }
            active.strike(strikes).then_some(sighting)
        })
    }

    /// The longest pattern.
    pub(super) fn longest_pattern(&self) -> usize {
        let length = |active: &Active| match &active.fault {
            Fault::CutBefore(pattern) | Fault::CutAfter(pattern) | Fault::DropReplies(pattern) => pattern.len(),
            _ => 0,
        };
        self.active.iter().map(length).max().unwrap_or(0)
    }

    /// How long the next piece waits.
    pub(super) fn delay(&mut self, direction: Direction) -> Option<Duration> {
        let strikes = &mut self.strikes;
        self.active.iter_mut().find_map(|active| match active.fault {
            Fault::Delay { direction: delayed, time } if delayed == direction => active.strike(strikes).then_some(time),
            _ => None,
        })
    }

    /// How many bytes a second a connection forwards.
    fn pace(&mut self, connection: u64, direction: Direction) -> Option<u64> {
        let strikes = &mut self.strikes;
        self.active.iter_mut().find_map(|active| match active.fault {
            Fault::Throttle { direction: slow, bytes_per_second } if slow == direction => {
                active.strike_once(connection, strikes).then_some(bytes_per_second.max(1))
            }
            _ => None,
        })
    }

    /// What becomes of a request.
    pub(super) fn verdict(&mut self, head: &RequestHead) -> Option<Verdict> {
        let strikes = &mut self.strikes;
        self.active.iter_mut().find_map(|active| {
            let (requests, verdict) = match &active.fault {
                Fault::Answer(requests, answer) => (requests, Verdict::Answer(answer.clone())),
                Fault::Truncate(requests, bytes) => (requests, Verdict::Truncate(*bytes)),
                _ => return None,
            };
            (requests.contain(head) && active.strike(strikes)).then_some(verdict)
        })
    }
}
