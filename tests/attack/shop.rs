//! The shop that is attacked: `livesouk serve` as an operator starts it, with a live show and goods on sale.

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use testkit::process::Server;
use testkit::rest::Rest;
use testkit::shop::{KEY, id, sign};

pub struct AttackedShop {
    pub server: Server,
    pub stream: String,
    pub host: Rest,
    folder: TempDir,
}

impl AttackedShop {
    /// Starts `serve` on SQLite with these arguments and no others: not even a payment provider.
    pub async fn serve(more: &[&str]) -> AttackedShop {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", folder.path().join("shop.db").display());
        let server = Server::serve_without_payments(&store, KEY, more).await;
        let host = server.rest().with_token(&sign(KEY, "the-host", "host", 3_600));
        let stream = id(&host.post("/v1/streams", json!({"title": "Evening"})).await.expect(201));
        host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
        AttackedShop { server, stream, host, folder }
    }

    /// Changes the database as time does: what the statement moves back is older than before.
    pub async fn age(&self, statement: &'static str) {
        let store = format!("sqlite:{}", self.folder.path().join("shop.db").display());
        let mut database = SqliteConnection::connect(&store).await.unwrap();
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }

    /// A REST client with a good token of this user and role.
    pub fn rest(&self, user: &str, role: &str) -> Rest {
        self.server.rest().with_token(&sign(KEY, user, role, 3_600))
    }

    /// Opens an offer of this many units and gives its id.
    pub async fn offer(&self, price: i64, units: i64, hold_s: i64) -> String {
        let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 100, "stock": units}]});
        let variant = id(&self.host.post("/v1/products", product).await.expect(201)["variants"][0]);
        let form = json!({"variant": variant, "kind": "regular", "price": price, "quantity": units,
            "per_buyer": units.min(5), "hold_s": hold_s});
        let offer = id(&self.host.post(&format!("/v1/streams/{}/offers", self.stream), form).await.expect(201));
        self.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
        offer
    }
}
