//! What the database knows of refusals and successes, as far as they are ours.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};

use super::super::{Error, read};
use super::{Evidence, Ours};
use crate::codes::{self, Category};
use crate::message::domain::of_address;
use crate::report::refusal::own_address;

/// How many bounces are looked at, the latest first, and how many different ones of a day are told apart.
const BOUNCES: i64 = 100_000;
const DIFFERENT: usize = 10_000;

/// What was said to one of ours, so many times.
pub(super) struct Said {
    pub(super) source_ip: Option<IpAddr>,
    pub(super) server: String,
    pub(super) provider: String,
    pub(super) remote_host: Option<String>,
    pub(super) is_deferred: bool,
    pub(super) code: String,
    pub(super) category: Category,
    pub(super) text: String,
    pub(super) first: DateTime<Utc>,
    pub(super) last: DateTime<Utc>,
    pub(super) count: u64,
    pub(super) evidence: Evidence,
    /// Our own servers know of it, or the bounce is authenticated.
    pub(super) proven: bool,
}

impl Said {
    /// Whether it says that mail is refused, and not only put off or slowed down.
    pub(super) fn is_block(&self) -> bool {
        match self.category {
            Category::Block => true,
            Category::Authentication | Category::Policy => !self.is_deferred,
            Category::Throttle | Category::Other => false,
        }
    }
}

struct Accepted {
    source_ip: Option<IpAddr>,
    server: String,
    provider: String,
    last: DateTime<Utc>,
}

