//! Spreads messages over threads and brings what they make of them back in order.
//!
//! Each message becomes a run of events. A short run travels whole; a long one gets a channel of
//! its own and flows while it is made, so that memory does not grow with the largest message. Runs
//! are consumed strictly in the order of the source: which of two reports is the first never
//! depends on the speed of a thread.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// Weight (about a byte a unit) at which a run goes live.
const LIVE_AT: usize = 4 << 20;
/// Events in the channel of a live run.
const CHANNEL: usize = 4;
/// Weight of finished runs that wait for their turn; beyond it no new message is begun.
const WAITING: usize = 4 << 20;
/// How long the consumer leaves short runs to gather before it takes them, and how many of them wake
/// it earlier. Being woken for every message cost a fifteenth of the time of `parse`.
const NAP: Duration = Duration::from_millis(1);
const GATHERED: usize = 64;

enum Run<E> {
    Whole(Vec<E>, usize),
    Live(Receiver<E>),
}

/// What the consumer waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consumer {
    /// Nothing: it is at work.
    Busy,
    /// The run of this number.
    Idle(u64),
    /// Many runs, a live one, or the end of its nap.
    Napping,
}

struct State<E> {
    ready: BTreeMap<u64, Run<E>>,
    waiting: usize,
    consumer: Consumer,
    /// Threads that wait for room.
    blocked: usize,
    /// How many messages there are, once the source has ended.
    end: Option<u64>,
    stop: bool,
}

struct Shared<E> {
    state: Mutex<State<E>>,
    /// A run is ready, or the source has ended.
    ready: Condvar,
    /// Runs were consumed.
    room: Condvar,
}

impl<E> Shared<E> {
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, seq: u64, run: Run<E>) {
        let mut state = self.lock();
        if state.stop {
            // Nobody takes it any more. A live run is dropped too, which lets go of its thread.
            return;
        }
        let is_live = matches!(run, Run::Live(_));
        if let Run::Whole(_, weight) = &run {
            state.waiting += weight;
        }
        state.ready.insert(seq, run);
        let wakes = match state.consumer {
            Consumer::Busy => false,
            Consumer::Idle(next) => next == seq,
            Consumer::Napping => {
                is_live || state.ready.len() >= GATHERED || state.waiting >= WAITING / 2
            }
        };
        self.wake(state, wakes);
    }

    /// Wakes the consumer. Whoever wakes it says that it is awake, so that nobody does it again.
    fn wake(&self, mut state: MutexGuard<'_, State<E>>, wakes: bool) {
        if wakes {
            state.consumer = Consumer::Busy;
        }
        drop(state);
        if wakes {
            self.ready.notify_one();
        }
    }

    /// Waits until the run that is next is there; `None` where there is none.
    fn next(&self, seq: u64) -> Option<Run<E>> {
        let mut state = self.lock();
        let mut napped = false;
        loop {
            if let Some(run) = state.ready.remove(&seq) {
                if let Run::Whole(_, weight) = &run {
                    state.waiting -= weight;
                }
                let blocked = state.blocked > 0 && state.waiting <= WAITING;
                drop(state);
                if blocked {
                    self.room.notify_all();
                }
                return Some(run);
            }
            if state.end.is_some_and(|end| seq >= end) {
                return None;
            }
            state = if napped {
                state.consumer = Consumer::Idle(seq);
                self.ready
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                napped = true;
                state.consumer = Consumer::Napping;
                self.ready
                    .wait_timeout(state, NAP)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            };
            state.consumer = Consumer::Busy;
        }
    }
}

/// Takes the source. Another thread has it for as long as reading a file takes, some 10 µs: less
/// than being put to sleep and woken does, so it is worth trying a while.
fn hold<T>(source: &Mutex<T>) -> MutexGuard<'_, T> {
    const TRIES: u32 = 400;
    for _ in 0..TRIES {
        match source.try_lock() {
            Ok(held) => return held,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a thread puts the events of one message.
pub(super) struct Outlet<'s, E> {
    shared: &'s Shared<E>,
    seq: u64,
    held: Vec<E>,
    weight: usize,
    live: Option<SyncSender<E>>,
    closed: bool,
}

impl<E> Outlet<'_, E> {
    /// Adds an event of about this many bytes. False where nobody wants any more.
    pub(super) fn push(&mut self, event: E, weight: usize) -> bool {
        if self.closed {
            return false;
        }
        if let Some(live) = &self.live {
            self.closed = live.send(event).is_err();
            return !self.closed;
        }
        self.held.push(event);
        self.weight += weight;
        if self.weight >= LIVE_AT {
            let (send, receive) = sync_channel(CHANNEL);
            self.shared.put(self.seq, Run::Live(receive));
            for event in self.held.drain(..) {
                if send.send(event).is_err() {
                    self.closed = true;
                    break;
                }
            }
            self.live = Some(send);
        }
        !self.closed
    }
}

