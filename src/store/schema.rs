//! The schema: its version, its migrations, and whose database it is.
//!
//! `meta` holds the schema's version, the *installation* (16 random bytes, made once) and the *key check* (a MAC over
//! them), by which a wrong sealing key is known before anything is sealed with it.

use sqlx::AnyConnection;
use sqlx::{Any, Connection as _, Transaction};

use super::chain::Trail;
use super::engine::Engine;
use super::sql::Row;
use super::{Open, StoreError};
use crate::secret::{Keyring, Purpose, SystemRandom, random_bytes};

/// Every schema change ever, in order; the first makes version 1.
const MIGRATIONS: [&str; 7] = [
    include_str!("migrations/0001_begin.sql"),
    include_str!("migrations/0002_spent_passwords.sql"),
    include_str!("migrations/0003_earlier_passwords.sql"),
    include_str!("migrations/0004_recovery_codes.sql"),
    include_str!("migrations/0005_detours.sql"),
    include_str!("migrations/0006_known_browsers.sql"),
    include_str!("migrations/0007_devices.sql"),
];

/// The newest schema version this program knows.
#[expect(clippy::cast_possible_wrap, reason = "there are not 2^63 migrations")]
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Two processes must not migrate one PostgreSQL database at once. The number is "vantail" in letters.
const MIGRATION_LOCK: &str = "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(33317142930581868)";

/// A database that may be used.
pub(super) struct Ready {
    /// What its audit trail is chained with.
    pub(super) trail: Trail,
}

/// What is in a database.
enum Found {
    /// Nothing at all.
    Nothing,
    /// Tables, but not ours.
    Foreign,
    /// Ours, of this version.
    Version(i64),
}

/// Checks version and key of an existing database and migrates it; begins a new one in an empty PostgreSQL database.
pub(super) async fn prepare(
    connection: &mut AnyConnection,
    engine: &Engine,
    keyring: &Keyring,
    how: Open,
) -> Result<Ready, StoreError> {
    match look(connection, engine).await? {
        Found::Version(found) if found > KNOWN => Err(StoreError::Newer { found, known: KNOWN }),
        Found::Version(found) => {
            let ready = check_key(connection, keyring).await?;
            bring_up(connection, engine, found, how).await?;
            Ok(ready)
        }
        // A SQLite file is linked into its place with its tables in it: one without has lost them.
        Found::Nothing if engine.file().is_none() => begin_empty(connection, engine, keyring, how).await,
        Found::Nothing | Found::Foreign => Err(StoreError::Damaged(
            "it holds no tables of vantail: name another database, or restore a backup".to_owned(),
        )),
    }
}

/// Makes all tables and the installation's own rows.
pub(super) async fn begin_new(
    connection: &mut AnyConnection,
    engine: &Engine,
    keyring: &Keyring,
) -> Result<(), StoreError> {
    let mut tx = begin(connection, engine).await?;
    // Another process may have been first while this one waited for its turn.
    if let Found::Nothing = look(&mut tx, engine).await? {
        migrate(&mut tx, 0).await?;
        found_installation(&mut tx, keyring).await?;
    }
    tx.commit().await.map_err(StoreError::from)
}

async fn begin_empty(
    connection: &mut AnyConnection,
    engine: &Engine,
    keyring: &Keyring,
    how: Open,
) -> Result<Ready, StoreError> {
    if how == Open::AsIs {
        return Err(StoreError::Missing(
            "the database is empty: make its tables with `vantail store migrate`".to_owned(),
        ));
    }
    begin_new(connection, engine, keyring).await?;
    check_key(connection, keyring).await
}

async fn look(connection: &mut AnyConnection, engine: &Engine) -> Result<Found, StoreError> {
    let tables = sqlx::query(engine.tables()).fetch_all(&mut *connection).await?;
    let names: Vec<String> = tables.into_iter().map(|row| Row::from(row).get("name")).collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Ok(Found::Nothing);
    }
    if !["meta", "users"].iter().all(|ours| names.iter().any(|name| name == ours)) {
        return Ok(Found::Foreign);
    }
    let version = meta(connection, "schema").await?;
    version.parse().map(Found::Version).map_err(|_| StoreError::unreadable("meta.schema"))
}

async fn bring_up(connection: &mut AnyConnection, engine: &Engine, found: i64, how: Open) -> Result<(), StoreError> {
    if found == KNOWN {
        return Ok(());
    }
    if how == Open::AsIs {
        return Err(StoreError::Missing(format!(
            "the database is of schema version {found}, this program needs {KNOWN}: back it up, then run `vantail store migrate`"
        )));
    }
    let mut tx = begin(connection, engine).await?;
    if let Found::Version(found) = look(&mut tx, engine).await? {
        migrate(&mut tx, found).await?;
    }
    tx.commit().await.map_err(StoreError::from)
}

async fn begin<'c>(connection: &'c mut AnyConnection, engine: &Engine) -> Result<Transaction<'c, Any>, StoreError> {
    let mut tx = connection.begin_with(engine.begin()).await?;
    if engine.file().is_none() {
        sqlx::raw_sql(MIGRATION_LOCK).execute(&mut *tx).await?;
    }
    Ok(tx)
}

async fn migrate(connection: &mut AnyConnection, from: i64) -> Result<(), StoreError> {
    let done = usize::try_from(from).map_err(|_| StoreError::unreadable("meta.schema"))?;
    for migration in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*migration).execute(&mut *connection).await?;
    }
    put_meta(connection, "schema", &KNOWN.to_string()).await
}

async fn found_installation(connection: &mut AnyConnection, keyring: &Keyring) -> Result<(), StoreError> {
    let installation = random_bytes::<16>(&SystemRandom);
    let check = keyring.mac(Purpose::KeyCheck, &[&installation]);
    put_meta(connection, "installation", &hex::encode(installation)).await?;
    put_meta(connection, "key_check", &hex::encode(check)).await?;
    let head = Trail::new(keyring, &installation).first_head();
    sqlx::query("INSERT INTO audit_head (id, seq, link, mac) VALUES (1, 0, $1, $2)")
        .bind(head.link.to_vec())
        .bind(head.mac.to_vec())
        .execute(connection)
        .await?;
    Ok(())
}

async fn check_key(connection: &mut AnyConnection, keyring: &Keyring) -> Result<Ready, StoreError> {
    let installation = hex::decode(meta(connection, "installation").await?)
        .map_err(|_| StoreError::unreadable("meta.installation"))?;
    let check =
        hex::decode(meta(connection, "key_check").await?).map_err(|_| StoreError::unreadable("meta.key_check"))?;
    if !keyring.verify(Purpose::KeyCheck, &[&installation], &check) {
        return Err(StoreError::WrongKey("its check value does not match".to_owned()));
    }
    Ok(Ready { trail: Trail::new(keyring, &installation) })
}

async fn meta(connection: &mut AnyConnection, name: &str) -> Result<String, StoreError> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name).fetch_optional(connection).await?;
    let row = row.ok_or_else(|| StoreError::Damaged(format!("meta has no {name}: restore a backup")))?;
    Row::from(row).get("value")
}

async fn put_meta(connection: &mut AnyConnection, name: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(())
}
