//! Who may call, and whose limits began anew: read together, so that a gateway never goes by half of an edit.
//!
//! It never says which counters a reset means: that is for those who name them.

use rusqlite::params;

use super::{Database, Kept, stored, time};
use crate::store::kept::{KeptReset, Roster, WhichLimits};

impl Database {
    /// Both tables as they were at one moment.
    pub(super) fn roster(&self) -> Kept<Roster> {
        let moment = self.connection.unchecked_transaction()?;
        let roster = Roster {
            grants: self.grants()?,
            resets: self.resets()?,
        };
        moment.commit()?;
        Ok(roster)
    }

    fn resets(&self) -> Kept<Vec<KeptReset>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT grant_id, server, rule, times, at FROM resets ORDER BY grant_id, server, rule",
        )?;
        let named = |name: Box<str>| Some(name).filter(|name| !name.is_empty());
        let resets = statement.query_map([], |row| {
            Ok(KeptReset {
                which: WhichLimits {
                    grant: row.get(0)?,
                    server: named(row.get(1)?),
                    rule: named(row.get(2)?),
                },
                times: row.get::<_, i64>(3)?.cast_unsigned(),
                at: time(row, 4)?,
            })
        })?;
        resets.collect()
    }

    /// One row for each choice of limits, however often: operators' scripts must not let the table grow for ever.
    pub(super) fn reset_limits(&mut self, reset: &KeptReset) -> Kept<()> {
        self.changes += 1;
        let which = &reset.which;
        self.connection.execute(
            "INSERT INTO resets (grant_id, server, rule, times, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (grant_id, server, rule) DO UPDATE SET times = times + excluded.times, at = excluded.at",
            params![
                which.grant,
                which.server.as_deref().unwrap_or_default(),
                which.rule.as_deref().unwrap_or_default(),
                reset.times.cast_signed(),
                stored(reset.at)
            ],
        )?;
        Ok(())
    }
}
