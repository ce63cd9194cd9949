//! A database connection of the test's own, for changes that no verb can make, such as moving the end of a hold into the
//! past.

use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::fixture::Fixture;

pub enum RawConnection {
    Postgres(Mutex<PgConnection>),
    Sqlite(Mutex<SqliteConnection>),
}

impl Fixture {
    pub fn is_postgres(&self) -> bool {
        matches!(self.raw, RawConnection::Postgres(_))
    }

    /// An id as a literal of this database.
    pub fn id(&self, id: Uuid) -> String {
        match &self.raw {
            RawConnection::Postgres(_) => format!("'{id}'"),
            RawConnection::Sqlite(_) => format!("x'{}'", id.simple()),
        }
    }

    /// Runs statements directly on the database.
    pub async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    pub async fn try_run(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match &self.raw {
            RawConnection::Postgres(side) => sql.execute(&mut *side.lock().await).await.map(|_| ()),
            RawConnection::Sqlite(side) => sql.execute(&mut *side.lock().await).await.map(|_| ()),
        }
    }

    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql);
        match &self.raw {
            RawConnection::Postgres(side) => sqlx::query_scalar(sql).fetch_one(&mut *side.lock().await).await.unwrap(),
            RawConnection::Sqlite(side) => sqlx::query_scalar(sql).fetch_one(&mut *side.lock().await).await.unwrap(),
        }
    }

    /// From now on, a purchase of the buyer `poison` breaks the statement that stores it.
    pub async fn reject_poison_buyer(&self) {
        self.run(if self.is_postgres() {
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'poison'; end $$;
             create trigger poison before insert on reservations for each row when (new.buyer = 'poison') execute function refuse()"
        } else {
            "create trigger poison before insert on reservations when new.buyer = 'poison'
             begin select raise(abort, 'poison'); end"
        })
        .await;
    }

    /// From now on, every batch fails because its table is missing.
    pub async fn break_selling(&self) {
        self.run("alter table offers rename to offers_elsewhere").await;
    }
}
