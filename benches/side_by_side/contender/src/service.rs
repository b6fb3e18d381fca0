//! The widget service of the examples, without its leak, under this program's allocator.

use crate::widget;
use std::convert::Infallible;
use std::io::Write as _;

/// Serves until the process is killed, or until the standard input ends: then the driver is gone.
pub(crate) fn run() -> Result<Infallible, String> {
    let mut stdout = std::io::stdout();
    // A launcher may stand between this process and the driver, which wants to watch this one.
    writeln!(stdout, "pid {}", std::process::id())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("cannot write to stdout: {error}"))?;
    let options =
        widget::options::Options::parse(["--fixed", "--stop-with-stdin"].map(Into::into))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(widget::service::run(options))?;
    Err("the service was told to stop".to_owned())
}
