//! The engine's view, converted for the window. Values that two views of the engine share are converted once, and
//! shared here too.

use crate::show;
use crate::state::{BoardState, CallState, ChatLine, Person, Table};
use engine::AppView;
use engine::signaling::board::PersonInfo;
use engine::signaling::board_fold as fold;
use std::collections::HashMap;
use std::sync::Arc;

/// The large parts of the last view, converted.
#[derive(Debug)]
pub(super) struct Converted {
    /// The call that it was converted from, and whether its notice was dismissed.
    call: (Arc<engine::CallView>, bool, Arc<CallState>),
    board: Option<(Arc<fold::BoardState>, Arc<BoardState>)>,
    lines: Shared<engine::ChatLine, ChatLine>,
    tables: Shared<fold::TableView, Table>,
    people: Shared<PersonInfo, Person>,
}

impl Converted {
    pub(super) fn new(view: &AppView) -> Self {
        let mut lines = Shared::default();
        let call = Arc::new(show::call(&view.call, lines.convert(&view.call.chat, show::line)));
        Self {
            call: (view.call.clone(), false, call),
            board: None,
            lines,
            tables: Shared::default(),
            people: Shared::default(),
        }
    }

    /// The call, without its notice if that was dismissed.
    pub(super) fn call(&mut self, view: &AppView, read: bool) -> Arc<CallState> {
        let (of, was_read, call) = &self.call;
        if Arc::ptr_eq(of, &view.call) && *was_read == read {
            return call.clone();
        }
        let mut call = show::call(&view.call, self.lines.convert(&view.call.chat, show::line));
        if read {
            call.notice = None;
        }
        let call = Arc::new(call);
        self.call = (view.call.clone(), read, call.clone());
        call
    }

    /// The board.
    pub(super) fn board(&mut self, view: &AppView) -> Option<Arc<BoardState>> {
        let Some(new) = &view.board else {
            (self.board, self.tables, self.people) = (None, Shared::default(), Shared::default());
            return None;
        };
        match &self.board {
            Some((of, board)) if Arc::ptr_eq(of, new) => Some(board.clone()),
            Some(_) | None => {
                let tables = self.tables.convert(&new.tables, show::table);
                let people = self.people.convert(&new.people, show::person);
                let board = Arc::new(show::board(new, tables, people));
                self.board = Some((new.clone(), board.clone()));
                Some(board)
            }
        }
    }
}

/// The values of one list with their conversions, keyed by address. As many as the list is long.
#[derive(Debug)]
struct Shared<A, B>(HashMap<usize, (Arc<A>, Arc<B>)>);

impl<A, B> Default for Shared<A, B> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<A, B> Shared<A, B> {
    /// Converts a list. Values that were in the last list are not converted again.
    fn convert(&mut self, list: &[Arc<A>], by: impl Fn(&A) -> B) -> Vec<Arc<B>> {
        // The old values are kept alive here, so that an address identifies the same value.
        let mut old = std::mem::replace(&mut self.0, HashMap::with_capacity(list.len()));
        let mut convert = |value: &Arc<A>| {
            let address = Arc::as_ptr(value).addr();
            let (kept, converted) = old.remove(&address).unwrap_or_else(|| (value.clone(), Arc::new(by(value))));
            self.0.insert(address, (kept, converted.clone()));
            converted
        };
        list.iter().map(&mut convert).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_values_are_converted() {
        let mut shared = Shared::default();
        let values: Vec<Arc<u32>> = (0..3).map(Arc::new).collect();
        let first = shared.convert(&values, |n| n * 10);
        let later = [values[2].clone(), Arc::new(7), values[0].clone()];
        let second = shared.convert(&later, |n| n * 10);
        assert_eq!(second.iter().map(|n| **n).collect::<Vec<_>>(), [20, 70, 0]);
        assert!(Arc::ptr_eq(&second[0], &first[2]) && Arc::ptr_eq(&second[2], &first[0]));
        assert_eq!(shared.0.len(), 3, "values that are gone are dropped");
    }
}
