//! One thread of the relay: it waits for its sockets, its orders and the next tick,
//! and owns every stream it carries.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use sbc_media::Instant;
use sbc_media::stream::{MediaEvent, SideRow, StreamKey, StreamRow, StreamSide};

use super::live::Live;
use super::play::PACE;
use super::side::{Flow, Pair};
use super::table::{Socket, Table};
use super::{Clock, Command, OpenPort, socket};

/// Sockets served per wake-up: enough that waiting costs little, few enough that
/// orders are not kept waiting.
const BATCH: usize = 64;

/// The largest datagram taken: an Ethernet frame's worth and some. What is larger is
/// no audio.
const DATAGRAM: usize = 2_048;

/// The bell's number among the tokens; no place is ever as high.
const BELL: u64 = u64::MAX;

/// How often timers are looked at. Each tick looks at one slice of the streams, so
/// that every stream has its turn once a second and no tick is long.
const TICK: Duration = Duration::from_millis(50);
const SLICES: usize = 20;

/// One thread of the relay.
pub(super) struct Worker<P> {
    epoll: OwnedFd,
    orders: Receiver<Command>,
    bell: Arc<OwnedFd>,
    outlet: Outlet,
    clock: Clock,
    /// Read once per round: a round is shorter than any network's jitter.
    now: Instant,
    ports: P,
    table: Table,
    next_tick: Instant,
    slice: usize,
    /// Places of streams with a tone.
    players: Vec<usize>,
    next_play: Instant,
}

/// The way events take to call control. What finds no room waits here.
pub(super) struct Outlet {
    told: SyncSender<MediaEvent>,
    notice: Arc<OwnedFd>,
    waiting: VecDeque<MediaEvent>,
}

impl Outlet {
    /// Takes where events go, and the bell to ring when they do.
    pub fn new(told: SyncSender<MediaEvent>, notice: Arc<OwnedFd>) -> Self {
        Self {
            told,
            notice,
            waiting: VecDeque::with_capacity(BATCH),
        }
    }

    fn put(&mut self, event: MediaEvent) {
        self.waiting.push_back(event);
    }

    /// Sends what waits, in order, as far as there is room.
    fn flush(&mut self) {
        let before = self.waiting.len();
        while let Some(event) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(event)) = self.told.try_send(event) {
                self.waiting.push_front(event);
                break;
            }
        }
        if self.waiting.len() < before {
            socket::ring(&self.notice);
        }
    }
}

