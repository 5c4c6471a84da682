//! What happened to a store, by what its processes told, and what every key can hold after it.

use super::content::Content;
use super::operation::{Manner, Operation, Repertoire};
use super::orders::{Line, Told};
use cacheness_core::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::fmt;

/// What each key of a store holds; those that hold nothing are missing.
pub(super) type State = BTreeMap<String, Content>;

/// An operation that gave a key a value, or took it away.
///
/// The lines of all processes come through one pipe, so their order is that of the world: an operation happened
/// somewhere between its first line and its last.
#[derive(Debug)]
struct Write {
    value: Option<Content>,
    begin: usize,
    end: usize,
    /// Whether it happened. One whose process died may have.
    is_certain: bool,
}

#[derive(Debug)]
struct Read {
    key: String,
    found: Option<Content>,
    begin: usize,
    end: usize,
}

/// What happened to a store since its state was known.
#[derive(Debug)]
pub(super) struct History<'a> {
    before: &'a State,
    writes: BTreeMap<String, Vec<Write>>,
    reads: Vec<Read>,
    /// Operations that ended well.
    pub(super) done: u64,
    /// Operations that failed.
    pub(super) failed: u64,
}

impl<'a> History<'a> {
    /// The history that the lines of a round tell.
    pub(super) fn of(before: &'a State, lines: &[Line], repertoire: &Repertoire) -> Result<Self> {
        let mut history = Self { before, writes: BTreeMap::new(), reads: Vec::new(), done: 0, failed: 0 };
        let mut running: BTreeMap<usize, (usize, &Operation)> = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            match &line.told {
                Told::Begin(operation) => drop(running.insert(line.process, (at, operation))),
                Told::Done(result) => {
                    let (begin, operation) = running.remove(&line.process).ok_or_else(out_of_order)?;
                    history.done += 1;
                    history.end(operation, Some(result), begin, at, repertoire)?;
                }
                // It failed before its commit, so it did nothing.
                Told::Failed(_) => {
                    running.remove(&line.process).ok_or_else(out_of_order)?;
                    history.failed += 1;
                }
                Told::Dead => {
                    if let Some((begin, operation)) = running.remove(&line.process) {
                        history.end(operation, None, begin, at, repertoire)?;
                    }
                }
                Told::Halted | Told::End => {}
            }
        }
        Ok(history)
    }

    /// Notes an operation that ended, with its result, or whose process died.
    fn end(
        &mut self,
        operation: &Operation,
        result: Option<&str>,
        begin: usize,
        end: usize,
        repertoire: &Repertoire,
    ) -> Result<()> {
        let mut write = |key: &str, value| {
            let write = Write { value, begin, end, is_certain: result.is_some() };
            self.writes.entry(key.to_owned()).or_default().push(write);
        };
        match (operation, result) {
            (Operation::Put(Manner::Update, key, _), Some("false")) => {
                self.reads.push(Read { key: key.clone(), found: None, begin, end });
            }
            (Operation::Put(Manner::New, key, _), Some(made)) if key != made => {
                let message = format!("put_new returned the key {made}, but this content makes {key}");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
            (Operation::Put(_, key, content), _) => write(key, Some(*content)),
            (Operation::Delete(key), _) => write(key, None),
            (Operation::Clear, _) => repertoire.keys().for_each(|key| write(key, None)),
            (Operation::Get(key), Some(found)) => {
                let content = found.split_once(' ').and_then(|(seed, size)| Content::parse(seed, size));
                if content.is_none() && found != "nothing" {
                    return Err(Error::new(ErrorKind::Corrupt, format!("get found a torn value under {key:?}")));
                }
                self.reads.push(Read { key: key.clone(), found: content, begin, end });
            }
            _ => {}
        }
        Ok(())
    }

    /// What a key can hold at the end.
    pub(super) fn can_hold(&self, key: &str) -> Possible {
        self.possible(key, usize::MAX, usize::MAX)
    }

    /// What a read of a key between two lines can find: everything that began before the read ended, and that nothing
    /// replaced for certain which began after it and ended before the read began.
    fn possible(&self, key: &str, begin: usize, end: usize) -> Possible {
        let writes = self.writes.get(key).map_or(&[][..], Vec::as_slice);
        let replaced_after =
            |line: Option<usize>| writes.iter().any(|by| by.is_certain && line < Some(by.begin) && by.end < begin);
        let before = (!replaced_after(None)).then(|| self.before.get(key).copied());
        let written = writes.iter().filter(|write| write.begin < end && !replaced_after(Some(write.end)));
        Possible(before.into_iter().chain(written.map(|write| write.value)).collect())
    }

    /// Whether every read found what could be there.
    pub(super) fn check_reads(&self) -> Result<()> {
        for Read { key, found, begin, end } in &self.reads {
            self.possible(key, *begin, *end).check(key, *found)?;
        }
        Ok(())
    }
}

