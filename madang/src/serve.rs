//! `madang serve`: from the start to the drain.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
};

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    app::App,
    clock::Clock,
    config::{Config, ConfigError, Flags},
    fault,
    http::{
        client::Network,
        serve::{Limits, raise_file_limit, serve as serve_http},
    },
    jobs, metrics,
    router::router,
};

/// Serves until SIGTERM or SIGINT, then drains: a proxy is told and given the time to notice, requests in flight are answered,
/// the job at hand ends. A second signal ends everything at once.
///
/// # Errors
/// A sentence for the operator if the board cannot start.
pub async fn serve(flags: &Flags) -> Result<(), ConfigError> {
    fault::arm().map_err(ConfigError)?;
    let (mut terminate, mut interrupt) = signals()?;
    // From here on, too: the first signal may come as soon as the board says that it listens.
    let all_signals = signals()?;
    if let Err(e) = raise_file_limit() {
        tracing::warn!(cause = %e, "the limit on open files stays as it is");
    }
    let (listener, listening) = listen(flags, "server.listen", flags.server.listen()).await?;
    let metrics_listener = match flags.metrics.metrics_listen {
        Some(address) => Some(listen(flags, "metrics.listen", address).await?),
        None => None,
    };
    let config = Config::new(flags, listening)?;
    let app = tokio::select! {
        opened = App::open(&config, Clock::default()) => opened?,
        // A database that is silent is waited for; nothing is being served yet.
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);
    announce(&config, listening, metrics_address);
    warn_of_dangers(&config, &app, listening);
    tokio::spawn(app.limits.clone().sweep());
    if let Some((listener, _)) = metrics_listener {
        tokio::spawn(serve_metrics(listener, app.clone()));
    }

    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(jobs::run(app.clone(), stopped));
    let (delay, drained) = (flags.server.drain_delay(), app.clone());
    let shutdown = async {
        // Who stops the board by hand has no proxy that would have to notice.
        let by_hand = tokio::select! { _ = terminate.recv() => false, _ = interrupt.recv() => true };
        tracing::info!("draining");
        drained.drain();
        if !by_hand {
            tokio::time::sleep(delay).await;
        }
    };
    let drained = async {
        let unbounded = [&Network::of_this_machine(), &app.config.trusted_proxies[..]].concat();
        let limits = Limits { unbounded, ..Limits::default() };
        let served = serve_http(listener, router(app), limits, shutdown).await;
        let _ = stop.send(true);
        let _ = worker.await;
        served.map_err(|e| ConfigError(e.to_string()))
    };
    tokio::select! {
        ended = drained => ended?,
        () = second_of(all_signals) => tracing::warn!("a second signal: what is in flight is dropped"),
    }
    tracing::info!("stopped");
    Ok(())
}

async fn listen(flags: &Flags, key: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ConfigError> {
    let name = flags.sources.name(key);
    let cannot_listen = |e| ConfigError(format!("cannot listen on {address} ({name}): {e}"));
    let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
    let listening = listener.local_addr().map_err(cannot_listen)?;
    Ok((listener, listening))
}

/// Answers Prometheus until the process ends, also while it drains.
async fn serve_metrics(listener: TcpListener, app: App) {
    const CONNECTIONS: usize = 16;
    let limits = Limits { connections: CONNECTIONS, ..Limits::default() };
    if let Err(e) = serve_http(listener, metrics::router(app), limits, std::future::pending()).await {
        tracing::error!(cause = %e, "metrics are not served");
    }
}

/// SIGTERM and SIGINT, each of those that come from now on.
fn signals() -> Result<(Signal, Signal), ConfigError> {
    let listen = |kind| signal(kind).map_err(|e| ConfigError(e.to_string()));
    Ok((listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?))
}

/// Ends at the second of these.
async fn second_of((mut terminate, mut interrupt): (Signal, Signal)) {
    for _ in 0..2 {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    }
}

/// Tells the operator what he may not have meant.
fn warn_of_dangers(config: &Config, app: &App, listening: SocketAddr) {
    if config.settings.quotas.is_none() {
        tracing::warn!(
            "rate limits are off ({}): anybody may guess passwords and flood",
            config.sources.name("limits.mode")
        );
    }
    if !app.site.secure && !listening.ip().is_loopback() {
        tracing::warn!(
            "log-ins and passwords go over plain http ({}): whoever is on the way reads them",
            config.sources.name("server.public_url")
        );
    }
}

/// Tells the operator where everything is. This is the program's output; the log goes elsewhere.
fn announce(config: &Config, listening: SocketAddr, metrics: Option<SocketAddr>) {
    // Without its address, which may hold a password.
    let database = match config.database_url.split_once(':') {
        Some(("sqlite", path)) => path,
        Some(("mariadb" | "mysql", _)) => "MariaDB",
        _ => "PostgreSQL",
    };
    let metrics = metrics.map(|address| format!("Metrics             http://{address}/metrics\n")).unwrap_or_default();
    let text = format!(
        "Madang listens on   http://{listening}\n\
         Data                {}\n\
         Database            {database}\n\
         Images              {}\n\
         In a browser        {}\n\
         Documentation       {}{}\n{metrics}",
        config.data.path().display(),
        config.media,
        config.public_url,
        config.public_url,
        crate::openapi::DOCS,
    );
    let mut out = io::stdout();
    // Nobody may be reading, which is no reason not to serve.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Logs to standard error: for people on a terminal, else one JSON object a line. `MADANG_LOG` sets levels, such as
/// `warn` or `madang=debug`.
///
/// # Errors
/// A sentence for the operator if `MADANG_LOG` cannot be read.
pub fn start_log() -> Result<(), ConfigError> {
    let levels = std::env::var("MADANG_LOG").unwrap_or_else(|_| "info".to_owned());
    // Targets would take a misspelt level for the name of a module, and log nothing else.
    let level = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    if let Some(part) = levels.split(',').find(|part| !level(part)) {
        return Err(ConfigError(format!("MADANG_LOG cannot be read: {part:?} is no level")));
    }
    let levels: Targets = levels.parse().map_err(|e| ConfigError(format!("MADANG_LOG cannot be read: {e}")))?;
    let registry = tracing_subscriber::registry().with(levels);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    if io::stderr().is_terminal() {
        registry.with(lines).init();
    } else {
        registry.with(lines.json().flatten_event(true)).init();
    }
    // The default hook prints the text of a panic, which may hold anything: the place is enough.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a task panicked");
    }));
    Ok(())
}
