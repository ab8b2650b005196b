//! FLT-3: a damaged, foreign, newer or lost database is told as such, and never taken for a new one.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use vantail::secret::Keyring;
use vantail::store::{Open, Store, StoreError};

use crate::base::{Base, both, keyring, run};
use crate::made::{store_administrator, store_user};

both!(flt_3_a_newer_schema_is_refused, flt_3_a_wrong_key_is_refused, flt_3_lost_tables_are_no_new_beginning);

async fn flt_3_a_newer_schema_is_refused(base: Arc<Base>) {
    base.tamper("UPDATE meta SET value = '9999' WHERE name = 'schema'").await;
    for how in [Open::Migrate, Open::AsIs] {
        let refused = Store::open(&base.url, &keyring(), how).await;
        assert!(matches!(refused, Err(StoreError::Newer { found: 9999, .. })), "{refused:?}");
    }
}

async fn flt_3_a_wrong_key_is_refused(base: Arc<Base>) {
    let refused = Store::open(&base.url, &Keyring::new(&[8; 32]), Open::Migrate).await;
    assert!(matches!(refused, Err(StoreError::WrongKey(_))), "{refused:?}");
}

async fn flt_3_lost_tables_are_no_new_beginning(base: Arc<Base>) {
    base.tamper("DELETE FROM meta WHERE name = 'installation'").await;
    let refused = Store::open(&base.url, &keyring(), Open::Migrate).await;
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    base.tamper("DROP TABLE meta").await;
    let refused = Store::open(&base.url, &keyring(), Open::Migrate).await;
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
}

