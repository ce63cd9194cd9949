//! A real PgBouncer between a node and PostgreSQL, in the mode that most offers have: the node says what to do instead of selling
//! with settings that are not in force.

use std::process::Command;

use crate::support::ports::free_address;
use crate::support::postgres::Database;
use crate::support::process::Process;
use crate::support::shop::KEY;
use crate::support::{SOON, until_some};

/// A PgBouncer that pools by transaction, with more lines of configuration. It refuses to run as root.
async fn pgbouncer(database: &Database, more: &str) -> (Process, String, tempfile::TempDir) {
    let (folder, listen) = (tempfile::tempdir().unwrap(), free_address());
    let port = listen.rsplit_once(':').expect("a port").1;
    let (users, ini) = (folder.path().join("users"), folder.path().join("pgbouncer.ini"));
    std::fs::write(&users, "\"postgres\" \"\"\n").unwrap();
    let configuration = format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\n\
         auth_file = {}\npool_mode = transaction\nunix_socket_dir =\n{more}\n",
        database.address().port(),
        users.display()
    );
    std::fs::write(&ini, configuration).unwrap();
    let own: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), own).unwrap();
    // Without root, setpriv changes nothing and needs no right.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let user: &[&str] = if is_root { &["--reuid=postgres", "--regid=postgres", "--init-groups"] } else { &[] };
    let mut command = Command::new("setpriv");
    command.args(user).args(["--pdeathsig=TERM", "--", "/usr/sbin/pgbouncer"]).arg(&ini);
    let mut process = Process::start(&mut command);
    until_some("PgBouncer", SOON, async || {
        assert!(!process.has_ended(), "{}", process.stderr());
        tokio::net::TcpStream::connect(&listen).await.ok()
    })
    .await;
    (process, database.url_at(listen.parse().unwrap()), folder)
}

#[tokio::test]
async fn pooler_that_drops_settings_is_refused_with_the_cure() {
    let database = Database::migrated().await;
    // As it is installed it refuses the settings of a session; with this line it drops them, and orders would not be safe.
    for more in ["", "ignore_startup_parameters = options,extra_float_digits"] {
        let (_pooler, url, folder) = pgbouncer(&database, more).await;
        let args = ["serve", "--listen", "127.0.0.1:0", "--auth-key", KEY, "--store", &url];
        let mut node = Process::livesouk(&args, folder.path());
        assert_eq!(node.end(SOON).await.code(), Some(2), "{more}: {}", node.stderr());
        let said = node.stderr();
        assert!(said.contains("connect to PostgreSQL directly") && said.contains("pool by session"), "{more}: {said}");
    }
}