fn out_of_order() -> Error {
    Error::new(ErrorKind::Internal, "an operation ended that never began")
}

/// What a key can hold.
#[derive(Debug, PartialEq)]
pub(super) struct Possible(Vec<Option<Content>>);

impl Possible {
    pub(super) fn check(&self, key: &str, found: Option<Content>) -> Result<()> {
        if self.0.contains(&found) {
            return Ok(());
        }
        let message = format!("{key:?} holds {}, expected {self}", Shown(&found));
        Err(Error::new(ErrorKind::Corrupt, message))
    }
}

impl fmt::Display for Possible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, value) in self.0.iter().enumerate() {
            write!(f, "{}{}", if number > 0 { " or " } else { "" }, Shown(value))?;
        }
        Ok(())
    }
}

struct Shown<'a>(&'a Option<Content>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(content) => write!(f, "the value {} of {} bytes", content.seed, content.size),
            None => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "key-0";
    const A: Content = Content { seed: 1, size: 8 };
    const B: Content = Content { seed: 2, size: 8 };
    const C: Content = Content { seed: 3, size: 8 };

    fn put(content: Content) -> Told {
        Told::Begin(Operation::Put(Manner::Put, KEY.into(), content))
    }

    fn done(result: &str) -> Told {
        Told::Done(result.into())
    }

    fn with<R>(told: Vec<(usize, Told)>, check: impl FnOnce(Result<History<'_>>) -> R) -> R {
        let before = State::from([(KEY.into(), A)]);
        let lines: Vec<_> = told.into_iter().map(|(process, told)| Line { process, told }).collect();
        let repertoire = Repertoire::new().unwrap();
        check(History::of(&before, &lines, &repertoire))
    }

    fn holds(told: Vec<(usize, Told)>) -> Vec<Option<Content>> {
        with(told, |history| history.unwrap().can_hold(KEY).0)
    }

    #[test]
    fn the_last_acknowledged_value_stays() {
        assert_eq!(holds(vec![]), [Some(A)]);
        assert_eq!(holds(vec![(0, put(B)), (0, done("")), (0, Told::Dead)]), [Some(B)]);
        let delete = Told::Begin(Operation::Delete(KEY.into()));
        assert_eq!(holds(vec![(0, put(B)), (0, done("")), (0, delete), (0, done(""))]), [None]);
    }

    #[test]
    fn what_was_under_way_may_be_there() {
        assert_eq!(holds(vec![(0, put(B)), (0, Told::Dead)]), [Some(A), Some(B)]);
        assert_eq!(holds(vec![(0, Told::Begin(Operation::Clear)), (0, Told::Dead)]), [Some(A), None]);
    }

    #[test]
    fn what_failed_did_nothing() {
        assert_eq!(holds(vec![(0, put(B)), (0, Told::Failed("Conflict".into()))]), [Some(A)]);
    }

    #[test]
    fn of_two_at_once_either_is_the_last() {
        let told = vec![(0, put(B)), (1, put(C)), (0, done("")), (1, done(""))];
        assert_eq!(holds(told), [Some(B), Some(C)]);
    }

    #[test]
    fn what_the_dead_began_is_over_when_the_living_begin_anew() {
        let told = vec![(0, put(B)), (0, Told::Dead), (1, put(C)), (1, done(""))];
        assert_eq!(holds(told), [Some(C)]);
    }

    #[test]
    fn a_read_finds_what_is_there_or_on_its_way() {
        let read = |found: &str| {
            let get = Told::Begin(Operation::Get(KEY.into()));
            let told = vec![(0, put(B)), (0, done("")), (1, get), (0, put(C)), (1, done(found)), (0, done(""))];
            with(told, |history| history.and_then(|history| history.check_reads()).is_ok())
        };
        assert!(read("2 8") && read("3 8"));
        assert!(!read("1 8") && !read("nothing") && !read("torn"));
    }

    #[test]
    fn an_update_that_found_nothing_says_that_nothing_was_there() {
        let told = vec![(0, Told::Begin(Operation::Put(Manner::Update, KEY.into(), B))), (0, done("false"))];
        assert!(with(told, |history| history.unwrap().check_reads()).is_err());
    }
}