#[test]
fn flt_3_an_empty_postgresql_database_is_begun_by_migrating_only() {
    run(Base::postgres(), async |base: Arc<Base>| {
        base.tamper("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
        let refused = Store::open(&base.url, &keyring(), Open::AsIs).await;
        assert!(matches!(refused, Err(StoreError::Missing(_))), "{refused:?}");
        let opened = Store::open(&base.url, &keyring(), Open::Migrate).await.unwrap();
        assert_eq!(opened.count_users().await.unwrap(), 0);
        opened.close().await;
    });
}

/// Closes the store, does `harm` to its file, and expects `Damaged` of every way to open it.
fn damaged_by(harm: impl FnOnce(&std::path::Path)) {
    run(Base::sqlite(), async |base: Arc<Base>| {
        store_administrator(&base.store, "admin").await;
        for number in 0..200 {
            store_user(&base.store, &format!("user{number}")).await;
        }
        base.store.close().await;
        harm(&base.file());
        for how in [Open::Migrate, Open::AsIs] {
            let refused = Store::open(&base.url, &keyring(), how).await;
            assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
        }
    });
}

#[test]
fn flt_3_a_truncated_file_is_refused() {
    damaged_by(|file| {
        let length = fs::metadata(file).unwrap().len();
        File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
    });
}

#[test]
fn flt_3_a_file_cut_within_its_head_is_refused() {
    damaged_by(|file| File::options().write(true).open(file).unwrap().set_len(10).unwrap());
}

#[test]
fn flt_3_an_emptied_file_is_refused() {
    damaged_by(|file| File::options().write(true).open(file).unwrap().set_len(0).unwrap());
}

#[test]
fn flt_3_a_file_that_is_no_database_is_refused() {
    damaged_by(|file| fs::write(file, "[store]\ndatabase = \"sqlite:var/vantail.db\"\n".repeat(100)).unwrap());
}

#[test]
fn flt_3_flipped_bits_are_found() {
    damaged_by(|file| {
        let mut bytes = fs::read(file).unwrap();
        // In every page the head, where the cells are listed; the first page's comes after the file's own.
        for page in bytes.chunks_mut(4096).skip(1) {
            page[0] ^= 0x40;
            page[3] ^= 0x40;
        }
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn flt_3_one_flipped_bit_anywhere_never_makes_an_empty_system() {
    run(Base::sqlite(), async |base: Arc<Base>| {
        store_administrator(&base.store, "admin").await;
        base.store.close().await;
        let whole = fs::read(base.file()).unwrap();
        let mut refused = 0;
        for place in (0..whole.len()).step_by(whole.len() / 400) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place % 8);
            fs::write(base.file(), bytes).unwrap();
            match Store::open(&base.url, &keyring(), Open::Migrate).await {
                Ok(store) => {
                    assert_eq!(store.count_users().await.unwrap(), 1, "bit at {place}");
                    store.close().await;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0, "no flipped bit was noticed");
    });
}

#[test]
fn flt_3_a_foreign_sqlite_database_is_refused() {
    run(Base::sqlite(), async |base: Arc<Base>| {
        use sqlx::Connection as _;
        let file = base.folder.path().join("foreign.db");
        let url = format!("sqlite:{}", file.display());
        let mut other = sqlx::AnyConnection::connect(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
        sqlx::raw_sql("CREATE TABLE notes (text TEXT)").execute(&mut other).await.unwrap();
        let refused = Store::open(&url, &keyring(), Open::Migrate).await;
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
        sqlx::raw_sql("DROP TABLE notes").execute(&mut other).await.unwrap();
        let refused = Store::open(&url, &keyring(), Open::Migrate).await;
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "one without tables: {refused:?}");
        other.close().await.unwrap();
    });
}

#[test]
fn flt_3_a_lost_database_is_not_begun_anew() {
    run(Base::sqlite(), async |base: Arc<Base>| {
        store_administrator(&base.store, "admin").await;
        base.store.close().await;
        fs::rename(base.file(), base.folder.path().join("aside")).unwrap();
        for how in [Open::Migrate, Open::AsIs] {
            let refused = Store::open(&base.url, &keyring(), how).await.unwrap_err();
            assert!(matches!(&refused, StoreError::Missing(text) if text.contains("restore a backup")), "{refused}");
        }
        assert!(!base.file().exists());
        fs::rename(base.folder.path().join("aside"), base.file()).unwrap();
        base.another().await.close().await;
    });
}

#[test]
fn a_new_database_is_made_by_migrating_only_and_for_its_owner_alone() {
    run(Base::sqlite(), async |base: Arc<Base>| {
        let file = base.folder.path().join("deep/er ü?#%/vantail.db");
        let url = format!("sqlite:{}", file.display());
        let refused = Store::open(&url, &keyring(), Open::AsIs).await;
        assert!(matches!(refused, Err(StoreError::Missing(_))), "{refused:?}");
        assert!(!file.parent().unwrap().exists());
        let store = Store::open(&url, &keyring(), Open::Migrate).await.unwrap();
        store_user(&store, "alice").await;
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(file.parent().unwrap()), 0o700);
        for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            assert!(!path.to_string_lossy().contains(".new-"), "a draft was left behind");
        }
        store.close().await;
    });
}

#[test]
fn of_many_first_starts_one_makes_the_database() {
    run(Base::sqlite(), async |base: Arc<Base>| {
        let url = format!("sqlite:{}", base.folder.path().join("many/vantail.db").display());
        let opened = crate::base::at_once(8, |_| {
            let url = url.clone();
            async move { Store::open(&url, &keyring(), Open::Migrate).await.unwrap() }
        })
        .await;
        store_user(&opened[0], "alice").await;
        for store in &opened {
            assert_eq!(store.count_users().await.unwrap(), 1);
        }
        for store in opened {
            store.close().await;
        }
    });
}

#[test]
fn an_address_that_is_none_is_refused_without_telling_it() {
    run(Base::sqlite(), async |_base: Arc<Base>| {
        for url in ["mysql://root:hunter2@db/x", "", "sqlite::memory:"] {
            let refused = Store::open(url, &keyring(), Open::Migrate).await.unwrap_err();
            assert!(matches!(refused, StoreError::Missing(_)), "{refused}");
            assert!(!refused.to_string().contains("hunter2"));
        }
    });
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    run(Base::sqlite(), async |_base: Arc<Base>| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("postgres://vantail:hunter2@{free}/vantail");
        let refused = Store::open(&url, &keyring(), Open::Migrate).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
        assert!(!refused.to_string().contains("hunter2"));
    });
}
