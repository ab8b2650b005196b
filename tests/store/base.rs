//! The two engines as tests see them.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use vantail::secret::Keyring;
use vantail::store::{Open, Store};

use crate::postgres::PostgresServer;

/// A database of a test's own, with a store open on it.
pub struct Base {
    /// The store.
    pub store: Store,
    /// Its address, to open it again.
    pub url: String,
    /// The folder of the SQLite file.
    pub folder: tempfile::TempDir,
    _server: Option<Arc<PostgresServer>>,
}

/// One function, a test on each engine.
macro_rules! both {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $test() { crate::base::run(crate::base::Base::sqlite(), super::$test); })*
        }
        mod on_postgres {
            $(#[test] fn $test() { crate::base::run(crate::base::Base::postgres(), super::$test); })*
        }
    };
}
pub(crate) use both;

/// The key of every test's installation.
pub fn keyring() -> Keyring {
    Keyring::new(&[7; 32])
}

/// Runs a test with its database, on several threads as in production.
pub fn run<T: Future<Output = ()>>(base: impl Future<Output = Base>, test: impl FnOnce(Arc<Base>) -> T) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let base = Arc::new(base.await);
        test(Arc::clone(&base)).await;
        base.store.close().await;
    });
}

/// Runs `task` so often at once, and gives what each came to.
pub async fn at_once<T, F>(times: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..times).map(|number| tokio::spawn(task(number))).collect();
    let mut results = Vec::with_capacity(times);
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

// === impl Base ===

impl Base {
    /// A fresh SQLite file.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("var/vantail.db").display());
        Self::open(url, folder, None).await
    }

    /// A fresh database of the shared server.
    pub async fn postgres() -> Self {
        let server = PostgresServer::shared();
        let url = server.new_database();
        Self::open(url, tempfile::tempdir().unwrap(), Some(server)).await
    }

    async fn open(url: String, folder: tempfile::TempDir, server: Option<Arc<PostgresServer>>) -> Self {
        let store = Store::open(&url, &keyring(), Open::Migrate).await.unwrap();
        Self { store, url, folder, _server: server }
    }

    /// Another store on the same database, as another process has one.
    pub async fn another(&self) -> Store {
        Store::open(&self.url, &keyring(), Open::AsIs).await.unwrap()
    }

    /// Whether this is the SQLite file.
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("var/vantail.db")
    }

    /// Changes the database behind the store's back.
    pub async fn tamper(&self, sql: &'static str) {
        use sqlx::Connection as _;
        let mut connection = sqlx::AnyConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}
