//! The shell around the window: commands that only forward, one state that the page receives, deep links, the tray, and
//! the frame socket.
//!
//! ```text
//!  page ──commands──▶ engine, desk        desk: settings, links, hosting
//!  page ◀──AppUpdate── desk ◀──AppView── engine
//!  page ◀──pictures── frame socket ◀──feed── engine
//! ```

mod address;
mod args;
mod autostart;
mod awake;
mod calendar;
mod clipboard;
mod commands;
mod desk;
mod display;
mod exit;
mod figures;
mod folders;
mod frames;
mod geometry;
mod global_keys;
mod host;
mod key;
mod logging;
mod notify;
mod own_avatar;
mod settings;
mod sign_in;
pub mod state;
#[cfg(test)]
mod testing;
mod tray;
mod window;
mod words;

use args::Args;
use autostart::Autostart;
use clap::Parser as _;
use desk::{Ask, DeskHandle, Opening};
use engine::media::encoded::VideoCodec;
use engine::{Command, DeviceChoice, Engine, EngineConfig, MicrophoneOptions, Problem};
use folders::Folders;
use frames::{Fallback, FrameSocket};
use geometry::Remembered;
use settings::SettingsFile;
use state::{Abilities, Settings};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use tauri::{App, AppHandle, Manager, RunEvent};
use tokio::sync::oneshot;
use tracing_appender::non_blocking::WorkerGuard;

/// Software and version, for the server's log.
const CLIENT: &str = concat!("lunchroom ", env!("CARGO_PKG_VERSION"));
/// Exit code for an invalid command line.
const BAD_ARGUMENTS: u8 = 2;
/// Exit code when there is no display.
const NO_DISPLAY: u8 = 3;
/// Exit code when no window could be opened, or its process keeps crashing.
const NO_WINDOW: u8 = 4;

/// How long to wait at the end until the others are notified that we leave.
const GOODBYE: Duration = Duration::from_secs(2);

/// Runs the app until it exits.
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print(); // there is no place to report it
            return if error.use_stderr() { ExitCode::from(BAD_ARGUMENTS) } else { ExitCode::SUCCESS };
        }
    };
    if display::open().is_err() {
        eprintln!("{}", words::NO_DISPLAY);
        return ExitCode::from(NO_DISPLAY);
    }
    exit::skip_destructors();
    // Holds the log's guard until the end. Dropping it writes the last lines.
    let (log, _kept) = sync_channel(1);
    match build(args, log) {
        Ok(app) => ExitCode::from(app.run_return(on_event) as u8),
        Err(error) => {
            tracing::error!("{error}");
            eprintln!("lunchroom: {error}\n{}", words::NO_WEBVIEW);
            ExitCode::from(NO_WINDOW)
        }
    }
}

fn build(args: Args, log: SyncSender<WorkerGuard>) -> tauri::Result<App> {
    let mut context = tauri::generate_context!();
    if let Some(profile) = &args.profile {
        // Folders, the bus name and the web view's data are derived from the identifier.
        let identifier = &mut context.config_mut().identifier;
        identifier.push('.');
        identifier.push_str(profile);
    }
    with_commands(with_plugins(tauri::Builder::default())).setup(move |app| set_up(app, args, log)).build(context)
}

