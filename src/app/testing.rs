//! An `App` for unit tests with a real store and a real broker; everything is removed with its folder.

use super::{App, Settings};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::domain::{Shop, ShopId};
use crate::store::Store;

pub async fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("shop.db").display());
    let clock = Clock::system();
    let store = Store::open(&url, clock.clone(), 1).await.unwrap();
    let shop = Shop { id: ShopId::new(), title: "Shop".into(), titles: Default::default(), currency: "SAR".into() };
    let shop = store.create_shop(shop).await.unwrap();
    let settings =
        Settings { chat: super::ChatRateLimit { viewer_per_s: 1.0, room_per_s: 0.0 }, ..Settings::default() };
    let app = App::start(store, Broker::local(), clock, shop, settings, Default::default()).await.unwrap();
    (app, folder)
}
