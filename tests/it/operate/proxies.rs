//! The samples for nginx, Caddy and HAProxy, each run in front of a real node: a WebSocket, a purchase, the address of the
//! client, what is not passed on, and the limits per address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::ports::free_address;
use crate::support::process::Process;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, key};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

/// A client that is neither the proxy nor the node.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Replaces parts of a sample; a part that is not in it fails the test.
fn adapted(sample: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(sample.to_owned(), |text, (part, by)| {
        assert!(text.contains(part), "the sample has no {part:?}:\n{text}");
        text.replace(part, by)
    })
}

struct RunningProxy {
    process: Process,
    url: String,
    _folder: TempDir,
}

impl RunningProxy {
    /// Runs a proxy that answers at `address` when it is up.
    async fn start(mut command: Command, address: &str, folder: TempDir) -> RunningProxy {
        let mut process = Process::start(&mut command);
        until_some("proxy", SOON, async || {
            assert!(!process.has_ended(), "the proxy ended:\n{}", process.stderr());
            TcpStream::connect(address).await.ok()
        })
        .await;
        RunningProxy { process, url: format!("http://{address}"), _folder: folder }
    }
}

/// A node behind a proxy on this machine, and the folder of its data.
async fn shop() -> (Shop, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    (Shop::serve_with(&store, &store, &["--trusted-proxy", "127.0.0.1"]).await, folder)
}

/// What every proxy must do.
async fn assert_shop_works_through(proxy: &RunningProxy, shop: &Shop) {
    // The page, a WebSocket in both directions, and a purchase.
    let rest = Rest::new(&proxy.url).with_token(&shop.token("ann", "viewer"));
    until_some("page", SOON, async || (rest.get("/healthz").await.status == 200).then_some(())).await;
    assert_eq!(rest.get("/watch").await.status, 200, "{}", proxy.process.stderr());
    let mut live = Live::connect(&proxy.url, &shop.stream, Some(&shop.token("ann", "viewer"))).await;
    live.ask(json!({"do": "say", "text": "through the proxy"})).await.unwrap();
    live.event("message", SOON, |event| event["text"] == "through the proxy").await;
    let offer = shop.on_sale(3, json!({})).await;
    // As a browser sends it: with the address of the page, which the node compares with the address that it was called by.
    let headers = [("idempotency-key", key()), ("origin", proxy.url.clone())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let path = format!("/v1/offers/{offer}/orders");
    rest.send(Method::POST, &path, &headers, Some(json!({"qty": 1}))).await.expect(201);
    shop.assert_left(&offer, 2).await;
    // Prometheus asks the nodes, not the proxy.
    let host = Rest::new(&proxy.url).with_token(&shop.token("the-host", "host"));
    assert_eq!(host.get("/metrics").await.status, 404, "/metrics is not passed on");
    assert_eq!(shop.host.get("/metrics").await.status, 200, "the node itself has it");
    // A node sees who the client is, and believes the proxy only.
    let client = reqwest::Client::builder().no_proxy().local_address(CLIENT).build().unwrap();
    let refused = client.get(format!("{}/v1/orders", proxy.url)).header("x-forwarded-for", "203.0.113.9");
    let refused = refused.bearer_auth("no.valid.token").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    until_some("log line with the address of the client", SOON, async || {
        let log = shop.server.process.stderr();
        assert!(!log.contains("203.0.113.9"), "a client can claim any address:\n{log}");
        log.contains(&CLIENT.to_string()).then_some(())
    })
    .await;
}

/// The sample as a complete configuration on a free port. `tls`: keep TLS, with a certificate made for the test.
fn nginx_configuration(folder: &Path, address: &str, redirect: &str, node: SocketAddr, tls: bool) -> String {
    let sample = read("deploy/nginx/livesouk.conf");
    let (node, cert, privkey) = (node.to_string(), folder.join("cert.pem"), folder.join("key.pem"));
    let listen = format!("listen {address}{};", if tls { " ssl http2" } else { "" });
    let mut sample = adapted(
        &sample,
        &[
            ("listen 443 ssl http2;", &listen),
            ("listen [::]:443 ssl http2;", ""),
            ("listen 80;", &format!("listen {redirect};")),
            ("listen [::]:80;", ""),
            ("server 127.0.0.1:8080 ", &format!("server {node} ")),
            ("/etc/ssl/shop.example/fullchain.pem", &cert.display().to_string()),
            ("/etc/ssl/shop.example/privkey.pem", &privkey.display().to_string()),
        ],
    );
    if !tls {
        let is_tls = |line: &&str| line.trim_start().starts_with("ssl_");
        sample = sample.lines().filter(|line| !is_tls(line)).collect::<Vec<_>>().join("\n");
    }
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", folder.join(name).display()))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{sample}\n}}\n",
        folder.join("pid").display()
    )
}

