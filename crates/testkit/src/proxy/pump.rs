//! One direction of a connection: reads, does what the faults want, writes.

use super::connection::{Connection, Replies};
use super::fault::Direction;
use super::faults::{Portion, Sighting, Verdict};
use super::http::{Requester, Stretch};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// The most that is read at once, in bytes.
const PIECE: usize = 16 << 10;

pub(super) struct Pump<'a> {
    connection: &'a Connection,
    direction: Direction,
    from: &'a TcpStream,
    to: &'a TcpStream,
    /// The end of what went by, in which a pattern may have begun.
    tail: Vec<u8>,
}

/// Whether there is more to do.
enum Next {
    Goes,
    Ends,
}

impl<'a> Pump<'a> {
    pub(super) fn new(connection: &'a Connection, direction: Direction) -> Self {
        let (from, to) = match direction {
            Direction::Requests => (&connection.client, &connection.server),
            Direction::Replies => (&connection.server, &connection.client),
        };
        Self { connection, direction, from, to, tail: Vec::new() }
    }

    /// Forwards until one end is done, or an error ends both.
    pub(super) fn run(&mut self) {
        let done = match self.direction {
            Direction::Requests => self.requests(),
            Direction::Replies => self.replies(),
        };
        if done.is_err() {
            self.connection.reset();
        }
    }

    fn requests(&mut self) -> io::Result<()> {
        let mut requester = Requester::new();
        while let Some(bytes) = self.read()? {
            self.connection.shared().sent(Direction::Requests);
            for stretch in requester.divide(&bytes) {
                let bytes = match stretch {
                    Stretch::Bytes(bytes) => bytes,
                    Stretch::Head(head, bytes) => {
                        let shared = self.connection.shared();
                        let verdict = shared.faults(|faults| faults.verdict(&head));
                        let method = head.method.clone();
                        shared.note(head);
                        match verdict {
                            Some(Verdict::Answer(answer)) => return self.answer(&answer.bytes(&method)),
                            Some(Verdict::Truncate(bytes)) => self.connection.truncate(bytes),
                            None => {}
                        }
                        bytes
                    }
                };
                if let Next::Ends = self.forward_request(&bytes)? {
                    return Ok(());
                }
            }
        }
        // The server may have more to say.
        self.say_goodbye();
        Ok(())
    }

    fn forward_request(&mut self, bytes: &[u8]) -> io::Result<Next> {
        let sighting = self.sighting(bytes);
        match sighting {
            Some(Sighting::CutBefore) => {
                self.connection.reset();
                return Ok(Next::Ends);
            }
            // Before the request goes on its way: its reply may be quick.
            Some(Sighting::CutAfter) => self.connection.set_replies(Replies::Cut),
            Some(Sighting::DropReplies) => self.connection.set_replies(Replies::Dropped),
            None => {}
        }
        self.forward(bytes)
    }

    /// Looks for the patterns in what goes by.
    fn sighting(&mut self, bytes: &[u8]) -> Option<Sighting> {
        let shared = self.connection.shared();
        shared.faults(|faults| {
            let longest = faults.longest_pattern();
            self.tail.extend_from_slice(bytes);
            let (tail, new) = (&self.tail, bytes.len());
            let sighting = faults.sighting(|pattern| {
                // Only what ends in the new bytes: the rest was seen before.
                let begin = tail.len().saturating_sub(new + pattern.len().saturating_sub(1));
                !pattern.is_empty() && tail[begin..].windows(pattern.len()).any(|window| window == pattern)
            });
            let superfluous = self.tail.len().saturating_sub(longest.saturating_sub(1));
            self.tail.drain(..superfluous);
            sighting
        })
    }

    /// Answers in the server's place, and ends.
    fn answer(&mut self, answer: &[u8]) -> io::Result<()> {
        write(self.connection, &self.connection.client, answer)?;
        self.connection.client.shutdown(Shutdown::Write)?;
        let _ = self.connection.server.shutdown(Shutdown::Both);
        // What the client still sends is taken; an end with bytes unread would be a reset, and take the answer along.
        while self.read()?.is_some() {}
        Ok(())
    }

    fn replies(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.read()? {
            match self.connection.replies() {
                Replies::Dropped => continue,
                Replies::Cut => {
                    self.connection.reset();
                    return Ok(());
                }
                Replies::Forwarded => {}
            }
            let (bytes, breaks_off) = self.connection.cut(bytes);
            if let Next::Ends = self.forward(&bytes)? {
                return Ok(());
            }
            if breaks_off {
                self.to.shutdown(Shutdown::Write)?;
                self.connection.end();
                return Ok(());
            }
        }
        if self.connection.replies() == Replies::Cut {
            self.connection.reset();
        }
        self.say_goodbye();
        Ok(())
    }

    /// Passes an orderly end on, unless it is our own.
    fn say_goodbye(&self) {
        if !self.connection.has_ended() {
            let _ = self.to.shutdown(Shutdown::Write);
        }
    }

    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; PIECE];
        loop {
            match self.from.read(&mut bytes) {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    bytes.truncate(count);
                    return Ok(Some(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Forwards bytes as slowly, and as far, as the faults let.
    fn forward(&mut self, mut bytes: &[u8]) -> io::Result<Next> {
        let (shared, number, direction) = (self.connection.shared(), self.connection.number(), self.direction);
        if let Some(time) = shared.faults(|faults| faults.delay(direction)) {
            shared.pause(self.connection, time);
        }
        while !bytes.is_empty() {
            shared.wait_while_stalled(self.connection);
            if self.connection.has_ended() {
                return Ok(Next::Ends);
            }
            let Portion { count, is_last, pace } =
                shared.faults(|faults| faults.portion(number, direction, bytes.len()));
            let (now, later) = bytes.split_at(count);
            if direction == Direction::Replies {
                shared.sent(direction);
            }
            write(self.connection, self.to, now)?;
            shared.forwarded(direction, count);
            if is_last {
                self.connection.reset();
                return Ok(Next::Ends);
            }
            if let Some(pace) = pace {
                shared.pause(self.connection, Duration::from_micros(count as u64 * 1_000_000 / pace));
            }
            bytes = later;
        }
        Ok(Next::Goes)
    }
}

/// Writes everything, however long the other end takes, unless the connection ends.
fn write(connection: &Connection, mut to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if connection.has_ended() {
                    return Err(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
