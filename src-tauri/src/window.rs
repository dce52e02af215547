//! The window, which shows only our own page.

use crate::desk::{Ask, DeskHandle};
use crate::geometry::Remembered;
use crate::state::AppState;
use engine::{Command, Engine, Stage};
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use tauri::webview::NewWindowResponse;
use tauri::{
    App, AppHandle, DragDropEvent, LogicalSize, Manager, PhysicalSize, Url, WebviewUrl, WebviewWindow,
    WebviewWindowBuilder, WindowEvent,
};

/// The label of the only window, which the capability names.
pub(crate) const MAIN: &str = "main";
const PAGE: &str = "app/index.html";
/// Room for a few words in both languages and two tiles side by side.
const SIZE: (f64, f64) = (1080.0, 720.0);
const SMALLEST: (f64, f64) = (480.0, 360.0);
/// Room for the faces of a few people above the controls.
const SMALL: (f64, f64) = (384.0, 288.0);

/// The origin of the window's page, as in the `Origin` header of its connections.
pub(crate) fn origin(app: &App) -> String {
    let served = app.config().build.dev_url.as_ref().filter(|_| tauri::is_dev());
    match served {
        Some(url) => url.origin().ascii_serialization(),
        // Windows does not support custom schemes.
        None if cfg!(windows) => "http://tauri.localhost".into(),
        None => "tauri://localhost".into(),
    }
}

/// Opens the window where it was the last time, or keeps it `hidden`.
pub(crate) fn open(app: &App, profile: Option<&str>, hidden: bool) -> tauri::Result<()> {
    let title = profile.map_or_else(|| "Lunchroom".to_owned(), |profile| format!("Lunchroom ({profile})"));
    let ours = origin(app);
    let window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App(PAGE.into()))
        .title(title)
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(SMALLEST.0, SMALLEST.1)
        .visible(false)
        .on_navigation(move |url| is_ours(url, &ours))
        .on_new_window(|url, _| {
            tracing::warn!("the page tried to open {}", url.scheme());
            NewWindowResponse::Deny
        })
        .build()?;
    if let Err(error) = app.state::<Remembered>().restore(&window) {
        tracing::warn!("the window is not where it was: {error}");
    }
    take_dropped(&window);
    watch_place(&window);
    watch_page(&window)?;
    if hidden { Ok(()) } else { window.show() }
}

/// Notes where the window is, and hides it instead of closing it if the person wants that.
fn watch_place(window: &WebviewWindow) {
    let watched = window.clone();
    window.on_window_event(move |event| match event {
        WindowEvent::Resized(_) | WindowEvent::Moved(_) => note_place(&watched),
        WindowEvent::CloseRequested { api, .. } => {
            let app = watched.app_handle();
            note_place(&watched);
            app.state::<Remembered>().save();
            let shown = app.state::<DeskHandle>().shown.borrow().clone();
            if shown.settings.close_to_tray && shown.abilities.tray {
                api.prevent_close();
                hide(&watched, &shown);
            }
        }
        _ => {}
    });
}

fn note_place(window: &WebviewWindow) {
    let app = window.app_handle();
    let small = app.state::<Small>();
    // `set_small` holds the lock while it changes the size, which is then not the person's.
    if small.0.try_lock().is_ok_and(|before| before.is_none()) {
        app.state::<Remembered>().note(window);
    }
}

/// Hides the window. A call ends: nobody is to be seen and heard without knowing.
fn hide(window: &WebviewWindow, shown: &AppState) {
    match shown.call.stage {
        Stage::Idle | Stage::Ended(_) => {}
        Stage::Joining | Stage::Knocking | Stage::Joined | Stage::Reconnecting => {
            let engine = window.state::<Arc<Engine>>().inner().clone();
            tauri::async_runtime::spawn(async move {
                if let Err(error) = engine.command(Command::Leave).await {
                    tracing::warn!("{error}");
                }
            });
        }
    }
    if let Err(error) = window.hide() {
        tracing::warn!("the window: {error}");
    }
}