/// All of it.
pub(super) struct Known {
    pub(super) said: Vec<Said>,
    accepted: Vec<Accepted>,
    /// Our hosts that wrote logs or asked, and the own addresses that are known of each.
    servers: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Known {
    pub(super) fn load(
        conn: &Connection,
        ours: &Ours<'_>,
        since: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let mut this = Self {
            said: Vec::new(),
            accepted: Vec::new(),
            servers: BTreeMap::new(),
        };
        let mut meanings = Meanings::default();
        this.successes(conn, since)?;
        this.refusals(conn, since, &mut meanings)?;
        this.bounces(conn, ours, since, &mut meanings)?;
        Ok(this)
    }

    fn server(&mut self, server: &str, ip: Option<IpAddr>) {
        let known = self.servers.entry(server.to_ascii_lowercase()).or_default();
        known.extend(ip);
    }

    fn successes(&mut self, conn: &Connection, since: DateTime<Utc>) -> Result<(), Error> {
        let mut find = conn
            .prepare("SELECT source_ip, server, provider, last FROM accepted WHERE last >= ?1")?;
        let mut rows = find.query([since.timestamp()])?;
        while let Some(row) = rows.next()? {
            let accepted = Accepted {
                source_ip: read::ip(row, 0)?,
                server: row.get(1)?,
                provider: row.get(2)?,
                last: time(row, 3)?,
            };
            self.server(&accepted.server, accepted.source_ip);
            self.accepted.push(accepted);
        }
        Ok(())
    }

    fn refusals(
        &mut self,
        conn: &Connection,
        since: DateTime<Utc>,
        meanings: &mut Meanings,
    ) -> Result<(), Error> {
        let mut find = conn.prepare(
            "SELECT source_ip, server, provider, remote_host, is_deferred, code, text, first, last,
                    count, via
               FROM refusal WHERE day >= ?1 ORDER BY day, id",
        )?;
        let mut rows = find.query([since.timestamp().div_euclid(86_400)])?;
        while let Some(row) = rows.next()? {
            let mut said = Said {
                source_ip: read::ip(row, 0)?,
                server: row.get(1)?,
                provider: row.get(2)?,
                remote_host: row.get(3)?,
                is_deferred: row.get(4)?,
                code: row.get(5)?,
                category: Category::Other,
                text: row.get(6)?,
                first: time(row, 7)?,
                last: time(row, 8)?,
                count: u64::try_from(row.get::<_, i64>(9)?).unwrap_or_default(),
                evidence: match row.get::<_, i64>(10)? {
                    0 => Evidence::Log,
                    _ => Evidence::Probe,
                },
                proven: true,
            };
            said.category = meanings.of(&said);
            self.server(&said.server, said.source_ip);
            self.said.push(said);
        }
        Ok(())
    }

    fn bounces(
        &mut self,
        conn: &Connection,
        ours: &Ours<'_>,
        since: DateTime<Utc>,
        meanings: &mut Meanings,
    ) -> Result<(), Error> {
        let mut find = conn.prepare(
            "SELECT b.reporting_mta, y.remote_mta, y.recipient, y.action, y.code, y.diagnostic,
                    r.time, r.trust
               FROM report r
               CROSS JOIN bounce b ON b.report = r.id
               CROSS JOIN bounce_recipient y ON y.report = r.id
              WHERE r.kind = 5 AND r.counted = 1 AND r.trust <> 2 AND r.time >= ?1
                AND y.code IS NOT NULL
              ORDER BY r.time DESC, r.id DESC, y.n DESC LIMIT ?2",
        )?;
        let mut rows = find.query((since.timestamp(), BOUNCES))?;
        // Those of a day that say the same are one: anybody can send a bounce, and many.
        let mut alike: HashMap<_, Said> = HashMap::new();
        while let Some(row) = rows.next()? {
            let text = read::text(row, 5)?.unwrap_or_default();
            let remote_host = read::text(row, 1)?;
            let provider = match (remote_host, codes::find(text, None)) {
                (Some(host), _) => codes::provider(host).into_owned(),
                (None, Some(entry)) => entry.provider.to_owned(),
                (None, None) => {
                    let domain = read::text(row, 2)?.and_then(of_address);
                    domain.map_or_else(
                        || "unknown".to_owned(),
                        |d| codes::provider(&d).into_owned(),
                    )
                }
            };
            let server = read::text(row, 0)?.unwrap_or_default().to_ascii_lowercase();
            let named = own_address(text, &provider, |ip| ours.has_ip(ip));
            if !self.is_ours(ours, &server, named) {
                continue;
            }
            let when = time(row, 6)?;
            let is_deferred = row.get::<_, Option<i64>>(3)? == Some(1);
            let code: String = row.get(4)?;
            let proven = row.get::<_, i64>(7)? == 1;
            let key = (
                when.date_naive(),
                named,
                server.clone(),
                provider.clone(),
                code.clone(),
                (is_deferred, proven),
            );
            if let Some(said) = alike.get_mut(&key) {
                said.first = when;
                said.count += 1;
                continue;
            }
            if alike.len() >= DIFFERENT {
                continue;
            }
            let mut said = Said {
                source_ip: named,
                server,
                provider,
                remote_host: remote_host.map(str::to_owned),
                is_deferred,
                code,
                category: Category::Other,
                text: text.to_owned(),
                first: when,
                last: when,
                count: 1,
                evidence: Evidence::Bounce,
                proven,
            };
            said.category = meanings.of(&said);
            alike.insert(key, said);
        }
        let from = self.said.len();
        self.said.extend(alike.into_values());
        if let Some(bounced) = self.said.get_mut(from..) {
            bounced.sort_by(|a, b| (a.last, &a.code).cmp(&(b.last, &b.code)));
        }
        Ok(())
    }

    /// Whether a bounce is about mail that one of ours sent: other servers that passed our mail on
    /// tell of their own refusals.
    fn is_ours(&self, ours: &Ours<'_>, server: &str, named: Option<IpAddr>) -> bool {
        if let Some(ip) = named
            && !ours.networks.is_empty()
        {
            return ours.has_ip(ip);
        }
        if self.servers.keys().any(|known| same(known, server)) || ours.has_host(server) {
            return true;
        }
        // Nothing says what is ours: then everything is.
        ours.domains.is_empty() && self.servers.is_empty()
    }

    /// The one address that is known of a host of ours; `None` where there is none, or more.
    pub(super) fn only_ip(&self, server: &str) -> Option<IpAddr> {
        let ips = self.ips(server);
        let mut ips = ips.iter();
        let only = ips.next().copied();
        only.filter(|_| ips.next().is_none())
    }

    fn ips(&self, server: &str) -> BTreeSet<IpAddr> {
        let known = self.servers.iter().filter(|(known, _)| same(known, server));
        known.flat_map(|(_, ips)| ips.iter().copied()).collect()
    }

    /// One name for a host that logs with its short name and bounces with its full one.
    pub(super) fn host(&self, server: &str) -> String {
        let server = server.to_ascii_lowercase();
        let mut known = self.servers.keys().filter(|known| same(known, &server));
        known.next().cloned().unwrap_or(server)
    }

    /// When a provider last took mail from an address of ours, or from these hosts where theirs is not
    /// known. Where hosts have several addresses, and it is not known from which one it was taken, that
    /// says nothing about a certain one.
    pub(super) fn accepted(
        &self,
        ip: Option<IpAddr>,
        servers: &[&str],
        provider: &str,
    ) -> Option<DateTime<Utc>> {
        let from_here = |accepted: &Accepted| match (accepted.source_ip, ip) {
            (Some(from), Some(ip)) => from == ip,
            (Some(_), None) => false,
            (None, _) => {
                servers.iter().any(|server| same(server, &accepted.server))
                    && (ip.is_none() || self.ips(&accepted.server).len() < 2)
            }
        };
        self.accepted
            .iter()
            .filter(|accepted| accepted.provider == provider && from_here(accepted))
            .map(|accepted| accepted.last)
            .max()
    }
}

/// Whether two names are those of one host: equal, or one the first label of the other.
fn same(a: &str, b: &str) -> bool {
    let begins = |long: &str, short: &str| {
        !short.is_empty()
            && long
                .get(..short.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(short))
            && long
                .get(short.len()..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            && (long.len() == short.len() || !short.contains('.'))
    };
    begins(a, b) || begins(b, a)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    Ok(DateTime::from_timestamp(row.get(column)?, 0).unwrap_or_default())
}

/// What codes are about, looked up once each.
#[derive(Default)]
struct Meanings(HashMap<(String, String), Category>);

impl Meanings {
    fn of(&mut self, said: &Said) -> Category {
        let key = (said.code.clone(), said.provider.clone());
        *self.0.entry(key).or_insert_with(|| {
            match codes::find(&said.text, said.remote_host.as_deref()) {
                Some(entry) if entry.category.is_about_us() => entry.category,
                // A provider's code that the catalogue does not know.
                _ if said.is_deferred => Category::Throttle,
                _ => Category::Block,
            }
        })
    }
}
