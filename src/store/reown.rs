//! Ours or foreign, decided anew for what is stored.

use std::net::IpAddr;

use rusqlite::params;

use super::{Error, Store};
use crate::report::Complaint;
use crate::report::complaint::{Original, Shape};

impl Store {
    /// Decides for every stored report whether it is ours, by the settings as they are now. How many
    /// became ours, and how many foreign.
    pub fn reown(&mut self) -> Result<(u64, u64), Error> {
        self.begin()?;
        let result = self.reown_inside();
        match result {
            Ok(changed) => {
                self.commit()?;
                Ok(changed)
            }
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }

    fn reown_inside(&self) -> Result<(u64, u64), Error> {
        let mut changed = (0, 0);
        for (id, was_foreign, ours) in self.verdicts()? {
            if was_foreign == ours {
                self.conn
                    .prepare_cached("UPDATE report SET is_foreign = ?2 WHERE id = ?1")?
                    .execute(params![id, !ours])?;
                if ours { changed.0 += 1 } else { changed.1 += 1 }
            }
        }
        Ok(changed)
    }

    /// Each report that can be foreign: its number, whether it is, whether it is ours now.
    fn verdicts(&self) -> Result<Vec<(i64, bool, bool)>, Error> {
        let own = self.own();
        let mut verdicts = Vec::new();
        let mut find = self.conn.prepare(
            "SELECT r.id, r.is_foreign, s.text FROM report r
               JOIN string s ON s.id = r.domain",
        )?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let domain: String = row.get(2)?;
            verdicts.push((row.get(0)?, row.get(1)?, own.has_domain(&domain)));
        }
        let mut find = self.conn.prepare(
            "SELECT r.id, r.is_foreign, json_group_array(y.policy_domain)
                        FILTER (WHERE y.policy_domain IS NOT NULL)
               FROM report r JOIN tls_policy y ON y.report = r.id GROUP BY r.id",
        )?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let domains: String = row.get(2)?;
            let domains: Vec<String> = serde_json::from_str(&domains).unwrap_or_default();
            let ours = domains.is_empty() || domains.iter().any(|domain| own.has_domain(domain));
            verdicts.push((row.get(0)?, row.get(1)?, ours));
        }
        let mut find = self.conn.prepare(
            "SELECT r.id, r.is_foreign, r.kind = 3, f.source_ip, f.original_mail_from, o.sender,
                    (SELECT json_group_array(v.value) FROM feedback_value v WHERE v.report = r.id
                        AND v.extension = 0 AND v.field = 'reported_domain')
               FROM report r JOIN feedback f ON f.report = r.id
               LEFT JOIN original o ON o.report = r.id",
        )?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let source: Option<Vec<u8>> = row.get(3)?;
            let domains: String = row.get(6)?;
            let feedback = Complaint {
                source_ip: source.and_then(|bytes| address(&bytes)),
                original_mail_from: row.get(4)?,
                original: Some(Original {
                    from: row.get(5)?,
                    ..Original::default()
                }),
                reported_domain: serde_json::from_str(&domains).unwrap_or_default(),
                ..Complaint::empty(Shape::Arf)
            };
            let about_domain = row.get(2)?;
            verdicts.push((
                row.get(0)?,
                row.get(1)?,
                own.has_feedback(&feedback, about_domain),
            ));
        }
        Ok(verdicts)
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}
