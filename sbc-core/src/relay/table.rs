//! The streams of one worker, by key and by place. A place is what a socket's
//! readiness names.

use std::collections::BTreeMap;

use sbc_media::stream::{StreamKey, StreamSide};

use super::live::Live;
use super::side::Flow;

/// The streams of one worker.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: Vec<Option<Box<Live>>>,
    free: Vec<usize>,
    keys: BTreeMap<StreamKey, usize>,
}

/// A socket of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Socket {
    pub place: usize,
    pub side: StreamSide,
    pub flow: Flow,
}

impl Socket {
    /// Returns the number that stands for this socket in the kernel's answers.
    pub fn token(self) -> u64 {
        let side = u64::from(self.side == StreamSide::B);
        let flow = u64::from(self.flow == Flow::Rtcp);
        (self.place as u64) << 2 | side << 1 | flow
    }

    /// Returns the socket that a number stands for.
    pub fn of(token: u64) -> Self {
        Self {
            place: usize::try_from(token >> 2).unwrap_or(usize::MAX),
            side: if token & 2 == 0 {
                StreamSide::A
            } else {
                StreamSide::B
            },
            flow: if token & 1 == 0 {
                Flow::Rtp
            } else {
                Flow::Rtcp
            },
        }
    }
}

impl Table {
    /// Returns whether there is no stream.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns where a stream is.
    pub fn place_of(&self, key: StreamKey) -> Option<usize> {
        self.keys.get(&key).copied()
    }

    /// Returns the stream at a place.
    pub fn at(&mut self, place: usize) -> Option<&mut Live> {
        self.places.get_mut(place)?.as_deref_mut()
    }

    /// Returns the place that the next stream will have.
    pub fn next_place(&self) -> usize {
        self.free.last().copied().unwrap_or(self.places.len())
    }

    /// Puts a stream at [`Table::next_place`].
    pub fn insert(&mut self, live: Live) {
        let place = self.next_place();
        self.keys.insert(live.key, place);
        match self.free.pop().and_then(|place| self.places.get_mut(place)) {
            Some(empty) => *empty = Some(Box::new(live)),
            None => self.places.push(Some(Box::new(live))),
        }
    }

    /// Takes a stream out.
    pub fn remove(&mut self, key: StreamKey) -> Option<Box<Live>> {
        let place = self.keys.remove(&key)?;
        let live = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        Some(live)
    }

    /// Returns every `step`th stream from `first` on.
    pub fn slice(&mut self, first: usize, step: usize) -> impl Iterator<Item = &mut Live> {
        let places = self.places.iter_mut().skip(first).step_by(step);
        places.filter_map(|place| place.as_deref_mut())
    }

    /// Returns every stream.
    pub fn iter(&self) -> impl Iterator<Item = &Live> {
        self.places.iter().filter_map(|place| place.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_one_socket_and_no_other() {
        let mut before = None;
        for place in [0, 1, 5_000] {
            for side in StreamSide::BOTH {
                for flow in [Flow::Rtp, Flow::Rtcp] {
                    let socket = Socket { place, side, flow };
                    assert_eq!(Socket::of(socket.token()), socket);
                    assert!(before < Some(socket.token()));
                    before = Some(socket.token());
                }
            }
        }
    }
}
