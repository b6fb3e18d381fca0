//! The two backends, with the settings of the kit's unit, and their replacement one after the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quantum::drive::load::{MANY_PANES, Script, large_widget, send};
use quantum::drive::service::Service;
use quantum::drive::{free_address, output, write};

/// Between two snapshots. Longer than the second that heaplens lets pass before it looks for growth.
const INTERVAL: &str = "1200ms";
/// Beside these, whenever so much has come since the last one, and at steps of the limit.
const TRIGGERS: &str = "limit,growth=4MiB";
/// What the unit allows.
const LIMIT: &str = "512MiB";
/// How long nginx may leave a backend alone after it was gone (nginx/widget.conf).
const SETTLE: Duration = Duration::from_secs(3);

/// Two backends, as nginx and Prometheus know them.
#[derive(Debug)]
pub(crate) struct Backends {
    output: PathBuf,
    database: PathBuf,
    /// The file with the token that their endpoints ask for.
    pub(crate) token: PathBuf,
    listen: [SocketAddr; 2],
    endpoints: [SocketAddr; 2],
    services: [Option<Service>; 2],
}

impl Backends {
    /// Starts both, with the leak, and publishes all widgets. Snapshots go to `output`, all else to `folder`.
    pub(crate) fn start(folder: &Path, output: &Path) -> Result<Self, String> {
        let token = folder.join("token");
        write(&token, &format!("{:032x}\n", fastrand::u128(..)))?;
        let mut backends = Self {
            output: output.to_owned(),
            database: folder.join("widgets.sqlite"),
            token,
            listen: [free_address()?, free_address()?],
            endpoints: [free_address()?, free_address()?],
            services: [None, None],
        };
        for number in 0..2 {
            let service = backends.launch(number, false)?;
            if number == 0 {
                // To the one that is there: they share the database.
                let mut widgets = Script::new(1).publications();
                widgets.push(large_widget(MANY_PANES));
                send(service.client(), &widgets, &|| ())?;
            }
            backends.services[number] = Some(service);
        }
        Ok(backends)
    }

    /// Where they listen, for nginx.
    pub(crate) fn addresses(&self) -> [String; 2] {
        self.listen.map(|address| address.to_string())
    }

    /// Where heaplens listens in them, for Prometheus.
    pub(crate) fn endpoints(&self) -> [String; 2] {
        self.endpoints.map(|address| address.to_string())
    }

    /// The snapshots of one of them, of the release with or without the fix.
    pub(crate) fn snapshots(&self, number: usize, fixed: bool) -> PathBuf {
        let release = if fixed { "fixed" } else { "leaking" };
        self.output.join(format!("{release}-{}", number + 1))
    }

    /// Puts the fix in the place of a release that leaks, as nginx/widget.conf says: a last snapshot,
    /// stop, start, wait until it is well and three seconds more.
    pub(crate) fn replace(&mut self, number: usize) -> Result<(), String> {
        let old = self.services[number]
            .take()
            .ok_or("no service to replace")?;
        old.client().snapshot("before-stop")?;
        old.stop()?;
        let new = self.launch(number, true)?;
        new.client().healthz()?;
        self.services[number] = Some(new);
        std::thread::sleep(SETTLE);
        Ok(())
    }

    /// Stops both; they take their last snapshots.
    pub(crate) fn stop(self) -> Result<(), String> {
        self.services
            .into_iter()
            .flatten()
            .try_for_each(Service::stop)
    }

    fn launch(&self, number: usize, fixed: bool) -> Result<Service, String> {
        let snapshots = output::clean(&self.snapshots(number, fixed))?;
        let listen = self.listen[number].to_string();
        let endpoint = self.endpoints[number].to_string();
        Service::launch(
            fixed,
            &[
                "--listen".as_ref(),
                listen.as_ref(),
                "--database".as_ref(),
                self.database.as_os_str(),
            ],
            // Nothing about sampling: it is the default's, one in 512 KiB.
            &[
                ("HEAPLENS_DIR", snapshots.as_os_str()),
                ("HEAPLENS_INTERVAL", INTERVAL.as_ref()),
                ("HEAPLENS_TRIGGERS", TRIGGERS.as_ref()),
                ("HEAPLENS_LIMIT", LIMIT.as_ref()),
                ("HEAPLENS_HTTP", endpoint.as_ref()),
                ("HEAPLENS_HTTP_TOKEN_FILE", self.token.as_os_str()),
            ],
        )
    }
}
