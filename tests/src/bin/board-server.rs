//! The server as a process of its own, for tests that kill it: `board-server ADDRESS FOLDER SECRET`.

use server::{Config, Server, Turn};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, folder, secret] = arguments.as_slice() else { panic!("board-server ADDRESS FOLDER SECRET") };
    let config = Config {
        listen: listen.parse().expect("an address"),
        data_dir: Some(folder.into()),
        member_secret: Some(secret.clone()),
        zone: "Asia/Seoul".into(),
        turn: Turn::Off,
        ..Config::default()
    };
    match Server::start(config).await {
        Ok(server) => {
            println!("listening on {}", server.url());
            std::future::pending::<()>().await;
        }
        Err(error) => println!("{error}"),
    }
}