/// What the page may call. Tauri takes all commands in one list.
macro_rules! commands {
    () => {
        tauri::generate_handler![
            commands::subscribe,
            commands::join,
            commands::leave,
            commands::set_microphone,
            commands::set_camera,
            commands::share::screens,
            commands::share::share,
            commands::share::stop_share,
            commands::set_hand,
            commands::react,
            commands::send_chat,
            commands::web::open_web,
            commands::files::send_files,
            commands::files::send_dropped,
            commands::files::dismiss_dropped,
            commands::files::transfer,
            commands::files::show_transfer,
            commands::drop_line,
            commands::small_window,
            commands::compare,
            commands::mark_compared,
            commands::preview,
            commands::select_devices,
            commands::refresh_devices,
            commands::test_sound,
            commands::check_sound,
            commands::play_anyway,
            commands::save_settings,
            commands::set_avatar,
            commands::photo,
            commands::open_link,
            commands::dismiss_link,
            commands::dismiss_notice,
            commands::dismiss_reminders,
            commands::host_here,
            commands::stop_hosting,
            commands::connect,
            commands::disconnect,
            commands::stats,
            commands::levels,
            commands::check_connection,
            commands::check_others,
            commands::tiles,
            commands::next_frame,
            commands::export_log,
            commands::copy,
            commands::tables::lay_table,
            commands::tables::take_seat,
            commands::tables::leave_seat,
            commands::tables::delete_table,
            commands::tables::cancel_date,
            commands::tables::move_table,
            commands::tables::eat_now,
            commands::tables::stop_waiting,
            commands::tables::set_presence,
            commands::tables::about_me,
            commands::tables::save_about_me,
            commands::tables::forget_me,
            commands::tables::make_invite,
            commands::tables::ics,
            commands::tables::save_calendar,
            commands::tables::calendar_address,
            commands::tables::revoke_calendar,
            commands::rounds::lay_round,
            commands::rounds::cancel_round,
            commands::rounds::sign_up,
            commands::rounds::withdraw,
            commands::order::report,
            commands::order::block,
            commands::order::unblock,
            commands::order::acts_seen,
            commands::order::close_table,
            commands::order::suspend,
            commands::order::lift,
            commands::order::close_report,
            commands::order::order_book,
            commands::account::account_sign_in,
            commands::account::account_devices,
            commands::account::remove_device,
            commands::tables::admit,
            commands::tables::refuse,
            commands::tables::lock,
            commands::tables::mute,
            commands::tables::lower_hand,
            commands::tables::spotlight,
            commands::tables::hand_over,
            commands::tables::remove,
        ]
    };
}

fn with_commands(builder: tauri::Builder<tauri::Wry>) -> tauri::Builder<tauri::Wry> {
    builder.invoke_handler(commands!())
}

fn with_plugins(builder: tauri::Builder<tauri::Wry>) -> tauri::Builder<tauri::Wry> {
    builder
        .plugin(tauri_plugin_single_instance::init(|app, argv, _| another_start(app, argv)))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_dialog::init())
}

/// Starts everything behind the window, then opens the window.
fn set_up(app: &mut App, args: Args, log: SyncSender<WorkerGuard>) -> Result<(), Box<dyn std::error::Error>> {
    let folders = Folders::find(app.handle())?;
    if let Some(guard) = logging::start(&folders.log, args.log) {
        log.try_send(guard)?;
    }
    tracing::info!("lunchroom {} starts", env!("CARGO_PKG_VERSION"));
    let (mut settings, settings_problem) = SettingsFile::open(&folders.config);
    let abilities = Abilities {
        tray: tray::is_possible(),
        autostart: args.profile.is_none(),
        global_keys: global_keys::are_possible(),
    };
    let autostart_problem = if abilities.autostart { follow_system(&folders.autostart, &mut settings) } else { None };
    let (key, key_problem) = key::device_key(&folders.config);
    let origin = window::origin(app);
    let config = engine_config(&args, &settings, key.clone());
    let (link, profile, hidden) = (args.link.clone(), args.profile.clone(), args.hidden);
    let (engine, desk, fallback) = tauri::async_runtime::block_on(async {
        let engine = Arc::new(Engine::start(config)?);
        engine.command(Command::SetDownloads(folders.downloads.clone())).await?;
        let frames = match args.no_frame_socket {
            true => None,
            false => frame_socket(engine.clone(), origin).await,
        };
        let problems = settings_problem.into_iter().chain(key_problem).chain(autostart_problem).collect();
        let opening = Opening {
            args,
            folders: folders.clone(),
            engine: engine.clone(),
            key,
            settings,
            problems,
            frames,
            abilities,
        };
        let (desk, fallback) = (desk::start(opening), Fallback::start(engine.clone()));
        Ok::<_, engine::EngineError>((engine, desk, fallback))
    })?;
    let remembered = Remembered::open(&folders.config);
    own_avatar::start(engine.clone(), desk.clone());
    app.manage(engine);
    app.manage(desk);
    app.manage(fallback);
    app.manage(folders);
    app.manage(clipboard::Clipboard::default());
    app.manage(window::Small::default());
    app.manage(commands::account::SignIns::default());
    app.manage(remembered);
    register_links(app, profile.as_deref());
    if let Some(link) = link {
        open_link(app.handle(), link);
    }
    awake::follow(app.handle());
    notify::follow(app.handle().clone());
    global_keys::follow(app.handle().clone());
    end_on_signal(app.handle().clone());
    window::open(app, profile.as_deref(), hidden)?;
    Ok(())
}

