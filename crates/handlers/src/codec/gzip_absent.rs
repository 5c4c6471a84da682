//! What stands for gzip in a build without it: nothing that could be made, and the error that says so.

use super::Level;
use cacheness_core::{Error, ErrorKind, Result};
use std::convert::Infallible;
use std::io::{self, BufRead, Read, Write};
use std::marker::PhantomData;

/// There is none.
pub(super) struct Absent<T>(Infallible, PhantomData<T>);

pub(super) type MemberWriter<W> = Absent<W>;
pub(super) type MemberReader<R> = Absent<R>;

pub(super) fn writer<W: Write>(_: Level, _: W) -> Result<MemberWriter<W>> {
    Err(absent())
}

pub(super) fn reader<R: BufRead>(_: R) -> Result<MemberReader<R>> {
    Err(absent())
}

fn absent() -> Error {
    Error::new(ErrorKind::Unsupported, "this build has no gzip codec")
        .advice("build cacheness-handlers with its feature `gzip`")
}

impl<T> Absent<T> {
    pub(super) fn get_mut(&mut self) -> &mut T {
        match self.0 {}
    }

    pub(super) fn finish(self) -> io::Result<T> {
        match self.0 {}
    }
}

impl<T> Read for Absent<T> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl<T> Write for Absent<T> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}
