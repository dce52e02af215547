//! Changes of a table's date by its host: moving it, and cancelling one date of a weekly table.

use signaling::board::{BoardNews, NoticeKind};
use signaling::message::ErrorCode;

use super::key::Key;
use super::table::{Kind, LastReminder, Table};
use super::{Board, HORIZON_MS, MINUTE_MS, notice, require};

impl Board {
    /// Moves a table that has not begun, and informs the others at it. People who have a seat elsewhere at the new time
    /// lose theirs here, and places in line likewise. Only this date of a weekly table moves.
    ///
    /// # Errors
    /// `no_such_table`, `not_host`, `slot_past`, `slot_too_far`; `already_seated` if the host has a seat elsewhere then.
    pub fn move_table(&mut self, now: u64, key: &str, id: &str, starts: u64, minutes: u32) -> Result<(), ErrorCode> {
        let table = self.tables.get(id).ok_or(ErrorCode::NoSuchTable)?;
        require(table.host == key, ErrorCode::NotHost)?;
        require(now < table.starts && now < starts, ErrorCode::SlotPast)?;
        require(starts <= now.saturating_add(HORIZON_MS), ErrorCode::SlotTooFar)?;
        let ends = starts + u64::from(minutes) * MINUTE_MS;
        if (table.starts, table.ends) == (starts, ends) {
            return Ok(());
        }
        require(!table.seats_key(key) || !self.is_busy_elsewhere(key, id, starts, ends), ErrorCode::AlreadySeated)?;
        let everybody = self.everybody_at(table);
        self.change(id, |table| {
            (table.starts, table.ends) = (starts, ends);
            // Higher than that of everybody for whom the table was cancelled before.
            table.sequence = table.sequence.saturating_add(2);
            table.stamped = now;
            for seat in &mut table.taken {
                seat.last_reminder = LastReminder::Nothing;
            }
        });
        self.inform(id, key, &everybody, NoticeKind::Moved);
        self.make_way(now, id, &everybody);
        Ok(())
    }

    /// Cancels this date of a weekly table, and informs the others at it. The next date is laid.
    ///
    /// # Errors
    /// `no_such_table`, also for a table that is not weekly; `not_host`.
    pub fn cancel_date(&mut self, now: u64, key: &str, id: &str) -> Result<(), ErrorCode> {
        let table = self.tables.get(id).ok_or(ErrorCode::NoSuchTable)?;
        require(table.host == key, ErrorCode::NotHost)?;
        let Kind::Weekly { at } = table.kind else { return Err(ErrorCode::NoSuchTable) };
        let (table, everybody) = (table.clone(), self.everybody_at(table));
        self.inform(id, key, &everybody, NoticeKind::Deleted);
        self.cancel_seats(now, id);
        self.drop_table(id);
        self.lay_again(now, table, at);
        Ok(())
    }

    fn everybody_at(&self, table: &Table) -> Vec<Key> {
        let line = table.waiting.iter().map(|waiting| &waiting.id);
        table.taken.iter().map(|seat| &seat.key).chain(line).cloned().collect()
    }

    fn inform(&mut self, id: &str, host: &str, everybody: &[Key], kind: NoticeKind) {
        let Some(notice) = self.tables.get(id).map(|table| notice(table, kind)) else { return };
        for other in everybody.iter().filter(|key| *key != host) {
            self.notify(other.clone(), BoardNews::Notice(notice.clone()));
        }
    }

    /// Frees the seats and places of people who have a seat elsewhere at a table's new time. The others give up their
    /// places in line at that time.
    fn make_way(&mut self, now: u64, id: &str, everybody: &[Key]) {
        let Some((starts, ends)) = self.tables.get(id).map(|table| (table.starts, table.ends)) else { return };
        let (busy, free): (Vec<&Key>, Vec<&Key>) =
            everybody.iter().partition(|key| self.is_busy_elsewhere(key, id, starts, ends));
        // First the line, so that nobody who is busy moves up.
        self.change(id, |table| table.waiting.retain(|waiting| !busy.contains(&&waiting.id)));
        for key in busy {
            if self.tables.get(id).is_some_and(|table| table.seats_key(key)) {
                self.get_up(now, id, key);
            }
        }
        for key in free {
            if self.tables.get(id).is_some_and(|table| table.seats_key(key)) {
                self.leave_lines(key, starts, ends);
                self.no_longer_hungry_if_busy(now, key);
            }
        }
    }

    fn is_busy_elsewhere(&self, key: &str, id: &str, starts: u64, ends: u64) -> bool {
        let sits = |table: &Table| table.seats_key(key) && !self.keeps_seat_of(table, key);
        self.tables.values().any(|table| table.id != id && table.overlaps(starts, ends) && sits(table))
    }
}