impl<P: OpenPort> Worker<P> {
    /// Takes everything a worker has but its streams.
    pub fn new(
        orders: Receiver<Command>,
        bell: Arc<OwnedFd>,
        outlet: Outlet,
        clock: Clock,
        ports: P,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &bell,
            epoll::EventData::new_u64(BELL),
            epoll::EventFlags::IN,
        )?;
        let (table, next_tick) = (Table::default(), Instant::ZERO);
        Ok(Self {
            epoll,
            orders,
            bell,
            outlet,
            clock,
            now: clock.now(),
            ports,
            table,
            next_tick,
            slice: 0,
            players: Vec::new(),
            next_play: Instant::ZERO,
        })
    }

    /// Works until it is told to stop.
    pub fn run(mut self) {
        let mut buffer = [0; DATAGRAM];
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        loop {
            let timeout = self.timeout();
            // A wait that is interrupted is a wait that found nothing.
            let (ready, _) = epoll::wait(&self.epoll, &mut events, timeout.as_ref())
                .unwrap_or((&mut [], &mut []));
            self.now = self.clock.now();
            let mut rung = false;
            for event in ready {
                match event.data.u64() {
                    BELL => rung = true,
                    token => self.serve(Socket::of(token), &mut buffer),
                }
            }
            self.tick();
            self.play();
            // Orders come last: no readiness of this round names a place they change.
            if rung && self.obey().is_none() {
                return;
            }
            self.outlet.flush();
        }
    }

    /// Until the next tick while there are streams, else until the bell.
    fn timeout(&self) -> Option<Timespec> {
        if self.table.is_empty() && self.outlet.waiting.is_empty() {
            return None;
        }
        let next = if self.players.is_empty() {
            self.next_tick
        } else {
            self.next_play
        };
        let left = next.saturating_sub(self.now);
        Timespec::try_from(left.min(TICK)).ok()
    }

    /// Takes one datagram; the kernel names the socket again if there are more, after
    /// all others had their turn.
    fn serve(&mut self, socket: Socket, buffer: &mut [u8]) {
        let Some(live) = self.table.at(socket.place) else {
            return;
        };
        let side = live.side_mut(socket.side);
        let descriptor = match socket.flow {
            Flow::Rtp => &side.pair.rtp,
            Flow::Rtcp => &side.pair.rtcp,
        };
        let Some((from, length)) = socket::receive(descriptor, buffer) else {
            return;
        };
        let Some(packet) = buffer.get_mut(..length) else {
            side.counts().malformed += 1;
            return;
        };
        if let Some(event) = live.datagram(
            &self.clock,
            self.now,
            (socket.side, socket.flow),
            (from, packet),
        ) {
            self.outlet.put(event);
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        self.slice = (self.slice + 1) % SLICES;
        for live in self.table.slice(self.slice, SLICES) {
            live.report(&self.clock, now);
            live.watch(now, &mut |event| self.outlet.put(event));
        }
    }

    /// Sends one packet of each tone that is due; those that ended leave the list.
    fn play(&mut self) {
        let now = self.now;
        if self.players.is_empty() || now < self.next_play {
            return;
        }
        self.next_play = now + PACE / 4;
        let table = &mut self.table;
        self.players
            .retain(|place| table.at(*place).is_some_and(|live| live.play(now)));
    }

    /// Carries out all orders that wait. Returns nothing when told to stop.
    fn obey(&mut self) -> Option<()> {
        socket::drain(&self.bell);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Command::Program(row) => self.program(*row),
                Command::Withdraw(key) => self.withdraw(key),
                Command::Read(answer) => {
                    let numbers = self.table.iter().map(|live| (live.key, live.stats()));
                    // Whoever asked may have gone.
                    let _ = answer.try_send(numbers.collect());
                }
                Command::Stop => return None,
            }
        }
        Some(())
    }

    fn program(&mut self, row: StreamRow) {
        let key = row.key;
        let plays = row.a.play.or(row.b.play).is_some();
        let outcome = match self.table.place_of(key) {
            Some(place) => self.change(place, row),
            None => self.begin(row),
        };
        if let Err(side) = outcome {
            self.outlet.put(MediaEvent::Refused { key, side });
        } else if plays {
            self.join_players(key);
        }
    }

    fn join_players(&mut self, key: StreamKey) {
        let Some(place) = self.table.place_of(key) else {
            return;
        };
        let plays = self.table.at(place).is_some_and(|live| live.is_playing());
        if plays && !self.players.contains(&place) {
            self.players.push(place);
        }
    }

    /// Returns the side whose ports could not be opened, if so.
    fn begin(&mut self, row: StreamRow) -> Result<(), StreamSide> {
        let place = self.table.next_place();
        let a = self.open(place, StreamSide::A, &row.a)?;
        let b = self.open(place, StreamSide::B, &row.b)?;
        self.table.insert(Live::new(row, a, b, self.now));
        Ok(())
    }

    /// Moves a side to new ports if its row says so; numbers and state go on. A row
    /// whose ports cannot be opened changes nothing.
    fn change(&mut self, place: usize, row: StreamRow) -> Result<(), StreamSide> {
        let mut moved = [None, None];
        for (side, pair) in StreamSide::BOTH.into_iter().zip(&mut moved) {
            let local = self.table.at(place).map(|live| live.side(side).row.local);
            if local != Some(row.side(side).local) {
                *pair = Some(self.open(place, side, row.side(side))?);
            }
        }
        let now = self.now;
        if let Some(live) = self.table.at(place) {
            live.change(row, now);
            for (side, pair) in StreamSide::BOTH.into_iter().zip(moved) {
                if let Some(pair) = pair {
                    live.side_mut(side).pair = pair;
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, place: usize, side: StreamSide, row: &SideRow) -> Result<Pair, StreamSide> {
        self.open_pair(place, side, row).map_err(|_| side)
    }

    /// Opens both ports of a side. What is opened leaves the wait when it is closed.
    fn open_pair(&mut self, place: usize, side: StreamSide, row: &SideRow) -> io::Result<Pair> {
        let mut next = row.local;
        next.set_port(
            row.local
                .port()
                .checked_add(1)
                .ok_or(io::ErrorKind::InvalidInput)?,
        );
        let pair = Pair {
            rtp: self.ports.open(row.local)?,
            rtcp: self.ports.open(next)?,
        };
        for (descriptor, flow) in [(&pair.rtp, Flow::Rtp), (&pair.rtcp, Flow::Rtcp)] {
            socket::mark(descriptor, row.local.ip(), row.tos)?;
            let token = epoll::EventData::new_u64(Socket { place, side, flow }.token());
            epoll::add(&self.epoll, descriptor, token, epoll::EventFlags::IN)?;
        }
        Ok(pair)
    }

    fn withdraw(&mut self, key: StreamKey) {
        if let Some(live) = self.table.remove(key) {
            let stats = Box::new(live.stats());
            self.outlet.put(MediaEvent::Ended { key, stats });
        }
    }
}
