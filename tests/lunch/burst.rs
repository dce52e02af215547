//! Bookings as fast as the server can answer.

use crate::habits::{draft, unix_ms};
use engine::AppView;
use engine::signaling::board::{BoardRequest, Draft};
use whole_system::people::Person;

/// How many tables each person creates, on later days.
pub(crate) const EACH: usize = 15;

/// Creates tables as fast as the server answers. Returns the acknowledged ones.
pub(crate) async fn book(person: &Person, index: usize) -> Vec<(usize, String)> {
    let mut acknowledged = Vec::new();
    for day in 1..=EACH as u64 {
        let topic = format!("day {day} of {}", person.name());
        let starts_ms = unix_ms() + day * 86_400_000;
        match person.engine.board(BoardRequest::Lay(Draft { starts_ms, ..draft(&topic) })).await {
            Ok(_) => acknowledged.push((index, topic)),
            Err(_) => break, // the server has died
        }
    }
    acknowledged
}

/// Runs all bookings concurrently.
pub(crate) async fn together<F>(bookings: impl Iterator<Item = F>) -> Vec<(usize, String)>
where
    F: Future<Output = Vec<(usize, String)>>,
{
    let mut pending: Vec<_> = bookings.map(Box::pin).collect();
    let mut done = Vec::new();
    // Poll each whenever one of them wakes the task.
    std::future::poll_fn(|context| {
        pending.retain_mut(|booking| match booking.as_mut().poll(context) {
            std::task::Poll::Ready(mut acknowledged) => {
                done.append(&mut acknowledged);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

/// Number of these tables on a board.
pub(crate) fn booked(view: &AppView) -> usize {
    view.board.iter().flat_map(|board| &board.tables).filter(|table| table.info.topic.starts_with("day ")).count()
}