impl<E> Drop for Outlet<'_, E> {
    /// Also when the thread panics: the consumer must never wait for a run that does not come.
    fn drop(&mut self) {
        if self.live.take().is_none() {
            let run = Run::Whole(std::mem::take(&mut self.held), self.weight);
            self.shared.put(self.seq, run);
        }
    }
}

/// Runs `work` on every message of the source, and `consume` on the events of each, in order.
///
/// A message for which `big` holds is worked on with the source held: two of them are never in
/// memory at once. `consume` ends everything with `Break`.
pub(super) fn run<T: Send, E: Send>(
    source: impl Iterator<Item = T> + Send,
    threads: usize,
    big: impl Fn(&T) -> bool + Sync,
    work: impl Fn(T, &mut Outlet<'_, E>) + Sync,
    mut consume: impl FnMut(&mut dyn Iterator<Item = E>, bool) -> ControlFlow<()>,
) {
    let shared = Shared {
        state: Mutex::new(State {
            ready: BTreeMap::new(),
            waiting: 0,
            consumer: Consumer::Busy,
            blocked: 0,
            end: None,
            stop: false,
        }),
        ready: Condvar::new(),
        room: Condvar::new(),
    };
    let source = Mutex::new((source, 0_u64));
    let worker = || {
        loop {
            let mut state = shared.lock();
            while state.waiting > WAITING && !state.stop {
                state.blocked += 1;
                state = shared
                    .room
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.blocked -= 1;
            }
            let stop = state.stop;
            drop(state);
            let mut held = hold(&source);
            let seq = held.1;
            let Some(message) = (if stop { None } else { held.0.next() }) else {
                let mut state = shared.lock();
                state.end = Some(state.end.map_or(seq, |end| end.min(seq)));
                let wakes = state.consumer != Consumer::Busy;
                shared.wake(state, wakes);
                return;
            };
            held.1 += 1;
            let held = big(&message).then_some(held);
            let mut outlet = Outlet {
                shared: &shared,
                seq,
                held: Vec::new(),
                weight: 0,
                live: None,
                closed: false,
            };
            work(message, &mut outlet);
            drop(outlet);
            drop(held);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(worker);
        }
        let mut seq = 0;
        loop {
            let run = shared.next(seq);
            let flow = match run {
                None => break,
                Some(Run::Whole(events, _)) => consume(&mut events.into_iter(), false),
                // Dropping the receiver tells the thread that nobody wants the rest.
                Some(Run::Live(events)) => consume(&mut events.into_iter(), true),
            };
            seq += 1;
            if flow.is_break() {
                let mut state = shared.lock();
                state.stop = true;
                // Live runs among them let go of their threads; later ones are not even put here.
                state.ready.clear();
                state.waiting = 0;
                drop(state);
                shared.room.notify_all();
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(threads: usize, n: u64, heavy: u64) -> Vec<(u64, u64, bool)> {
        let mut seen = Vec::new();
        run(
            0..n,
            threads,
            |m| *m == heavy,
            |m, out| {
                let events = if m == heavy { 500 } else { m % 5 };
                for event in 0..events {
                    out.push((m, event), if m == heavy { LIVE_AT / 100 } else { 10 });
                }
            },
            |events, live| {
                seen.extend(events.map(|(m, event)| (m, event, live)));
                ControlFlow::Continue(())
            },
        );
        seen
    }

    #[test]
    fn the_order_is_that_of_the_source_whatever_the_threads() {
        let one = collect(1, 300, 77);
        assert_eq!(one, collect(4, 300, 77));
        let expected: Vec<(u64, u64, bool)> = (0..300)
            .flat_map(|m| {
                let events = if m == 77 { 500 } else { m % 5 };
                (0..events).map(move |event| (m, event, m == 77))
            })
            .collect();
        assert_eq!(one, expected);
    }

    #[test]
    fn a_consumer_that_breaks_ends_everything() {
        for at in (0..40).chain([250]) {
            let mut consumed = 0;
            run(
                0..u64::MAX,
                4,
                |_| false,
                |m, out| {
                    for event in 0..300 {
                        if !out.push((m, event), LIVE_AT / 100) {
                            break;
                        }
                    }
                },
                |events, _| {
                    let _ = events.next();
                    consumed += 1;
                    if consumed > at {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                },
            );
            assert_eq!(consumed, at + 1);
        }
    }
}
