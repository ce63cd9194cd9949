//! nginx, HAProxy and Caddy in front of a server, as operators run them.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use super::ports::free_address;
use super::process::Process;
use super::{SOON, until_some};

/// A proxy ends when its value is dropped.
#[derive(Debug)]
pub struct WebProxy {
    process: Process,
    /// Its address for browsers, such as `http://127.0.0.1:40123`.
    pub url: String,
    _folder: TempDir,
}

impl WebProxy {
    /// Starts nginx on this address. `locations` are the `location` blocks of its only server; they pass requests to
    /// `http://shop`, which keeps its connections to the server.
    pub async fn nginx(listen: &str, server: SocketAddr, locations: &str) -> WebProxy {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = folder.path().display();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {here}/{name};\n"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {here}/pid; error_log stderr;
             events {{ worker_connections 256; }}
             http {{
               access_log off;
               {paths}
               map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
               upstream shop {{ server {server}; keepalive 4; }}
               server {{ listen {listen}; {locations} }}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).expect("the configuration is written");
        let mut command =
            Command::new(if std::path::Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" });
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file).arg("-e").arg("stderr");
        WebProxy::ready(Process::start(&mut command), listen, folder).await
    }

    /// What a `location` needs for WebSockets; everything else is nginx's default.
    pub const WEBSOCKETS: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
                                  proxy_set_header Connection $connection_upgrade;";

    /// Starts HAProxy on this address with its usual settings. `frontend` are further lines of the frontend.
    pub async fn haproxy(listen: &str, server: SocketAddr, frontend: &str) -> WebProxy {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            "defaults
  mode http
  timeout connect 3s
  timeout client 35s
  timeout server 35s
  timeout tunnel 90s
  option forwardfor
frontend web
  bind {listen}
  {frontend}
  default_backend shop
backend shop
  server shop {server}
"
        );
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).expect("the configuration is written");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file);
        WebProxy::ready(Process::start(&mut command), listen, folder).await
    }

    /// Starts Caddy on this address, with HTTP/2 and a certificate that browsers accept with `--ignore-certificate-errors` only.
    pub async fn caddy(listen: &str, server: SocketAddr) -> WebProxy {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            "{{
  admin off
  skip_install_trust
  auto_https disable_redirects
}}
https://{listen} {{
  tls internal
  reverse_proxy {server} {{
    flush_interval -1
  }}
}}
"
        );
        let file = folder.path().join("Caddyfile");
        std::fs::write(&file, config).expect("the configuration is written");
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        // What it keeps, such as its certificates.
        command.env("HOME", folder.path());
        command.env("XDG_DATA_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        let proxy = WebProxy::ready(Process::start(&mut command), listen, folder).await;
        WebProxy { url: format!("https://{listen}"), ..proxy }
    }

    async fn ready(mut process: Process, listen: &str, folder: TempDir) -> WebProxy {
        until_some("listening proxy", SOON, async || {
            assert!(!process.has_ended(), "the proxy ended:\n{}", process.stderr());
            tokio::net::TcpStream::connect(listen).await.ok()
        })
        .await;
        WebProxy { process, url: format!("http://{listen}"), _folder: folder }
    }

    /// A free address, for a server that must know the address of its proxy before it starts.
    pub fn address() -> String {
        free_address()
    }

    pub fn log(&self) -> String {
        self.process.stderr()
    }
}