/// Files that are dropped on the window wait at the desk until the person says for whom they are.
fn take_dropped(window: &WebviewWindow) {
    let app = window.app_handle().clone();
    window.on_window_event(move |event| {
        if let WindowEvent::DragDrop(DragDropEvent::Drop { paths, .. }) = event {
            let (desk, paths) = (app.state::<DeskHandle>().inner().clone(), paths.clone());
            tauri::async_runtime::spawn(async move { desk.tell(Ask::Dropped(paths)).await });
        }
    });
}

/// Brings the window to the front.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(MAIN) else { return };
    for outcome in [window.show(), window.unminimize(), window.set_focus()] {
        if let Err(error) = outcome {
            tracing::warn!("the window: {error}");
        }
    }
}

/// The size of the window before it was made small. `None` while it is not.
#[derive(Default)]
pub(crate) struct Small(Mutex<Option<PhysicalSize<u32>>>);

/// Makes the window small and keeps it above others, where the system allows that (Wayland does not); or undoes it.
pub(crate) fn set_small(app: &AppHandle, on: bool) -> tauri::Result<()> {
    let Some(window) = app.get_webview_window(MAIN) else { return Ok(()) };
    let small = app.state::<Small>();
    let mut before = small.0.lock().unwrap_or_else(PoisonError::into_inner);
    if on == before.is_some() {
        return Ok(());
    }
    let limit = |(width, height)| Some(LogicalSize::new(width, height));
    match before.take() {
        None => {
            window.unmaximize()?;
            *before = Some(window.inner_size()?);
            window.set_min_size(limit(SMALL))?;
            window.set_size(LogicalSize::new(SMALL.0, SMALL.1))?;
        }
        Some(size) => {
            window.set_min_size(limit(SMALLEST))?;
            window.set_size(size)?;
        }
    }
    window.set_always_on_top(on)
}

fn is_ours(url: &Url, origin: &str) -> bool {
    let is = url.as_str().strip_prefix(origin).is_some_and(|rest| rest.starts_with('/'));
    if !is {
        tracing::warn!("the page tried to navigate elsewhere");
    }
    is
}

/// Reloads the page when its process ends. The system may kill that process, or it may crash. The call continues in our
/// process, and the reloaded page shows the reason.
#[cfg(target_os = "linux")]
fn watch_page(window: &WebviewWindow) -> tauri::Result<()> {
    use std::cell::RefCell;
    use std::time::{Duration, Instant};
    use webkit2gtk::WebViewExt as _;
    const TOO_OFTEN: (usize, Duration) = (5, Duration::from_secs(60));
    let app = window.app_handle().clone();
    window.with_webview(move |webview| {
        let falls = RefCell::new(vec![]);
        webview.inner().connect_web_process_terminated(move |view, reason| {
            tracing::error!("the page's process ended: {reason:?}");
            let mut falls = falls.borrow_mut();
            falls.retain(|at: &Instant| at.elapsed() < TOO_OFTEN.1);
            falls.push(Instant::now());
            if falls.len() > TOO_OFTEN.0 {
                tracing::error!("the page's process keeps ending");
                app.exit(i32::from(crate::NO_WINDOW));
                return;
            }
            view.reload();
            restarted(&app);
        });
    })
}

#[cfg(not(target_os = "linux"))]
fn watch_page(_: &WebviewWindow) -> tauri::Result<()> {
    Ok(()) // macOS reports it through the builder's `on_web_content_process_terminate`; WebView2 restarts automatically
}

#[cfg_attr(not(target_os = "linux"), expect(dead_code))]
fn restarted(app: &AppHandle) {
    let desk = app.state::<DeskHandle>().inner().clone();
    let problem = engine::Problem {
        code: "window_restarted".into(),
        message: "The window stopped and was restarted. The call continued.".into(),
        device: None,
    };
    tauri::async_runtime::spawn(async move { desk.tell(Ask::Problem(problem)).await });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_only_navigates_to_our_page() {
        let ours = |url: &str| is_ours(&Url::parse(url).unwrap(), "tauri://localhost");
        assert!(ours("tauri://localhost/app/index.html"));
        for foreign in
            ["https://localhost/", "tauri://localhost.evil/", "about:blank", "data:text/html,x", "file:///etc/"]
        {
            assert!(!ours(foreign), "{foreign}");
        }
    }
}