/// The person may have changed in the system's settings whether the app starts at login.
fn follow_system(autostart: &Autostart, settings: &mut SettingsFile) -> Option<Problem> {
    autostart.refresh();
    let settled = Settings { autostart: autostart.is_on(), ..settings.get().clone() };
    if settled == *settings.get() { None } else { settings.set(settled).err() }
}

fn engine_config(args: &Args, settings: &SettingsFile, key: engine::signaling::identity::DeviceKey) -> EngineConfig {
    let kept = settings.get().devices.clone();
    EngineConfig {
        client: CLIENT.into(),
        key,
        codecs: VideoCodec::ALL.to_vec(),
        video: args.size.unwrap_or_default(),
        processing: desk::processing(settings.get()),
        ice_servers: None,
        relay_only: settings.get().relay_only,
        include_loopback: args.loopback,
        meets: None,
        microphone: MicrophoneOptions::default(),
        devices: DeviceChoice {
            camera: args.camera.clone().or(kept.camera),
            microphone: args.microphone.clone().or(kept.microphone),
            speaker: args.speaker.clone().or(kept.speaker),
        },
        audio_tap: None,
    }
}

/// Starts the frame socket. Without it, the window requests its pictures one at a time.
async fn frame_socket(engine: Arc<Engine>, origin: String) -> Option<FrameSocket> {
    let started = FrameSocket::start(engine, origin).await;
    started.inspect_err(|error| tracing::warn!("no frame socket: {error}")).ok()
}

/// Exits on shutdown or Ctrl-C, so that the others are notified that we leave.
fn end_on_signal(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        if signalled().await.is_ok() {
            app.exit(0);
        }
    });
}

#[cfg(unix)]
async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => pressed,
    }
}

#[cfg(not(unix))]
async fn signalled() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Called when the app is started a second time, perhaps with a link.
fn another_start(app: &AppHandle, argv: Vec<String>) {
    let (link, shows) = Args::of_second_start(argv);
    if let Some(link) = link {
        open_link(app, link);
    }
    if shows {
        window::show(app);
    }
    tracing::debug!("the app was started another time");
}

/// Shows a link and asks about it. This joins nothing.
fn open_link(app: &AppHandle, link: String) {
    let desk = app.state::<DeskHandle>().inner().clone();
    tauri::async_runtime::spawn(async move {
        if let Err(error) = desk.ask(|answer| Ask::OpenLink(link, answer)).await {
            tracing::warn!("a link was refused: {error}");
        }
    });
}

/// Registers this build as the handler of links. A package registers installed apps, so only development builds
/// register themselves, and profiles never do.
fn register_links(app: &App, profile: Option<&str>) {
    use tauri_plugin_deep_link::DeepLinkExt as _;
    let ours = cfg!(debug_assertions) && cfg!(any(target_os = "linux", windows)) && profile.is_none();
    if ours && let Err(error) = app.deep_link().register_all() {
        tracing::warn!("links do not open this build: {error}");
    }
    if cfg!(target_os = "macos") {
        // On other systems, links arrive on the command line.
        let handle = app.handle().clone();
        app.deep_link().on_open_url(move |event| {
            event.urls().into_iter().for_each(|url| open_link(&handle, url.into()));
            window::show(&handle);
        });
    }
}

fn on_event(app: &AppHandle, event: RunEvent) {
    if let RunEvent::Exit = event {
        app.state::<Remembered>().save();
        let engine = app.state::<Arc<Engine>>().inner().clone();
        let desk = app.state::<DeskHandle>().inner().clone();
        tauri::async_runtime::block_on(async move {
            let (done, stopped) = oneshot::channel();
            let goodbye = async {
                desk.tell(Ask::Stop(done)).await;
                let _ = stopped.await; // an error: it has ended already
                engine.end().await;
            };
            if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
                tracing::warn!("leaving took too long");
            }
        });
    }
}
