//! A connection that has time-outs, can become TLS, and ends when the program is to end.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::{Endpoint, Error, Stop};

/// A connection over TCP, bare or TLS.
///
/// A read or write that takes longer than the patience fails with [`io::ErrorKind::TimedOut`]; one
/// that meets the request to end, or the deadline, with [`io::ErrorKind::Other`] around an [`Error`].
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// Connects over TCP; every address of the name is tried.
    pub fn connect(_endpoint: &Endpoint, _stop: &Stop) -> Result<Self, Error> {
        todo!()
    }

    /// Makes it TLS, for the name of the endpoint.
    pub fn secure(self, _endpoint: &Endpoint) -> Result<Self, Error> {
        todo!()
    }

    /// How long a read or write may take from now on.
    pub fn set_patience(&mut self, _patience: Duration) {
        todo!()
    }

    /// When every read and write fails, whatever the patience.
    pub fn set_deadline(&mut self, _deadline: Option<Instant>) {
        todo!()
    }
}

impl Read for Stream {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        todo!()
    }
}

impl Write for Stream {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        todo!()
    }

    fn flush(&mut self) -> io::Result<()> {
        todo!()
    }
}
