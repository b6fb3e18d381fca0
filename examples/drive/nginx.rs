//! nginx as a process of its own, in a folder of its own, on a free port.
//!
//! Its configuration is the one in `examples/operations/nginx`, word for word but for addresses and paths.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{comes_up, free_address, kit, read, replace, write};

/// Where Debian keeps it, which is not in everybody's search path.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];
/// Longest time from the start of the process until it listens.
const START_LIMIT: Duration = Duration::from_secs(10);

/// As many workers and connections as Debian's nginx.conf gives, and bodies and answers passed on as they
/// come: what is found where somebody once had to stream something.
const PASS_THROUGH: &str = "\
worker_processes auto;
events {
    worker_connections 768;
}
http {
    access_log off;
    upstream widget {
        server 127.0.0.1:8081;
        server 127.0.0.1:8082;
    }
    server {
        listen 127.0.0.1:8080;
        location / {
            proxy_pass http://widget;
            proxy_request_buffering off;
            proxy_buffering off;
        }
    }
}
";

/// Where the temporary files go, whoever runs this.
const OWN_FOLDERS: &str = "http {
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
";

/// What nginx is to do.
#[derive(Debug, Clone)]
pub enum Configuration {
    /// What is in `examples/operations/nginx`.
    Ours,
    /// Few connections, no limits, no buffers.
    PassThrough,
    /// Another one.
    File(PathBuf),
}

/// A running nginx. It ends when this is dropped.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    address: SocketAddr,
    program: &'static str,
    folder: PathBuf,
}

impl Nginx {
    /// Starts it in front of these backends, and waits until it listens.
    pub fn start(
        folder: &Path,
        configuration: &Configuration,
        backends: &[String; 2],
    ) -> Result<Self, String> {
        let address = free_address()?;
        let listen = address.to_string();
        let addresses = |text: &str, listening: &str| {
            replace(
                text,
                &[
                    (listening, &format!("listen {listen};")),
                    ("127.0.0.1:8081", &backends[0]),
                    ("127.0.0.1:8082", &backends[1]),
                ],
            )
        };
        let main = match configuration {
            Configuration::Ours => {
                let kit = kit().join("nginx");
                let site = folder.join("widget.conf");
                write(
                    &site,
                    &addresses(&read(&kit.join("widget.conf"))?, "listen 80;")?,
                )?;
                replace(
                    &read(&kit.join("nginx.conf"))?,
                    &[
                        // Who cannot change users is warned, and stays who he is.
                        ("user www-data;", "user root root;"),
                        ("/var/log/nginx/access.log", "access.log"),
                        ("/etc/nginx/sites-enabled/*", &site.to_string_lossy()),
                    ],
                )?
            }
            Configuration::PassThrough => addresses(PASS_THROUGH, "listen 127.0.0.1:8080;")?,
            Configuration::File(file) => addresses(&read(file)?, "listen 127.0.0.1:8080;")?,
        };
        let main = replace(&main, &[("http {\n", OWN_FOLDERS)])?;
        write(&folder.join("nginx.conf"), &main)?;

        let (program, process) = spawn(folder)?;
        let mut nginx = Self {
            process,
            address,
            program,
            folder: folder.to_owned(),
        };
        nginx.wait()?;
        Ok(nginx)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait(&mut self) -> Result<(), String> {
        let listens = || TcpStream::connect(self.address).is_ok();
        match comes_up(&mut self.process, START_LIMIT, listens) {
            true => Ok(()),
            false => {
                let log = read(&self.folder.join("error.log")).unwrap_or_default();
                Err(format!("nginx does not listen: {}", log.trim_end()))
            }
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // By its own command, since a killed master leaves its workers behind.
        let stopped = command(self.program, &self.folder)
            .args(["-s", "stop"])
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("-p")
        .arg(folder)
        .args(["-c", "nginx.conf", "-e", "error.log", "-g"])
        .arg("daemon off; pid nginx.pid; error_log error.log;")
        .stderr(Stdio::null());
    command
}

fn spawn(folder: &Path) -> Result<(&'static str, Child), String> {
    for program in PROGRAMS {
        match command(program, folder).spawn() {
            Ok(process) => return Ok((program, process)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot start nginx: {error}")),
        }
    }
    Err("needs nginx (apt-get install nginx)".to_owned())
}
