//! `run`: the mailboxes as a service.

mod teller;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::database::{self, Notices};
use super::telling::{self, Alerts, Told};
use super::{ExitCode, Global, configuration, failure, mailboxes, scan_log, summary};
use crate::clock;
use crate::config::{Config, Environment, Imap};
use crate::output::count;
use crate::pipeline::net::Stop;
use crate::pipeline::store::{self, Access, Lock, Store};
use crate::pipeline::{Counts, Event, Ingest, Probe, Reader, Report, Trouble};
use teller::{Teller, look};

/// How long the watchers may take to end, before the process ends without them. Whatever they are at
/// is as if a power cut had met it.
const LEAVE: Duration = Duration::from_secs(4);
/// How often the lock is tried that another process has.
const LOCKED: Duration = Duration::from_secs(2);
/// How long the main thread sleeps at most.
const TICK: Duration = Duration::from_secs(10);
/// How often logs are read, and alerts looked at without news: some begin and end with time alone.
const LOOK: Duration = Duration::from_mins(1);

/// What the main thread waits for.
enum Word {
    Signal(i32),
    /// From the watcher of this account and folder.
    Report(Place, Report),
    Event(Place, Event),
    /// What a look at the alerts came to.
    Told(anyhow::Result<Told>),
    /// A watcher of this generation has ended; it failed where nobody asked for it.
    Ended {
        generation: u32,
        failed: bool,
    },
}

/// An account and a folder.
type Place = (String, String);

/// How a generation of watchers ends.
enum End {
    Stop,
    Reload,
}

pub(super) fn run(global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (words, heard) = channel();
    // Before anything else: a signal that comes early is not lost.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("failed to hear signals")?;
    let sender = words.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            if sender.send(Word::Signal(signal)).is_err() {
                return;
            }
        }
    });
    let environment = Arc::new(Environment::of_process());
    let mut config = configuration(global, &environment)?;
    let mut mailboxes = mailboxes::configured(&mut config)?;
    let mut config = Arc::new(config);
    let colours = failure::colours(global.no_color);
    let Some(_lock) = lock(&config, &heard, colours)? else {
        return Ok(ExitCode::Ok);
    };
    let database = config.database.clone();
    let mut number = 0;
    loop {
        number += 1;
        let generation = Generation {
            number,
            config: &config,
            mailboxes: &mailboxes,
            environment: &environment,
            global,
            colours,
        };
        match generation.live(&words, &heard, out)? {
            End::Stop => return Ok(ExitCode::Ok),
            End::Reload => {}
        }
        let loaded = configuration(global, &environment).and_then(|mut config| {
            let mailboxes = mailboxes::configured(&mut config)?;
            if config.database != database {
                anyhow::bail!("another database takes a restart");
            }
            // What it names and cannot be read is no reason to end.
            database::store(&config, &environment, Access::Existing)?;
            Ok((Arc::new(config), mailboxes))
        });
        match loaded {
            Ok(loaded) => (config, mailboxes) = loaded,
            Err(error) => {
                let error = error.context("the configuration stays as it was");
                failure::report(&error, &mut io::stderr(), colours);
            }
        }
    }
}

/// Waits for the lock; `None` where the end is asked for first.
fn lock(config: &Config, heard: &Receiver<Word>, colours: bool) -> anyhow::Result<Option<Lock>> {
    let mut said = false;
    loop {
        let lock = Lock::take(&config.database)
            .with_context(|| format!("failed to lock {}", config.database.display()))?;
        if lock.is_some() {
            return Ok(lock);
        }
        if !said {
            let text = "another process reads mailboxes into this database: waiting for its end";
            failure::warn(text, &mut io::stderr(), colours);
            said = true;
        }
        match heard.recv_timeout(LOCKED) {
            Ok(Word::Signal(SIGHUP)) | Err(RecvTimeoutError::Timeout) => {}
            _ => return Ok(None),
        }
    }
}

/// The watchers of one reading of the configuration.
struct Generation<'a> {
    number: u32,
    config: &'a Arc<Config>,
    mailboxes: &'a [Arc<Imap>],
    environment: &'a Arc<Environment>,
    global: &'a Global,
    colours: bool,
}

/// What the watchers share.
struct Shared {
    store: Mutex<Store>,
    settings: Ingest,
    probe: Probe,
    stop: Stop,
}

