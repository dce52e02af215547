//! The contents of a store, as far as rounds are concerned.

use rooms::board::{Key, Round, RoundChange, RoundNews, SavedRounds};

/// Stores a change as the server's store does.
pub(crate) fn write(saved: &mut SavedRounds, change: RoundChange) {
    let is = |news: &RoundNews, key: &Key, round: &str| news.key == *key && news.round == round;
    match change {
        RoundChange::Round(new) => match saved.rounds.iter_mut().find(|round| round.id == new.id) {
            Some(old) => *old = Round { signed_up: std::mem::take(&mut old.signed_up), ..*new },
            None => saved.rounds.push(*new),
        },
        RoundChange::Gone { id } => saved.rounds.retain(|round| round.id != id),
        RoundChange::SignUp { round, sign_up } => {
            let signed_up = &mut find(saved, &round).signed_up;
            match signed_up.iter_mut().find(|one| one.key == sign_up.key) {
                Some(old) => *old = sign_up,
                None => signed_up.push(sign_up),
            }
        }
        RoundChange::Withdrawn { round, key } => find(saved, &round).signed_up.retain(|one| one.key != key),
        RoundChange::Cleared { round } => find(saved, &round).signed_up.clear(),
        RoundChange::News(new) => {
            saved.news.retain(|news| !is(news, &new.key, &new.round));
            saved.news.push(*new);
        }
        RoundChange::NewsGone { key, round } => saved.news.retain(|news| !is(news, &key, &round)),
    }
}

/// Erases somebody as the server's store does.
pub(crate) fn forget(saved: &mut SavedRounds, key: &str) {
    saved.news.retain(|news| news.key != key);
    for round in &mut saved.rounds {
        round.signed_up.retain(|one| one.key != key);
    }
}

fn find<'a>(saved: &'a mut SavedRounds, id: &str) -> &'a mut Round {
    saved.rounds.iter_mut().find(|round| round.id == id).expect("a stored round")
}
