//! A test database is empty and separate, and it is dropped afterwards.

use sqlx::{Connection, PgConnection};

use testkit::postgres::Database;

#[tokio::test]
async fn test_database_is_empty_and_dropped_with_its_value() {
    let database = Database::create().await;
    let other = Database::create().await;
    for database in [&database, &other] {
        sqlx::raw_sql("create table mine (id bigint)").execute(&mut database.connect().await).await.unwrap();
    }
    let _still_open = database.connect().await;
    let url = database.url();
    drop(database);
    assert!(PgConnection::connect(&url).await.is_err());
    sqlx::raw_sql("select * from mine").execute(&mut other.connect().await).await.unwrap();
}