impl Generation<'_> {
    fn live(
        &self,
        words: &Sender<Word>,
        heard: &Receiver<Word>,
        out: &mut dyn Write,
    ) -> anyhow::Result<End> {
        let stop = Stop::default();
        let mut store = database::store(self.config, self.environment, Access::Create)?;
        let waiter = stop.clone();
        mailboxes::be_patient(&mut store, self.colours, move |_| !waiter.requested())?;
        let shared = Arc::new(Shared {
            store: Mutex::new(store),
            settings: database::ingest(self.config, true),
            probe: Probe {
                config: self.config.file.clone(),
            },
            stop: stop.clone(),
        });
        let mut watchers = 0_u32;
        for imap in self.mailboxes {
            for folder in &imap.account.folders {
                self.watch(&shared, imap, folder, words);
                watchers += 1;
            }
        }
        let nudge = self.look(&shared.stop, words)?;
        watchers += 1;
        let mut teller = Teller::new(self.config, self.environment, self.colours)?;
        let mut log = Log {
            global: self.global,
            colours: self.colours,
            notices: Notices::new(self.global, false),
            troubles: HashMap::new(),
            database: None,
        };
        notify(&[NotifyState::Ready]);
        let watchdog = sd_notify::watchdog_enabled();
        let tick = watchdog.map_or(TICK, |every| (every / 3).min(TICK));
        let mut pinged = Instant::now();
        let end = loop {
            if watchdog.is_some() && pinged.elapsed() >= tick {
                notify(&[NotifyState::Watchdog]);
                pinged = Instant::now();
            }
            match heard.recv_timeout(tick) {
                Ok(Word::Signal(SIGHUP)) => {
                    notify(&[NotifyState::Reloading]);
                    break End::Reload;
                }
                Ok(Word::Signal(_)) | Err(RecvTimeoutError::Disconnected) => {
                    notify(&[NotifyState::Stopping]);
                    break End::Stop;
                }
                Ok(Word::Report(place, report)) => {
                    // Whoever looks at the alerts hears as long as this generation lives.
                    let _ = nudge.send(log.report(&place, report));
                }
                Ok(Word::Event(place, event)) => log.event(&place, event),
                Ok(Word::Told(told)) => teller.tell(told, out)?,
                Ok(Word::Ended { failed: true, .. }) => {
                    // The service manager starts it anew, with all watchers and nothing half done.
                    anyhow::bail!("a mailbox is watched no more: this is a mistake in the program");
                }
                // Of an earlier generation: this one was not asked to end.
                Ok(Word::Ended { .. }) => {}
                Err(RecvTimeoutError::Timeout) => teller.remember(),
            }
        };
        stop.request();
        drop(nudge);
        let deadline = Instant::now() + LEAVE;
        while watchers > 0 {
            match heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Word::Ended { generation, .. }) => {
                    watchers -= u32::from(generation == self.number);
                }
                Ok(Word::Report(place, report)) => {
                    log.report(&place, report);
                }
                Ok(Word::Event(place, event)) => log.event(&place, event),
                Ok(Word::Told(told)) => teller.tell(told, out)?,
                Ok(Word::Signal(SIGHUP)) => {}
                Ok(Word::Signal(_)) => return Ok(End::Stop),
                // Those that are still at work hold the database: a new generation waits for it.
                Err(_) => break,
            }
        }
        Ok(end)
    }

    /// Starts the watcher of a folder. It is not waited for at the end of the process, so it owns
    /// what it needs.
    fn watch(&self, shared: &Arc<Shared>, imap: &Arc<Imap>, folder: &str, words: &Sender<Word>) {
        let shared = Arc::clone(shared);
        let mut client = mailboxes::client(imap, self.environment, &shared.stop);
        let place: Place = (imap.account.name.clone(), folder.to_owned());
        let interval = self.config.schedule.imap;
        let words = words.clone();
        let generation = self.number;
        thread::spawn(move || {
            let _leaving = Leaving(words.clone(), generation);
            // The main thread hears until the process ends.
            let tell = |event| drop(words.send(Word::Event(place.clone(), event)));
            let report = |report| drop(words.send(Word::Report(place.clone(), report)));
            let reader = Reader {
                store: &shared.store,
                settings: &shared.settings,
                probe: &shared.probe,
                stop: &shared.stop,
                now: &clock::now,
                tell: &tell,
            };
            reader.watch(&mut client, &place.1, interval, &report);
            drop(shared);
        });
    }
}

