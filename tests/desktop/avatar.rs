//! The own photo, from a file that is chosen in the real window to the others.

use super::*;
use engine::signaling::board::BoardRequest;
use engine::{AppView, BoardAnswer, Command};

/// Chooses a picture of 300x200 pixels, as the file dialog would.
const CHOOSE: &str = "
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [300, 200];
    canvas.getContext('2d').fillRect(0, 0, 150, 200);
    canvas.toBlob(blob => {
        const list = new DataTransfer(), field = document.querySelector('#avatar-file');
        list.items.add(new File([blob], 'me.png'));
        field.files = list.files;
        field.dispatchEvent(new Event('change'));
    });";

#[test]
fn a_photo_that_is_chosen_in_the_window_is_shown_there_and_to_others() {
    let Some(place) = Place::new() else { return };
    let server = ServerAddress { url: place.url.parse().expect("a URL"), fingerprint: None };
    let ada = App::start(&place.desktop, PROGRAM, "Ada", Value::Null, &["--server", &place.url]);
    ada.until("the board", "return !!document.querySelector('#lay-table')?.getClientRects().length");
    ada.press("#board-more");
    ada.press(".menu:popover-open button:last-child");
    ada.until("the settings", "return !!document.querySelector('#avatar-file')");
    ada.run(CHOOSE);
    ada.until("the photo", "return document.querySelector('lr-avatar-editor .avatar img')?.naturalWidth === 256");
    place.runtime.block_on(async {
        let ben = Person::new(Habits::new("Ben", 440));
        ben.tell(Command::Connect { server, name: "Ben".into() }).await;
        let photo = |view: &AppView| {
            let people = &view.board.as_ref()?.people;
            people.iter().find(|one| one.name == "Ada")?.avatar.photo.clone()
        };
        let view = ben.until("Ada's photo", |view| photo(view).is_some()).await;
        let asked = BoardRequest::Photo { id: photo(&view).expect("just seen") };
        let Ok(BoardAnswer::Photo(jpeg)) = ben.engine.board(asked).await else { panic!("no photo") };
        assert!(jpeg.starts_with("_9j_") && jpeg.len() < 60_100, "a JPEG of {} characters", jpeg.len());
    });
}