fn nginx(folder: &Path, configuration: &str) -> Command {
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-c").arg(file).arg("-p").arg(folder).args(["-e", "stderr"]);
    command
}

#[tokio::test]
async fn shop_works_behind_nginx() {
    let ((shop, _data), folder) = (shop().await, tempfile::tempdir().unwrap());
    let (address, redirect) = (free_address(), free_address());
    let configuration = nginx_configuration(folder.path(), &address, &redirect, shop.server.address(), false);
    let proxy = RunningProxy::start(nginx(folder.path(), &configuration), &address, folder).await;
    assert_shop_works_through(&proxy, &shop).await;
}

#[tokio::test]
async fn nginx_accepts_the_sample_with_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, privkey) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=shop.example",
        "-keyout",
    ]);
    assert!(openssl.arg(&privkey).arg("-out").arg(&cert).output().expect("openssl runs").status.success());
    let node = free_address().parse().unwrap();
    let configuration = nginx_configuration(folder.path(), &free_address(), &free_address(), node, true);
    let checked = nginx(folder.path(), &configuration).arg("-t").output().expect("nginx runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // The negative control: a setting that does not exist is found.
    let broken = adapted(&configuration, &[("least_conn;", "least_conm;")]);
    assert!(!nginx(folder.path(), &broken).arg("-t").output().expect("nginx runs").status.success());
}

#[tokio::test]
async fn shop_works_behind_caddy() {
    let ((shop, _data), folder, address) = (shop().await, tempfile::tempdir().unwrap(), free_address());
    let node = shop.server.address().to_string();
    let sample = adapted(
        &read("deploy/caddy/Caddyfile"),
        &[
            ("\nshop.example {", &format!("\nhttp://{address} {{")),
            ("reverse_proxy 127.0.0.1:8080 {", &format!("reverse_proxy {node} {{")),
        ],
    );
    let file = folder.path().join("Caddyfile");
    std::fs::write(&file, format!("{{\n\tadmin off\n\tauto_https off\n}}\n{sample}")).unwrap();
    let mut caddy = Command::new("caddy");
    caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    caddy.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
    let proxy = RunningProxy::start(caddy, &address, folder).await;
    assert_shop_works_through(&proxy, &shop).await;
}

async fn haproxy(node: SocketAddr, replacements: &[(&str, &str)]) -> RunningProxy {
    let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, adapted(&read("deploy/haproxy.cfg"), replacements)).unwrap();
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file).env("SHOP_LISTEN", &address);
    command.env("NODE_A", node.to_string()).env("NODE_B", node.to_string());
    RunningProxy::start(command, &address, folder).await
}

#[tokio::test]
async fn shop_works_behind_haproxy() {
    let (shop, _data) = shop().await;
    let proxy = haproxy(shop.server.address(), &[]).await;
    assert_shop_works_through(&proxy, &shop).await;
}

/// The status line of a request over a connection from this address; `None`: the proxy cut it.
async fn ask(proxy: SocketAddr, from: IpAddr) -> Option<(TcpStream, String)> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let mut stream = socket.connect(proxy).await.ok()?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: shop.example\r\n\r\n").await.ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
    Some((stream, String::from_utf8_lossy(&head).into_owned()))
}

#[tokio::test]
async fn haproxy_limits_the_connections_of_one_address() {
    let (shop, _data) = shop().await;
    let limited = [
        ("acl local src 127.0.0.0/8 ::1", "acl local src 192.0.2.1"),
        ("sc0_conn_cur(addresses) gt 2000", "sc0_conn_cur(addresses) gt 5"),
        ("sc0_http_req_rate(addresses) gt 2000", "sc0_http_req_rate(addresses) gt 20"),
    ];
    let proxy = haproxy(shop.server.address(), &limited).await;
    let address: SocketAddr = proxy.url.trim_start_matches("http://").parse().unwrap();
    let (greedy, other) = (Ipv4Addr::new(127, 0, 0, 8).into(), Ipv4Addr::new(127, 0, 0, 9).into());
    let mut held = Vec::new();
    until_some("first answer", SOON, async || {
        ask(address, other).await.filter(|(_, head)| head.ends_with("200")).map(drop)
    })
    .await;
    for _ in 0..5 {
        let (stream, head) = ask(address, greedy).await.expect("within the limit");
        assert_eq!(head, "HTTP/1.1 200");
        held.push(stream);
    }
    assert!(ask(address, greedy).await.is_none(), "the sixth connection of an address is cut");
    assert_eq!(ask(address, other).await.expect("another address is not limited").1, "HTTP/1.1 200");
    drop(held);
    // Too many requests, one after the other, are refused with 429 …
    until_some("refusal", SOON, async || ask(address, greedy).await.filter(|(_, head)| head.ends_with("429"))).await;
    // … and the others do not notice.
    assert_eq!(ask(address, other).await.expect("another address is not limited").1, "HTTP/1.1 200");
}