impl Generation<'_> {
    /// Starts who reads the logs and looks at the alerts: at once, whenever a pass has ended, and every minute. It has a
    /// connection of its own, and what it sends keeps nobody waiting.
    fn look(
        &self,
        stop: &Stop,
        words: &Sender<Word>,
    ) -> anyhow::Result<Sender<(Place, Option<String>)>> {
        let mut store = database::store(self.config, self.environment, Access::Existing)?;
        let waiter = stop.clone();
        mailboxes::be_patient(&mut store, self.colours, move |_| !waiter.requested())?;
        telling::only(&mut store, self.mailboxes)?;
        let (nudge, nudged) = channel::<(Place, Option<String>)>();
        let (stop, words) = (stop.clone(), words.clone());
        let (config, environment) = (Arc::clone(self.config), Arc::clone(self.environment));
        let (mailboxes, colours) = (self.mailboxes.to_vec(), self.colours);
        let generation = self.number;
        thread::spawn(move || {
            let _leaving = Leaving(words.clone(), generation);
            let alerts = Alerts::new(&config, &environment, &stop);
            let mut fared: BTreeMap<Place, Option<String>> = BTreeMap::new();
            let mut unread = Vec::new();
            while !stop.requested() {
                match scan_log::pass(&config, &mut store, &stop) {
                    Ok(troubles) => {
                        // Each is said once while it lasts.
                        for trouble in troubles.iter().filter(|now| !unread.contains(*now)) {
                            scan_log::trouble(trouble, colours);
                        }
                        unread = troubles;
                    }
                    Err(error) => drop(words.send(Word::Told(Err(error.into())))),
                }
                let told = look(&alerts, &mut store, &mailboxes, &fared, colours);
                // The main thread hears until the process ends.
                let _ = words.send(Word::Told(told));
                match nudged.recv_timeout(LOOK) {
                    Ok((place, failed)) => {
                        fared.insert(place, failed);
                        fared.extend(nudged.try_iter());
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Ok(nudge)
    }
}

/// Says that a watcher of this generation ends, however it does.
struct Leaving(Sender<Word>, u32);

impl Drop for Leaving {
    fn drop(&mut self) {
        let ended = Word::Ended {
            generation: self.1,
            failed: thread::panicking(),
        };
        // The main thread hears until the process ends.
        let _ = self.0.send(ended);
    }
}

/// What is said on standard error: each trouble once while it lasts.
struct Log<'a> {
    global: &'a Global,
    colours: bool,
    notices: Notices,
    /// The gist of each, and how it was told.
    troubles: HashMap<Place, (String, String)>,
    database: Option<String>,
}

impl Log<'_> {
    fn event(&mut self, place: &Place, event: Event) {
        match event {
            Event::Notice(notice) if self.global.verbose > 0 => self.notices.take(notice),
            Event::Notice(_) | Event::Arrived { .. } | Event::Done(_) => {}
            Event::Trouble(trouble) => self.trouble(place, &trouble),
        }
    }

    fn trouble(&mut self, place: &Place, trouble: &Trouble) {
        let text = trouble.to_string();
        let gist = gist(&text);
        if self.troubles.get(place).map(|(gist, _)| gist) != Some(&gist) {
            self.troubles.insert(place.clone(), (gist, text));
            mailboxes::trouble(trouble, self.colours);
        }
    }

    /// Says what came of a pass; the place, and what is wrong with it.
    fn report(&mut self, place: &Place, report: Report) -> (Place, Option<String>) {
        let (account, folder) = place;
        match report {
            Report::Database(error) => self.database(&error),
            Report::Passed { counts, well } => {
                if well {
                    self.database = None;
                    let place = (account.clone(), folder.clone());
                    if self.troubles.remove(&place).is_some() {
                        self.say(&format!("{account}, folder {folder}: works again"));
                    }
                }
                if counts.messages > 0 {
                    self.say(&format!("{account}, folder {folder}: {}", brief(&counts)));
                }
            }
        }
        let wrong = self.troubles.get(place).map(|(_, text)| text.clone());
        (place.clone(), wrong)
    }

    fn database(&mut self, error: &store::Error) {
        let text = error.to_string();
        if self.database.as_ref() != Some(&text) {
            failure::error(
                &text,
                error.hint().as_deref(),
                &mut io::stderr(),
                self.colours,
            );
            self.database = Some(text);
        }
    }

    fn say(&self, text: &str) {
        if !self.global.quiet {
            failure::note(text, &mut io::stderr());
        }
    }
}

/// What does not change while a trouble lasts: servers say how long they took, and when.
fn gist(text: &str) -> String {
    text.replace(|c: char| c.is_ascii_digit(), "")
}

/// What a pass brought, in a line.
fn brief(counts: &Counts) -> String {
    let what: Vec<String> = summary::told(counts, 0)
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    format!("{} read; {}", count(counts.messages), what.join("; "))
}

/// Tells the service manager, where there is one.
fn notify(states: &[NotifyState<'_>]) {
    // Without one, nobody is there to hear it.
    let _ = sd_notify::notify(states);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_the_same_however_long_the_server_took() {
        let text = |took| format!("SELECT \"Old\": Mailbox doesn't exist: Old ({took} secs).");
        assert_eq!(gist(&text("0.001 + 0.000")), gist(&text("0.017 + 0.002")));
        assert_ne!(
            gist(&text("0.001")),
            gist("the server closed the connection")
        );
    }

    #[test]
    fn a_watcher_that_fails_says_so() {
        let (words, heard) = channel();
        for fails in [false, true] {
            let words = words.clone();
            let watcher = thread::spawn(move || {
                let _leaving = Leaving(words, 3);
                assert!(!fails, "as the test wants it");
            });
            assert_eq!(watcher.join().is_err(), fails);
            let Ok(Word::Ended { generation, failed }) = heard.recv() else {
                panic!("nothing is said");
            };
            assert_eq!((generation, failed), (3, fails));
        }
    }
}
